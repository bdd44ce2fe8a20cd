"""Simple interest on what is paid late: exact per day, rounded once at the end.

The rule that matters: a day bears the rate in force on it, and days without a known rate bear none and are told.
Amounts are minor units, rates percent a year; no clock, no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from pricing.errors import PricingError

ONE_DAY: Final = timedelta(days=1)
#: Directive 2011/7 and section 288 BGB name a yearly rate; per day it is a 365th, leap years included (actual/365).
YEAR_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class Rate:
    """A yearly rate in percent from a day on, until the next one begins or after `until_on` (its last day)."""

    from_on: date
    percent: Decimal
    until_on: date | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Days that bear one rate: first and last day, how many, the rate, and the exact interest in minor units."""

    from_on: date
    until_on: date
    days: int
    percent: Decimal
    exact: Fraction


@dataclass(frozen=True, slots=True)
class Interest:
    """The interest, rounded half up to a minor unit, its parts in order, and the days for which no rate is known."""

    minor: int
    parts: tuple[Part, ...]
    days_without_rate: int


def half_year_end(day: date) -> date:
    """Last day of the half-year in which the day lies.

    >>> half_year_end(date(2026, 6, 30)), half_year_end(date(2026, 7, 1))
    (datetime.date(2026, 6, 30), datetime.date(2026, 12, 31))
    """
    return date(day.year, 6, 30) if day.month <= 6 else date(day.year, 12, 31)


def interest(
    principal: int, from_on: date, until_on: date, rates: Sequence[Rate], *, year_days: int = YEAR_DAYS
) -> Interest:
    """Interest on `principal` from the first to the last day, both counted. `rates` in any order.

    10,000.00 at 10.15 % for the 30 days of April: 10,000 x 10.15 % x 30 / 365 = 83.424...

    >>> interest(1_000_000, date(2026, 4, 1), date(2026, 4, 30), [Rate(date(2026, 1, 1), Decimal("10.15"))]).minor
    8342
    """
    if principal < 0:
        raise PricingError("interest.principal", principal=principal)
    known = sorted(rates, key=lambda rate: rate.from_on)
    parts: list[Part] = []
    missing, day = 0, from_on
    while day <= until_on:
        rate = next((one for one in reversed(known) if one.from_on <= day), None)
        later = next((one.from_on - ONE_DAY for one in known if one.from_on > day), until_on)
        last = min(later, until_on)
        ends = rate.until_on if rate is not None else None
        if ends is not None and ends < day:
            rate = None
        elif ends is not None:
            last = min(last, ends)
        days = (last - day).days + 1
        if rate is None:
            missing += days
        else:
            exact = principal * Fraction(rate.percent) / 100 * days / year_days
            parts.append(Part(day, last, days, rate.percent, max(exact, Fraction(0))))
        day = last + ONE_DAY
    total = sum((part.exact for part in parts), Fraction(0))
    return Interest(int(total + Fraction(1, 2)), tuple(parts), missing)
