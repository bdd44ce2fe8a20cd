"""From recurring revenue to what was invoiced, booked and paid, month by month, every difference under its cause.

The rule that matters: causes are a closed list and each row has one, so nothing is left over; were anything left, the
report says so instead of hiding it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.design import formats
from core.models import Company
from core.refusal import Refused
from core.replica import reads_replica
from reporting import bridge_facts, in_one
from reporting.bridge_facts import PREPAID, UNEXPLAINED, Span
from reporting.bridge_words import CAUSES, SUMS
from reporting.registry import Spec, register
from reporting.shapes import Asked, Column, Figure, Kind, Line, Report, Rows, Table

#: Months asked for at once.
MOST_MONTHS: Final = 36
#: Where the rows of a cause or sum come from.
Facts = Callable[[Company, Span], QuerySet[Any]]
FACTS: Final[dict[str, Facts]] = {
    "mrr": bridge_facts.movements,
    "lines": bridge_facts.lines,
    "positions": bridge_facts.positions,
    "notes": bridge_facts.note_lines,
    "postings": bridge_facts.postings,
    "open": bridge_facts.left_open,
    "earlier": bridge_facts.earlier,
    "invoiced": lambda company, span: bridge_facts.sums(company, span, "invoiced"),
    "booked": lambda company, span: bridge_facts.sums(company, span, "booked"),
    "paid": lambda company, span: bridge_facts.sums(company, span, "paid"),
}
#: The three ways: from which sum to which, and which causes lie between.
LEGS: Final = (("mrr", "invoiced"), ("invoiced", "booked"), ("booked", "paid"))


@dataclass(slots=True)
class Month:
    """A month of one currency. `rest` is what no cause explains: 0, or there is a fault."""

    span: Span
    sums: dict[str, int]
    causes: dict[str, int]

    def between(self, leg: tuple[str, str]) -> dict[str, int]:
        """The causes of one way, in the order they are told; prepaid credit comes off again on the way to money."""
        found = {name: self.causes[name] for name, cause in CAUSES.items() if cause.leg == leg and name in self.causes}
        if leg == LEGS[2]:
            back = -sum(self.causes.get(name, 0) for name in PREPAID)
            return {"prepaid": back, **found} if back else found
        return found

    def rest(self, leg: tuple[str, str]) -> int:
        return self.sums[leg[1]] - self.sums[leg[0]] - sum(self.between(leg).values())


@reads_replica
def months(company: Company, first: date, last: date, on: date) -> dict[str, list[Month]]:
    """The bridge of each currency, a `Month` for each month from that of `first` to that of `last`, oldest first."""
    spans = [Span.of(month, on) for month in _months(first, min(last, on))]
    found: dict[str, dict[date, Month]] = defaultdict(dict)
    for span in spans:
        for name, facts in FACTS.items():
            for currency, cause, minor in _summed(facts(company, span)):
                month = found[currency].setdefault(span.first, Month(span, dict.fromkeys(SUMS, 0), {}))
                if name in SUMS:
                    month.sums[name] += minor
                elif cause:
                    month.causes[cause] = month.causes.get(cause, 0) + minor
    return {
        currency: [by_month.get(span.first) or Month(span, dict.fromkeys(SUMS, 0), {}) for span in spans]
        for currency, by_month in sorted(found.items())
    }


def _summed(rows: QuerySet[Any]) -> Iterable[tuple[str, str, int]]:
    grouped = rows.order_by().values_list("currency", "falls_under").annotate(total=Sum("amount"))
    return [(currency, cause, int(total)) for currency, cause, total in grouped if total]


def _months(first: date, last: date) -> list[date]:
    number, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    if end - number >= MOST_MONTHS:
        raise Refused("report.months_too_many", most=MOST_MONTHS)
    return [date(at // 12, at % 12 + 1, 1) for at in range(number, end + 1)]


def build(company: Company, asked: Asked) -> Report:
    """Figures of the last month: the four sums; table `bridge` with a column for each month."""
    turning = in_one.Turning(company, asked)
    found = {
        currency: rows
        for currency, rows in months(company, asked.first, asked.last, asked.on).items()
        if turning.wants(currency)
    }
    warnings = _unexplained(found)
    told = _told(found, turning, asked) if turning.is_one else found
    figures = [
        Figure(name, words.label, Kind.MONEY, rows[-1].sums[name], words.definition, currency, better="",
               rows=None if turning.is_one else _rows(name, name, currency, rows[-1].span))
        for currency, rows in told.items()
        for name, words in SUMS.items()
    ]  # fmt: skip
    note = _("Told in one currency, each difference is turned by itself, and the amounts between are their sums.")
    spans = next(iter(told.values()), [])
    columns = [
        Column("step", pgettext_lazy("bridge between figures", "Step")),
        *(Column(_key(month.span), formats.month(month.span.first), Kind.MONEY) for month in spans),
    ]
    lines = [line for currency, rows in told.items() for line in _lines(currency, rows, turning)]
    table = Table("bridge", _("From recurring revenue to money"), columns, lines, note=note if turning.is_one else "")
    return Report(figures, [table], warnings=[*warnings, *turning.warnings()])


def _told(found: Mapping[str, list[Month]], turning: in_one.Turning, asked: Asked) -> dict[str, list[Month]]:
    """Everything in one currency: recurring revenue and each cause are turned, the sums after them added up."""
    told: dict[str, list[Month]] = {}
    for currency, rows in found.items():
        for place, month in enumerate(rows):
            day = in_one.rate_day(month.span.first, asked)
            name, opening = turning.turn(currency, month.sums["mrr"], day)
            into = told.setdefault(name, [Month(one.span, dict.fromkeys(SUMS, 0), {}) for one in rows])[place]
            into.sums["mrr"] += opening
            for cause, minor in month.causes.items():
                into.causes[cause] = into.causes.get(cause, 0) + turning.turn(currency, minor, day)[1]
    for rows in told.values():
        for month in rows:
            for leg in LEGS:
                month.sums[leg[1]] = month.sums[leg[0]] + sum(month.between(leg).values())
    return told


def _unexplained(found: Mapping[str, list[Month]]) -> list[str]:
    """What no cause explains: a fault of the product that people must hear of."""
    words = _("%(amount)s of %(month)s fall under no cause. Please report this as a fault.")
    return [
        str(words) % {"amount": formats.money(left, currency), "month": formats.month(month.span.first)}
        for currency, rows in found.items()
        for month in rows
        for left in [sum(month.rest(leg) for leg in LEGS) + month.causes.get(UNEXPLAINED, 0)]
        if left
    ]


def _lines(currency: str, rows: list[Month], turning: in_one.Turning) -> list[Line]:
    found = [_line("mrr", SUMS["mrr"].label, currency, rows, turning, [month.sums["mrr"] for month in rows])]
    for leg in LEGS:
        between = [month.between(leg) for month in rows]
        for name in sorted({name for one in between for name in one}, key=list(CAUSES).index):
            amounts = [one.get(name, 0) for one in between]
            found.append(_line(name, CAUSES[name].label, currency, rows, turning, amounts))
        amounts = [month.sums[leg[1]] for month in rows]
        found.append(_line(leg[1], SUMS[leg[1]].label, currency, rows, turning, amounts))
    return found


def _line(name: str, label: Any, currency: str, rows: list[Month], turning: in_one.Turning, amounts: list[int]) -> Line:
    opens = {} if turning.is_one else {
        _key(month.span): _rows(name if name in SUMS else CAUSES[name].facts, name, currency, month.span)
        for month, minor in zip(rows, amounts, strict=True)
        if minor
    }  # fmt: skip
    return Line([label, *amounts], currency, opens)


def _rows(facts: str, cause: str, currency: str, span: Span) -> Rows:
    where = {"first": span.first.isoformat(), "last": span.last.isoformat(), "currency": currency, "cause": cause}
    return Rows(f"bridge_{facts}", where)


def _key(span: Span) -> str:
    return span.first.isoformat()[:7]


def span_of(where: Mapping[str, str]) -> Span:
    """The month that conditions name. Refuses `report.rows_unknown`."""
    try:
        first, last = date.fromisoformat(where["first"]), date.fromisoformat(where["last"])
    except (KeyError, ValueError):
        raise Refused("report.rows_unknown") from None
    if first.day != 1 or not first <= last < first + timedelta(days=31):
        raise Refused("report.rows_unknown")
    return Span(first, last)


register(
    Spec(
        name="bridge",
        title=_("Bridge from MRR to money"),
        text=_("How recurring revenue became invoices, bookings and money: each difference under its cause."),
        group="accounting",
        build=build,
        span="month",
    )
)
