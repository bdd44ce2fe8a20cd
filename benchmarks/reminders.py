"""Reminders of 100,000 renewals in one tick, against the COPY floor of the rows it writes; peak memory; a quiet tick.

The rule that matters: everything is on: indexes, constraints, triggers, mails put into the outbox, events; the floor
writes the same bytes in the same chunks. Run alone: python -m benchmarks.reminders [number of subscriptions]
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Final

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402

from benchmarks import stock  # noqa: E402
from benchmarks.meters import Goals, Meter, Taken  # noqa: E402
from core.ids import new_id  # noqa: E402
from core.models import Company  # noqa: E402

RENEWAL: Final = date(2026, 3, 2)
#: What a reminder writes: table, and which of its rows are a reminder's.
TABLES: Final = {
    "customers_message": "subject_kind = 'reminder'",
    "core_outbox": "kind = 'mail'",
    "crm_reminder": "true",
    "core_event": "subject_kind = 'reminder'",
}
CHUNK: Final = 1000


def prepare() -> Company:
    """Every subscription renews on one day, thirty days from the stock's today."""
    from core.actors import Actor
    from crm.services import reminder_rules

    company = Company.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE subscriptions_subscription SET renewal_rule = 'renew', term_start_on = %s, term_ends_on = %s",
            [stock.FIRST, date.fromordinal(RENEWAL.toordinal() - 1)],
        )
        cursor.execute("VACUUM ANALYZE subscriptions_subscription")
    reminder_rules.save(
        company=company, name="Renewal", occasion="before_renewal", days=30, by=Actor.system("bench"), at=stock.AT
    )
    return company


def rss() -> int:
    """Peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def pour(folder: Path) -> Taken:
    """The same rows by COPY into the same tables, emptied of them, a transaction a chunk."""
    files: dict[str, tuple[str, list[bytes]]] = {}
    with connection.cursor() as cursor:
        for table, which in TABLES.items():
            cursor.execute(
                "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns "
                "WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
                [table],
            )
            columns = cursor.fetchone()[0]
            path = folder / table
            query = f"COPY (SELECT {columns} FROM {table} WHERE {which} ORDER BY id) TO STDOUT"
            with cursor.copy(query) as copy, path.open("wb") as file:
                for block in copy:
                    file.write(block)
            files[table] = columns, path.read_bytes().splitlines(keepends=True)
        cursor.execute("SET session_replication_role = replica")
        for table, which in reversed(TABLES.items()):
            cursor.execute(f"DELETE FROM {table} WHERE {which}")
        cursor.execute("RESET session_replication_role")
        for table in TABLES:
            cursor.execute(f"VACUUM {table}")
    most = max(len(lines) for _columns, lines in files.values())
    with Meter() as taken:
        for start in range(0, most, CHUNK):
            with transaction.atomic(), connection.cursor() as cursor:
                for table, (columns, lines) in files.items():
                    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                        copy.write(b"".join(lines[start : start + CHUNK]))
    return taken


def main(count: int) -> None:
    from crm.services import offer_links, reminding

    name = stock.make(count)
    try:
        stock.copy(name)
        company = prepare()
        reminding.remind_due(company=company, at=stock.AT.replace(year=2025))
        # What a process loads once, the pages' addresses above all, is no reminder's doing.
        offer_links.link_of(new_id(), on=RENEWAL)
        before = rss()
        with Meter() as taken:
            made = reminding.remind_due(company=company, at=stock.AT)
        peak = rss() - before
        begun = time.perf_counter()
        again = reminding.remind_due(company=company, at=stock.AT)
        quiet = time.perf_counter() - begun
        assert made == {"reminded": count, "failed": 0}, made
        assert again == {"reminded": 0, "failed": 0}, again
        with tempfile.TemporaryDirectory(prefix="turnus-bench-") as folder:
            floor = pour(Path(folder))
        goals = Goals()
        words = f"COPY floor / {count:,} reminders in one tick, processor time"
        print(
            f"# tick {taken.seconds:.1f} s ({taken.cpu:.1f} s cpu), floor {floor.seconds:.1f} s ({floor.cpu:.1f} s cpu)"
        )
        goals.judge("R1", floor.cpu / taken.cpu, must=0.30, aim=0.40, words=words)
        goals.judge("R2", peak, must=30, aim=15, words="MB of memory more at the peak", at_most=True, places=0)
        goals.judge("R3", quiet * 1000, must=2000, aim=500, words="ms for the tick after, nothing due", at_most=True)
    finally:
        stock.drop(f"{stock.PREFIX}_work")
        stock.drop(name)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
