"""A person's calendar of one company behind a secret link: tasks, meetings, ends of their customers' terms.

The rules that matter: of the link only a hash is kept; it opens as long as nobody switched it off and its person works
here with the right to see what is in it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from core import clock
from core.actors import Actor
from core.models import Company, User
from core.refusal import Refused
from core.rights import rights_of
from core.services import trail
from crm.models import Activity, CalendarLink, Task
from crm.services import icalendar
from crm.services.alert_mails import language_of
from crm.services.icalendar import Entry
from subscriptions.models import Subscription

#: Days that are shown before and after today, and entries of one kind.
BACK_DAYS, AHEAD_DAYS, MOST = 90, 400, 1000
TERMS_RIGHT: Final = "subscription.read"


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def of(*, company: Company, user: User) -> CalendarLink | None:
    """The link in force."""
    return CalendarLink.objects.filter(company=company, user=user, revoked_at__isnull=True).first()


@transaction.atomic
def create(*, company: Company, user: User, has_terms: bool, by: Actor, at: datetime) -> tuple[CalendarLink, str]:
    """A new link and its token, which is told this once; the one in force is switched off."""
    revoke(company=company, user=user, by=by, at=at)
    token = secrets.token_urlsafe(32)
    link = CalendarLink.objects.create(
        company=company, user=user, token_hash=hash_of(token), has_terms=has_terms, created_at=at
    )
    _tell(link, "create", by=by, at=at)
    return link, token


@transaction.atomic
def revoke(*, company: Company, user: User, by: Actor, at: datetime) -> bool:
    """Switches the link in force off; whether there was one."""
    User.objects.select_for_update().get(pk=user.pk)
    link = of(company=company, user=user)
    if link is None:
        return False
    link.revoked_at = at
    link.save(update_fields=["revoked_at"])
    _tell(link, "revoke", by=by, at=at)
    return True


def _tell(link: CalendarLink, verb: str, *, by: Actor, at: datetime) -> None:
    trail.audit(
        company_id=link.company_id, at=at, by=by, verb=f"calendar_link.{verb}", subject_kind="calendar_link",
        subject_id=link.pk, facts={"user": link.user.ref, "has_terms": link.has_terms},
    )  # fmt: skip


def read(token: str) -> bytes:
    """The calendar behind a link, as a file. Refuses `calendar.off`."""
    links = CalendarLink.objects.filter(token_hash=hash_of(token), revoked_at__isnull=True)
    link = links.select_related("company", "user").first()
    if link is None or not link.user.is_active:
        raise Refused("calendar.off")
    rights = rights_of(link.user, link.company)
    if "task.read" not in rights:
        raise Refused("calendar.off")
    company, user = link.company, link.user
    today = clock.today(company)
    first, last = today - timedelta(days=BACK_DAYS), today + timedelta(days=AHEAD_DAYS)
    with override(language_of(user, company)):
        entries = _tasks(company, user, first, last) + _activities(company, user, first, last)
        if link.has_terms and TERMS_RIGHT in rights:
            entries += _terms(company, user, today, last)
        return icalendar.calendar(name=company.name, entries=entries)


def _uid(ref: str) -> str:
    return f"{ref}@turnus"


def _address(page: str, ref: str) -> str:
    try:
        return str(settings.SITE_URL + reverse(f"backoffice:{page}", args=[ref]))
    except NoReverseMatch:  # an installation without that door
        return str(settings.SITE_URL)


def _about(*rows: Any) -> str:
    return " · ".join(str(row) for row in rows if row is not None)


def _tasks(company: Company, user: User, first: date, last: date) -> list[Entry]:
    """Open tasks of the person, on the day they are due; those that are overdue, too."""
    rows = Task.objects.filter(company=company, owner=user, state=Task.State.OPEN, due_on__range=(first, last))
    return [
        Entry(
            uid=_uid(row.ref), title=row.title, begins=row.due_on, changed_at=row.created_at,
            text="\n\n".join(part for part in (_about(row.customer, row.lead), row.text) if part),
            url=_address("task", row.ref), remind_at=row.remind_at,
        )
        for row in rows.select_related("customer", "lead").order_by("due_on", "pk")[:MOST]
    ]  # fmt: skip


def _activities(company: Company, user: User, first: date, last: date) -> list[Entry]:
    """Meetings and visits, and calls that are or were planned: what has its time; what was archived is canceled."""
    zone = clock.zone(company.time_zone)
    begins, ends = (datetime.combine(day, time.min, zone) for day in (first, last))
    planned = Q(kind__in=(Activity.Kind.MEETING, Activity.Kind.VISIT, Activity.Kind.CALL))
    mine = Q(owner=user) | Q(parts__user=user)
    rows = Activity.objects.filter(planned, mine, company=company, begins_at__range=(begins, ends)).distinct()
    return [
        Entry(
            uid=_uid(row.ref), title=_title(row), begins=row.begins_at, ends=row.ends_at,
            changed_at=max(at for at in (row.created_at, row.changed_at, row.archived_at) if at is not None),
            text="\n\n".join(part for part in (_about(row.customer or row.lead, row.contact), row.text) if part),
            place=row.place, url=_address("activity", row.ref),
            status="CONFIRMED" if row.archived_at is None else "CANCELLED",
            remind_at=row.remind_at if row.archived_at is None else None,
        )
        for row in rows.select_related("customer", "lead", "contact").order_by("begins_at", "pk")[:MOST]
    ]  # fmt: skip


def _title(row: Activity) -> str:
    return f"{row.subject} ({row.customer or row.lead})"


def _terms(company: Company, user: User, today: date, last: date) -> list[Entry]:
    """The last days of running terms and of canceled subscriptions of the person's customers."""
    rows = Subscription.objects.filter(company=company, customer__owner=user).filter(
        Q(ends_on__range=(today, last)) | Q(term_ends_on__range=(today, last), ends_on__isnull=True)
    )
    entries = []
    for row in rows.select_related("customer").order_by("pk")[:MOST]:
        day = row.ends_on or row.term_ends_on
        if day is None:
            continue
        if row.ends_on is not None:
            words = _("%(customer)s: contract ends")
        elif row.renewal_rule == "renew":
            words = _("%(customer)s: contract renews")
        else:
            words = _("%(customer)s: term ends")
        entries.append(
            Entry(
                uid=_uid(f"{row.ref}.{day:%Y%m%d}"), title=words % {"customer": row.customer.name}, begins=day,
                changed_at=row.created_at, text=str(row), url=_address("subscription", row.ref),
            )
        )  # fmt: skip
    return entries
