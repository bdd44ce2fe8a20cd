"""Ends: what is billed up to them, and what comes back for days after them. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing.models import BilledDays, CreditNote, Invoice, Posting, Refund
from billing.services import drafting
from billing.services.chain import verify_chain
from core.models import Company, Outbox
from subscriptions.models import Subscription
from tests.billing.test_settling import bill, lines_of
from tests.factories import BY, a_company, a_plan, a_subscription, at_noon

pytestmark = pytest.mark.django_db


def end(subscription: Subscription, ends_on: date, *, asked_on: date, unused: str = "credit") -> None:
    """What a cancellation leaves on the row: the end, what becomes of unused days, and the next day to look at it."""
    subscription.refresh_from_db()
    subscription.ends_on, subscription.end_kind, subscription.end_unused = ends_on, "cancel", unused
    subscription.cancel_asked_at = at_noon(asked_on)
    subscription.next_bill_on = date.fromordinal(ends_on.toordinal() + 1)
    subscription.save()


def a_yearly(company: Company, amount: str = "365.00", **price: Any) -> Subscription:
    return a_subscription(company, plan=a_plan(company, amount=amount, rules={"interval_unit": "year"}, price=price))


def days_of(subscription: Subscription) -> list[tuple[str, str, str, bool]]:
    rows = BilledDays.objects.filter(slot__subscription=subscription).order_by("days")
    return [(str(row.days.lower), str(row.days.upper), row.kind, row.released_at is not None) for row in rows]


def test_a_planned_end_writes_its_note_on_the_first_day_no_longer_covered() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 2, 1))
    assert bill(company, date(2026, 3, 31)).credit_note_ids == []
    [note_id] = bill(company, date(2026, 4, 1)).credit_note_ids
    note = CreditNote.objects.get(pk=note_id)
    # 365.00 for 365 days; April to December are 275 days: 275.00 net, 52.25 tax. The invoice is open: all settles.
    assert (note.net_minor, note.tax_minor, note.settled_minor, note.to_account_minor) == (27500, 5225, 32725, 0)
    assert str(note.issued_on) == "2026-04-01"
    assert days_of(subscription) == [
        ("2026-01-01", "2026-04-01", "billed", False),
        ("2026-04-01", "2027-01-01", "billed", True),
    ]
    subscription.refresh_from_db()
    assert subscription.next_bill_on is None
    assert bill(company, date(2027, 6, 1)).invoice_ids == []


@pytest.mark.parametrize(("mails_start_on", "mailed"), [(date(2026, 4, 1), 1), (date(2026, 4, 2), 0)])
def test_a_note_about_days_before_mails_start_is_written_without_mail(mails_start_on: date, mailed: int) -> None:
    company = a_company(mails_start_on=mails_start_on)
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 2, 1))
    [note_id] = bill(company, date(2026, 4, 1)).credit_note_ids
    assert Outbox.objects.filter(kind="document_mail", key=f"credit_note-{note_id}").count() == mailed


@pytest.mark.parametrize(("mails_start_on", "mailed"), [(date(2026, 4, 1), 1), (date(2026, 4, 2), 0)])
def test_an_invoice_by_hand_before_mails_start_is_issued_without_mail(mails_start_on: date, mailed: int) -> None:
    company = a_company(mails_start_on=mails_start_on)
    subscription = a_yearly(company)
    line = drafting.DraftLine(unit_amount=Decimal(10), product=subscription.slots.get().product)
    now = {"by": BY, "at": at_noon(date(2026, 4, 1))}
    draft = drafting.create_draft(company=company, customer=subscription.customer, currency="EUR", lines=[line], **now)
    invoice = drafting.issue(invoice=draft, **now)
    assert Outbox.objects.filter(kind="document_mail", key=f"invoice-{invoice.pk}").count() == mailed


def test_an_end_asked_for_on_its_day_gives_back_at_once() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 3, 31))
    assert len(bill(company, date(2026, 3, 31)).credit_note_ids) == 1
    # 90 of 365 days are kept: 90.00 net, 107.10 gross.
    assert Invoice.objects.get().balance.open_minor == 10710
    assert bill(company, date(2026, 4, 1)).credit_note_ids == []


def test_what_was_paid_comes_back_as_account_credit_and_pays_the_next_invoice() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    pay(Invoice.objects.get())
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 3, 31))
    bill(company, date(2026, 3, 31))
    note = CreditNote.objects.get()
    assert (note.settled_minor, note.to_account_minor) == (0, 32725)
    credit = note.credits.get()
    assert credit.balance.left_minor == 32725
    # The next invoice, 100.00 net, uses 119.00 of it and is paid.
    a_subscription(company, subscription.customer, a_plan(company, amount="100.00"), on=date(2026, 4, 1))
    [invoice_id] = bill(company, date(2026, 4, 1)).invoice_ids
    balance = Invoice.objects.get(pk=invoice_id).balance
    assert (balance.status, balance.credit_used_minor, balance.open_minor) == ("paid", 11900, 0)
    credit.balance.refresh_from_db()
    assert credit.balance.left_minor == 20825


def test_a_note_and_the_invoice_that_uses_its_credit_may_come_of_one_settling() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    pay(Invoice.objects.get())
    a_subscription(company, subscription.customer, a_plan(company, amount="100.00"), on=date(2026, 3, 31))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 3, 31))
    outcome = bill(company, date(2026, 3, 31))
    assert (len(outcome.credit_note_ids), len(outcome.invoice_ids)) == (1, 1)
    assert Invoice.objects.get(pk=outcome.invoice_ids[0]).balance.status == "paid"
    assert verify_chain(company) == []


def test_refund_asks_for_the_money_to_be_paid_out() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    pay(Invoice.objects.get())
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 3, 31), unused="refund")
    bill(company, date(2026, 3, 31))
    refund = Refund.objects.get()
    assert (refund.status, refund.amount_minor, refund.credit.balance.left_minor) == ("pending", 32725, 0)


def test_days_not_given_back_are_forfeited() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 2, 1), unused="none")
    assert bill(company, date(2026, 4, 1)).credit_note_ids == []
    assert days_of(subscription) == [
        ("2026-01-01", "2026-04-01", "billed", False),
        ("2026-04-01", "2027-01-01", "forfeited", False),
    ]
    subscription.refresh_from_db()
    assert subscription.next_bill_on is None


def test_an_unprorated_price_gives_nothing_back() -> None:
    company = a_company()
    subscription = a_yearly(company, is_prorated=False)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 2, 1))
    assert bill(company, date(2026, 4, 1)).credit_note_ids == []
    assert [row[2] for row in days_of(subscription)] == ["billed", "forfeited"]


def test_a_period_known_to_end_early_is_billed_to_its_last_day() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 2, 14), asked_on=date(2026, 1, 10))
    subscription.next_bill_on = date(2026, 2, 1)
    subscription.save()
    bill(company, date(2026, 2, 1))
    # 14 of 28 days.
    assert lines_of(subscription) == [("2026-01-01", "2026-02-01", 1000), ("2026-02-01", "2026-02-15", 500)]


def test_a_final_period_whose_rest_is_not_given_back_is_billed_in_full() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 2, 14), asked_on=date(2026, 1, 10), unused="none")
    subscription.next_bill_on = date(2026, 2, 1)
    subscription.save()
    bill(company, date(2026, 2, 1))
    assert lines_of(subscription)[1] == ("2026-02-01", "2026-03-01", 1000)
    assert days_of(subscription)[1:] == [
        ("2026-02-01", "2026-02-15", "billed", False),
        ("2026-02-15", "2026-03-01", "forfeited", False),
    ]


def test_every_entry_balances() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 3, 31))
    bill(company, date(2026, 3, 31))
    note = CreditNote.objects.get()
    amounts = {
        posting.account.role: posting.amount_minor
        for posting in Posting.objects.filter(cause_kind="credit_note", cause_id=note.pk)
    }
    assert amounts == {"receivable": -32725, "revenue": 27500, "tax": 5225}


def test_the_database_refuses_an_end_with_billed_days_left() -> None:
    company = a_company()
    subscription = a_yearly(company)
    bill(company, date(2026, 1, 1))
    end(subscription, date(2026, 3, 31), asked_on=date(2026, 2, 1))
    with pytest.raises(IntegrityError, match="billed"), transaction.atomic():
        Subscription.objects.filter(pk=subscription.pk).update(state="canceled")
        connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")


def pay(invoice: Invoice) -> None:
    """The whole invoice is paid."""
    invoice.balance.paid_minor, invoice.balance.status = invoice.gross_minor, "paid"
    invoice.balance.save(update_fields=["paid_minor", "status"])
