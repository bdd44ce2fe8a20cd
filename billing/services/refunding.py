"""Money back through the gateway that took it: chosen, sent, looked up, settled or failed.

The rule that matters: a refund never gives back more than its payment brought, is committed before the provider hears
of it, and a failed one leaves the money as credit, to be paid out another way.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext_lazy as _

from billing.gateways.base import Answer, GiveBack, Outcome, RefundFact
from billing.models import Allocation, Gateway, Payment, Refund, Reversal
from billing.services import account_credit, attempts, gateway_accounts, receivables, reversing
from billing.services.attempts import KEY_HOURS, SYSTEM
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks

log = structlog.get_logger(__name__)
Status = Refund.Status
KINDS: Final = (Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL)
#: Money that came back to us again, under a name of ours: the provider can't give it back by that name.
AGAIN: Final = (":won", ":back")
NOT_THE_PROVIDERS: Final = Q(external_id="") | Q(external_id__endswith=AGAIN[0]) | Q(external_id__endswith=AGAIN[1])
#: Refunds of a gateway that are not over.
LIVE: Final = (Status.PENDING, Status.SENT, Status.UNKNOWN)
AT_ONCE: Final = 200


def source_of(refund: Refund) -> Payment | None:
    """The payment a refund can go back through: one of the customer's, in its currency, with enough money left.

    One that paid the invoice its credit came from goes first, then the newest.
    """
    rows = Payment.objects.filter(
        company_id=refund.company_id,
        customer_id=refund.customer_id,
        currency=refund.currency,
        status=Payment.Status.SETTLED,
        gateway__kind__in=KINDS,
        gateway__is_active=True,
    ).exclude(NOT_THE_PROVIDERS)
    credit = refund.credit
    wanted: set[int] = set()
    if credit is not None and credit.credit_note_id is not None and credit.credit_note is not None:
        invoice_id = credit.credit_note.invoice_id
        wanted = set(Allocation.objects.filter(invoice_id=invoice_id).values_list("payment_id", flat=True)) - {None}
    if credit is not None and credit.payment_id is not None:
        wanted.add(credit.payment_id)
    found = [
        payment for payment in rows.select_related("gateway").order_by("-pk")
        if payment.amount_minor - returned(payment) >= refund.amount_minor
    ]  # fmt: skip
    named = [payment for payment in found if payment.pk in wanted]
    if named:
        return named[0]
    return found[0] if found and credit is None else None


def returned(payment: Payment) -> int:
    """Minor units of the payment that went back, or are on their way, through its gateway, its bank or by hand."""
    sent = Refund.objects.filter(payment=payment, status__in=[*LIVE, Status.SETTLED])
    # What was won again came as a payment of its own.
    taken = Reversal.objects.filter(payment=payment)
    return sum(int(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0) for rows in (sent, taken))


def route(*, refund: Refund, payment: Payment | None = None, by: Actor, at: datetime) -> Refund:
    """Lets the gateway of a payment pay the refund out; without one that can, it stays to be paid out by hand.

    Refuses `refund.above_payment`. Repeated: nothing happens.
    """
    with transaction.atomic():
        refund = _lock(refund.pk)
        if refund.status != Status.PENDING or refund.gateway_id is not None:
            return refund
        payment = payment or source_of(refund)
        if payment is None or payment.gateway is None:
            return refund
        if payment.amount_minor - returned(payment) < refund.amount_minor:
            raise Refused("refund.above_payment")
        refund.gateway, refund.payment, refund.key, refund.next_look_at = (
            payment.gateway,
            payment,
            attempts.new_key(),
            at,
        )
        refund.save(update_fields=["gateway", "payment", "key", "next_look_at"])
    return refund


def give_back(
    *, payment: Payment, amount_minor: int, reason: str, by_hand: bool = False, by: Actor, at: datetime
) -> Refund:
    """Sets account credit of the payer aside and gives it back out of this payment, through its gateway or by hand.

    What the payment paid is no credit: an invoice is credited first. Refuses `payment.not_settled`,
    `refund.above_payment` and `credit.too_little`.
    """
    if payment.customer is None or payment.status != Payment.Status.SETTLED:
        raise Refused("payment.not_settled")
    with transaction.atomic():
        receivables.lock_customer(payment.company, payment.customer.pk)
        if payment.amount_minor - returned(payment) < amount_minor:
            raise Refused("refund.above_payment", field="amount")
        refund = account_credit.refund_credit(
            customer=payment.customer, currency=payment.currency, amount_minor=amount_minor, reason=reason, by=by, at=at
        )
        if can_go_back(payment) and not by_hand:
            return route(refund=refund, payment=payment, by=by, at=at)
        refund.payment = payment
        refund.save(update_fields=["payment"])
    return refund


def can_go_back(payment: Payment) -> bool:
    """Whether the gateway that took a payment can give it back."""
    gateway = payment.gateway
    is_known = bool(payment.external_id) and not payment.external_id.endswith(AGAIN)
    return gateway is not None and gateway.kind in KINDS and gateway.is_active and is_known


def send(*, refund_id: int, at: datetime) -> Refund:
    """Asks the gateway to pay it out. Never inside a transaction."""
    with transaction.atomic():
        refund = _lock(refund_id)
        if refund.gateway_id is None or refund.status != Status.PENDING:
            return refund
        refund.status = Status.SENT
        refund.first_sent_at = refund.first_sent_at or clock.machine_now()
        refund.next_look_at = at + attempts.LOOK_AFTER[0]
        _save(refund)
        account_credit.emit_sent(refund, at=at)
    return follow(refund_id=refund_id, answer=_asked(refund, "refund"), by=SYSTEM, at=at)


def look_up(*, refund_id: int, at: datetime) -> Refund:
    """Asks the gateway how the refund stands. Never inside a transaction."""
    refund = Refund.objects.select_related("gateway__company", "payment", "customer").get(pk=refund_id)
    return follow(refund_id=refund_id, answer=_asked(refund, "look_up_refund"), by=SYSTEM, at=at)


def follow(*, refund_id: int, answer: Answer, by: Actor, at: datetime) -> Refund:
    """Lets the refund follow the provider's word: paid out, failed (its credit is at hand again), or asked later."""
    with transaction.atomic():
        refund = _lock(refund_id)
        if refund.status == Status.SETTLED and answer.outcome in (Outcome.DECLINED, Outcome.CANCELED):
            return _came_back(refund, answer, by=by, at=at)
        if refund.status not in LIVE:
            return refund
        refund.external_id = refund.external_id or answer.external_id
        match answer.outcome:
            case Outcome.SETTLED:
                day = clock.day_in(answer.settled_at or at, refund.company.time_zone)
                today = clock.day_in(at, refund.company.time_zone)
                _save(refund)
                return account_credit.settle_refund(
                    refund=refund, paid_on=min(day, today), reference=refund.external_id[:140], by=by, at=at
                )
            case Outcome.DECLINED | Outcome.CANCELED:
                refund.failure = answer.reason or "other"
                refund.next_look_at = None
                _save(refund)
                return _failed(refund, answer.detail or refund.failure, by=by, at=at)
            case Outcome.ABSENT | Outcome.NOT_SENT:
                first = refund.first_sent_at
                fresh = first is None or clock.machine_now() - first <= timedelta(hours=KEY_HOURS)
                if answer.outcome == Outcome.ABSENT and not fresh:
                    # Too late to send it again, and the provider knows of none: it never was.
                    refund.failure, refund.next_look_at = "other", None
                    _save(refund)
                    return _failed(refund, answer.detail or refund.failure, by=by, at=at)
                refund.status = Status.PENDING if fresh else Status.UNKNOWN
                refund.looks += 1
                refund.next_look_at = at + min(attempts.AGAIN_AFTER * 2 ** min(refund.looks, 8), timedelta(days=1))
            case _:
                refund.status = Status.UNKNOWN if answer.outcome == Outcome.UNKNOWN else Status.SENT
                steps = attempts.LOOK_AFTER
                later = steps[refund.looks] if refund.looks < len(steps) else timedelta(days=1)
                refund.looks += 1
                refund.next_look_at = at + later
        _save(refund)
    return refund


def _came_back(refund: Refund, answer: Answer, *, by: Actor, at: datetime) -> Refund:
    """A refund that was paid out could not be delivered after all: the provider holds the money for us again."""
    refund.failure = answer.reason or "other"
    _save(refund)
    reason = answer.detail or refund.failure
    if refund.key:
        return _failed(refund, reason, by=by, at=at)
    return reversing.foreign_refund_failed(refund=refund, reason=reason, by=by, at=at)


def _failed(refund: Refund, reason: str, *, by: Actor, at: datetime) -> Refund:
    """Its credit is at hand again; it first pays the invoice it came from, which a bank may have opened meanwhile."""
    done = account_credit.fail_refund(refund=refund, reason=reason, by=by, at=at)
    note = refund.credit.credit_note if refund.credit is not None else None
    if note is not None:
        account_credit.apply_credit(customer=refund.customer, invoice=note.invoice, by=by, at=at)
    return done


def take(*, gateway: Gateway, fact: RefundFact, by: Actor, at: datetime) -> str:
    """A refund as the provider sees it. One made at the provider by hand reopens what its money paid."""
    rows = Refund.objects.filter(gateway=gateway)
    refund = rows.filter(external_id=fact.external_id).first() or (
        rows.filter(key=fact.key).first() if fact.key else None
    )
    if refund is not None:
        return f"{refund.ref}: {follow(refund_id=refund.pk, answer=fact.answer, by=by, at=at).status}"
    if fact.answer.outcome != Outcome.SETTLED:
        return ""
    return reversing.take_foreign_refund(gateway=gateway, fact=fact, by=by, at=at)


def order_of(refund: Refund) -> GiveBack:
    """What the provider is told of a refund."""
    assert refund.payment is not None
    return GiveBack(
        key=refund.key,
        refund=refund.ref,
        money_id=refund.payment.external_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        external_id=refund.external_id,
    )


def _asked(refund: Refund, verb: str) -> Answer:
    assert refund.gateway is not None
    try:
        found = getattr(gateway_accounts.connect(refund.gateway), verb)(order_of(refund))
    except Exception as error:  # noqa: BLE001  what isn't known to have failed may have happened
        log.warning("gateway_call_failed", refund=refund.pk, verb=verb, error=type(error).__name__)
        return Answer(Outcome.UNKNOWN, detail=f"{type(error).__name__}: {error}"[:300])
    assert isinstance(found, Answer)
    return found


def _lock(refund_id: int) -> Refund:
    whose = Refund.objects.values_list("company_id", "customer_id").get(pk=refund_id)
    receivables.lock_customer(Company.objects.get(pk=whose[0]), whose[1])
    rows = Refund.objects.select_for_update(of=("self",))
    return rows.select_related("company", "customer", "gateway__company", "payment", "credit__credit_note").get(
        pk=refund_id
    )


def _save(refund: Refund) -> None:
    refund.save(update_fields=["status", "external_id", "failure", "first_sent_at", "next_look_at", "looks"])


@ticks.tick(
    "billing.refunds", order=33, every=timedelta(minutes=5), title=_("Refunds"),
    text=_("Pays refunds out through the provider and looks up those under way."),
)  # fmt: skip
def refunds_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Refunds a gateway can pay out are sent; those under way are looked up. One that fails stops nobody."""
    if not Refund.objects.filter(company=company, status__in=LIVE).exists():
        return {}
    # One that names its payment and no gateway is paid out by hand, as somebody said; see `give_back`.
    fresh = Refund.objects.filter(
        company=company, status=Status.PENDING, gateway__isnull=True, payment__isnull=True
    ).order_by("pk")
    routed = failed = 0
    for refund in fresh[:AT_ONCE]:
        routed += route(refund=refund, by=SYSTEM, at=at).gateway_id is not None
    due = Refund.objects.filter(Q(next_look_at__lte=at), company=company, status__in=LIVE, gateway__isnull=False)
    for refund in due.order_by("next_look_at", "pk")[:AT_ONCE]:
        try:
            (send if refund.status == Status.PENDING else look_up)(refund_id=refund.pk, at=at)
        except Exception as error:  # noqa: BLE001  the next tick asks again
            log.warning("refund_failed", refund=refund.pk, error=f"{type(error).__name__}: {error}"[:300])
            failed += 1
    return {"routed": routed, "failed": failed}
