"""Where a subscription stands on a day, and on which day it moves next by itself. Pure: a row in memory in."""

from __future__ import annotations

from datetime import date, timedelta

from subscriptions.models import Subscription
from subscriptions.services.moves import ENDED

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
