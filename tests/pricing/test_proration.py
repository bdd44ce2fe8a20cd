"""A share is exact, and what is credited and what is kept are what was charged."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.money import to_minor
from pricing.periods import Anchor, Interval, chosen_day, periods_between
from pricing.proration import BadShare, credit_for_days, credit_for_rest, credit_for_unused, prorated


@given(st.integers(0, 10**9), st.integers(1, 366), st.data())
def test_kept_and_credited_are_what_was_charged(charged: int, line_days: int, data: st.DataObject) -> None:
    credited = 0
    billed_days = line_days
    while billed_days:
        unused = data.draw(st.integers(1, billed_days))
        part = credit_for_days(charged, line_days, unused, billed_days, credited)
        credited += part
        billed_days -= unused
        assert 0 <= part <= charged - (credited - part)
    assert credited == charged


@given(st.integers(0, 10**9), st.integers(1, 400), st.data())
def test_a_credit_is_within_half_a_unit_of_its_exact_value(charged: int, line_days: int, data: st.DataObject) -> None:
    unused = data.draw(st.integers(0, line_days))
    credit = credit_for_unused(charged, line_days, unused)
    assert abs(credit - Fraction(charged * unused, line_days)) <= Fraction(1, 2)


@given(st.integers(0, 10**6), st.integers(1, 60), st.data())
def test_no_credit_is_more_than_what_is_left(charged: int, line_days: int, data: st.DataObject) -> None:
    already = data.draw(st.integers(0, charged))
    unused = data.draw(st.integers(0, line_days))
    assert credit_for_unused(charged, line_days, unused, already) <= charged - already


def test_the_last_part_takes_what_is_left() -> None:
    # Ten cents over three days: 3 + 3 would leave a cent behind, so the last day gives back 4.
    assert [
        credit_for_days(10, 3, 1, 3),
        credit_for_days(10, 3, 1, 2, 3),
        credit_for_days(10, 3, 1, 1, 6),
    ] == [3, 3, 4]
    assert credit_for_rest(10, 6) == 4


def test_a_goodwill_credit_before_lowers_what_days_give_back() -> None:
    assert credit_for_unused(3000, 30, 15, already_credited=2500) == 500


@pytest.mark.parametrize(
    ("figures", "code"),
    [
        ((100, 30, 31, 0), "days_outside_line"),
        ((100, 30, -1, 0), "days_outside_line"),
        ((100, 0, 0, 0), "days_outside_line"),
        ((100, 30, 1, 101), "credited_outside_line"),
        ((100, 30, 1, -1), "credited_outside_line"),
        ((-100, 30, 1, 0), "line_below_zero"),
    ],
)
def test_impossible_credits_are_refused(figures: tuple[int, int, int, int], code: str) -> None:
    with pytest.raises(BadShare) as refusal:
        credit_for_unused(*figures)
    assert refusal.value.code == code


def test_more_days_than_are_still_billed_are_refused() -> None:
    with pytest.raises(BadShare):
        credit_for_days(100, 30, 11, 10)


@pytest.mark.parametrize("share", [Fraction(-1, 31), Fraction(32, 31)])
def test_a_share_is_a_part_of_a_whole(share: Fraction) -> None:
    with pytest.raises(BadShare):
        prorated(Decimal(1), share)


@pytest.mark.parametrize(
    ("start", "day", "count", "end", "amounts"),
    [
        # 12 of the 31 days of 13 Jan - 13 Feb.
        (date(2011, 2, 1), 13, 1, date(2011, 4, 13), [38710, 100000, 100000]),
        # 12 of the 92 days of 13 Nov - 13 Feb: a quarter's stub.
        (date(2011, 2, 1), 13, 3, date(2011, 8, 13), [13043, 100000, 100000]),
        # 14 of 92 days before, 12 of 91 days after.
        (date(2011, 1, 1), 15, 3, date(2011, 4, 27), [15217, 100000, 13187]),
        # 7 of 31 days of 7 Jan - 7 Feb, 3 of 31 days of 7 Mar - 7 Apr.
        (date(2011, 1, 31), 7, 1, date(2011, 3, 10), [22581, 100000, 9677]),
    ],
)
def test_stubs_cost_their_days_of_the_full_period(
    start: date, day: int, count: int, end: date, amounts: list[int]
) -> None:
    interval = Interval("month", count)
    periods = periods_between(chosen_day(interval, day, start), interval, start, end)
    assert [to_minor(prorated(Decimal(1000), period.share), "EUR") for period in periods] == amounts


def test_a_year_is_365_or_366_days() -> None:
    anchor = Anchor(date(2011, 1, 1))
    shares = [
        next(periods_between(anchor, Interval("year"), date(year, 1, 1), date(year, 1, 15))).share
        for year in (2011, 2012)
    ]
    assert shares == [Fraction(14, 365), Fraction(14, 366)]
