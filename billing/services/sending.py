"""Talking to providers about attempts: sent, looked up, canceled; always between two transactions, never in one.

The rule that matters: before the call the attempt says so in a committed row; whatever happens to the call, the next
look finds the same attempt with the same key.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from billing.gateways import registry
from billing.gateways.base import Answer, Charge, Outcome, SavedMethod
from billing.models import Attempt, Payment, PaymentMethod
from billing.services import attempts, gateway_accounts, pay_links, payments
from billing.services.attempts import KIND, SYSTEM
from core import clock
from core.actors import Actor
from core.fault_points import point
from core.models import Company, Outbox
from core.services import outbox, ticks
from customers.services.customers import language_of

State = Attempt.State
log = structlog.get_logger(__name__)
EVERY: Final = timedelta(minutes=1)
#: Attempts a tick looks after at most; the next tick finds the others.
AT_ONCE: Final = 500


def order_of(attempt: Attempt) -> Charge:
    """What the provider is told of an attempt."""
    customer, invoice, method = attempt.customer, attempt.invoice, attempt.method
    return Charge(
        key=attempt.key,
        attempt=attempt.ref,
        invoice=invoice.ref,
        number=invoice.number,
        customer=customer.ref,
        customer_name=customer.name,
        customer_email=customer.email,
        language=language_of(customer),
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        method=saved(method) if method is not None else None,
        external_customer=method.external_customer if method is not None else known_customer(attempt),
        external_id=attempt.external_id,
        return_url=address_of(attempt, "paid"),
        cancel_url=address_of(attempt, "left"),
        saves=method is None,
    )


def saved(method: PaymentMethod) -> SavedMethod:
    return SavedMethod(method.external_id, method.external_customer, method.kind, method.label, method.expires_on)


def known_customer(attempt: Attempt) -> str:
    """The customer's id at the provider, from any method it ever saved there."""
    rows = PaymentMethod.objects.filter(customer_id=attempt.customer_id, gateway_id=attempt.gateway_id)
    return rows.exclude(external_customer="").order_by("-pk").values_list("external_customer", flat=True).first() or ""


def address_of(attempt: Attempt, what: str) -> str:
    """Where the provider's page leads back to."""
    try:
        path = reverse("pay-back", kwargs={"attempt": pay_links.signed(attempt), "what": what})
    except NoReverseMatch:  # the product without its portal
        path = f"/pay/back/{pay_links.signed(attempt)}/{what}/"
    return f"{settings.SITE_URL}{path}"


def send(*, attempt_id: int, at: datetime) -> Attempt | None:
    """Sends an attempt that is about to be sent; None when there is nothing to send. Never inside a transaction."""
    attempt = attempts.begin(attempt_id=attempt_id, at=at)
    if attempt is None:
        return None
    point("attempt.intent")
    answer = _asked(attempt, "charge")
    point("attempt.called")
    return attempts.apply(attempt_id=attempt.pk, answer=answer, by=SYSTEM, at=at)


def look_up(*, attempt_id: int, at: datetime) -> Attempt:
    """Asks the provider how the attempt stands. What was never sent, or is over for good, is left alone."""
    attempt = _read(attempt_id)
    if attempt.state == State.CREATED or (attempt.state == State.SETTLED):
        return attempt
    answer = _asked(attempt, "look_up")
    if answer.outcome == Outcome.APPROVED:
        done = take(attempt_id=attempt.pk, at=at)
        if attempt.state == done.state == State.UNKNOWN:
            _look_again(done, at)
        return done
    if answer.outcome == Outcome.UNKNOWN and attempt.state != State.UNKNOWN and attempt.state != State.SENT:
        _look_again(attempt, at)
        return attempt
    done = attempts.apply(attempt_id=attempt.pk, answer=answer, by=SYSTEM, at=at)
    if done.state in (State.UNKNOWN, State.PENDING, State.REQUIRES_ACTION):
        _look_again(done, at)
    return done


def take(*, attempt_id: int, at: datetime) -> Attempt:
    """Asks for the money that the customer agreed to on the provider's page. Never inside a transaction."""
    if attempts.begin_taking(attempt_id=attempt_id, at=at) is None:
        return _read(attempt_id)
    answer = _asked(_read(attempt_id), "look_up", may_take=True)
    if answer.outcome in (Outcome.NOT_SENT, Outcome.ABSENT):
        # The order is there, agreed to: it is asked for again, not made anew.
        answer = replace(answer, outcome=Outcome.UNKNOWN)
    return attempts.apply(attempt_id=attempt_id, answer=answer, by=SYSTEM, at=at)


def cancel(*, attempt_id: int, at: datetime) -> Attempt:
    """Has the provider confirm that no money will come of it. What was never sent is canceled at once."""
    attempt = _read(attempt_id)
    if attempt.state in attempts.CLOSED:
        return attempt
    if attempt.state == State.REQUIRES_ACTION and "leave" in registry.of_kind(attempt.gateway.kind).can:
        return attempts.leave(attempt_id=attempt.pk, reason="abandoned", at=at)
    if attempt.state == State.CREATED and attempt.first_sent_at is None:
        answer = Answer(Outcome.CANCELED)
        return attempts.apply_unsent(attempt_id=attempt.pk, answer=answer, at=at)
    answer = _asked(attempt, "cancel")
    return attempts.apply(attempt_id=attempt.pk, answer=answer, by=SYSTEM, at=at)


def _asked(attempt: Attempt, verb: str, *, may_take: bool = False) -> Answer:
    """What the provider says; anything that goes wrong on the way is `unknown`."""
    try:
        order = replace(order_of(attempt), may_take=may_take)
        found = getattr(gateway_accounts.connect(attempt.gateway), verb)(order)
    except Exception as error:  # noqa: BLE001  what isn't known to have failed may have happened
        log.warning("gateway_call_failed", attempt=attempt.pk, verb=verb, error=type(error).__name__)
        return Answer(Outcome.UNKNOWN, detail=f"{type(error).__name__}: {error}"[:300])
    assert isinstance(found, Answer)
    return found


def _read(attempt_id: int) -> Attempt:
    rows = Attempt.objects.select_related("invoice__company", "customer__company", "gateway__company", "method")
    return rows.get(pk=attempt_id)


def _look_again(attempt: Attempt, at: datetime) -> None:
    """Counts the look, and says when the next one is."""
    attempt.looks += 1
    later = attempts.next_look(attempt, at)
    if attempt.state == State.PENDING:
        later = at + attempts.PENDING_LOOK
    if attempt.state == State.REQUIRES_ACTION:
        later = max(attempt.expires_at or at, at + timedelta(hours=1))
    Attempt.objects.filter(pk=attempt.pk, state=attempt.state).update(looks=attempt.looks, next_look_at=later)


@payments.when_money_came
def close_pages(payment: Payment, *, by: Actor, at: datetime) -> None:
    """Pages on which somebody could still pay what is paid now are closed by the next tick."""
    if payment.customer_id is None:
        return
    rows = Attempt.objects.filter(customer_id=payment.customer_id, state=State.REQUIRES_ACTION, collect_on__isnull=True)
    rows.filter(invoice__balance__open_minor__lte=0).update(expires_at=at, next_look_at=at)


@outbox.handler(KIND)
def carry_out(row: Outbox) -> None:
    """Sends the attempt, or looks it up, as its state asks for."""
    rows = Attempt.objects.filter(pk=row.payload["attempt"], company_id=row.company_id).select_related("company")
    attempt = rows.first()
    if attempt is None:
        return
    at = clock.now(attempt.company)
    if attempt.state == State.SENT and attempt.next_look_at is not None and attempt.next_look_at > at:
        return  # somebody is at it; if not, the tick looks it up
    care_for(attempt, at=at)


def care_for(attempt: Attempt, *, at: datetime) -> None:
    """Whatever an attempt needs now: sent, looked up, or canceled because the customer's time is over."""
    match attempt.state:
        case State.CREATED if attempt.collect_on is None:
            send(attempt_id=attempt.pk, at=at)
        case State.REQUIRES_ACTION if attempt.expires_at is not None and attempt.expires_at <= at:
            cancel(attempt_id=attempt.pk, at=at)
        case State.SENT | State.UNKNOWN | State.PENDING | State.REQUIRES_ACTION if attempt.collect_on is None:
            look_up(attempt_id=attempt.pk, at=at)


@ticks.tick(
    "billing.attempts", order=32, every=EVERY, title=_("Payments under way"),
    text=_("Sends collections again, looks up those whose end is unknown, and gives up those whose time is over."),
)  # fmt: skip
def look_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Attempts that are to be sent again, looked up or given up now; one that fails stops nobody."""
    rows = Attempt.objects.filter(company=company, next_look_at__lte=at, collect_on__isnull=True)
    looked = failed = 0
    for attempt in rows.order_by("next_look_at", "pk")[:AT_ONCE]:
        try:
            care_for(attempt, at=at)
            looked += 1
        except Exception as error:  # noqa: BLE001  the next tick asks again
            log.warning("attempt_failed", attempt=attempt.pk, error=f"{type(error).__name__}: {error}"[:300])
            failed += 1
    return {"looked": looked, "failed": failed}
