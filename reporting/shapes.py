"""What every report is made of: figures, tables and charts as plain values, each with the rows it was added up from.

The rule that matters: a report is computed once and shown by every door (page, API, file, mail); nothing here knows
a page, and every number that was summed from rows says which rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from django.utils.functional import Promise

Words = str | Promise
#: A value of a cell or figure; money is in minor units.
Value = int | Decimal | date | str | bool | None


class Kind(StrEnum):
    """How a value is written and what may be summed."""

    MONEY = "money"  # int, minor units of the currency beside it
    COUNT = "count"  # int
    PERCENT = "percent"  # Decimal, in percent
    RATIO = "ratio"  # Decimal
    DAYS = "days"  # int or Decimal
    DAY = "day"  # date
    MONTH = "month"  # date, its first day
    TEXT = "text"  # words, already in the reader's language
    REFERENCE = "reference"  # an outside id (sub_..., inv_...), shown as link


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows a number was added up from: a source of `reporting.rows` and its conditions, all text.

    The sum (or count) of these rows is the number, exactly; a test holds every report to it.
    """

    source: str
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its name and its definition, printed under it.

    `before` is the same of the period it is compared with, None without one; `better` says which way is good.
    """

    name: str
    label: Words
    kind: Kind
    value: Value
    definition: Words
    currency: str = ""
    before: Value = None
    better: Literal["up", "down", ""] = "up"
    rows: Rows | None = None
    goal: Value = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `is_summed`: its total stands in the last line."""

    name: str
    label: Words
    kind: Kind = Kind.TEXT
    is_summed: bool = False
    definition: Words = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table: one value a column; `rows` by column name says what a cell is made of."""

    cells: Sequence[Value]
    currency: str = ""
    rows: Mapping[str, Rows] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """Lines under columns; `name` is stable (API and files use it). `shade` names a column group shown as heat map."""

    name: str
    title: Words
    columns: Sequence[Column]
    lines: Sequence[Line]
    totals: Sequence[Line] = ()
    note: Words = ""
    is_heat_map: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart of columns of a table: bars (stacked) or lines over its first column.

    `title` names what it shows; `finding` says what there is to see, "" where there is nothing to say.
    """

    title: Words
    table: str
    columns: Sequence[str]
    form: Literal["bars", "lines"] = "bars"
    currency: str = ""
    goal: Value = None
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation of a day or month, such as a price rise, shown under the charts."""

    on: date
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a report answers with; `asked` is what it was asked, defaults filled in."""

    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    notes: Sequence[Note] = ()
    warnings: Sequence[Words] = ()

    def table(self, name: str) -> Table:
        return next(table for table in self.tables if table.name == name)

    def figure(self, name: str, currency: str = "") -> Figure:
        return next(one for one in self.figures if one.name == name and (not currency or one.currency == currency))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked: days are the company's, both ends counted.

    `currency` empty: every currency apart; `reporting`: all, turned into the company's currency at the stored rates.
    `by` names one of the report's dimensions; `only` keeps the values of dimensions, such as {"plan": "pln_..."}.
    `compare`: "" or "before" (the time of the same length before) or "year" (a year earlier).
    `told`: hears how much of how much is reckoned, in long work; None: somebody waits, and what takes too long refuses.
    """

    on: date
    first: date
    last: date
    currency: str = ""
    by: str = ""
    compare: str = ""
    only: Mapping[str, str] = field(default_factory=dict)
    told: Callable[[int, int], None] | None = field(default=None, compare=False)


#: Asked for as currency: everything in the company's own.
IN_ONE = "reporting"
