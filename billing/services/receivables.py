"""What is owed: the moves of an invoice's status, its counters, and a customer's balance.

The rule that matters: counters stand on the balance row beside the frozen invoice and can't be overdrawn; every
change is made with the customer's row locked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum

from billing.models import CreditBalance, Invoice, InvoiceBalance, Payment, PaymentBalance
from billing.services import books
from billing.services.books import Entry
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from customers.models import Customer

Status = InvoiceBalance.Status

#: The moves an issued invoice may make. Voiding is a credit note over what is left (`voiding`).
MOVES: dict[Status, frozenset[Status]] = {
    Status.DRAFT: frozenset({Status.OPEN, Status.PAID}),
    Status.OPEN: frozenset({Status.PAID, Status.VOID, Status.UNCOLLECTIBLE}),
    Status.PAID: frozenset({Status.OPEN, Status.VOID}),
    Status.UNCOLLECTIBLE: frozenset({Status.PAID}),
    Status.VOID: frozenset(),
}
#: States in which money may still pay it, in the order they are looked at.
PAYABLE = (Status.OPEN, Status.UNCOLLECTIBLE)
COUNTERS = ["status", "paid_minor", "credit_used_minor", "written_off_minor", "closed_on"]


@dataclass(frozen=True, slots=True)
class Balance:
    """A customer's money in one currency, in minor units: still due, of that overdue, and credit that is money."""

    open_minor: int = 0
    credit_minor: int = 0
    overdue_minor: int = 0


def move(balance: InvoiceBalance, to: Status) -> bool:
    """Puts the balance row, in memory, into another status; False when it is there. Refuses `invoice.move`."""
    if balance.status == to:
        return False
    if to not in MOVES[Status(balance.status)]:
        raise Refused("invoice.move", state=balance.get_status_display(), to=to.label)
    balance.status = to
    return True


def open_of(balance: InvoiceBalance) -> int:
    """What is still due by the counters in memory; the column is computed by the database when saved."""
    return (
        balance.gross_minor
        - balance.paid_minor
        - balance.credit_used_minor
        - balance.settled_by_credit_notes_minor
        - balance.written_off_minor
    )


def payable(balance: InvoiceBalance) -> int:
    """What money could pay: what is due, and of an invoice given up also what was written off."""
    return open_of(balance) + balance.written_off_minor if balance.status in PAYABLE else 0


def follow(balance: InvoiceBalance, on: date) -> bool:
    """Lets the status follow the counters: paid when nothing is left, open again otherwise. Whether it moved."""
    left = open_of(balance) + balance.written_off_minor
    if not left and balance.status in PAYABLE:
        balance.closed_on = on
        return move(balance, Status.PAID)
    if open_of(balance) and balance.status == Status.PAID:
        balance.closed_on = None
        return move(balance, Status.OPEN)
    return False


def save(balances: Iterable[InvoiceBalance]) -> None:
    """Writes counters and status in one statement."""
    InvoiceBalance.objects.bulk_update(balances, COUNTERS)


def reasoned(reason: str) -> str:
    """The reason somebody gave; refuses none (`reason.missing`) and what can't be kept."""
    if not checked(reason, field="reason", limit=500).strip():
        raise Refused("reason.missing", field="reason")
    return reason


def lock_customer(company: Company, customer_id: int) -> Customer:
    """One writer per customer's money: the customer's row, locked."""
    found = Customer.objects.select_for_update(no_key=True).filter(company=company, pk=customer_id).first()
    if found is None:
        raise Refused("not_found", field="customer")
    return found


def lock_balances(company: Company, invoice_ids: Collection[int]) -> dict[int, InvoiceBalance]:
    """The balance rows of these invoices, locked in id order."""
    rows = InvoiceBalance.objects.filter(company_id=company.pk, invoice_id__in=invoice_ids).order_by("invoice_id")
    return {row.invoice_id: row for row in rows.select_for_update().select_related("invoice")}


def lock_open(company: Company, customer_id: int, currency: str, named: Invoice | None = None) -> list[InvoiceBalance]:
    """The customer's invoices that money can pay, locked: the named one first, then the open ones, oldest due first."""
    wanted = Q(status=Status.OPEN)
    if named is not None:
        wanted |= Q(invoice_id=named.pk, status__in=PAYABLE)
    rows = InvoiceBalance.objects.filter(wanted, company_id=company.pk, customer_id=customer_id, currency=currency)
    found = list(rows.order_by("invoice_id").select_for_update(of=("self",)).select_related("invoice"))
    first = named.pk if named is not None else None
    return sorted(found, key=lambda row: (row.invoice_id != first, row.payment_due_on, row.invoice_id))


def booking_day(company: Company, on: date) -> date:
    """The day money is booked: its own, or the first open day after closed books."""
    closed = company.books_closed_on
    return on if closed is None or on > closed else date.fromordinal(closed.toordinal() + 1)


def balance_of(customer: Customer, *, on: date | None = None) -> dict[str, Balance]:
    """Balance by currency; overdue as of `on`, else the company's today. Empty for a customer without any money."""
    today = on or clock.today(customer.company)
    sums: dict[str, dict[str, int]] = {}
    due = InvoiceBalance.objects.filter(customer_id=customer.pk, company_id=customer.company_id, status=Status.OPEN)
    rows: Any = due.values_list("currency").annotate(
        open=Sum("open_minor"), overdue=Sum("open_minor", filter=Q(payment_due_on__lt=today))
    )
    for currency, open_minor, overdue in rows.order_by("currency"):
        sums[currency] = {"open_minor": int(open_minor), "overdue_minor": int(overdue or 0)}
    credits: Any = (
        CreditBalance.objects.filter(credit__customer=customer, credit__source="money", left_minor__gt=0)
        .values_list("credit__currency")
        .annotate(left=Sum("left_minor"))
    )
    for currency, left in credits.order_by("credit__currency"):
        sums.setdefault(currency, {})["credit_minor"] = int(left)
    return {currency: Balance(**figures) for currency, figures in sorted(sums.items())}


def write_off(*, invoice: Invoice, reason: str, by: Actor, at: datetime) -> InvoiceBalance:
    """Gives up what is still due on an open invoice. Repeated: nothing happens. Needs a reason.

    Later money for it counts as recovered. Tax is not corrected here: that takes a credit note.
    """
    reasoned(reason)
    company = invoice.company
    on = booking_day(company, clock.day_in(at, company.time_zone))
    with transaction.atomic():
        lock_customer(company, invoice.customer_id)
        balance = lock_balances(company, [invoice.pk])[invoice.pk]
        left = open_of(balance)
        if not move(balance, Status.UNCOLLECTIBLE):
            return balance
        balance.written_off_minor += left
        balance.closed_on = on
        save([balance])
        amounts = [("write_off", balance.currency, left), ("receivable", balance.currency, -left)]
        books.post(company=company, entries=[Entry(amounts, on, invoice.customer_id, "write_off", invoice.pk)])
        facts = {"number": invoice.number, "currency": balance.currency, "amount_minor": left}
        tell(company, "invoice.write_off", "invoice.written_off", "invoice", invoice.pk, invoice.customer_id,
             {"id": invoice.ref, **facts}, facts, by=by, at=at, reason=reason)  # fmt: skip
    return balance


def tell_paid(company: Company, balances: Iterable[InvoiceBalance], *, at: datetime) -> None:
    """An event for each invoice whose status has just changed to paid or back to open."""
    for balance in balances:
        trail.emit(
            company_id=company.pk,
            type="invoice.paid" if balance.status == Status.PAID else "invoice.reopened",
            at=at,
            subject_kind="invoice",
            subject_id=balance.invoice_id,
            customer_id=balance.customer_id,
            data={
                "id": balance.invoice.ref,
                "number": balance.invoice.number,
                "status": balance.status,
                "currency": balance.currency,
                "gross_minor": balance.gross_minor,
                "open_minor": open_of(balance),
            },
        )


def tell(
    company: Company,
    verb: str,
    type: str,
    subject_kind: str,
    subject_id: int,
    customer_id: int | None,
    data: dict[str, Any],
    facts: dict[str, Any],
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
) -> None:
    """The audit row and the event of one act on money."""
    common: dict[str, Any] = {
        "company_id": company.pk,
        "at": at,
        "subject_kind": subject_kind,
        "subject_id": subject_id,
        "customer_id": customer_id,
    }
    trail.audit(by=by, verb=verb, facts=facts, reason=reason, **common)
    trail.emit(type=type, data=data, **common)


def lock_whose(payment: Payment) -> tuple[Payment, PaymentBalance]:
    """The payment and its balance row, locked after its customer's row, whose allocation may name it meanwhile."""
    while True:
        whose = Payment.objects.values_list("customer_id", flat=True).get(pk=payment.pk)
        if whose is not None:
            lock_customer(payment.company, whose)
        before = transaction.savepoint()
        held, balance = lock_payment(payment)
        if held.customer_id == whose:
            transaction.savepoint_commit(before)
            return held, balance
        # Lets go of the payment: the customer comes first.
        transaction.savepoint_rollback(before)


def lock_payment(payment: Payment) -> tuple[Payment, PaymentBalance]:
    """The payment and its balance row as they are now, locked; the caller holds the customer."""
    payment = Payment.objects.select_for_update(of=("self",)).select_related("company").get(pk=payment.pk)
    return payment, PaymentBalance.objects.select_for_update().get(payment=payment)


def tell_payment(
    payment: Payment,
    balance: PaymentBalance,
    verb: str,
    past: str,
    paid: Sequence[tuple[InvoiceBalance, int]],
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
) -> None:
    """Audit row and event of an act on a payment; `paid`: invoices with how much."""
    facts: dict[str, Any] = {
        "currency": payment.currency,
        "amount_minor": payment.amount_minor,
        "allocated_minor": balance.allocated_minor,
        "to_credit_minor": balance.to_credit_minor,
        "status": payment.status,
        "received_on": payment.received_on.isoformat(),
    }
    data = {
        "id": payment.ref,
        "customer": payment.customer.ref if payment.customer is not None else None,
        "method": payment.method,
        **facts,
        "invoices": [[row.invoice.number, minor] for row, minor in paid[:10]],
    }
    facts["invoices"] = [[row.invoice_id, minor] for row, minor in paid[:100]]
    tell(payment.company, f"payment.{verb}", f"payment.{past}", "payment", payment.pk, payment.customer_id,
                     data, facts, by=by, at=at, reason=reason)  # fmt: skip
