"""Deferred revenue: what was booked for days to come, when it becomes revenue, and what each month brought.

The rule that matters: revenue of a line is recognized per day of its period, cumulatively rounded; credit notes take
back over the days they release, single charges count on their day.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any, Final

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.replica import reads_replica
from pricing.periods import month_end
from reporting import dimensions, findings, in_one
from reporting.registry import Spec, register
from reporting.rows_booked import DIMENSIONS, ONE_DAY, accrued, booked, deferred, earned, entries, released
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table

#: Months of the schedule; what comes after them is one line.
AHEAD: Final = 24

_DEFERRED = _(
    "Booked up to the end of the day for days after it: revenue that is still to be earned. Each line of an invoice"
    " counts the same for every day of its period, rounded once; credit notes take back the days they give back."
)
_ACCRUED = _(
    "Earned by days up to the end of the day and booked by a later document, as with charges in arrears and usage."
)
_EARNED = _("What the days of the month brought, whenever they were booked.")
_BOOKED = _("Revenue of the documents of the month, without tax.")
_BALANCE = _("Deferred less accrued: what was booked up to the month's end less what was earned up to it.")


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures `deferred`, `accrued`, `earned`; tables `months` (booked, earned, deferred, accrued at its end) and
    `schedule` (when what is deferred on the last day becomes revenue)."""
    turning = in_one.Turning(company, asked)
    rows = entries(company, asked.only)
    spans = _spans(asked.first, asked.last)
    months: dict[str, dict[date, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    for first, last in spans:
        asks = {
            "booked": booked(rows, first, last), "earned": earned(rows, first, last),
            "deferred": deferred(rows, last), "accrued": accrued(rows, last),
        }  # fmt: skip
        for name, found in asks.items():
            for currency, minor in turning.sums(_totals(found), in_one.rate_day(first, asked)).items():
                months[currency][first][name] = minor
    schedule: dict[str, list[tuple[date, date | None, int]]] = defaultdict(list)
    for first, last in _ahead(asked.last):
        found = released(rows, asked.last, first, last)
        for currency, minor in turning.sums(_totals(found), asked.last).items():
            schedule[currency].append((first, last, minor))
    opens = _Opens(asked, turning)
    figures = [figure for currency in sorted(months) for figure in _figures(months[currency], currency, spans, opens)]
    tables = [_months_table(months, dict(spans), opens), _schedule_table(schedule, opens)]
    plots = [
        Plot(_("Deferred revenue becomes revenue"), "schedule", ["released"], currency=one,
             finding=findings.deferred(tables[1], one))
        for one in sorted(schedule)
    ]  # fmt: skip
    return Report(figures, tables, plots, warnings=turning.warnings())


def _totals(rows: Any) -> dict[str, int]:
    grouped = rows.order_by().values_list("currency").annotate(total=Sum("amount"))
    return {currency: int(total) for currency, total in grouped}


def _spans(first: date, last: date) -> list[tuple[date, date]]:
    """The months of the time, cut at both ends."""
    found, day = [], first
    while day <= last:
        found.append((day, min(month_end(day), last)))
        day = month_end(day) + ONE_DAY
    return found


def _ahead(day: date) -> list[tuple[date, date | None]]:
    """The rest of the day's month, the months after it, and all that is later."""
    found: list[tuple[date, date | None]] = []
    first = day + ONE_DAY
    for _number in range(AHEAD):
        last = month_end(first)
        found.append((first, last))
        first = last + ONE_DAY
    return [*found, (first, None)]


class _Opens:
    """The rows behind this report's numbers."""

    def __init__(self, asked: Asked, turning: in_one.Turning) -> None:
        self.asked, self.turning = asked, turning

    def of(self, what: str, currency: str, **days: date | None) -> Rows | None:
        if not self.turning.opens(currency):
            return None
        told = {name: day.isoformat() for name, day in days.items() if day is not None}
        return Rows("revenue_entries", {"what": what, **told, "currency": currency, **self.asked.only})


def _figures(months: Any, currency: str, spans: list[tuple[date, date]], opens: _Opens) -> list[Figure]:
    first, last = spans[-1]
    now, day = months[first], opens.asked.last
    return [
        Figure("deferred", _("Deferred revenue"), Kind.MONEY, now["deferred"], _DEFERRED, currency, better="",
               rows=opens.of("deferred", currency, day=day)),
        Figure("accrued", _("Accrued revenue"), Kind.MONEY, now["accrued"], _ACCRUED, currency, better="",
               rows=opens.of("accrued", currency, day=day)),
        Figure("earned", _("Revenue earned in the month"), Kind.MONEY, now["earned"], _EARNED, currency,
               rows=opens.of("earned", currency, first=first, last=last)),
    ]  # fmt: skip


def _months_table(months: Any, ends: dict[date, date], opens: _Opens) -> Table:
    columns = (
        Column("month", _("Month"), Kind.MONTH),
        Column("booked", _("Booked"), Kind.MONEY, is_summed=True, definition=_BOOKED),
        Column("earned", _("Earned"), Kind.MONEY, is_summed=True, definition=_EARNED),
        Column("deferred", _("Deferred at its end"), Kind.MONEY, definition=_DEFERRED),
        Column("accrued", _("Accrued at its end"), Kind.MONEY, definition=_ACCRUED),
        Column("balance", _("Balance"), Kind.MONEY, definition=_BALANCE),
    )
    lines = []
    for currency, by_month in sorted(months.items()):
        for first, last in ends.items():
            told = by_month[first]
            rows = {
                "booked": opens.of("booked", currency, first=first, last=last),
                "earned": opens.of("earned", currency, first=first, last=last),
                "deferred": opens.of("deferred", currency, day=last),
                "accrued": opens.of("accrued", currency, day=last),
            }
            cells = [first.replace(day=1), told["booked"], told["earned"], told["deferred"], told["accrued"],
                     told["deferred"] - told["accrued"]]  # fmt: skip
            lines.append(Line(cells, currency, {name: one for name, one in rows.items() if one is not None}))
    return Table("months", _("By month"), columns, lines)


def _schedule_table(schedule: dict[str, list[tuple[date, date | None, int]]], opens: _Opens) -> Table:
    columns = (
        Column("month", _("Month"), Kind.MONTH),
        Column("span", _("Days")),
        Column("released", _("Becomes revenue"), Kind.MONEY, is_summed=True, definition=_DEFERRED),
    )
    lines = []
    for currency, months in sorted(schedule.items()):
        for first, last, minor in months:
            rows = opens.of("released", currency, day=opens.asked.last, first=first, last=last)
            words = str(_("and later")) if last is None else ""
            opened = {} if rows is None else {"released": rows}
            lines.append(Line([first.replace(day=1), words, minor], currency, opened))
    return Table("schedule", _("When it becomes revenue"), columns, lines)


register(
    Spec(
        name="deferred",
        title=_("Deferred revenue"),
        text=_("What was invoiced for days to come, when it becomes revenue, and what each month earned."),
        group="accounting",
        build=build,
        dimensions=tuple((name, dimensions.BY_NAME[name].label) for name in DIMENSIONS),
    )
)
