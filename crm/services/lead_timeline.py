"""One list of all that happened with a lead: its acts, notes, talks, quotes and their mails, and tasks, newest first.

It reads as a customer's does, and what was merged into the lead tells its story too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from core.models import AuditEntry, Event
from crm.models import Activity, Lead, LeadNote, Quote, Task
from crm.models.leads import LostReason
from crm.services import activity_timeline
from customers.models import Message
from customers.services import timeline
from customers.services.timeline import TimelineEntry, Told
from customers.services.titles import title_of

#: A note is shown as itself; that somebody wrote it says nothing more.
_SHOWN_AS_NOTE = ("lead.commented", "lead.comment")


def of_lead(
    lead: Lead, *, before: datetime | None = None, limit: int = 30, quotes: bool = True, tasks: bool = True
) -> list[TimelineEntry]:
    """The newest entries earlier than `before`, at least `limit` if there are so many.

    `quotes` and `tasks`: whether quotes with their mails, and tasks with talks, are told.
    """
    own = {"company_id": lead.company_id}
    leads = [lead.pk, *Lead.objects.filter(**own, merged_into=lead).values_list("pk", flat=True)]
    about = Q(subject_kind="lead", subject_id__in=leads)
    others: list[Told] = [(LeadNote.objects.filter(lead__in=leads), "at", _of_note)]
    if quotes:
        ids = list(Quote.objects.filter(**own, lead__in=leads).values_list("pk", flat=True))
        of_quotes = Q(subject_kind="quote", subject_id__in=ids)
        about |= of_quotes
        others.append((Message.objects.filter(of_quotes, **own), "created_at", timeline.of_message))
    if tasks:
        ids = list(Task.objects.filter(**own, lead__in=leads).values_list("pk", flat=True))
        about |= Q(subject_kind="task", subject_id__in=ids)
        talks = Activity.objects.filter(**own, lead__in=leads, archived_at__isnull=True)
        talks = talks.select_related("owner", "contact", "next_step")
        others.append((talks, "begins_at", activity_timeline.entry))
    entries = timeline.gathered(
        events=Event.objects.filter(about, **own).exclude(type__in=_SHOWN_AS_NOTE),
        acts=AuditEntry.objects.filter(about, **own).exclude(verb__in=_SHOWN_AS_NOTE),
        others=others, before=before, limit=limit,
    )  # fmt: skip
    return [_in_words(entry) for entry in entries]


def _in_words(entry: TimelineEntry) -> TimelineEntry:
    """A move says from where to where, and why a lead was lost."""
    if entry.kind != "event" or entry.link_kind != "lead" or not entry.facts.get("from"):
        return entry
    said = [f"{entry.facts['from']} → {entry.facts['stage']}"]
    if reason := entry.facts.get("lost_reason"):
        said.append(str(dict(LostReason.choices).get(reason, reason)))
    return replace(entry, text=" · ".join(said))


def _of_note(note: Any) -> TimelineEntry:
    return TimelineEntry(
        at=note.at, kind="note", title=title_of("note.added"), text=note.text, actor=note.by, link_kind="note",
        link_id="",
    )  # fmt: skip
