"""What becomes of days of other components when their invoice is voided. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import CreditNote, Invoice, InvoiceLine
from billing.services import acts_changing
from billing.services.voiding import void
from subscriptions.services.change_specs import ItemChange
from tests.billing.money import sound
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db
GROWN = date(2026, 1, 11)


def a_grown() -> tuple[Any, Invoice, Invoice]:
    """One unit at 31.00 in January, two more from the 11th on: 21 of 31 days of 62.00."""
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, amount="31.00"))
    [first] = bill(company, date(2026, 1, 1)).invoice_ids
    at = set_clock(company, GROWN)
    slot = subscription.slots.get()
    more = ItemChange(slot=slot, quantity=Decimal(3))
    result = acts_changing.change(subscription=subscription, items=[more], timing="now", by=BY, at=at)
    [second] = result.settlement.invoice_ids
    base, added = Invoice.objects.get(pk=first), Invoice.objects.get(pk=second)
    assert (base.net_minor, added.net_minor) == (3100, 4200)
    return company, base, added


def nets(ids: list[int]) -> list[int]:
    return list(InvoiceLine.objects.filter(invoice__in=ids).order_by("pk").values_list("net_minor", flat=True))


def test_added_units_are_charged_again_for_the_days_they_were_added_to() -> None:
    company, _, added = a_grown()
    void(invoice=added, reason="wrong", by=BY, at=at_noon(GROWN))
    assert nets(bill(company, GROWN).invoice_ids) == [4200]
    sound(company)


def test_added_units_are_not_charged_again_for_days_billed_with_them_since() -> None:
    company, _, added = a_grown()
    assert nets(bill(company, date(2026, 2, 1)).invoice_ids) == [9300]
    void(invoice=added, reason="wrong", by=BY, at=at_noon(date(2026, 2, 1)))
    assert nets(bill(company, date(2026, 2, 1)).invoice_ids) == [4200]
    sound(company)


def test_added_units_may_stay_free() -> None:
    company, _, added = a_grown()
    void(invoice=added, days="free", reason="a gift", by=BY, at=at_noon(GROWN))
    assert bill(company, GROWN).invoice_ids == []
    sound(company)


def test_days_billed_again_at_all_units_give_back_what_added_ones_cost() -> None:
    company, base, added = a_grown()
    void(invoice=base, reason="wrong", by=BY, at=at_noon(GROWN))
    # The added units are billed with the days again, so their own invoice is credited.
    assert [note.net_minor for note in CreditNote.objects.order_by("pk")] == [3100, 4200]
    added.balance.refresh_from_db()
    assert added.balance.open_minor == 0
    # 10 days of one unit, 21 of three: 10.00 and 63.00.
    assert nets(bill(company, GROWN).invoice_ids) == [1000, 6300]
    sound(company)


def test_both_voided_are_billed_once() -> None:
    company, base, added = a_grown()
    void(invoice=added, reason="wrong", by=BY, at=at_noon(GROWN))
    void(invoice=base, reason="wrong", by=BY, at=at_noon(GROWN))
    assert nets(bill(company, GROWN).invoice_ids) == [1000, 6300]
    sound(company)
