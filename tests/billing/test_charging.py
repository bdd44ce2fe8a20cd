"""What falls due, without a database: periods, shares, guards; and the same answer as the agreement gives itself."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.services.charging import Runaway, _check_runaway, count_boundaries, slot_due, walk
from subscriptions.services.schedule import Agreement, SlotRow, TermsRow

DAY = timedelta(days=1)
START = date(2026, 1, 31)


def terms(**changes: Any) -> TermsRow:
    row = TermsRow(START, None, None, None, "per_unit", Decimal(10), Decimal(1), "advance", True, "month", 1)
    return row._replace(**changes)


def slot(*rows: TermsRow, **changes: Any) -> SlotRow:
    row = SlotRow(7, 1, START - DAY, (), 1, "{}", "{}", 1, "electronic", "standard", "", list(rows) or [terms()])
    return row._replace(**changes)


def agreement(*slots: SlotRow, **changes: Any) -> Agreement:
    row = Agreement(
        id=1, customer_id=1, name="x", state="active", currency="EUR", tax_behavior="exclusive", time_zone="UTC",
        paid_from_on=START, anchor_on=START, anchor_month_day=31, ends_on=None, end_unused="credit",
        ended_at_once=False, next_bill_on=START, interval_unit="month", interval_count=1, minimum_count=0,
        minimum_unit="month", renewal_rule="evergreen", renewal_count=0, renewal_unit="month", grace_days=0,
        payment_terms_days=None, po_reference="", slots=list(slots) or [slot()],
    )  # fmt: skip
    return row._replace(**changes)


def test_terms_that_change_cut_the_period() -> None:
    rows = (terms(until_on=date(2026, 2, 10)), terms(from_on=date(2026, 2, 10), unit_amount=Decimal(20)))
    position = slot(*rows)
    charges = slot_due(agreement(position), position, date(2026, 2, 28)).charges
    # 31 Jan to 28 Feb are 28 days: 10 of them at 10.00, 18 at 20.00.
    assert [(str(c.start), str(c.end), c.amount_minor) for c in charges] == [
        ("2026-01-31", "2026-02-10", 357),
        ("2026-02-10", "2026-02-28", 1286),
        ("2026-02-28", "2026-03-31", 2000),
    ]


def test_a_period_in_arrears_closes_at_the_end() -> None:
    position = slot(terms(billed="arrears"))
    deal = agreement(position, ends_on=date(2026, 2, 13))
    [charge] = list(walk(deal, position, START))
    # 14 of 28 days, due on the first day no longer covered.
    assert (charge.due_on, charge.end, charge.amount_minor) == (date(2026, 2, 14), date(2026, 2, 14), 500)


def test_days_that_wait_to_be_billed_again_come_first() -> None:
    position = slot(billed_through_on=date(2026, 5, 30), reopened=((date(2026, 2, 28), date(2026, 3, 31)),))
    due = slot_due(agreement(position), position, date(2026, 5, 31))
    assert [str(c.start) for c in due.charges] == ["2026-02-28", "2026-05-31"]
    assert (due.reopened, due.next_due_on) == ((), date(2026, 6, 30))


def test_two_lines_for_one_start_are_a_runaway() -> None:
    position = slot()
    [charge] = slot_due(agreement(position), position, START).charges
    with pytest.raises(Runaway, match="twin"):
        _check_runaway(agreement(position), position, [charge, charge])


def test_more_lines_than_boundaries_are_a_runaway() -> None:
    position = slot()
    [charge] = slot_due(agreement(position), position, START).charges
    parts = [
        charge._replace(start=START + DAY * n, due_on=START + DAY * n, end=START + DAY * (n + 1)) for n in range(3)
    ]
    with pytest.raises(Runaway, match="boundaries"):
        _check_runaway(agreement(position), position, parts)


def test_too_many_lines_for_one_day_are_a_runaway() -> None:
    position = slot(terms(interval_unit="day"))
    charges = slot_due(agreement(position), position, START + DAY * 20).charges
    with pytest.raises(Runaway, match="day"):
        _check_runaway(agreement(position), position, [charge._replace(due_on=START) for charge in charges])


intervals = st.sampled_from([("day", 10), ("week", 2), ("month", 1), ("month", 3), ("year", 1)])


@given(
    interval=intervals,
    billed=st.sampled_from(["advance", "arrears"]),
    start=st.dates(date(2023, 1, 1), date(2025, 12, 31)),
    length=st.integers(0, 900),
    change=st.none() | st.integers(1, 400),
    ends=st.none() | st.integers(0, 900),
    unused=st.sampled_from(["credit", "none"]),
)
def test_periods_follow_each_other_to_the_day_and_never_pass_the_end(
    interval: tuple[str, int], billed: str, start: date, length: int, change: int | None, ends: int | None, unused: str
) -> None:
    """A slot's charges tile its days from the first unbilled one: no gap, no overlap, nothing due later than asked."""
    unit, count = interval
    base = terms(from_on=start, billed=billed, interval_unit=unit, interval_count=count)
    rows = [base]
    if change is not None:
        cut = start + DAY * change
        rows = [base._replace(until_on=cut), base._replace(from_on=cut, quantity=Decimal(2))]
    position = slot(*rows, billed_through_on=start - DAY)
    ends_on = None if ends is None else start + DAY * ends
    deal = agreement(
        position, anchor_on=start, anchor_month_day=start.day, paid_from_on=start, ends_on=ends_on, end_unused=unused
    )
    on = start + DAY * length
    due = slot_due(deal, position, on)
    cursor = start
    for charge in due.charges:
        assert charge.start == cursor < charge.end
        assert charge.full_start <= charge.start and charge.end <= charge.full_end
        assert charge.due_on == (charge.start if billed == "advance" else charge.end) <= on
        if ends_on is not None:
            assert charge.served_end <= ends_on + DAY
            assert charge.end == charge.served_end or unused == "none"
        cursor = charge.end
    assert due.billed_through_on == cursor - DAY
    assert len(due.charges) <= count_boundaries(deal, position, start, cursor)
    if ends_on is None:
        assert due.next_due_on is not None and due.next_due_on > on
