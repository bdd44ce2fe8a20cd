"""The check that no day is forgotten: what became of every day of a slot, up to its last billed one.

The rule that matters: boundaries are counted from the anchor here, apart from the columns that settling moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection

from core.models import Company
from pricing.periods import Anchor, Interval, boundary, index_at
from subscriptions.models import Slot, SlotTerms

ONE_DAY = timedelta(days=1)
PAGE = 2000


@dataclass(frozen=True, slots=True)
class TilingProblem:
    """What is wrong with which days of a slot; `code`: see `check`."""

    code: str
    slot_id: int
    start: date
    end: date


_DAYS = """
SELECT d.slot_id, lower(d.days), upper(d.days), d.kind, d.released_at IS NULL
FROM billing_billeddays d LEFT JOIN billing_creditnote n ON n.id = d.released_by
WHERE d.company_id = %s AND d.slot_id = ANY(%s) AND d.component IN ('base', 'usage')
  AND (d.released_at IS NULL OR n.cause = 'manual')
ORDER BY d.slot_id, lower(d.days)
"""


def check(company: Company, on: date | None = None) -> list[TilingProblem]:
    """Names every day that is forgotten or counted twice; with `on`, also what is due by then and not billed.

    Codes: `forgotten` (a day up to the last billed one that is neither billed, forfeited, free, paused, suspended,
    removed, credited, trial, billed elsewhere nor waiting to be billed again), `twice`, `beyond` (billed after the last
    billed day), `across_boundary` (billed days that span a boundary of their terms), `behind` (due, and not billed;
    parked subscriptions are behind too).
    """
    problems: list[TilingProblem] = []
    last_id = 0
    while True:
        slots = list(
            Slot.objects.filter(company=company, pk__gt=last_id)
            .select_related("subscription")
            .prefetch_related("terms")
            .order_by("pk")[:PAGE]
        )
        if not slots:
            return problems
        with connection.cursor() as cursor:
            cursor.execute(_DAYS, [company.pk, [slot.pk for slot in slots]])
            rows: dict[int, list[tuple[Any, ...]]] = {}
            for row in cursor.fetchall():
                rows.setdefault(row[0], []).append(row[1:])
        for slot in slots:
            problems += _slot(slot, rows.get(slot.pk, []), on)
        last_id = slots[-1].pk


def _slot(slot: Slot, rows: Sequence[tuple[Any, ...]], on: date | None) -> Iterator[TilingProblem]:
    subscription = slot.subscription
    after = slot.billed_through_on + ONE_DAY
    tiles: list[tuple[date, date]] = []
    if slot.elsewhere_through_on and slot.elsewhere_through_on >= subscription.paid_from_on:
        tiles.append((subscription.paid_from_on, slot.elsewhere_through_on + ONE_DAY))
    tiles += [(days.lower, days.upper) for days in slot.reopened_days]
    live = [(start, end) for start, end, _, is_live in rows if is_live]
    terms = list(slot.terms.all())
    begins = max(subscription.start_on, terms[0].from_on) if terms else subscription.start_on
    if begins < subscription.paid_from_on:
        # What has no trial of its own, and usage that is paid for, is billed in those days.
        tiles += _without([(begins, subscription.paid_from_on)], live)
    for start, end in live:
        if end > after:
            yield TilingProblem("beyond", slot.pk, max(start, after), end)
    for start, end, kind, is_live in rows:
        if is_live and kind == "billed" and _spans(subscription, terms, start, end):
            yield TilingProblem("across_boundary", slot.pk, start, end)
    credited = [(start, end) for start, end, _, is_live in rows if not is_live]
    credited += [(held.from_on, held.until_on or after) for held in terms if held.standing != held.Standing.AGREED]
    yield from _holes(slot.pk, begins, after, sorted(tiles + live), sorted(credited))
    if on is not None:
        due = _due_before(subscription, terms, on)
        idle = [(held.from_on, held.until_on or date.max) for held in terms if held.standing != held.Standing.AGREED]
        if due is not None and after < due and _without([(after, due)], idle):
            yield TilingProblem("behind", slot.pk, after, due)


def _holes(
    slot_id: int, first: date, after: date, tiles: Sequence[tuple[date, date]], credited: Sequence[tuple[date, date]]
) -> Iterator[TilingProblem]:
    cursor = first
    for start, end in [*tiles, (after, after)]:
        if start < cursor and start < end:
            yield TilingProblem("twice", slot_id, start, min(cursor, end))
        for hole_start, hole_end in _without([(cursor, start)] if cursor < start else [], credited):
            yield TilingProblem("forgotten", slot_id, hole_start, hole_end)
        cursor = max(cursor, end)


def _without(holes: list[tuple[date, date]], fillings: Sequence[tuple[date, date]]) -> list[tuple[date, date]]:
    for start, end in fillings:
        holes = [
            piece
            for hole_start, hole_end in holes
            for piece in ((hole_start, min(hole_end, start)), (max(hole_start, end), hole_end))
            if piece[0] < piece[1]
        ]
    return holes


def _terms_on(terms: Sequence[SlotTerms], day: date) -> SlotTerms | None:
    return next((row for row in terms if row.from_on <= day and (row.until_on is None or row.until_on > day)), None)


def _counting(subscription: Any, terms: SlotTerms) -> tuple[Anchor, Interval]:
    interval = Interval(terms.interval_unit, terms.interval_count)  # type: ignore[arg-type]
    own: Any = terms if terms.anchor_on is not None else subscription
    return Anchor(own.anchor_on, own.anchor_month_day if interval.months else 0), interval


def _spans(subscription: Any, terms: Sequence[SlotTerms], start: date, end: date) -> bool:
    held = _terms_on(terms, start)
    if held is None:
        return True
    anchor, interval = _counting(subscription, held)
    return index_at(anchor, interval, start) != index_at(anchor, interval, end - ONE_DAY)


def _due_before(subscription: Any, terms: Sequence[SlotTerms], on: date) -> date | None:
    """The first day that need not be billed yet on that day; None where that is not to be said."""
    last = on if subscription.ends_on is None else min(on, subscription.ends_on)
    held = _terms_on(terms, last)
    waits = subscription.grace_days and subscription.renewal_rule == "renew"
    if held is None or waits or last < subscription.paid_from_on:
        return None
    if held.standing != held.Standing.AGREED:
        return held.from_on
    anchor, interval = _counting(subscription, held)
    n = index_at(anchor, interval, last)
    if held.billed == "advance":
        due = boundary(anchor, interval, n + 1)
        if held.until_on is not None:
            due = min(due, held.until_on)
    else:
        due = boundary(anchor, interval, n)
        if subscription.ends_on is not None and subscription.ends_on < on:
            due = subscription.ends_on + ONE_DAY
        due = max(due, held.from_on)
    if subscription.ends_on is not None:
        due = min(due, subscription.ends_on + ONE_DAY)
    return due
