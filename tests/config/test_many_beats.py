"""Any number of beats and workers come to what one of each comes to: nothing is lost, nothing is doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis

from ops.places import ROOT
from tests.factories import BY, a_company, a_customer, a_plan

#: A database of the broker that no other test uses.
BROKER = 11
MANY = 3
ASK_ALL = """
import sys
import django
django.setup()
from core import tasks
from core.services import ticks
print("ready", flush=True)
sys.stdin.readline()
for tick in ticks.all_ticks():
    tasks.run_tick(tick.name)
"""


def environment(**changes: str) -> dict[str, str]:
    """That of a process of this installation, on the database of the tests."""
    from django.db import connection

    parts = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(parts._replace(path="/" + str(connection.settings_dict["NAME"])))
    return os.environ | {"DATABASE_URL": database, "TURNUS_MAY_FORGET": "1", "TURNUS_VIES_URL": ""} | changes


@pytest.fixture
def broker() -> Iterator[tuple[str, redis.Redis]]:
    parts = urlsplit(os.environ["REDIS_URL"])
    if parts.scheme == "unix":
        url = f"unix://{parts.path}?db={BROKER}"
    else:
        url = urlunsplit(parts._replace(path=f"/{BROKER}"))
    client = redis.Redis.from_url(url)
    client.flushdb()
    yield url, client
    client.flushdb()
    client.close()


def started(*arguments: str, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=Path(ROOT), env=environment(**changes), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_three_beats_ask_everything_three_times_and_no_more(
    broker: tuple[str, redis.Redis], embedded_servers: None
) -> None:
    from core.services import ticks

    url, client = broker
    beats = [started("-m", "config.beat", REDIS_URL=url) for _ in range(MANY)]
    names = [tick.name for tick in ticks.all_ticks()]
    try:
        until = time.monotonic() + 120
        while client.llen("turnus") < MANY * len(names) and time.monotonic() < until:
            time.sleep(0.5)
        queued = [json.loads(message) for message in client.lrange("turnus", 0, -1)]
    finally:
        for beat in beats:
            beat.kill()
            beat.wait()
    asked = Counter(message["headers"]["argsrepr"] for message in queued)
    assert asked == {f"['{name}']": MANY for name in names}
    assert {message["headers"]["task"] for message in queued} == {"core.tasks.run_tick"}
    assert all(message["headers"]["expires"] for message in queued)


def at_work() -> Any:
    """A live company with subscriptions due, one of them canceled, and somebody who hears of it."""
    from billing.services import acts, granting
    from core import clock
    from core.models import Membership, Role, User

    company = a_company(is_live=True, clock_at=None)
    now = clock.machine_now()
    today = clock.day_in(now, company.time_zone)
    begun = today - timedelta(days=40)
    at = now - timedelta(days=40)
    plan = a_plan(company, amount="30.00")
    made = [
        acts.start(
            company=company, customer=a_customer(company), plan=plan, start_on=begun, on=begun, by=BY, at=at
        ).subscription
        for _ in range(6)
    ]
    acts.cancel(subscription=made[0], timing="period_end", on=today, by=BY, at=now)
    granting.grant(
        customer=a_customer(company), amount_minor=700, currency="EUR", reason="x",
        expires_on=today - timedelta(days=2), by=BY, at=at,
    )  # fmt: skip
    user = User.objects.create_user(f"{company.slug}@example.com", name="Ada")
    Membership.objects.create(company=company, user=user, role=Role.objects.get(company=company, name="Accounting"))
    return company


def ask_all_at_once(processes: int) -> None:
    running = [started("-c", ASK_ALL, DJANGO_SETTINGS_MODULE="config.settings") for _ in range(processes)]
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert [one.wait(timeout=240) for one in running] == [0] * processes


def state(company: Any) -> dict[str, Any]:
    """What came of it, without ids, names and instants."""
    from core.models import Event, Outbox, TickRun
    from crm.models import Alert, Task
    from customers.models import Message
    from tests.billing.test_catching_up import state as of_billing

    def count(rows: Any, *names: str) -> Counter[Any]:
        return Counter(rows.filter(company=company).values_list(*names))

    return of_billing(company) | {
        "events": count(Event.objects, "type"),
        "effects": count(Outbox.objects, "kind", "state"),
        "mails": count(Message.objects, "template"),
        "alerts": count(Alert.objects, "kind", "state", "occurrence"),
        "tasks": count(Task.objects, "state", "due_on"),
        "failing": list(TickRun.objects.filter(company=company, failures__gt=0).values_list("name", "outcome")),
    }


def noon() -> float:
    """Seconds from now to the last noon: between it and midnight both companies have time for the same day."""
    from core import clock

    now = clock.machine_now().astimezone(clock.zone("Europe/Berlin"))
    last = now.replace(hour=12, minute=0, second=0)
    return ((last if last <= now else last - timedelta(days=1)) - now).total_seconds()


@pytest.mark.django_db(transaction=True)
def test_three_workers_at_once_come_to_what_one_comes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.models import Company

    monkeypatch.setenv("TURNUS_CLOCK_OFFSET", str(noon()))
    crowded = at_work()
    ask_all_at_once(MANY)
    Company.objects.filter(pk=crowded.pk).update(is_live=False)
    alone = at_work()
    ask_all_at_once(1)
    assert state(crowded) == state(alone)
    assert state(alone)["failing"] == []
    assert len(state(alone)["lines"]) == 6 * 2
    assert state(alone)["alerts"][("cancellation", "open", 1)] == 1
