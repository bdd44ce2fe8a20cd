"""How the amount of a line becomes revenue, day by day.

The rule that matters: what is recognized up to a day is rounded once, from the whole amount; what a month brings is the
difference of two such sums, so that the months add up to the line exactly.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from pricing.errors import PricingError
from pricing.money import round_half_up


class BadPeriod(PricingError):
    """A period that has no day."""


def recognized(amount: int, start: date, end: date, until: date) -> int:
    """Minor units of `amount` recognized for the days before `until`; the period is [start, end).

    Each day takes the same share; the sum is rounded half away from zero, so that what is given back over the same days
    takes back exactly what was recognized.

    >>> recognized(100, date(2026, 1, 1), date(2026, 1, 4), date(2026, 1, 2))
    33
    >>> recognized(-100, date(2026, 1, 1), date(2026, 1, 4), date(2026, 1, 3))
    -67
    """
    days = (end - start).days
    if days < 1:
        raise BadPeriod("period_empty", start=start, end=end)
    if until <= start:
        return 0
    if until >= end:
        return amount
    return round_half_up(Fraction(amount * (until - start).days, days))


def by_month(amount: int, start: date, end: date) -> dict[date, int]:
    """What each month brings, by its first day, oldest first; months that bring nothing are left out.

    >>> by_month(3100, date(2026, 1, 17), date(2026, 2, 17)) == {date(2026, 1, 1): 1500, date(2026, 2, 1): 1600}
    True
    """
    found: dict[date, int] = {}
    before, month = 0, start.replace(day=1)
    while month < end:
        after = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
        told = recognized(amount, start, end, after)
        if told != before:
            found[month] = told - before
        before, month = told, after
    return found
