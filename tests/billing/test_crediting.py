"""Credit notes by hand, voids and drafts. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import BilledDays, CreditNote, Invoice, InvoiceLine, LineCredit, Posting
from billing.services import drafting
from billing.services.chain import verify_chain
from billing.services.crediting import GiveBack, credit_invoice, give_back
from billing.services.drafting import DraftLine
from billing.services.voiding import merged, void
from core.models import Company
from core.refusal import Refused
from tests.billing.test_ends import pay
from tests.billing.test_settling import bill, lines_of
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, set_clock

pytestmark = pytest.mark.django_db


def an_invoice(company: Company, amount: str = "100.00", **changes: Any) -> Invoice:
    a_subscription(company, plan=a_plan(company, amount=amount, **changes))
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    return Invoice.objects.get(pk=invoice_id)


def credit(invoice: Invoice, **changes: Any) -> CreditNote:
    return credit_invoice(invoice=invoice, reason="agreed", at=invoice.company.clock_at, by=BY, **changes)


def test_a_note_by_hand_lowers_what_is_open() -> None:
    invoice = an_invoice(a_company())
    [line] = invoice.lines.all()
    note = credit(invoice, lines={line.pk: 3000})
    # 30.00 net, 5.70 tax.
    assert (note.net_minor, note.tax_minor, note.gross_minor, note.settled_minor) == (3000, 570, 3570, 3570)
    assert note.number == "TEST-CN-2026-000001"
    invoice.balance.refresh_from_db()
    assert (invoice.balance.open_minor, invoice.balance.credited_minor) == (11900 - 3570, 3570)
    assert LineCredit.objects.get(line=line).credited_minor == 3000


def test_the_note_that_empties_an_invoice_takes_the_tax_that_is_left() -> None:
    invoice = an_invoice(a_company(), amount="0.07")
    [line] = invoice.lines.all()
    # 0.07 at 19 % bears 0.0133 = 0.01 of tax. Three notes of 0.02, 0.02 and 0.03 each round to 0, 0 and 0.01.
    taxes = [credit(invoice, lines={line.pk: amount}).tax_minor for amount in (2, 2, 3)]
    assert (taxes, invoice.tax_minor) == ([0, 0, 1], 1)


def test_tax_given_back_never_exceeds_tax_charged() -> None:
    invoice = an_invoice(a_company(), amount="0.08")
    [line] = invoice.lines.all()
    # 0.08 bears 0.0152 = 0.02; parts of 0.03 bear 0.0057 = 0.01 each: two use it up, the rest bears none.
    taxes = [credit(invoice, lines={line.pk: amount}).tax_minor for amount in (3, 3, 2)]
    assert (taxes, invoice.tax_minor) == ([1, 1, 0], 2)


def test_more_than_is_left_is_refused_by_hand() -> None:
    invoice = an_invoice(a_company())
    [line] = invoice.lines.all()
    credit(invoice, lines={line.pk: 9000})
    with pytest.raises(Refused) as refused:
        credit(invoice, lines={line.pk: 1001})
    assert refused.value.code == "credit.above_left"
    assert CreditNote.objects.count() == 1


def test_a_gross_amount_is_spread_over_what_is_left() -> None:
    invoice = an_invoice(a_company())
    # 35.70 gross are 30.00 net.
    note = credit(invoice, gross_minor=3570)
    assert (note.net_minor, note.gross_minor) == (3000, 3570)


def test_a_note_for_a_paid_invoice_becomes_account_credit() -> None:
    invoice = an_invoice(a_company())
    pay(invoice)
    note = credit(invoice)
    assert (note.settled_minor, note.to_account_minor) == (0, 11900)
    roles = {p.account.role: p.amount_minor for p in Posting.objects.filter(cause_kind="credit_note")}
    assert roles == {"revenue": 10000, "tax": 1900, "customer_credit": -11900}


def test_a_fully_credited_open_invoice_is_settled() -> None:
    invoice = an_invoice(a_company())
    credit(invoice)
    invoice.balance.refresh_from_db()
    assert (invoice.balance.status, invoice.balance.open_minor) == ("paid", 0)
    with pytest.raises(Refused) as refused:
        credit(invoice)
    assert refused.value.code == "credit.nothing_left"


def test_gross_documents_are_credited_in_gross() -> None:
    invoice = an_invoice(a_company(), amount="119.00", price={"tax_behavior": "inclusive"})
    [line] = invoice.lines.all()
    note = credit(invoice, lines={line.pk: 1190})
    assert (note.net_minor, note.tax_minor, note.gross_minor) == (1000, 190, 1190)


def test_released_days_are_worth_their_share_of_the_line() -> None:
    company = a_company()
    invoice = an_invoice(company, amount="31.00")
    [line] = invoice.lines.all()
    ask = GiveBack(line.pk, release=(date(2026, 1, 11), date(2026, 1, 21)))
    assert company.clock_at
    [note] = give_back(
        company=company, invoice_lines=[ask], cause="manual", reason="outage", at=company.clock_at, by=BY
    )
    # 10 of 31 days of 31.00.
    assert note.net_minor == 1000
    days = [(str(d.days.lower), str(d.days.upper), d.released_by) for d in BilledDays.objects.order_by("days")]
    assert days == [
        ("2026-01-01", "2026-01-11", None),
        ("2026-01-11", "2026-01-21", note.pk),
        ("2026-01-21", "2026-02-01", None),
    ]


def test_a_voided_invoice_is_billed_again_on_its_old_due_day() -> None:
    company = a_company()
    invoice = an_invoice(company)
    assert company.clock_at
    note = void(invoice=invoice, reason="wrong name", at=company.clock_at, by=BY)
    invoice.balance.refresh_from_db()
    assert (note.gross_minor, invoice.balance.status, invoice.balance.open_minor) == (11900, "void", 0)
    [invoice_id] = bill(company, date(2026, 1, 5)).invoice_ids
    again = Invoice.objects.get(pk=invoice_id)
    assert (str(again.charge_due_on), str(again.issued_on), again.gross_minor) == ("2026-01-01", "2026-01-05", 11900)
    assert bill(company, date(2026, 1, 5)).invoice_ids == []


def test_an_older_invoice_voided_is_billed_again_without_touching_later_ones() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, date(2026, 3, 1))
    january = Invoice.objects.get(charge_due_on=date(2026, 1, 1))
    assert company.clock_at
    void(invoice=january, reason="wrong", at=company.clock_at, by=BY)
    [invoice_id] = bill(company, date(2026, 3, 2)).invoice_ids
    assert lines_of(subscription)[-1] == ("2026-01-01", "2026-02-01", 1000)
    assert Invoice.objects.get(pk=invoice_id).charge_due_on == date(2026, 1, 1)
    subscription.refresh_from_db()
    slot = subscription.slots.get()
    assert (subscription.next_bill_on, slot.billed_through_on, slot.reopened_days) == (
        date(2026, 4, 1), date(2026, 3, 31), [],
    )  # fmt: skip


def test_days_of_a_voided_invoice_may_stay_free() -> None:
    company = a_company()
    invoice = an_invoice(company)
    assert company.clock_at
    void(invoice=invoice, days="free", reason="a gift", at=company.clock_at, by=BY)
    assert bill(company, date(2026, 1, 31)).invoice_ids == []
    assert [d.line_id is None for d in BilledDays.objects.filter(released_at=None)] == [True]


def test_a_void_invoice_cannot_be_voided_again() -> None:
    company = a_company()
    invoice = an_invoice(company)
    assert company.clock_at
    void(invoice=invoice, reason="wrong", at=company.clock_at, by=BY)
    with pytest.raises(Refused) as refused:
        void(invoice=invoice, reason="wrong", at=company.clock_at, by=BY)
    assert refused.value.code == "void.not_open"


def test_voiding_a_paid_invoice_returns_the_credit_it_used() -> None:
    company = a_company()
    first = an_invoice(company)
    pay(first)
    credit(first)
    a_subscription(company, first.customer, a_plan(company, amount="50.00"))
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    second = Invoice.objects.get(pk=invoice_id)
    assert second.balance.credit_used_minor == 5950
    assert company.clock_at
    note = void(invoice=second, days="free", reason="wrong", at=company.clock_at, by=BY)
    assert (note.to_account_minor, note.credits.get().balance.left_minor) == (5950, 5950)


def test_touching_ranges_become_one() -> None:
    one, two, three = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
    assert merged([(two, three), (one, two)]) == [(one, three)]


def a_draft(company: Company, *lines: DraftLine, **changes: Any) -> Invoice:
    assert company.clock_at
    return drafting.create_draft(
        company=company, customer=changes.pop("customer", None) or a_customer(company), currency="EUR",
        lines=lines or [DraftLine(product=a_product(company), quantity=Decimal(2), unit_amount=Decimal("49.90"))],
        by=BY, at=company.clock_at, **changes,
    )  # fmt: skip


def test_a_draft_has_sums_but_no_number() -> None:
    invoice = a_draft(a_company())
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (9980, 1896, 11876)
    assert (invoice.number, invoice.sequence, invoice.balance.status) == ("", None, "draft")
    assert Posting.objects.count() == 0


def test_issuing_a_draft_numbers_freezes_and_books_it() -> None:
    company = a_company()
    draft = a_draft(company, payment_terms_days=7)
    at = set_clock(company, date(2026, 1, 10))
    invoice = drafting.issue(invoice=draft, at=at, by=BY)
    assert (invoice.number, str(invoice.issued_on), str(invoice.payment_due_on)) == (
        "TEST-INV-2026-000001", "2026-01-10", "2026-01-17",
    )  # fmt: skip
    assert (invoice.balance.status, invoice.balance.open_minor) == ("open", 11876)
    assert sum(p.amount_minor for p in Posting.objects.all()) == 0
    assert verify_chain(company) == []
    assert drafting.issue(invoice=draft, at=at, by=BY).sequence == 1


def test_a_draft_is_recomputed_when_it_is_issued() -> None:
    company = a_company()
    draft = a_draft(company)
    draft.customer.tax_exemption = "Art. 151"
    draft.customer.save()
    assert company.clock_at
    invoice = drafting.issue(invoice=draft, at=company.clock_at, by=BY)
    assert (invoice.tax_minor, invoice.tax_rows[0]["category"]) == (0, "E")


def test_only_drafts_change_or_go() -> None:
    company = a_company()
    draft = a_draft(company)
    assert company.clock_at
    line = DraftLine(product=a_product(company), unit_amount=Decimal(5))
    changed = drafting.update_draft(invoice=draft, lines=[line], by=BY, at=company.clock_at)
    assert changed.net_minor == 500
    drafting.issue(invoice=changed, at=company.clock_at, by=BY)
    for act in (
        lambda: drafting.update_draft(invoice=draft, lines=[line], by=BY, at=company.clock_at),
        lambda: drafting.delete_draft(invoice=draft, by=BY, at=company.clock_at),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "draft.only"


def test_a_deleted_draft_leaves_no_rows() -> None:
    company = a_company()
    draft = a_draft(company)
    assert company.clock_at
    drafting.delete_draft(invoice=draft, by=BY, at=company.clock_at)
    assert (Invoice.objects.count(), InvoiceLine.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (DraftLine(description="x", unit_amount=Decimal(5)), "draft.product"),
        (DraftLine(description="x", unit_amount=Decimal("NaN")), "draft.product"),
    ],
)
def test_lines_by_hand_are_checked(line: DraftLine, code: str) -> None:
    with pytest.raises(Refused) as refused:
        a_draft(a_company(), line)
    assert refused.value.code == code


@pytest.mark.parametrize("value", ["NaN", "-1", "Infinity", "1E20"])
def test_impossible_figures_are_refused(value: str) -> None:
    company = a_company()
    line = DraftLine(product=a_product(company), unit_amount=Decimal(value))
    with pytest.raises(Refused) as refused:
        a_draft(company, line)
    assert refused.value.code == "draft.quantity"


def test_credit_pays_the_oldest_open_invoice() -> None:
    company = a_company()
    first = an_invoice(company)
    pay(first)
    a_subscription(company, first.customer, a_plan(company, amount="200.00"))
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    credit(first)
    balance = Invoice.objects.get(pk=invoice_id).balance
    # 238.00 gross, of which the 119.00 given back pay their part.
    assert (balance.credit_used_minor, balance.open_minor) == (11900, 11900)


def test_an_invoice_settled_by_a_note_is_told_as_paid() -> None:
    from core.models import Event

    invoice = an_invoice(a_company())
    credit(invoice)
    types = Event.objects.filter(customer_id=invoice.customer_id).order_by("id").values_list("type", flat=True)
    assert [kind for kind in types if not kind.startswith(("customer.", "subscription."))] == [
        "invoice.issued", "credit_note.issued", "invoice.paid",
    ]  # fmt: skip
