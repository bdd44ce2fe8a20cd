"""What staff do with tasks: make, change, assign, postpone, comment, finish, drop and open them again.

Each act leaves an audit row and an event with its customer, so it stands in the customer's timeline. A finished task
takes note of its alert; the alert itself closes when its cause is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction

from billing.models import Invoice
from core import checks
from core.actors import Actor
from core.ids import encode
from core.models import AuditEntry, Company, Event, Membership, Role, User
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Alert, Lead, Priority, Task, TaskComment
from crm.services import alert_inbox
from customers.models import Customer
from customers.services import merged
from subscriptions.models import Subscription

State = Task.State
TITLE, TEXT = 200, 10_000
CHANGED = ("title", "text", "due_on", "priority", "customer", "subscription", "invoice", "remind_at")
KEEP: Final[Any] = object()
PAST: Final = {
    "create": "created", "update": "updated", "assign": "assigned", "postpone": "postponed", "comment": "commented",
    "finish": "done", "drop": "dropped", "reopen": "reopened",
}  # fmt: skip


@transaction.atomic
def create(
    *,
    company: Company,
    title: str,
    due_on: date,
    text: str = "",
    customer: Customer | None = None,
    subscription: Subscription | None = None,
    invoice: Invoice | None = None,
    lead: Lead | None = None,
    owner: User | None = None,
    team: Role | None = None,
    priority: str = Priority.NORMAL,
    remind_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> Task:
    """Makes a task by hand. A subscription or an invoice says whose it is where no customer is given; one of a merged
    customer is the other one's. Refuses to name a merged customer: `customer.merged`."""
    _check_customer(company, customer)
    values = _checked(
        company,
        {"title": title, "text": text, "due_on": due_on, "priority": priority, "customer": customer,
         "subscription": subscription, "invoice": invoice, "remind_at": remind_at},
    )  # fmt: skip
    _check_who(company, owner, team)
    if lead is not None and lead.company_id != company.pk:
        raise Refused("not_found", field="lead")
    task = Task(company=company, lead=lead, owner=owner, team=team, created_at=at, created_by=by.label[:120], **values)
    write(company=company, tasks=[task], by=by, at=at)
    return task


def write(*, company: Company, tasks: Sequence[Task], by: Actor, at: datetime) -> None:
    """Writes new tasks with their trail; the caller has checked them."""
    Task.objects.bulk_create(tasks)
    _tell(tasks, "create", by=by, at=at)


@transaction.atomic
def update(*, task: Task, by: Actor, at: datetime, **changes: Any) -> Task:
    """Changes what is to be done, by when or about whom."""
    checks.known(changes, CHANGED)
    _check_customer(task.company, changes.get("customer"))
    task = _lock(task)
    given = {"customer": task.customer, "subscription": task.subscription, "invoice": task.invoice, **changes}
    values = {name: value for name, value in _checked(task.company, given).items() if name in {*changes, "customer"}}
    changed = [name for name, value in values.items() if getattr(task, name) != value]
    if changed:
        for name in changed:
            setattr(task, name, values[name])
        again = ["reminded_at"] if "remind_at" in changed else []
        if again:
            task.reminded_at = None
        task.save(update_fields=[*changed, *again])
        _tell([task], "update", by=by, at=at, facts={"fields": sorted(changed)})
    return task


@transaction.atomic
def assign(*, task: Task, owner: User | None, team: Role | None = KEEP, by: Actor, at: datetime) -> Task:
    """Gives a task to somebody, to a team, or back to nobody. Repeated: nothing happens."""
    task = _lock(task)
    _open(task)
    wanted = task.team if team is KEEP else team
    _check_who(task.company, owner, wanted)
    before = (task.owner_id, task.team_id)
    task.owner, task.team = owner, wanted
    if (task.owner_id, task.team_id) != before:
        task.save(update_fields=["owner", "team"])
        facts = {"owner": owner.ref if owner is not None else None, "team": wanted.name if wanted is not None else None}
        _tell([task], "assign", by=by, at=at, facts=facts)
    return task


@transaction.atomic
def postpone(*, task: Task, to: date, today: date, by: Actor, at: datetime) -> Task:
    """Puts a task out of sight until a day after today; it is due then at the earliest."""
    task = _lock(task)
    _open(task)
    if to <= today:
        raise Refused("task.postpone_ahead", field="to", day=today)
    before = task.due_on
    task.postponed_to_on, task.due_on = to, max(task.due_on, to)
    task.save(update_fields=["postponed_to_on", "due_on"])
    _tell([task], "postpone", by=by, at=at, facts={"to": to.isoformat(), "due_on": before.isoformat()})
    return task


@transaction.atomic
def comment(*, task: Task, text: str, by: Actor, at: datetime) -> TaskComment:
    """Keeps a remark, word for word."""
    checked(text, field="text", limit=TEXT, required=True)
    task = _lock(task)
    said = TaskComment.objects.create(company_id=task.company_id, task=task, text=text, by=by.label[:120], at=at)
    _tell([task], "comment", by=by, at=at)
    return said


def finish(*, task: Task, by: Actor, at: datetime) -> Task:
    """It is done. Repeated: nothing happens."""
    return _end(task, State.DONE, "finish", by, at)


def drop(*, task: Task, by: Actor, at: datetime) -> Task:
    """It need not be done. Repeated: nothing happens."""
    return _end(task, State.DROPPED, "drop", by, at)


@transaction.atomic
def _end(task: Task, state: str, verb: str, by: Actor, at: datetime) -> Task:
    task = _lock(task)
    if task.state == state:
        return task
    _open(task)
    task.state, task.ended_at, task.ended_by, task.ending = state, at, by.label[:120], Task.Ending.PERSON
    task.save(update_fields=["state", "ended_at", "ended_by", "ending"])
    _tell([task], verb, by=by, at=at)
    if task.alert is not None:
        alert_inbox.acknowledge(company=task.company, alerts=[task.alert], by=by, at=at)
    return task


@transaction.atomic
def reopen(*, task: Task, by: Actor, at: datetime) -> Task:
    """There is something left to do. Repeated: nothing happens."""
    task = _lock(task)
    if task.state == State.OPEN:
        return task
    task.state, task.ended_at, task.ended_by, task.ending = State.OPEN, None, "", ""
    task.save(update_fields=["state", "ended_at", "ended_by", "ending"])
    _tell([task], "reopen", by=by, at=at)
    return task


@transaction.atomic
def settle(*, company: Company, alert_ids: Sequence[int], by: Actor, at: datetime) -> int:
    """Closes the open tasks of alerts whose cause is gone, as settled by itself; how many."""
    held = Task.objects.select_for_update(of=("self",)).filter(
        company=company, alert_id__in=alert_ids, state=State.OPEN
    )
    rows = list(held.select_related("customer", "owner").order_by("pk"))
    for row in rows:
        row.state, row.ended_at, row.ended_by, row.ending = State.DONE, at, by.label[:120], Task.Ending.ITSELF
    Task.objects.bulk_update(rows, ["state", "ended_at", "ended_by", "ending"], batch_size=500)
    _tell(rows, "finish", by=by, at=at, facts={"ending": Task.Ending.ITSELF.value})
    return len(rows)


def _lock(task: Task) -> Task:
    Task.objects.select_for_update().values_list("pk").get(pk=task.pk)
    # Read after the lock: who waited for it would else see joined rows as they were before.
    joined = Task.objects.select_related("company", "customer", "subscription", "invoice", "alert", "owner", "team")
    return joined.get(pk=task.pk)


def _open(task: Task) -> None:
    if task.state != State.OPEN:
        raise Refused("task.not_open", state=task.get_state_display())


def _checked(company: Company, given: dict[str, Any]) -> dict[str, Any]:
    """The values as they are kept; what they name is of this company and fits together."""
    values = dict(given)
    if "title" in values:
        values["title"] = checked(values["title"], field="title", limit=TITLE, required=True)
    if "text" in values:
        checked(values["text"], field="text", limit=TEXT)
    if "priority" in values and values["priority"] not in Priority.values:
        choices = ", ".join(Priority.values)
        raise Refused("field.choice", field="priority", value=str(values["priority"])[:80], choices=choices)
    customer = values.get("customer")
    for name in ("subscription", "invoice"):
        about = values.get(name)
        if about is None:
            continue
        if about.company_id != company.pk:
            raise Refused("not_found", field=name)
        whose = merged.standing(about.customer)
        if customer is not None and whose.pk != customer.pk:
            raise Refused("task.other_customer", field=name)
        customer = customer or whose
    values["customer"] = customer
    return values


def _check_customer(company: Company, customer: Customer | None) -> None:
    if customer is not None:
        if customer.company_id != company.pk:
            raise Refused("not_found", field="customer")
        merged.refuse(customer)


def _check_who(company: Company, owner: User | None, team: Role | None) -> None:
    if owner is not None and not Membership.objects.filter(company=company, user=owner, user__is_active=True).exists():
        raise Refused("task.owner_works_elsewhere", field="owner")
    if team is not None and team.company_id != company.pk:
        raise Refused("not_found", field="team")


def _tell(tasks: Iterable[Task], verb: str, *, by: Actor, at: datetime, facts: dict[str, Any] | None = None) -> None:
    """The audit row and the event of each."""
    rows = list(tasks)
    alert_ids = [row.alert_id for row in rows if row.alert_id]
    refs = dict(Alert.objects.filter(pk__in=alert_ids).values_list("pk", "public_id")) if alert_ids else {}
    AuditEntry.objects.bulk_create(
        trail.entry(
            company_id=row.company_id, at=at, by=by, verb=f"task.{verb}", subject_kind="task", subject_id=row.pk,
            customer_id=row.customer_id, facts=facts or {},
        )
        for row in rows
    )  # fmt: skip
    Event.objects.bulk_create(
        trail.event(
            company_id=row.company_id, type=f"task.{PAST[verb]}", at=at, subject_kind="task", subject_id=row.pk,
            customer_id=row.customer_id, data=_facts(row, refs),
        )
        for row in rows
    )  # fmt: skip


def _facts(task: Task, alerts: dict[int, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": task.ref, "state": task.state, "priority": task.priority, "due_on": task.due_on.isoformat(),
        "customer": task.customer.ref if task.customer is not None else None,
        "owner": task.owner.ref if task.owner is not None else None,
        "alert": encode(Alert.PREFIX, alerts[task.alert_id]) if task.alert_id in alerts else None,
    }  # fmt: skip
    if task.ending:
        facts["ending"] = task.ending
    return facts
