"""What can be done with everybody in a segment: for each kind what it needs, who may, and the verb that is called.

The rule that matters: nothing is done here that isn't a verb of one customer or subscription; this is the list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from billing.services import acts, acts_changing, acts_discounting, acts_pausing
from catalog.models import Discount, Plan
from core import checks
from core.actors import Actor
from core.ids import BadId
from core.models import Company, Membership, User
from core.refusal import Refused
from core.texts import checked
from crm.models import Priority
from crm.services import tasks
from customers.models import Customer
from customers.services import notes
from customers.services.customers import update_customer
from subscriptions.models import AgreedDiscount, Subscription
from subscriptions.services.end_reasons import WORDS as REASONS

Row = TypeVar("Row", bound=Model)
#: When a change of plan holds; "": as usual.
TIMINGS: Final = ("", "now", "period_end")


@dataclass(frozen=True, slots=True)
class How:
    """Who acts, when, and what the preview showed."""

    by: Actor
    at: datetime
    token: str | None = None

    @property
    def act(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at, "preview_token": self.token}


@dataclass(frozen=True, slots=True)
class Kind:
    """`keep` checks what is given and says what is kept of it, as JSON; `read` makes of that what the verb takes.
    `act` calls the verb with a subscription, else with a customer."""

    name: str
    label: str | Promise
    right: str
    is_of_subscriptions: bool
    keep: Callable[[Company, Mapping[str, Any]], dict[str, Any]]
    read: Callable[[Company, Mapping[str, Any]], dict[str, Any]]
    act: Callable[[Any, dict[str, Any], How], Any]


def _row(rows: QuerySet[Row], ref: Any, field: str) -> Row:
    try:
        return rows.model.by_ref(rows, str(ref))  # type: ignore[attr-defined, no-any-return]
    except (BadId, ObjectDoesNotExist):
        raise Refused("not_found", field=field) from None


def _person(company: Company, ref: Any) -> User | None:
    if not ref:
        return None
    rows = User.objects.filter(pk__in=Membership.objects.filter(company=company).values("user_id"))
    try:
        return _row(rows, ref, "owner")
    except Refused:
        raise Refused("task.owner_works_elsewhere", field="owner") from None


def _day(value: Any, field: str) -> date | None:
    if value in (None, ""):
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise Refused("day.form", field=field) from None


def _known(given: Mapping[str, Any], names: Iterable[str]) -> None:
    checks.known(dict(given), tuple(names))


# Customers


def _keep_task(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("title", "text", "due_on", "owner", "priority"))
    owner, due_on = _person(company, given.get("owner")), _day(given.get("due_on"), "due_on")
    if due_on is None:
        raise Refused("text.required", field="due_on")
    priority = given.get("priority") or Priority.NORMAL
    if priority not in Priority.values:
        raise Refused("field.choice", field="priority", value=priority, choices=", ".join(Priority.values))
    return {
        "title": checked(given.get("title", ""), field="title", limit=tasks.TITLE, required=True),
        "text": checked(given.get("text", ""), field="text", limit=tasks.TEXT),
        "due_on": due_on.isoformat(), "owner": owner.ref if owner is not None else "", "priority": str(priority),
    }  # fmt: skip


def _read_task(company: Company, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {**kept, "due_on": date.fromisoformat(kept["due_on"]), "owner": _person(company, kept["owner"])}


def _add_task(customer: Customer, given: dict[str, Any], how: How) -> None:
    tasks.create(company=customer.company, customer=customer, **given, by=how.by, at=how.at)


def _keep_note(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("text",))
    return {"text": checked(given.get("text", ""), field="text", limit=notes.TEXT_LENGTH, required=True)}


def _add_note(customer: Customer, given: dict[str, Any], how: How) -> None:
    notes.add_note(customer=customer, **given, by=how.by, at=how.at)


def _keep_owner(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("owner",))
    owner = _person(company, given.get("owner"))
    return {"owner": owner.ref if owner is not None else ""}


def _read_owner(company: Company, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {"owner": _person(company, kept["owner"])}


def _set_owner(customer: Customer, given: dict[str, Any], how: How) -> None:
    if customer.owner_id == (given["owner"].pk if given["owner"] is not None else None):
        raise Refused("bulk_act.has_owner")
    update_customer(customer=customer, changes=given, by=how.by, at=how.at)


# Subscriptions


def _keep_discount(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("discount",))
    return {"discount": _discount(company, given.get("discount", "")).ref}


def _discount(company: Company, ref: str) -> Discount:
    return _row(Discount.objects.filter(company=company), ref, "discount")


def _read_discount(company: Company, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {"discount": _discount(company, kept["discount"])}


def _give(subscription: Subscription, given: dict[str, Any], how: How) -> Any:
    return acts_discounting.give(subscription=subscription, **given, **how.act)


def _take_back(subscription: Subscription, given: dict[str, Any], how: How) -> Any:
    live = AgreedDiscount.objects.filter(subscription=subscription, until_on__isnull=True, ended_at__isnull=True)
    agreed = live.select_related("subscription").filter(discount=given["discount"]).order_by("pk").first()
    if agreed is None:
        raise Refused("bulk_act.no_discount")
    return acts_discounting.end(agreed=agreed, **how.act)


def _keep_cancel(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("reason", "comment"))
    reason = given.get("reason") or ""
    if reason and reason not in REASONS:
        raise Refused("field.choice", field="reason", value=reason, choices=", ".join(REASONS))
    return {"reason": reason, "comment": checked(given.get("comment", ""), field="comment", limit=500)}


def _cancel(subscription: Subscription, given: dict[str, Any], how: How) -> Any:
    if subscription.end_kind == Subscription.EndKind.CANCEL:
        raise Refused("bulk_act.canceled_already", day=subscription.ends_on)
    return acts.cancel(subscription=subscription, timing="period_end", **given, **how.act)


def _keep_pause(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("from_on", "until", "reason"))
    days = {name: _day(given.get(name), name) for name in ("from_on", "until")}
    kept = {name: day.isoformat() if day is not None else None for name, day in days.items()}
    return {**kept, "reason": checked(given.get("reason", ""), field="reason", limit=500)}


def _read_days(company: Company, kept: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _day(value, name) if name in ("from_on", "until") else value for name, value in kept.items()}


def _pause(subscription: Subscription, given: dict[str, Any], how: How) -> Any:
    return acts_pausing.pause(subscription=subscription, **given, **how.act)


def _keep_resume(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("from_on", "reason"))
    return {name: value for name, value in _keep_pause(company, given).items() if name != "until"}


def _resume(subscription: Subscription, given: dict[str, Any], how: How) -> Any:
    return acts_pausing.resume(subscription=subscription, **given, **how.act)


def _keep_plan(company: Company, given: Mapping[str, Any]) -> dict[str, Any]:
    _known(given, ("plan", "timing", "reason"))
    timing = given.get("timing") or ""
    if timing not in TIMINGS:
        raise Refused("field.choice", field="timing", value=timing, choices=", ".join(filter(None, TIMINGS)))
    plan = _row(Plan.objects.filter(company=company, status=Plan.Status.ON_SALE), given.get("plan", ""), "plan")
    reason = checked(given.get("reason", ""), field="reason", limit=500)
    return {"plan": plan.ref, "timing": timing, "reason": reason}


def _read_plan(company: Company, kept: Mapping[str, Any]) -> dict[str, Any]:
    plan = _row(Plan.objects.filter(company=company), kept["plan"], "plan")
    return {"plan": plan, "timing": kept["timing"] or None, "reason": kept["reason"]}


def _change_plan(subscription: Subscription, given: dict[str, Any], how: How) -> Any:
    return acts_changing.change(subscription=subscription, **given, **how.act)


def _as_kept(company: Company, kept: Mapping[str, Any]) -> dict[str, Any]:
    return dict(kept)


_CHANGE: Final = "subscription.change"
KINDS: Final[Mapping[str, Kind]] = {
    one.name: one
    for one in (
        Kind("task", pgettext_lazy("act on many", "Add a task"), "task.write", False, _keep_task, _read_task,
             _add_task),
        Kind("note", pgettext_lazy("act on many", "Add a note"), "customer.write", False, _keep_note, _as_kept,
             _add_note),
        Kind("owner", pgettext_lazy("act on many", "Change the owner"), "customer.write", False, _keep_owner,
             _read_owner, _set_owner),
        Kind("give_discount", pgettext_lazy("act on many", "Give a discount"), _CHANGE, True, _keep_discount,
             _read_discount, _give),
        Kind("end_discount", pgettext_lazy("act on many", "Take a discount back"), _CHANGE, True, _keep_discount,
             _read_discount, _take_back),
        Kind("change_plan", pgettext_lazy("act on many", "Change the plan"), _CHANGE, True, _keep_plan, _read_plan,
             _change_plan),
        Kind("pause", pgettext_lazy("act on many", "Pause"), _CHANGE, True, _keep_pause, _read_days, _pause),
        Kind("resume", pgettext_lazy("act on many", "Resume"), _CHANGE, True, _keep_resume, _read_days, _resume),
        Kind("cancel", pgettext_lazy("act on many", "Cancel at the period's end"), "subscription.cancel", True,
             _keep_cancel, _as_kept, _cancel),
    )
}  # fmt: skip


def named(name: str) -> Kind:
    """Refuses `field.choice` where there is no such act."""
    if name not in KINDS:
        raise Refused("field.choice", field="kind", value=name[:40], choices=", ".join(KINDS))
    return KINDS[name]
