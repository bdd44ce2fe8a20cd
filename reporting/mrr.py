"""Monthly recurring revenue, its movements and churn, read from the movement rows alone.

Opening + movements = closing, in every month and currency; nothing is guessed from the present.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from core.models import Company
from core.replica import connection, reads_replica
from pricing.money import Money
from subscriptions.models import Movement

KINDS = [kind.value for kind in Movement.Kind]

_AMOUNTS = """
    SELECT currency, date_trunc('month', booked_on)::date, kind, sum(amount_minor)::bigint
    FROM subscriptions_movement WHERE company_id = %(company)s AND booked_on <= %(on)s
    GROUP BY 1, 2, 3
"""
#: A customer is gained in a month that ends above zero after a zero, lost in one that ends at zero after more.
_CUSTOMERS = """
    WITH monthly AS (
        SELECT currency, customer_id, date_trunc('month', booked_on)::date AS month, sum(amount_minor) AS change
        FROM subscriptions_movement WHERE company_id = %(company)s AND booked_on <= %(on)s
        GROUP BY 1, 2, 3
    ), running AS (
        SELECT currency, month, change, sum(change) OVER (PARTITION BY currency, customer_id ORDER BY month) AS after
        FROM monthly
    )
    SELECT currency, month,
           count(*) FILTER (WHERE after > 0 AND after - change = 0),
           count(*) FILTER (WHERE after = 0 AND after - change > 0)
    FROM running GROUP BY 1, 2
"""


@dataclass(slots=True)
class Month:
    """One month of one currency; amounts in minor units, signed as the movements are."""

    month: date
    opening_minor: int
    movements: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    customers_opening: int = 0
    customers_gained: int = 0
    customers_lost: int = 0

    @property
    def closing_minor(self) -> int:
        return self.opening_minor + sum(self.movements.values())

    @property
    def customers_closing(self) -> int:
        return self.customers_opening + self.customers_gained - self.customers_lost

    @property
    def customer_churn(self) -> Decimal | None:
        """Customers lost, in percent of those at the start; None when there were none."""
        return _percent(self.customers_lost, self.customers_opening)

    @property
    def revenue_churn(self) -> Decimal | None:
        """Revenue lost to churn, in percent of the revenue at the start; None when there was none."""
        return _percent(-self.movements["churn"], self.opening_minor)


@dataclass(slots=True)
class RecurringRevenue:
    """The recurring revenue of one currency: every month from the first movement on, oldest first."""

    currency: str
    on: date
    months: list[Month]

    @property
    def mrr_minor(self) -> int:
        return self.months[-1].closing_minor

    @property
    def customers(self) -> int:
        return self.months[-1].customers_closing


@reads_replica
def recurring_revenue(*, company: Company, on: date) -> list[RecurringRevenue]:
    """What recurs a month, as booked up to and with `on`, per currency; empty before the first movement."""
    amounts: dict[tuple[str, date], dict[str, int]] = {}
    people: dict[tuple[str, date], tuple[int, int]] = {}
    with connection().cursor() as cursor:
        cursor.execute(_AMOUNTS, {"company": company.pk, "on": on})
        for currency, month, kind, amount in cursor.fetchall():
            amounts.setdefault((currency, month), {})[kind] = amount
        cursor.execute(_CUSTOMERS, {"company": company.pk, "on": on})
        for currency, month, gained, lost in cursor.fetchall():
            people[currency, month] = (gained, lost)
    reports = []
    for currency in sorted({currency for currency, _ in amounts}):
        first = min(month for known, month in amounts if known == currency)
        months: list[Month] = []
        opening, customers = 0, 0
        for day in _months(first, on):
            month = Month(day, opening, customers_opening=customers)
            month.movements.update(amounts.get((currency, day), {}))
            month.customers_gained, month.customers_lost = people.get((currency, day), (0, 0))
            opening, customers = month.closing_minor, month.customers_closing
            months.append(month)
        reports.append(RecurringRevenue(currency, on, months))
    return reports


def report(*, company: Company, on: date, months: int = 13) -> dict[str, Any]:
    """The same as plain JSON: amounts as decimal strings, the last `months` months, oldest first."""
    return {
        "company": company.slug,
        "on": on.isoformat(),
        "currencies": [_as_json(revenue, months) for revenue in recurring_revenue(company=company, on=on)],
    }


def _as_json(revenue: RecurringRevenue, months: int) -> dict[str, Any]:
    def text(minor: int) -> str:
        return str(Money(minor, revenue.currency).amount)

    return {
        "currency": revenue.currency,
        "mrr": text(revenue.mrr_minor),
        "arr": text(revenue.mrr_minor * 12),
        "customers": revenue.customers,
        "months": [
            {
                "month": month.month.isoformat()[:7],
                "opening": text(month.opening_minor),
                **{kind: text(month.movements[kind]) for kind in KINDS},
                "closing": text(month.closing_minor),
                "customers_opening": month.customers_opening,
                "customers_gained": month.customers_gained,
                "customers_lost": month.customers_lost,
                "customers_closing": month.customers_closing,
                "customer_churn_percent": _text(month.customer_churn),
                "revenue_churn_percent": _text(month.revenue_churn),
            }
            for month in revenue.months[-months:]
        ],
    }


def _months(first: date, last: date) -> Iterator[date]:
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        yield date(year, month, 1)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def _percent(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) * 100 / whole).quantize(Decimal("0.01")) if whole > 0 else None


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
