"""The list of reports. Each is one function of a company and what is asked; every door shows whatever stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final, Literal

from core.models import Company
from core.refusal import Refused
from core.spreadsheets import Sheet
from reporting.shapes import Asked, Figure, Line, Plot, Report, Words

Build = Callable[[Company, Asked], Report]
Group = Literal["revenue", "churn", "growth", "payments", "accounting"]
#: How far back a report looks when nobody says: whole months, the running one the last.
Span = Literal["12 months", "36 months", "month", "quarter", "90 days ahead", "day"]


@dataclass(frozen=True, slots=True)
class Spec:
    """A report: its stable name (in addresses and the API), words, what may be asked of it, and how it is built."""

    name: str
    title: Words
    text: Words
    group: Group
    build: Build
    right: str = "report.read"
    span: Span = "12 months"
    dimensions: Sequence[tuple[str, Words]] = ()
    has_currency: bool = True
    can_compare: bool = False
    #: The file of long work, where it holds more than the report shows; its rows are read as they are written.
    sheets: Callable[[Company, Asked], Iterable[Sheet]] | None = None


_specs: Final[dict[str, Spec]] = {}


def register(spec: Spec) -> None:
    """Called once per report from `reporting/apps.py`; a name is taken once."""
    if spec.name in _specs and _specs[spec.name] != spec:
        raise ValueError(f"two reports are called {spec.name}")
    _specs[spec.name] = spec


def every() -> list[Spec]:
    """All reports, in the order of their groups and registration."""
    return list(_specs.values())


def named(name: str) -> Spec:
    """Refuses `report.unknown` where no report has that name."""
    try:
        return _specs[name]
    except KeyError:
        raise Refused("report.unknown", name=name) from None


def build(*, name: str, company: Company, asked: Asked) -> Report:
    """The report, computed now. Refuses `report.unknown`, `report.dimension_unknown`, `report.days_reversed`."""
    spec = named(name)
    if asked.last < asked.first:
        raise Refused("report.days_reversed", first=asked.first, last=asked.last)
    known = {dimension for dimension, _words in spec.dimensions}
    for dimension in [*([asked.by] if asked.by else []), *asked.only]:
        if dimension not in known:
            raise Refused("report.dimension_unknown", name=dimension, report=name)
    return own_first(spec.build(company, asked), company.currency)


def own_first(report: Report, currency: str) -> Report:
    """The report with the company's own currency before the others, which stay in their order."""

    def key(one: Figure | Line | Plot) -> bool:
        return one.currency != currency

    tables = [
        replace(table, lines=sorted(table.lines, key=key), totals=sorted(table.totals, key=key))
        for table in report.tables
    ]  # fmt: skip
    return replace(report, figures=sorted(report.figures, key=key), tables=tables, plots=sorted(report.plots, key=key))


def span_of(spec: Spec, on: date) -> tuple[date, date]:
    """First and last day a report covers when asked on a day without saying which."""
    month = on.replace(day=1)
    match spec.span:
        case "12 months" | "36 months":
            back = int(spec.span.split()[0]) - 1
            number = month.year * 12 + month.month - 1 - back
            return date(number // 12, number % 12 + 1, 1), on
        case "month":
            return month, on
        case "quarter":
            return date(on.year, (on.month - 1) // 3 * 3 + 1, 1), on
        case "90 days ahead":
            return on, on + timedelta(days=90)
        case "day":
            return on, on
