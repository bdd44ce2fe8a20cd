"""What staff write down of their talk with customers and leads: log, correct, archive; and the next step that comes
of it.

The rule that matters: nothing said is deleted. A correction keeps what stood before in the audit; a mail's own words
are never corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from core import checks
from core.actors import Actor
from core.models import NAME_LENGTH, Company, Membership, User
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Activity, ActivityPerson, Lead
from crm.services import tasks
from customers.models import Contact, Customer
from customers.services import merged

Kind, Direction = Activity.Kind, Activity.Direction
TEXT: Final = 50_000
FIELDS: Final = (
    "kind", "direction", "contact", "subject", "text", "begins_at", "ends_at", "place", "outcome", "owner", "remind_at",
)  # fmt: skip
#: What a mail says itself.
MAILS_OWN: Final = frozenset({"kind", "direction", "subject", "text", "begins_at"})
#: Columns with what was said: their old and new values stand where erasure finds them.
PERSONAL: Final = ("subject", "text", "place", "outcome")
_TEXTS: Final = {"subject": NAME_LENGTH, "text": TEXT, "place": 300, "outcome": 1000}
_WAYS: Final = {Kind.MAIL_IN: Direction.IN, Kind.MAIL_OUT: Direction.OUT}


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next; by the activity's owner unless somebody is named."""

    title: str
    due_on: date
    owner: User | None = None


@transaction.atomic
def log(
    *,
    company: Company,
    customer: Customer | None = None,
    lead: Lead | None = None,
    people: Iterable[User] = (),
    step: Step | None = None,
    extra: Mapping[str, Any] | None = None,
    by: Actor,
    at: datetime,
    **values: Any,
) -> Activity:
    """Keeps a call, a meeting, a visit or a mail, past or planned, and makes the task that follows from it.

    `values`: any of `FIELDS`, `kind`, `subject` and `begins_at` at least; `extra`: columns only a door of ours may
    set. A lead that became a customer is the customer's too.
    """
    customer = customer or (lead.customer if lead is not None else None)
    _check_whom(company, customer, lead)
    kept = _checked(company, {"kind": "", "subject": "", **values})
    _check_contact(kept.get("contact"), customer)
    activity = Activity(
        company=company, customer=customer, lead=lead, created_at=at, created_by=by.label[:120], **kept,
        **(extra or {}),
    )  # fmt: skip
    _check_times(activity)
    if step is not None:
        activity.next_step = _plan(activity, step, by=by, at=at)
    activity.save()
    _set_people(activity, people)
    _tell(activity, "log", by=by, at=at)
    return activity


@transaction.atomic
def change(
    *, activity: Activity, people: Iterable[User] | None = None, step: Step | None = None, by: Actor, at: datetime,
    **changes: Any,
) -> Activity:  # fmt: skip
    """Corrects named fields, `people` where given, and adds the next step; what equals the present is no change."""
    activity = lock(activity)
    values = _checked(activity.company, changes)
    changed = sorted(name for name, value in values.items() if getattr(activity, name) != value)
    if activity.message_key and (own := MAILS_OWN.intersection(changed)):
        raise Refused("activity.mail_says", field=min(own))
    told = [name for name in changed if name in PERSONAL]
    before, after = ({name: getattr(activity, name) for name in told}, {name: values[name] for name in told})
    for name in changed:
        setattr(activity, name, values[name])
    _check_contact(activity.contact, activity.customer)
    _check_times(activity)
    if "remind_at" in changed or ("begins_at" in changed and activity.reminded_at is not None):
        activity.reminded_at = None
    if people is not None and _set_people(activity, people):
        changed.append("people")
    if step is not None:
        if activity.next_step is not None:
            raise Refused("activity.has_next_step", field="step_title")
        activity.next_step = _plan(activity, step, by=by, at=at)
        changed.append("next_step")
    if changed:
        activity.changed_at = at
        activity.save()
        _tell(activity, "change", by=by, at=at, facts={"fields": changed}, before=before, after=after)
    return activity


@transaction.atomic
def archive(*, activity: Activity, is_archived: bool = True, by: Actor, at: datetime) -> Activity:
    """Takes it out of sight, or shows it again. Repeated: nothing happens."""
    activity = lock(activity)
    if (activity.archived_at is not None) != is_archived:
        activity.archived_at = at if is_archived else None
        activity.save(update_fields=["archived_at"])
        _tell(activity, "archive" if is_archived else "restore", by=by, at=at, facts={"fields": ["archived_at"]})
    return activity


def lock(activity: Activity) -> Activity:
    """The activity as it stands now, held until the transaction ends."""
    rows = Activity.objects.select_for_update(of=("self",))
    return rows.select_related("company", "customer", "lead", "contact", "owner", "next_step").get(pk=activity.pk)


def _plan(activity: Activity, step: Step, *, by: Actor, at: datetime) -> Any:
    return tasks.create(
        company=activity.company, title=step.title, due_on=step.due_on, customer=activity.customer,
        lead=activity.lead, owner=step.owner or activity.owner, by=by, at=at,
    )  # fmt: skip


def _check_whom(company: Company, customer: Customer | None, lead: Lead | None) -> None:
    if customer is None and lead is None:
        raise Refused("activity.with_nobody", field="customer")
    for name, row in (("customer", customer), ("lead", lead)):
        if row is not None and row.company_id != company.pk:
            raise Refused("not_found", field=name)
    if customer is not None:
        merged.refuse(customer)
    if lead is not None and lead.merged_into_id is not None:
        raise Refused("lead.merged_away")
    if lead is not None and customer is not None and lead.customer_id not in (None, customer.pk):
        raise Refused("activity.other_customer", field="lead")


def _check_contact(contact: Contact | None, customer: Customer | None) -> None:
    if contact is not None and (customer is None or contact.customer_id != customer.pk):
        raise Refused("activity.other_contact", field="contact")


def _check_times(activity: Activity) -> None:
    if activity.ends_at is not None and activity.ends_at < activity.begins_at:
        raise Refused("activity.ends_before", field="ends_at")


def _checked(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are kept."""
    checks.known(given, FIELDS)
    values = dict(given)
    for name, limit in _TEXTS.items():
        if name in values:
            checked(values[name], field=name, limit=limit, required=name == "subject")
    if "kind" in values:
        checks.choice(values["kind"], Kind.values, field="kind")
    if values.get("direction"):
        checks.choice(values["direction"], Direction.values, field="direction")
    if values.get("kind") in _WAYS:
        values["direction"] = _WAYS[values["kind"]].value
    if "kind" in values and values["kind"] in (Kind.MEETING, Kind.VISIT):
        values["direction"] = ""
    if values.get("owner") is not None:
        _check_people(company, [values["owner"]], "owner")
    return values


def _check_people(company: Company, people: list[User], field: str) -> None:
    wanted = {person.pk for person in people}
    if wanted and _working(company, wanted).count() != len(wanted):
        raise Refused("task.owner_works_elsewhere", field=field)


def _working(company: Company, ids: Iterable[int]) -> QuerySet[Membership]:
    """Those of these people who work in the company now."""
    return Membership.objects.filter(company=company, user_id__in=ids, user__is_active=True)


def _set_people(activity: Activity, people: Iterable[User]) -> bool:
    """Makes these the people besides the owner; whether that changed anything. Who has left since was still there."""
    there = set(activity.parts.values_list("user_id", flat=True))
    gone = there - set(_working(activity.company, there).values_list("user_id", flat=True))
    given = [person for person in people if person.pk not in gone]
    _check_people(activity.company, given, "people")
    wanted = {person.pk for person in given} - {activity.owner_id} | gone
    if wanted == there:
        return False
    activity.parts.exclude(user_id__in=wanted).delete()
    ActivityPerson.objects.bulk_create(
        ActivityPerson(company_id=activity.company_id, activity=activity, user_id=pk) for pk in sorted(wanted - there)
    )
    return True


_EVENTS: Final = {"log": "logged", "change": "changed", "archive": "changed", "restore": "changed"}


def _tell(
    activity: Activity, verb: str, *, by: Actor, at: datetime, facts: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None, after: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """The audit row and the event; events hold no words of anybody: they go to webhooks and stay for good."""
    common: dict[str, Any] = {
        "company_id": activity.company_id, "at": at, "subject_kind": "activity", "subject_id": activity.pk,
        "customer_id": activity.customer_id,
    }  # fmt: skip
    trail.audit(by=by, verb=f"activity.{verb}", facts=facts, before=before, after=after, **common)
    trail.emit(type=f"activity.{_EVENTS[verb]}", data=facts_of(activity) | dict(facts or {}), **common)


def facts_of(activity: Activity) -> dict[str, Any]:
    """What an event says of an activity."""

    def ref(row: Any) -> str | None:
        return row.ref if row is not None else None

    return {
        "id": activity.ref, "kind": activity.kind, "direction": activity.direction or None,
        "begins_at": activity.begins_at.isoformat(), "customer": ref(activity.customer), "lead": ref(activity.lead),
        "contact": ref(activity.contact), "owner": ref(activity.owner), "next_step": ref(activity.next_step),
        "is_archived": activity.archived_at is not None,
    }  # fmt: skip
