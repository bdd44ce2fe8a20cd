"""Raw attacks on the database's half of the promises: each one is refused, whatever Python would have done."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import BilledDays, Invoice, InvoiceLine, Posting
from core.models import Company
from subscriptions.models import Subscription
from tests.billing.test_settling import bill
from tests.factories import a_company, a_subscription

pytestmark = pytest.mark.django_db


def refused(sql: str, *params: object) -> str:
    """Runs the attack, which the database must refuse; the name of the guard (or the message)."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql, params)
    cause = caught.value.__cause__
    return getattr(getattr(cause, "diag", None), "constraint_name", None) or str(caught.value)


@pytest.fixture
def company() -> Company:
    company = a_company()
    a_subscription(company)
    bill(company, date(2026, 2, 1))
    return company


@pytest.fixture
def subscription(company: Company) -> Subscription:
    return Subscription.objects.get(company=company)


INSERT_DAYS = (
    "INSERT INTO billing_billeddays (company_id, slot_id, component, days, kind) VALUES (%s, %s, 'base', %s, 'billed')"
)


@pytest.mark.parametrize(
    "days",
    [
        "[2026-02-28,2026-03-31)",  # one day, another start
        "[2026-01-01,2026-02-01)",  # the same period again
        "[2025-12-15,2026-01-02)",
        "[2026-02-10,2026-02-11)",  # inside
    ],
)
def test_days_billed_twice_are_refused(company: Company, subscription: Subscription, days: str) -> None:
    slot = subscription.slots.get()
    assert refused(INSERT_DAYS, company.pk, slot.pk, days) == "billed_days_never_overlap"


def test_released_days_may_be_billed_again(company: Company, subscription: Subscription) -> None:
    slot = subscription.slots.get()
    BilledDays.objects.filter(slot=slot).update(released_at=company.clock_at, released_by=1)
    with connection.cursor() as cursor:
        cursor.execute(INSERT_DAYS, [company.pk, slot.pk, "[2026-01-05,2026-02-20)"])


def test_days_do_not_overlap_across_a_change_of_plan(company: Company, subscription: Subscription) -> None:
    """The slot survives the change, so the guard does too."""
    from decimal import Decimal

    from subscriptions.models import SlotTerms

    slot = subscription.slots.get()
    old = slot.terms.get()
    SlotTerms.objects.filter(pk=old.pk).update(until_on=date(2026, 2, 10))
    old.pk, old.from_on, old.until_on = None, date(2026, 2, 10), None
    old.unit_amount, old.interval_unit = Decimal(99), "year"
    old.save(force_insert=True)
    assert refused(INSERT_DAYS, company.pk, slot.pk, "[2026-02-28,2027-02-10)") == "billed_days_never_overlap"


def test_terms_of_a_slot_never_overlap(company: Company, subscription: Subscription) -> None:
    terms = subscription.slots.get().terms.get()
    terms.pk, terms.from_on = None, date(2027, 1, 1)
    with pytest.raises(DatabaseError, match="slot_terms_never_overlap"), transaction.atomic():
        terms.save(force_insert=True)


def test_no_billed_day_lies_after_the_last_day_of_service(company: Company, subscription: Subscription) -> None:
    Subscription.objects.filter(pk=subscription.pk).update(ends_on=date(2026, 3, 10), end_kind="cancel")
    slot = subscription.slots.get()
    assert refused(INSERT_DAYS, company.pk, slot.pk, "[2026-03-01,2026-03-12)") == "billed_days_end_with_service"
    with connection.cursor() as cursor:
        cursor.execute(INSERT_DAYS, [company.pk, slot.pk, "[2026-03-01,2026-03-11)"])


FROZEN: list[tuple[str, str]] = [
    ("billing_invoice", "UPDATE billing_invoice SET gross_minor = gross_minor + 1, tax_minor = tax_minor + 1"),
    ("billing_invoice", "UPDATE billing_invoice SET number = 'X'"),
    ("billing_invoice", "UPDATE billing_invoice SET notifies = NOT notifies"),
    ("billing_invoice", "DELETE FROM billing_invoice"),
    ("billing_invoice", "TRUNCATE billing_invoice CASCADE"),
    ("billing_invoiceline", "UPDATE billing_invoiceline SET amount_minor = 1"),
    ("billing_invoiceline", "DELETE FROM billing_invoiceline"),
    ("billing_invoiceline", "TRUNCATE billing_invoiceline CASCADE"),
    ("billing_posting", "UPDATE billing_posting SET amount_minor = -amount_minor"),
    ("billing_posting", "DELETE FROM billing_posting"),
    ("billing_posting", "TRUNCATE billing_posting"),
    ("billing_snapshot", "UPDATE billing_snapshot SET body = '{}'"),
    ("billing_snapshot", "DELETE FROM billing_snapshot"),
    ("billing_snapshotpart", "UPDATE billing_snapshotpart SET body = '{}'"),
    ("billing_chainlink", "UPDATE billing_chainlink SET height = height + 1"),
    ("billing_chainlink", "DELETE FROM billing_chainlink"),
    ("core_event", "UPDATE core_event SET type = 'x'"),
    ("core_event", "DELETE FROM core_event"),
    ("core_auditentry", "UPDATE core_auditentry SET verb = 'x'"),
    ("core_auditentry", "DELETE FROM core_auditentry"),
    ("core_auditentry", "TRUNCATE core_auditentry CASCADE"),
    (
        "billing_invoiceline",
        "INSERT INTO billing_invoiceline (company_id, invoice_id, position, description, quantity, unit_amount, "
        "amount_minor, net_minor, tax_category, tax_rate, calculation) "
        "SELECT company_id, id, 99, 'slipped in', 1, 1, 100, 100, 'S', 19, '{}' FROM billing_invoice",
    ),
    ("billing_invoicebalance", "UPDATE billing_invoicebalance SET gross_minor = gross_minor + 1"),
    ("billing_invoicebalance", "UPDATE billing_invoicebalance SET payment_due_on = payment_due_on + 1"),
    ("billing_invoicebalance", "DELETE FROM billing_invoicebalance"),
    ("billing_invoicebalance", "TRUNCATE billing_invoicebalance"),
    ("billing_billeddays", "UPDATE billing_billeddays SET days = daterange(lower(days), upper(days) + 1)"),
    ("billing_billeddays", "UPDATE billing_billeddays SET line_id = NULL"),
    ("billing_billeddays", "DELETE FROM billing_billeddays"),
    ("billing_billeddays", "TRUNCATE billing_billeddays"),
    ("billing_payment", "UPDATE billing_payment SET amount_minor = amount_minor + 1"),
    ("billing_payment", "UPDATE billing_payment SET received_on = received_on - 1"),
    ("billing_paymentbalance", "UPDATE billing_paymentbalance SET amount_minor = amount_minor + 1"),
    ("billing_paymentbalance", "DELETE FROM billing_paymentbalance"),
    ("billing_credit", "UPDATE billing_credit SET amount_minor = amount_minor + 1"),
    ("billing_creditbalance", "UPDATE billing_creditbalance SET amount_minor = amount_minor + 1"),
    ("billing_creditbalance", "DELETE FROM billing_creditbalance"),
]


@pytest.fixture
def overpaid(company: Company) -> None:
    """A payment that left account credit."""
    from billing.models import InvoiceBalance
    from billing.services.payments import record
    from customers.models import Customer
    from tests.factories import BY, at_noon

    day = date(2026, 2, 1)
    owed = sum(InvoiceBalance.objects.filter(company_id=company.pk).values_list("open_minor", flat=True))
    record(
        company=company, customer=Customer.objects.get(company=company), amount_minor=owed + 100, currency="EUR",
        method="transfer", received_on=day, by=BY, at=at_noon(day),
    )  # fmt: skip


@pytest.mark.parametrize(("table", "attack"), FROZEN, ids=[attack for _, attack in FROZEN])
def test_history_never_changes(company: Company, overpaid: None, table: str, attack: str) -> None:
    assert refused(attack) == f"{table}_is_frozen"


def test_released_days_stay_released(company: Company) -> None:
    BilledDays.objects.update(released_at="2026-02-01T12:00:00Z")
    assert refused("UPDATE billing_billeddays SET released_at = NULL") == "billing_billeddays_is_frozen"


def test_an_event_has_a_kilobyte_at_most(company: Company) -> None:
    from core.services import trail
    from tests.factories import at_noon

    fact = {
        "company_id": company.pk,
        "type": "company.updated",
        "at": at_noon(date(2026, 1, 1)),
        "subject_kind": "x",
        "subject_id": 1,
    }
    with pytest.raises(DatabaseError, match="event_is_small"), transaction.atomic():
        trail.emit(data={"text": "x" * 1024}, **fact)
    trail.emit(data={"text": "x" * 1000}, **fact)


def test_a_pdf_may_be_filled_in_once(company: Company) -> None:
    from core.services.files import store

    one = store(company_id=company.pk, name="a.pdf", media_type="application/pdf", content=b"one")
    two = store(company_id=company.pk, name="b.pdf", media_type="application/pdf", content=b"two")
    Invoice.objects.filter(sequence=1).update(pdf=one)
    assert refused("UPDATE billing_invoice SET pdf_id = %s WHERE sequence = 1", two.pk) == "billing_invoice_is_frozen"


def copy_of(invoice: Invoice, **changes: Any) -> Invoice:
    from core.ids import new_id

    row = Invoice.objects.get(pk=invoice.pk)
    row.pk, row.public_id = None, new_id()
    for name, value in changes.items():
        setattr(row, name, value)
    return row


@pytest.mark.parametrize(
    ("changes", "guard"),
    [
        ({"sequence": 2}, "invoice_number_unique"),
        ({"sequence": 4}, "billing_invoice_numbers_have_no_gap"),
        ({"sequence": 3, "issued_on": date(2026, 1, 31)}, "billing_invoice_dates_ascend"),
        ({"sequence": 3, "gross_minor": 1191}, "invoice_totals_add_up"),
        ({"sequence": 3, "net_minor": -1, "tax_minor": 0, "gross_minor": -1}, "invoice_not_negative"),
        ({"sequence": 3, "number": ""}, "invoice_draft_or_issued_whole"),
        ({"sequence": 3, "snapshot_hash": ""}, "invoice_draft_or_issued_whole"),
    ],
)
def test_numbers_and_totals_are_the_databases_business(company: Company, changes: dict[str, Any], guard: str) -> None:
    row = copy_of(Invoice.objects.get(sequence=2), **changes)
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        row.save(force_insert=True)
    assert caught.value.__cause__.diag.constraint_name == guard  # type: ignore[union-attr]


def test_a_draft_gets_no_number_that_leaves_a_gap(company: Company) -> None:
    row = copy_of(
        Invoice.objects.get(sequence=2), year=None, sequence=None, number="", issued_on=None, snapshot_hash="",
        chain_link=None,
    )  # fmt: skip
    row.save(force_insert=True)
    link = Invoice.objects.get(sequence=2).chain_link_id
    attack = (
        "UPDATE billing_invoice SET year = 2026, sequence = 4, number = 'X', issued_on = '2026-02-02', "
        "snapshot_hash = repeat('a', 64), chain_link_id = %s WHERE id = %s"
    )
    assert refused(attack, link, row.pk) == "billing_invoice_numbers_have_no_gap"


def insert_postings(company: Company, *amounts: int) -> tuple[str, list[Any]]:
    account = Posting.objects.filter(company=company).values_list("account_id", flat=True)[0]
    row = "(%s, 999999, %s, '2026-02-01', 'EUR', %s, 'invoice', 1)"
    sql = (
        "INSERT INTO billing_posting (company_id, entry, account_id, booked_on, currency, amount_minor, cause_kind, "
        "cause_id) VALUES " + ", ".join([row] * len(amounts))
    )
    return sql, [value for amount in amounts for value in (company.pk, account, amount)]


@pytest.mark.parametrize("amounts", [(100, -99), (100,)])
def test_an_entry_must_balance(company: Company, amounts: tuple[int, ...]) -> None:
    sql, params = insert_postings(company, *amounts)
    assert refused(sql, *params) == "posting_entries_balance"


def test_a_posting_of_nothing_is_refused(company: Company) -> None:
    sql, params = insert_postings(company, 0, 0)
    assert refused(sql, *params) == "posting_is_not_zero"


INSERT_LINK = (
    "INSERT INTO billing_chainlink (company_id, height, previous_sha256, sha256, document_hashes, linked_at) "
    "SELECT company_id, {height}, {previous}, repeat('b', 64), '{{}}', linked_at FROM billing_chainlink LIMIT 1"
)


@pytest.mark.parametrize(
    ("height", "previous", "guard"),
    [
        ("height + 1", "repeat('c', 64)", "chain_link_continues"),
        ("height + 2", "sha256", "chain_link_continues"),
        ("height", "sha256", "chain_link_height_unique"),
        ("height + 5", "previous_sha256", "chain_link_never_forks"),
    ],
)
def test_the_chain_neither_forks_nor_jumps(company: Company, height: str, previous: str, guard: str) -> None:
    assert refused(INSERT_LINK.format(height=height, previous=previous)) == guard


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        ("paid_minor = gross_minor + 1", "invoice_balance_not_overpaid"),
        ("paid_minor = gross_minor, credit_used_minor = 1", "invoice_balance_not_overpaid"),
        ("credited_minor = gross_minor + 1", "invoice_balance_not_over_credited"),
        ("paid_minor = -1", "invoice_balance_counters_from_zero"),
        ("settled_by_credit_notes_minor = 1", "invoice_balance_counters_from_zero"),
        ("status = 'paid'", "invoice_balance_paid_is_settled"),
    ],
)
def test_balances_cannot_be_overdrawn(company: Company, change: str, guard: str) -> None:
    assert refused(f"UPDATE billing_invoicebalance SET {change}") == guard


def test_a_line_cannot_be_credited_beyond_its_amount(company: Company) -> None:
    line = InvoiceLine.objects.first()
    assert line
    sql = "INSERT INTO billing_linecredit (line_id, amount_minor, credited_minor) VALUES (%s, 1000, 1001)"
    assert refused(sql, line.pk) == "line_credit_not_over_credited"


def test_an_end_with_billed_days_left_is_refused_at_commit(company: Company, subscription: Subscription) -> None:
    sql = "UPDATE subscriptions_subscription SET ends_on = '2026-02-10', end_kind = 'cancel', state = 'canceled'"
    assert refused(sql) == "billed_days_end_with_service"


def test_rows_of_two_companies_never_meet(company: Company, subscription: Subscription) -> None:
    other = a_company()
    theirs = a_subscription(other)
    slot, customer = theirs.slots.get().pk, theirs.customer_id
    assert refused(INSERT_DAYS, company.pk, slot, "[2030-01-01,2030-02-01)") == "billed_days_slot_same_company"
    row = copy_of(Invoice.objects.get(sequence=2), sequence=3, customer_id=customer)
    with pytest.raises(DatabaseError, match="invoice_customer_same_company"), transaction.atomic():
        row.save(force_insert=True)
    attack = "UPDATE subscriptions_subscription SET customer_id = %s WHERE id = %s"
    assert refused(attack, customer, subscription.pk) == "subscription_customer_same_company"
