"""The report on growth: new recurring revenue by where customers came from, and how much of it stays.

The rule that matters: a customer is new once in a currency; retention looks only at those whose months are over, and at
all they have, whatever it grew out of.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.replica import reads_replica
from pricing.periods import month_end
from reporting import dimensions, findings, movements, revenue, revenue_lines
from reporting.in_one import Turning, rate_day
from reporting.movements import Wanted
from reporting.registry import Spec, register
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table, Value

#: Months after which it is asked who is still there.
AFTER: Final = (3, 12)
NEW: Final = _(
    "Monthly recurring revenue of customers who never had any in the currency before: the movements of the kind new."
)
WON: Final = _("Customers with such a movement in the time; who comes back is not new.")
BACK: Final = _("Monthly recurring revenue of customers who had left and came back in the time.")
KEPT_CUSTOMERS: Final = _(
    "Of the customers won whose months since the start are over: how many had recurring revenue at their end, in"
    " percent of those who had some at the end of their first month. Months count from the first; before they are"
    " over there is no figure."
)
KEPT_REVENUE: Final = _(
    "Of the customers won whose months since the start are over: their monthly revenue at their end, in percent of what"
    " it was at the end of their first month."
)
_RETAINED: Final = """
    WITH started AS (
        SELECT customer_id, currency, {value} AS value, min(booked_on) AS began, sum(amount_minor) AS won
        FROM {table}
        WHERE company_id = %(company)s AND kind = 'new' AND booked_on BETWEEN %(first)s AND %(last)s {where}
        GROUP BY 1, 2, 3 HAVING sum(amount_minor) > 0
    ), had AS (
        SELECT s.currency, s.value, s.customer_id, s.won, date_trunc('month', s.began)::date AS month,
               sum(m.amount_minor) FILTER (WHERE m.booked_on < date_trunc('month', s.began) + interval '1 month')
                   AS base,
               sum(m.amount_minor) FILTER (WHERE m.booked_on < date_trunc('month', s.began) + interval '4 months')
                   AS third,
               sum(m.amount_minor) FILTER (WHERE m.booked_on < date_trunc('month', s.began) + interval '13 months')
                   AS twelfth
        FROM started s
        JOIN subscriptions_movement m ON m.customer_id = s.customer_id AND m.currency = s.currency
        WHERE m.company_id = %(company)s AND m.booked_on <= %(on)s
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT currency, value, count(*), sum(won)::bigint,
           count(*) FILTER (WHERE month <= %(third)s AND base > 0),
           count(*) FILTER (WHERE month <= %(third)s AND base > 0 AND third > 0),
           coalesce(sum(base) FILTER (WHERE month <= %(third)s), 0)::bigint,
           coalesce(sum(third) FILTER (WHERE month <= %(third)s), 0)::bigint,
           count(*) FILTER (WHERE month <= %(twelfth)s AND base > 0),
           count(*) FILTER (WHERE month <= %(twelfth)s AND base > 0 AND twelfth > 0),
           coalesce(sum(base) FILTER (WHERE month <= %(twelfth)s), 0)::bigint,
           coalesce(sum(twelfth) FILTER (WHERE month <= %(twelfth)s), 0)::bigint
    FROM had GROUP BY 1, 2
"""


@dataclass(slots=True)
class Retained:
    """Who was won in a currency under a value: customers and minor units, and by months since: who could be kept and
    was, and the revenue of these at the end of their first month and at the end of the months."""

    customers: int = 0
    won: int = 0
    after: dict[int, list[int]] = field(default_factory=lambda: {months: [0, 0, 0, 0] for months in AFTER})

    def kept_customers(self, months: int) -> Any:
        could, did, _base, _then = self.after[months]
        return revenue.percent(did, could)

    def kept_revenue(self, months: int) -> Any:
        _could, _did, base, then = self.after[months]
        return revenue.percent(then, base)


def retained(wanted: Wanted, on: date) -> dict[tuple[str, Any], Retained]:
    """Customers won in the time by currency and value, and what became of them by `on`; one statement."""
    end = on if month_end(on) == on else on.replace(day=1) - movements.ONE_DAY
    due = {f"of_{months}": revenue.back(end.replace(day=1), months) for months in AFTER}
    names = {"third": due["of_3"], "twelfth": due["of_12"], "on": on}
    found = {}
    for currency, value, customers, won, *after in movements.fetch(_RETAINED, wanted, values=names):
        kept = {3: list(after[:4]), 12: list(after[4:])}
        found[currency, value] = Retained(customers, won, kept)
    return found


def told(wanted: Wanted, asked: Asked, turning: Turning) -> dict[tuple[str, Any], Retained]:
    """The same in the currencies a report is asked in, all at the rate of its last day."""
    day = rate_day(asked.last.replace(day=1), asked)
    found: dict[tuple[str, Any], Retained] = defaultdict(Retained)
    for (currency, value), one in retained(wanted, asked.on).items():
        into, won = turning.turn(currency, one.won, day)
        cell = found[into, value]
        cell.customers += one.customers
        cell.won += won
        for months, (could, did, base, then) in one.after.items():
            turned = turning.turn(currency, base, day)[1], turning.turn(currency, then, day)[1]
            cell.after[months] = [
                had + more for had, more in zip(cell.after[months], (could, did, *turned), strict=True)
            ]  # fmt: skip
    return dict(found)


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures `new`, `won`, `back` and retention by currency; tables `months`, `campaign`, `source`, and what is asked
    by."""
    turning = Turning(company, asked)
    wanted = revenue_lines.wanted_of(company, asked, turning)
    lines = revenue_lines.read(wanted, asked, turning)
    whole = told(wanted, asked, turning)
    figures = [
        figure
        for currency in lines.currencies
        for figure in _figures(currency, lines, whole.get((currency, ""), Retained()), asked)
    ]
    tables = [_months(lines, asked)]
    for name in dict.fromkeys(("campaign", "source", asked.by or "campaign")):
        by = told(revenue_lines.wanted_of(company, asked, turning, by=name), asked, turning)
        tables.append(table_of(company, asked, turning, name, by))
    plots = [
        Plot(_("New and returned revenue by month"), "months", ["new", "back"], currency=currency,
             finding=findings.growth(tables[0], currency))
        for currency in lines.currencies
    ]  # fmt: skip
    return Report(figures, tables, plots, warnings=turning.warnings())


def _figures(currency: str, lines: revenue_lines.Lines, whole: Retained, asked: Asked) -> list[Figure]:
    months = lines.of(currency)[""]
    where = None if currency in lines.sums else {
        "currency": currency, **asked.only, "first": asked.first.isoformat(), "last": asked.last.isoformat()
    }  # fmt: skip

    def opens(source: str, **more: str) -> Rows | None:
        return None if where is None else Rows(source, {**where, **more})

    new = sum(month.kinds["new"] for month in months)
    back = sum(month.kinds["reactivation"] for month in months)
    return [
        Figure("new", _("New monthly revenue"), Kind.MONEY, new, NEW, currency, rows=opens("movements", kind="new")),
        Figure("won", _("Customers won"), Kind.COUNT, whole.customers, WON, currency, rows=opens("won_customers")),
        Figure("back", _("Revenue that came back"), Kind.MONEY, back, BACK, currency,
               rows=opens("movements", kind="reactivation")),
        *(
            Figure(f"kept_{after}", words, Kind.PERCENT, whole.kept_revenue(after), KEPT_REVENUE, currency)
            for after, words in _AFTER_WORDS.items()
        ),
    ]  # fmt: skip


_AFTER_WORDS: Final = {3: _("Revenue kept after 3 months"), 12: _("Revenue kept after 12 months")}
_CUSTOMERS_AFTER: Final = {3: _("Customers kept after 3 months"), 12: _("Customers kept after 12 months")}


def _months(lines: revenue_lines.Lines, asked: Asked) -> Table:
    columns = [
        Column("month", _("Month"), Kind.MONTH), Column("new", _("New monthly revenue"), Kind.MONEY, is_summed=True),
        Column("back", _("Revenue that came back"), Kind.MONEY, is_summed=True),
        Column("gained", _("Customers gained"), Kind.COUNT), Column("returned", _("Customers back"), Kind.COUNT),
    ]  # fmt: skip
    found = []
    for currency in lines.currencies:
        for month in lines.of(currency)[""]:
            first = max(month.month, asked.first).isoformat()
            last = min(month_end(month.month), asked.last).isoformat()
            where = {"currency": currency, **asked.only, "first": first, "last": last}
            rows: dict[str, Rows] = {}
            if currency not in lines.sums:
                rows = {
                    "new": Rows("movements", {**where, "kind": "new"}),
                    "back": Rows("movements", {**where, "kind": "reactivation"}),
                    "gained": Rows("revenue_customers", {**where, "which": "gained"}),
                    "returned": Rows("revenue_customers", {**where, "which": "returned"}),
                }
            cells: list[Value] = [
                month.month, month.kinds["new"], month.kinds["reactivation"], month.gained, month.returned
            ]  # fmt: skip
            found.append(Line(cells, currency, rows))
    return Table("months", _("By month"), columns, found, note=NEW)


def table_of(
    company: Company, asked: Asked, turning: Turning, by: str, found: dict[tuple[str, Any], Retained]
) -> Table:  # fmt: skip
    """A line a value: what was won and what stayed."""
    dimension = dimensions.BY_NAME[by]
    words = dimensions.told(company, by, {value for _currency, value in found})
    columns = [
        Column("value", dimension.label), Column("customers", _("Customers won"), Kind.COUNT, definition=WON),
        Column("new", _("New monthly revenue"), Kind.MONEY, is_summed=True, definition=NEW),
        *(Column(f"customers_{after}", _CUSTOMERS_AFTER[after], Kind.PERCENT, definition=KEPT_CUSTOMERS)
          for after in AFTER),
        *(Column(f"kept_{after}", _AFTER_WORDS[after], Kind.PERCENT, definition=KEPT_REVENUE) for after in AFTER),
    ]  # fmt: skip
    lines = []
    for (currency, value), one in found.items():
        text, name = words[value]
        where = {"currency": currency, **asked.only, by: text, "first": asked.first.isoformat(),
                 "last": asked.last.isoformat()}  # fmt: skip
        rows = {} if not turning.opens(currency) else {
            "customers": Rows("won_customers", where), "new": Rows("movements", {**where, "kind": "new"}),
        }  # fmt: skip
        cells: list[Value] = [
            dimensions.without(name), one.customers, one.won, *(one.kept_customers(after) for after in AFTER),
            *(one.kept_revenue(after) for after in AFTER),
        ]  # fmt: skip
        lines.append(Line(cells, currency, rows))
    lines.sort(key=lambda line: (line.currency, -int(str(line.cells[2])), str(line.cells[0])))
    return Table(by, dimension.label, columns, lines)


register(
    Spec(
        name="growth",
        title=_("Growth"),
        text=_("New recurring revenue by month, and by what brought the customers, and how much of it stayed."),
        group="growth",
        build=build,
        dimensions=dimensions.CHOICES,
    )
)
