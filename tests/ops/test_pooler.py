"""Behind PgBouncer in transaction mode: many processes on two connections bill once, take usage once, list all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from ops import places, processes
from ops.environment import find_pooler
from ops.places import ROOT
from tests.factories import TODAY, a_company, a_customer, a_plan, a_subscription
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(find_pooler() is None, reason="PgBouncer is not installed"),
]
CUSTOMERS = 40

_STORY = f"""
import json, sys
import django; django.setup()
from django.db import connection
from core.models import Company
from customers.models import Customer
from subscriptions.services import usage
company = Company.objects.get(slug="pooled")
usage.ingest(company=company, events=json.loads(sys.argv[1]), at=company.clock_at)
assert sum(1 for _ in Customer.objects.order_by("pk").iterator(chunk_size=7)) == {CUSTOMERS + 1}
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_backend_pid()")
    print(cursor.fetchone()[0])
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the pooler's account can enter; pytest's own are closed to it."""
    found = Path(tempfile.mkdtemp(prefix="turnus-pooler-"))
    yield found
    shutil.rmtree(found)


@pytest.fixture
def pooled(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of processes that reach this test's database through PgBouncer, two connections for all."""
    found, port = connection.settings_dict, processes.free_port()
    (folder / "users.txt").write_text(f'"{found["USER"]}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"""[databases]
{found["NAME"]} = host={found["HOST"]} port={found["PORT"]} user={found["USER"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
logfile = {folder}/pgbouncer.log
"""
    )
    account = places.postgres_account()  # it refuses to run as root, too
    for path in (folder, *folder.iterdir()) if account else ():
        os.chown(path, account.uid, account.gid)
    command = [find_pooler() or "", "pgbouncer.ini"]
    log = folder / "pgbouncer.log"
    log.touch()
    if account:
        os.chown(log, account.uid, account.gid)
    own: dict[str, Any] = {"user": account.uid, "group": account.gid} if account else {}
    pooler = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL, **own)
    try:
        listening = processes.wait_until(lambda: log.read_text().count("listening on"), 60)
        assert listening, log.read_text()
        url = f"postgresql://{found['USER']}@127.0.0.1:{port}/{found['NAME']}"
        yield {**os.environ, "DATABASE_URL": url, "TURNUS_POOLED": "1"}
    finally:
        pooler.terminate()
        pooler.wait()


def begin(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_many_processes_on_two_connections_bill_once(pooled: dict[str, str]) -> None:
    from billing.models import Invoice
    from billing.services.chain import verify_chain
    from subscriptions.models import UsageEvent

    company = a_company(slug="pooled")
    plan = a_plan(company)
    for _ in range(CUSTOMERS):
        a_subscription(company, a_customer(company), plan, on=TODAY)
    meter = a_meter(company)
    user = a_user(company, a_usage_item(meter))
    events = [sent(meter, user, f"{TODAY}T10:00:{n:02}Z", "1", event_id=f"e{n}") for n in range(50)]
    bill = ["manage.py", "run_billing", "--company", "pooled", "--on", TODAY.isoformat(), "--chunk", "5"]
    environment = {**pooled, "DJANGO_SETTINGS_MODULE": "config.settings"}
    begun = [begin(environment, *bill) for _ in range(3)] + [
        begin(environment, "-c", _STORY, json.dumps(events)) for _ in range(3)
    ]
    ended = [(one, *one.communicate(timeout=300)) for one in begun]
    assert [(one.returncode, errors[-500:]) for one, _said, errors in ended if one.returncode] == []
    servers = {said.strip() for _one, said, _errors in ended[3:]}
    assert len(servers) <= 2, "the pool gave more than its two connections"
    numbers = sorted(Invoice.objects.filter(company=company).values_list("sequence", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    by_customer = Invoice.objects.filter(company=company).values_list("customer", flat=True)
    assert len(numbers) == len(set(by_customer)) >= CUSTOMERS
    assert UsageEvent.objects.filter(company=company).count() == len(events)
    assert verify_chain(company) == []
