"""Revenue by days: months add up to the line, and what is given back takes back what was recognized."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.recognition import BadPeriod, by_month, recognized

DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))
AMOUNTS = st.integers(-(10**12), 10**12)
LENGTHS = st.integers(1, 1200)


@given(amount=AMOUNTS, start=DAYS, length=LENGTHS)
def test_the_months_add_up_to_the_line(amount: int, start: date, length: int) -> None:
    end = start + timedelta(days=length)
    months = by_month(amount, start, end)
    assert sum(months.values()) == amount
    assert all(month.day == 1 and start.replace(day=1) <= month < end for month in months)


@given(amount=AMOUNTS, start=DAYS, length=LENGTHS, until=DAYS)
def test_each_sum_is_within_half_a_unit_of_its_share(amount: int, start: date, length: int, until: date) -> None:
    end = start + timedelta(days=length)
    days = min(max((until - start).days, 0), length)
    told = recognized(amount, start, end, until)
    assert abs(2 * (told * length - amount * days)) <= length
    assert recognized(-amount, start, end, until) == -told


@given(amount=st.integers(0, 10**9), start=DAYS, length=LENGTHS, first=DAYS, later=st.integers(0, 400))
def test_nothing_recognized_is_taken_back_later(amount: int, start: date, length: int, first: date, later: int) -> None:
    end = start + timedelta(days=length)
    after = first + timedelta(days=later)
    assert 0 <= recognized(amount, start, end, first) <= recognized(amount, start, end, after) <= amount


def test_a_year_by_its_days() -> None:
    """365.00 for 2026 are 1.00 a day."""
    months = by_month(36500, date(2026, 1, 1), date(2027, 1, 1))
    assert [months[date(2026, month, 1)] for month in range(1, 13)] == [
        3100, 2800, 3100, 3000, 3100, 3000, 3100, 3100, 3000, 3100, 3000, 3100,
    ]  # fmt: skip


def test_a_period_without_a_day_is_refused() -> None:
    with pytest.raises(BadPeriod):
        recognized(1, date(2026, 1, 1), date(2026, 1, 1), date(2026, 1, 2))
