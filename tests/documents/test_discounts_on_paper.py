"""What a reader sees of discounts: what stood before, each by name, what is left."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.documents.content import read
from billing.documents.explaining import explain
from billing.documents.layout import sheet
from billing.models import Invoice, InvoiceLine

from . import papers

TENTH = {"id": "agd_x", "name": "Friends", "percent": "10", "taken_minor": 100}
AMOUNT = {"id": "agd_y", "name": "Welcome", "amount_minor": 500, "taken_minor": 250}


def calculation(**changes: Any) -> dict[str, Any]:
    return {**papers.a_line()["calculation"], **changes}


def a_line(**changes: Any) -> dict[str, Any]:
    return {"amount": 900, "calculation": calculation(discounts=[TENTH]), **changes}


def test_each_discount_has_its_sentence() -> None:
    line = a_line(amount=650, calculation=calculation(discounts=[TENTH, AMOUNT]))
    said = explain(line, "en", currency="EUR")
    assert said[1:4] == ["Before discounts: €10.00.", "Discount “Friends”, 10%: -€1.00.", "Discount “Welcome”: -€2.50."]


def test_a_share_is_told_before_its_discounts() -> None:
    line = a_line(amount=450, calculation=calculation(days=15, share="15/30", discounts=[TENTH | {"taken_minor": 50}]))
    said = explain(line, "en", currency="EUR")
    assert said[1] == "15 of the 30 days of the period 1 Nov 2026 – 30 Nov 2026 are charged: €5.00."
    assert said[2:4] == ["Before discounts: €5.00.", "Discount “Friends”, 10%: -€0.50."]


def test_a_line_without_discounts_says_nothing_of_them() -> None:
    assert not any("iscount" in text for text in explain(a_line(calculation=calculation()), "en", currency="EUR"))


@pytest.mark.django_db
def test_the_document_shows_discounts_under_their_line() -> None:
    from billing.services.settling import settle
    from catalog.services import discounts
    from tests.factories import BY, TODAY, a_company, a_subscription, at_noon

    company = a_company()
    common: dict[str, Any] = {"by": BY, "at": at_noon(date(2026, 1, 1))}
    discount = discounts.create_discount(
        company=company, code="friends", name={"en": "Friends"}, percent=Decimal(10), **common
    )
    subscription = a_subscription(company, discounts=[discount])
    settle(company=company, customer_ids=[subscription.customer_id], on=TODAY, **common)
    [row] = sheet(read(Invoice.objects.get()))["rows"]
    assert (row.details[-2:], row.amount) == (["Before discounts: €10.00.", "Discount “Friends”, 10%: -€1.00."], "9.00")
    assert InvoiceLine.objects.get().discount_minor == 100
