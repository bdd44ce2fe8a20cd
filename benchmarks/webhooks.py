"""What webhooks cost where events are written: a COPY of 10,000 events without the trigger, with it, with endpoints.

Each round is one transaction that is taken back. Run alone: python -m benchmarks.webhooks [URL of a migrated database].
"""

from __future__ import annotations

import os
import statistics
import sys
import time
import uuid
from typing import LiteralString

import psycopg

EVENTS, ROUNDS = 10_000, 7
COPY = "COPY core_event (company_id, public_id, type, occurred_at, subject_kind, subject_id, data) FROM STDIN"
DATA = '{"id":"inv_01k2v9gq4m5xk8r3h7d1w6n0tz","number":"INV-2026-000042","currency":"EUR","gross_minor":5831}'
ENDPOINT = """
    INSERT INTO core_webhookendpoint (
        company_id, public_id, url, description, types, secret, previous_secret, is_active, stopped, failures,
        created_at
    ) VALUES (%s, gen_random_uuid(), 'https://x.example', '', %s, 's1:x', '', true, '', 0, now())
"""

Step = tuple[LiteralString, tuple[object, ...]]


def measured(connection: psycopg.Connection, company: int, *before: Step) -> float:
    """Seconds that the COPY takes after these statements."""
    lines = "".join(
        f"{company}\t{uuid.uuid4()}\tinvoice.issued\t2026-03-01T09:00:00Z\tinvoice\t{number}\t{DATA}\n"
        for number in range(EVENTS)
    )
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        for statement, values in before:
            cursor.execute(statement, values)
        begun = time.perf_counter()
        with cursor.copy(COPY) as copy:
            copy.write(lines)
        return time.perf_counter() - begun


def main(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM core_company ORDER BY id LIMIT 1")
        found = cursor.fetchone()
        if found is None:
            raise SystemExit("the database has no company")
        company = found[0]
        off: Step = ("ALTER TABLE core_event DISABLE TRIGGER core_event_webhooks", ())
        cases: dict[str, list[Step]] = {
            "without the trigger": [off],
            "nobody listens": [],
            "another type is heard": [(ENDPOINT, (company, ["plan.*"]))],
            "one endpoint hears all": [(ENDPOINT, (company, ["*"]))],
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, before in cases.items():
                times[name].append(measured(connection, company, *before))
    floor = statistics.median(times["without the trigger"])
    for name, found_times in times.items():
        median = statistics.median(found_times)
        print(f"{name:24} {median * 1000:7.1f} ms  x{median / floor:.2f}  (least {min(found_times) * 1000:.1f} ms)")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.environ["DATABASE_URL"])
