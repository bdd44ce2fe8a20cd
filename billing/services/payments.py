"""Money in: recorded, allocated, taken back. Nothing received is dropped.

The rule that matters: one writer per customer's money. A payment pays the named invoice first, then the oldest due;
what is left of it becomes account credit, and money of an unknown payer stays unallocated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from billing.models import (
    Allocation,
    Attempt,
    Credit,
    CreditBalance,
    Gateway,
    Invoice,
    InvoiceBalance,
    Payment,
    PaymentBalance,
)
from billing.services import books, receivables
from billing.services.account_credit import apply_credit, cancel_refund, refund_credit, settle_refund
from billing.services.books import Entry
from billing.services.receivables import Balance, balance_of, write_off
from billing.services.returns import take_back
from core import checks, clock
from core.actors import Actor
from core.design import formats
from core.fault_points import point
from core.models import Company
from core.refusal import Refused
from core.texts import checked
from customers.models import Customer
from customers.services import merged

__all__ = [
    "Balance",
    "Taken",
    "allocate",
    "apply_credit",
    "balance_of",
    "cancel_refund",
    "record",
    "refund_credit",
    "settle_refund",
    "take_back",
    "write_off",
]

Status = Payment.Status


@dataclass(frozen=True, slots=True)
class Taken:
    """Through whom money came: the gateway, its id of the money, the attempt, its fee (minor units of the payment's
    currency), and what it paid out where that is another currency."""

    gateway: Gateway
    external_id: str
    attempt: Attempt | None = None
    fee_minor: int = 0
    settled_currency: str = ""
    settled_minor: int | None = None

    @property
    def account(self) -> str:
        """The role of the account that holds the money: providers pay out later, banks hold it."""
        return "transit" if self.gateway.kind in (Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL) else "cash"


#: Told, in the same transaction, once a payment has been used: claims, dunning.
_listeners: list[Callable[..., None]] = []


def when_money_came(function: Callable[..., None]) -> Callable[..., None]:
    """Registers `function(payment, *, by, at)`; called with the customer locked, after all is booked."""
    if function not in _listeners:
        _listeners.append(function)
    return function


def _say_money_came(payment: Payment, *, by: Actor, at: datetime) -> None:
    for listener in _listeners:
        listener(payment, by=by, at=at)


def record(
    *,
    company: Company,
    customer: Customer | None,
    amount_minor: int,
    currency: str,
    method: str,
    received_on: date,
    invoice: Invoice | None = None,
    reference: str = "",
    note: str = "",
    taken: Taken | None = None,
    also: Sequence[Invoice] = (),
    by: Actor,
    at: datetime,
) -> Payment:
    """Money came in. It pays the named invoice, then those of `also`, then the oldest due; the rest becomes credit.

    Without a customer (and invoice) it stays unallocated until `allocate` says whose it is. `taken`: through which
    gateway; the database refuses a second payment for the gateway's same id.
    """
    if invoice is not None and customer is None:
        customer = invoice.customer
    customer = merged.payer(customer, invoice.customer if invoice is not None else None)
    _check(company, customer, amount_minor, currency, method, invoice)
    if not checks.EARLIEST <= received_on <= clock.day_in(at, company.time_zone):
        raise Refused("payment.received_range", field="received_on", day=received_on)
    with transaction.atomic():
        if customer is not None:
            receivables.lock_customer(company, customer.pk)
        payment = Payment.objects.create(
            company=company,
            customer=customer,
            method=method,
            status=Status.SETTLED,
            currency=currency,
            amount_minor=amount_minor,
            received_on=received_on,
            reference=checked(reference, field="reference", limit=140),
            note=checked(note, field="note", limit=500),
            gateway=taken.gateway if taken else None,
            external_id=taken.external_id if taken else "",
            attempt=taken.attempt if taken else None,
            fee_minor=taken.fee_minor if taken else 0,
            settled_currency=taken.settled_currency if taken else "",
            settled_minor=taken.settled_minor if taken else None,
            created_at=at,
        )
        balance = PaymentBalance.objects.create(payment=payment, amount_minor=amount_minor)
        on = receivables.booking_day(company, received_on)
        fee = taken.fee_minor if taken else 0
        amounts = [(taken.account if taken else "cash", currency, amount_minor - fee), ("fee", currency, fee)]
        paid: list[tuple[InvoiceBalance, int]] = []
        moved: list[InvoiceBalance] = []
        if customer is None:
            amounts.append(("unallocated", currency, -amount_minor))
        else:
            rows = receivables.lock_open(company, customer.pk, currency, invoice)
            if also:
                place = {one.pk: n for n, one in enumerate([invoice, *also] if invoice is not None else also)}
                rows.sort(key=lambda row: place.get(row.invoice_id, len(place)))
            paid, moved, _, sides = _distribute(payment, balance, rows, amount_minor, on=on, at=at)
            rest = _to_credit(payment, balance, amount_minor - sum(minor for _, minor in paid), on=on)
            amounts += [*sides, ("customer_credit", currency, -rest)]
        balance.save(update_fields=["allocated_minor", "to_credit_minor"])
        customer_id = payment.customer_id
        books.post(company=company, entries=[Entry(amounts, on, customer_id, "payment", payment.pk)])
        receivables.tell_payment(payment, balance, "record", "recorded", paid, by=by, at=at)
        receivables.tell_paid(company, moved, at=at)
        _say_money_came(payment, by=by, at=at)
        point("payment.recorded")
    return payment


def learn_fee(*, attempt: Attempt, fee_minor: int, by: Actor, at: datetime) -> None:
    """A provider tells its fee later than the payment; it is booked once. The caller holds the customer's lock."""
    payment = Payment.objects.select_for_update(of=("self",)).select_related("company").filter(attempt=attempt).first()
    if payment is None or payment.fee_minor or fee_minor <= 0:
        return
    company, currency = payment.company, payment.currency
    payment.fee_minor = fee_minor
    payment.save(update_fields=["fee_minor"])
    on = receivables.booking_day(company, clock.day_in(at, company.time_zone))
    sides = [("fee", currency, fee_minor), ("transit", currency, -fee_minor)]
    books.post(company=company, entries=[Entry(sides, on, payment.customer_id, "payment", payment.pk)])
    balance = PaymentBalance.objects.get(payment=payment)
    receivables.tell_payment(payment, balance, "learn_fee", "fee_learned", [], by=by, at=at)


def allocate(
    *,
    payment: Payment,
    invoice: Invoice | None = None,
    customer: Customer | None = None,
    amount_minor: int | None = None,
    by: Actor,
    at: datetime,
) -> Payment:
    """Uses what is left of an unallocated payment, now that its payer is known.

    With an amount: exactly that on the named invoice, and the rest stays unallocated. Without: the named invoice
    first, then the customer's oldest due, and the rest becomes account credit. Nothing left: nothing happens.
    """
    company = payment.company
    whose = customer or (invoice.customer if invoice is not None else payment.customer)
    if payment.customer_id is None:
        whose = merged.payer(whose, invoice.customer if invoice is not None else None)
    if whose is None:
        raise Refused("payment.customer_missing", field="customer")
    _check(company, whose, 1 if amount_minor is None else amount_minor, payment.currency, payment.method, invoice)
    on = receivables.booking_day(company, clock.day_in(at, company.time_zone))
    with transaction.atomic():
        receivables.lock_customer(company, whose.pk)
        payment, balance = receivables.lock_payment(payment)
        if payment.status != Status.SETTLED:
            raise Refused("payment.not_settled", state=payment.get_status_display())
        if payment.customer_id not in (None, whose.pk):
            raise Refused("payment.other_customer", field="customer")
        left = balance.amount_minor - balance.allocated_minor - balance.to_credit_minor - balance.refunded_minor
        if not left:
            return payment
        rows = receivables.lock_open(company, whose.pk, payment.currency, invoice)
        if amount_minor is not None:
            if invoice is None:
                raise Refused("payment.customer_missing", field="invoice")
            rows = [row for row in rows if row.invoice_id == invoice.pk]
            _check_exact(invoice, rows, amount_minor, left)
        if payment.customer_id is None:
            payment.customer = whose
            payment.save(update_fields=["customer"])
        use = left if amount_minor is None else amount_minor
        paid, moved, allocations, sides = _distribute(payment, balance, rows, use, on=on, at=at)
        rest = 0
        if amount_minor is None:
            rest = _to_credit(payment, balance, left - sum(minor for _, minor in paid), on=on)
        balance.save(update_fields=["allocated_minor", "to_credit_minor"])
        used = sum(minor for _, minor in paid) + rest
        amounts = [
            ("unallocated", payment.currency, used),
            *sides,
            ("customer_credit", payment.currency, -rest),
        ]
        cause = ("allocation", allocations[0].pk) if allocations else ("payment", payment.pk)
        books.post(company=company, entries=[Entry(amounts, on, whose.pk, *cause)])
        receivables.tell_payment(payment, balance, "allocate", "allocated", paid, by=by, at=at)
        receivables.tell_paid(company, moved, at=at)
        _say_money_came(payment, by=by, at=at)
    return payment


def _check(
    company: Company,
    customer: Customer | None,
    amount_minor: int,
    currency: str,
    method: str,
    invoice: Invoice | None,
) -> None:
    checks.currency(currency)
    checks.choice(method, Payment.Method.values, field="method")
    if type(amount_minor) is not int or amount_minor <= 0:
        raise Refused("payment.amount", field="amount_minor")
    checks.minor(amount_minor, field="amount_minor")
    if customer is not None and customer.company_id != company.pk:
        raise Refused("not_found", field="customer")
    if invoice is None:
        return
    if invoice.company_id != company.pk:
        raise Refused("not_found", field="invoice")
    if customer is not None and invoice.customer_id != customer.pk:
        raise Refused("payment.other_customer", field="invoice")
    if invoice.currency != currency:
        raise Refused("payment.currency", field="currency", currency=currency, other=invoice.currency)


def _check_exact(invoice: Invoice, rows: Sequence[InvoiceBalance], amount_minor: int, left: int) -> None:
    if not rows:
        raise Refused("payment.nothing_open", field="invoice", number=invoice.number)
    if amount_minor > left:
        raise Refused("payment.more_than_left", field="amount_minor", left=formats.money(left, invoice.currency))
    open_minor = receivables.payable(rows[0])
    if amount_minor > open_minor:
        raise Refused(
            "payment.more_than_open",
            field="amount_minor",
            open=formats.money(open_minor, invoice.currency),
            number=invoice.number,
        )


#: Invoices paid with how much; those whose status moved; allocations; postings' other sides.
Distributed = tuple[
    list[tuple[InvoiceBalance, int]], list[InvoiceBalance], list[Allocation], list[tuple[str, str, int]]
]


def _distribute(
    payment: Payment, balance: PaymentBalance, rows: list[InvoiceBalance], amount: int, *, on: date, at: datetime
) -> Distributed:
    """Pays the locked invoices in order. What was written off of one is recovered before the loss is booked back."""
    paid: list[tuple[InvoiceBalance, int]] = []
    moved: list[InvoiceBalance] = []
    rest, recovered = amount, 0
    for row in rows:
        use = min(rest, receivables.payable(row))
        if not use:
            continue
        back = min(use, row.written_off_minor)
        row.written_off_minor -= back
        row.paid_minor += use
        recovered += back
        rest -= use
        paid.append((row, use))
        if receivables.follow(row, on):
            moved.append(row)
    receivables.save([row for row, _ in paid])
    allocations = Allocation.objects.bulk_create(
        Allocation(
            company_id=payment.company_id,
            payment=payment,
            invoice_id=row.invoice_id,
            amount_minor=use,
            allocated_on=on,
            created_at=at,
        )
        for row, use in paid
    )
    used = amount - rest
    balance.allocated_minor += used
    sides = [("receivable", payment.currency, recovered - used), ("write_off", payment.currency, -recovered)]
    return paid, moved, allocations, sides


def _to_credit(payment: Payment, balance: PaymentBalance, rest: int, *, on: date) -> int:
    """What is left becomes account credit; minor units."""
    if rest and payment.customer_id is not None:
        credit = Credit.objects.create(
            company_id=payment.company_id,
            customer_id=payment.customer_id,
            currency=payment.currency,
            amount_minor=rest,
            payment=payment,
            created_on=on,
        )
        CreditBalance.objects.create(credit=credit, amount_minor=rest)
        balance.to_credit_minor += rest
    return rest
