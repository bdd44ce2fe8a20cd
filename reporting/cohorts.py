"""The report on cohorts: of those who started in a month, how many are still there, and what they pay, month by month.

The rule that matters: a cohort is everybody whose first recurring revenue was booked in the month; what it is measured
against is what it had at the end of that month.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.replica import reads_replica
from pricing.periods import month_end
from reporting import findings, growth, revenue, revenue_lines
from reporting.in_one import Turning
from reporting.movements import Month
from reporting.registry import Spec, register
from reporting.revenue_lines import Lines
from reporting.shapes import Asked, Column, Kind, Line, Plot, Report, Rows, Table, Value

#: Months after the start that are shown at most.
MOST: Final = 36
_CUSTOMERS: Final = _(
    "Customers of the cohort with recurring revenue above zero at the end of the month that lies so many months after"
    " their first."
)
_REVENUE: Final = _(
    "Monthly recurring revenue of the cohort's customers at the end of the month that lies so many months after their"
    " first, expansion included."
)
_KEPT: Final = _("In percent of what the cohort had at the end of its first month.")


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Tables `customers`, `revenue` in numbers and `customers_kept`, `revenue_kept` in percent, a line a cohort; by a
    dimension, what stayed of those who started in the time."""
    turning = Turning(company, asked)
    lines = revenue_lines.read(revenue_lines.wanted_of(company, asked, turning, by="cohort"), asked, turning)
    started = sorted(
        (currency, cohort)
        for currency, cohort in lines.lines
        if asked.first.replace(day=1) <= cohort <= asked.last
    )  # fmt: skip
    first, last = asked.first.replace(day=1), asked.last
    count = min(MOST, (last.year - first.year) * 12 + last.month - first.month)
    tables = []
    for name, title, kind, definition, read in _MEASURES:
        numbers, shares = [], []
        for currency, cohort in started:
            months = [month for month in lines.lines[currency, cohort] if month.month >= cohort][: count + 1]
            values = [read(month) for month in months]
            opened = {f"m{place}": rows for place, month in enumerate(months)
                      if (rows := _rows(name, asked, lines, currency, cohort, month.month)) is not None}  # fmt: skip
            blank: list[Value] = [None] * (count + 1 - len(values))
            numbers.append(Line([cohort, *values, *blank], currency, opened))
            kept: list[Value] = [revenue.percent(value, values[0]) for value in values]
            shares.append(Line([cohort, *kept, *blank], currency))
        tables.append(Table(name, title, _columns(count, kind), numbers, note=definition))
        tables.append(
            Table(f"{name}_kept", _KEPT_TITLES[name], _columns(count, Kind.PERCENT), shares, note=_KEPT,
                  is_heat_map=True)
        )  # fmt: skip
    if asked.by:
        by = growth.told(revenue_lines.wanted_of(company, asked, turning, by=asked.by), asked, turning)
        tables.append(growth.table_of(company, asked, turning, asked.by, by))
    title = _("Customers by month of start")
    plots = [
        Plot(title, "customers", ["m0"], currency=currency, finding=findings.cohorts(tables[0], currency))
        for currency in dict.fromkeys(currency for currency, _cohort in started)
    ]
    return Report((), tables, plots, warnings=turning.warnings())


def _columns(count: int, kind: Kind) -> list[Column]:
    after = [Column(f"m{place}", str(place), kind) for place in range(count + 1)]
    return [Column("cohort", _("Start"), Kind.MONTH), *after]


def _rows(name: str, asked: Asked, lines: Lines, currency: str, cohort: date, month: date) -> Rows | None:
    """What a cell opens; None where several currencies became one and their sum has no rows."""
    day = min(month_end(month), asked.last).isoformat()
    where = {**asked.only, "cohort": f"{cohort:%Y-%m}"}
    if currency in lines.sums:
        return Rows("revenue_customers", {**where, "last": day}) if name == "customers" else None
    where["currency"] = currency
    if name == "customers":
        return Rows("revenue_customers", {**where, "last": day})
    return Rows("recurring", {**where, "on": day})


_Read = Callable[[Month], int]
_MEASURES: Final[tuple[tuple[str, Any, Kind, Any, _Read], ...]] = (
    ("customers", _("Customers by month of start"), Kind.COUNT, _CUSTOMERS, lambda month: month.customers),
    ("revenue", _("Monthly revenue by month of start"), Kind.MONEY, _REVENUE, lambda month: month.closing),
)
_KEPT_TITLES: Final = {
    "customers": _("Customers still there"),
    "revenue": _("Monthly revenue still there"),
}

register(
    Spec(
        name="cohorts",
        title=_("Cohorts"),
        text=_("Of those who started in a month, how many stayed, and how much of their revenue, month after month."),
        group="churn",
        build=build,
        dimensions=tuple(one for one in revenue.dimensions.CHOICES if one[0] != "cohort"),
    )
)
