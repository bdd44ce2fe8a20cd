"""Invoiced revenue: what documents booked, by product, plan and country, month by month.

The rule that matters: it is the sum of the postings on revenue accounts; credit notes count in their own month.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from django.db.models import Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.replica import reads_replica
from pricing.periods import month_end
from reporting import dimensions, findings, in_one
from reporting.registry import Spec, register
from reporting.rows_booked import DIMENSIONS, booked, entries
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table

_REVENUE = _(
    "Invoices less credit notes of the time, without tax, each on the day of its document. Prepaid credit counts when"
    " it is used or lapses, not when it is sold. It is what the revenue accounts say for the same days."
)
_GROSS = _("Lines of invoices of the time, without tax.")
_BACK = _("Lines of credit notes of the time, without tax.")


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figure `revenue` by currency; tables `months` (invoices, credit notes, revenue) and, asked `by`, `parts`."""
    turning = in_one.Turning(company, asked)
    rows = booked(entries(company, asked.only), asked.first, asked.last).annotate(month=TruncMonth("booked_on"))
    column = dimensions.BY_NAME[asked.by].column if asked.by else ""
    grouped = rows.order_by().values_list("currency", "month", *([column] if column else []))
    months: dict[str, dict[date, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    parts: dict[tuple[str, Any], int] = defaultdict(int)
    is_back = rows.filter(credit_note__isnull=False)
    back = {tuple(row[:-1]): int(row[-1]) for row in is_back.order_by().values_list(
        "currency", "month", *([column] if column else [])
    ).annotate(total=Sum("amount"))}  # fmt: skip
    for *key, total in grouped.annotate(total=Sum("amount")):
        currency, month, value = key[0], key[1], key[2] if column else ""
        if not turning.wants(currency):
            continue
        day = in_one.rate_day(month, asked)
        taken = back.get(tuple(key), 0)
        name, given = turning.turn(currency, int(total) - taken, day)
        returned = turning.turn(currency, taken, day)[1]
        months[name][month][0] += given
        months[name][month][1] += returned
        parts[name, value] += given + returned
    tables = [_months(months, asked, turning)]
    if asked.by:
        tables.append(_parts(company, parts, asked, turning))
    figures = [
        Figure("revenue", _("Invoiced revenue"), Kind.MONEY, sum(sum(pair) for pair in found.values()), _REVENUE,
               currency, rows=_rows(asked, turning, currency, asked.first, asked.last))
        for currency, found in sorted(months.items())
    ]  # fmt: skip
    plots = [
        Plot(_("Invoiced revenue by month"), "months", ["revenue"], currency=one,
             finding=findings.booked(tables[0], one, asked.first, asked.last))
        for one in sorted(months)
    ]  # fmt: skip
    return Report(figures, tables, plots, warnings=turning.warnings())


def _rows(asked: Asked, turning: in_one.Turning, currency: str, first: date, last: date, **more: str) -> Rows | None:
    if not turning.opens(currency):
        return None
    time = {"first": first.isoformat(), "last": last.isoformat()}
    return Rows("revenue_entries", {"what": "booked", **time, "currency": currency, **asked.only, **more})


def _months(found: Any, asked: Asked, turning: in_one.Turning) -> Table:
    columns = (
        Column("month", _("Month"), Kind.MONTH),
        Column("invoices", _("Invoices"), Kind.MONEY, is_summed=True, definition=_GROSS),
        Column("credit_notes", _("Credit notes"), Kind.MONEY, is_summed=True, definition=_BACK),
        Column("revenue", _("Invoiced revenue"), Kind.MONEY, is_summed=True, definition=_REVENUE),
    )
    lines = []
    for currency, months in sorted(found.items()):
        for month, (given, returned) in sorted(months.items()):
            first, last = max(month, asked.first), min(month_end(month), asked.last)
            rows = _rows(asked, turning, currency, first, last)
            opens = {} if rows is None else {"revenue": rows}
            lines.append(Line([month, given, returned, given + returned], currency, opens))
    return Table("months", _("By month"), columns, lines)


def _parts(company: Company, found: dict[tuple[str, Any], int], asked: Asked, turning: in_one.Turning) -> Table:
    told = dimensions.told(company, asked.by, {value for _currency, value in found})
    columns = (
        Column(asked.by, dimensions.BY_NAME[asked.by].label),
        Column("revenue", _("Invoiced revenue"), Kind.MONEY, is_summed=True, definition=_REVENUE),
    )
    lines = []
    for (currency, value), minor in sorted(found.items(), key=lambda item: (item[0][0], -item[1], str(item[0][1]))):
        text, words = told[value]
        rows = _rows(asked, turning, currency, asked.first, asked.last, **{asked.by: text})
        lines.append(Line([dimensions.without(words), minor], currency, {} if rows is None else {"revenue": rows}))
    return Table("parts", _("Divided"), columns, lines)


register(
    Spec(
        name="revenue",
        title=_("Invoiced revenue"),
        text=_("What invoices and credit notes booked as revenue, by product, plan and country."),
        group="accounting",
        build=build,
        dimensions=tuple((name, dimensions.BY_NAME[name].label) for name in DIMENSIONS),
    )
)
