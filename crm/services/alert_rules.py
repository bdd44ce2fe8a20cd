"""Who hears of which alert, how, from which amount or day on, and whether it becomes a task.

A company has one rule for each kind; those it lacks are made with what is usual, also for kinds that came later.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from core import checks
from core.actors import Actor
from core.models import Company, Membership, Role, User
from core.refusal import Refused
from core.rights import ROLES
from core.services import trail
from crm.models import AlertAudience, AlertRule
from crm.models.alerts import Priority
from crm.services import alert_closing, alert_kinds
from crm.services.alert_kinds import Kind

FIELDS = ("is_active", "days", "hours", "amount_minor", "mail", "makes_task", "task_days", "priority")
MOST = {"days": 365, "hours": 720, "task_days": 365, "amount_minor": 10**15}


def of_company(company: Company) -> dict[str, AlertRule]:
    """The rules by kind, in one statement where none is lacking."""
    rules = {rule.kind: rule for rule in AlertRule.objects.filter(company=company)}
    lacking = [kind for kind in alert_kinds.all_kinds() if kind.name not in rules]
    if lacking:
        _make(company, lacking)
        rules = {rule.kind: rule for rule in AlertRule.objects.filter(company=company)}
    return rules


def _make(company: Company, kinds: list[Kind]) -> None:
    """Rules with what is usual. Somebody else may be making them at the same time: the first wins."""
    with transaction.atomic():
        made = [
            AlertRule(
                company=company, kind=kind.name, days=kind.usual.days, hours=kind.usual.hours,
                amount_minor=kind.usual.amount_minor, mail=kind.usual.mail, makes_task=kind.usual.makes_task,
                task_days=kind.usual.task_days, priority=kind.usual.priority,
            )
            for kind in kinds
        ]  # fmt: skip
        AlertRule.objects.bulk_create(made, ignore_conflicts=True)
        public_ids = [rule.public_id for rule in made]
        usual = {kind.name: kind.usual.roles for kind in kinds}
        roles = _built_in(company)
        AlertAudience.objects.bulk_create(
            AlertAudience(company=company, rule=rule, role=roles[key])
            for rule in AlertRule.objects.filter(company=company, public_id__in=public_ids).order_by("pk")
            for key in usual[rule.kind]
            if key in roles
        )


def _built_in(company: Company) -> dict[str, Role]:
    """The company's roles by the built-in one they are most like: each key has the role that shares most rights."""
    found: dict[str, Role] = {}
    rows = list(Role.objects.filter(company=company).order_by("pk"))
    for key, (_name, rights) in ROLES.items():
        if rows:
            found[key] = max(rows, key=lambda row: (_likeness(rights, set(row.rights)), -row.pk))
    return found


def _likeness(one: frozenset[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


@transaction.atomic
def save(
    *,
    rule: AlertRule,
    roles: Iterable[Role] | None = None,
    users: Iterable[User] | None = None,
    by: Actor,
    at: datetime,
    **changes: Any,
) -> AlertRule:
    """Changes a rule, and who hears of it where `roles` or `users` are given.

    Switched off, its open alerts are closed with their tasks. Refuses what the kind doesn't ask (`alert_rule.no_use`),
    numbers out of range (`number.range`) and people who don't work for the company (`alert_rule.stranger`).
    """
    kind = alert_kinds.of(rule.kind)
    rule = AlertRule.objects.select_for_update().select_related("company").get(pk=rule.pk)
    _check(kind, changes)
    before = {name: getattr(rule, name) for name in changes}
    for name, value in changes.items():
        setattr(rule, name, value)
    changed = {name: [before[name], value] for name, value in changes.items() if before[name] != value}
    rule.save(update_fields=list(changes) or None)
    heard = _hear(rule, roles, users)
    if changed or heard:
        trail.audit(
            company_id=rule.company_id, at=at, by=by, verb="alert_rule.update", subject_kind="alert_rule",
            subject_id=rule.pk, facts={"kind": rule.kind, **changed, **heard},
        )  # fmt: skip
    if not rule.is_active:
        alert_closing.close_all(rule=rule, at=at)
    return rule


def _check(kind: Kind | None, changes: dict[str, Any]) -> None:
    checks.known(changes, FIELDS)
    for name in ("days", "hours", "amount_minor"):
        asked = kind is not None and getattr(kind.usual, name) is not None
        if changes.get(name) is not None and not asked:
            raise Refused("alert_rule.no_use", field=name)
        if name in changes and changes[name] is None and asked:
            raise Refused("text.required", field=name)
    for name, most in MOST.items():
        value = changes.get(name)
        if value is not None and not 0 <= value <= most:
            raise Refused("number.range", field=name, value=value, least=0, most=most)
    for name, choices in (("mail", AlertRule.Mail.values), ("priority", Priority.values)):
        if name in changes and changes[name] not in choices:
            raise Refused("field.choice", field=name, value=str(changes[name])[:80], choices=", ".join(choices))


def _hear(rule: AlertRule, roles: Iterable[Role] | None, users: Iterable[User] | None) -> dict[str, Any]:
    """Sets who hears of it; the facts of the change."""
    facts: dict[str, Any] = {}
    held = list(AlertAudience.objects.filter(rule=rule))
    for name, wanted in (("role", roles), ("user", users)):
        if wanted is None:
            continue
        ids = {row.pk for row in wanted}
        if name == "role" and any(row.company_id != rule.company_id for row in wanted):  # type: ignore[union-attr]
            raise Refused("not_found", field="roles")
        if name == "user" and ids - members(rule.company):
            raise Refused("alert_rule.stranger", field="users")
        there = {getattr(row, f"{name}_id"): row for row in held if getattr(row, f"{name}_id") is not None}
        if set(there) != ids:
            AlertAudience.objects.filter(pk__in=[row.pk for key, row in there.items() if key not in ids]).delete()
            AlertAudience.objects.bulk_create(
                AlertAudience(company_id=rule.company_id, rule=rule, **{f"{name}_id": key})
                for key in sorted(ids - set(there))
            )
            facts[f"{name}s"] = [sorted(there), sorted(ids)]
    return facts


def members(company: Company) -> set[int]:
    """Who works for the company and can sign in."""
    rows = Membership.objects.filter(company=company, user__is_active=True)
    return set(rows.values_list("user_id", flat=True))


def heard_by(user: User, company: Company) -> Q:
    """A condition on rules: those a person hears of, through their role or by name."""
    role = Membership.objects.filter(company=company, user=user).values("role_id")
    return Q(audience__user=user) | Q(audience__role__in=role)


def hearers(company: Company, rule_ids: Iterable[int]) -> dict[int, list[User]]:
    """Who hears of each rule, each person once, in two statements."""
    audience = list(AlertAudience.objects.filter(company=company, rule_id__in=list(rule_ids)))
    people = Membership.objects.filter(company=company, user__is_active=True).select_related("user").order_by("user_id")
    found: dict[int, list[User]] = {row.rule_id: [] for row in audience}
    for member in people:
        for rule_id, heard in found.items():
            if any(
                row.rule_id == rule_id and (row.user_id == member.user_id or row.role_id == member.role_id)
                for row in audience
            ):
                heard.append(member.user)
    return found
