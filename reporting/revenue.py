"""The report on recurring revenue: its line, its movements, and the figures people watch.

The rule that matters: everything but what is signed is added up from movements, and opens them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, Final

from django.db.models import F, Q, Sum
from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.replica import reads_replica
from pricing.periods import month_end
from reporting import dimensions, findings, movements, revenue_lines, rows_revenue
from reporting import revenue_words as words
from reporting.in_one import Turning, rate_day
from reporting.movements import KINDS, MOVED, Kept, Month
from reporting.registry import Spec, register
from reporting.revenue_lines import Lines
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table, Value
from subscriptions.models import Subscription
from subscriptions.services import holding

_WON: Final = ("new", "expansion", "reactivation")
_LOST: Final = ("contraction", "churn")
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Whole:
    """A line over its whole time, and what is counted beside it on its last day."""

    months: list[Month]
    kept: Kept | None
    at_risk: int = 0
    leaving: int = 0
    signed: int | None = None

    @property
    def mrr(self) -> int:
        return self.months[-1].closing

    @property
    def customers(self) -> int:
        return self.months[-1].customers

    def kind(self, *kinds: str) -> int:
        return sum(month.kinds[kind] for month in self.months for kind in kinds)

    @property
    def arpa(self) -> int | None:
        return half_up(Fraction(self.mrr, self.customers)) if self.customers > 0 else None

    @property
    def quick(self) -> Decimal | None:
        lost = -self.kind(*_LOST)
        return ratio(self.kind(*_WON), lost)

    @property
    def lost_customers(self) -> Fraction | None:
        """The share of customers lost in an average month."""
        there = sum(month.customers_opening for month in self.months)
        return Fraction(sum(month.lost for month in self.months), there) if there else None

    @property
    def customer_churn(self) -> Decimal | None:
        return percent(sum(month.lost for month in self.months), sum(month.customers_opening for month in self.months))

    @property
    def revenue_churn(self) -> Decimal | None:
        return percent(-self.kind("churn"), sum(month.opening for month in self.months))

    @property
    def lifetime(self) -> int | None:
        lost, arpa = self.lost_customers, self.arpa
        return half_up(arpa / lost) if lost and arpa is not None else None


def half_up(value: Fraction) -> int:
    """To whole minor units, halves away from zero.

    >>> half_up(Fraction(5, 2)), half_up(Fraction(-5, 2))
    (3, -3)
    """
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def percent(part: int, whole: int) -> Decimal | None:
    """To two places; None of nothing.

    >>> percent(1, 3)
    Decimal('33.33')
    """
    found = ratio(part * 100, whole)
    return found


def ratio(part: int, whole: int) -> Decimal | None:
    """To two places; None of nothing."""
    return (Decimal(part) / whole).quantize(Decimal("0.01"), ROUND_HALF_UP) if whole > 0 else None


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures by currency; tables `months`, with a dimension `by`, and `signed`."""
    turning = Turning(company, asked)
    lines = revenue_lines.read(revenue_lines.wanted_of(company, asked, turning), asked, turning)
    signed = _signed(company, asked, turning)
    wholes = _wholes(company, asked, turning, lines, signed)
    before = _before(company, asked, turning)
    figures = [
        figure
        for currency, whole in sorted(wholes.items())
        for figure in _figures(currency, whole, before.get(currency), asked, lines)
    ]
    tables = [_months(lines, asked)]
    plots = [
        Plot(_("Recurring revenue by month"), "months", ["closing"], form="lines", currency=currency,
             finding=findings.recurring(tables[0], currency))
        for currency in lines.currencies
    ] + [
        Plot(_("Movements of recurring revenue"), "months", list(KINDS), currency=currency,
             finding=findings.movements(tables[0], currency, _WON, _LOST))
        for currency in lines.currencies
    ]  # fmt: skip
    if asked.by:
        parts = revenue_lines.read(revenue_lines.wanted_of(company, asked, turning, by=asked.by), asked, turning)
        tables.append(_by(company, parts, asked))
    if signed:
        tables.append(_signed_table(signed))
    return Report(figures, tables, plots, warnings=turning.warnings())


# What is counted


def _wholes(
    company: Company, asked: Asked, turning: Turning, lines: Lines, signed: list[tuple[Any, int]] | None
) -> dict[str, Whole]:
    day = asked.last
    kept = _kept(lines, asked, turning)
    at_risk = turning.sums(_worth(company, asked, "at_risk"), rate_day(day.replace(day=1), asked))
    leaving = turning.sums(_worth(company, asked, "leaving"), rate_day(day.replace(day=1), asked))
    coming: dict[str, int] = {}
    for one, minor in signed or []:
        coming[one.currency] = coming.get(one.currency, 0) + minor
    coming = turning.sums(coming, rate_day(day.replace(day=1), asked))
    found = {}
    for currency in lines.currencies:
        months = lines.of(currency)[""]
        later = None if signed is None else coming.get(currency, 0)
        found[currency] = Whole(
            months, kept.get(currency), at_risk.get(currency, 0), leaving.get(currency, 0), later
        )  # fmt: skip
    return found


def _kept(lines: Lines, asked: Asked, turning: Turning) -> dict[str, Kept]:
    """Told in one, all at the rate of the last day: a retention is no matter of exchange rates."""
    found: dict[str, Kept] = {}
    day = rate_day(asked.last.replace(day=1), asked)
    for (currency, _value), one in movements.kept(lines.wanted).items():
        told, opening = turning.turn(currency, one.opening, day)
        turned = Kept(opening, turning.turn(currency, one.kept, day)[1], turning.turn(currency, one.closing, day)[1],
                      one.customers)  # fmt: skip
        had = found.get(told, Kept(0, 0, 0, 0))
        found[told] = Kept(had.opening + turned.opening, had.kept + turned.kept, had.closing + turned.closing,
                           had.customers + turned.customers)  # fmt: skip
    return found


def _worth(company: Company, asked: Asked, which: str) -> dict[str, int]:
    """Minor units a month on the last day, by currency: of what is at risk, or leaving."""
    condition: Q = getattr(rows_revenue, "risky" if which == "at_risk" else "leaving")(company, asked.last)
    rows = rows_revenue.facts(company, asked.only).filter(condition, booked_on__lte=asked.last).order_by()
    return {currency: int(total) for currency, total in rows.values_list("currency").annotate(Sum("amount_minor"))}


def _signed(company: Company, asked: Asked, turning: Turning) -> list[tuple[Any, int]] | None:
    """Subscriptions agreed by the last day that start later, with what they will be worth a month; None where only a
    part of the revenue is asked for."""
    if asked.only:
        return None
    rows = Subscription.objects.filter(
        company=company, created_at__lt=rows_revenue.end_of(company, asked.last), start_on__gt=asked.last
    )
    rows = rows.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=F("start_on")))
    if turning.alone:
        rows = rows.filter(currency=turning.alone)
    coming = holding.look_many(rows)
    worth = holding.worth(coming)
    return [(one, sum(worth[slot.pk] for slot in one.slots.all())) for one in coming]


def _before(company: Company, asked: Asked, turning: Turning) -> dict[str, Whole]:
    """The same of the time it is compared with; nothing without one."""
    if not asked.compare:
        return {}
    first, last = compared(asked)
    then = replace(asked, first=first, last=last, compare="")
    with_rates = Turning(company, then)
    lines = revenue_lines.read(revenue_lines.wanted_of(company, then, with_rates), then, with_rates)
    return _wholes(company, then, with_rates, lines, _signed(company, then, with_rates))


def compared(asked: Asked) -> tuple[date, date]:
    """The days a time is compared with: whole months before whole months, else as many days; or a year earlier.

    >>> day = date(2026, 11, 30)
    >>> compared(Asked(day, date(2026, 9, 1), day, compare="before"))
    (datetime.date(2026, 6, 1), datetime.date(2026, 8, 31))
    >>> compared(Asked(day, date(2026, 11, 2), date(2026, 11, 8), compare="before"))
    (datetime.date(2026, 10, 26), datetime.date(2026, 11, 1))
    """
    if asked.compare == "year":
        return back(asked.first, 12), _end(asked.last, 12)
    if asked.first.day == 1:
        count = (asked.last.year - asked.first.year) * 12 + asked.last.month - asked.first.month + 1
        return back(asked.first, count), _end(asked.last, count)
    days = asked.last - asked.first + ONE_DAY
    return asked.first - days, asked.last - days


def back(day: date, months: int) -> date:
    """The same day so many months earlier, or the last of that month."""
    number = day.year * 12 + day.month - 1 - months
    return _clamped(number, day.day)


def _end(day: date, months: int) -> date:
    """As `back`; the last day of a month stays one."""
    number = day.year * 12 + day.month - 1 - months
    return _clamped(number, 31 if (day + ONE_DAY).day == 1 else day.day)


def _clamped(number: int, day: int) -> date:
    following = date((number + 1) // 12, (number + 1) % 12 + 1, 1)
    return min(date(number // 12, number % 12 + 1, 1) + timedelta(days=day - 1), following - ONE_DAY)


# What is told


def _where(asked: Asked, lines: Lines, currency: str, **more: str) -> dict[str, str] | None:
    """Conditions of the rows behind an amount; None where several currencies became one."""
    return None if currency in lines.sums else {"currency": currency, **asked.only, **more}


def _rows(source: str, where: dict[str, str] | None) -> Rows | None:
    return None if where is None else Rows(source, where)


def _figures(currency: str, whole: Whole, was: Whole | None, asked: Asked, lines: Lines) -> list[Figure]:
    on = asked.last.isoformat()

    def figure(name: str, label: Any, kind: Kind, definition: Any, read: Any, *, better: Any = "up",
               rows: Rows | None = None) -> Figure:  # fmt: skip
        before: Value = read(was) if was is not None else None
        return Figure(name, label, kind, read(whole), definition, currency, before, better, rows)

    def recurring(which: str = "") -> Rows | None:
        return _rows("recurring", _where(asked, lines, currency, on=on, **({"which": which} if which else {})))

    people = _people(asked, lines, currency, last=on)
    found = [
        figure("mrr", _("Monthly recurring revenue"), Kind.MONEY, words.MRR, lambda one: one.mrr, rows=recurring()),
        figure("arr", _("Annual recurring revenue"), Kind.MONEY, words.ARR, lambda one: one.mrr * 12),
        figure("customers", _("Customers"), Kind.COUNT, words.CUSTOMERS, lambda one: one.customers, rows=people),
        figure("arpa", _("Revenue per customer"), Kind.MONEY, words.ARPA, lambda one: one.arpa),
        figure("quick", _("Quick ratio"), Kind.RATIO, words.QUICK, lambda one: one.quick),
        figure("net_retention", _("Net revenue retention"), Kind.PERCENT, words.NET,
               lambda one: one.kept and percent(one.kept.closing, one.kept.opening)),
        figure("gross_retention", _("Gross revenue retention"), Kind.PERCENT, words.GROSS,
               lambda one: one.kept and percent(one.kept.kept, one.kept.opening)),
        figure("customer_churn", _("Customer churn"), Kind.PERCENT, words.CUSTOMER_CHURN,
               lambda one: one.customer_churn, better="down"),
        figure("revenue_churn", _("Revenue churn"), Kind.PERCENT, words.REVENUE_CHURN, lambda one: one.revenue_churn,
               better="down"),
        figure("lifetime", _("Lifetime value"), Kind.MONEY, words.LTV if whole.lifetime is not None else words.LTV_NONE,
               lambda one: one.lifetime),
        figure("at_risk", _("At risk"), Kind.MONEY, words.AT_RISK, lambda one: one.at_risk, better="down",
               rows=recurring("at_risk")),
        figure("leaving", _("Canceled, still running"), Kind.MONEY, words.LEAVING, lambda one: one.leaving,
               better="down", rows=recurring("leaving")),
    ]  # fmt: skip
    if whole.signed is None:
        return found
    return [
        *found,
        figure("signed", _("Signed, starts later"), Kind.MONEY, words.SIGNED, lambda one: one.signed),
        figure("committed", _("Committed"), Kind.MONEY, words.COMMITTED,
               lambda one: one.mrr + one.signed - one.leaving),
    ]  # fmt: skip


def _people(asked: Asked, lines: Lines, currency: str, **more: str) -> Rows:
    """Customers open also where currencies became one: they are counted, not summed."""
    where = {**asked.only, **more}
    return Rows("revenue_customers", where if currency in lines.sums else {"currency": currency, **where})


_FLOW_COLUMNS: Final = (
    *(Column(kind, words.KIND_WORDS[kind], Kind.MONEY, is_summed=True, definition=words.KIND_DEFINITIONS[kind])
      for kind in KINDS),
)  # fmt: skip
_MOVED: Final = Column(MOVED, words.KIND_WORDS[MOVED], Kind.MONEY, definition=words.KIND_DEFINITIONS[MOVED])
_EXCHANGE: Final = Column(
    "exchange", words.KIND_WORDS["exchange"], Kind.MONEY, definition=words.KIND_DEFINITIONS["exchange"]
)
_PEOPLE_COLUMNS: Final = (
    Column("gained", _("Customers gained"), Kind.COUNT),
    Column("returned", _("Customers back"), Kind.COUNT),
    Column("lost", _("Customers lost"), Kind.COUNT),
    Column("customers", _("Customers"), Kind.COUNT),
)


def _columns(first: Column, lines: Lines, *, has_moved: bool) -> list[Column]:
    return [
        first, Column("opening", _("At the start"), Kind.MONEY), *_FLOW_COLUMNS, *([_MOVED] if has_moved else []),
        *([_EXCHANGE] if lines.sums else []), Column("closing", _("At the end"), Kind.MONEY), *_PEOPLE_COLUMNS,
    ]  # fmt: skip


def _months(lines: Lines, asked: Asked) -> Table:
    has_moved = any(month.kinds[MOVED] for rows in lines.lines.values() for month in rows)
    columns = _columns(Column("month", _("Month"), Kind.MONTH), lines, has_moved=has_moved)
    found = []
    for currency in lines.currencies:
        for month in lines.of(currency)[""]:
            first, last = max(month.month, asked.first), min(month_end(month.month), asked.last)
            found.append(_flow(month.month, month, currency, lines, columns, asked, first, last, {}))
    return Table("months", _("By month"), columns, found, note=words.MRR)


def _by(company: Company, lines: Lines, asked: Asked) -> Table:
    label = dimensions.BY_NAME[asked.by].label
    told = dimensions.told(company, asked.by, {value for _currency, value in lines.lines})
    columns = _columns(Column("value", label), lines, has_moved=True)
    found = []
    for currency in lines.currencies:
        rows = []
        for value, months in lines.of(currency).items():
            text, name = told[value]
            month = _summed(months)
            if month.opening or month.closing or any(month.kinds.values()):
                where = {asked.by: text}
                rows.append(
                    _flow(dimensions.without(name), month, currency, lines, columns, asked, asked.first, asked.last,
                          where)
                )  # fmt: skip
        rows.sort(key=lambda line: (-_money(line, columns, "closing"), str(line.cells[0])))
        found += rows
    return Table("by", label, columns, found)


def _money(line: Line, columns: list[Column], name: str) -> int:
    value = line.cells[[column.name for column in columns].index(name)]
    assert isinstance(value, int)
    return value


def _summed(months: list[Month]) -> Month:
    """A line as one row; who is gained and lost within the time counts in each of its months."""
    row = Month(months[0].month, months[0].opening, customers_opening=months[0].customers_opening)
    for kind in row.kinds:
        row.kinds[kind] = sum(month.kinds[kind] for month in months)
    row.exchange = sum(month.exchange for month in months)
    row.gained, row.returned, row.lost = (
        sum(getattr(month, name) for month in months) for name in ("gained", "returned", "lost")
    )
    return row


def _flow(
    head: Value, month: Month, currency: str, lines: Lines, columns: list[Column], asked: Asked, first: date,
    last: date, more: Mapping[str, str],
) -> Line:  # fmt: skip
    """A line of a table: amounts open their facts, customers the customers."""
    values: dict[str, Value] = {
        columns[0].name: head, "opening": month.opening, **month.kinds, "exchange": month.exchange,
        "closing": month.closing, "gained": month.gained, "returned": month.returned, "lost": month.lost,
        "customers": month.customers,
    }  # fmt: skip
    rows: dict[str, Rows] = {}
    is_month = (first.year, first.month) == (last.year, last.month)
    days = {"first": first.isoformat(), "last": last.isoformat()}
    where = _where(asked, lines, currency, **more)
    if where is not None:
        rows |= {kind: Rows("movements", {**where, **days, "kind": kind}) for kind in (*KINDS, MOVED)}
        rows["opening"] = Rows("recurring", {**where, "on": (first - ONE_DAY).isoformat()})
        rows["closing"] = Rows("recurring", {**where, "on": last.isoformat()})
    rows["customers"] = _people(asked, lines, currency, last=days["last"], **more)
    if is_month:
        rows |= {
            which: _people(asked, lines, currency, **days, which=which, **more)
            for which in ("gained", "returned", "lost")
        }
    names = [column.name for column in columns]
    return Line([values[name] for name in names], currency, {name: rows[name] for name in names if name in rows})


def _signed_table(signed: list[tuple[Any, int]]) -> Table:
    columns = [
        Column("subscription", _("Subscription"), Kind.REFERENCE), Column("customer", _("Customer")),
        Column("start", _("Starts on"), Kind.DAY),
        Column("worth", _("A month"), Kind.MONEY, is_summed=True, definition=words.SIGNED),
    ]  # fmt: skip
    lines = [
        Line([one.ref, one.customer.name, one.start_on, minor], one.currency)
        for one, minor in sorted(signed, key=lambda pair: (pair[0].start_on, pair[0].pk))
    ]
    return Table("signed", _("Signed, starts later"), columns, lines)


register(
    Spec(
        name="mrr",
        title=_("Recurring revenue"),
        text=_("What recurs a month, how it came about, and what it says about the business."),
        group="revenue",
        build=build,
        dimensions=dimensions.CHOICES,
        can_compare=True,
    )
)
