"""Values of reports as people read them, and as files and programs do."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.translation import gettext as _

from core.design import formats
from core.spreadsheets import Sheet, amount
from reporting.shapes import Kind, Line, Report, Table, Value

#: What stands where there is no value.
NONE = "–"


def text_of(kind: Kind, value: Value, currency: str = "", *, signed: bool = False) -> str:
    """A value in the reader's language; a dash for None."""
    if value is None:
        return NONE
    if kind is Kind.MONEY and isinstance(value, int):
        return formats.money(value, currency, signed=signed)
    if kind is Kind.PERCENT and isinstance(value, Decimal | int):
        return formats.percent(Decimal(value) / 100)
    if kind is Kind.DAY and isinstance(value, date):
        return formats.day(value)
    if kind is Kind.MONTH and isinstance(value, date):
        return formats.month(value)
    if isinstance(value, Decimal):
        return formats.number(value.quantize(Decimal("0.01"), ROUND_HALF_UP))
    if isinstance(value, int) and not isinstance(value, bool):
        return formats.number(value)
    return str(value)


def plain_of(kind: Kind, value: Value, currency: str = "") -> Any:
    """A value for a file or program: amounts as exact numbers in whole units, months as 2026-03."""
    if kind is Kind.MONEY and isinstance(value, int):
        return amount(value, currency)
    if kind is Kind.MONTH and isinstance(value, date):
        return value.isoformat()[:7]
    return str(value) if kind in (Kind.TEXT, Kind.REFERENCE) and value is not None else value


def has_currencies(table: Table) -> bool:
    """Whether its lines have a currency, which files then show as a column of its own."""
    return any(line.currency for line in table.lines)


def sheet_of(table: Table, *, in_words: bool = False) -> Sheet:
    """The table as a sheet: stable names in the head (`in_words`: words for people), plain values below."""
    with_currency = has_currencies(table)
    names = [str(column.label) if in_words else column.name for column in table.columns]
    head = [*([_("Currency") if in_words else "currency"] if with_currency else []), *names]
    return Sheet(str(table.title), head, [_row(table, line, with_currency) for line in table.lines])


def _row(table: Table, line: Line, with_currency: bool) -> list[Any]:
    cells = [
        plain_of(column.kind, value, line.currency) for column, value in zip(table.columns, line.cells, strict=True)
    ]
    return [line.currency, *cells] if with_currency else cells


def sheets_of(report: Report, *, in_words: bool = False) -> list[Sheet]:
    """Figures first, then each table, as `sheet_of`."""
    rows = [
        [str(figure.label), figure.currency, plain_of(figure.kind, figure.value, figure.currency),
         plain_of(figure.kind, figure.before, figure.currency), str(figure.definition)]
        for figure in report.figures
    ]  # fmt: skip
    name, head = "figures", ["figure", "currency", "value", "before", "definition"]
    if in_words:
        name, head = _("Figures"), [_("Figure"), _("Currency"), _("Value"), _("Before"), _("Definition")]
    figures = [Sheet(name, head, rows)] if rows else []
    return [*figures, *(sheet_of(table, in_words=in_words) for table in report.tables)]
