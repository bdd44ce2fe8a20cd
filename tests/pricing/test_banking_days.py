"""Banking days of the euro: TARGET's closing days, counted forwards and backwards."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import banking_days, sepa_rules

DAYS = st.dates(date(1999, 1, 1), date(2099, 12, 1))


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [(2000, 4, 23), (2008, 3, 23), (2011, 4, 24), (2025, 4, 20), (2026, 4, 5), (2027, 3, 28), (2038, 4, 25)],
)
def test_easter_is_where_the_calendar_has_it(year, month, day):
    assert banking_days.easter(year) == date(year, month, day)


@pytest.mark.parametrize(
    "closed",
    [
        date(2026, 1, 1),
        date(2026, 4, 3),
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 12, 25),
        date(2028, 12, 26),
        date(2026, 11, 21),
        date(2026, 11, 22),
    ],
)
def test_target_is_closed_on_its_holidays_and_weekends(closed):
    assert not banking_days.is_open(closed)


def test_a_national_holiday_is_a_banking_day():
    # Ascension and the day of German unity: TARGET settles.
    assert banking_days.is_open(date(2026, 5, 14))
    assert banking_days.is_open(date(2028, 10, 3))


def test_a_day_before_christmas_ends_after_it():
    assert banking_days.after(date(2026, 12, 24), 1) == date(2026, 12, 28)
    assert banking_days.before(date(2026, 12, 28), 1) == date(2026, 12, 24)


@given(DAYS)
def test_the_next_banking_day_is_open_and_none_is_skipped(day):
    found = banking_days.on_or_after(day)
    assert banking_days.is_open(found)
    assert day <= found <= day + timedelta(days=5)
    assert not any(banking_days.is_open(day + timedelta(days=step)) for step in range((found - day).days))


@given(DAYS, st.integers(1, 14))
def test_back_and_forth_is_the_same_banking_day(day, count):
    start = banking_days.on_or_after(day)
    assert banking_days.before(banking_days.after(start, count), count) == start


@given(DAYS, st.integers(0, 14))
def test_so_many_days_after_has_so_many_open_days_between(day, count):
    end = banking_days.after(day, count)
    between = [day + timedelta(days=step) for step in range(1, (end - day).days + 1)]
    assert sum(map(banking_days.is_open, between)) == count


@given(st.text(), st.integers(1, 140))
def test_a_text_for_the_bank_is_made_of_its_letters_alone(text, limit):
    found = sepa_rules.bank_text(text, limit)
    assert len(found) <= limit
    assert set(found) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ ")
    assert not found.startswith("/")
    assert not found.endswith("/")
    assert "//" not in found
    assert sepa_rules.bank_text(found, limit) == found


@pytest.mark.parametrize("known", ["DE98ZZZ09999999999", "NL46ZZZ123456780001", "AT61ZZZ01234567890"])
def test_a_creditor_id_with_one_wrong_digit_is_none(known):
    tried = [f"{known[:2]}{number:02}{known[4:]}" for number in range(2, 99)]
    good = next(text for text in tried if sepa_rules.is_creditor_id(text))
    for place in range(7, len(good)):
        other = "1" if good[place] != "1" else "2"
        assert not sepa_rules.is_creditor_id(good[:place] + other + good[place + 1 :])
    assert sepa_rules.is_creditor_id(f"{good[:4]}ABC{good[7:]}")
    assert not sepa_rules.is_creditor_id(good.lower())
