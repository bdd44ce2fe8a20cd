"""Writing what happened: audit rows and events, in the transaction of their cause."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from core import copying
from core.actors import Actor
from core.ids import new_id
from core.models import AuditDetail, AuditEntry, Event
from core.services import event_types

EVENT_BYTES = 1024
_EVENT_COLUMNS = "public_id, company_id, type, occurred_at, subject_kind, subject_id, customer_id, data"


def audit(
    *,
    company_id: int,
    at: datetime,
    by: Actor,
    verb: str,
    subject_kind: str,
    subject_id: int,
    customer_id: int | None = None,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Writes one audit row; personal values go to its side table (`before`, `after`)."""
    entry = AuditEntry.objects.create(
        company_id=company_id,
        at=at,
        actor_kind=by.kind,
        actor_id=by.id,
        actor_label=by.label,
        verb=verb,
        subject_kind=subject_kind,
        subject_id=subject_id,
        customer_id=customer_id,
        reason=reason[:500],
        facts=dict(facts or {}),
    )
    if before or after:
        AuditDetail.objects.create(entry=entry, before=dict(before or {}), after=dict(after or {}))
    return entry


def emit(
    *,
    company_id: int,
    type: str,
    at: datetime,
    subject_kind: str,
    subject_id: int,
    data: Mapping[str, Any],
    customer_id: int | None = None,
) -> Event:
    """Writes one event: the frozen JSON that timeline, webhooks and the API show. Its type is a registered one."""
    event_types.check(type)
    return Event.objects.create(
        company_id=company_id,
        type=type,
        occurred_at=at,
        subject_kind=subject_kind,
        subject_id=subject_id,
        customer_id=customer_id,
        data=dict(data),
    )


def entry(*, by: Actor, **fields: Any) -> AuditEntry:
    """An audit row for a verb that writes many at once; not yet written. Fields as in `audit`."""
    return AuditEntry(actor_kind=by.kind, actor_id=by.id, actor_label=by.label, **fields)


def event(*, at: datetime, **fields: Any) -> Event:
    """An event for a verb that writes many at once; not yet written. Fields as in `emit`."""
    event_types.check(fields["type"])
    return Event(occurred_at=at, **fields)


def emit_many(
    *,
    company_id: int,
    type: str,
    at: datetime,
    subject_kind: str,
    rows: Iterable[tuple[int, int | None, Mapping[str, Any]]],
) -> None:
    """Writes events of one type by COPY; of each its subject's id, the customer's and the data. Else as `emit`."""
    event_types.check(type)
    head = f"{company_id}\t{type}\t{at.isoformat()}\t{subject_kind}"
    lines = [
        f"{new_id()}\t{head}\t{subject_id}\t{copying.optional(customer_id)}\t{copying.as_json(data)}"
        for subject_id, customer_id, data in rows
    ]
    copying.copy(Event._meta.db_table, _EVENT_COLUMNS, lines)
