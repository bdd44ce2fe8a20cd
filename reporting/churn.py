"""The report on churn: who was lost, what with them, and why; by plan, age, reason, and by whatever else is asked.

The rule that matters: what is lost is the movements of the kind churn, so the report and the line of recurring revenue
say the same; customers count once each, by what they lost in the time.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import Expression, F, Sum
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.replica import connection, reads_replica
from reporting import dimensions, findings, lenses, revenue, rows_revenue
from reporting.in_one import Turning, rate_day
from reporting.movements import ONE_DAY
from reporting.registry import Spec, register
from reporting.shapes import Asked, Column, Figure, Kind, Line, Plot, Report, Rows, Table, Value, Words
from subscriptions.models import Movement

#: Always shown, whatever else is asked.
STANDARD: Final = ("plan", "age", "reason", "way")
_LOST_REVENUE: Final = _(
    "Monthly recurring revenue lost in the time because the last of a customer's subscriptions in the currency ended:"
    " the movements of the kind churn."
)
_LOST_CUSTOMERS: Final = _(
    "Customers with a loss of that kind in the time, each counted once. Who only pauses, or gives up one of several"
    " subscriptions, is not lost. Beside a plan stands who lost the last subscription with it."
)
_INVOLUNTARY: Final = _(
    "The part of it that was ended for want of payment: the reason says so, or a step of dunning ended it."
)
_SHARE: Final = _("What was lost in the time ÷ what was there on the morning of its first day, in percent.")


_BY_CUSTOMER: Final = """
    SELECT currency, {seen}, count(*) FILTER (WHERE total {sign}), coalesce(sum(total), 0)::bigint
    FROM ({inner}) by_customer GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Loss:
    """By currency and value: customers and minor units lost, and what there was at the start (None: not told)."""

    customers: int
    minor: int
    customers_before: int | None = None
    minor_before: int | None = None


@reads_replica
def build(company: Company, asked: Asked) -> Report:
    """Figures `lost_revenue`, `lost_customers`, `churn`, `customer_churn`, `involuntary` by currency; tables `plan`,
    `age`, `reason`, `way`, and of what is asked by."""
    lenses.checked(asked.only)
    turning = Turning(company, asked)
    whole = _losses(company, asked, turning, "")
    before: dict[tuple[str, Any], Loss] = {}
    ways_before: dict[tuple[str, Any], Loss] = {}
    if asked.compare:
        first, last = revenue.compared(asked)
        then = replace(asked, first=first, last=last, compare="")
        before = _losses(company, then, Turning(company, then), "")
        ways_before = _losses(company, then, Turning(company, then), "way")
    tables, ways = [], {}
    for name in [*STANDARD, *([asked.by] if asked.by and asked.by not in STANDARD else [])]:
        found = _losses(company, asked, turning, name)
        ways = found if name == "way" else ways
        tables.append(_table(company, asked, turning, name, found))
    currencies = _currencies(company, asked, turning)
    figures = [
        figure
        for currency in currencies
        for figure in _figures(
            currency, whole.get((currency, ""), Loss(0, 0, 0, 0)), before.get((currency, "")),
            ways.get((currency, "involuntary")), ways_before.get((currency, "involuntary")), asked, turning,
        )
    ]  # fmt: skip
    plots = [
        Plot(_("Monthly revenue lost by plan"), "plan", ["lost_revenue"], currency=currency,
             finding=findings.lost(tables[0], currency))
        for currency in currencies
    ]  # fmt: skip
    return Report(figures, tables, plots, warnings=turning.warnings())


def _currencies(company: Company, asked: Asked, turning: Turning) -> list[str]:
    """Those it is told in: where there ever was revenue, also when nothing was lost."""
    rows = Movement.objects.filter(company=company, booked_on__lte=asked.last).order_by()
    day = rate_day(asked.last.replace(day=1), asked)
    found = rows.values_list("currency", flat=True).distinct()
    return sorted({turning.turn(currency, 0, day)[0] for currency in found if turning.wants(currency)})


def _losses(company: Company, asked: Asked, turning: Turning, by: str) -> dict[tuple[str, Any], Loss]:
    """What was lost by currency told and value, and what there was before where values are known of all."""
    key = lenses.key_of(company, asked.only) if by == "attribute" else ""
    value = _value(by, key)
    rows = rows_revenue.facts(company, asked.only, by=by)
    if turning.alone:
        rows = rows.filter(currency=turning.alone)
    lost = _sums(rows.filter(kind="churn", booked_on__gte=asked.first, booked_on__lte=asked.last), value, "< 0")
    of_loss = by in lenses.BY_NAME and lenses.BY_NAME[by].is_of_loss
    is_cut_to_loss = any(name in asked.only for name, lens in lenses.BY_NAME.items() if lens.is_of_loss)
    told_before = not of_loss and not is_cut_to_loss
    had = _sums(rows.filter(booked_on__lt=asked.first), value, "> 0") if told_before else {}
    day = rate_day(asked.last.replace(day=1), asked)
    found: dict[tuple[str, Any], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for place, sums in ((0, lost), (2, had)):
        for (currency, which), (customers, minor) in sums.items():
            told, turned = turning.turn(currency, minor, day)
            cell = found[told, which]
            cell[place] += customers
            cell[place + 1] += turned
    return {
        at: Loss(cell[0], -cell[1], cell[2] if told_before else None, cell[3] if told_before else None)
        for at, cell in found.items()
    }


def _value(by: str, key: str) -> Expression | F | None:
    if not by:
        return None
    return lenses.BY_NAME[by].value(key) if by in lenses.BY_NAME else F(dimensions.BY_NAME[by].column)


def _sums(rows: Any, value: Any, sign: str) -> dict[tuple[str, Any], tuple[int, int]]:
    """Customers whose sum has that sign, and the sum of all, by currency and value; one statement."""
    names = ["currency", "customer_id"]
    if value is not None:
        rows, names = rows.annotate(seen=value), ["currency", "seen", "customer_id"]
    inner = rows.order_by().values(*names).annotate(total=Sum("amount_minor"))
    sql, values = inner.query.sql_with_params()
    seen = "seen" if value is not None else "''"
    with connection().cursor() as cursor:
        cursor.execute(_BY_CUSTOMER.format(seen=seen, sign=sign, inner=sql), values)
        return {(currency, seen): (customers, total) for currency, seen, customers, total in cursor.fetchall()}


def _told(company: Company, by: str, values: set[Any]) -> dict[Any, tuple[str, Words]]:
    if by in lenses.BY_NAME:
        return {value: (value, lenses.BY_NAME[by].words(value)) for value in values}
    return dimensions.told(company, by, values)


def _where(asked: Asked, turning: Turning, currency: str, **more: str) -> dict[str, str] | None:
    if not turning.opens(currency):
        return None
    only = {name: text for name, text in asked.only.items() if name != "attribute" or "=" in text}
    return {"currency": currency, **only, **more}


def _rows(where: dict[str, str] | None, source: str, **more: str) -> Rows | None:
    return None if where is None else Rows(source, {**where, **more})


def _figures(
    currency: str, now: Loss, was: Loss | None, forced: Loss | None, forced_before: Loss | None, asked: Asked,
    turning: Turning,
) -> list[Figure]:  # fmt: skip
    where = _where(asked, turning, currency, first=asked.first.isoformat(), last=asked.last.isoformat())
    none = Loss(0, 0)

    def figure(name: str, label: Words, kind: Kind, definition: Words, value: Value, before: Value,
               rows: Rows | None = None) -> Figure:  # fmt: skip
        return Figure(name, label, kind, value, definition, currency, before, "down", rows)

    return [
        figure("lost_revenue", _("Monthly revenue lost"), Kind.MONEY, _LOST_REVENUE, now.minor, was and was.minor,
               _rows(where, "churn")),
        figure("lost_customers", _("Customers lost"), Kind.COUNT, _LOST_CUSTOMERS, now.customers, was and was.customers,
               _rows(where, "churn_customers")),
        figure("churn", _("Revenue churn"), Kind.PERCENT, _SHARE, _share(now.minor, now.minor_before),
               was and _share(was.minor, was.minor_before)),
        figure("customer_churn", _("Customer churn"), Kind.PERCENT, _SHARE, _share(now.customers, now.customers_before),
               was and _share(was.customers, was.customers_before)),
        figure("involuntary", _("Lost for want of payment"), Kind.MONEY, _INVOLUNTARY, (forced or none).minor,
               (forced_before or none).minor if was else None, _rows(where, "churn", way="involuntary")
               if "way" not in asked.only else None),
    ]  # fmt: skip


def _share(part: int, whole: int | None) -> Any:
    return None if whole is None else revenue.percent(part, whole)


def _table(
    company: Company, asked: Asked, turning: Turning, by: str, found: dict[tuple[str, Any], Loss]
) -> Table:  # fmt: skip
    lens = lenses.BY_NAME.get(by)
    label = lens.label if lens else dimensions.BY_NAME[by].label
    key = lenses.key_of(company, asked.only) if by == "attribute" else ""
    told = _told(company, by, {value for _currency, value in found})
    has_before = any(loss.customers_before is not None for loss in found.values())
    columns = [Column("value", label), *_COLUMNS, *(_BEFORE_COLUMNS if has_before else [])]
    lines = []
    for (currency, value), loss in found.items():
        text, words = told[value]
        where = _where(asked, turning, currency, **{by: lenses.text_of(by, key, text) if lens else text})
        days = {"first": asked.first.isoformat(), "last": asked.last.isoformat()}
        rows: dict[str, Rows] = {}
        if where is not None:
            rows = {"lost_customers": Rows("churn_customers", {**where, **days}),
                    "lost_revenue": Rows("churn", {**where, **days})}  # fmt: skip
            if has_before:
                eve = (asked.first - ONE_DAY).isoformat()
                rows["customers_before"] = Rows("revenue_customers", {**where, "last": eve})
                rows["revenue_before"] = Rows("recurring", {**where, "on": eve})
        cells: list[Value] = [dimensions.without(words), loss.customers, loss.minor]
        if has_before:
            cells += [loss.customers_before, _share(loss.customers, loss.customers_before), loss.minor_before,
                      _share(loss.minor, loss.minor_before)]  # fmt: skip
        lines.append(Line(cells, currency, rows))
    lines.sort(key=lambda line: (line.currency, -int(str(line.cells[2])), str(line.cells[0])))
    note = gettext("Further data: %(key)s") % {"key": key} if key else ""
    return Table(by, label, columns, lines, note=note)


_COLUMNS: Final = [
    Column("lost_customers", _("Customers lost"), Kind.COUNT, definition=_LOST_CUSTOMERS),
    Column("lost_revenue", _("Monthly revenue lost"), Kind.MONEY, is_summed=True, definition=_LOST_REVENUE),
]
_BEFORE_COLUMNS: Final = [
    Column("customers_before", _("Customers at the start"), Kind.COUNT),
    Column("customer_churn", _("Of the customers"), Kind.PERCENT, definition=_SHARE),
    Column("revenue_before", _("Monthly revenue at the start"), Kind.MONEY, is_summed=True),
    Column("churn", _("Of the revenue"), Kind.PERCENT, definition=_SHARE),
]

register(
    Spec(
        name="churn",
        title=_("Churn"),
        text=_("Customers and revenue that were lost: by plan, by age, for which reason, and whose will it was."),
        group="churn",
        build=build,
        dimensions=(*dimensions.CHOICES, *lenses.CHOICES),
        can_compare=True,
    )
)
