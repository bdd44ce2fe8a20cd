"""How recurring revenue came and went, month by month, read from its facts: amounts by kind, customers gained and lost.

The rule that matters: opening + movements = closing in every month, currency and value of a dimension; every statement
is the same whatever the size, with constant dates in it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

from core.models import Company
from core.replica import connection
from reporting.dimensions import BY_NAME
from subscriptions.models import Movement

#: Kinds of movements in the order people read them; `moved` is what passes between values of a dimension.
KINDS: Final = tuple(kind.value for kind in Movement.Kind)
MOVED: Final = "moved"
ONE_DAY: Final = timedelta(days=1)
#: (currency, value of the dimension or "").
Key = tuple[str, Any]

_MOVEMENTS: Final = "subscriptions_movement"
_FACTS: Final = "reporting_revenuefact"
_CLOSED: Final = "reporting_closedrevenue"
_LONG_AGO: Final = date.min

_AMOUNTS: Final = """
    SELECT currency, {value},
           CASE WHEN {day} < %(first)s THEN NULL ELSE date_trunc('month', {day})::date END,
           CASE WHEN {day} < %(first)s THEN '' ELSE kind END, sum(amount_minor)::bigint
    FROM {table} WHERE company_id = %(company)s AND {day} <= %(last)s {where}
    GROUP BY 1, 2, 3, 4
"""
#: A customer is there at a month's end with more than zero: gained when there was nothing before, returned when there
#: was and the month began at zero, lost when it ends at zero. All before the first day counts as one month.
RUNNING: Final = """
    WITH told AS (
        SELECT {currency} AS currency, {values}, customer_id,
               CASE WHEN booked_on < %(first)s THEN DATE '0001-01-01'
                    ELSE date_trunc('month', booked_on)::date END AS month,
               amount_minor
        FROM {table} WHERE {company} AND booked_on <= %(last)s {where}
    ), monthly AS (
        SELECT currency, {names}, customer_id, month, sum(amount_minor) AS change
        FROM told GROUP BY currency, {names}, customer_id, month
    ), running AS (
        SELECT currency, {names}, month, change, sum(change) OVER every AS after, row_number() OVER every AS number
        FROM monthly WINDOW every AS (PARTITION BY currency, customer_id, {names} ORDER BY month)
    )
"""
TURNED: Final = """
           count(*) FILTER (WHERE after > 0 AND after - change <= 0 AND number = 1) AS gained,
           count(*) FILTER (WHERE after > 0 AND after - change <= 0 AND number > 1) AS returned,
           count(*) FILTER (WHERE after <= 0 AND after - change > 0) AS lost
"""
_BY_VALUE: Final = "SELECT currency, value, month, {turned} FROM running GROUP BY 1, 2, 3"
_CUSTOMERS: Final = (
    (RUNNING + _BY_VALUE.replace("{turned}", TURNED))
    .replace("{names}", "value")
    .replace("{values}", "{value} AS value")
)
_OF_CUSTOMERS_SINCE: Final = """
    AND customer_id IN (
        SELECT customer_id FROM {table}
        WHERE company_id = %(company)s AND booked_on >= %(first)s AND booked_on <= %(last)s {where}
    )
"""
_COUNTED: Final = """
    SELECT currency, value, month, gained, returned, lost FROM reporting_closedcustomers
    WHERE company_id = %(company)s AND dimension = %(dimension)s AND month < %(live)s {where}
"""
#: The first day that isn't summed up, unless word came since of what brought customers of those months.
_LIVE: Final = """
    SELECT max(c.month) + interval '1 month',
           coalesce(EXISTS (
               SELECT FROM subscriptions_firsttouch f
               WHERE f.company_id = %(company)s AND f.id > min(c.touch_id) AND EXISTS (
                   SELECT FROM subscriptions_movement m
                   WHERE m.customer_id = f.customer_id AND m.booked_on < max(c.month) + interval '1 month')
           ), false)
    FROM reporting_closedmonth c WHERE c.company_id = %(company)s
"""
_KEPT = """
    SELECT currency, value, sum(opening)::bigint, sum(least(opening, closing))::bigint, sum(closing)::bigint, count(*)
    FROM (
        SELECT currency, {value} AS value, customer_id,
               sum(amount_minor) FILTER (WHERE booked_on < %(first)s) AS opening, sum(amount_minor) AS closing
        FROM {table} WHERE company_id = %(company)s AND booked_on <= %(last)s {where}
        GROUP BY 1, 2, 3
    ) had WHERE opening > 0 GROUP BY 1, 2
"""


@dataclass(slots=True)
class Month:
    """One month of one currency and value; amounts in minor units, signed as the movements are."""

    month: date
    opening: int = 0
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*KINDS, MOVED), 0))
    #: What a change of exchange rates did, where several currencies are told in one.
    exchange: int = 0
    customers_opening: int = 0
    gained: int = 0
    returned: int = 0
    lost: int = 0

    @property
    def closing(self) -> int:
        return self.opening + sum(self.kinds.values()) + self.exchange

    @property
    def customers(self) -> int:
        return self.customers_opening + self.gained + self.returned - self.lost


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read: booked days from `first` to `last`, by a dimension ("" for none), under columns and values."""

    company: Company
    first: date
    last: date
    by: str = ""
    only: Mapping[str, Any] = field(default_factory=dict)
    #: Empty: all of them.
    currencies: tuple[str, ...] = ()

    @property
    def needs_facts(self) -> bool:
        return bool(self.by or self.only)


@dataclass(frozen=True, slots=True)
class Kept:
    """Of customers with revenue at the start: what they had, what of it is left at the end, all they have then."""

    opening: int
    kept: int
    closing: int
    customers: int


def months(first: date, last: date) -> Iterator[date]:
    """The first day of every month from one day to another.

    >>> [str(day) for day in months(date(2026, 11, 15), date(2027, 1, 2))]
    ['2026-11-01', '2026-12-01', '2027-01-01']
    """
    number, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    for month in range(number, end + 1):
        yield date(month // 12, month % 12 + 1, 1)


def line(wanted: Wanted) -> dict[Key, list[Month]]:
    """Every month of the time, oldest first, by currency and value; those that never had anything are left out."""
    opening, flows = amounts(wanted)
    days = list(months(wanted.first, wanted.last))
    found: dict[Key, list[Month]] = {}
    for key in {**opening, **flows}:
        amount, rows = opening.get(key, 0), []
        for day in days:
            month = Month(day, amount)
            month.kinds.update(flows.get(key, {}).get(day, {}))
            amount = month.closing
            rows.append(month)
        found[key] = rows
    return found


def amounts(wanted: Wanted) -> tuple[dict[Key, int], dict[Key, dict[date, dict[str, int]]]]:
    """Minor units before the first day, and by month and kind since, by currency and value: what is closed from its
    sums, the rest from movements."""
    opening: dict[Key, int] = defaultdict(int)
    flows: dict[Key, dict[date, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    live = live_from(wanted)
    found: list[tuple[Any, ...]] = []
    if live is not None and wanted.needs_facts:
        found = fetch(_AMOUNTS, wanted, table=_CLOSED, day="month", where="AND month < %(live)s", live=live)
    elif live is not None:
        found = list(_totals(wanted, live))
    since = "" if live is None else "AND booked_on >= %(live)s"
    if live is None or live <= wanted.last:
        found += fetch(_AMOUNTS, wanted, day="booked_on", where=since, live=live)
    for currency, value, month, kind, amount in found:
        if month is None:
            opening[currency, value] += amount
        else:
            flows[currency, value][month][kind] += amount
    return dict(opening), {key: dict(by_month) for key, by_month in flows.items()}


def _totals(wanted: Wanted, live: date) -> Iterator[tuple[str, str, date | None, str, int]]:
    """What closed months say of everything together: a row a month, however much is sold."""
    with connection().cursor() as cursor:
        cursor.execute(
            "SELECT month, totals FROM reporting_closedmonth WHERE company_id = %s AND month < %s",
            [wanted.company.pk, live],
        )
        rows = cursor.fetchall()
    for month, totals in rows:
        told = json.loads(totals) if isinstance(totals, str) else totals
        for currency, kinds in told.items():
            if not wanted.currencies or currency in wanted.currencies:
                is_before = month < wanted.first
                for kind, amount in kinds.items():
                    yield currency, "", None if is_before else month, "" if is_before else kind, amount


def live_from(wanted: Wanted) -> date | None:
    """The first day to be read from movements, where the time before it can be read from closed months; None: all."""
    with connection().cursor() as cursor:
        cursor.execute(_LIVE, {"company": wanted.company.pk})
        live, has_word_since = cursor.fetchone()
    if live is None:
        return None
    of_word = {BY_NAME[wanted.by].column} if wanted.by else set[str]()
    if has_word_since and (of_word | set(wanted.only)) & {"campaign_id", "source"}:
        return None
    boundary = min(live.date(), (wanted.last + ONE_DAY).replace(day=1))
    return None if wanted.first.day != 1 and wanted.first < boundary else boundary


def count_customers(wanted: Wanted, lines: Mapping[Key, list[Month]], *, in_one: bool = False) -> None:
    """Fills in the customers of each month. With `in_one` a customer of several currencies counts once, and `lines`
    name no currency."""
    found = _counted(wanted, in_one=in_one)
    for key, rows in lines.items():
        counted = found.get(key, {})
        first = rows[0].month.replace(day=1)
        early = [counts for month, counts in counted.items() if month < first]
        customers = sum(gained + returned - lost for gained, returned, lost in early)
        for month in rows:
            month.customers_opening = customers
            month.gained, month.returned, month.lost = counted.get(month.month, (0, 0, 0))
            customers = month.customers


def _counted(wanted: Wanted, *, in_one: bool) -> dict[Key, dict[date, tuple[int, int, int]]]:
    """Customers gained, returned and lost by currency, value and month; what was before is summed in one or more months
    before the first."""
    found: dict[Key, dict[date, tuple[int, int, int]]] = defaultdict(dict)
    currency = "''" if in_one else "currency"
    dimension = _dimension(wanted)
    is_read = dimension is None or (in_one and wanted.currencies) or wanted.first.day != 1
    live = None if is_read else live_from(wanted)
    start = wanted
    where = ""
    if live is not None and dimension is not None:
        found = _summed(wanted, dimension, live, in_one=in_one)
        start, where = replace(wanted, first=live), _OF_CUSTOMERS_SINCE
    rows = fetch(_CUSTOMERS, start, where=where, currency=currency, company="company_id = %(company)s")
    for told, value, month, *counts in rows:
        if live is None or month != _LONG_AGO:
            found[told, value][month] = (counts[0], counts[1], counts[2])
    return found


def _dimension(wanted: Wanted) -> str | None:
    """The one dimension that customers are divided or filtered by, "" for none; None for several: customers of two
    dimensions are in no sum."""
    names = {one.name for one in BY_NAME.values() if one.column in wanted.only} | ({wanted.by} - {""})
    return None if len(names) > 1 else next(iter(names), "")


def _summed(wanted: Wanted, dimension: str, live: date, *, in_one: bool) -> dict[Key, dict[date, tuple[int, int, int]]]:
    values: dict[str, Any] = {"company": wanted.company.pk, "dimension": dimension, "live": live}
    where = "AND currency = ''" if in_one else "AND currency <> ''"
    if wanted.currencies:
        where += " AND currency = ANY(%(currencies)s)"
        values["currencies"] = list(wanted.currencies)
    for value in wanted.only.values():
        where += " AND value = %(value)s"
        values["value"] = "" if value is None else str(value)
    found: dict[Key, dict[date, tuple[int, int, int]]] = defaultdict(dict)
    with connection().cursor() as cursor:
        cursor.execute(_COUNTED.format(where=where), values)
        for currency, value, month, *counts in cursor.fetchall():
            told = BY_NAME[dimension].stored(value) if wanted.by else ""
            found[currency, told][month] = (counts[0], counts[1], counts[2])
    return found


def kept(wanted: Wanted) -> dict[Key, Kept]:
    """What became of the revenue that customers had before the first day, by currency and value."""
    return {(row[0], row[1]): Kept(*row[2:]) for row in fetch(_KEPT, wanted)}


def fetch(
    sql: str, wanted: Wanted, *, table: str = "", where: str = "", live: date | None = None,
    values: Mapping[str, Any] | None = None, **names: str,
) -> list[tuple[Any, ...]]:  # fmt: skip
    """The rows of a statement over movements, or over facts where a dimension is asked for."""
    told: dict[str, Any] = {
        "company": wanted.company.pk, "first": wanted.first, "last": wanted.last, "live": live, **(values or {}),
    }  # fmt: skip
    kept_to = []
    if wanted.currencies:
        kept_to.append("AND currency = ANY(%(currencies)s)")
        told["currencies"] = list(wanted.currencies)
    for column, value in wanted.only.items():
        kept_to.append(f"AND {column} IS NOT DISTINCT FROM %({column})s")
        told[column] = value
    table = table or (_FACTS if wanted.needs_facts else _MOVEMENTS)
    own = " ".join(kept_to)
    where = f"{own} {where.format(table=table, where=own)}"
    value = BY_NAME[wanted.by].column if wanted.by else "''"
    text = sql.format(**{"table": table, "value": value, "where": where} | names)
    with connection().cursor() as cursor:
        cursor.execute(text, told)
        return list(cursor.fetchall())
