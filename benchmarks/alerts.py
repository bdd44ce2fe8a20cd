"""What looking for alerts costs on a large company: a quiet look, a flood of causes, and their end.

The rule that matters: everything is on: events, tasks and audit rows of each alert. Run alone:
python -m benchmarks.alerts [number of subscriptions]
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import Any, Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection  # noqa: E402

from benchmarks import stock  # noqa: E402
from benchmarks.meters import Goals, Meter  # noqa: E402
from core.models import Company  # noqa: E402

FLOOD: Final = 10_000


def timed(company: Company, **how: Any) -> tuple[float, Any]:
    from crm.services import alerting

    begun = time.perf_counter()
    looked = alerting.look(company=company, at=stock.AT, **how)
    assert looked.failed == [], looked
    return time.perf_counter() - begun, looked


def main(count: int) -> None:
    name = stock.make(count)
    try:
        stock.copy(name)
        company = Company.objects.get()
        timed(company)
        quick, looked = timed(company, slow=False)
        assert looked.raised == 0
        slow, _ = timed(company, slow=True)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE subscriptions_subscription SET parked_at = now(), parked_detail = 'x' WHERE id IN "
                "(SELECT id FROM subscriptions_subscription ORDER BY id LIMIT %s)",
                [FLOOD],
            )
            cursor.execute("VACUUM ANALYZE subscriptions_subscription")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with Meter() as flood:
            _seconds, looked = timed(company, slow=False)
        assert looked.raised == FLOOD, looked
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
        held, _ = timed(company, slow=False)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE subscriptions_subscription SET parked_at = NULL WHERE parked_at IS NOT NULL")
        ended, looked = timed(company, slow=False)
        assert looked.resolved == FLOOD, looked
        goals = Goals()
        print(f"# {count:,} subscriptions; {FLOOD:,} alerts with tasks closed in {ended:.1f} s")
        goals.judge("A1", quick * 1000, must=1000, aim=200, words="ms for a look, nothing to raise", at_most=True)
        goals.judge("A2", held * 1000, must=1500, aim=400, words="ms for a look, 10,000 open", at_most=True)
        goals.judge("A3", slow * 1000, must=20000, aim=3000, words="ms for the hourly questions", at_most=True)
        spent = flood.cpu / FLOOD * 1000
        goals.judge("A4", spent, must=5, aim=1, words="ms of processor time for an alert with its task", at_most=True)
        goals.judge("A5", peak, must=150, aim=80, words="MB of memory more at the peak", at_most=True, places=0)
    finally:
        stock.drop(f"{stock.PREFIX}_work")
        stock.drop(name)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
