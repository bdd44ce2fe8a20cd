"""Banking days of the euro: when TARGET settles. Days are dates; a debit is only ever collected on such a day.

Source: ECB, TARGET closing days: Saturdays, Sundays, 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

ONE_DAY = timedelta(days=1)


@lru_cache(maxsize=256)
def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous computus).

    >>> easter(2026), easter(2024)
    (datetime.date(2026, 4, 5), datetime.date(2024, 3, 31))
    """
    a, (b, c) = year % 19, divmod(year, 100)
    (d, e), g = divmod(b, 4), (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def is_open(day: date) -> bool:
    """Whether TARGET settles on that day.

    >>> is_open(date(2026, 4, 3)), is_open(date(2026, 4, 7)), is_open(date(2026, 5, 1))
    (False, True, False)
    """
    if day.weekday() >= 5 or (day.month, day.day) in {(1, 1), (5, 1), (12, 25), (12, 26)}:
        return False
    return day not in (easter(day.year) - 2 * ONE_DAY, easter(day.year) + ONE_DAY)


def on_or_after(day: date) -> date:
    """The day itself, or the next on which TARGET is open.

    >>> on_or_after(date(2026, 4, 3))
    datetime.date(2026, 4, 7)
    """
    while not is_open(day):
        day += ONE_DAY
    return day


def after(day: date, count: int) -> date:
    """So many banking days after a day, which itself doesn't count; none: the day itself.

    >>> after(date(2026, 4, 2), 1)
    datetime.date(2026, 4, 7)
    """
    for _ in range(count):
        day = on_or_after(day + ONE_DAY)
    return day


def before(day: date, count: int) -> date:
    """So many banking days before a day.

    >>> before(date(2026, 4, 7), 1)
    datetime.date(2026, 4, 2)
    """
    for _ in range(count):
        day -= ONE_DAY
        while not is_open(day):
            day -= ONE_DAY
    return day
