"""Messages of providers: verified on their raw bytes, stored before they are acknowledged, applied once.

The rule that matters: a message only says where to look. What it is about is fetched as it stands now, so that order,
repetition and loss of messages change nothing in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.gateways.base import (
    ChargeFact,
    DisputeFact,
    Fact,
    Message,
    MethodFact,
    Outcome,
    RefundFact,
)
from billing.models import Attempt, Gateway, GatewayEvent, PaymentMethod
from billing.services import attempts, gateway_accounts, payment_methods, refunding, reversing, sending
from core import clock
from core.actors import Actor
from core.models import Company, Outbox
from core.refusal import Refused
from core.services import outbox, ticks, trail

log = structlog.get_logger(__name__)
KIND: Final = "gateway_event"
State = GatewayEvent.State
SYSTEM = Actor.system("Payment provider")
#: Missed messages are fetched this often, and from so long before the last time.
EVERY: Final = timedelta(hours=1)
OVERLAP: Final = timedelta(minutes=15)
FIRST_LOOK_BACK: Final = timedelta(days=2)
MOST_TRIES: Final = len(outbox.BACK_OFF)


def receive(*, gateway: Gateway, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
    """Keeps a message whose signature holds; one that was here before is that one. Raises `BadSignature`."""
    connection = gateway_accounts.connect(gateway)
    return store(gateway=gateway, message=connection.read(body, headers), headers=headers, source="webhook")


def store(*, gateway: Gateway, message: Message, headers: Mapping[str, str], source: str) -> GatewayEvent:
    """The row of a message, new or known, with the effect that applies it."""
    with transaction.atomic():
        GatewayEvent.objects.bulk_create(
            [
                GatewayEvent(
                    company_id=gateway.company_id,
                    gateway=gateway,
                    external_id=message.external_id[:120],
                    type=message.type[:80],
                    body=message.body,
                    headers=dict(headers),
                    source=source,
                    received_at=clock.machine_now(),
                )
            ],
            ignore_conflicts=True,
        )
        event = GatewayEvent.objects.get(gateway=gateway, external_id=message.external_id[:120])
        if event.state == State.WAITING:
            # What was applied waits no more. Replayed by hand it may be put again, and takes effect once all the same.
            outbox.put(company_id=gateway.company_id, kind=KIND, key=str(event.pk), payload={"event": event.pk})
    return event


@outbox.handler(KIND)
def carry_out(row: Outbox) -> None:
    """Applies a stored message; a try that fails is repeated by the relay."""
    event = GatewayEvent.objects.select_related("gateway__company").get(pk=row.payload["event"])
    try:
        apply(event=event, at=clock.now(event.gateway.company))
    except Exception as error:
        is_last = outbox.is_last_try(row)
        GatewayEvent.objects.filter(pk=event.pk).update(
            tries=event.tries + 1, outcome=f"{type(error).__name__}: {error}"[:300],
            state=State.DEAD if is_last else State.WAITING,
        )  # fmt: skip
        raise


def apply(*, event: GatewayEvent, at: datetime) -> GatewayEvent:
    """Fetches what the message is about and lets our rows follow it. Repeated: nothing more. Outside transactions."""
    if event.state in (State.DONE, State.IGNORED):
        return event
    gateway = event.gateway
    connection = gateway_accounts.connect(gateway)
    message = Message(event.external_id, event.type, event.received_at, bytes(event.body))
    facts = connection.facts(message)
    said = [take(gateway=gateway, fact=fact, at=at) for fact in facts]
    GatewayEvent.objects.filter(pk=event.pk).update(
        state=State.DONE if facts else State.IGNORED,
        outcome="; ".join(filter(None, said))[:300],
        done_at=clock.machine_now(),
    )
    event.refresh_from_db()
    return event


def take(*, gateway: Gateway, fact: Fact, at: datetime) -> str:
    """Lets one of our rows follow a fact; what came of it, in a word or two. Nothing received is dropped."""
    match fact:
        case ChargeFact():
            return _charge(gateway, fact, at)
        case RefundFact():
            return refunding.take(gateway=gateway, fact=fact, by=SYSTEM, at=at)
        case DisputeFact():
            return reversing.take_dispute(gateway=gateway, fact=fact, by=SYSTEM, at=at)
        case MethodFact():
            return _method(gateway, fact, at)


def _charge(gateway: Gateway, fact: ChargeFact, at: datetime) -> str:
    rows = Attempt.objects.filter(gateway=gateway)
    attempt = rows.filter(external_id=fact.external_id).first() if fact.external_id else None
    if attempt is None and fact.key:
        attempt = rows.filter(key=fact.key).first()
    if attempt is None:
        return reversing.unknown_money(gateway=gateway, fact=fact, by=SYSTEM, at=at)
    if fact.answer.outcome == Outcome.APPROVED:
        done = sending.take(attempt_id=attempt.pk, at=at)
    else:
        done = attempts.apply(attempt_id=attempt.pk, answer=fact.answer, by=SYSTEM, at=at)
    if fact.answer.method is not None and done.state == Attempt.State.SETTLED and done.method_id is None:
        payment_methods.keep(gateway=gateway, customer=done.customer, found=fact.answer.method, at=at)
    return f"{done.ref}: {done.state}"


def _method(gateway: Gateway, fact: MethodFact, at: datetime) -> str:
    rows = PaymentMethod.objects.filter(gateway=gateway).select_related("customer__company", "gateway")
    pending = rows.filter(setup_id=fact.setup_id).first() if fact.setup_id else None
    known = rows.filter(external_id=fact.external_id).first() if fact.external_id else None
    if fact.gone:
        return str(payment_methods.gone(method=known, at=at).ref) if known is not None else ""
    if fact.method is None:
        return ""
    if pending is not None and pending.status == PaymentMethod.Status.PENDING:
        kept = payment_methods.keep(
            gateway=gateway, customer=pending.customer, found=fact.method, pending=pending, at=at
        )
        return kept.ref
    if known is not None and known.expires_on != fact.method.expires_on:
        return payment_methods.renew(method=known, found=fact.method, at=at).ref
    return ""


def fetch_missed(*, gateway: Gateway, at: datetime) -> int:
    """Stores the messages that never came; how many were new. Outside transactions."""
    begun = clock.machine_now()
    since = (gateway.synced_at or begun - FIRST_LOOK_BACK) - OVERLAP
    told = list(gateway_accounts.connect(gateway).messages_since(since))
    known = GatewayEvent.objects.filter(gateway=gateway, external_id__in=[one.external_id[:120] for one in told])
    heard = set(known.values_list("external_id", flat=True))
    new = [message for message in told if message.external_id[:120] not in heard]
    for message in new:
        store(gateway=gateway, message=message, headers={}, source="fetched")
    Gateway.objects.filter(pk=gateway.pk).update(synced_at=begun)
    return len(new)


def replay(*, event: GatewayEvent, by: Actor, at: datetime) -> GatewayEvent:
    """Applies a message anew, also one that failed for good; what it already did isn't done twice."""
    with transaction.atomic():
        held = GatewayEvent.objects.select_for_update().get(pk=event.pk)
        GatewayEvent.objects.filter(pk=held.pk).update(state=State.WAITING, tries=0, done_at=None)
        trail.audit(
            company_id=held.company_id, at=at, by=by, verb="gateway_event.replay", subject_kind="gateway_event",
            subject_id=held.pk, facts={"type": held.type},
        )  # fmt: skip
    held.refresh_from_db()
    return apply(event=held, at=at)


@ticks.tick(
    "billing.messages", order=28, every=EVERY, title=_("Messages of providers"),
    text=_("Fetches what payment providers said and did not reach us."),
)  # fmt: skip
def messages_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Fetches what providers said and we didn't hear; a provider that is down is asked again an hour later."""
    found = failed = 0
    for gateway in Gateway.objects.filter(company=company, is_active=True).select_related("company").order_by("pk"):
        if gateway.kind not in (Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL):
            continue
        try:
            found += fetch_missed(gateway=gateway, at=at)
        except Refused:
            continue  # a test company without a stand-in
        except Exception as error:  # noqa: BLE001  the next tick asks again
            log.warning("messages_not_fetched", gateway=gateway.pk, error=f"{type(error).__name__}: {error}"[:300])
            failed += 1
    return {"fetched": found, "failed": failed}
