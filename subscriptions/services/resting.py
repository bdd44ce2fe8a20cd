"""Terms laid to rest and taken up again: the rows of a pause and of a suspension, written in advance or on their day.

The rule that matters: price, quantity and planned changes stand on in resting rows, so taking them up again brings
back what would hold anyway. Only agreed days rest; free and removed ones stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from catalog.models import SuspendedBilling
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import retiming, standing

ONE_DAY = timedelta(days=1)
Standing = SlotTerms.Standing
Settles = SlotTerms.Settles
AT_REST: Final = (Standing.PAUSED, Standing.SUSPENDED)


class Rest(NamedTuple):
    """The days of a pause or suspension that runs or is planned: from `first` on, up to, without, `until`."""

    standing: Standing
    first: date
    until: date | None


def rest_of(subscription: Subscription) -> Rest | None:
    """The days on which its positions rest, now or as planned; None: there are none. An end takes none of them away."""
    if subscription.suspended_from_on is not None:
        goes_on = subscription.suspended_billing == SuspendedBilling.CONTINUE
        return None if goes_on else Rest(Standing.SUSPENDED, subscription.suspended_from_on, None)
    first = standing.stopped_on(subscription) or subscription.paused_from_on
    return None if first is None else Rest(Standing.PAUSED, first, subscription.resumes_on)


def rests_on(subscription: Subscription, day: date) -> bool:
    """Whether that day lies in a pause or suspension."""
    rest = rest_of(subscription)
    return rest is not None and rest.first <= day and (rest.until is None or day < rest.until)


def at_rest(subscription: Subscription, slot: Slot, rows: Sequence[SlotTerms]) -> list[SlotTerms]:
    """Unsaved terms that were laid without regard to a pause or suspension, or with regard to another one: they rest
    on the days on which the other positions do, and hold again after them as those do."""
    rows, rest = _woken(rows), rest_of(subscription)
    if rest is None:
        return rows
    first = rest.first
    if rest.standing == Standing.SUSPENDED and subscription.suspended_billing == SuspendedBilling.STOP:
        first = max(first, _unbilled_from(slot, first))
    before, rows = split(rows, first)
    resting, awake = (rows, []) if rest.until is None else split(rows, rest.until)
    _rest(slot, resting, rest.standing)
    if rest.until is not None and awake and subscription.pk not in keeping_anchor([subscription]):
        for row in awake:
            if resting or row.anchor_on is None:
                row.anchor_on, row.anchor_month_day = rest.until, rest.until.day
    return [*before, *resting, *awake]


def keeping_anchor(subscriptions: Iterable[Subscription]) -> set[int]:
    """Of subscriptions with a pause whose end is planned: the ids of those counted after it as before. One query."""
    kept: dict[int, bool] = {}
    changes = Change.objects.filter(
        subscription__in=[one.pk for one in subscriptions],
        kind__in=(Change.Kind.PAUSE, Change.Kind.RESUME),
        status__in=(Change.Status.PLANNED, Change.Status.DONE),
    )
    rows = changes.values_list("status", "id", "subscription_id", "summary")
    # What is planned says more than what was done, the latest more than what came before.
    for _, _, subscription_id, summary in sorted(rows, key=lambda row: (row[0] == Change.Status.PLANNED, row[1])):
        kept[subscription_id] = bool(summary.get("keep_anchor"))
    return {subscription_id for subscription_id, keeps in kept.items() if keeps}


def lay(subscription: Subscription, standing: Standing, day: date, *, until: date | None, keep_anchor: bool) -> None:
    """Every agreed day from that day on (up to, without, `until`) rests; what is billed of them is given back.

    From `until` on the terms hold again, counted from it unless the anchor is kept. Nothing is written where the days
    rest already.
    """
    for slot in subscription.slots.all():
        rows = rows_from(slot, day)
        if not any(held.standing == Standing.AGREED and (until is None or held.from_on < until) for held in rows):
            continue
        resting, awake = (rows, []) if until is None else split(rows, until)
        _rest(slot, resting, standing)
        if until is not None and not keep_anchor and resting:
            _count_anew(subscription, slot, awake, resting[-1], until)
        put(slot, day, [*resting, *awake])


def lay_unbilled(subscription: Subscription, standing: Standing, day: date) -> None:
    """Agreed days from that day on rest as far as they are not billed; what is billed stands."""
    for slot in subscription.slots.all():
        first = _unbilled_from(slot, day)
        rows = rows_from(slot, first)
        if any(held.standing == Standing.AGREED for held in rows):
            _rest(slot, rows, standing)
            rows[0].settles = Settles.NOTHING
            put(slot, first, rows)


def take_up(subscription: Subscription, standing: Standing, day: date, *, anchor_on: date | None) -> None:
    """Days that rest so hold again from that day on; with `anchor_on` their periods are counted from it."""
    for slot in subscription.slots.all():
        rows = rows_from(slot, day)
        resting = [row for row in rows if row.standing == standing]
        if resting:
            for row in resting:
                row.standing = Standing.AGREED
            if anchor_on is not None:
                _count_anew(subscription, slot, rows, resting[0], anchor_on)
            put(slot, day, rows)


def lift(subscription: Subscription, standing: Standing, day: date, resumes_on: date | None) -> None:
    """Takes back what `lay` wrote for days from that one on, as if nothing had rested or been counted anew."""
    for slot in subscription.slots.all():
        rows = rows_from(slot, day)
        resting = [row for row in rows if row.standing == standing and (resumes_on is None or row.from_on < resumes_on)]
        if not resting:
            continue
        for row in rows:
            if row.standing == standing:
                row.standing, row.settles = Standing.AGREED, Settles.NOTHING
            elif resumes_on is not None and row.from_on >= resumes_on and row.anchor_on == resumes_on:
                row.anchor_on, row.anchor_month_day = resting[-1].anchor_on, resting[-1].anchor_month_day
        put(slot, day, rows)


def lay_on(subscription: Subscription, standing: Standing, day: date) -> None:
    """Rest that was to end on that day goes on: what `take_up` wrote for days from it on is taken back."""
    for slot in subscription.slots.all():
        before = retiming.terms_on(slot.terms.all(), day - ONE_DAY)
        if before is None or before.standing != standing:
            continue
        rows = rows_from(slot, day)
        for row in rows:
            if row.anchor_on == day:
                row.anchor_on, row.anchor_month_day = before.anchor_on, before.anchor_month_day
        _rest(slot, rows, standing)
        put(slot, day, rows)


def is_counted_anew(subscription: Subscription, day: date) -> bool:
    """Whether terms that hold again from that day on are counted from it."""
    rows = (retiming.terms_on(slot.terms.all(), day) for slot in subscription.slots.all())
    return any(row is not None and row.standing == Standing.AGREED and row.anchor_on == day for row in rows)


def rows_from(slot: Slot, day: date) -> list[SlotTerms]:
    """Unsaved copies of the terms from that day on, in order; the first begins on it unless it does so later."""
    rows = []
    for held in sorted(slot.terms.all(), key=lambda row: row.from_on):
        if held.until_on is not None and held.until_on <= day:
            continue
        begun = held.from_on < day
        rows.append(
            retiming.copy_of(
                held, from_on=max(held.from_on, day), settles=Settles.NOTHING if begun else held.settles
            )
        )  # fmt: skip
    return rows


def split(rows: Sequence[SlotTerms], day: date) -> tuple[list[SlotTerms], list[SlotTerms]]:
    """The rows before a day and those from it on; one that holds across it is cut in two."""
    before, after = [], []
    for row in rows:
        if row.from_on >= day:
            after.append(row)
        elif row.until_on is None or row.until_on > day:
            after.append(retiming.copy_of(row, from_on=day))
            row.until_on = day
            before.append(row)
        else:
            before.append(row)
    return before, after


def put(slot: Slot, day: date, rows: Sequence[SlotTerms]) -> None:
    """`retiming.replace` that leaves no row which only says what the one before it says: a row's end cuts a period."""
    rows = _merged(slot, rows)
    before = retiming.terms_on(slot.terms.all(), day - ONE_DAY)
    if before is None or not rows or rows[0].from_on > day or not retiming.goes_on(slot, before, rows[0]):
        retiming.replace(slot, day, rows)
        return
    retiming.replace(slot, day, rows[1:])
    before.until_on = rows[0].until_on
    SlotTerms.objects.filter(pk=before.pk).update(until_on=before.until_on)


def _merged(slot: Slot, rows: Sequence[SlotTerms]) -> list[SlotTerms]:
    """Rows that say the same and follow each other, as one."""
    found: list[SlotTerms] = []
    for row in rows:
        if found and retiming.goes_on(slot, found[-1], row):
            found[-1].until_on = row.until_on
        else:
            found.append(row)
    return found


def _unbilled_from(slot: Slot, day: date) -> date:
    """The first day from that one on that is not billed; usage is never billed ahead."""
    return max(day, slot.billed_through_on + ONE_DAY) if slot.kind == Slot.Kind.RECURRING else day


def _woken(rows: Sequence[SlotTerms]) -> list[SlotTerms]:
    """The rows as if nothing rested, or were counted anew after it."""
    before: SlotTerms | None = None
    for row in rows:
        if row.standing in AT_REST:
            row.standing, row.settles = Standing.AGREED, Settles.NOTHING
            before = row
        elif before is not None and row.anchor_on == before.until_on:
            row.anchor_on, row.anchor_month_day = before.anchor_on, before.anchor_month_day
    return list(rows)


def _rest(slot: Slot, rows: Sequence[SlotTerms], standing: Standing) -> None:
    agreed = [row for row in rows if row.standing == Standing.AGREED]
    for row in agreed:
        row.standing, row.settles = standing, Settles.NOTHING
    if agreed and slot.kind == Slot.Kind.RECURRING and slot.billed_through_on >= agreed[0].from_on:
        agreed[0].settles = Settles.REBILL


def _count_anew(subscription: Subscription, slot: Slot, rows: Sequence[SlotTerms], like: SlotTerms, day: date) -> None:
    """Rows counted as that one are counted from the day; where a paid period goes on, its count stands."""
    before = (like.anchor_on, like.anchor_month_day)
    for row in rows:
        if (row.anchor_on, row.anchor_month_day) != before:
            continue
        if not is_paid_beyond(slot, row, day):
            row.anchor_on, row.anchor_month_day = day, day.day
        elif row.anchor_on is None:
            row.anchor_on, row.anchor_month_day = subscription.anchor_on, subscription.anchor_month_day


def is_paid_beyond(slot: Slot, row: SlotTerms, day: date) -> bool:
    """Whether days from that one on are paid for and not given back: elsewhere, or at a price for whole periods."""
    if slot.elsewhere_through_on is not None and slot.elsewhere_through_on >= day:
        return True
    return not row.is_prorated and slot.billed_through_on >= day
