"""One list of all that happened with a customer: events, messages, notes and acts, newest first.

An act and the event it caused are one entry: the event says what, the audit row says who and why.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Model, QuerySet

from core.design import formats
from core.models import AuditEntry, Event
from customers.models import Customer, Message, Note
from customers.services import merged
from customers.services.titles import reason_of, title_of

_AMOUNTS = ("gross_minor", "amount_minor")
_LONG_TEXT = 500


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry. `kind`: event, message, note or audit. `link_kind` and `link_id` (its outside id) name the row it is
    about; `facts` are the event's frozen data or the act's facts."""

    at: datetime
    kind: str
    title: str
    text: str
    actor: str
    link_kind: str
    link_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of another room that are shown as themselves, by their column `when`; their events and acts are not."""

    kind: str
    rows: Callable[[Customer], QuerySet[Any]]
    when: str
    entry: Callable[[Any], TimelineEntry]


#: Rows, the column of their time, and how one of them becomes an entry.
Told = tuple[QuerySet[Any], str, Callable[[Any], TimelineEntry]]

_SOURCES: dict[str, Source] = {}


def register(source: Source) -> None:
    """Shows the rows of a room above this one; `kind` is the subject kind of what is not told besides."""
    _SOURCES[source.kind] = source


def timeline(*, customer: Customer, before: datetime | None = None, limit: int = 30) -> list[TimelineEntry]:
    """The newest entries earlier than `before`, of merged ones too: at least `limit` if there are so many.

    Entries of one instant are never parted: all of those of the last one come, so the next page begins before it.
    """
    own = {"company_id": customer.company_id, "customer_id__in": merged.ids_of(customer)}
    # A note is shown as itself; that somebody wrote it says nothing more.
    acts = AuditEntry.objects.filter(**own).exclude(subject_kind__in=["note", *_SOURCES])
    happened = Event.objects.filter(**own).exclude(subject_kind__in=list(_SOURCES))
    notes = Note.objects.filter(**own, archived_at__isnull=True).select_related("by")
    others: list[Told] = [
        (Message.objects.filter(**own), "created_at", of_message),
        (notes, "created_at", _of_note),
        *((source.rows(customer), source.when, source.entry) for source in _SOURCES.values()),
    ]
    return gathered(events=happened, acts=acts, others=others, before=before, limit=limit)


def gathered(
    *, events: QuerySet[Event], acts: QuerySet[AuditEntry], others: Sequence[Told], before: datetime | None, limit: int
) -> list[TimelineEntry]:
    """The newest entries of these rows, as `timeline` promises them; `others`: rows, their column of time, the entry.

    One query for each kind of rows, one more where many share an instant.
    """
    read = [
        _newest(events, "occurred_at", before, limit),
        _newest(acts, "at", before, limit),
        *(_newest(rows, when, before, limit) for rows, when, _entry in others),
    ]
    # Below the highest floor a source may hold entries that were not read.
    floors = [floor for _, floor in read if floor is not None]
    floor = max(floors, default=None)
    happened, acts_read, *more = (_from(rows, floor) for rows, _ in read)
    entries = _events_and_acts(happened, acts_read)
    for (_rows, _when, entry), found in zip(others, more, strict=True):
        entries += [entry(row) for row in found]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    if len(entries) > limit:
        last = entries[limit - 1].at
        entries = [entry for entry in entries if entry.at >= last]
    return entries


def _newest(
    rows: QuerySet[Any], when: str, before: datetime | None, limit: int
) -> tuple[list[tuple[datetime, Any]], datetime | None]:
    """The newest rows with all that share the last one's instant, and that instant if there may be more."""
    if before is not None:
        rows = rows.filter(**{f"{when}__lt": before})
    rows = rows.order_by(f"-{when}", "-pk")
    found: Sequence[Model] = list(rows[: limit + 1])
    floor: datetime | None = None
    if len(found) > limit:
        floor = getattr(found[limit - 1], when)
        found = list(rows.filter(**{f"{when}__gte": floor}))
    return [(getattr(row, when), row) for row in found], floor


def _from(rows: Iterable[tuple[datetime, Any]], floor: datetime | None) -> list[Any]:
    return [row for at, row in rows if floor is None or at >= floor]


def _events_and_acts(events: Sequence[Event], acts: Sequence[AuditEntry]) -> list[TimelineEntry]:
    waiting: dict[tuple[datetime, str, int], list[AuditEntry]] = defaultdict(list)
    # Rows come newest first; within an instant the first act belongs to the first event.
    for act in reversed(acts):
        waiting[act.at, act.subject_kind, act.subject_id].append(act)
    told: dict[tuple[datetime, str, int], AuditEntry] = {}
    entries: list[TimelineEntry] = []
    for event in reversed(events):
        key = (event.occurred_at, event.subject_kind, event.subject_id)
        if waiting[key]:
            told[key] = waiting[key].pop(0)
        entries.append(_of_event(event, told.get(key)))
    for key, left in waiting.items():
        entries += [_of_act(act) for act in left if not (key in told and told[key].verb == act.verb)]
    return list(reversed(entries))


def _of_event(event: Event, act: AuditEntry | None) -> TimelineEntry:
    return TimelineEntry(
        at=event.occurred_at,
        kind="event",
        title=title_of(event.type),
        text=" · ".join(_facts(event.data, act.reason if act is not None else "")),
        actor=act.actor_label if act is not None else "",
        link_kind=event.subject_kind,
        link_id=str(event.data.get("id", "")),
        facts=event.data,
    )


def _facts(data: Mapping[str, Any], reason: str) -> list[str]:
    """What is worth a glance: the number, an amount, an end, the reason."""
    words = [str(data[name]) for name in ("number",) if data.get(name)]
    for name in _AMOUNTS:
        if isinstance(data.get(name), int) and data.get("currency"):
            words.append(formats.money(data[name], data["currency"]))
            break
    if data.get("ends_on"):
        words.append("→ " + formats.day(date.fromisoformat(data["ends_on"])))
    if reason:
        words.append(reason_of(reason))
    return words


def _of_act(act: AuditEntry) -> TimelineEntry:
    return TimelineEntry(
        at=act.at,
        kind="audit",
        title=title_of(act.verb),
        text=reason_of(act.reason),
        actor=act.actor_label,
        link_kind=act.subject_kind,
        link_id="",
        facts=act.facts,
    )


def of_message(message: Message) -> TimelineEntry:
    body = message.body if len(message.body) <= _LONG_TEXT else message.body[:_LONG_TEXT].rstrip() + "…"
    return TimelineEntry(
        at=message.created_at,
        kind="message",
        title=message.subject,
        text=body,
        actor=", ".join(message.recipients),
        link_kind="message",
        link_id=message.ref,
        facts={"state": message.state, "template": message.template, "attachments": message.attachments},
    )


def _of_note(note: Note) -> TimelineEntry:
    return TimelineEntry(
        at=note.created_at,
        kind="note",
        title=title_of("note.added"),
        text=note.text,
        actor=str(note.by) if note.by is not None else "",
        link_kind="note",
        link_id=note.ref,
    )
