"""What mail providers tell of mails, and delivery reports that come back as mail: kept first, then applied once.

The rule that matters: news is a row before it is acknowledged; news that is told twice, late or in another order ends
the same. Rows are dropped once nobody tells it again; what it said stands on the message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q

from core import clock
from core.actors import Actor
from core.ids import BadId
from core.models import MailEvent, Outbox
from core.services import outbox, sweeping, trail
from customers.models import Message, Suppression
from customers.services import mail_states, suppressing

PROVIDER: Final = Actor.system("mail provider")
#: Who tells what comes back as mail (`bounce_reports`).
REPORTS: Final = "dsn"
#: What is told, and where the address then stands. All else is kept, and of no concern: opening is not watched.
STATES: Final[Mapping[str, Message.State]] = {
    "delivered": Message.State.DELIVERED,
    "bounced": Message.State.BOUNCED,
    "rejected": Message.State.BOUNCED,
    "complained": Message.State.COMPLAINED,
}
_CONCERNS: Final = {*STATES, "unsubscribed"}
#: What a bounce that may pass is called by those who don't tell it apart otherwise.
_SOFT_TYPES: Final = {"softbounce", "soft_bounce", "transient", "dnserror", "soft", "temporary", "blocked"}


def receive(sender: object, event: Any, esp_name: str, **_kwargs: Any) -> None:
    """Hears a provider's tracking event, verified and made uniform; called before it is acknowledged."""
    told = _json(event.esp_event)
    key = _digest([str(event.event_id or "") or told, event.recipient, event.event_type])
    metadata = event.metadata or {}
    keep(
        provider=esp_name.lower().replace(" ", "_")[:20],
        key=key,
        type=str(event.event_type),
        is_hard=is_hard(told) if event.event_type == "bounced" else False,
        address=event.recipient or "",
        message_id=str(event.message_id or ""),
        message_ref=str(metadata.get("turnus", "")) if isinstance(metadata, Mapping) else "",
        words=str(event.mta_response or event.description or ""),
        body=told,
        happened_at=event.timestamp,
    )


def keep(
    *, provider: str, key: str, type: str, is_hard: bool, address: str, message_id: str = "", message_ref: str = "",
    words: str = "", body: Mapping[str, Any] | None = None, happened_at: datetime | None = None,
) -> MailEvent | None:  # fmt: skip
    """Keeps one piece of news and plans its effect, in one transaction; None where it was told before."""
    at = clock.machine_now()
    with transaction.atomic():
        row = MailEvent(
            provider=provider, key=key, type=type[:20], is_hard=is_hard, address=suppressing.normal(address)[:320],
            message_id=message_id[:255], message_ref=message_ref[:40], words=words[:1000], body=dict(body or {}),
            happened_at=happened_at or at, received_at=at,
        )  # fmt: skip
        if type not in _CONCERNS:
            row.state, row.done_at = MailEvent.State.IGNORED, at
        [row] = MailEvent.objects.bulk_create([row], ignore_conflicts=True)
        found = MailEvent.objects.get(provider=provider, key=key)
        if found.received_at != at or found.state != MailEvent.State.WAITING:
            return None
        message = _message_of(found)
        if message is not None:
            _plan(found, message)
    return found


def match(message: Message, ids: Sequence[str]) -> None:
    """Plans what was told of a message before its provider's ids were known here."""
    if ids:
        for row in MailEvent.objects.filter(
            message_id__in=ids, company__isnull=True, state=MailEvent.State.WAITING
        ).order_by("pk"):
            _plan(row, message)


def _plan(row: MailEvent, message: Message) -> None:
    # Once for each row: it has no company before, and no longer waits when the effect is done.
    row.company_id = message.company_id
    row.save(update_fields=["company_id"])
    outbox.put(
        company_id=message.company_id, kind="mail_event", key=str(row.pk),
        payload={"event": row.pk, "message": message.pk},
    )  # fmt: skip


@outbox.handler("mail_event")
def apply(row: Outbox) -> None:
    """Notes on the message what was told of it; a hard bounce or a complaint blocks the address. Done twice, once."""
    with transaction.atomic():
        event = MailEvent.objects.select_for_update().get(pk=row.payload["event"], company_id=row.company_id)
        if event.state != MailEvent.State.WAITING:
            return
        message = (
            Message.objects.select_for_update(of=("self",))
            .select_related("company", "customer")
            .get(pk=row.payload["message"], company_id=row.company_id)
        )
        _note(message, event)
        _block(message, event)
        event.state, event.done_at = MailEvent.State.DONE, clock.machine_now()
        event.save(update_fields=["state", "done_at"])


def _note(message: Message, event: MailEvent) -> None:
    state = STATES.get(event.type)
    address = next(
        (one for one in message.recipients if suppressing.normal(one) == event.address),
        message.recipients[0] if len(message.recipients) == 1 and not event.address else "",
    )
    if state is None or not address:
        return
    before = message.state
    told = {address: {"state": str(state), "at": event.happened_at.isoformat(), "words": event.words[:500]}}
    message.results = mail_states.merged(message.results, told)
    message.state = mail_states.summary(message, is_last=before != Message.State.WAITING)
    if state == Message.State.DELIVERED:
        message.delivered_at = message.delivered_at or event.happened_at
    else:
        message.bounced_at = message.bounced_at or event.happened_at
    message.save(update_fields=["results", "state", "delivered_at", "bounced_at"])
    if message.state != before and message.state in (Message.State.BOUNCED, Message.State.COMPLAINED):
        trail.emit(
            company_id=message.company_id, type=f"message.{message.state}", at=clock.now(message.company),
            subject_kind="message", subject_id=message.pk, customer_id=message.customer_id,
            data={"id": message.ref, "template": message.template},
        )  # fmt: skip


def _block(message: Message, event: MailEvent) -> None:
    reasons = {
        "bounced": Suppression.Reason.BOUNCED if event.is_hard else None,
        "complained": Suppression.Reason.COMPLAINED,
        "unsubscribed": Suppression.Reason.UNSUBSCRIBED,
    }
    reason = reasons.get(event.type)
    known = {suppressing.normal(one) for one in message.recipients}
    if reason is not None and event.address in known:
        suppressing.suppress(
            company=message.company, address=event.address, reason=reason, by=PROVIDER, at=clock.now(message.company),
            words=event.words, message=message,
        )  # fmt: skip


def _message_of(row: MailEvent) -> Message | None:
    rows = Message.objects.select_related("company")
    if row.message_ref:
        try:
            return Message.by_ref(rows, row.message_ref)
        except (BadId, Message.DoesNotExist):
            return None
    if not row.message_id:
        return None
    return rows.filter(provider_id=row.message_id).order_by("-pk").first()


def is_hard(told: Mapping[str, Any]) -> bool:
    """Whether a bounce is for good. Providers say so in words of their own; where none is known, it is.

    >>> (
    ...     is_hard({"Type": "HardBounce"}),
    ...     is_hard({"Type": "SoftBounce"}),
    ...     is_hard({"bounce": {"bounceType": "Transient"}}),
    ... )
    (True, False, False)
    """
    if told.get("hard_bounce") is False:  # Mailjet
        return False
    inner = told.get("data") if isinstance(told.get("data"), Mapping) else {}
    bounce = told.get("bounce") or (inner or {}).get("bounce")
    nested = bounce if isinstance(bounce, Mapping) else {}
    said = (told.get("Type"), told.get("event"), told.get("type"), told.get("severity"), nested.get("bounceType"),
            nested.get("type"))  # fmt: skip
    return not any(str(word).lower() in _SOFT_TYPES for word in said if word)


def _json(told: Any) -> dict[str, Any]:
    """What was told, as JSON can keep it."""
    plain = told.dict() if hasattr(told, "dict") else told
    kept = json.loads(json.dumps(plain, default=str).replace("\\u0000", ""))
    return kept if isinstance(kept, dict) else {"told": kept}


def _digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


# What is about no mail of ours waits in vain, and belongs to no company. Reports stay: they may lie in a maildir for
# good (`take_bounces --keep`) and be read every time; told anew, they would block an address that was set free since.
_OVER: Final = ~Q(provider=REPORTS) & (~Q(state=MailEvent.State.WAITING) | Q(company__isnull=True))
sweeping.log(
    "mail_events",
    kept=sweeping.days_of("WORK_LOG_DAYS"),
    portion=sweeping.rows(MailEvent, at="received_at", over=_OVER, of_company=False),
)
