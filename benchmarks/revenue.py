"""R1: 36 months of recurring revenue, from movements and from closed months, against one scan of the movements.

The rule that matters: the reports' own functions on the product's own tables. Run alone:
python -m benchmarks.revenue [number of subscriptions]
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection  # noqa: E402

from benchmarks import stock  # noqa: E402
from benchmarks.meters import Goals  # noqa: E402
from core.models import Company  # noqa: E402
from reporting import closed_months, movements  # noqa: E402

FIRST: Final = date(2023, 1, 1)
CLOSED: Final = date(2025, 12, 31)
ON: Final = date(2026, 1, 31)
TIMES: Final = 3
#: A life of three years for each subscription: it starts, two in five grow, one in six shrinks, one in five leaves and
#: one in thirty comes back.
_LIVES: Final = """
    INSERT INTO subscriptions_movement (
        company_id, customer_id, subscription_id, slot_id, kind, cause, reason, currency, amount_minor, effective_on,
        booked_on, written_at
    )
    SELECT s.company_id, s.customer_id, s.id, (SELECT min(sl.id) FROM subscriptions_slot sl
           WHERE sl.subscription_id = s.id), life.kind, life.cause, '', s.currency, life.minor,
           life.day, life.day, now()
    FROM subscriptions_subscription s
    CROSS JOIN LATERAL (
        SELECT DATE '2023-01-31' + (s.id %% 1094)::int AS began, 1000 + (s.id %% 97) * 10 AS worth,
               CASE WHEN s.id %% 5 < 2 THEN 500 ELSE 0 END AS more, CASE WHEN s.id %% 6 = 0 THEN 200 ELSE 0 END AS less
    ) as_is
    CROSS JOIN LATERAL (
        VALUES ('new', 'subscription.start', as_is.worth, as_is.began),
               ('expansion', 'subscription.change', as_is.more, as_is.began + 40),
               ('contraction', 'subscription.change', -as_is.less, as_is.began + 70),
               ('churn', 'subscription.end',
                CASE WHEN s.id %% 5 = 3 THEN -(as_is.worth + as_is.more - as_is.less) ELSE 0 END, as_is.began + 100),
               ('reactivation', 'subscription.start',
                CASE WHEN s.id %% 30 = 3 THEN as_is.worth ELSE 0 END, as_is.began + 130)
    ) AS life (kind, cause, minor, day)
    WHERE life.minor <> 0 AND life.day <= %s
    ORDER BY life.day
"""


def median(work: Callable[[], Any]) -> float:
    """Seconds, the middle of a few; the first run warms up and doesn't count."""
    work()
    spent = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent)


def scan() -> None:
    """One pass over all movements."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT currency, sum(amount_minor) FROM subscriptions_movement GROUP BY 1")
        cursor.fetchall()


def with_people(wanted: Any) -> None:
    """The line with its customers counted."""
    from reporting import movements

    movements.count_customers(wanted, movements.line(wanted))


def live(company: Company) -> int:
    """Writes everybody's life; how many movements."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "TRUNCATE subscriptions_movement, reporting_closedmonth, reporting_closedrevenue, reporting_closedcustomers"
        )
        cursor.execute(_LIVES, [ON])
        made = int(cursor.rowcount)
        cursor.execute("RESET session_replication_role")
        cursor.execute("VACUUM (FREEZE, ANALYZE) subscriptions_movement")
    return made


def measure(company: Company, made: int, goals: Goals) -> None:
    """R1; the books are closed by it."""
    wanted, whole = movements.Wanted(company, FIRST, ON), movements.Wanted(company, FIRST, CLOSED)
    before = median(scan)
    from_movements = median(lambda: movements.line(wanted))
    told = movements.line(wanted)
    with_customers = median(lambda: with_people(wanted))
    Company.objects.filter(pk=company.pk).update(books_closed_on=CLOSED)
    begun = time.perf_counter()
    months = closed_months.rebuild(company, at=datetime(2026, 1, 31, 12, tzinfo=UTC))
    summed_in = time.perf_counter() - begun
    with connection.cursor() as cursor:
        for table in ("month", "revenue", "customers"):
            cursor.execute(f"VACUUM (ANALYZE) reporting_closed{table}")
    closed = median(lambda: movements.line(whole))
    with_open = median(lambda: movements.line(wanted))
    assert movements.line(wanted) == told, "closed months tell something else"
    quick = median(lambda: with_people(wanted))
    floor = (before + median(scan)) / 2
    print(f"# {made:,} movements; a scan takes {floor * 1000:.0f} ms; {months} months summed up in {summed_in:.0f} s")
    print(f"# with the running month read live beside closed ones: {with_open / floor:.3f} scans")
    print(f"# with customers counted, too: {with_customers / floor:.2f} scans live, {quick / floor:.3f} closed")
    words = "of a scan: 36 months from movements"
    goals.judge("R1", from_movements / floor, must=5, aim=3.5, words=words, at_most=True)
    if made < 1_000_000:
        # What a statement costs at least is a large part of a small scan: the goal is one for large tables.
        print(f"# from closed months: {closed / floor:.4f} scans")
        return
    words = "of a scan: 36 months from closed months"
    goals.judge("R1", closed / floor, must=0.01, aim=0.002, words=words, at_most=True, places=4)


def main(count: int = 0) -> bool:
    """Whether the goals are met."""
    name, goals = stock.make(count or 100_000), Goals()
    try:
        stock.copy(name)
        company = Company.objects.get()
        measure(company, live(company), goals)
        return goals.met
    finally:
        stock.drop(f"{stock.PREFIX}_work")
        stock.drop(name)


if __name__ == "__main__":
    raise SystemExit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 0) else 1)
