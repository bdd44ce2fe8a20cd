"""Reports as pages: values become words and links, tables become charts; nothing is computed here.

Every number that was added up from rows is a link to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from core.design import formats
from core.design.charts import TONES, Chart, Series, bar_chart, line_chart
from reporting.shapes import Column, Figure, Kind, Line, Plot, Report, Rows, Table, Value
from reporting.words import text_of

#: Shades of a heat map, from 0 to this.
SHADES: Final = 10
#: Pages of rows by the opening of their outside id.
PAGES: Final = {
    "cus": "customer", "sub": "subscription", "inv": "invoice", "crn": "credit-note", "pay": "payment",
    "att": "attempt", "dun": "dunning-case", "pln": "plan", "prd": "product", "dsc": "discount", "cmp": "campaign",
    "msg": "message",
}  # fmt: skip
NUMBERS: Final = frozenset({Kind.MONEY, Kind.COUNT, Kind.PERCENT, Kind.RATIO, Kind.DAYS})


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table on a page."""

    text: str
    url: str = ""
    is_number: bool = False
    label: str = ""
    shade: int | None = None

    @property
    def css(self) -> str:
        """The classes of its box."""
        return " ".join(
            filter(None, ["num" if self.is_number else "", "" if self.shade is None else f"heat-{self.shade}"])
        )


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column on a page."""

    label: str
    definition: str
    is_number: bool


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure on a page; `better` says whether it went the right way since, None: nobody can say."""

    label: str
    currency: str
    text: str
    definition: str
    url: str
    change: str = ""
    is_up: bool | None = None
    is_better: bool | None = None
    before: str = ""
    goal: str = ""
    reached: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table on a page."""

    name: str
    title: str
    note: str
    head: list[Heading]
    rows: list[list[Cell]]
    totals: list[list[Cell]]
    is_heat_map: bool
    #: Rows by currency, each with its code; one without a code where they need none.
    groups: list[tuple[str, list[list[Cell]]]]


def rows_url(rows: Rows | None) -> str:
    """The page of the rows a number is made of."""
    if rows is None:
        return ""
    url = reverse("backoffice:report-rows", args=[rows.source])
    return f"{url}?{urlencode(rows.where)}" if rows.where else url


def page_of(ref: Value) -> str:
    """The page of a row, by its outside id; "" where it has none."""
    name = PAGES.get(str(ref).partition("_")[0])
    try:
        return reverse(f"backoffice:{name}", args=[ref]) if name else ""
    except NoReverseMatch:
        return ""


def tile(figure: Figure) -> Tile:
    """A figure as its tile."""
    change, is_up = _change(figure)
    wanted = {"up": True, "down": False}.get(figure.better)
    goal = reached = ""
    if figure.goal is not None:
        goal = text_of(figure.kind, figure.goal, figure.currency)
        if isinstance(figure.value, int | Decimal) and isinstance(figure.goal, int | Decimal) and figure.goal:
            reached = formats.percent(Decimal(figure.value) / Decimal(figure.goal), places=0)
    return Tile(
        label=str(figure.label), currency=figure.currency, text=text_of(figure.kind, figure.value, figure.currency),
        definition=str(figure.definition), url=rows_url(figure.rows), change=change, is_up=is_up,
        is_better=None if is_up is None or wanted is None else is_up is wanted,
        before=text_of(figure.kind, figure.before, figure.currency) if figure.before is not None else "",
        goal=goal, reached=reached,
    )  # fmt: skip


def _change(figure: Figure) -> tuple[str, bool | None]:
    """How a figure moved since: in percent of what it was, a percentage in its points."""
    now, before = figure.value, figure.before
    if not isinstance(now, int | Decimal) or not isinstance(before, int | Decimal) or now == before:
        return "", None
    if figure.kind is Kind.PERCENT:
        points = Decimal(now) - Decimal(before)
        return f"{'+' if points > 0 else '−'}{formats.number(abs(points).quantize(Decimal('0.1')))} pp", points > 0
    if not before:
        return "", Decimal(now) > 0
    share = (Decimal(now) - Decimal(before)) / abs(Decimal(before))
    return f"{'+' if share > 0 else '−'}{formats.percent(abs(share))}", share > 0


def headings(columns: Sequence[Column]) -> list[Heading]:
    """The headings of a table's columns."""
    return [Heading(str(column.label), str(column.definition), column.kind in NUMBERS) for column in columns]


def sheet(table: Table) -> Sheet:
    """A table as its page shows it."""
    most = _most(table) if table.is_heat_map else Decimal(0)
    rows = [_cells(table, line, most) for line in table.lines]
    return Sheet(
        name=table.name, title=str(table.title), note=str(table.note), head=headings(table.columns),
        rows=rows,
        totals=[_cells(table, line, Decimal(0)) for line in table.totals],
        is_heat_map=table.is_heat_map, groups=_groups(table, rows),
    )  # fmt: skip


def _groups(table: Table, rows: list[list[Cell]]) -> list[tuple[str, list[list[Cell]]]]:
    """Rows of several currencies stand apart, unless a column says which is which."""
    codes = list(dict.fromkeys(line.currency for line in table.lines))
    if len(codes) < 2 or any(column.name == "currency" for column in table.columns):
        return [("", rows)]
    return [
        (code, [row for row, line in zip(rows, table.lines, strict=True) if line.currency == code]) for code in codes
    ]


def _most(table: Table) -> Decimal:
    values = [
        abs(Decimal(value))
        for line in table.lines
        for column, value in zip(table.columns, line.cells, strict=True)
        if column.kind is Kind.PERCENT and isinstance(value, int | Decimal)
    ]
    return max(values, default=Decimal(0))


def _cells(table: Table, line: Line, most: Decimal) -> list[Cell]:
    cells = []
    for column, value in zip(table.columns, line.cells, strict=True):
        is_number = column.kind in NUMBERS
        url = rows_url(line.rows.get(column.name))
        if column.kind is Kind.REFERENCE and not url:
            url = page_of(value)
        shade = None
        if most and column.kind is Kind.PERCENT and isinstance(value, int | Decimal):
            shade = round(SHADES * abs(Decimal(value)) / most)
        text = "" if value is None and table.is_heat_map else text_of(column.kind, value, line.currency)
        cells.append(Cell(text, url, is_number, str(column.label), shade))
    return cells


def chart(report: Report, plot: Plot) -> Chart | None:
    """A chart of columns of one of the report's tables; None where there is nothing to compare."""
    table = report.table(plot.table)
    places = {column.name: place for place, column in enumerate(table.columns)}
    lines = [line for line in table.lines if not plot.currency or line.currency == plot.currency]
    wanted = [name for name in plot.columns if name in places]
    if len(lines) < 2 or not wanted:
        return None
    first = table.columns[0]
    kind = table.columns[places[wanted[0]]].kind
    series = [
        Series(str(table.columns[places[name]].label), [_number(line.cells[places[name]]) for line in lines],
               number % TONES + 1)
        for number, name in enumerate(wanted)
    ]  # fmt: skip
    draw = line_chart if plot.form == "lines" else bar_chart
    named = str(plot.title)
    urls = [rows_url(next((line.rows[name] for name in wanted if name in line.rows), None)) for line in lines]
    return draw(
        title=plot.finding or named,
        about=" · ".join(filter(None, [named if plot.finding else "", plot.currency])),
        labels=[text_of(first.kind, line.cells[0], line.currency) for line in lines],
        series=series,
        value=lambda value: _written(kind, value, plot.currency),
        axis=lambda value: _on_axis(kind, value, plot.currency),
        **({"urls": urls} if all(urls) else {}),
    )


def _number(value: Value) -> int | Decimal:
    return value if isinstance(value, int | Decimal) else 0


def _written(kind: Kind, value: Decimal, currency: str) -> str:
    return text_of(kind, int(value) if kind in (Kind.MONEY, Kind.COUNT) else value, currency)


def _on_axis(kind: Kind, value: Decimal, currency: str) -> str:
    return formats.money_short(int(value), currency) if kind is Kind.MONEY else _written(kind, value, currency)
