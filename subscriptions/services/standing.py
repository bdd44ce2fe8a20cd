"""Where a subscription stands on a day, and on which day it moves next by itself. Pure: a row in memory in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from subscriptions.models import Change, Subscription
from subscriptions.services.moves import EARNING, ENDED

State = Subscription.State
EndKind = Subscription.EndKind
ONE_DAY = timedelta(days=1)


def ended_state(subscription: Subscription) -> State:
    """The state after the last day of service, by the reason it ends for."""
    return State.EXPIRED if subscription.end_kind == EndKind.EXPIRE else State.CANCELED


def state_on(subscription: Subscription, day: date) -> State:
    """The state its dates give it on that day, when nothing paused or suspended it."""
    if subscription.ends_on is not None and day > subscription.ends_on:
        return ended_state(subscription)
    if day < subscription.start_on:
        return State.PENDING
    return State.TRIAL if day < subscription.paid_from_on else State.ACTIVE


def stopped_on(subscription: Subscription) -> date | None:
    """The first day of the pause or suspension that runs; None in service."""
    if subscription.state == State.PAUSED:
        return subscription.paused_from_on or subscription.paid_from_on
    return subscription.suspended_from_on if subscription.state == State.SUSPENDED else None


def pauses_on(subscription: Subscription, day: date) -> bool:
    """Whether a planned pause begins by that day."""
    first = subscription.paused_from_on
    return subscription.state == State.ACTIVE and first is not None and first <= day


def resumes_on(subscription: Subscription, day: date) -> bool:
    """Whether its pause is over by that day."""
    first = subscription.resumes_on
    return subscription.state == State.PAUSED and first is not None and first <= day


def next_move(subscription: Subscription) -> date | None:
    """The next day its state or term changes by itself; None: never. Reads state, dates, end, pause, running term."""
    if subscription.state in ENDED:
        return None
    days: list[date] = []
    ends_on, term_ends_on = subscription.ends_on, subscription.term_ends_on
    if ends_on is not None:
        days.append(ends_on + ONE_DAY)
    if subscription.state == State.PENDING:
        days.append(subscription.start_on)
    elif subscription.state == State.TRIAL:
        days.append(subscription.paid_from_on)
    elif term_ends_on is not None and (ends_on is None or term_ends_on < ends_on):
        days.append(term_ends_on + ONE_DAY)
    if subscription.state == State.ACTIVE and subscription.paused_from_on is not None:
        days.append(subscription.paused_from_on)
    elif subscription.state == State.PAUSED and subscription.resumes_on is not None:
        days.append(subscription.resumes_on)
    return min(days, default=None)


def next_terms(subscription: Subscription, after: date) -> date | None:
    """The next day after that one on which terms begin or a planned change takes effect, read with its positions.

    Terms count only while it earns: before that, and after its end, nothing of them is revenue.
    """
    if subscription.state in ENDED:
        return None
    days = [change.effective_on for change in planned_changes(subscription)]
    if subscription.state in EARNING:
        days += [held.from_on for slot in subscription.slots.all() for held in slot.terms.all() if held.from_on > after]
    ends_on = subscription.ends_on
    return min((day for day in days if ends_on is None or day <= ends_on), default=None)


def planned_changes(subscription: Subscription) -> list[Change]:
    """Its planned changes of terms, earliest first, as they were read with it."""
    found: list[Change] = getattr(subscription, "planned_changes", [])
    return found


def keep_planned(subscription: Subscription, changes: list[Change]) -> None:
    """These are its planned changes now, in memory; one that is not stored yet is the latest of its day."""
    found = sorted(changes, key=lambda change: (change.effective_on, change.pk is None, change.pk))
    subscription.planned_changes = found  # type: ignore[attr-defined]


def close(subscription: Subscription, changes: Sequence[Change], status: Change.Status, *, at: datetime) -> None:
    """These are planned no more, in memory; the caller writes it."""
    for change in changes:
        change.status, change.closed_at = status, at
    keys = {change.pk for change in changes}
    keep_planned(subscription, [change for change in planned_changes(subscription) if change.pk not in keys])
