"""Account credit: paying invoices with it, and paying it out.

The rule that matters: only credit of the source money pays or goes out, the oldest first; it lowers what is due, never
the tax base.
"""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from billing.models import Allocation, Credit, CreditBalance, Invoice, InvoiceBalance, Refund
from billing.services import books, receivables
from billing.services.books import Entry
from core import checks, clock
from core.actors import Actor
from core.design import formats
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from customers.models import Customer

#: Which states of a refund follow which.
_ENDS = frozenset({Refund.Status.SETTLED, Refund.Status.FAILED})
REFUND_MOVES = {
    Refund.Status.PENDING: _ENDS | {Refund.Status.CANCELED},
    Refund.Status.SENT: _ENDS,
    Refund.Status.UNKNOWN: _ENDS,
    # A provider may find out later that it can't be delivered.
    Refund.Status.SETTLED: frozenset({Refund.Status.FAILED}),
    Refund.Status.FAILED: frozenset[Refund.Status](),
    Refund.Status.CANCELED: frozenset[Refund.Status](),
}


def lock_credits(company: Company, customer_id: int, currency: str) -> list[CreditBalance]:
    """The customer's money credit that is left, oldest first, locked."""
    rows = CreditBalance.objects.filter(
        credit__company=company,
        credit__customer_id=customer_id,
        credit__currency=currency,
        credit__source=Credit.Source.MONEY,
        left_minor__gt=0,
    )
    return list(rows.order_by("credit_id").select_for_update(of=("self",)).select_related("credit"))


def left_of(balance: CreditBalance) -> int:
    """What is left by the counters in memory."""
    return balance.amount_minor - balance.used_minor - balance.refunded_minor - balance.lapsed_minor


def spend(
    company: Company,
    credits: list[CreditBalance],
    invoices: list[InvoiceBalance],
    *,
    on: date,
    at: datetime,
) -> tuple[int, list[InvoiceBalance]]:
    """Pays the locked invoices, in order, with the locked credits, in order. Minor units used; invoices that moved.

    Writes allocations, counters and postings.
    """
    allocations: list[Allocation] = []
    moved: list[InvoiceBalance] = []
    for invoice in invoices:
        for credit in credits:
            use = min(receivables.open_of(invoice), left_of(credit))
            if not use:
                continue
            credit.used_minor += use
            invoice.credit_used_minor += use
            allocations.append(
                Allocation(
                    company=company,
                    credit_id=credit.credit_id,
                    invoice_id=invoice.invoice_id,
                    amount_minor=use,
                    allocated_on=on,
                    created_at=at,
                )
            )
        if receivables.follow(invoice, on):
            moved.append(invoice)
    if not allocations:
        return 0, []
    CreditBalance.objects.bulk_update(credits, ["used_minor"])
    receivables.save(invoices)
    customer_id, currency = invoices[0].customer_id, invoices[0].currency
    books.post(
        company=company,
        entries=[
            Entry(
                [("customer_credit", currency, row.amount_minor), ("receivable", currency, -row.amount_minor)],
                on,
                customer_id,
                "allocation",
                row.pk,
            )
            for row in Allocation.objects.bulk_create(allocations)
        ],
    )
    return sum(row.amount_minor for row in allocations), moved


def apply_credit(
    *,
    customer: Customer,
    invoice: Invoice | None = None,
    currency: str | None = None,
    by: Actor,
    at: datetime,
) -> int:
    """Pays the named invoice, else the open ones oldest due first, with the customer's credit. Minor units used.

    Without credit or anything open, nothing happens. Without `invoice`, `currency` says which credit.
    """
    company = customer.company
    currency = invoice.currency if invoice is not None else checks.currency(currency)
    if invoice is not None and invoice.customer_id != customer.pk:
        raise Refused("payment.other_customer", field="invoice")
    on = receivables.booking_day(company, clock.day_in(at, company.time_zone))
    with transaction.atomic():
        receivables.lock_customer(company, customer.pk)
        rows = receivables.lock_open(company, customer.pk, currency)
        if invoice is not None:
            rows = [row for row in rows if row.invoice_id == invoice.pk]
        used, moved = spend(company, lock_credits(company, customer.pk, currency), rows, on=on, at=at)
        if used:
            facts = {"currency": currency, "amount_minor": used, "invoices": [row.invoice_id for row in rows][:50]}
            data = {"id": customer.ref, "currency": currency, "amount_minor": used}
            receivables.tell(company, "credit.apply", "credit.used", "customer", customer.pk, customer.pk, data, facts,
                             by=by, at=at)  # fmt: skip
            receivables.tell_paid(company, moved, at=at)
    return used


def refund_credit(
    *, customer: Customer, currency: str, amount_minor: int, reason: str, by: Actor, at: datetime
) -> Refund:
    """Sets account credit aside to be paid out; refuses more than is left. Booked when it is paid.

    The oldest credit is taken first; a refund of one credit names it.
    """
    company = customer.company
    checks.currency(currency)
    receivables.reasoned(reason)
    if type(amount_minor) is not int or amount_minor <= 0:
        raise Refused("payment.amount", field="amount_minor")
    on = clock.day_in(at, company.time_zone)
    with transaction.atomic():
        receivables.lock_customer(company, customer.pk)
        credits = lock_credits(company, customer.pk, currency)
        left = sum(left_of(credit) for credit in credits)
        if amount_minor > left:
            raise Refused("credit.too_little", field="amount_minor", left=formats.money(left, currency))
        taken: list[tuple[CreditBalance, int]] = []
        rest = amount_minor
        for credit in credits:
            take = min(rest, left_of(credit))
            if take:
                credit.refunded_minor += take
                taken.append((credit, take))
                rest -= take
        CreditBalance.objects.bulk_update([credit for credit, _ in taken], ["refunded_minor"])
        refund = Refund.objects.create(
            company=company,
            customer=customer,
            credit_id=taken[0][0].credit_id if len(taken) == 1 else None,
            status=Refund.Status.PENDING,
            currency=currency,
            amount_minor=amount_minor,
            reason=reason,
            asked_on=on,
            created_at=at,
        )
        facts = {
            "currency": currency,
            "amount_minor": amount_minor,
            "credits": [[credit.credit_id, take] for credit, take in taken],
        }
        _tell(refund, "ask", "asked", facts, by=by, at=at, reason=reason)
    return refund


def settle_refund(*, refund: Refund, paid_on: date, reference: str = "", by: Actor, at: datetime) -> Refund:
    """The refund was paid out on that day; the books follow. Repeated: nothing happens."""
    checked(reference, field="reference", limit=140)
    with transaction.atomic():
        company, refund, moved = _move_refund(refund, Refund.Status.SETTLED)
        if not moved:
            return refund
        if not checks.EARLIEST <= paid_on <= clock.day_in(at, company.time_zone):
            raise Refused("refund.paid_range", field="paid_on", day=paid_on)
        refund.paid_on, refund.reference = paid_on, reference
        refund.save(update_fields=["status", "paid_on", "reference"])
        amounts = [
            ("customer_credit", refund.currency, refund.amount_minor),
            ("transit" if refund.gateway_id else "cash", refund.currency, -refund.amount_minor),
        ]
        on = receivables.booking_day(company, paid_on)
        books.post(company=company, entries=[Entry(amounts, on, refund.customer_id, "refund", refund.pk)])
        facts = {"currency": refund.currency, "amount_minor": refund.amount_minor, "paid_on": paid_on.isoformat()}
        _tell(refund, "settle", "settled", facts, by=by, at=at)
    return refund


def cancel_refund(*, refund: Refund, reason: str, by: Actor, at: datetime) -> Refund:
    """The refund will not be paid out; its credit is at hand again. Repeated: nothing happens."""
    receivables.reasoned(reason)
    return _give_up(refund, Refund.Status.CANCELED, "cancel", reason, by=by, at=at)


def fail_refund(*, refund: Refund, reason: str, by: Actor, at: datetime) -> Refund:
    """The provider could not pay it out; its credit is at hand again, to go another way."""
    return _give_up(refund, Refund.Status.FAILED, "fail", reason, by=by, at=at)


def _give_up(refund: Refund, to: Refund.Status, verb: str, reason: str, *, by: Actor, at: datetime) -> Refund:
    with transaction.atomic():
        company, refund, moved = _move_refund(refund, to)
        if not moved:
            return refund
        refund.save(update_fields=["status"])
        if refund.paid_on is not None:  # it was booked as paid out
            amounts = [
                ("transit" if refund.gateway_id else "cash", refund.currency, refund.amount_minor),
                ("customer_credit", refund.currency, -refund.amount_minor),
            ]
            on = receivables.booking_day(company, max(clock.day_in(at, company.time_zone), refund.paid_on))
            books.post(company=company, entries=[Entry(amounts, on, refund.customer_id, "refund", refund.pk)])
        rows = CreditBalance.objects.filter(
            credit__company=company,
            credit__customer_id=refund.customer_id,
            credit__currency=refund.currency,
            refunded_minor__gt=0,
        )
        if refund.credit_id is not None:
            rows = rows.filter(credit_id=refund.credit_id)
        # A refund of several credits goes back to the newest first: only their sum matters.
        rest = refund.amount_minor
        credits = list(rows.order_by("-credit_id").select_for_update(of=("self",)))
        for credit in credits:
            back = min(rest, credit.refunded_minor)
            credit.refunded_minor -= back
            rest -= back
        CreditBalance.objects.bulk_update(credits, ["refunded_minor"])
        facts = {"currency": refund.currency, "amount_minor": refund.amount_minor}
        _tell(refund, verb, str(to), facts, by=by, at=at, reason=reason)
    return refund


def _move_refund(refund: Refund, to: Refund.Status) -> tuple[Company, Refund, bool]:
    company = refund.company
    receivables.lock_customer(company, refund.customer_id)
    refund = Refund.objects.select_for_update(of=("self",)).select_related("customer", "company").get(pk=refund.pk)
    if refund.status == to:
        return company, refund, False
    if to not in REFUND_MOVES[Refund.Status(refund.status)]:
        raise Refused("refund.move", state=refund.get_status_display(), to=to.label)
    refund.status = to
    return company, refund, True


def emit_sent(refund: Refund, *, at: datetime) -> None:
    """The event that a refund was given to the provider or stands in a file for the bank."""
    trail.emit(
        company_id=refund.company_id, type="refund.sent", at=at, subject_kind="refund", subject_id=refund.pk,
        customer_id=refund.customer_id, data=_data(refund),
    )  # fmt: skip


def _data(refund: Refund) -> dict[str, object]:
    return {
        "id": refund.ref,
        "customer": refund.customer.ref,
        "status": refund.status,
        "currency": refund.currency,
        "amount_minor": refund.amount_minor,
    }


def _tell(
    refund: Refund, verb: str, past: str, facts: dict[str, object], *, by: Actor, at: datetime, reason: str = ""
) -> None:
    data = _data(refund)
    receivables.tell(refund.company, f"refund.{verb}", f"refund.{past}", "refund", refund.pk, refund.customer_id, data,
                     facts, by=by, at=at, reason=reason)  # fmt: skip
