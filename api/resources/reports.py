"""Reports: the list of them, one with what it is asked, and the rows a number was added up from.

One operation answers every report of the registry, in one shape: figures with their definitions, and tables.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import path
from django.utils.translation import get_language
from rest_framework.request import Request

from api.problems import Problem
from api.query import Filter
from api.resources.runs import JobShape, accepted
from api.shapes import Computed, Part, PlainShape
from api.views import ApiView, operation
from core.refusal import Refused
from reporting import asking, long_reports, registry, words
from reporting import rows as sources
from reporting.shapes import Kind, Line, Rows, Table, Value

TEXT: Final = {"type": "string"}
TEXT_OR_NONE: Final = {"type": ["string", "null"]}
VALUE: Final = {"type": ["string", "integer", "boolean", "null"]}
MOST_ROWS: Final = 100
#: What every report understands, and every dimension one of them has.
DIMENSIONS: Final = sorted({name for spec in registry.every() for name, _words in spec.dimensions})
ASKED: Final = [
    Filter("on", "day", is_value=True, help="As known at the end of this day; today when left out."),
    Filter("span", "choice", choices=tuple(name for name in asking.SPANS if name), is_value=True,
           help="The time in words; the report's usual one when left out."),
    Filter("first", "day", is_value=True, help="First day, with span=days."),
    Filter("last", "day", is_value=True, help="Last day, with span=days."),
    Filter("currency", "text", is_value=True, help="ISO 4217, or `reporting`: all in the company's own."),
    Filter("by", "choice", choices=tuple(DIMENSIONS), is_value=True, help="Divides the report by a dimension."),
    Filter("compare", "choice", choices=tuple(name for name in asking.COMPARED if name), is_value=True,
           help="Answers with the figures of an earlier time beside."),
    *(Filter(name, "text", is_value=True, help="Keeps the report to one value of this dimension.")
      for name in DIMENSIONS if name not in asking.WORDS),
]  # fmt: skip


def _value(kind: Kind, value: Value, currency: str) -> str | int | bool | None:
    """As JSON: amounts, percents and days as strings, counts as numbers."""
    plain = words.plain_of(kind, value, currency)
    return plain if plain is None or isinstance(plain, bool | int) else str(plain)


def _rows_url(found: Rows | None) -> str | None:
    if found is None:
        return None
    return f"/api/v1/reports/rows/{found.source}?{urlencode(found.where)}"


class FigureShape(PlainShape):
    """One number of a report."""

    name = Computed(TEXT, lambda row, reading: row.name)
    label = Computed(TEXT, lambda row, reading: str(row.label))
    kind = Computed(TEXT, lambda row, reading: row.kind.value, help_text="How the value is written.")
    currency = Computed(TEXT, lambda row, reading: row.currency, help_text="ISO 4217; empty: it is no amount.")
    value = Computed(VALUE, lambda row, reading: _value(row.kind, row.value, row.currency))
    before = Computed(VALUE, lambda row, reading: _value(row.kind, row.before, row.currency))
    definition = Computed(TEXT, lambda row, reading: str(row.definition), help_text="What exactly is counted.")
    rows_url = Computed(TEXT_OR_NONE, lambda row, reading: _rows_url(row.rows), help_text="The rows it is made of.")


class ColumnShape(PlainShape):
    """A column of a table."""

    name = Computed(TEXT, lambda row, reading: row.name)
    label = Computed(TEXT, lambda row, reading: str(row.label))
    kind = Computed(TEXT, lambda row, reading: row.kind.value)


LINES: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"currency": TEXT, "cells": {"type": "object", "additionalProperties": VALUE}},
    },
}


def _lines(table: Table, lines: Any) -> list[dict[str, Any]]:
    return [{"currency": line.currency, "cells": _cells(table.columns, line)} for line in lines]


def _cells(columns: Any, line: Line) -> dict[str, Any]:
    return {
        column.name: _value(column.kind, value, line.currency)
        for column, value in zip(columns, line.cells, strict=True)
    }


class TableShape(PlainShape):
    """A table of a report: cells by the names of its columns."""

    name = Computed(TEXT, lambda row, reading: row.name)
    title = Computed(TEXT, lambda row, reading: str(row.title))
    columns = Part(ColumnShape, lambda row: row.columns, many=True)
    lines = Computed(LINES, lambda row, reading: _lines(row, row.lines))
    totals = Computed(LINES, lambda row, reading: _lines(row, row.totals))


class ReportShape(PlainShape):
    """A report, computed now."""

    report = Computed(TEXT, lambda row, reading: row["spec"].name)
    title = Computed(TEXT, lambda row, reading: str(row["spec"].title))
    on = Computed({"type": "string", "format": "date"}, lambda row, reading: row["asked"].on)
    first = Computed({"type": "string", "format": "date"}, lambda row, reading: row["asked"].first)
    last = Computed({"type": "string", "format": "date"}, lambda row, reading: row["asked"].last)
    figures = Part(FigureShape, lambda row: row["built"].figures, many=True)
    tables = Part(TableShape, lambda row: row["built"].tables, many=True)
    warnings = Computed(
        {"type": "array", "items": TEXT}, lambda row, reading: [str(text) for text in row["built"].warnings]
    )


class SpecShape(PlainShape):
    """A report there is."""

    name = Computed(TEXT, lambda row, reading: row.name)
    title = Computed(TEXT, lambda row, reading: str(row.title))
    text = Computed(TEXT, lambda row, reading: str(row.text))
    group = Computed(TEXT, lambda row, reading: row.group)
    dimensions = Computed(
        {"type": "array", "items": TEXT}, lambda row, reading: [name for name, _words in row.dimensions]
    )


class SpecsShape(PlainShape):
    """Every report."""

    data = Part(SpecShape, lambda row: row, many=True)


class RowsShape(PlainShape):
    """Rows a number was added up from, newest first."""

    title = Computed(TEXT, lambda row, reading: str(row["source"].title))
    columns = Part(ColumnShape, lambda row: row["source"].columns, many=True)
    lines = Computed(LINES, lambda row, reading: row["lines"])
    has_more = Computed({"type": "boolean"}, lambda row, reading: row["has_more"])


class ReportView(ApiView):
    tag = "Reports"
    places: ClassVar[dict[str, Any]] = {
        "report": tuple(spec.name for spec in registry.every()), "rows": tuple(sources.names()),
    }  # fmt: skip

    def spec_of(self, name: str) -> registry.Spec:
        try:
            spec = registry.named(name)
        except Refused:
            raise Problem(404, "not_found") from None
        if spec.right not in self.rights:
            raise Problem(404, "not_found")
        return spec


class Reports(ReportView):
    @operation("List reports", right="report.read", answer=SpecsShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(SpecsShape, [spec for spec in registry.every() if spec.right in self.rights])


class OneReport(ReportView):
    @operation(
        "Get a report",
        right="report.read",
        answer=ReportShape,
        filters=ASKED,
        description="Computed now from history. Days are the company's, first and last both count.",
        refusals=("report.too_long", "report.coming_too_many"),
    )
    def get(self, request: Request, report: str) -> HttpResponse:
        spec = self.spec_of(report)
        query = {name: request.query_params[name] for name in self.asked.values}
        asked = asking.asked_of(spec, query, today=self.today)
        built = registry.build(name=report, company=self.company, asked=asked)
        return self.shaped(ReportShape, {"spec": spec, "asked": asked, "built": built})


class ReportFile(ReportView):
    @operation(
        "Write a report to a file",
        right="report.read",
        answer=JobShape,
        status=202,
        filters=ASKED,
        description="For reports too long to wait for. The job says how far it is; `GET /jobs/{job}/file` answers the "
        "spreadsheet.",
        refusals=("report.too_long",),
    )
    def post(self, request: Request, report: str) -> HttpResponse:
        spec = self.spec_of(report)
        query = {name: request.query_params[name] for name in self.asked.values}
        job = long_reports.start(
            company=self.company, name=spec.name, query=query, language=get_language() or "en", user=None
        )
        return accepted(self, job)


class ReportRows(ReportView):
    @operation(
        "List the rows behind a number",
        right="report.read",
        answer=RowsShape,
        description="Addresses come from `rows_url` of a figure. The first 100 rows; the page in the back office "
        "exports all of them.",
        filters=[
            Filter(name, "text", is_value=True, help="A condition of the figure.") for name in sources.conditions()
        ],
        refusals=("report.rows_unknown",),
    )
    def get(self, request: Request, rows: str) -> HttpResponse:
        if rows not in sources.names():
            raise Problem(404, "not_found")
        wanted = Rows(rows, {name: request.query_params[name] for name in self.asked.values})
        kind = sources.source_of(wanted)
        found = list(sources.query(self.company, wanted)[: MOST_ROWS + 1])
        lines = [{"currency": sources.currency_of(kind, row), "cells": _row(kind, row)} for row in found[:MOST_ROWS]]
        return self.shaped(RowsShape, {"source": kind, "lines": lines, "has_more": len(found) > MOST_ROWS})


def _row(kind: sources.Source, row: Any) -> dict[str, Any]:
    currency = sources.currency_of(kind, row)
    return {
        column.name: _value(column.kind, value, currency)
        for column, value in zip(kind.columns, kind.cells(row), strict=True)
    }


urlpatterns = [
    path("reports", Reports.as_view()),
    path("reports/rows/<str:rows>", ReportRows.as_view()),
    path("reports/<str:report>", OneReport.as_view()),
    path("reports/<str:report>/file", ReportFile.as_view()),
]
