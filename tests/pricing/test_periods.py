"""Boundaries come from the anchor alone, periods tile the calendar, and stubs know the period they are a part of."""

from __future__ import annotations

import calendar as months
import copy
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.periods import (
    Anchor,
    BadAnchor,
    BadInterval,
    BadPeriod,
    Interval,
    Period,
    anniversary,
    boundary,
    calendar,
    chosen_day,
    index_at,
    period_at,
    periods_between,
)

MONTH, QUARTER, YEAR, WEEK = Interval("month"), Interval("month", 3), Interval("year"), Interval("week")

days = st.dates(date(1990, 1, 1), date(2110, 12, 31))
intervals = st.builds(Interval, st.sampled_from(["day", "week", "month", "year"]), st.integers(1, 40))


@st.composite
def anchors(draw: st.DrawFn) -> Anchor:
    """Any anchor, those aiming at a day their month is too short for included."""
    on = draw(days)
    if on.day == months.monthrange(on.year, on.month)[1]:
        return Anchor(on, draw(st.integers(on.day, 31)))
    return Anchor(on)


@given(anchors(), intervals, st.integers(-20, 20))
def test_a_boundary_is_anchor_plus_n_intervals_clamped(anchor: Anchor, interval: Interval, n: int) -> None:
    found = boundary(anchor, interval, n)
    if interval.unit in ("day", "week"):
        assert found == anchor.on + timedelta(days=n * interval.count * (7 if interval.unit == "week" else 1))
        return
    year, month = anchor.on.year, anchor.on.month + n * interval.count * (12 if interval.unit == "year" else 1)
    while month > 12:
        year, month = year + 1, month - 12
    while month < 1:
        year, month = year - 1, month + 12
    assert found == date(year, month, min(anchor.day, months.monthrange(year, month)[1]))


@given(anchors(), intervals, days)
def test_the_period_of_a_day_contains_it_and_no_other_does(anchor: Anchor, interval: Interval, day: date) -> None:
    n = index_at(anchor, interval, day)
    assert boundary(anchor, interval, n) <= day < boundary(anchor, interval, n + 1)
    assert period_at(anchor, interval, day) == Period(boundary(anchor, interval, n), boundary(anchor, interval, n + 1))


@given(anchors(), intervals, st.integers(-20, 20))
def test_a_boundary_finds_its_own_number_back(anchor: Anchor, interval: Interval, n: int) -> None:
    first = boundary(anchor, interval, n)
    assert index_at(anchor, interval, first) == n
    assert index_at(anchor, interval, first - timedelta(days=1)) == n - 1


@pytest.mark.parametrize("interval", [MONTH, Interval("month", 2), QUARTER, Interval("month", 5), YEAR], ids=str)
def test_a_period_ends_where_the_next_begins_for_every_anchor_day(interval: Interval) -> None:
    for month in range(1, 13):
        for day in range(1, 32):
            on = date(2024, month, min(day, months.monthrange(2024, month)[1]))
            found = list(periods_between(Anchor(on, day), interval, date(2023, 11, 17), date(2029, 3, 5)))
            assert found[0].start == date(2023, 11, 17)
            assert found[-1].end == date(2029, 3, 5)
            assert all(left.end == right.start for left, right in pairwise(found))


@given(anchors(), intervals, days, st.integers(1, 1500))
def test_periods_tile_any_stretch_of_days(anchor: Anchor, interval: Interval, start: date, length: int) -> None:
    end = start + timedelta(days=length)
    found = list(periods_between(anchor, interval, start, end))
    assert sum(period.days for period in found) == length
    assert (found[0].start, found[-1].end) == (start, end)
    for period in found:
        assert period.full == period_at(anchor, interval, period.start)
        assert period.share == Fraction(period.days, period.full.days)
    for left, right in pairwise(found):
        assert left.end == right.start
    assert all(period.share == 1 for period in found[1:-1])


@given(anchors(), intervals, days, st.lists(st.integers(1, 400), max_size=5))
def test_the_parts_of_a_period_are_worth_the_whole(
    anchor: Anchor, interval: Interval, day: date, cuts: list[int]
) -> None:
    full = period_at(anchor, interval, day)
    inner = {full.start + timedelta(days=cut) for cut in cuts}
    edges = [full.start, *sorted(edge for edge in inner if edge < full.end), full.end]
    parts = [Period(left, right, full) for left, right in pairwise(edges)]
    assert sum(part.share for part in parts) == 1


def test_no_days_make_no_periods() -> None:
    day = date(2026, 1, 5)
    assert list(periods_between(Anchor(day), MONTH, day, day)) == []
    assert list(periods_between(Anchor(day), MONTH, day, date(2026, 1, 1))) == []


def test_the_31st_is_clamped_in_short_months_and_returns() -> None:
    anchor = anniversary(date(2023, 1, 31))
    assert [boundary(anchor, MONTH, n).isoformat() for n in range(5)] == [
        "2023-01-31",
        "2023-02-28",
        "2023-03-31",
        "2023-04-30",
        "2023-05-31",
    ]


def test_the_29th_of_february_returns_in_leap_years() -> None:
    anchor = anniversary(date(2024, 2, 29))
    assert [boundary(anchor, YEAR, n).isoformat() for n in (-4, 1, 2, 3, 4)] == [
        "2020-02-29",
        "2025-02-28",
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
    ]


def test_1900_and_2100_are_no_leap_years() -> None:
    assert boundary(anniversary(date(2096, 2, 29)), YEAR, 4) == date(2100, 2, 28)


@pytest.mark.parametrize(
    ("interval", "start", "on"),
    [
        (WEEK, date(2026, 11, 18), date(2026, 11, 23)),
        (WEEK, date(2026, 11, 23), date(2026, 11, 23)),
        (Interval("week", 2), date(2026, 11, 24), date(2026, 11, 30)),
        (MONTH, date(2026, 1, 1), date(2026, 1, 1)),
        (MONTH, date(2026, 12, 2), date(2027, 1, 1)),
        (Interval("month", 2), date(2026, 1, 2), date(2026, 3, 1)),
        (QUARTER, date(2026, 2, 1), date(2026, 4, 1)),
        (QUARTER, date(2026, 10, 1), date(2026, 10, 1)),
        (Interval("month", 6), date(2026, 1, 2), date(2026, 7, 1)),
        (YEAR, date(2026, 1, 1), date(2026, 1, 1)),
        (YEAR, date(2026, 1, 2), date(2027, 1, 1)),
    ],
)
def test_a_calendar_anchor_is_the_first_calendar_boundary_from_the_start(
    interval: Interval, start: date, on: date
) -> None:
    assert calendar(interval, start) == Anchor(on)


@pytest.mark.parametrize(
    ("interval", "code"),
    [
        (Interval("day", 1), "anchor_calendar_of_days"),
        (Interval("month", 5), "anchor_calendar_count"),
        (Interval("month", 24), "anchor_calendar_count"),
        (Interval("week", 8), "anchor_calendar_count"),
    ],
)
def test_an_interval_without_a_calendar_may_not_use_it(interval: Interval, code: str) -> None:
    with pytest.raises(BadAnchor) as refusal:
        calendar(interval, date(2026, 1, 1))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("interval", "day", "start", "on"),
    [
        (MONTH, 15, date(2026, 1, 15), date(2026, 1, 15)),
        (MONTH, 15, date(2026, 1, 16), date(2026, 2, 15)),
        (MONTH, 31, date(2026, 2, 10), date(2026, 2, 28)),
        (MONTH, 31, date(2026, 4, 30), date(2026, 4, 30)),
        (MONTH, 30, date(2012, 1, 31), date(2012, 2, 29)),
        (YEAR, 30, date(2012, 1, 31), date(2012, 2, 29)),
        (QUARTER, 13, date(2011, 2, 1), date(2011, 2, 13)),
        (MONTH, 1, date(2026, 12, 2), date(2027, 1, 1)),
    ],
)
def test_a_chosen_day_is_the_first_such_day_from_the_start(interval: Interval, day: int, start: date, on: date) -> None:
    anchor = chosen_day(interval, day, start)
    assert (anchor.on, anchor.day, anchor.month) == (on, day, on.month)


@pytest.mark.parametrize(
    ("interval", "day", "code"),
    [
        (WEEK, 3, "anchor_day_without_months"),
        (Interval("day", 30), 3, "anchor_day_without_months"),
        (MONTH, 0, "anchor_day_outside_month"),
        (MONTH, 32, "anchor_day_outside_month"),
    ],
)
def test_a_day_no_month_has_can_not_be_chosen(interval: Interval, day: int, code: str) -> None:
    with pytest.raises(BadAnchor) as refusal:
        chosen_day(interval, day, date(2026, 1, 1))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("on", "day", "month"),
    [
        (date(2026, 4, 29), 31, 4),
        (date(2026, 4, 30), 29, 4),
        (date(2026, 4, 30), 32, 4),
        (date(2026, 4, 30), -1, 4),
        (date(2026, 4, 30), 31, 5),
    ],
)
def test_an_anchor_that_contradicts_itself_is_refused(on: date, day: int, month: int) -> None:
    with pytest.raises(BadAnchor):
        Anchor(on, day, month)


@pytest.mark.parametrize(("unit", "count"), [("fortnight", 1), ("month", 0), ("month", -1), ("month", 1.5)])
def test_an_interval_of_nothing_is_refused(unit: str, count: int) -> None:
    with pytest.raises(BadInterval):
        Interval(unit, count)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [date(2026, 1, 1), date(2025, 12, 31)])
def test_a_period_that_ends_before_it_begins_is_refused(end: date) -> None:
    with pytest.raises(BadPeriod) as refusal:
        Period(date(2026, 1, 1), end)
    assert refusal.value.code == "period_ends_before_it_begins"


def test_a_stub_outside_its_full_period_is_refused() -> None:
    january = Period(date(2026, 1, 1), date(2026, 2, 1))
    with pytest.raises(BadPeriod) as refusal:
        Period(date(2026, 1, 20), date(2026, 2, 2), january)
    assert refusal.value.code == "period_outside_its_full_period"


def test_a_boundary_beyond_the_calendar_is_refused() -> None:
    for interval in (MONTH, WEEK):
        with pytest.raises(BadPeriod) as refusal:
            boundary(Anchor(date(9999, 12, 1)), interval, 10)
        assert refusal.value.code == "date_out_of_range"


def test_a_period_can_not_be_changed() -> None:
    period = Period(date(2026, 1, 1), date(2026, 2, 1))
    with pytest.raises(AttributeError):
        period.end = date(2026, 3, 1)
    with pytest.raises(AttributeError):
        del period.end


def test_a_period_is_half_open() -> None:
    period = Period(date(2026, 1, 1), date(2026, 2, 1))
    assert (period.contains(date(2026, 1, 1)), period.contains(date(2026, 2, 1))) == (True, False)
    assert (period.days, period.last_day) == (31, date(2026, 1, 31))


def test_equal_periods_are_one_key_and_survive_copying() -> None:
    january = Period(date(2026, 1, 1), date(2026, 2, 1))
    stub = Period(date(2026, 1, 11), date(2026, 2, 1), january)
    assert len({january, Period(date(2026, 1, 1), date(2026, 2, 1), january), stub}) == 2
    assert copy.deepcopy(stub) == stub
    assert stub != Period(stub.start, stub.end)
