"""Meters, usage positions and events for tests, through the verbs."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.factories import BY, TODAY, a_customer, a_product, at_noon

if TYPE_CHECKING:
    from catalog.models import Meter
    from core.models import Company
    from subscriptions.models import Subscription
    from subscriptions.services.usage import Ingested

_number = count(1)


def a_meter(company: Company, aggregation: str = "sum", code: str = "", **changes: Any) -> Meter:
    from catalog.services.meters import create_meter

    code = code or f"meter-{next(_number)}"
    values: dict[str, Any] = {"code": code, "name": {company.language: code}, "aggregation": aggregation}
    return create_meter(company=company, **(values | changes), by=BY, at=company.clock_at or at_noon(TODAY))


def a_usage_item(meter: Meter, amount: str | None = "0.10", **changes: Any) -> Any:
    """A position charged by usage; per unit at `amount` unless told otherwise."""
    from subscriptions.services.items import ItemSpec

    values: dict[str, Any] = {"product": changes.pop("product", None) or a_product(meter.company), "kind": "usage"}
    values |= {"meter": meter, "unit_amount": None if amount is None else Decimal(amount)}
    return ItemSpec(**(values | changes))


def a_user(company: Company, *items: Any, on: date = TODAY, **changes: Any) -> Subscription:
    """A subscription with these positions, agreed on `on`, not billed; calendar months in the company's zone."""
    from subscriptions.services.starting import agree

    values: dict[str, Any] = {"start_on": on, "overrides": {"anchor_rule": "calendar"} | changes.pop("overrides", {})}
    customer = changes.pop("customer", None) or a_customer(company)
    return agree(
        company=company, customer=customer, items=list(items), on=on, **(values | changes), by=BY, at=at_noon(on)
    )


def sent(meter: Meter, subscription: Subscription, at: datetime | str, value: Any = 1, **more: Any) -> dict[str, Any]:
    """An event as a sender writes it; each with an id of its own."""
    moment = at if isinstance(at, str) else at.isoformat()
    row = {"meter": meter.code, "event_id": f"e{next(_number)}", "subscription": subscription.ref, "at": moment}
    return row | ({} if value is None else {"value": str(value)}) | more


def take_in(company: Company, *events: dict[str, Any]) -> Ingested:
    """Ingests at the company's clock."""
    from core import clock
    from subscriptions.services.usage import ingest

    return ingest(company=company, events=events, at=clock.now(company))
