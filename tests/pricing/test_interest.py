"""Interest for late payment against figures worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import PricingError
from pricing.interest import Rate, interest

#: Base rates of the German Federal Bank plus nine points.
GERMAN = [Rate(date(2023, 1, 1), Decimal("10.62")), Rate(date(2023, 7, 1), Decimal("12.12"))]


def test_a_period_within_one_half_year_bears_its_rate():
    # 1,190.00 x 10.62 % x 31 / 365 = 10.7334...
    found = interest(119_000, date(2023, 1, 1), date(2023, 1, 31), GERMAN)
    assert (found.minor, [part.days for part in found.parts], found.days_without_rate) == (1_073, [31], 0)
    assert found.parts[0].exact == Fraction(119_000 * 1062 * 31, 10_000 * 365)


def test_a_change_of_rate_splits_the_days():
    # 5,000.00: 16 days to 30 June at 10.62 % = 23.2767..., 15 days at 12.12 % = 24.9041...; together 48.1808...
    found = interest(500_000, date(2023, 6, 15), date(2023, 7, 15), GERMAN)
    assert [(part.days, part.percent) for part in found.parts] == [(16, Decimal("10.62")), (15, Decimal("12.12"))]
    assert found.minor == 4_818


def test_the_sum_is_rounded_once_and_not_each_part():
    # 1.00 for ten days at 10.62 % is 0.29 cents, and 0.33 cents at 12.12 %: nothing each, one cent together.
    found = interest(100, date(2023, 6, 21), date(2023, 7, 10), GERMAN)
    assert [int(part.exact + Fraction(1, 2)) for part in found.parts] == [0, 0]
    assert found.minor == 1


def test_a_day_of_a_leap_year_is_a_365th_too():
    # 365.00 at 10 % for 366 days = 36.60
    found = interest(36_500, date(2024, 1, 1), date(2024, 12, 31), [Rate(date(2024, 1, 1), Decimal(10))])
    assert found.minor == 3_660


def test_days_before_the_first_known_rate_bear_none_and_are_told():
    found = interest(119_000, date(2022, 12, 30), date(2023, 1, 31), GERMAN)
    assert (found.minor, found.days_without_rate) == (1_073, 2)


def test_days_after_a_rates_last_day_bear_none_and_are_told():
    rates = [Rate(date(2023, 1, 1), Decimal("10.62"), date(2023, 6, 30))]
    found = interest(500_000, date(2023, 6, 15), date(2023, 7, 15), rates)
    # 5,000.00 x 10.62 % x 16 / 365 = 23.2767...
    assert (found.minor, found.days_without_rate) == (2_328, 15)


def test_a_rate_below_zero_gives_nothing_back():
    assert interest(100_000, date(2022, 1, 1), date(2022, 1, 31), [Rate(date(2022, 1, 1), Decimal(-1))]).minor == 0


def test_no_day_bears_nothing():
    assert interest(100_000, date(2023, 2, 2), date(2023, 2, 1), GERMAN).minor == 0


def test_a_principal_below_zero_is_refused():
    with pytest.raises(PricingError):
        interest(-1, date(2023, 2, 2), date(2023, 2, 1), GERMAN)


@given(
    principal=st.integers(0, 10**9),
    first=st.dates(date(2023, 1, 1), date(2024, 12, 31)),
    days=st.integers(1, 400),
    cut=st.integers(0, 399),
)
def test_interest_of_two_stretches_is_that_of_the_whole_but_for_rounding(principal, first, days, cut):
    last = first + timedelta(days=days - 1)
    middle = first + timedelta(days=min(cut, days) - 1)
    whole = interest(principal, first, last, GERMAN)
    parts = [interest(principal, first, middle, GERMAN), interest(principal, middle + timedelta(days=1), last, GERMAN)]
    assert sum(part.days for part in whole.parts) == days
    assert sum(part.exact for part in whole.parts) == sum(one.exact for part in parts for one in part.parts)
    assert abs(whole.minor - sum(part.minor for part in parts)) <= 1
