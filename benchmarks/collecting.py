"""C1 to C3: collections against the stand-in provider by two relays, against the same charges posted without a product.

The rule that matters: the floor posts what the product's client posts, over connections that are kept, from as many
processes, and keeps nothing. Run alone: python -m benchmarks.collecting [--large]
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from benchmarks import stock
from benchmarks.billing_run import month_end
from benchmarks.meters import Goals, Meter, Taken, admin, counted, cpu_of, use
from billing.models import Attempt, Invoice, Payment, PaymentMethod
from billing.services import collecting, gateway_accounts, running
from core import clock
from core.actors import Actor
from core.models import Company, Outbox
from core.services import outbox

BY = Actor.system("bench")
RELAYS = 2
COUNT, LARGE = 2_000, 10_000
#: Methods that one customer has at the provider.
EACH = 100
#: Collections whose statements are counted.
SAMPLE = 50
SECRETS = {"secret": "sk_test_bench", "webhook_secret": "whsec_bench"}
HEADERS = {"Authorization": "Bearer sk_test_bench", "Content-Type": "application/x-www-form-urlencoded"}


class Wire:
    """One kept connection to the stand-in, without a client library."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def post(self, path: str, given: dict[str, str], key: str = "") -> dict[str, object]:
        self.connection.request("POST", path, urlencode(given), HEADERS | ({"Idempotency-Key": key} if key else {}))
        answer = self.connection.getresponse()
        found: dict[str, object] = json.loads(answer.read())
        assert answer.status == 200, found
        return found


@contextmanager
def provider() -> Iterator[tuple[str, int]]:
    """The stand-in on an empty folder: Stripe's address, and the id of its process. It sends no messages."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "standins.providers", "--folder", folder], cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            found = None
            while found is None:
                found = re.search(r"stripe on (http://127\.0\.0\.1:\d+)", process.stdout.readline())
            yield found[1], process.pid
        finally:
            process.terminate()
            process.wait()


def saved(address: str, count: int) -> list[tuple[str, str]]:
    """So many cards at the provider: customer and method ids."""
    wire, made = Wire(address), []
    customer = ""
    for number in range(count):
        if number % EACH == 0:
            customer = str(wire.post("/v1/customers", {"name": f"Customer {number}"})["id"])
        card = wire.post("/v1/payment_methods/pm_card_visa/attach", {"customer": customer})
        made.append((customer, str(card["id"])))
    return made


def form_of(customer: str, method: str, number: int) -> dict[str, str]:
    """A charge as the product's client sends it."""
    meta = {name: f"{name}_{number:026d}" for name in ("key", "attempt", "invoice", "customer")}
    return {
        "amount": "1190", "currency": "eur", "customer": customer, "payment_method": method, "off_session": "true",
        "confirm": "true", "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never", "description": f"RE-2026-{number:05d}",
        "expand[0]": "latest_charge.balance_transaction",
        **{f"metadata[{name}]": said for name, said in meta.items()},
    }  # fmt: skip


def post_all(address: str, path: str, share: int) -> None:
    """One of the floor's processes: waits for a line, posts its share, says so."""
    cards = json.loads(Path(path).read_text())
    wire = Wire(address)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(share, len(cards), RELAYS):
        wire.post("/v1/payment_intents", form_of(*cards[number], number), key=f"floor_{number}")


def floor(count: int) -> tuple[float, float]:
    """Seconds for so many charges by plain posts from two processes, and of processor time of the stand-in."""
    with provider() as (address, pid), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cards.json"
        path.write_text(json.dumps(saved(address, count)))
        posting = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.collecting", "--post", address, str(path), str(share)],
                cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for share in range(RELAYS)
        ]  # fmt: skip
        for one in posting:
            assert one.stdout is not None and one.stdout.readline() == "ready\n"
        before, begun = cpu_of(pid), time.monotonic()
        for one in posting:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        assert [one.wait() for one in posting] == [0] * RELAYS
        return time.monotonic() - begun, cpu_of(pid) - before


def billed(count: int) -> None:
    """A copy of the stock in which every customer has an issued invoice, and nothing waits to be sent."""
    stock.copy(stock.name_of(count))
    company = Company.objects.get()
    run = running.start(company=company, on=stock.LAST, by=BY, at=clock.now(company))
    assert run is not None and running.work(run).invoice_count == count
    Outbox.objects.update(state=Outbox.State.DONE)


def with_cards(address: str) -> None:
    """A gateway to the stand-in, and a card there for every customer."""
    company = Company.objects.get()
    gateway = gateway_accounts.save(
        company=company, kind="stripe", address=address, by=BY, at=clock.now(company), **SECRETS
    )
    customers = list(Invoice.objects.order_by("pk").values_list("customer_id", flat=True))
    PaymentMethod.objects.bulk_create(
        [
            PaymentMethod(
                company=company, customer_id=customer, gateway=gateway, kind="card", status="active", is_default=True,
                label="Visa •••• 4242", external_customer=there, external_id=card, created_at=clock.now(company),
            )
            for customer, (there, card) in zip(customers, saved(address, len(customers)), strict=True)
        ],
        batch_size=1_000,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


@contextmanager
def relays(database: str) -> Iterator[list[int]]:
    """Two relays on that database, connected and idle; their process ids."""
    url = urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))
    command = [sys.executable, "manage.py", "relay", "--pause", "0.05"]
    running_ = [
        subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ | {"DATABASE_URL": url})
        for _ in range(RELAYS)
    ]  # fmt: skip
    try:
        with admin() as server:
            seen = 0
            while seen < RELAYS:
                time.sleep(0.2)
                row = server.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
                                     [database, _own_backend()]).fetchone()  # fmt: skip
                seen = row[0] if row is not None else 0
        yield [one.pid for one in running_]
    finally:
        for one in running_:
            one.terminate()
        for one in running_:
            one.wait()


def _own_backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def written(count: int) -> Taken:
    """The attempts on every invoice, as the tick writes them; what they took."""
    company = Company.objects.get()
    with Meter() as taken:
        made = collecting.collect_due(company=company, at=clock.now(company))
    assert len(made) == count, len(made)
    return taken


def sent(database: str, count: int, provider_pid: int) -> tuple[Taken, float]:
    """All attempts sent and booked by two relays; what that took, and of processor time of the stand-in."""
    waiting = Outbox.objects.filter(state=Outbox.State.WAITING)
    Outbox.objects.filter(kind="attempt").update(due_at=clock.machine_now() + timedelta(hours=1))
    with relays(database) as pids, Meter(lambda: pids) as taken:
        before = cpu_of(provider_pid)
        waiting.update(due_at=clock.machine_now())
        while waiting.exists():
            time.sleep(0.1)
        by_provider = cpu_of(provider_pid) - before
    ended = Counter(Attempt.objects.values_list("state", flat=True))
    assert ended == {"settled": count} and Payment.objects.count() == count, ended
    return taken, by_provider


def statements(goals: Goals) -> None:
    """C3: what one collection asks of the database, from the tick to the booked payment."""
    company = Company.objects.get()
    Company.objects.update(clock_at=datetime.combine(month_end(2), stock.AT.timetz()))
    company.refresh_from_db()
    run = running.start(company=company, on=month_end(2), by=BY, at=clock.now(company))
    assert run is not None
    running.work(run)
    Outbox.objects.update(state=Outbox.State.DONE)
    with counted() as writing:
        made = collecting.collect_due(company=company, at=clock.now(company))
    with counted() as sending:
        assert outbox.relay(worker="bench", limit=SAMPLE).done == SAMPLE
    if "--statements" in sys.argv:
        for what, rows, count in (("write", writing, len(made)), ("send", sending, SAMPLE)):
            alike = Counter(re.sub(r'"s\d+_x\d+"', "s", " ".join(one.split()))[:170] for one in rows)
            for statement, times in alike.most_common():
                print(f"#   {what} {times / count:5.2f}  {statement}")
    each = len(writing) / len(made) + len(sending) / SAMPLE
    print(f"# statements: {len(writing) / len(made):.1f} to write an attempt, {len(sending) / SAMPLE:.1f} to send it")
    goals.judge("C3", each, must=42, aim=35, at_most=True, places=1, words="statements for one collection")


def main(*, large: bool = False) -> bool:
    """Prints the goals; whether all were met."""
    goals, count = Goals(), LARGE if large else COUNT
    before = settings.DATABASES["default"]["NAME"]
    try:
        stock.make(count)
        posted, by_provider = floor(count)
        print(f"# {count:,} plain posts: {posted:.1f} s, {posted / count * 1e6:,.0f} us each; "
              f"CPU of the stand-in {by_provider / count * 1e6:,.0f} us each", flush=True)  # fmt: skip
        billed(count)
        with provider() as (address, pid):
            with_cards(address)
            tick = written(count)
            taken, busy = sent(f"{stock.PREFIX}_work", count, pid)
            for what, one in (("attempts written", tick), (f"sent by {RELAYS} relays", taken)):
                print(
                    f"# {count:,} {what}: {one.seconds:.1f} s, {one.seconds / count * 1e3:.2f} s per 1,000, CPU us "
                    f"each: Python {one.python / count * 1e6:,.0f} + PostgreSQL {one.postgres / count * 1e6:,.0f}",
                    flush=True,
                )
            print(f"# CPU of the stand-in meanwhile {busy / count * 1e6:,.0f} us each", flush=True)
            whole = tick.seconds + taken.seconds
            goals.judge("C1", posted / whole, must=0.04, aim=0.10, words=f"plain posts / collected, {count:,}")
            goals.judge(
                "C2", (tick.cpu + taken.cpu) / by_provider, must=60, aim=30, at_most=True, places=0,
                words="CPU of a collection / CPU of the stand-in for the same charge",
            )  # fmt: skip
            statements(goals)
    finally:
        stock.drop(stock.name_of(count))
        stock.drop(f"{stock.PREFIX}_work")
        use(before)
    return goals.met


if __name__ == "__main__":
    if "--post" in sys.argv:
        post_all(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        raise SystemExit(0 if main(large="--large" in sys.argv) else 1)
