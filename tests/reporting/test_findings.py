"""The sentence above a chart: true of its figures, in the reader's language, or not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from backoffice import showing
from reporting import findings, registry
from reporting.shapes import Column, Figure, Kind, Line, Plot, Report, Table

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
WON, LOST = ("new", "expansion"), ("contraction", "churn")


@pytest.fixture(autouse=True)
def _english():
    with translation.override("en"):
        yield


def _table(names: str, *lines: list[object], first: Kind = Kind.MONTH) -> Table:
    named = names.split()
    columns = [Column(named[0], named[0], first), *(Column(name, name, Kind.MONEY) for name in named[1:])]
    return Table("t", "t", columns, [Line(line, "EUR") for line in lines])


def _recurring(opening: int, closing: int) -> str:
    return findings.recurring(_table("month opening closing", [OCTOBER, opening, closing]), "EUR")


def test_recurring_revenue_rises_falls_or_hardly_moves():
    assert _recurring(100_000, 103_200) == "Recurring revenue rose by 3.2% in October 2026 to €1,032.00"
    assert _recurring(100_000, 90_000) == "Recurring revenue fell by 10.0% in October 2026 to €900.00"
    assert _recurring(100_000, 100_010) == "Recurring revenue hardly moved in October 2026 and stands at €1,000.10"


def test_recurring_revenue_from_nothing_is_no_growth():
    assert _recurring(0, 5_000) == "Recurring revenue reached €50.00 in October 2026"


def test_without_revenue_nothing_is_found():
    assert _recurring(0, 0) == ""
    assert findings.recurring(_table("month opening closing"), "EUR") == ""


def test_lines_of_another_currency_are_not_told():
    assert findings.recurring(_table("month opening closing", [OCTOBER, 100, 200]), "CHF") == ""


def _moved(new: int, churn: int) -> str:
    table = _table("month new expansion contraction churn", [OCTOBER, new, 0, 0, churn])
    return findings.movements(table, "EUR", WON, LOST)


def test_movements_say_what_outweighs():
    assert _moved(20_000, -5_000) == "More monthly revenue was gained than lost: €200.00 against €50.00"
    assert _moved(5_000, -20_000) == "More monthly revenue was lost than gained: €200.00 against €50.00"
    assert _moved(5_000, -5_000) == "As much monthly revenue was gained as lost: €50.00"
    assert _moved(0, 0) == ""


def test_growth_names_the_best_month():
    table = _table("month new back", [OCTOBER, 5_000, 0], [NOVEMBER, 7_000, 1_000])
    assert findings.growth(table, "EUR") == "November 2026 brought in the most: €80.00 of €130.00"


def test_two_that_are_equally_large_are_not_called_most():
    table = _table("month new back", [OCTOBER, 5_000, 0], [NOVEMBER, 5_000, 0])
    assert findings.growth(table, "EUR") == ""


def test_one_alone_is_not_called_most():
    table = _table("value lost_revenue", ["Pro", 5_000], first=Kind.TEXT)
    assert findings.lost(table, "EUR") == ""


def test_what_lost_most_is_named():
    table = _table("value lost_revenue", ["Pro", 5_000], ["Start", 1_000], first=Kind.TEXT)
    assert findings.lost(table, "EUR") == "The largest loss was on Pro: €50.00 of €60.00"


def test_customers_without_a_campaign_are_not_its_winner():
    table = _table("campaign new", ["No campaign", 9_000], ["Autumn", 1_000], first=Kind.TEXT)
    assert findings.campaigns(table, "EUR") == ""
    table = _table("campaign new", ["Autumn", 9_000], ["No campaign", 1_000], first=Kind.TEXT)
    assert findings.campaigns(table, "EUR") == "Autumn brought in the most: €90.00 of €100.00"


def _booked(last: date, *lines: list[object]) -> str:
    return findings.booked(_table("month revenue", *lines), "EUR", date(2026, 9, 1), last)


def test_a_month_that_has_only_begun_is_not_compared():
    months = [[date(2026, 9, 1), 10_000], [OCTOBER, 12_500], [NOVEMBER, 100]]
    words = "€125.00 was invoiced in October 2026, 25.0% more than in September 2026"
    assert _booked(date(2026, 11, 22), *months) == words
    assert _booked(date(2026, 10, 15), [OCTOBER, 12_500]) == ""


def test_a_month_after_one_without_invoices_is_not_compared():
    assert _booked(date(2026, 10, 31), [OCTOBER, 12_500]) == "€125.00 was invoiced in October 2026"


def test_receivables_say_how_much_is_late():
    table = _table("currency not_due 1_30 total", ["EUR", 6_000, 2_000, 8_000], first=Kind.TEXT)
    assert findings.receivables(table, "EUR", "not_due") == "€20.00 of €80.00 is late, 25%"
    table = _table("currency not_due 1_30 total", ["EUR", 8_000, 0, 8_000], first=Kind.TEXT)
    assert findings.receivables(table, "EUR", "not_due") == "Nothing is late: all of €80.00 is still within its time"
    table = _table("currency not_due 1_30 total", ["EUR", 0, 0, 0], first=Kind.TEXT)
    assert findings.receivables(table, "EUR", "not_due") == ""


def test_money_to_come_names_the_best_week():
    table = _table("week total", [date(2026, 11, 2), 3_000], [date(2026, 11, 9), 5_000], first=Kind.DAY)
    assert findings.cash(table, "EUR") == "€80.00 is to come, most in the week from 9 Nov 2026: €50.00"
    table = _table("week total", [date(2026, 11, 2), 3_000], first=Kind.DAY)
    assert findings.cash(table, "EUR") == "€30.00 is to come"


def test_deferred_revenue_says_when_it_is_earned():
    table = _table("month released", [NOVEMBER, 3_000], [date(2026, 12, 1), 5_000])
    assert findings.deferred(table, "EUR") == "€30.00 of €80.00 becomes revenue by 30 Nov 2026"


def test_cohorts_name_the_month_most_began_in():
    table = _table("cohort m0", [OCTOBER, 3], [NOVEMBER, 12])
    assert findings.cohorts(table, "EUR") == "Most customers began in November 2026: 12 of 15"


@given(st.lists(st.integers(0, 10**9), max_size=8))
def test_what_is_called_most_is_more_than_any_other(amounts):
    table = _table("value lost_revenue", *([f"plan {place}", amount] for place, amount in enumerate(amounts)),
                   first=Kind.TEXT)  # fmt: skip
    with translation.override("en"):
        said = findings.lost(table, "EUR")
    top = sorted(amounts)[-2:]
    assert bool(said) == (len(top) == 2 and top[0] < top[1])
    if said:
        assert said.startswith(f"The largest loss was on plan {amounts.index(max(amounts))}:")


def test_the_companys_own_currency_comes_first_in_every_part_of_a_report():
    lines = [Line(["a"], code) for code in ("CHF", "EUR", "USD")]
    figures = [Figure("n", "n", Kind.MONEY, 1, "", code) for code in ("CHF", "EUR", "USD")]
    plots = [Plot("p", "t", ["x"], currency=code) for code in ("CHF", "EUR", "USD")]
    table = Table("t", "t", [Column("x", "x")], lines)
    report = registry.own_first(Report(figures, [table], plots), "EUR")
    for found in (report.figures, report.tables[0].lines, report.plots):
        assert [one.currency for one in found] == ["EUR", "CHF", "USD"]


def test_rows_of_several_currencies_stand_apart_on_a_page():
    lines = [Line([OCTOBER, 3], "EUR"), Line([OCTOBER, 1], "CHF")]
    table = Table("t", "t", [Column("cohort", "Start", Kind.MONTH), Column("m0", "0", Kind.COUNT)], lines)
    shown = showing.sheet(table).groups
    assert [(code, [row[1].text for row in rows]) for code, rows in shown] == [("EUR", ["3"]), ("CHF", ["1"])]
    assert [code for code, _rows in showing.sheet(replace(table, lines=lines[:1])).groups] == [""]
