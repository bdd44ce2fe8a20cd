"""What one PostgreSQL carries: runs by 1, 2 and 4 worker processes, the counter's share, mails, and bytes a year.

The rule that matters: it prints the tables that docs/explanation/scale.md shows, with the machine and its load beside
them. Run: python -m benchmarks.scale [--customers 20000]; for seconds that mean something, on a machine of its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from benchmarks import stock
from benchmarks.billing_run import alone, by_celery, month_end, start
from benchmarks.meters import Taken, counted, use
from billing.models import Invoice
from billing.services import running
from core.models import Company, Outbox
from ops import processes

WORKERS = (1, 2, 4)
YEAR_OF = 2_000
MAILED = 200
#: Tables of which less than so many bytes came to a subscription in a year are summed up as the rest.
SMALL = 20


def machine() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = {line.partition(":")[2].strip() for line in file if line.startswith("model name")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('fsync')")
        version, fsync = cursor.fetchone()
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{os.cpu_count()} processors ({', '.join(models) or platform.machine()}), PostgreSQL {version}, "
        f"fsync {fsync}; load {load}"
    )


def by_workers(count: int) -> None:
    """A month's run of the same stock by so many processes of one worker, twice around; the better of both."""
    best: dict[int, Taken] = {}
    for processes_ in (*WORKERS, *reversed(WORKERS)):
        taken, run = by_celery(stock.copy(stock.name_of(count)), processes_)
        assert run.invoice_count == count == Invoice.objects.count()
        print(f"# {processes_} workers: {taken.seconds:.1f} s; load {os.getloadavg()[0]:.1f}", flush=True)
        if processes_ not in best or taken.seconds < best[processes_].seconds:
            best[processes_] = taken
    print("\n| worker processes | invoices a second | against one | CPU us an invoice: Python | PostgreSQL |")
    print("|--:|--:|--:|--:|--:|")
    for processes_, taken in best.items():
        print(
            f"| {processes_} | {count / taken.seconds:,.0f} | {best[1].seconds / taken.seconds:.2f} "
            f"| {taken.python / count * 1e6:,.0f} | {taken.postgres / count * 1e6:,.0f} |"
        )
    print(flush=True)


def counter(count: int) -> None:
    """How long a chunk of 1,000 takes, and for how much of it the counter of its series is held."""
    stock.copy(stock.name_of(count))
    run = start()
    running.bill_next(run)
    with counted() as sent:
        running.bill_next(run)
    taken_at: list[float] = []

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if "INSERT INTO core_numberseries" in str(sql):
            taken_at.append(time.perf_counter())
        return execute(sql, params, many, context)

    chunks = []
    for _ in range(5):
        taken_at.clear()
        begun = time.perf_counter()
        with connection.execute_wrapper(note):
            step = running.bill_next(run)
        if step is not running.Step.DONE or not taken_at:
            break
        ended = time.perf_counter()
        chunks.append((ended - begun, ended - taken_at[0]))
    whole, held = (sorted(values)[len(values) // 2] for values in zip(*chunks, strict=True))
    print(f"- a chunk of 1,000 subscriptions sends {len(sent)} statements, COPY among them, and takes {whole:.2f} s")
    print(f"- the number counter is held for {held * 1000:.0f} ms of that: {held / whole:.0%}", flush=True)
    print(
        f"- so one series gives out at most {1000 / held:,.0f} numbers a second, by any number of workers", flush=True
    )


def _sizes() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
            "WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        return dict(cursor.fetchall())


def _rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def year() -> None:
    """Bytes that twelve monthly runs leave for each subscription, indexes included; and the log they wrote."""
    stock.copy(stock.name_of(YEAR_OF))
    _vacuum()
    before = _sizes()
    log_before = _log_position()
    for number in range(1, 13):
        on = month_end(number)
        Company.objects.update(clock_at=datetime.combine(on, stock.AT.timetz()))
        alone(on)
    log = _log_position() - log_before
    _vacuum()
    grown = {name: size - before.get(name, 0) for name, size in _sizes().items()}
    named = {name: size for name, size in grown.items() if size / YEAR_OF >= SMALL}
    print("\n| table | rows a subscription and year | bytes a subscription and year |\n|---|--:|--:|")
    for name, size in sorted(named.items(), key=lambda item: -item[1]):
        print(f"| `{name}` | {_rows(name) / YEAR_OF:,.1f} | {size / YEAR_OF:,.0f} |")
    rest = sum(grown.values()) - sum(named.values())
    print(f"| all others | | {rest / YEAR_OF:,.0f} |")
    print(f"| **together** | | **{sum(grown.values()) / YEAR_OF:,.0f}** |")
    print(f"| write-ahead log | | {log / YEAR_OF:,.0f} |\n", flush=True)


def _vacuum() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _log_position() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
        return int(cursor.fetchone()[0])


@contextmanager
def mailcatcher(folder: Path) -> Iterator[int]:
    """Its SMTP port."""
    smtp, page = processes.free_port(), processes.free_port()
    words = ["standins/mailcatcher.py", "--folder", str(folder), "--smtp", str(smtp), "--http", str(page)]
    catcher = subprocess.Popen([sys.executable, *words], cwd=settings.BASE_DIR)
    try:
        processes.wait_until(lambda: _listens(smtp), 20)
        yield smtp
    finally:
        catcher.terminate()
        catcher.wait()


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _children_used() -> float:
    """Seconds of processor time of processes that we started and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def relays(count: int) -> None:
    """Invoices printed and mailed by one relay and by two; and the bytes each leaves."""
    rates: dict[int, float] = {}
    used = 0.0
    for many in (1, 2):
        name = stock.copy(stock.name_of(count))
        alone()
        _vacuum()
        before = _sizes()
        waiting = Outbox.objects.filter(state=Outbox.State.WAITING).count()
        url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
        with tempfile.TemporaryDirectory(prefix="turnus-mails-") as folder, mailcatcher(Path(folder)) as port:
            given = os.environ | {"DATABASE_URL": url, "TURNUS_TEST_SMTP": f"127.0.0.1:{port}"}
            command = [sys.executable, "manage.py", "relay", "--until-empty", "--without", "webhooks"]
            begun, before_us = time.monotonic(), _children_used()
            running_ = [
                subprocess.Popen(command, cwd=settings.BASE_DIR, env=given, stdout=subprocess.DEVNULL)
                for _ in range(many)
            ]
            assert [one.wait() for one in running_] == [0] * many
            seconds, used = time.monotonic() - begun, _children_used() - before_us
            mailed = len(list(Path(folder).glob("*.eml")))
        rates[many] = mailed / seconds
        print(f"# {many} relays: {mailed} mails of {waiting} rows in {seconds:.0f} s, CPU {used:.1f} s", flush=True)
        if many == 1:
            _vacuum()
            grown = {table: size - before[table] for table, size in _sizes().items()}
            print(
                f"- a mailed invoice leaves {sum(grown.values()) / mailed:,.0f} bytes, "
                f"{grown['core_storedfile'] / mailed:,.0f} of them its PDF"
            )
    print(f"- a relay prints and mails {rates[1]:.1f} invoices a second, two {rates[2]:.1f}")
    print(f"- a mailed invoice costs a relay {used / count * 1000:.0f} ms of processor time", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.scale")
    parser.add_argument("--customers", type=int, default=20_000)
    count = max(parser.parse_args().customers // stock.BLOCK, 14) * stock.BLOCK
    before = settings.DATABASES["default"]["NAME"]
    sizes = sorted({count, YEAR_OF, MAILED})
    print(f"# {machine()}", flush=True)
    try:
        for size in sizes:
            stock.make(size)
        by_workers(count)
        counter(count)
        year()
        relays(MAILED)
    finally:
        for name in [*map(stock.name_of, sizes), f"{stock.PREFIX}_work"]:
            stock.drop(name)
        use(before)
    print(f"# {machine()}", flush=True)


if __name__ == "__main__":
    main()
