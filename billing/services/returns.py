"""Settled money that is gone again: returned, disputed, or recorded by mistake.

The rule that matters: what it paid opens again, newest first, and so does what its account credit paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Sum

from billing.models import Allocation, CreditBalance, InvoiceBalance, Payment, PaymentBalance
from billing.services import account_credit, books, claims, receivables
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
    with transaction.atomic():
        payment, balance = receivables.lock_whose(payment)
        if payment.status in TAKEN_BACK:
            return payment
        if payment.status != Status.SETTLED:
            raise Refused("payment.not_settled", state=payment.get_status_display())
        if (
            balance.refunded_minor
            or CreditBalance.objects.filter(credit__payment=payment, refunded_minor__gt=0).exists()
        ):
            raise Refused("payment.refunded_already")
        take_part(
            payment=payment, balance=balance, amount_minor=payment.amount_minor, reason=reason, status=status, on=on,
            cause=("payment", payment.pk), by=by, at=at,
        )  # fmt: skip
    return payment


def take_part(
    *,
    payment: Payment,
    balance: PaymentBalance,
    amount_minor: int,
    reason: str,
    status: str,
    on: date | None,
    cause: tuple[str, int],
    fee_minor: int = 0,
    by: Actor,
    at: datetime,
) -> int:
    """Takes so much of a locked payment away: what isn't allocated, its unused credit, then what it paid, newest first,
    and claims it paid.

    Minor units that were no longer there, because they had been paid out before: a loss. With nothing left the payment
    has the new status. `fee_minor`: kept by the bank or provider on top.
    """
    company = payment.company
    today = clock.day_in(at, company.time_zone)
    gone_on = on or today
    if not payment.received_on <= gone_on <= max(today, payment.received_on):
        raise Refused("payment.returned_range", field="on", day=gone_on)
    day = receivables.booking_day(company, gone_on)
    rows = CreditBalance.objects.select_for_update(of=("self",)).filter(credit__payment=payment)
    credits = list(rows.select_related("credit").order_by("credit_id"))
    loose = balance.amount_minor - balance.allocated_minor - balance.to_credit_minor - balance.refunded_minor
    unallocated = min(loose, amount_minor)
    rest, unused = amount_minor - unallocated, 0
    for credit in credits:
        use = min(rest, account_credit.left_of(credit))
        credit.refunded_minor += use
        unused += use
        rest -= use
    reversed_minor, of_credit, touched, moved = _reverse(company, payment, credits, rest, on=day, at=at)
    rest -= reversed_minor
    account = account_of(payment)
    of_claims, claimed = claims.open_again(payment, balance, credits, rest, account, on=day, by=by, at=at)
    rest -= of_claims
    CreditBalance.objects.bulk_update(credits, ["used_minor", "refunded_minor"])
    balance.allocated_minor -= reversed_minor - of_credit
    balance.to_credit_minor -= unused + of_credit
    balance.refunded_minor += unallocated + unused + reversed_minor
    balance.save(update_fields=["allocated_minor", "to_credit_minor", "refunded_minor"])
    if balance.refunded_minor == balance.amount_minor:
        payment.status = status
        payment.save(update_fields=["status"])
    currency = payment.currency
    amounts = [
        ("receivable", currency, reversed_minor),
        ("customer_credit", currency, unused),
        ("unallocated", currency, unallocated),
        ("write_off", currency, rest),
        ("fee", currency, fee_minor),
        (account, currency, of_claims - amount_minor - fee_minor),
    ]
    books.post(company=company, entries=[Entry(amounts, day, payment.customer_id, *cause), *claimed])
    receivables.tell_payment(payment, balance, "take_back", status, [], by=by, at=at, reason=reason)
    receivables.tell_paid(company, moved, at=at)
    _pay_void_from_credit(company, touched, on=day, at=at)
    return rest


def account_of(payment: Payment) -> str:
    """The role of the account that held the payment's money."""
    gateway = payment.gateway
    return "transit" if gateway is not None and gateway.kind in ("stripe", "paypal") else "cash"


def _reverse(
    company: Company, payment: Payment, credits: Sequence[CreditBalance], most: int, *, on: date, at: datetime
) -> tuple[int, int, list[InvoiceBalance], list[InvoiceBalance]]:
    """Takes back up to so much of what the payment and its credit paid, newest first.

    Minor units, those of credit among them; invoices touched; which moved.
    """
    by_id = {credit.credit_id: credit for credit in credits}
    mine = Allocation.objects.filter(payment=payment) | Allocation.objects.filter(credit_id__in=by_id)
    # Sums of what stands, per invoice and source; the newest invoice first.
    sums: Any = mine.values("invoice_id", "payment_id", "credit_id").annotate(total=Sum("amount_minor"))
    standing = [row for row in sums.order_by("-invoice_id", "payment_id", "credit_id") if row["total"]]
    balances = receivables.lock_balances(company, {row["invoice_id"] for row in standing})
    taken, of_credit, rows = 0, 0, list[Allocation]()
    for row in standing:
        use = min(row["total"], most - taken)
        if not use:
            break
        balance = balances[row["invoice_id"]]
        if row["payment_id"] is not None:
            balance.paid_minor -= use
        else:
            balance.credit_used_minor -= use
            by_id[row["credit_id"]].used_minor -= use
            by_id[row["credit_id"]].refunded_minor += use
            of_credit += use
        taken += use
        rows.append(
            Allocation(
                company=company, payment_id=row["payment_id"], credit_id=row["credit_id"],
                invoice_id=row["invoice_id"], amount_minor=-use, allocated_on=on, created_at=at,
            )
        )  # fmt: skip
    touched = [balances[invoice_id] for invoice_id in dict.fromkeys(row.invoice_id for row in rows)]
    moved = [balance for balance in touched if receivables.follow(balance, on)]
    receivables.save(touched)
    Allocation.objects.bulk_create(rows)
    return taken, of_credit, touched, moved


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
