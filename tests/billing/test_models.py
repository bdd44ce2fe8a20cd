"""Recurring prices of every model in settling: the model prices the full quantity, the result takes the share."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import InvoiceLine
from core.models import Company
from tests.billing.test_settling import bill
from tests.factories import TODAY, a_company, a_plan, a_subscription
from tests.subscriptions.test_items import an_item

pytestmark = pytest.mark.django_db

TIERS = [{"up_to": "10", "unit_price": "2", "flat_fee": "5"}, {"unit_price": "1.5", "flat_fee": "1"}]


def line_of(model: str, details: dict[str, Any], *, quantity: str, amount: str = "0", on: date = TODAY,
            company: Company | None = None, **price: Any) -> InvoiceLine:  # fmt: skip
    """The first line of a monthly price whose periods follow the calendar."""
    company = company or a_company(today=on)
    item = an_item(company, amount, price={"model": model, "details": details, **price}, quantity=Decimal(quantity))
    a_subscription(company, plan=a_plan(company, items=[item], rules={"anchor_rule": "calendar"}), on=on)
    bill(company, on)
    return InvoiceLine.objects.get()


@pytest.mark.parametrize(
    ("model", "details", "amount", "quantity", "minor"),
    [
        # 10 x 2.00 + 5.00 + 4 x 1.50 + 1.00
        ("graduated", {"tiers": TIERS}, "0", "14", 3200),
        # 14 x 1.50 + 1.00
        ("volume", {"tiers": TIERS}, "0", "14", 2200),
        # 21 units less one free are two packages of ten at 7.00
        ("package", {"package_size": "10", "free_units": "1"}, "7", "21", 1400),
        # 2.5 % of 200.00 and 0.30
        ("percentage", {"rate": "2.5", "fee": "0.30"}, "0", "200", 530),
        # 1 % of 100 and 2 % of the other 50
        ("graduated_percentage", {"tiers": [{"up_to": "100", "rate": "1"}, {"rate": "2"}]}, "0", "150", 200),
        ("flat", {}, "9.99", "7", 999),
    ],
)
def test_a_full_period_costs_what_the_model_says(
    model: str, details: dict[str, Any], amount: str, quantity: str, minor: int
) -> None:
    line = line_of(model, details, quantity=quantity, amount=amount)
    assert line.amount_minor == minor
    assert ("steps" in line.calculation) == (model != "flat")


def test_a_stub_takes_its_share_of_the_whole_with_its_fees() -> None:
    line = line_of("graduated", {"tiers": TIERS}, quantity="14", on=date(2026, 1, 12))
    # 32.00 x 20 / 31 = 20.645.
    assert (line.amount_minor, line.calculation["share"]) == (2065, "20/31")
    assert sum(Decimal(step["amount"]) for step in line.calculation["steps"]) == 32


def test_an_unprorated_stub_costs_the_whole() -> None:
    line = line_of("volume", {"tiers": TIERS}, quantity="14", on=date(2026, 1, 12), is_prorated=False)
    assert line.amount_minor == 2200


def test_gross_tiers_contain_their_tax() -> None:
    line = line_of("volume", {"tiers": [{"unit_price": "11.9"}]}, quantity="10", tax_behavior="inclusive")
    assert (line.amount_minor, line.net_minor, line.invoice.tax_minor) == (11900, 10000, 1900)


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 32), ("KWD", 32000)])
def test_tiers_in_other_currencies(currency: str, minor: int) -> None:
    from catalog.services.plans import PlanItemSpec, PriceSpec
    from tests.factories import a_product

    company = a_company(currency=currency)
    price = PriceSpec(currency, Decimal(0), date(2015, 1, 1), model="graduated", details={"tiers": TIERS})
    item = PlanItemSpec(product=a_product(company), prices=[price], quantity=Decimal(14))
    a_subscription(company, plan=a_plan(company, items=[item]))
    bill(company, TODAY)
    assert InvoiceLine.objects.get().amount_minor == minor
