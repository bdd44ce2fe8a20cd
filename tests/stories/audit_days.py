"""Days and what they cost, counted once more from the terms: each agreed day is charged at its terms, once.

The one rule: periods are found here by counting boundaries one by one from the anchor, without the product's calendar.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterator
from copy import copy
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any

DAY = timedelta(days=1)
ENDED = ("canceled", "expired")


@lru_cache(maxsize=4096)
def boundary(anchor_on: date, month_day: int, unit: str, count: int, number: int) -> date:
    """Boundary number `number`, from zero at the anchor; may be below zero."""
    if unit in ("day", "week"):
        return anchor_on + number * count * (7 if unit == "week" else 1) * DAY
    months = anchor_on.year * 12 + anchor_on.month - 1 + number * count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(month_day, monthrange(year, month + 1)[1]))


@lru_cache(maxsize=65536)
def full_period(anchor_on: date, month_day: int, unit: str, count: int, day: date) -> tuple[date, date]:
    """The period that contains the day, found by walking from the anchor in either direction."""
    number = 0
    while boundary(anchor_on, month_day, unit, count, number) > day:
        number -= 1
    while boundary(anchor_on, month_day, unit, count, number + 1) <= day:
        number += 1
    return boundary(anchor_on, month_day, unit, count, number), boundary(anchor_on, month_day, unit, count, number + 1)


def period_of(subscription: Any, terms: Any, day: date) -> tuple[date, date]:
    own = terms if terms.anchor_on is not None else subscription
    month_day = own.anchor_month_day or own.anchor_on.day
    return full_period(own.anchor_on, month_day, terms.interval_unit, terms.interval_count, day)


def days_of(start: date, end: date) -> Iterator[date]:
    while start < end:
        yield start
        start += DAY


def terms_on(rows: list[Any], day: date) -> Any:
    [found] = [row for row in rows if row.from_on <= day and (row.until_on is None or day < row.until_on)] or [None]
    return found


def days_match_terms(company: Any, today: date) -> None:
    """Each billed day costs what its terms say for that day, and each agreed day that is due is billed."""
    from billing.models import BilledDays
    from subscriptions.models import Slot

    full = full_prices(company)
    billed: defaultdict[int, list[Any]] = defaultdict(list)
    for row in BilledDays.objects.filter(company=company, released_at__isnull=True).select_related("line"):
        if row.component == "base" or row.component.startswith("added:"):
            billed[row.slot_id].append(row)
    slots = Slot.objects.filter(company=company, kind="recurring").select_related("subscription")
    for slot in slots.prefetch_related("terms"):
        _slot(slot, sorted(slot.terms.all(), key=lambda row: row.from_on), billed[slot.pk], full, today)


def full_prices(company: Any) -> dict[int, int]:
    """Of each line by id: its amount before discounts and credit granted."""
    from django.db.models import Sum

    from billing.models import CreditUse, InvoiceLine

    used = CreditUse.objects.filter(company=company, amount_minor__gt=0).values_list("line_id")
    granted = dict(used.annotate(Sum("amount_minor")).order_by())
    lines = InvoiceLine.objects.filter(company=company)
    return {line.pk: line.amount_minor + line.discount_minor + granted.get(line.pk, 0) for line in lines}


def _slot(slot: Any, terms: list[Any], billed: list[Any], full: dict[int, int], today: date) -> None:
    subscription = slot.subscription
    for row, following in zip(terms, terms[1:], strict=False):
        assert row.until_on == following.from_on, (slot.pk, row.until_on, following.from_on)
    paid: defaultdict[date, Fraction] = defaultdict(Fraction)
    slack: defaultdict[date, Fraction] = defaultdict(Fraction)
    covered: set[date] = set()
    free: set[date] = set()
    forfeited: set[date] = set()
    for row in billed:
        if row.component == "base":
            covered.update(days_of(row.days.lower, row.days.upper))
        if row.kind == "forfeited":
            forfeited.update(days_of(row.days.lower, row.days.upper))
        if row.line is None:
            free.update(days_of(row.days.lower, row.days.upper))
            continue
        length = (row.line.period_end - row.line.period_start).days
        for day in days_of(row.days.lower, row.days.upper):
            paid[day] += Fraction(full[row.line_id], length)
            slack[day] += Fraction(1, 2 * length) if row.component == "base" else Fraction(1, length)
    charged = _as_charged(terms, today)
    for day in covered | set(paid):
        if day not in free and day not in forfeited:
            _costs_its_terms(slot, terms_on(charged, day), day, paid[day], slack[day])
    last = today if subscription.ends_on is None else min(today, subscription.ends_on)
    for day in days_of(max(subscription.paid_from_on, terms[0].from_on), last + DAY):
        held = terms_on(terms, day)
        if held.standing == "agreed" and day not in covered:
            assert not _is_due(subscription, terms, held, day, today), (slot.pk, day, "is not billed")


def _as_charged(terms: list[Any], today: date) -> list[Any]:
    """The terms under which days ahead were billed: a planned change settles them on its own day, not before."""
    rows: list[Any] = []
    for row in terms:
        if rows and row.settles and row.from_on > today:
            rows[-1].until_on = None
            break
        rows.append(copy(row))
    return rows


def _costs_its_terms(slot: Any, held: Any, day: date, paid: Fraction, slack: Fraction) -> None:
    if held.standing == "suspended":
        # What was issued before stands, unless the pause of service gives it back.
        return
    assert held.standing == "agreed", (slot.pk, day, held.standing, "is billed")
    assert (held.model, held.is_prorated) in (("per_unit", True), ("flat", True))
    start, end = period_of(slot.subscription, held, day)
    price = held.unit_amount * (held.quantity if held.model == "per_unit" else 1) * 100
    agreed = Fraction(price) / (end - start).days
    assert abs(paid - agreed) <= slack, (slot.pk, day, float(paid), float(agreed), "is not what the terms say")


def _is_due(subscription: Any, terms: list[Any], held: Any, day: date, today: date) -> bool:
    """Whether that agreed day must be billed by today."""
    if held.billed == "advance":
        return True
    _, end = period_of(subscription, held, day)
    if held.until_on is not None:
        end = min(end, held.until_on)
    if subscription.ends_on is not None:
        end = min(end, subscription.ends_on + DAY)
    return end <= today


def notes_give_back_days(company: Any) -> None:
    """Kept + credited = charged: a line keeps its amount for the days it still bills; only notes by hand take more.

    Each time days are taken back, what they are worth is rounded once; where that is nothing, there is no note to see.
    """
    from billing.models import BilledDays, CreditNoteLine, InvoiceLine

    live: defaultdict[int, int] = defaultdict(int)
    released: Counter[int] = Counter()
    for row in BilledDays.objects.filter(company=company, line__isnull=False):
        if row.released_at is None:
            live[row.line_id] += (row.days.upper - row.days.lower).days
        else:
            released[row.line_id] += 1
    notes: defaultdict[int, list[Any]] = defaultdict(list)
    for given in CreditNoteLine.objects.filter(company=company).select_related("credit_note"):
        notes[given.invoice_line_id].append(given)
    lines = InvoiceLine.objects.filter(company=company, kind__in=("base", "added"), invoice__sequence__isnull=False)
    for line in lines:
        length = (line.period_end - line.period_start).days
        back = Fraction(line.amount_minor) * (length - live[line.pk]) / length
        by_hand = sum(note.amount_minor for note in notes[line.pk] if note.credit_note.cause == "manual")
        automatic = [note.amount_minor for note in notes[line.pk] if note.credit_note.cause != "manual"]
        credited = by_hand + sum(automatic)
        slack = Fraction(max(len(automatic), released[line.pk]), 2)
        told = (line.pk, line.amount_minor, length, live[line.pk], by_hand, automatic)
        assert 0 <= credited <= line.amount_minor, told
        if any(note.credit_note.cause == "void" for note in notes[line.pk]):
            assert (credited, live[line.pk]) == (line.amount_minor, 0), told
        elif by_hand and credited == line.amount_minor:
            # Notes by hand left less on the line than its days were worth.
            assert sum(automatic) <= back + slack, told
        else:
            assert abs(sum(automatic) - back) <= slack, told
