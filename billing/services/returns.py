"""Settled money that is gone again: returned, disputed, or recorded by mistake.

The rule that matters: what it paid opens again, newest first, and so does what its account credit paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Sum

from billing.models import Allocation, CreditBalance, InvoiceBalance, Payment
from billing.services import account_credit, books, receivables
from billing.services.books import Entry
from core import checks, clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused

Status = Payment.Status
#: Why settled money is gone again: the bank's or the payer's doing, or recorded by mistake.
TAKEN_BACK = (Status.RETURNED, Status.DISPUTED, Status.CANCELED)


def take_back(
    *,
    payment: Payment,
    reason: str,
    status: str = Status.RETURNED,
    on: date | None = None,
    by: Actor,
    at: datetime,
) -> Payment:
    """The money is gone again: returned by the bank, disputed, or recorded by mistake (`canceled`).

    What it paid opens again, newest first, also what its account credit paid. Repeated: nothing happens. Refused when
    part of it was paid out to the customer.
    """
    checks.choice(status, [choice.value for choice in TAKEN_BACK], field="status")
    receivables.reasoned(reason)
    company = payment.company
    today = clock.day_in(at, company.time_zone)
    gone_on = on or today
    if not payment.received_on <= gone_on <= max(today, payment.received_on):
        raise Refused("payment.returned_range", field="on", day=gone_on)
    day = receivables.booking_day(company, gone_on)
    with transaction.atomic():
        payment, balance = receivables.lock_whose(payment)
        if payment.status in TAKEN_BACK:
            return payment
        if payment.status != Status.SETTLED:
            raise Refused("payment.not_settled", state=payment.get_status_display())
        credits = list(
            CreditBalance.objects.select_for_update(of=("self",))
            .filter(credit__payment=payment)
            .select_related("credit")
            .order_by("credit_id")
        )
        if any(credit.refunded_minor for credit in credits):
            raise Refused("payment.refunded_already")
        reversed_minor, touched, moved = _reverse(company, payment, credits, on=day, at=at)
        credit_minor = sum(credit.amount_minor for credit in credits)
        unallocated = balance.amount_minor - balance.allocated_minor - balance.to_credit_minor
        for credit in credits:
            credit.used_minor, credit.refunded_minor = 0, credit.amount_minor
        CreditBalance.objects.bulk_update(credits, ["used_minor", "refunded_minor"])
        balance.allocated_minor, balance.to_credit_minor = 0, 0
        balance.refunded_minor = balance.amount_minor
        balance.save(update_fields=["allocated_minor", "to_credit_minor", "refunded_minor"])
        payment.status = status
        payment.save(update_fields=["status"])
        paid_by_credit = reversed_minor - (payment.amount_minor - credit_minor - unallocated)
        currency = payment.currency
        amounts = [
            ("receivable", currency, reversed_minor),
            ("customer_credit", currency, credit_minor - paid_by_credit),
            ("unallocated", currency, unallocated),
            ("cash", currency, -payment.amount_minor),
        ]
        books.post(company=company, entries=[Entry(amounts, day, payment.customer_id, "payment", payment.pk)])
        receivables.tell_payment(payment, balance, "take_back", status, [], by=by, at=at, reason=reason)
        receivables.tell_paid(company, moved, at=at)
        _pay_void_from_credit(company, touched, on=day, at=at)
    return payment


def _reverse(
    company: Company, payment: Payment, credits: Sequence[CreditBalance], *, on: date, at: datetime
) -> tuple[int, list[InvoiceBalance], list[InvoiceBalance]]:
    """Takes back what the payment and its credit paid, newest first. Minor units; invoices touched; which moved."""
    mine = Allocation.objects.filter(payment=payment) | Allocation.objects.filter(
        credit_id__in=[credit.credit_id for credit in credits]
    )
    # Sums of what stands, per invoice and source; the newest invoice first.
    sums: Any = mine.values("invoice_id", "payment_id", "credit_id").annotate(total=Sum("amount_minor"))
    standing = [row for row in sums.order_by("-invoice_id", "payment_id", "credit_id") if row["total"]]
    balances = receivables.lock_balances(company, {row["invoice_id"] for row in standing})
    for row in standing:
        balance = balances[row["invoice_id"]]
        if row["payment_id"] is not None:
            balance.paid_minor -= row["total"]
        else:
            balance.credit_used_minor -= row["total"]
    moved = [balance for balance in balances.values() if receivables.follow(balance, on)]
    receivables.save(balances.values())
    Allocation.objects.bulk_create(
        Allocation(
            company=company,
            payment_id=row["payment_id"],
            credit_id=row["credit_id"],
            invoice_id=row["invoice_id"],
            amount_minor=-row["total"],
            allocated_on=on,
            created_at=at,
        )
        for row in standing
    )
    return sum(row["total"] for row in standing), list(balances.values()), moved


def _pay_void_from_credit(company: Company, balances: Sequence[InvoiceBalance], *, on: date, at: datetime) -> None:
    """A voided invoice gave the payment back as account credit; that credit now pays what opened on it again."""
    for balance in balances:
        missing = receivables.open_of(balance)
        if balance.status != InvoiceBalance.Status.VOID or not missing:
            continue
        credits = account_credit.lock_credits(company, balance.customer_id, balance.currency)
        if sum(account_credit.left_of(credit) for credit in credits) < missing:
            raise Refused("payment.refunded_already")
        account_credit.spend(company, credits, [balance], on=on, at=at)
