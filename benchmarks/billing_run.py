"""B1 to B6: the billing run against the COPY floor of the same rows, in the product's own tables.

The rule that matters: everything is on: indexes, constraints, triggers, chain, postings, events, snapshots, mails put
into the outbox; the floor writes the same bytes. Run alone: python -m benchmarks.billing_run [--large]
"""

from __future__ import annotations

import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

from benchmarks import floor, naive, stock
from benchmarks.meters import Goals, Meter, Taken, admin, children_of, counted, use
from billing.models import BillingRun, Invoice
from billing.services import running
from billing.tasks import bill_chunk, wake
from config.celery import app, broker_url
from core import clock
from core.actors import Actor
from core.models import Company
from pricing.periods import add_months

BY = Actor.system("bench")
#: A number of a broker database that nobody else listens on.
BROKER_DATABASE = 9
ROUNDS = 3
#: Sizes of the stock in which half of the subscriptions have tiers, discounts and usage, too.
MIXED = (10_000, 100_000)
#: Customers' documents saved one by one for B3.
ONE_BY_ONE = 300


def rounds(count: int) -> int:
    """A million takes long enough to even out on its own."""
    return ROUNDS if count < 1_000_000 else 1


def month_end(number: int) -> date:
    """The last day of month number 1, 2, ... of the stock."""
    return add_months(stock.LAST, number - 1, 31)


def start(on: date = stock.LAST, cut: running.Cut | None = None) -> BillingRun:
    """Starts the run, with mail for all of its invoices."""
    company = Company.objects.get()
    more = {} if cut is None else {"cut": cut}
    run = running.start(company=company, on=on, notify_since=stock.FIRST, by=BY, at=clock.now(company), **more)
    assert run is not None
    return run


def broker() -> str:
    parts = urlsplit(settings.REDIS_URL)
    if parts.scheme == "unix":
        return urlunsplit(parts._replace(query=f"db={BROKER_DATABASE}"))
    return urlunsplit(parts._replace(path=f"/{BROKER_DATABASE}"))


@contextmanager
def celery(database: str, processes: int) -> Iterator[int]:
    """A Celery worker with so many processes on that database, warm; its process id."""
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))
    environment = os.environ | {"DATABASE_URL": url, "REDIS_URL": broker()}
    app.conf.broker_url = broker_url(broker())
    with app.connection_for_write() as wire:
        wire.default_channel.client.flushdb()
    command = [sys.executable, "manage.py", "worker", "--concurrency", str(processes), "--loglevel", "WARNING"]
    worker = None
    for _ in range(3):
        worker = subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if _answers(database, processes):
            break
        _end(worker)
    assert worker is not None and worker.poll() is None, "the worker does not answer"
    try:
        time.sleep(1.0)
        yield worker.pid
    finally:
        _end(worker)


def _answers(database: str, processes: int) -> bool:
    """Whether the worker's processes have connected, as each does with its first task."""
    begun = time.monotonic()
    with admin() as server:
        while time.monotonic() - begun < 40:
            for _ in range(4 * processes):
                bill_chunk.delay(0)  # there is no such chunk
            time.sleep(0.3)
            row = server.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [database]).fetchone()
            others = row[0] - 1 if row is not None else 0
            # One of them may always be quick enough for all.
            if others >= processes or (others and time.monotonic() - begun > 10):
                return True
    return False


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.send_signal(signal.SIGTERM)
    worker.wait()


def by_celery(database: str, processes: int = 2) -> tuple[Taken, BillingRun]:
    """A run worked off by Celery's workers, planning included."""
    Company.objects.get()
    with (
        celery(database, processes) as worker,
        Meter(lambda: [os.getpid(), worker, *children_of(worker)]) as taken,
    ):
        run = start()
        wake([run])
        while run.state == BillingRun.State.RUNNING:
            time.sleep(0.02)
            run.refresh_from_db(fields=["state"])
    run.refresh_from_db()
    assert run.state == BillingRun.State.DONE, run.state
    return taken, run


def alone(on: date = stock.LAST) -> tuple[Taken, BillingRun]:
    """A run in this process alone."""
    Company.objects.get()
    with Meter() as taken:
        run = running.work(start(on))
    assert run.state == BillingRun.State.DONE, run.state
    return taken, run


def said(what: str, taken: Taken, count: int) -> None:
    print(
        f"# {what}: {taken.seconds:.2f} s, {count / taken.seconds:,.0f} invoices/s, CPU us/invoice: "
        f"Python {taken.python / count * 1e6:.0f} + PostgreSQL {taken.postgres / count * 1e6:.0f}",
        flush=True,
    )


def median(values: Sequence[Taken], name: str) -> float:
    return statistics.median(getattr(value, name) for value in values)


def against_the_floor(count: int, goals: Goals, *, judged: bool, mixed: bool = False) -> None:
    """B1, B2 and B3 for so many subscriptions: each run between two floors, one right before it and one right after.

    Of a mixed stock B1 is judged alone.
    """
    name = stock.name_of(count, mixed=mixed)
    _, before = _run_and_floor(name, count)
    shares, works, runs = [], [], []
    for _ in range(rounds(count)):
        taken, after = _run_and_floor(name, count)
        shares.append((before.seconds + after.seconds) / 2 / taken.seconds)
        works.append(taken.cpu / ((before.cpu + after.cpu) / 2))
        runs.append(taken)
        before = after
    share = statistics.median(shares)
    if mixed:
        goals.judge("B1", share, must=0.30, aim=0.45, words=f"the same with tiers, discounts and usage, {count:,}")
        print(f"# {count:,} mixed: B2 {statistics.median(works):.2f}", flush=True)
        return
    stock.copy(name)
    one_by_one = naive.saved_one_by_one(min(ONE_BY_ONE, count))
    print(f"# {count:,}: an ORM takes {one_by_one * 1000:.1f} ms an invoice", flush=True)
    work = statistics.median(works)
    times = one_by_one / (statistics.median(taken.seconds for taken in runs) / count)
    if judged:
        goals.judge("B1", share, must=0.40, aim=0.60, words=f"run by 2 Celery workers / COPY floor, {count:,}")
        goals.judge("B2", work, must=4, aim=2.6, at_most=True, words=f"CPU / CPU of the floor, {count:,}")
        goals.judge("B3", times, must=60, aim=110, places=0, words=f"against save() per invoice, {count:,}")
    else:
        print(f"# {count:,}: B1 {share:.2f}, B2 {work:.2f}, B3 {times:.0f}", flush=True)


def _run_and_floor(name: str, count: int) -> tuple[Taken, Taken]:
    work = stock.copy(name)
    taken, run = by_celery(work)
    assert run.invoice_count == count == Invoice.objects.count()
    said(f"{count:,} by 2 Celery processes", taken, count)
    with floor.written() as rows:
        poured = floor.pour(rows)
    said(f"{count:,} floor", poured, count)
    return taken, poured


def growth(counts: Sequence[int], goals: Goals, *, mixed: bool = False) -> None:
    """B4: how processor time grows with the number, and with what has been kept."""
    used = []
    for count in (counts[0], counts[-1]):
        taken = []
        for _ in range(1 if mixed else rounds(count)):
            stock.copy(stock.name_of(count, mixed=mixed))
            taken.append(alone()[0])
            said(f"{count:,} by 1 process", taken[-1], count)
        used.append(median(taken, "cpu"))
    exponent = math.log(used[1] / used[0]) / math.log(counts[-1] / counts[0])
    goals.judge(
        "B4", exponent, must=1.05, aim=1.02, at_most=True,
        words=f"growth exponent of CPU{', mixed' if mixed else ''}, {counts[0]:,} to {counts[-1]:,}",
    )  # fmt: skip
    ratios = []
    for _ in range(ROUNDS):
        stock.copy(stock.name_of(counts[0], mixed=mixed))
        months = []
        for number in range(1, 13):
            on = month_end(number)
            Company.objects.update(clock_at=datetime.combine(on, stock.AT.timetz()))
            if mixed and number > 1:
                stock.use_again(number - 1)
            months.append(alone(on)[0].cpu)
        ratios.append(months[11] / months[0])
    goals.judge(
        "B4", statistics.median(ratios), must=1.1, aim=1.0, at_most=True,
        words=f"CPU of month 12 / month 1 on kept tables, {counts[0]:,} a month{', mixed' if mixed else ''}",
    )  # fmt: skip


def two_to_one(count: int, goals: Goals) -> None:
    """B5: what a second worker brings."""
    ratios = []
    for _ in range(ROUNDS):
        one, _ = by_celery(stock.copy(stock.name_of(count)), 1)
        two, _ = by_celery(stock.copy(stock.name_of(count)), 2)
        ratios.append(one.seconds / two.seconds)
    goals.judge("B5", statistics.median(ratios), must=1.4, aim=1.7, words=f"2 workers / 1 worker, {count:,}")


def statements(count: int, goals: Goals, *, mixed: bool = False) -> None:
    """B6: statements per chunk, the same for small and large ones."""
    numbers = []
    for subscriptions in (100, 1000):
        stock.copy(stock.name_of(count, mixed=mixed))
        run = start(cut=running.Cut(subscriptions=subscriptions))
        running.bill_next(run)
        with counted() as sent:
            running.bill_next(run)
        numbers.append(len(sent))
        if "--statements" in sys.argv:
            for statement in sent:
                print("#   " + " ".join(statement.split())[:150])
    assert len(set(numbers)) == 1, f"not constant: {numbers}"
    goals.judge(
        "B6",
        numbers[0],
        must=15,
        aim=9,
        at_most=True,
        places=0,
        words="statements per chunk" + (", mixed" if mixed else ""),
    )


def main(*, large: bool = False) -> bool:
    """Prints the goals; whether all were met."""
    goals = Goals()
    counts = [10_000, 100_000] + ([1_000_000] if large else [])
    before = settings.DATABASES["default"]["NAME"]
    try:
        for count in counts:
            stock.make(count)
        statements(counts[0], goals)
        for count in counts:
            against_the_floor(count, goals, judged=count == counts[-1])
        growth(counts, goals)
        two_to_one(min(counts[-1], 100_000), goals)
        for count in MIXED:
            stock.make(count, mixed=True)
        statements(MIXED[0], goals, mixed=True)
        against_the_floor(MIXED[-1], goals, judged=True, mixed=True)
        growth(MIXED, goals, mixed=True)
    finally:
        mixed = [stock.name_of(count, mixed=True) for count in MIXED]
        for name in [*map(stock.name_of, counts), *mixed, f"{stock.PREFIX}_work"]:
            stock.drop(name)
        use(before)
    return goals.met


if __name__ == "__main__":
    raise SystemExit(0 if main(large="--large" in sys.argv) else 1)
