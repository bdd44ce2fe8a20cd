"""What becomes of days of other components when their invoice is voided. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import CreditNote, Invoice, InvoiceLine
from billing.services import acts_changing
from billing.services.replacing import replace
from billing.services.voiding import void
from core.refusal import Refused
from subscriptions.services.change_specs import ItemChange
from tests.billing.money import left, sound
from tests.billing.test_allowances import sell
from tests.billing.test_settling import bill
from tests.factories import BY, TODAY, a_company, a_plan, a_subscription, at_noon, set_clock

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


def test_an_invoice_that_credit_covered_whole_is_voided_by_a_note_of_nothing() -> None:
    from billing.services import granting

    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, amount="31.00"))
    at = at_noon(TODAY)
    given = granting.grant(
        customer=subscription.customer, amount_minor=5000, currency="EUR", reason="goodwill", by=BY, at=at
    )
    [invoice_id] = bill(company, TODAY).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    assert (invoice.gross_minor, left(given)) == (0, 1900)
    note = void(invoice=invoice, reason="wrong address", at=at, by=BY)
    assert (note.cause, note.gross_minor, note.lines.count()) == ("void", 0, 1)
    invoice.balance.refresh_from_db()
    assert (invoice.balance.status, left(given)) == ("void", 5000)
    # Its days fall due again, and the credit covers them again.
    [again] = bill(company, TODAY).invoice_ids
    assert (Invoice.objects.get(pk=again).gross_minor, left(given)) == (0, 1900)
    sound(company)
    with pytest.raises(Refused) as refused:
        void(invoice=invoice, reason="again", at=at, by=BY)
    assert refused.value.code == "void.not_open"


def test_an_invoice_that_prepaid_credit_covered_whole_gives_it_back_when_it_is_replaced() -> None:
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, amount="31.00"))
    _sold, credit = sell(company, subscription.customer, 5000)
    [invoice_id] = bill(company, TODAY).invoice_ids
    assert left(credit) == 1900
    note, new = replace(
        invoice=Invoice.objects.get(pk=invoice_id), how="issue", reason="wrong address", at=at_noon(TODAY), by=BY
    )
    assert (note.gross_minor, new.gross_minor, left(credit)) == (0, 0, 1900)
    sound(company)
