"""What customers may change themselves, and what they may not: a rule of the agreement, whichever door they come by.

The rule that matters: a customer takes back and replaces only what customers planned, and no plan shortens a term that
runs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from datetime import date

from django.db.models import Q

from catalog.models import Plan
from core.models import AuditEntry
from core.refusal import Refused
from subscriptions.models import Change, Subscription
from subscriptions.services import terms, unchanging
from subscriptions.services.change_specs import PLAN_COLUMNS

State, Kind, Status = Subscription.State, Change.Kind, Change.Status


def may_change(subscription: Subscription) -> bool:
    """Whether its customer changes plan and quantities: a plan that allows it, in service."""
    allowed = subscription.plan is not None and subscription.plan.customer_may_change
    return allowed and subscription.state in (State.PENDING, State.TRIAL, State.ACTIVE)


def may_pause(subscription: Subscription) -> bool:
    """Whether its customer pauses it: a plan that allows it, in service, no pause and no end by cancellation agreed."""
    is_free = subscription.paused_from_on is None and subscription.end_kind != Subscription.EndKind.CANCEL
    return _pauses(subscription) and subscription.state == State.ACTIVE and is_free


def may_resume(subscription: Subscription) -> bool:
    return _pauses(subscription) and subscription.state == State.PAUSED


def _pauses(subscription: Subscription) -> bool:
    return subscription.plan is not None and subscription.plan.customer_may_pause


def undoable(changes: Iterable[Change], on: date) -> set[int]:
    """Ids of those of these changes that a customer may take back on that day: planned by a customer for a later one,
    while the plan lets customers change such things. One query; needs the changes' subscriptions with their plans."""
    planned = [change for change in changes if change.status == Status.PLANNED and change.effective_on > on]
    return asked_by_customers([change for change in planned if _is_theirs(change)])


def _is_theirs(change: Change) -> bool:
    plan = change.subscription.plan
    if plan is None:
        return False
    if change.kind in unchanging.OF_TERMS:
        return plan.customer_may_change
    return change.kind in (Kind.PAUSE, Kind.RESUME) and plan.customer_may_pause


def asked_by_customers(changes: Sequence[Change]) -> set[int]:
    """Ids of those that a contact, not staff, planned: the audit log knows. One query, however many."""
    if not changes:
        return set()
    of_pauses = Q(verb__in=["subscription.pause", "subscription.plan_resume"], at__in=[one.asked_at for one in changes])
    of_terms = Q(verb="subscription.change", facts__change__in=[one.ref for one in changes])
    entries = AuditEntry.objects.filter(
        of_terms | of_pauses,
        company_id__in={one.company_id for one in changes},
        subject_kind="subscription",
        subject_id__in={one.subscription_id for one in changes},
        actor_kind="contact",
    )
    known: set[tuple[object, ...]] = set()
    for subject, verb, at, facts in entries.values_list("subject_id", "verb", "at", "facts"):
        match verb:
            case "subscription.change":
                known.add((subject, facts.get("change")))
            case "subscription.pause":
                known.add((subject, Kind.PAUSE, facts.get("from_on"), at))
            case _:
                known.add((subject, Kind.RESUME, facts.get("until"), at))
    return {one.pk for one in changes if _key(one) in known}


def _key(change: Change) -> tuple[object, ...]:
    if change.kind in unchanging.OF_TERMS:
        return (change.subscription_id, change.ref)
    return (change.subscription_id, change.kind, change.effective_on.isoformat(), change.asked_at)


def check_replaced(replaced: Sequence[Change]) -> None:
    """Refuses `self_service.change_waits` where a customer's change takes the place of one that staff planned."""
    theirs = asked_by_customers(replaced)
    for change in replaced:
        if change.pk not in theirs:
            raise Refused("self_service.change_waits", day=change.effective_on)


def check_not_shorter(*, changed: Subscription, change: Change | None, plan: Plan, bound: date, on: date) -> None:
    """Refuses `self_service.bound_until` where that plan would end the contract before `bound`, the day it ran to at
    least before the change."""
    if change is None or change.status == Status.UNDONE or change.effective_on > bound:
        return
    after, day = copy.copy(changed), max(on, change.effective_on)
    for name in PLAN_COLUMNS:
        setattr(after, name, getattr(plan, name))
    after.term_start_on, after.term_ends_on = terms.running_term(after, day)
    if terms.contract_clock_of(after, on=day).earliest_end < bound:
        raise Refused("self_service.bound_until", day=bound)
