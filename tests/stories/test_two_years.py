"""Two years of a subscription at a time, told with dates and amounts derived in the text.

Prices are net and German business customers pay 19 percent unless a story says otherwise.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.factories import a_customer, a_plan

from .life import Life, months

pytestmark = pytest.mark.django_db


def test_two_years_monthly_on_the_31st() -> None:
    """Begun on 31 January 2027: every boundary is the last day of its month, 29 February 2028 among them.

    29.90 a month, always whole periods: 24 invoices of 29.90 net and 35.58 gross (29.90 x 1.19 = 35.581), 717.60 net in
    all. The movement is one: 29.90 from the first day on.
    """
    life = Life(date(2027, 1, 31))
    life.start(a_plan(life.company, amount="29.90"))
    life.until(date(2029, 1, 30))
    starts = months(date(2027, 1, 31), 25)
    assert [str(day) for day in starts[12:15]] == ["2028-01-31", "2028-02-29", "2028-03-31"]
    assert life.lines() == [(day, "base", day, after, 2990) for day, after in zip(starts, starts[1:], strict=False)]
    assert sum(line[4] for line in life.lines()) == 71760
    assert life.movements() == [("new", 2990, date(2027, 1, 31))]
    life.check()


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/Sao_Paulo"])
def test_two_years_by_the_calendar_where_clocks_jump(zone: str) -> None:
    """Lord Howe shifts by half an hour, Sao Paulo skipped a midnight each spring until 2018: no boundary moves.

    Begun on 17 September 2016 by the calendar, 30.00 a month: the stub has 14 of September's 30 days and costs 14.00;
    then the first of each month.
    """
    life = Life(date(2016, 9, 17), time_zone=zone)
    life.start(a_plan(life.company, amount="30.00", rules={"anchor_rule": "calendar"}))
    life.until(date(2018, 9, 16))
    firsts = months(date(2016, 10, 1), 25)
    assert life.lines()[0] == (date(2016, 9, 17), "base", date(2016, 9, 17), date(2016, 10, 1), 1400)
    assert life.lines()[1:] == [(day, "base", day, end, 3000) for day, end in zip(firsts[:24], firsts[1:], strict=True)]
    life.check()


def test_a_boundary_on_a_day_that_never_was() -> None:
    """Samoa had no 30 December 2011. A month that begins on it is due as soon as that day is over: on the 31st.

    10.00 a month from 30 November 2011; the periods are [30 Nov, 30 Dec), [30 Dec, 30 Jan), [30 Jan, 29 Feb), ... The
    second one costs 10.00 like any other: its share counts calendar days, the missing one among them.
    """
    life = Life(date(2011, 11, 30), time_zone="Pacific/Apia", books_start_on=date(2011, 1, 1))
    life.start(a_plan(life.company, amount="10.00", price={"valid_from": date(2011, 1, 1)}))
    life.until(date(2013, 11, 29))
    starts = months(date(2011, 11, 30), 25)
    issued = [date(2011, 12, 31) if day == date(2011, 12, 30) else day for day in starts]
    wanted = [(on, "base", day, end, 1000) for on, day, end in zip(issued, starts, starts[1:], strict=False)]
    assert life.lines() == wanted
    life.check()


def test_two_years_in_a_currency_without_cents() -> None:
    """1,000 yen a month by the calendar, begun on 10 May 2026: 22 of 31 days cost 709.67.. = 710 yen; 10 % tax is 71.

    A Japanese rate is not in the table: the customer is a business abroad, so no tax is charged at all (category O).
    """
    life = Life(date(2026, 5, 10))
    plan = a_plan(life.company, amount="1000", currency="JPY", rules={"anchor_rule": "calendar"})
    life.start(plan, a_customer(life.company, country="JP", kind="company", currency="JPY"))
    life.until(date(2028, 5, 9))
    nets = [line[4] for line in life.lines()]
    assert nets == [710, *[1000] * 24]
    life.check()


def test_two_years_in_a_currency_of_three_places() -> None:
    """9.999 dinars a month by the calendar, begun on 20 June 2026: 11 of 30 days cost 3.6663 = 3.666 dinars."""
    life = Life(date(2026, 6, 20))
    plan = a_plan(life.company, amount="9.999", currency="KWD", rules={"anchor_rule": "calendar"})
    life.start(plan, a_customer(life.company, country="KW", kind="company", currency="KWD"))
    life.until(date(2028, 6, 19))
    nets = [line[4] for line in life.lines()]
    assert nets == [3666, *[9999] * 24]
    assert Decimal(sum(nets)) / 1000 == Decimal("243.642")
    life.check()


def test_two_years_of_a_trial_that_became_paid() -> None:
    """14 days free from 18 February 2027; the first paid day and the anchor are 4 March.

    Nothing is billed before; 24 whole months of 19.00 follow; revenue counts from 4 March on.
    """
    life = Life(date(2027, 2, 18))
    subscription = life.start(a_plan(life.company, amount="19.00", trial_days=14))
    assert subscription.state == "trial"
    life.until(date(2029, 3, 3))
    starts = months(date(2027, 3, 4), 25)
    assert life.lines() == [(day, "base", day, end, 1900) for day, end in zip(starts, starts[1:], strict=False)]
    assert life.movements() == [("new", 1900, date(2027, 3, 4))]
    life.check()
