"""When something of a subscription falls due next. Pure: rows in memory in, a day out.

The rule that matters: a period in advance falls due on its first day, one in arrears on the first day it no longer
covers, the first of a renewed term after its grace; nothing falls due for days after the last day of service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from pricing import terms as contract
from pricing.periods import Anchor, Interval, period_at
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services.terms import terms_of

ONE_DAY = timedelta(days=1)
#: States in which nothing is billed.
STILL = frozenset({Subscription.State.PAUSED, Subscription.State.SUSPENDED})


def next_due(subscription: Subscription, slots: Iterable[tuple[Slot, Sequence[SlotTerms]]]) -> date | None:
    """The next day something falls due, or something billed is to be given back; None: never.

    `slots` are all slots with their terms in order. Paid days after the last day of service fall due, to be given
    back, on the first day no longer covered.
    """
    if subscription.state in STILL:
        return None
    days: list[date] = []
    ends_on = subscription.ends_on
    for slot, terms in slots:
        for start in [days.lower for days in slot.reopened_days] + [slot.billed_through_on + ONE_DAY]:
            day = slot_due(subscription, terms, start)
            if day is not None:
                days.append(day)
        if ends_on is not None and has_unused_days(subscription, slot):
            days.append(ends_on + ONE_DAY)
    return min(days, default=None)


def has_unused_days(subscription: Subscription, slot: Slot) -> bool:
    """Whether days after the last day of service were billed here and not given back yet."""
    ends_on, through = subscription.ends_on, slot.billed_through_on
    if ends_on is None or through <= ends_on:
        return False
    return through >= subscription.paid_from_on and through != slot.elsewhere_through_on


def slot_due(subscription: Subscription, terms: Sequence[SlotTerms], start: date) -> date | None:
    """The day the period falls due that begins on the slot's first unbilled day; None: there is none."""
    ends_on = subscription.ends_on
    for held in terms:
        if held.until_on is not None and held.until_on <= start:
            continue
        begins = max(start, held.from_on)
        if ends_on is not None and begins > ends_on:
            return None
        if held.billed == "advance":
            due_on = begins
        else:
            interval = Interval(held.interval_unit, held.interval_count)  # type: ignore[arg-type]
            anchor = Anchor(subscription.anchor_on, subscription.anchor_month_day if interval.months else 0)
            due_on = period_at(anchor, interval, begins).end
            if held.until_on is not None:
                due_on = min(due_on, held.until_on)
            if ends_on is not None:
                due_on = min(due_on, ends_on + ONE_DAY)
        waits = _grace_until(subscription, begins)
        return due_on if waits is None else max(due_on, waits)
    return None


def _grace_until(subscription: Subscription, day: date) -> date | None:
    """The first day after the grace of the renewed term that day lies in; None in a first term or without grace."""
    if not subscription.grace_days or subscription.renewal_rule != "renew":
        return None
    begun = contract.contract_clock(terms_of(subscription, with_planned_end=False), day).term_start
    if begun <= subscription.paid_from_on:
        return None
    return begun + timedelta(days=subscription.grace_days)
