"""The contract clock against a walk through the calendar that shares no code with it, and the ends it allows."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.periods import Anchor, Interval, chosen_day
from pricing.terms import (
    BadTerms,
    EndTooEarly,
    Length,
    Notice,
    Terms,
    contract_clock,
    effective_end,
)

DAY = timedelta(days=1)
FIRST = date(2026, 1, 1)
MONTHLY = {"first_paid_on": FIRST, "anchor": Anchor(FIRST), "interval": Interval("month")}


# A walk, day by day, with its own calendar ---------------------------------------------------------------------------


def later(day: date, count: int, unit: str, aimed: int | None = None) -> date:
    """So many units after (or before) the day, one month at a time, then clamped."""
    if unit in ("day", "week"):
        return day + count * timedelta(**{f"{unit}s": 1})
    year, month = day.year, day.month
    for _ in range(abs(count) * (12 if unit == "year" else 1)):
        month += 1 if count > 0 else -1
        year, month = (year + 1, 1) if month == 13 else (year - 1, 12) if month == 0 else (year, month)
    return date(year, month, min(aimed or day.day, calendar.monthrange(year, month)[1]))


def boundaries(terms: Terms, until: date) -> list[date]:
    """The billing boundaries up to that day, from some before the anchor on."""
    interval, found, n = terms.interval, [], -3
    while not found or found[-1] <= until:
        found.append(later(terms.anchor.on, n * interval.count, interval.unit, terms.anchor.day))
        n += 1
    return found[:-1]


def renewals(terms: Terms, until: date) -> list[date]:
    """The first days of every term but the first, in order."""
    start, length = terms.first_paid_on, terms.term or terms.minimum_term or terms.renewal_term
    if length is None:
        return [day for day in boundaries(terms, until) if day > start]
    further = terms.renewal_term or length
    begins, found, n = later(start, *length), [], 0
    aimed = start.day if length[1] in ("month", "year") and further[1] in ("month", "year") else begins.day
    while begins <= until:
        found.append(begins)
        n += 1
        begins = later(found[0], n * further[0], further[1], aimed)
    return found


def walked(terms: Terms, on: date) -> tuple[date | None, date, date | None]:
    """(cancel_by, earliest_end, renews_on) by trying one day after the other."""
    first = terms.first_paid_on
    horizon = max(on, first) + timedelta(days=2200)
    begun = renewals(terms, horizon)
    limit = terms.planned_end
    if terms.renewal_rule in ("expire", "ask") and (terms.term or terms.minimum_term or terms.renewal_term):
        limit = begun[0] - DAY if limit is None else min(limit, begun[0] - DAY)
    if limit is not None and on > limit:
        return None, limit, None
    edges = set(boundaries(terms, horizon))
    bound = later(first, *terms.minimum_term) if terms.minimum_term else None

    def may_end_before(after: date) -> bool:
        if bound is not None and after < bound:
            return False
        if bound is None and after <= first and not (after == first and terms.notice.to == "any_day"):
            return False
        match terms.notice.to:
            case "month_end":
                return after.day == 1
            case "period_end":
                return after in edges
            case "term_end" if terms.renewal_rule == "renew":
                return after in begun
            case "term_end" if begun and (terms.term or terms.minimum_term or terms.renewal_term):
                return after >= begun[0]
        return True

    def in_time(day: date, after: date) -> bool:
        return day < later(after, -terms.notice.count, terms.notice.unit)

    def in_grace(day: date, after: date) -> bool:
        grace = timedelta(days=terms.grace_days)
        return terms.renewal_rule == "renew" and after in begun and day < after + grace and (bound or after) <= after

    def reaches(day: date, after: date) -> bool:
        return (may_end_before(after) and in_time(day, after)) or (in_grace(day, after) and bool(terms.grace_days))

    renews_on = next(day for day in begun if day > max(on, first)) if terms.renewal_rule == "renew" else None
    if limit is not None and renews_on is not None and renews_on > limit:
        renews_on = None
    after = on - timedelta(days=terms.grace_days)
    while not reaches(on, after):
        after += DAY
    last = on
    while reaches(last + DAY, after):
        last += DAY
    if limit is not None and after - DAY >= limit:
        return None, limit, renews_on
    return last, after - DAY, renews_on


firsts = st.dates(date(2022, 12, 1), date(2025, 3, 31))
intervals = st.builds(
    Interval, st.sampled_from(["week", "month", "month", "month", "year"]), st.integers(1, 3)
) | st.builds(Interval, st.just("day"), st.integers(7, 45))
lengths: st.SearchStrategy[Length] = st.one_of(
    st.tuples(st.integers(1, 24), st.just("month")),
    st.tuples(st.integers(1, 2), st.just("year")),
    st.tuples(st.integers(1, 60), st.just("week")),
    st.tuples(st.integers(1, 400), st.just("day")),
)
notices = st.builds(
    Notice,
    st.integers(0, 3) | st.integers(0, 30),
    st.just("day"),
    st.sampled_from(["any_day", "month_end", "period_end", "term_end"]),
) | st.builds(
    Notice,
    st.integers(0, 4),
    st.sampled_from(["week", "month"]),
    st.sampled_from(["any_day", "month_end", "period_end", "term_end"]),
)


@st.composite
def contracts(draw: st.DrawFn) -> Terms:
    first, interval = draw(firsts), draw(intervals)
    anchor = Anchor(first)
    if interval.unit in ("month", "year") and draw(st.booleans()):
        anchor = chosen_day(interval, draw(st.integers(1, 31)), first)
    rule = draw(st.sampled_from(["renew", "renew", "evergreen", "expire", "ask"]))
    minimum, term = draw(st.none() | lengths), draw(st.none() | st.none() | lengths)
    if rule in ("expire", "ask") and minimum is None and term is None:
        term = draw(lengths)
    return Terms(
        first,
        anchor,
        interval,
        minimum_term=minimum,
        notice=draw(notices),
        renewal_rule=rule,
        renewal_term=draw(st.none() | lengths),
        grace_days=draw(st.sampled_from([0, 0, 1, 3, 14])),
        planned_end=draw(st.none() | st.none() | st.dates(first, first + timedelta(days=900))),
        term=term,
    )


@settings(deadline=None)
@given(contracts(), st.integers(-60, 1000))
def test_the_clock_agrees_with_a_walk_through_the_calendar(terms: Terms, days: int) -> None:
    on = terms.first_paid_on + timedelta(days=days)
    clock = contract_clock(terms, on)
    assert (clock.cancel_by, clock.earliest_end, clock.renews_on) == walked(terms, on)


@given(contracts(), st.integers(-60, 1000))
def test_the_running_term_contains_the_day_and_waiting_never_helps(terms: Terms, days: int) -> None:
    on = terms.first_paid_on + timedelta(days=days)
    clock = contract_clock(terms, on)
    if clock.reasons != ("ended",):
        assert clock.term_start <= max(on, terms.first_paid_on)
        assert clock.term_end is None or clock.term_end >= max(on, terms.first_paid_on)
        assert clock.cancel_by is None or clock.cancel_by >= on
        assert clock.renews_on is None or clock.term_end == clock.renews_on - DAY
    assert contract_clock(terms, on + DAY).earliest_end >= clock.earliest_end


@given(contracts(), st.integers(0, 1000))
def test_notice_given_by_the_last_day_reaches_the_same_end(terms: Terms, days: int) -> None:
    clock = contract_clock(terms, terms.first_paid_on + timedelta(days=days))
    if clock.cancel_by is not None:
        assert contract_clock(terms, clock.cancel_by).earliest_end == clock.earliest_end
        assert contract_clock(terms, clock.cancel_by + DAY).earliest_end > clock.earliest_end


# Ends ----------------------------------------------------------------------------------------------------------------


def monthly(**changes: Any) -> Terms:
    return Terms(**{**MONTHLY, **changes})


BOUND = monthly(minimum_term=(12, "month"), notice=Notice(1, "month", "term_end"), renewal_rule="renew")


@pytest.mark.parametrize(
    ("terms", "requested", "on", "end", "reasons"),
    [
        (monthly(), "now", date(2026, 2, 10), date(2026, 2, 10), ("now",)),
        (monthly(), "period_end", date(2026, 2, 10), date(2026, 2, 28), ("period_end",)),
        (monthly(), "period_end", date(2026, 2, 28), date(2026, 2, 28), ("period_end",)),
        (monthly(), date(2026, 4, 15), date(2026, 2, 10), date(2026, 4, 15), ("date",)),
        # The minimum term holds: `now` and `period_end` mean its end.
        (BOUND, "now", date(2026, 2, 10), date(2026, 12, 31), ("minimum_term", "renews")),
        (BOUND, "period_end", date(2026, 2, 10), date(2026, 12, 31), ("minimum_term", "renews")),
        (BOUND, date(2027, 1, 15), date(2026, 2, 10), date(2027, 1, 15), ("date",)),
        # An end already fixed is never put off.
        (monthly(planned_end=date(2026, 2, 20)), "period_end", date(2026, 2, 10), date(2026, 2, 20), ("end_planned",)),
        (monthly(planned_end=date(2026, 2, 20)), "now", date(2026, 2, 10), date(2026, 2, 10), ("now",)),
        (monthly(planned_end=date(2026, 2, 20)), "now", date(2026, 2, 25), date(2026, 2, 20), ("ended",)),
        # Grace: the old term's last day, though it has passed.
        (monthly(renewal_rule="renew", grace_days=3), "now", date(2026, 2, 2), date(2026, 1, 31), ("grace",)),
        (monthly(renewal_rule="renew", grace_days=3), "period_end", date(2026, 2, 3), date(2026, 1, 31), ("grace",)),
        (monthly(renewal_rule="renew", grace_days=3), "now", date(2026, 2, 4), date(2026, 2, 4), ("now",)),
        # Before the first paid day.
        (monthly(trial_from=date(2025, 12, 18)), "now", date(2025, 12, 20), date(2025, 12, 20), ("now",)),
        (monthly(trial_from=date(2025, 12, 18)), "period_end", date(2025, 12, 20), date(2025, 12, 31), ("period_end",)),
        (monthly(trial_from=date(2025, 12, 18)), "period_end", FIRST, date(2026, 1, 31), ("period_end",)),
        (monthly(), "now", date(2025, 12, 20), date(2025, 12, 31), ("before_start", "evergreen")),
        (monthly(), "period_end", date(2025, 12, 20), date(2026, 1, 31), ("period_end",)),
    ],
)
def test_an_asked_end_becomes_a_last_day_of_service(
    terms: Terms, requested: Any, on: date, end: date, reasons: tuple[str, ...]
) -> None:
    assert effective_end(terms, requested, on) == (end, reasons)


def test_an_end_before_the_earliest_is_refused_and_named() -> None:
    with pytest.raises(EndTooEarly) as refusal:
        effective_end(BOUND, date(2026, 12, 30), date(2026, 2, 10))
    assert (refusal.value.code, refusal.value.earliest_end) == ("end_before_earliest_end", date(2026, 12, 31))


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda: effective_end(monthly(renewal_rule="renew", grace_days=5), date(2026, 2, 1), date(2026, 2, 3)),
         "end_before_today"),
        (lambda: effective_end(monthly(), "sometime", FIRST), "end_request_unknown"),
        (lambda: monthly(renewal_rule="maybe"), "renewal_rule_unknown"),
        (lambda: monthly(minimum_term=(0, "month")), "term_length_unknown"),
        (lambda: monthly(renewal_term=(1, "moon")), "term_length_unknown"),
        (lambda: monthly(grace_days=-1), "grace_below_zero"),
        (lambda: monthly(renewal_rule="expire"), "term_without_length"),
        (lambda: Notice(-1), "notice_count_below_zero"),
        (lambda: Notice(1, "year"), "notice_unknown"),  # type: ignore[arg-type]
        (lambda: Notice(1, "day", "someday"), "notice_unknown"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_terms_and_requests_that_can_not_be_are_refused(act: Callable[[], object], code: str) -> None:
    with pytest.raises(BadTerms) as refusal:
        act()
    assert refusal.value.code == code


def test_grace_frees_nobody_from_a_minimum_term() -> None:
    # The second term begins on day 31, the minimum term ends a day later: the grace of that renewal ends nothing.
    terms = monthly(
        term=(31, "day"), minimum_term=(32, "day"), renewal_rule="renew", grace_days=5, notice=Notice(to="term_end")
    )
    clock = contract_clock(terms, date(2026, 2, 3))
    assert (clock.earliest_end, clock.renews_on) == (date(2026, 3, 3), date(2026, 3, 4))


def test_the_old_terms_end_may_be_named_in_grace() -> None:
    terms = monthly(renewal_rule="renew", grace_days=5)
    assert effective_end(terms, date(2026, 1, 31), date(2026, 2, 3)) == (date(2026, 1, 31), ("date",))


@given(contracts(), st.integers(-60, 1000), st.sampled_from(["now", "period_end"]))
def test_no_end_lies_before_the_earliest(terms: Terms, days: int, requested: Any) -> None:
    on = terms.first_paid_on + timedelta(days=days)
    end, _ = effective_end(terms, requested, on)
    assert end >= contract_clock(terms, on).earliest_end
    if terms.planned_end is not None:
        assert end <= terms.planned_end
