"""Recurring revenue of closed months, summed up once: by a tick when the books are closed, or anew by a command.

The rule that matters: a month is summed up when nothing more can be booked in it and no change waits that lies in it;
whatever isn't summed up yet is read from the movements themselves, so no report is ever stale. A month keeps the
exchange rates it was first closed with, also when it is summed up anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from billing.models import ExchangeRate
from core.models import Company
from core.services import ticks
from pricing.periods import month_end
from reporting import dimensions, movements
from reporting.in_one import STALE
from reporting.models import ClosedCustomers, ClosedMonth, ClosedRevenue

ONE_DAY: Final = timedelta(days=1)
#: The last column: word that came later about what brought customers who have movements in closed months.
_DUE: Final = """
    SELECT co.books_closed_on,
           (SELECT max(c.month) FROM reporting_closedmonth c WHERE c.company_id = co.id),
           least(
               (SELECT min(m.booked_on) FROM subscriptions_movement m WHERE m.company_id = co.id),
               (SELECT min(p.booked_on) FROM billing_posting p WHERE p.company_id = co.id)
           ),
           EXISTS (
               SELECT FROM subscriptions_firsttouch f
               WHERE f.company_id = co.id
                 AND f.id > (SELECT min(c.touch_id) FROM reporting_closedmonth c WHERE c.company_id = co.id)
                 AND EXISTS (
                     SELECT FROM subscriptions_movement m WHERE m.customer_id = f.customer_id AND m.booked_on <
                         (SELECT max(c.month) + interval '1 month' FROM reporting_closedmonth c
                          WHERE c.company_id = co.id)
                 )
           )
    FROM core_company co WHERE co.id = %(company)s
"""
#: A change that lies in the time and isn't carried out yet will still move revenue between plans there.
_WAITS: Final = """
    SELECT min(effective_on) FROM subscriptions_change
    WHERE company_id = %(company)s AND status = 'planned' AND effective_on <= %(last)s
"""
_FACTS: Final = """
    CREATE TEMPORARY TABLE facts_to_close ON COMMIT DROP AS
    SELECT customer_id, kind, currency, plan_id, product_id, country, campaign_id, source, cohort_on, amount_minor,
           booked_on
    FROM reporting_revenuefact
    WHERE company_id = %(company)s AND booked_on <= %(last)s AND customer_id IN (
        SELECT customer_id FROM reporting_revenuefact
        WHERE company_id = %(company)s AND booked_on BETWEEN %(first)s AND %(last)s
    )
"""
_REVENUE: Final = """
    INSERT INTO reporting_closedrevenue (
        company_id, closed_id, month, kind, currency, plan_id, product_id, country, campaign_id, source, cohort_on,
        amount_minor
    )
    SELECT %(company)s, c.id, c.month, f.kind, f.currency, f.plan_id, f.product_id, f.country, f.campaign_id, f.source,
           f.cohort_on, sum(f.amount_minor)
    FROM facts_to_close f
    JOIN reporting_closedmonth c ON c.company_id = %(company)s AND c.month = date_trunc('month', f.booked_on)::date
    WHERE f.booked_on BETWEEN %(first)s AND %(last)s
    GROUP BY 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 HAVING sum(f.amount_minor) <> 0
"""
#: What most reports ask for, and lies in as many rows as there are values of everything.
_TOTALS: Final = """
    UPDATE reporting_closedmonth c SET totals = coalesce((
        SELECT jsonb_object_agg(currency, kinds) FROM (
            SELECT currency, jsonb_object_agg(kind, minor) AS kinds FROM (
                SELECT r.currency, r.kind, sum(r.amount_minor)::bigint AS minor FROM reporting_closedrevenue r
                WHERE r.company_id = c.company_id AND r.month = c.month GROUP BY 1, 2
            ) by_kind GROUP BY 1
        ) by_currency
    ), '{}') WHERE c.company_id = %(company)s AND c.month BETWEEN %(first)s AND %(last)s
"""
_CUSTOMERS: Final = """
    INSERT INTO reporting_closedcustomers (
        company_id, closed_id, month, currency, dimension, value, gained, returned, lost
    )
    SELECT %(company)s, c.id, c.month, turned.currency, turned.dimension, coalesce(turned.value, ''),
           turned.gained, turned.returned, turned.lost
    FROM ({running} {counted}) turned
    JOIN reporting_closedmonth c ON c.company_id = %(company)s AND c.month = turned.month
    WHERE turned.month >= %(first)s AND (turned.gained > 0 OR turned.returned > 0 OR turned.lost > 0)
"""
_COUNTED: Final = """
    SELECT '{name}' AS dimension, currency, {column}::text AS value, month, {turned}
    FROM running GROUP BY currency, month{by}
"""
#: Where all are of one currency, a customer of several counts as one of that.
_IN_ONE: Final = """
    INSERT INTO reporting_closedcustomers (
        company_id, closed_id, month, currency, dimension, value, gained, returned, lost
    )
    SELECT company_id, closed_id, month, '', dimension, value, gained, returned, lost
    FROM reporting_closedcustomers WHERE company_id = %(company)s AND month >= %(first)s AND currency <> ''
"""


@dataclass(frozen=True, slots=True)
class Due:
    """Months to be summed up: `first` to `last`, both days; `is_anew`: all that were before, too."""

    first: date
    last: date
    is_anew: bool = False


def due(company: Company) -> Due | None:
    """What the books have closed and nobody has summed up. One query when that is nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"company": company.pk})
        found = cursor.fetchone()
        if found is None or found[0] is None or found[2] is None:
            return None
        closed_on, newest, moved_on, is_late = found
        last = closed_on if (closed_on + ONE_DAY).day == 1 else closed_on.replace(day=1) - ONE_DAY
        first = moved_on.replace(day=1) if newest is None or is_late else following(newest)
        if first > last:
            return None
        cursor.execute(_WAITS, {"company": company.pk, "last": last})
        (waiting,) = cursor.fetchone()
    if waiting is not None:
        last = min(last, waiting.replace(day=1) - ONE_DAY)
    return Due(first, last, is_anew=is_late) if first <= last else None


def close(
    company: Company, wanted: Due, *, at: datetime, kept: Mapping[date, dict[str, str]] | None = None
) -> int:  # fmt: skip
    """Sums the months up in one transaction; how many. Twice at once, the second finds nothing to do. `kept`: rates of
    months that were closed before."""
    with transaction.atomic(), connection.cursor() as cursor:
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        known_rates = kept_rates(company) if kept is None else kept
        if wanted.is_anew:
            _forget(company)
        known = ClosedMonth.objects.filter(company=company, month__gte=wanted.first).exists()
        months = list(movements.months(wanted.first, wanted.last))
        if known or not months:
            return 0
        cursor.execute("SELECT coalesce(max(id), 0) FROM subscriptions_firsttouch WHERE company_id = %s", [company.pk])
        (touch_id,) = cursor.fetchone()
        ClosedMonth.objects.bulk_create(
            ClosedMonth(
                company=company,
                month=month,
                closed_at=at,
                touch_id=touch_id,
                rates={**rates_at(month_end(month)), **known_rates.get(month, {})},
            )  # fmt: skip
            for month in months
        )
        # What was known of earlier months still holds for the word that came since.
        ClosedMonth.objects.filter(company=company).update(touch_id=touch_id)
        _sum_up(cursor, company, wanted)
    return len(months)


def _sum_up(cursor: Any, company: Company, wanted: Due) -> None:
    values = {"company": company.pk, "first": wanted.first, "last": wanted.last}
    cursor.execute("DROP TABLE IF EXISTS facts_to_close")
    cursor.execute(_FACTS, values)
    cursor.execute("ANALYZE facts_to_close")
    cursor.execute(_REVENUE, values)
    cursor.execute(_TOTALS, values)
    cursor.execute("SELECT count(DISTINCT currency) FROM facts_to_close")
    (currencies,) = cursor.fetchone()
    for currency in ("currency", "''") if currencies > 1 else ("currency",):
        for told in _told_at_once():
            cursor.execute(_counting(told, currency), values)
    if currencies == 1:
        cursor.execute(_IN_ONE, values)
    cursor.execute("DROP TABLE facts_to_close")


def _told_at_once() -> list[list[dimensions.Dimension | None]]:
    """Dimensions by which customers are counted in one pass: None for nobody divided, with those that a customer has
    one value of for ever; each of the others is a history of its own."""
    every = dimensions.BY_NAME.values()
    lasting = [one for one in every if one.is_of_customer]
    return [[None, *lasting], *([one] for one in every if not one.is_of_customer)]


def _counting(told: Sequence[dimensions.Dimension | None], currency: str) -> str:
    """The statement that counts customers of facts to close by these dimensions; `currency`: by which expression."""
    names = ", ".join(one.column for one in told if one is not None)
    running = movements.RUNNING.format(
        currency=currency, values=names, names=names, table="facts_to_close", company="true", where=""
    )
    counted = " UNION ALL ".join(
        _COUNTED.format(
            name=one.name if one else "", column=one.column if one else "''", by=f", {one.column}" if one else "",
            turned=movements.TURNED,
        )
        for one in told
    )  # fmt: skip
    return _CUSTOMERS.format(running=running, counted=counted)


def rebuild(company: Company, *, at: datetime) -> int:
    """Takes all closed months away and sums them up anew; how many there are now."""
    with transaction.atomic():
        kept = kept_rates(company)
        _forget(company)
        wanted = due(company)
        return close(company, wanted, at=at, kept=kept) if wanted is not None else 0


def kept_rates(company: Company) -> dict[date, dict[str, str]]:
    """The rates each closed month was closed with."""
    return dict(ClosedMonth.objects.filter(company=company).values_list("month", "rates"))


def _forget(company: Company) -> None:
    for model in (ClosedRevenue, ClosedCustomers, ClosedMonth):
        model.objects.filter(company=company).delete()


def rates_at(day: date) -> dict[str, str]:
    """Units of each currency for one euro: the last stored on or before the day, if it isn't stale."""
    rows = ExchangeRate.objects.filter(day__lte=day, day__gt=day - STALE).order_by("currency", "-day")
    found: dict[str, Decimal] = {}
    for currency, rate in rows.values_list("currency", "rate"):
        found.setdefault(currency, rate)
    return {currency: f"{rate.normalize():f}" for currency, rate in found.items()}


def following(month: date) -> date:
    """The first day of the next month."""
    return month_end(month) + ONE_DAY


@ticks.tick(
    "reporting.closed_months", order=88, every=timedelta(hours=1), title=_("Closed months"),
    text=_("Sums up the recurring revenue of months whose books are closed, so that reports are quick."),
)  # fmt: skip
def closed_months_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Months that became final since."""
    wanted = due(company)
    return {"months": close(company, wanted, at=at) if wanted is not None else 0}
