"""Short ways to import a small list in tests."""

from __future__ import annotations

from datetime import date
from typing import Any

from core.models import Company
from subscriptions.services import importing
from tests.factories import BY, a_company, at_noon

ON = date(2026, 11, 1)
AT = at_noon(ON)
MAPPING = """
[[products]]
code = "net"
name = "Internet"
tax_category = "exempt"

[customer]
external_id = "id"
name = "name"
currency = { value = "USD" }

[subscription]
external_id = "id"
start = "start"

[[items]]
product = { value = "net" }
price = "price"
"""
HEADING = "id,name,start,price"


def an_american_company(**changes: Any) -> Company:
    values = {"country": "US", "currency": "USD", "time_zone": "UTC", "books_start_on": date(2020, 1, 1)}
    return a_company(today=ON, **(values | changes))


def take(company: Company, *lines: str, mapping: str = MAPPING, heading: str = HEADING, dry: bool = False, **more: Any):
    """Runs (or checks) the list of these lines."""
    content = more.pop("content", None)
    if content is None:
        content = "\n".join([heading, *lines]).encode()
    verb = importing.check if dry else importing.run
    return verb(
        company=company,
        content=content,
        file_name="list.csv",
        mapping=importing.from_toml(mapping),
        on=more.pop("on", ON),
        by=BY,
        at=AT,
        **more,
    )
