"""Lines of recurring revenue in the currencies a report is asked in: each apart, one alone, or all in the company's.

The rule that matters: told in one currency, each month's cell is turned once at the rate of that month's end; what the
change of rates did to the opening stands in a column of its own, so that each month still adds up.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from core.models import Company
from reporting import dimensions, movements
from reporting.in_one import Turning, rate_day
from reporting.movements import Key, Month, Wanted
from reporting.shapes import Asked


@dataclass(frozen=True, slots=True)
class Lines:
    """`lines` by currency told and value. `sums`: currencies that became one, so that no rows add up to their cells."""

    lines: dict[Key, list[Month]]
    wanted: Wanted
    sums: frozenset[str]

    def of(self, currency: str) -> dict[Any, list[Month]]:
        """By value of the dimension."""
        return {value: rows for (told, value), rows in self.lines.items() if told == currency}

    @property
    def currencies(self) -> list[str]:
        return sorted({currency for currency, _value in self.lines})


def wanted_of(company: Company, asked: Asked, turning: Turning, *, by: str = "") -> Wanted:
    """What is to be read for a report. Refuses `report.value_unknown`."""
    only = dimensions.columns_of(company, asked.only)
    return Wanted(company, asked.first, asked.last, by, only, (turning.alone,) if turning.alone else ())


def read(wanted: Wanted, asked: Asked, turning: Turning) -> Lines:
    """Amounts and customers of every month, by value of the dimension."""
    lines = movements.line(wanted)
    if not turning.is_one:
        movements.count_customers(wanted, lines)
        return Lines(lines, wanted, frozenset())
    told, apart = _in_one(lines, wanted, asked, turning)
    turned = {currency for currency, _value in lines} - apart
    if turned:
        mine = {("", value): rows for (currency, value), rows in told.items() if currency not in apart}
        kept_to = replace(wanted, currencies=tuple(sorted(turned))) if apart else wanted
        movements.count_customers(kept_to, mine, in_one=True)
    if apart:
        theirs = {key: rows for key, rows in told.items() if key[0] in apart}
        movements.count_customers(replace(wanted, currencies=tuple(sorted(apart))), theirs)
    is_sum = turned - {turning.into}
    return Lines(told, wanted, frozenset({turning.into} if is_sum else ()))


def _in_one(
    lines: dict[Key, list[Month]], wanted: Wanted, asked: Asked, turning: Turning
) -> tuple[dict[Key, list[Month]], set[str]]:
    """The lines told in the company's currency, and the currencies that stand apart for a missing rate."""
    days = {month: rate_day(month, asked) for month in movements.months(wanted.first, wanted.last)}
    before = wanted.first - timedelta(days=1)
    apart = {
        currency
        for currency in {currency for currency, _value in lines}
        if any(turning.turn(currency, 0, day)[0] != turning.into for day in (before, *days.values()))
    }
    told: dict[Key, list[Month]] = {}
    groups: dict[Key, list[tuple[str, list[Month]]]] = defaultdict(list)
    for (currency, value), rows in lines.items():
        groups[currency if currency in apart else turning.into, value].append((currency, rows))
    for (into, value), parts in groups.items():
        told[into, value] = parts[0][1] if into in apart else _merged(parts, days, before, turning)
    return told, apart


def _merged(
    parts: list[tuple[str, list[Month]]], days: dict[date, date], before: date, turning: Turning
) -> list[Month]:
    def sum_of(read: Any, day: date, place: int) -> int:
        return sum(turning.turn(currency, read(rows[place]), day)[1] for currency, rows in parts)

    merged = []
    opening = sum_of(lambda month: month.opening, before, 0)
    for place, (month, day) in enumerate(days.items()):
        row = Month(month, opening)
        for kind in row.kinds:
            row.kinds[kind] = sum_of(lambda month, kind=kind: month.kinds[kind], day, place)
        row.exchange = sum_of(lambda month: month.closing, day, place) - row.closing
        opening = row.closing
        merged.append(row)
    return merged
