"""Every number that a report adds up opens the rows it was added up from, and they add up to it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from reporting import registry, rows
from reporting.shapes import IN_ONE, Asked, Rows
from tests.reporting.rich import FIRST, TODAY

pytestmark = [pytest.mark.django_db]
SPECS = registry.every()
#: Times that are asked for: from the start, within, in the middle of months, one month, and ahead.
SPANS = [
    (FIRST, TODAY),
    (date(2025, 4, 1), date(2025, 9, 30)),
    (date(2025, 5, 6), date(2025, 11, 17)),
    (date(2026, 3, 1), TODAY),
]


def asked_of(spec: registry.Spec) -> list[Asked]:
    """The spec asked plainly, in each currency manner, by each of its dimensions."""
    spans = [registry.span_of(spec, TODAY)] if "ahead" in spec.span else [*SPANS, registry.span_of(spec, TODAY)]
    found = [Asked(TODAY, first, last) for first, last in spans]
    first, last = spans[-1]
    if spec.has_currency:
        found += [Asked(TODAY, first, last, currency=currency) for currency in ("EUR", "USD", IN_ONE)]
    if spec.can_compare:
        found.append(Asked(TODAY, first, last, compare="before"))
    return found + [Asked(TODAY, first, last, by=name) for name, _words in spec.dimensions]


def opened_numbers(report: Any) -> list[tuple[str, Any, Rows]]:
    """Every number of a report that has rows: where it stands, what it says, what it opens."""
    found = [(figure.name, figure.value, figure.rows) for figure in report.figures if figure.rows is not None]
    for table in report.tables:
        places = {column.name: place for place, column in enumerate(table.columns)}
        found += [
            (f"{table.name}/{line.cells[0]}/{name}", line.cells[places[name]], opened)
            for line in table.lines
            for name, opened in line.rows.items()
        ]
    return found


@pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
def test_every_figure_is_what_its_rows_add_up_to(rich: Any, spec: registry.Spec) -> None:
    totals: dict[tuple[str, frozenset[tuple[str, str]]], int] = {}
    for asked in asked_of(spec):
        report = registry.build(name=spec.name, company=rich.company, asked=asked)
        for where, value, opened in opened_numbers(report):
            key = opened.source, frozenset(opened.where.items())
            if key not in totals:
                totals[key] = rows.total(rich.company, opened)
            assert totals[key] == value, (asked, where, opened)
    assert totals


@pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])
def test_the_rows_behind_a_figure_can_be_shown(rich: Any, spec: registry.Spec) -> None:
    """Of every source under every combination of conditions, the newest rows have a value for each column."""
    shown = set()
    for asked in asked_of(spec):
        report = registry.build(name=spec.name, company=rich.company, asked=asked)
        for _where, _value, opened in opened_numbers(report):
            kind = opened.source, frozenset(opened.where), opened.where.get("which")
            if kind in shown:
                continue
            shown.add(kind)
            source = rows.source_of(opened)
            for row in rows.query(rich.company, opened)[:2]:
                assert len(source.cells(row)) == len(source.columns)
