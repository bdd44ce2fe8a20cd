"""Invoices to come: what billing will write in the days ahead if nothing changes, by week and plan.

The rule that matters: it is reckoned by billing itself; what nobody knows yet, such as usage, is left out and said so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from heapq import nsmallest
from itertools import chain
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from billing.services import coming as engine
from billing.services.coming import Coming
from core import clock
from core.models import Company
from core.refusal import Refused
from core.spreadsheets import Sheet
from customers.models import Customer
from reporting import dimensions, findings, in_one, words
from reporting.registry import Spec, register
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table
from subscriptions.models import Subscription

#: Subscriptions reckoned while somebody waits for the page.
MOST: Final = 20_000
#: Invoices listed one by one.
LISTED: Final = 500

_COMING = _(
    "Invoices whose charges fall due in the time, as billing would write them from what is agreed today, tax included."
    " Usage that hasn't happened, and changes nobody has planned, are not in it."
)
_NET = _("The same without tax.")
_TO_PAY = _("What is left to pay of them after the account credit there is today.")
_DUE = _("Subscriptions of which something falls due by the last day.")


@dataclass(slots=True)
class Sums:
    """What chunks of invoices add up to: by currency, by week, by plan; and the first of them, in order."""

    company: Company
    money: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    weeks: dict[tuple[str, date], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0, 0]))
    plans: dict[tuple[str, Any], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    first: list[Coming] = field(default_factory=list)
    count: int = 0

    def add(self, chunk: Sequence[Coming]) -> None:
        """All invoices of some customers: a subscription's are never in two chunks."""
        for one in chunk:
            for place, minor in enumerate((one.gross, one.net, one.to_pay)):
                self.money[one.currency][place] += minor
            into = self.weeks[one.currency, week_of(one.on)]
            for place, minor in enumerate((1, one.net, one.tax, one.gross, one.to_pay)):
                into[place] += minor
        self._add_plans(chunk)
        self.count += len(chunk)
        self.first = nsmallest(LISTED, chain(self.first, chunk), key=_order)

    def _add_plans(self, chunk: Sequence[Coming]) -> None:
        by_subscription: dict[tuple[str, int], int] = defaultdict(int)
        for one in chunk:
            for who, minor in one.nets:
                if who is not None:
                    by_subscription[one.currency, who] += minor
        ids = {who for _currency, who in by_subscription}
        plans = dict(Subscription.objects.filter(pk__in=ids).values_list("pk", "plan_id"))
        for (currency, who), minor in by_subscription.items():
            into = self.plans[currency, plans[who]]
            into[0] += 1
            into[1] += minor


def read(company: Company, asked: Asked) -> Iterator[list[Coming]]:
    """All invoices to come from today to the last day, in chunks. Refuses `report.coming_too_many` where somebody
    waits for them."""
    count = engine.count_due(company, asked.last)
    if count > MOST and asked.told is None:
        raise Refused("report.coming_too_many", count=count, most=MOST, day=asked.last)
    return engine.coming(company, asked.last, at=clock.now(company), told=asked.told)


def build(company: Company, asked: Asked) -> Report:
    """Figures `coming`, `net`, `to_pay`, `due`; tables `weeks`, `plans`, `invoices`."""
    turning, sums = in_one.Turning(company, asked), Sums(company)
    for chunk in _told(company, asked, turning):
        sums.add(chunk)
    return _report(company, asked, sums, turning)


def sheets(company: Company, asked: Asked) -> Iterator[Sheet]:
    """The file of long work: every invoice, read as it is written, then figures and sums."""
    turning, sums = in_one.Turning(company, asked), Sums(company)

    def rows() -> Iterator[list[Any]]:
        for chunk in _told(company, asked, turning):
            sums.add(chunk)
            for line in _lines(sorted(chunk, key=_order)):
                yield [line.currency, *(
                    words.plain_of(column.kind, value, line.currency)
                    for column, value in zip(INVOICE, line.cells, strict=True)
                )]  # fmt: skip

    yield Sheet(str(_("Invoices")), [str(_("Currency")), *(str(column.label) for column in INVOICE)], rows())
    built = _report(company, asked, sums, turning)
    shorter = replace(built, tables=[table for table in built.tables if table.name != "invoices"])
    yield from words.sheets_of(shorter, in_words=True)


def _told(company: Company, asked: Asked, turning: in_one.Turning) -> Iterator[list[Coming]]:
    for chunk in read(company, asked):
        yield [_turned(one, turning, asked) for one in chunk if turning.wants(one.currency)]


def _report(company: Company, asked: Asked, sums: Sums, turning: in_one.Turning) -> Report:
    figures: list[Figure] = []
    for currency, (gross, net, to_pay) in sorted(sums.money.items()):
        figures += [
            Figure("coming", _("Invoices to come"), Kind.MONEY, gross, _COMING, currency),
            Figure("net", _("Without tax"), Kind.MONEY, net, _NET, currency),
            Figure("to_pay", _("To be paid"), Kind.MONEY, to_pay, _TO_PAY, currency),
        ]
    due = Rows("due_subscriptions", {"last": asked.last.isoformat()})
    figures.append(
        Figure("due", _("Subscriptions due"), Kind.COUNT, engine.count_due(company, asked.last), _DUE, better="",
               rows=due)
    )  # fmt: skip
    weeks = _weeks(sums)
    plots = [
        Plot(_("Invoices to come by week"), "weeks", ["gross"], currency=currency,
             finding=findings.coming(weeks, currency))
        for currency in sorted(sums.money)
    ]  # fmt: skip
    return Report(figures, [weeks, _plans(sums), _invoices(sums)], plots, warnings=turning.warnings())


def _order(one: Coming) -> tuple[date, int, str]:
    return one.on, one.customer_id, one.currency


def _turned(one: Coming, turning: in_one.Turning, asked: Asked) -> Coming:
    """As it is told: in one currency at today's rate."""
    if not turning.is_one:
        return one
    name, net = turning.turn(one.currency, one.net, asked.on)
    tax, to_pay = (turning.turn(one.currency, minor, asked.on)[1] for minor in (one.tax, one.to_pay))
    nets = tuple((who, turning.turn(one.currency, minor, asked.on)[1]) for who, minor in one.nets)
    return Coming(one.customer_id, name, one.on, one.due_on, net, tax, net + tax, to_pay, nets)


def week_of(day: date) -> date:
    """The Monday of its week."""
    return day - timedelta(days=day.weekday())


def _weeks(sums: Sums) -> Table:
    columns = (
        Column("week", _("Week from"), Kind.DAY), Column("count", _("Invoices"), Kind.COUNT, is_summed=True),
        Column("net", _("Net"), Kind.MONEY, is_summed=True), Column("tax", _("Tax"), Kind.MONEY, is_summed=True),
        Column("gross", _("Total"), Kind.MONEY, is_summed=True),
        Column("to_pay", _("To be paid"), Kind.MONEY, is_summed=True, definition=_TO_PAY),
    )  # fmt: skip
    lines = [Line([week, *values], currency) for (currency, week), values in sorted(sums.weeks.items())]
    return Table("weeks", _("By week"), columns, lines)


def _plans(sums: Sums) -> Table:
    told = dimensions.told(sums.company, "plan", {plan for _currency, plan in sums.plans})
    columns = (
        Column("plan", _("Plan")), Column("count", _("Subscriptions"), Kind.COUNT, is_summed=True),
        Column("net", _("Net"), Kind.MONEY, is_summed=True),
    )  # fmt: skip
    lines = [
        Line([dimensions.without(told[plan][1]), *values], currency)
        for (currency, plan), values in sorted(sums.plans.items(), key=lambda item: (item[0][0], -item[1][1]))
    ]
    return Table("plans", _("By plan"), columns, lines)


INVOICE: Final = (
    Column("on", _("Day"), Kind.DAY), Column("customer", _("Customer")), Column("net", _("Net"), Kind.MONEY),
    Column("tax", _("Tax"), Kind.MONEY), Column("gross", _("Total"), Kind.MONEY),
    Column("to_pay", _("To be paid"), Kind.MONEY), Column("due", _("Due on"), Kind.DAY),
)  # fmt: skip


def _invoices(sums: Sums) -> Table:
    note = _("The first %(count)s of them are listed.") % {"count": LISTED} if sums.count > LISTED else ""
    return Table("invoices", _("Invoices"), INVOICE, _lines(sums.first), note=note)


def _lines(told: Sequence[Coming]) -> list[Line]:
    names = dict(Customer.objects.filter(pk__in={one.customer_id for one in told}).values_list("pk", "name"))
    return [
        Line([one.on, names[one.customer_id], one.net, one.tax, one.gross, one.to_pay, one.due_on], one.currency)
        for one in told
    ]


register(
    Spec(
        name="coming",
        title=_("Invoices to come"),
        text=_("What billing will write in the next 90 days if nothing changes, by week and plan."),
        group="payments",
        build=build,
        span="90 days ahead",
        sheets=sheets,
    )
)
