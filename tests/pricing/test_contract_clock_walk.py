"""The contract clock against a calendar walked day by day, written apart: nothing of `pricing` computes here.

A day after an end is free when notice reaches it, the minimum term is over and the target allows it; the walk tries one
day after the other. Months are counted by turning the pages of the calendar.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pricing.periods import Anchor, Interval
from pricing.terms import Notice, Terms, contract_clock

ONE = timedelta(days=1)


def last_of_month(day: date) -> int:
    while (day + ONE).month == day.month:
        day += ONE
    return day.day


def months_on(day: date, months: int, aim: int) -> date:
    """So many pages on (or back), at the day aimed at or the month's last."""
    page = day.replace(day=1)
    for _ in range(abs(months)):
        page = (page - ONE).replace(day=1) if months < 0 else page.replace(day=last_of_month(page)) + ONE
    return page.replace(day=min(aim, last_of_month(page)))


def later(day: date, count: int, unit: str, aim: int | None = None) -> date:
    if unit == "day":
        return day + count * ONE
    if unit == "week":
        return day + 7 * count * ONE
    return months_on(day, count * (12 if unit == "year" else 1), aim or day.day)


def steps(first: date, count: int, unit: str, until: date, aim: int | None = None) -> set[date]:
    """The first day, and every one so many lengths after it, to the first one past `until`."""
    found, n = {first}, 1
    while max(found) <= until:
        found.add(later(first, n * count, unit, aim))
        n += 1
    return found


def boundaries(anchor: date, count: int, unit: str, since: date, until: date) -> set[date]:
    found, n = steps(anchor, count, unit, until), -1
    while min(found) > since:
        found.add(later(anchor, n * count, unit))
        n -= 1
    return found


def in_time(end: date, count: int, unit: str) -> date:
    """The last day on which notice reaches that last day of service."""
    return later(end + ONE, -count, unit) - ONE


lengths = st.one_of(
    st.tuples(st.integers(1, 30), st.just("month")),
    st.tuples(st.integers(1, 2), st.just("year")),
    st.tuples(st.integers(1, 8), st.just("week")),
)
notices = st.tuples(
    st.integers(0, 40) | st.integers(0, 3),
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["any_day", "month_end", "period_end", "term_end"]),
).filter(lambda notice: notice[0] <= {"day": 40, "week": 8, "month": 4}[notice[1]])
some_day = st.dates(date(2023, 1, 1), date(2028, 12, 31))
contracts = st.fixed_dictionaries(
    {
        # The first and the last days of months are where months are counted wrongly.
        "first": st.one_of(
            some_day, some_day.map(lambda day: day.replace(day=1)), some_day.map(lambda day: later(day, 0, "month", 31))
        ),
        "interval": st.sampled_from([(1, "month"), (3, "month"), (1, "year"), (2, "week"), (10, "day")]),
        "minimum": st.none() | lengths,
        "notice": notices,
        "rule": st.sampled_from(["renew", "evergreen", "expire"]),
        "renewal": st.none() | lengths,
        "grace": st.sampled_from([0, 0, 3, 14]),
        "after": st.integers(0, 1200),
    }
)


def walked(case: dict[str, Any]) -> tuple[date | None, date, date | None]:
    """(cancel by, earliest end, renews on), found by trying day after day."""
    first, on = case["first"], case["first"] + case["after"] * ONE
    count, unit, to = case["notice"]
    length = case["minimum"] or case["renewal"]
    horizon = on + 3000 * ONE
    periods = boundaries(first, *case["interval"], first, horizon)
    if length is None:
        terms = {day for day in periods if day > first}
    else:
        begun = later(first, *length)
        further = case["renewal"] or length
        aims_at_first = further[1] in ("month", "year") and length[1] in ("month", "year")
        terms = steps(begun, *further, horizon, first.day if aims_at_first else None)
    if case["rule"] == "expire" and on > min(terms) - ONE:
        return None, min(terms) - ONE, None

    bound = first if to == "any_day" else first + ONE
    if case["minimum"] is not None:
        bound = later(first, *case["minimum"])

    def is_allowed(day: date) -> bool:
        if to == "month_end":
            return day.day == 1
        if to == "period_end":
            return day in periods
        if to == "term_end" and case["rule"] == "renew":
            return day in terms
        return to != "term_end" or length is None or day >= min(terms)

    day = max(on + ONE, bound)
    while not (is_allowed(day) and on <= in_time(day - ONE, count, unit)):
        day += ONE
    end, by = day - ONE, in_time(day - ONE, count, unit)
    if case["rule"] == "renew" and case["grace"]:
        for renewal in sorted(terms):
            last = renewal + (case["grace"] - 1) * ONE
            if renewal >= bound and last >= on and renewal - ONE <= end:
                end, by = renewal - ONE, max(last, by) if renewal - ONE == end else last
                break
    renews = min(day for day in terms if day > on) if case["rule"] == "renew" else None
    if case["rule"] == "expire" and end >= min(terms) - ONE:
        return None, min(terms) - ONE, None
    return by, end, renews


@given(contracts)
def test_the_clock_says_what_a_walk_through_the_calendar_finds(case: dict[str, Any]) -> None:
    if case["rule"] == "expire" and not (case["minimum"] or case["renewal"]):
        case = case | {"minimum": (12, "month")}
    first = case["first"]
    terms = Terms(
        first_paid_on=first,
        anchor=Anchor(first),
        interval=Interval(case["interval"][1], case["interval"][0]),
        minimum_term=case["minimum"],
        notice=Notice(*case["notice"]),
        renewal_rule=case["rule"],
        renewal_term=case["renewal"],
        grace_days=case["grace"],
    )
    clock = contract_clock(terms, first + case["after"] * ONE)
    assert (clock.cancel_by, clock.earliest_end, clock.renews_on) == walked(case)
