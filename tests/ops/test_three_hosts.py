"""Three hosts with worker and relay bill for one company; the cable of one is pulled while it numbers invoices.

The cut is real: namespaces, a bridge, and packets that vanish. The host holds the number counter and two leases then.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ops import places, postgres, processes, valkey
from ops.places import ROOT
from tests.ops.wires import SERVER, Wires, inside, why_not

REASON = why_not()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(REASON), reason=REASON or "-")]

CUSTOMERS, MORE, CHUNK = 120, 12, 10
#: Seconds without a sign of life, the least there is; 30 unless set.
SILENCE = 6

SUBSCRIBE = """
import sys
import django; django.setup()
from core import clock
from core.models import Company
from tests.factories import a_company, a_customer, a_plan, a_subscription
company = Company.objects.filter(slug="hosts").first() or a_company(slug="hosts", is_live=True, clock_at=None)
today = clock.today(company)
plan = a_plan(company)
for number in range(int(sys.argv[1])):
    a_subscription(company, a_customer(company, email=f"{sys.argv[2]}{number}@example.com"), plan, on=today)
"""
BILL = """
import sys
import django; django.setup()
from billing.services import running
from billing.tasks import wake
from core import clock
from core.actors import Actor
from core.models import Company
company = Company.objects.get(slug="hosts")
run = running.start(
    company=company, on=clock.today(company), by=Actor.system("test"), at=clock.now(company),
    cut=running.Cut(subscriptions=int(sys.argv[1])),
)
wake([run])
"""
WAKE = """
import django; django.setup()
from core.tasks import run_tick
run_tick.delay("billing.wake")
"""
EXAMINE = """
import json
import django; django.setup()
from billing.services import examinations
from billing.services.chain import verify_chain
from core.models import Company
print(json.dumps([str(found) for found in verify_chain(Company.objects.get(slug="hosts"))]))
"""


class Town:
    """One PostgreSQL and one Valkey behind the switch, and the product's processes on the hosts."""

    def __init__(self, folder: Path, wires: Wires) -> None:
        self.folder, self.wires = folder, wires
        self.mails = places.private_folder(folder / "mails")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.cluster = postgres.cluster(places.state_folder(), "hosts")

    def start(self) -> None:
        with inside(self.wires.hub):
            postgres.start(self.cluster, dies_with_us=True)
            with (self.cluster.data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 10.77.0.0/24 trust\n")
            postgres.run_sql(self.cluster, "SELECT pg_reload_conf()")
            store = [str(valkey.find_program()), "--bind", SERVER, "--protected-mode", "no", "--save", ""]
            self._begin("valkey", [*store, "--dir", str(self.folder)], {})
            catcher = ["standins/mailcatcher.py", "--folder", str(self.mails), "--host", SERVER]
            self._begin("mails", [sys.executable, *catcher], {})

    def on_host(self, number: int, kind: str, *words: str, waits_at: str = "") -> Path:
        """Starts a process of the product there; the file that it makes when it waits at that point."""
        file = self.folder / f"{kind}-{number}-waits"
        command = ["unshare", "--uts", "sh", "-c", f'hostname host{number} && exec "$@"', "sh", sys.executable]
        point = {"TURNUS_FAULT_POINT": f"{waits_at}!wait:{file}"} if waits_at else {}
        with inside(self.wires.hosts[number]):
            self._begin(f"{kind}-{number}", [*command, "manage.py", kind, *words], point)
        return file

    def _begin(self, name: str, command: list[str], more: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = processes.spawn(
                command, log=log, cwd=ROOT, env=self.environment | more, dies_with_us=signal.SIGKILL
            )

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": f"postgresql://{postgres.USER}@{SERVER}:{postgres.PORT}/{postgres.USER}",
            "REDIS_URL": f"redis://{SERVER}:6379/0",
            "TURNUS_SILENCE_SECONDS": str(SILENCE),
            "TURNUS_SMTP_HOST": SERVER,
            "TURNUS_SMTP_PORT": "1025",
            "PYTHONPATH": str(ROOT),
        }

    def do(self, *words: str) -> str:
        """Runs Python with these words beside the servers; what it said."""
        with inside(self.wires.hub):
            done = subprocess.run(
                [sys.executable, *words], cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300
            )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def ask(self, statement: str, *given: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            return connection.execute(statement, given or None).fetchall()

    def tell(self, statement: str) -> None:
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            connection.execute(statement)

    def stands(self) -> list[str]:
        """What was said last on each host, and what the database and the chunks wait for."""
        asked = (
            "SELECT client_addr, state, wait_event_type, wait_event, now() - xact_start, left(query, 120) "
            "FROM pg_stat_activity WHERE backend_type = 'client backend'",
            "SELECT id, state, tries, queued_at, invoice_count FROM billing_billingchunk ORDER BY id",
        )
        said = [f"{path.name}: {path.read_text()[-1500:]}" for path in sorted(self.folder.glob("*.log"))]
        return [*said, *(str(row) for question in asked for row in self.ask(question))]

    def sent(self) -> Counter[str]:
        """How many mails each address got."""
        heads = [path.read_bytes().split(b"\r\n\r\n", 1)[0].decode() for path in self.mails.glob("*.eml")]
        return Counter(address for head in heads for address in re.findall(r"^X-Envelope-To: (\S+)", head, re.M))

    def end(self, *names: str) -> None:
        for name in names:
            self.running[name].terminate()
        for name in names:
            self.running.pop(name).wait(60)

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        postgres.stop(self.cluster)


@pytest.fixture
def town(playground: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setitem(postgres._COMMON, "listen_addresses", SERVER)
    wires = Wires(hosts=3)
    made = None
    try:
        wires.lay()
        made = Town(playground, wires)
        made.start()
        yield made
    finally:
        if made is not None:
            made.stop()
        wires.take_up()


def until(true: Callable[[], bool], seconds: float, what: str, town: Town) -> float:
    """Waits; how long it took."""
    begun = time.monotonic()
    assert processes.wait_until(true, seconds, 0.1), "\n".join([what, *town.stands()])
    return time.monotonic() - begun


def billed(town: Town) -> int:
    return int(town.ask("SELECT count(*) FROM billing_invoice")[0][0])


def run_is(state: str, town: Town) -> bool:
    return town.ask("SELECT state FROM billing_billingrun ORDER BY id DESC LIMIT 1") == [(state,)]


def minutes_pass(town: Town) -> None:
    """Three minutes after a chunk was queued and two after a row was leased: what is left is anybody's again."""
    town.tell("UPDATE billing_billingchunk SET queued_at = queued_at - interval '3 minutes' WHERE state = 'open'")
    town.tell("UPDATE core_outbox SET lease_until = lease_until - interval '2 minutes' WHERE state = 'waiting'")


def bills_each_once(town: Town, count: int) -> None:
    assert town.ask("SELECT count(*), count(DISTINCT customer_id), min(sequence), max(sequence) FROM billing_invoice") \
        == [(count, count, 1, count)]  # fmt: skip
    assert town.ask("SELECT count(*), count(DISTINCT slot_id) FROM billing_billeddays") == [(count, count)]
    assert json.loads(town.do("-c", EXAMINE)) == []


def mails_each_once(town: Town, count: int) -> None:
    until(lambda: not town.ask("SELECT 1 FROM core_outbox WHERE state <> 'done'"), 90, "mails are left", town)
    assert town.ask("SELECT count(*), count(DISTINCT id) FROM customers_message WHERE state = 'sent'") == [
        (count, count)
    ]
    assert sorted(town.sent().values()) == [1] * count


def test_a_host_cut_off_in_mid_run_holds_up_nobody_and_does_no_harm_when_it_is_back(town: Town) -> None:
    town.do("manage.py", "migrate", "--verbosity", "0")
    town.do("-c", SUBSCRIBE, str(CUSTOMERS), "early")
    relaying = town.on_host(3, "relay", waits_at="outbox.claimed@1")
    numbering = town.on_host(3, "worker", "--concurrency", "1", waits_at="billing.numbered@2")
    town.do("-c", BILL, str(CHUNK))
    assert town.ask("SELECT count(*) >= %s FROM billing_billingchunk", CUSTOMERS // CHUNK) == [(True,)]
    until(lambda: numbering.exists() and relaying.exists(), 60, "the third host never got to work", town)

    # The third host holds the counter of invoice numbers, a chunk, and rows of the outbox. Nobody else can number.
    for number in (1, 2):
        town.on_host(number, "worker", "--concurrency", "1")
    waiting = "SELECT count(*) = 2 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    until(lambda: town.ask(waiting) == [(True,)], 60, "the others have nothing to number", town)
    assert 0 < billed(town) < CUSTOMERS
    town.wires.cut(3)
    for file in (numbering, relaying):
        file.unlink()  # it goes on, into a wire that ends nowhere
    for number in (1, 2):
        town.on_host(number, "relay")
    before = billed(town)
    stood = until(lambda: billed(town) > before, 60, "nobody could number any more", town)
    assert stood < 3 * SILENCE, f"the counter was held for {stood:.0f} s"
    until(
        lambda: not town.ask("SELECT 1 FROM pg_stat_activity WHERE client_addr = '10.77.0.13'"), 60, "a session", town
    )
    minutes_pass(town)
    town.do("-c", WAKE)
    until(lambda: run_is("done", town), 60, "the run never ended", town)
    bills_each_once(town, CUSTOMERS)
    mails_each_once(town, CUSTOMERS)
    by_others = {row[0].partition(":")[0] for row in town.ask("SELECT DISTINCT lease_by FROM core_outbox")}
    assert by_others == {"host1", "host2"}

    # Back on the wire and alone, the host goes on by itself: nothing is billed or mailed again, new work is done.
    town.end("worker-1", "worker-2", "relay-1", "relay-2")
    town.wires.join(3)
    town.do("-c", SUBSCRIBE, str(MORE), "late")
    town.do("-c", BILL, str(CHUNK))
    until(lambda: run_is("done", town), 90, "the host that was cut off works no more", town)
    bills_each_once(town, CUSTOMERS + MORE)
    mails_each_once(town, CUSTOMERS + MORE)
    assert town.running["worker-3"].poll() is None and town.running["relay-3"].poll() is None
