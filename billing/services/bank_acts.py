"""What a bank line does: a payment, a link, a debit credited or come back, a refund paid out, an entry of its own.

The rule that matters: each act is called with the line locked and unsettled; it books through the verbs of that money,
and refuses what doesn't fit the line's amount, currency and direction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from billing.models import Attempt, BankLine, DebitBatch, Gateway, Invoice, Payment, Refund
from billing.services import account_credit, books, debit_files, debit_returns, payments, receivables
from billing.services.books import Entry
from billing.services.matching import Suggestion
from core.actors import Actor
from core.design import formats
from core.models import Company
from core.refusal import Refused
from customers.models import Customer

State = BankLine.State
#: A file is credited no more than so long before its collection day.
BEFORE: Final = timedelta(days=10)
UNSETTLED: Final = (State.OPEN, State.SUGGESTED)
#: Kinds that book the line itself, by the role on the other side.
_SIDES: Final = {"payout": "transit", "fee": "fee"}


def _receive(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    """A transfer of a customer, or of somebody unknown: recorded as a payment."""
    _check_in(line)
    company = line.company
    customer = _customer(company, chosen.customer_id) if chosen.customer_id is not None else None
    invoices = {row.pk: row for row in Invoice.objects.filter(company=company, pk__in=chosen.invoice_ids)}
    if len(invoices) != len(chosen.invoice_ids):
        raise Refused("not_found", field="invoices")
    rows = [invoices[id_] for id_ in chosen.invoice_ids]
    line.payment = payments.record(
        company=company,
        customer=customer,
        amount_minor=line.amount_minor,
        currency=line.currency,
        method=Payment.Method.TRANSFER,
        received_on=line.booked_on,
        invoice=rows[0] if rows else None,
        also=rows[1:],
        reference=(line.text or line.end_to_end_id or line.bank_reference)[:140],
        taken=_taken(line),
        by=by,
        at=at,
    )
    line.customer, line.invoice = customer, rows[0] if rows else None


def _taken(line: BankLine) -> payments.Taken | None:
    """Names the line as the source, so that the database refuses it a second time; anew after it was taken back."""
    gateway = Gateway.objects.filter(company_id=line.company_id, kind=Gateway.Kind.TRANSFER, is_active=True).first()
    if gateway is None:
        return None
    before = Payment.objects.filter(
        gateway=gateway, external_id__startswith=line.fingerprint, status=Payment.Status.CANCELED
    ).count()
    return payments.Taken(gateway=gateway, external_id=line.fingerprint + (f":{before + 1}" if before else ""))


def _link(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    """A payment that was recorded by hand before the statement came: nothing is booked again."""
    _check_in(line)
    payment = Payment.objects.filter(company_id=line.company_id, pk=chosen.id or 0).first()
    if payment is None:
        raise Refused("not_found", field="payment")
    payment, _balance = receivables.lock_whose(payment)
    if payment.status != Payment.Status.SETTLED:
        raise Refused("payment.not_settled", state=payment.get_status_display())
    _check_same(line, payment.amount_minor, payment.currency)
    _check_free(line, payment=payment)
    line.payment, line.customer = payment, payment.customer


def _credit_debit(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    """The bank credited a single debit of ours."""
    _check_in(line)
    attempt = _attempt(line, chosen)
    _check_same(line, attempt.amount_minor, attempt.currency)
    done = debit_files.settle(attempt=attempt, on=line.booked_on, by=by, at=at)
    payment = Payment.objects.filter(attempt_id=done.pk).first()
    if payment is None:
        raise Refused("bank_line.choice")
    _check_free(line, payment=payment)
    line.payment, line.customer_id, line.invoice_id = payment, attempt.customer_id, attempt.invoice_id


def settle_batch(line: BankLine, chosen: Suggestion, *, by: Actor, at: datetime) -> None:
    """The bank credited a file of debits in one sum: they are settled one by one, before the line says so."""
    line.refresh_from_db(fields=["state"])
    if line.state not in UNSETTLED:
        return
    batch = _batch(line, chosen)
    debit_files.settle_batch(batch=batch, on=line.booked_on, by=by, at=at)


def _credit_batch(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    _batch(line, chosen)


def _batch(line: BankLine, chosen: Suggestion) -> DebitBatch:
    _check_in(line)
    batch = DebitBatch.objects.filter(company_id=line.company_id, pk=chosen.id or 0).select_related("gateway").first()
    if batch is None:
        raise Refused("not_found", field="batch")
    _check_same(line, batch.total_minor, "EUR")
    same = [{"kind": chosen.kind, "id": chosen.id}]
    since = batch.collection_on - BEFORE
    twins = BankLine.objects.filter(company_id=line.company_id, state=State.MATCHED, booked_on__gte=since)
    if twins.filter(suggestions__contains=same).exclude(pk=line.pk).exists():
        raise Refused("bank_line.taken")
    return batch


def _return(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    """A debit of ours came back; what the bank kept for it is part of the line, or a line of its own."""
    _check_out(line)
    attempt = _attempt(line, chosen)
    if attempt.currency != line.currency:
        raise Refused("bank_line.currency", currency=line.currency)
    known = Payment.objects.filter(attempt=attempt).first()
    if known is not None:
        _check_free(line, payment=known)
    amount = -line.amount_minor
    fee = 0 if amount == attempt.amount_minor else line.fee_minor or max(amount - attempt.amount_minor, 0)
    debit_returns.take_return(
        company=line.company, end_to_end_id=debit_files.end_to_end_id(attempt), amount_minor=amount - fee,
        code=line.return_code or "MS03", on=line.booked_on, fee_minor=fee, was_credited=True, by=by, at=at,
    )  # fmt: skip
    payment = Payment.objects.filter(attempt=attempt).first()
    line.payment, line.customer_id, line.invoice_id = payment, attempt.customer_id, attempt.invoice_id


def _pay_out(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    """A refund by transfer left the account."""
    _check_out(line)
    refund = Refund.objects.filter(company_id=line.company_id, pk=chosen.id or 0).select_related("company").first()
    if refund is None or refund.gateway_id is not None:
        raise Refused("not_found", field="refund")
    _check_same(line, -refund.amount_minor, refund.currency)
    twins = BankLine.objects.filter(company_id=line.company_id, refund=refund, state=State.MATCHED)
    if twins.exclude(pk=line.pk).exists():
        raise Refused("bank_line.taken")
    reference = (line.end_to_end_id or line.bank_reference)[:140]
    account_credit.settle_refund(refund=refund, paid_on=line.booked_on, reference=reference, by=by, at=at)
    line.refund, line.customer_id = refund, refund.customer_id


def _pay_out_file(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    """A whole file of refunds left the account in one sum."""
    _check_out(line)
    first = Refund.objects.filter(company_id=line.company_id, pk=chosen.id or 0, gateway__isnull=True).first()
    if first is None or not first.key:
        raise Refused("not_found", field="refund")
    rows = Refund.objects.filter(company_id=line.company_id, key__startswith=first.key.partition(":")[0] + ":")
    refunds = list(rows.select_related("company").order_by("customer_id", "pk"))
    if all(refund.status == Refund.Status.SETTLED for refund in refunds):
        raise Refused("bank_line.taken")
    _check_same(line, -sum(refund.amount_minor for refund in refunds), first.currency)
    for refund in refunds:
        account_credit.settle_refund(refund=refund, paid_on=line.booked_on, reference=line.bank_reference, by=by, at=at)
    line.refund = first


def _book_line(line: BankLine, chosen: Suggestion, by: Actor, at: datetime) -> None:
    """A provider's payout or a fee: the account against the role it belongs to."""
    if chosen.kind == "payout" and not Gateway.objects.filter(
        company_id=line.company_id, pk=chosen.id or 0, kind__in=[Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL]
    ).exists():  # fmt: skip
        raise Refused("not_found", field="gateway")
    _book(line, _SIDES[chosen.kind])


def book_back(line: BankLine, kind: str) -> None:
    """Takes the entry of a payout or fee back."""
    _book(line, _SIDES[kind], back=True)


def _book(line: BankLine, role: str, *, back: bool = False) -> None:
    """The account against the role. A fee that the bank kept of a payout is booked as one: all of it has left."""
    sign, fee = -1 if back else 1, line.fee_minor if role == "transit" else 0
    amounts = [("cash", line.amount_minor), ("fee", fee), (role, -line.amount_minor - fee)]
    _post(line, [(name, line.currency, sign * minor) for name, minor in amounts])


def _post(line: BankLine, amounts: Sequence[tuple[str, str, int]]) -> None:
    on = receivables.booking_day(line.company, line.booked_on)
    books.post(company=line.company, entries=[Entry(amounts, on, None, "bank_line", line.pk)])


ACTS: Final[dict[str, Callable[[BankLine, Suggestion, Actor, datetime], None]]] = {
    "invoices": _receive,
    "customer": _receive,
    "unknown": _receive,
    "payment": _link,
    "debit": _credit_debit,
    "batch": _credit_batch,
    "return": _return,
    "refund": _pay_out,
    "refunds": _pay_out_file,
    "payout": _book_line,
    "fee": _book_line,
}


def _check_in(line: BankLine) -> None:
    if line.amount_minor <= 0:
        raise Refused("bank_line.direction")


def _check_out(line: BankLine) -> None:
    if line.amount_minor >= 0:
        raise Refused("bank_line.direction")


def _check_same(line: BankLine, amount_minor: int, currency: str) -> None:
    if currency != line.currency:
        raise Refused("bank_line.currency", currency=line.currency)
    if amount_minor != line.amount_minor:
        raise Refused(
            "bank_line.amount", line=formats.money(line.amount_minor, currency),
            other=formats.money(amount_minor, currency),
        )  # fmt: skip


def _check_free(line: BankLine, *, payment: Payment) -> None:
    """Refuses a payment that another line of the same direction stands for."""
    same = Q(amount_minor__gt=0) if line.amount_minor > 0 else Q(amount_minor__lt=0)
    twins = BankLine.objects.filter(same, company_id=line.company_id, payment=payment)
    if twins.exclude(pk=line.pk).exists():
        raise Refused("bank_line.taken")


def _customer(company: Company, customer_id: int) -> Customer:
    found = Customer.objects.filter(company=company, pk=customer_id).first()
    if found is None:
        raise Refused("not_found", field="customer")
    return found


def _attempt(line: BankLine, chosen: Suggestion) -> Attempt:
    rows = Attempt.objects.filter(company_id=line.company_id, pk=chosen.id or 0, gateway__kind=Gateway.Kind.SEPA)
    found = rows.select_related("invoice__company", "gateway").first()
    if found is None:
        raise Refused("not_found", field="attempt")
    return found
