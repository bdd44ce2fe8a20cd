"""How calls, meetings, visits and mails stand in a customer's timeline: when they were, not when they were noted."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from crm.models import Activity
from customers.models import Customer
from customers.services import timeline
from customers.services.timeline import TimelineEntry

#: Letters of a text that are shown in the timeline; all of it stands on its own page.
SHOWN = 500


def _rows(customer: Customer) -> QuerySet[Any]:
    rows = Activity.objects.filter(company_id=customer.company_id, customer=customer, archived_at__isnull=True)
    return rows.select_related("owner", "contact", "next_step")


def entry(activity: Activity) -> TimelineEntry:
    """The activity as an entry."""
    text = activity.text if len(activity.text) <= SHOWN else activity.text[:SHOWN].rstrip() + "…"
    said = [activity.subject, text, f"→ {activity.outcome}" if activity.outcome else ""]
    people = [str(activity.contact or ""), str(activity.owner or activity.created_by)]
    kind = activity.get_kind_display()
    way = f" ({activity.get_direction_display()})" if activity.kind == Activity.Kind.CALL and activity.direction else ""
    return TimelineEntry(
        at=activity.begins_at,
        kind="activity",
        title=f"{kind[:1].upper()}{kind[1:]}{way}",
        text="\n".join(part for part in said if part),
        actor=" · ".join(person for person in people if person),
        link_kind="activity",
        link_id=activity.ref,
        facts={"kind": activity.kind, "next_step": activity.next_step.ref if activity.next_step is not None else None},
    )


timeline.register(timeline.Source(kind="activity", rows=_rows, when="begins_at", entry=entry))
