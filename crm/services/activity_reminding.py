"""Reminders: a mail to whom a task or a meeting concerns, at the instant they chose, once.

The rule that matters: the mail and the note that it was written are one transaction under a lock on the row, so two
clockworks at once write one mail.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import CharField, F, QuerySet, Value
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from core import clock
from core.design import formats
from core.models import Company, Membership, User
from core.services import ticks
from crm.models import Activity, Task
from crm.services.alert_mails import language_of
from customers.services import messages

TEMPLATE: Final = "staff_reminder"
#: Reminders of one round.
MOST: Final = 500


def due(company: Company, at: datetime) -> list[tuple[str, int]]:
    """What is to be reminded of now: `task` or `activity`, and its row; read in one statement."""
    parts = [
        _waiting(name, at).filter(company=company).order_by()
        .annotate(what=Value(name, output_field=CharField()), row=F("pk")).values_list("what", "row")
        for name in ("task", "activity")
    ]  # fmt: skip
    return list(parts[0].union(parts[1], all=True)[:MOST])


def _waiting(what: str, at: datetime) -> QuerySet[Any]:
    """Tasks still open, or meetings that take place, whose instant has come."""
    waiting: dict[str, Any] = {"remind_at__lte": at, "reminded_at__isnull": True}
    if what == "task":
        return Task.objects.filter(**waiting, state=Task.State.OPEN)
    return Activity.objects.filter(**waiting, archived_at__isnull=True)


def remind(*, company: Company, at: datetime) -> int:
    """Writes the mails that are due; how many."""
    return sum(_remind(company, what, pk, at) for what, pk in due(company, at))


@transaction.atomic
def _remind(company: Company, what: str, pk: int, at: datetime) -> int:
    mine = _waiting(what, at).filter(pk=pk)
    # Held first, then read: joined rows would else be those of before.
    if not mine.select_for_update(skip_locked=True).values_list("pk"):
        return 0
    row = mine.select_related("owner", "customer", "lead").get()
    row.reminded_at = at
    row.save(update_fields=["reminded_at"])
    people = _people(company, row)
    for user in people:
        _write(company, user, what, row, at)
    return len(people)


def _people(company: Company, row: Task | Activity) -> list[User]:
    """The owner and who else takes part, as far as they still work here; of a task without owner its team."""
    here = Membership.objects.filter(company=company, user__is_active=True).select_related("user").order_by("user_id")
    if isinstance(row, Activity):
        wanted = [row.owner_id or 0, *row.parts.values_list("user_id", flat=True)]
    elif row.owner_id is None and row.team_id is not None:
        return [one.user for one in here.filter(role_id=row.team_id)]
    else:
        wanted = [row.owner_id or 0]
    return [one.user for one in here.filter(user_id__in=wanted)]


def _write(company: Company, user: User, what: str, row: Any, at: datetime) -> None:
    zone = clock.zone(company.time_zone)
    with override(language_of(user, company)), timezone.override(zone):
        about = row.customer or row.lead
        context = {
            "name": user.name, "title": str(row), "about": str(about) if about is not None else "",
            "when": formats.day(row.due_on) if what == "task" else formats.instant(row.begins_at),
            "place": "" if what == "task" else row.place, "is_task": what == "task", "url": _address(what, row.ref),
        }  # fmt: skip
        subject = _("%(company)s: reminder: %(title)s") % {"company": company.name, "title": str(row)}
        body = render_to_string(f"mail/staff/{TEMPLATE}.txt", context).strip() + "\n"
        messages.write(
            company=company, customer=None, template=TEMPLATE, language=language_of(user, company),
            subject=" ".join(subject.split())[:300], body=body, recipients=[user.email], subject_kind=what,
            subject_id=row.pk, at=at,
        )  # fmt: skip


def _address(what: str, ref: str) -> str:
    try:
        return settings.SITE_URL + reverse(f"backoffice:{what}", args=[ref])
    except NoReverseMatch:  # an installation without that door
        return str(settings.SITE_URL)


@ticks.tick(
    "crm.activity_reminders", order=83, every=timedelta(minutes=1),
    title=gettext_lazy("Reminders of tasks and meetings"),
    text=gettext_lazy("Writes to whom a task or a meeting concerns, when they asked to be reminded."),
)  # fmt: skip
def reminders_tick(company: Company, at: datetime) -> dict[str, Any]:
    return {"mails": remind(company=company, at=at)}
