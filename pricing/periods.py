"""Anchors, intervals and the periods they cut the calendar into.

The rule that matters: the n-th boundary is anchor + n intervals, clamped to the month's last day at each boundary and
never counted from the previous one, so 31 January gives 28 February and then 31 March. Periods are half open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final, Literal, NoReturn

from pricing.errors import PricingError

Unit = Literal["day", "week", "month", "year"]

_DAYS: Final[dict[str, int]] = {"day": 1, "week": 7, "month": 0, "year": 0}
_MONTHS: Final[dict[str, int]] = {"day": 0, "week": 0, "month": 1, "year": 12}
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class BadInterval(PricingError):
    """No such interval."""


class BadAnchor(PricingError):
    """No such anchor, or not for this interval."""


class BadPeriod(PricingError):
    """A period that ends before it has begun, or days outside the calendar."""


def days_in_month(year: int, month: int) -> int:
    """How many days the month has.

    >>> days_in_month(2024, 2), days_in_month(2100, 2)
    (29, 28)
    """
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        return 29
    return _MONTH_DAYS[month - 1]


def month_end(day: date) -> date:
    """The last day of the day's month.

    >>> month_end(date(2028, 2, 1)), month_end(date(2027, 12, 31))
    (datetime.date(2028, 2, 29), datetime.date(2027, 12, 31))
    """
    return day.replace(day=days_in_month(day.year, day.month))


def add_months(day: date, months: int, wanted_day: int = 0) -> date:
    """The same day so many months later (or earlier), clamped to that month's last day.

    `wanted_day` is the day of the month to aim at, when the given one was clamped itself.

    >>> add_months(date(2024, 1, 31), 1), add_months(date(2024, 2, 29), 1, 31)
    (datetime.date(2024, 2, 29), datetime.date(2024, 3, 31))
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = _MONTH_DAYS[month] if month != 1 else days_in_month(year, 2)
    aimed = wanted_day or day.day
    try:
        return date(year, month + 1, aimed if aimed <= last else last)
    except ValueError:
        raise BadPeriod("date_out_of_range") from None


def _add_days(day: date, days: int) -> date:
    try:
        return date.fromordinal(day.toordinal() + days)
    except (ValueError, OverflowError):
        raise BadPeriod("date_out_of_range") from None


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a period is: `count` times a unit. A quarter is three months, a year is twelve.

    >>> Interval("year", 1).months, Interval("week", 2).days
    (12, 14)
    """

    unit: Unit
    count: int = 1

    def __post_init__(self) -> None:
        if self.unit not in _DAYS:
            raise BadInterval("interval_unit_unknown", unit=self.unit)
        if type(self.count) is not int or self.count < 1:
            raise BadInterval("interval_count_below_one", count=self.count)

    @property
    def months(self) -> int:
        """Its months, 0 for intervals of days and weeks."""
        return _MONTHS[self.unit] * self.count

    @property
    def days(self) -> int:
        """Its days, 0 for intervals of months and years: those have no fixed number."""
        return _DAYS[self.unit] * self.count


@dataclass(frozen=True, slots=True)
class Anchor:
    """What every boundary is counted from: `on` is the 0-th boundary, `day` the day of the month it aims at.

    `day` differs from `on.day` only where the month of `on` was too short for it: the 31st, begun in April, is
    `Anchor(date(2026, 4, 30), day=31)`. `day` and `month` default to those of `on`. Raises `BadAnchor`.
    """

    on: date
    day: int = 0
    month: int = 0

    def __post_init__(self) -> None:
        on = self.on
        if not self.month:
            object.__setattr__(self, "month", on.month)
        if not self.day:
            object.__setattr__(self, "day", on.day)
        elif on.day != self.day and not (self.day <= 31 and on.day == days_in_month(on.year, on.month) < self.day):
            raise BadAnchor("anchor_day_mismatch", day=self.day, on=on)
        if self.month != on.month:
            raise BadAnchor("anchor_month_mismatch", month=self.month, on=on)

    @classmethod
    def anniversary(cls, first_paid_on: date) -> Anchor:
        """The anchor of the first paid day itself."""
        return cls(first_paid_on)

    @classmethod
    def calendar(cls, interval: Interval, start: date) -> Anchor:
        """The first calendar boundary on or after the start: Monday, the 1st, 1 Jan/Apr/Jul/Oct, 1 January.

        Intervals of days, and counts that don't divide 12, have no calendar and raise `BadAnchor`.

        >>> Anchor.calendar(Interval("month", 3), date(2026, 2, 10)).on
        datetime.date(2026, 4, 1)
        """
        if interval.unit == "day":
            raise BadAnchor("anchor_calendar_of_days")
        if 12 % interval.count:
            raise BadAnchor("anchor_calendar_count", count=interval.count)
        if interval.unit == "week":
            return cls(_add_days(start, -start.weekday() % 7))
        # Months are aligned to January; years begin in it whatever their count.
        step = 12 if interval.unit == "year" else interval.count
        month = start.year * 12 + start.month - 1 + (1 if start.day > 1 else 0)
        year, month = divmod(-(-month // step) * step, 12)
        if year > 9999:
            raise BadPeriod("date_out_of_range")
        return cls(date(year, month + 1, 1))

    @classmethod
    def chosen_day(cls, interval: Interval, day: int, start: date) -> Anchor:
        """The first such day of a month on or after the start; months and years only, else `BadAnchor`.

        >>> Anchor.chosen_day(Interval("month"), 30, date(2012, 1, 31)).on
        datetime.date(2012, 2, 29)
        """
        if interval.unit not in ("month", "year"):
            raise BadAnchor("anchor_day_without_months", unit=interval.unit)
        if type(day) is not int or not 1 <= day <= 31:
            raise BadAnchor("anchor_day_outside_month", day=day)
        on = add_months(start, 0, day)
        if on < start:
            on = add_months(start, 1, day)
        return cls(on, day)


def anniversary(first_paid_on: date) -> Anchor:
    """See `Anchor.anniversary`."""
    return Anchor.anniversary(first_paid_on)


def calendar(interval: Interval, start: date) -> Anchor:
    """See `Anchor.calendar`."""
    return Anchor.calendar(interval, start)


def chosen_day(interval: Interval, day: int, start: date) -> Anchor:
    """See `Anchor.chosen_day`."""
    return Anchor.chosen_day(interval, day, start)


class Period:
    """Days from `start` up to, but without, `end`; refuses an end that is not after its start.

    A stub names the full period that contains it; the `full` of a whole period is itself. Immutable and hashable.

    >>> stub = Period(date(2026, 1, 20), date(2026, 2, 1), Period(date(2026, 1, 1), date(2026, 2, 1)))
    >>> stub.days, stub.share
    (12, Fraction(12, 31))
    """

    __slots__ = ("_full", "end", "start")

    start: date
    end: date
    _full: Period | None

    def __init__(self, start: date, end: date, full: Period | None = None) -> None:
        if end <= start:
            raise BadPeriod("period_ends_before_it_begins", start=start, end=end)
        if full is not None:
            if start < full.start or end > full.end:
                raise BadPeriod("period_outside_its_full_period", start=start, end=end)
            if start == full.start and end == full.end:
                full = None
        put = object.__setattr__
        put(self, "start", start)
        put(self, "end", end)
        put(self, "_full", full)

    @property
    def full(self) -> Period:
        """The full period of a stub, else itself."""
        return self if self._full is None else self._full

    @property
    def days(self) -> int:
        """How many days it has; at least one."""
        return self.end.toordinal() - self.start.toordinal()

    @property
    def last_day(self) -> date:
        """The last day in it, for people: the day before `end`."""
        return _add_days(self.end, -1)

    @property
    def share(self) -> Fraction:
        """Its days over the days of its full period, in (0, 1]."""
        return _WHOLE if self._full is None else Fraction(self.days, self._full.days)

    def contains(self, day: date) -> bool:
        """Whether the day is one of its days."""
        return self.start <= day < self.end

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Period):
            return NotImplemented
        return self.start == other.start and self.end == other.end and self._full == other._full

    def __hash__(self) -> int:
        return hash((self.start, self.end, self._full))

    def __reduce__(self) -> tuple[type[Period], tuple[date, date, Period | None]]:
        return (Period, (self.start, self.end, self._full))

    def __repr__(self) -> str:
        of = "" if self._full is None else f" of {self._full.start}..{self._full.end}"
        return f"<Period {self.start}..{self.end}{of}>"


_WHOLE: Final = Fraction(1)


def boundary(anchor: Anchor, interval: Interval, n: int) -> date:
    """The n-th boundary: anchor + n intervals, clamped; n may be negative. Raises `BadPeriod` outside the calendar.

    >>> [boundary(Anchor(date(2023, 1, 31)), Interval("month"), n).isoformat() for n in (0, 1, 2)]
    ['2023-01-31', '2023-02-28', '2023-03-31']
    """
    days = _DAYS[interval.unit]
    if days:
        return _add_days(anchor.on, n * days * interval.count)
    return add_months(anchor.on, n * _MONTHS[interval.unit] * interval.count, anchor.day)


def index_at(anchor: Anchor, interval: Interval, day: date) -> int:
    """The largest n whose boundary is on or before the day: the number of the period that contains it.

    >>> index_at(Anchor(date(2023, 1, 31)), Interval("month"), date(2023, 2, 27))
    0
    """
    on = anchor.on
    step = _DAYS[interval.unit]
    if step:
        return (day.toordinal() - on.toordinal()) // (step * interval.count)
    year, month = day.year, day.month
    step = _MONTHS[interval.unit] * interval.count
    n, rest = divmod((year - on.year) * 12 + month - on.month, step)
    # In the boundary's own month, the days before the clamped boundary still belong to the period before.
    if rest == 0 and day.day < anchor.day and day.day < days_in_month(year, month):
        n -= 1
    return n


def period_at(anchor: Anchor, interval: Interval, day: date) -> Period:
    """The full period that contains the day.

    >>> period_at(Anchor(date(2023, 1, 31)), Interval("month"), date(2023, 3, 1))
    <Period 2023-02-28..2023-03-31>
    """
    n = index_at(anchor, interval, day)
    return Period(boundary(anchor, interval, n), boundary(anchor, interval, n + 1))


def periods_between(anchor: Anchor, interval: Interval, start: date, end: date) -> Iterator[Period]:
    """The periods that cover [start, end), in order; the first and the last may be stubs that know their full period.

    Yields nothing when there is no day to cover.

    >>> [
    ...     p.days
    ...     for p in periods_between(Anchor(date(2026, 2, 1)), Interval("month"), date(2026, 1, 20), date(2026, 3, 3))
    ... ]
    [12, 28, 2]
    """
    if end <= start:
        return
    n = index_at(anchor, interval, start)
    begins = boundary(anchor, interval, n)
    while begins < end:
        n += 1
        ends = boundary(anchor, interval, n)
        if begins >= start and ends <= end:
            yield Period(begins, ends)
        else:
            yield Period(max(begins, start), min(ends, end), Period(begins, ends))
        begins = ends
