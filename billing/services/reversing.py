"""Money that is gone again because a bank or provider says so: returned debits, disputes, refunds made over there.

The rule that matters: each is a row of its own under the provider's own id, so that hearing of it twice does nothing;
the attempt stays settled, what the money paid opens again, newest first, and dunning counts from that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction

from billing.gateways.base import ChargeFact, DisputeFact, Outcome, RefundFact
from billing.models import Allocation, Gateway, Invoice, Payment, PaymentMethod, Refund, Reversal
from billing.services import account_credit, payments, receivables, returns
from billing.services.attempts import METHODS
from core import clock
from core.actors import Actor

Kind, State = Reversal.Kind, Reversal.State


@dataclass(frozen=True, slots=True)
class _Told:
    """What a bank or provider says was taken back; minor units of the payment's currency."""

    kind: str
    external_id: str
    amount_minor: int
    fee_minor: int
    reason: str
    detail: str
    on: date
    status: str
    state: str
    answer_by: datetime | None = None


def take_return(
    *,
    payment: Payment,
    gateway: Gateway,
    external_id: str,
    reason: str,
    detail: str = "",
    on: date,
    amount_minor: int | None = None,
    fee_minor: int = 0,
    by: Actor,
    at: datetime,
) -> Reversal:
    """The bank returned a debit or a transfer. Told again under the same id: nothing more happens."""
    told = _Told(
        Kind.RETURN, external_id, amount_minor or payment.amount_minor, fee_minor, reason, detail, on,
        Payment.Status.RETURNED, State.LOST,
    )  # fmt: skip
    return _take(payment, gateway, told, by=by, at=at)


def take_dispute(*, gateway: Gateway, fact: DisputeFact, by: Actor, at: datetime) -> str:
    """A dispute as it stands: its money is gone when it is opened, and back when it is won."""
    payment = Payment.objects.filter(gateway=gateway, external_id=fact.money_id).select_related("company").first()
    if payment is None:
        return f"dispute of unknown money {fact.money_id}"
    company = payment.company
    opened_on = max(clock.day_in(fact.opened_at, company.time_zone), payment.received_on)
    with transaction.atomic():
        amount = fact.amount_minor if fact.currency == payment.currency else payment.amount_minor
        told = _Told(
            Kind.DISPUTE, fact.external_id, amount, fact.fee_minor, fact.reason, fact.detail,
            min(opened_on, clock.day_in(at, company.time_zone)), Payment.Status.DISPUTED, State.OPEN, fact.answer_by,
        )  # fmt: skip
        row = _take(payment, gateway, told, by=by, at=at)
        if row.state == State.OPEN and fact.state in (State.WON, State.LOST):
            row.state = fact.state
            row.closed_on = clock.day_in(at, company.time_zone)
            row.answer_by = None
            row.save(update_fields=["state", "closed_on", "answer_by"])
            _tell(row, "close", fact.state, by=by, at=at)
            if fact.state == State.WON:
                _money_back(row, by=by, at=at)
        elif row.state == State.OPEN and row.answer_by != fact.answer_by:
            row.answer_by = fact.answer_by
            row.save(update_fields=["answer_by"])
    return f"{row.ref}: {row.state}"


def _money_back(row: Reversal, *, by: Actor, at: datetime) -> None:
    """A dispute was won: the money is there again, as a payment of its own."""
    payment, company = row.payment, row.payment.company
    payments.record(
        company=company,
        customer=payment.customer,
        amount_minor=row.amount_minor,
        currency=payment.currency,
        method=payment.method,
        received_on=clock.day_in(at, company.time_zone),
        reference=payment.reference,
        taken=payments.Taken(gateway=row.gateway, external_id=f"{row.external_id}:won"),
        by=by,
        at=at,
    )


def take_foreign_refund(*, gateway: Gateway, fact: RefundFact, by: Actor, at: datetime) -> str:
    """A refund that somebody made at the provider: its money is gone, and what it paid opens again."""
    payment = Payment.objects.filter(gateway=gateway, external_id=fact.money_id).select_related("company").first()
    if payment is None:
        return f"refund of unknown money {fact.money_id}"
    company = payment.company
    with transaction.atomic():
        payment, balance = receivables.lock_whose(payment)
        if Refund.objects.filter(gateway=gateway, external_id=fact.external_id).exists():
            return ""
        today = clock.day_in(at, company.time_zone)
        on = max(min(clock.day_in(fact.answer.settled_at or at, company.time_zone), today), payment.received_on)
        amount = fact.answer.amount_minor or payment.amount_minor
        if payment.customer_id is None:  # nobody's: no refund of a customer, but gone all the same
            told = _Told(
                Kind.RETURN, fact.external_id, amount, 0, "other", fact.answer.detail or "refunded", on,
                Payment.Status.REFUNDED, State.LOST,
            )  # fmt: skip
            return _take(payment, gateway, told, by=by, at=at).ref
        refund = Refund.objects.create(
            company=company, customer_id=payment.customer_id, payment=payment, gateway=gateway,
            currency=payment.currency,
            status=Refund.Status.SETTLED, amount_minor=amount, reason=fact.answer.detail[:500], asked_on=on, paid_on=on,
            external_id=fact.external_id, reference=fact.external_id[:140], created_at=at,
        )  # fmt: skip
        returns.take_part(
            payment=payment, balance=balance, amount_minor=amount, reason=fact.answer.detail or "refunded",
            status=Payment.Status.REFUNDED, on=on, cause=("refund", refund.pk), by=by, at=at,
        )  # fmt: skip
        _use_credit_of_it(payment, by=by, at=at)
    return refund.ref


def foreign_refund_failed(*, refund: Refund, reason: str, by: Actor, at: datetime) -> Refund:
    """A refund made at the provider came back: its money is there again, as a payment of its own. The caller holds the
    customer's lock."""
    payment, company = refund.payment, refund.company
    assert payment is not None and refund.gateway is not None
    refund.status = Refund.Status.FAILED
    refund.save(update_fields=["status"])
    payments.record(
        company=company, customer=refund.customer, amount_minor=refund.amount_minor, currency=refund.currency,
        method=payment.method, received_on=clock.day_in(at, company.time_zone), reference=payment.reference,
        note=reason[:500], taken=payments.Taken(gateway=refund.gateway, external_id=f"{refund.external_id}:back"),
        by=by, at=at,
    )  # fmt: skip
    return refund


def unknown_money(*, gateway: Gateway, fact: ChargeFact, by: Actor, at: datetime) -> str:
    """Money of no attempt of ours, such as one taken at the provider by hand: kept, unallocated or as credit."""
    answer = fact.answer
    if answer.outcome != Outcome.SETTLED or not answer.amount_minor or not answer.currency:
        return ""
    external_id = answer.money_id or fact.external_id
    if Payment.objects.filter(gateway=gateway, external_id=external_id).exists():
        return ""
    company = gateway.company
    saved = answer.method
    owner = (
        PaymentMethod.objects.filter(gateway=gateway, external_customer=saved.external_customer)
        .exclude(external_customer="")
        .select_related("customer")
        .first()
        if saved is not None
        else None
    )
    today = clock.day_in(at, company.time_zone)
    # What can't be recorded stays a message that failed, for people to see.
    payment = payments.record(
        company=company,
        customer=owner.customer if owner is not None else None,
        amount_minor=answer.amount_minor,
        currency=answer.currency,
        method=METHODS[Gateway.Kind(gateway.kind)],
        received_on=min(clock.day_in(answer.settled_at or at, company.time_zone), today),
        reference=external_id[:140],
        taken=payments.Taken(gateway=gateway, external_id=external_id, fee_minor=answer.fee_minor),
        by=by,
        at=at,
    )
    return payment.ref


def _take(payment: Payment, gateway: Gateway, told: _Told, *, by: Actor, at: datetime) -> Reversal:
    with transaction.atomic():
        payment, balance = receivables.lock_whose(payment)
        known = Reversal.objects.filter(gateway=gateway, kind=told.kind, external_id=told.external_id).first()
        if known is not None:
            return known
        row = Reversal.objects.create(
            company_id=payment.company_id,
            payment=payment,
            gateway=gateway,
            kind=told.kind,
            state=told.state,
            external_id=told.external_id,
            currency=payment.currency,
            amount_minor=told.amount_minor,
            fee_minor=told.fee_minor,
            reason=told.reason[:40],
            detail=told.detail[:300],
            taken_on=told.on,
            answer_by=told.answer_by,
            closed_on=told.on if told.state == State.LOST else None,
            created_at=at,
        )
        returns.take_part(
            payment=payment,
            balance=balance,
            amount_minor=told.amount_minor,
            reason=told.detail or told.reason or told.kind,
            status=told.status,
            on=told.on,
            cause=("reversal", row.pk),
            fee_minor=told.fee_minor,
            by=by,
            at=at,
        )
        _tell(row, "take", "taken", by=by, at=at)
        _use_credit_of_it(payment, by=by, at=at)
    return row


def _use_credit_of_it(payment: Payment, *, by: Actor, at: datetime) -> None:
    """What the payment paid was credited before, and opened again: that credit pays it, and isn't given back, too."""
    if payment.customer is None:
        return
    paid = Allocation.objects.filter(payment=payment).values("invoice_id")
    for invoice in Invoice.objects.filter(pk__in=paid, credit_notes__credits__balance__left_minor__gt=0).distinct():
        account_credit.apply_credit(customer=payment.customer, invoice=invoice, by=by, at=at)


def _tell(row: Reversal, verb: str, past: str, *, by: Actor, at: datetime) -> None:
    payment = row.payment
    facts: dict[str, Any] = {
        "kind": row.kind, "state": row.state, "currency": row.currency, "amount_minor": row.amount_minor,
        "fee_minor": row.fee_minor, "reason": row.reason, "taken_on": row.taken_on.isoformat(),
    }  # fmt: skip
    whose = payment.customer
    data = {"id": row.ref, "payment": payment.ref, "customer": whose.ref if whose is not None else None, **facts}
    receivables.tell(payment.company, f"reversal.{verb}", f"reversal.{past}", "reversal", row.pk, payment.customer_id,
                     data, facts, by=by, at=at)  # fmt: skip
