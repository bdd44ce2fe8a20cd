"""The outbox: effects written with their cause, carried out at least once, each by one relay at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from core import clock
from core.models import Company, Outbox
from core.services import outbox


def a_company(slug: str = "outbox") -> Company:
    return Company.objects.create(name="T", slug=slug, legal_name="T", country="DE", books_start_on=date(2026, 1, 1))


@pytest.fixture
def company(db: None) -> Company:
    return a_company()


@pytest.fixture
def carried() -> Iterator[list[str]]:
    """The keys carried out by the kind `test`, in order."""
    keys: list[str] = []
    outbox._handlers["test"] = lambda row: keys.append(row.key)
    yield keys
    del outbox._handlers["test"]


@pytest.fixture
def handled_by() -> Iterator[Callable[[outbox.Handler], None]]:
    yield lambda function: outbox._handlers.__setitem__("test", function)
    outbox._handlers.pop("test", None)


def put(company: Company, key: str, **more: Any) -> None:
    outbox.put(company_id=company.pk, kind="test", key=key, payload={}, **more)


def test_an_effect_is_carried_out_and_done(company: Company, carried: list[str]) -> None:
    put(company, "a")
    assert outbox.relay(worker="w") == outbox.Relayed(done=1)
    assert carried == ["a"]
    row = Outbox.objects.get()
    assert (row.state, row.attempts, row.lease_until) == ("done", 1, None)
    assert outbox.relay(worker="w") == outbox.Relayed()


def test_the_same_effect_twice_is_one(company: Company, carried: list[str]) -> None:
    put(company, "a")
    put(company, "a")
    outbox.relay(worker="w")
    assert carried == ["a"]


def test_an_effect_vanishes_with_its_cause(company: Company, carried: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        put(company, "a")
        raise ZeroDivisionError
    assert outbox.relay(worker="w") == outbox.Relayed()


def test_an_effect_without_handler_is_refused(company: Company) -> None:
    with pytest.raises(LookupError):
        put(company, "a")


def test_a_later_effect_waits(company: Company, carried: list[str]) -> None:
    put(company, "a", due_at=clock.machine_now() + timedelta(minutes=1))
    assert outbox.relay(worker="w") == outbox.Relayed()


def test_a_failing_row_stops_nobody_and_waits_its_turn(company: Company, handled_by: Callable) -> None:
    def handle(row: Outbox) -> None:
        if row.key == "bad":
            raise RuntimeError("no luck")

    handled_by(handle)
    for key in ("a", "bad", "c"):
        put(company, key)
    before = clock.machine_now()
    assert outbox.relay(worker="w") == outbox.Relayed(done=2, failed=1)
    row = Outbox.objects.get(key="bad")
    assert (row.state, row.attempts, row.last_error, row.lease_until) == ("waiting", 1, "RuntimeError: no luck", None)
    assert timedelta(seconds=10) <= row.due_at - before < timedelta(seconds=15)


def test_a_row_dies_after_its_last_try_and_can_be_replayed(company: Company, handled_by: Callable) -> None:
    handled_by(lambda row: 1 / 0)
    put(company, "a")
    for tries in range(1, len(outbox.BACK_OFF) + 2):
        Outbox.objects.update(due_at=clock.machine_now())
        assert outbox.is_last_try(Outbox.objects.get()) == (tries == len(outbox.BACK_OFF) + 1)
        outbox.relay(worker="w")
    row = Outbox.objects.get()
    assert (row.state, row.attempts) == ("dead", len(outbox.BACK_OFF) + 1)
    assert outbox.replay(company_id=company.pk, ids=[row.pk]) == 1
    handled_by(lambda row: None)
    assert outbox.relay(worker="w") == outbox.Relayed(done=1)


def test_what_cant_succeed_dies_at_once(company: Company, handled_by: Callable) -> None:
    def handle(row: Outbox) -> None:
        raise outbox.PermanentFailure("never")

    handled_by(handle)
    put(company, "a")
    assert outbox.relay(worker="w") == outbox.Relayed(dead=1)


def test_a_leased_row_is_left_alone_until_the_lease_ends(company: Company, carried: list[str]) -> None:
    put(company, "a")
    assert [row.key for row in outbox.claim(worker="first", limit=5)] == ["a"]
    assert outbox.relay(worker="second") == outbox.Relayed()
    Outbox.objects.update(lease_until=clock.machine_now() - timedelta(seconds=1))
    assert outbox.relay(worker="second") == outbox.Relayed(done=1)


def test_a_relay_that_was_too_slow_leaves_its_batch_to_the_other(company: Company, handled_by: Callable) -> None:
    carried: list[tuple[str, str]] = []

    def slow(row: Outbox) -> None:
        carried.append(("slow", row.key))
        # Meanwhile the lease of the next row runs out and another relay takes it.
        Outbox.objects.filter(key="b").update(lease_until=clock.machine_now() - timedelta(seconds=1))
        outbox._handlers["test"] = lambda row: carried.append(("quick", row.key))
        outbox.relay(worker="quick")

    handled_by(slow)
    put(company, "a")
    put(company, "b")
    assert outbox.relay(worker="slow") == outbox.Relayed(done=1)
    assert carried == [("slow", "a"), ("quick", "b")]


def test_a_relay_told_to_stop_ends_its_row_and_gives_the_rest_back(company: Company, carried: list[str]) -> None:
    for key in "abc":
        put(company, key)
    assert outbox.relay(worker="w", stopping=lambda: len(carried) == 1) == outbox.Relayed(done=1)
    assert carried == ["a"]
    assert outbox.relay(worker="other") == outbox.Relayed(done=2)


def test_the_try_after_the_last_waiting_time_is_the_last(company: Company, handled_by: Callable) -> None:
    handled_by(lambda row: 1 / 0)
    put(company, "a")
    Outbox.objects.update(attempts=len(outbox.BACK_OFF) - 1)
    assert not outbox.is_last_try(Outbox.objects.get())
    before = clock.machine_now()
    assert outbox.relay(worker="w") == outbox.Relayed(failed=1)
    assert timedelta() <= Outbox.objects.get().due_at - before - outbox.BACK_OFF[-1] < timedelta(seconds=5)
    Outbox.objects.update(due_at=clock.machine_now())
    assert outbox.is_last_try(Outbox.objects.get())
    assert outbox.relay(worker="w") == outbox.Relayed(dead=1)


def test_a_kind_that_only_a_newer_version_knows_waits_for_its_relay(company: Company, carried: list[str]) -> None:
    put(company, "a")
    Outbox.objects.create(company=company, kind="of_tomorrow", key="b", payload={}, due_at=clock.machine_now())
    assert outbox.relay(worker="w") == outbox.Relayed(done=1)
    row = Outbox.objects.get(kind="of_tomorrow")
    assert (row.state, row.attempts, row.lease_until) == ("waiting", 0, None)


def test_a_relay_keeps_to_its_kinds(company: Company, carried: list[str]) -> None:
    put(company, "a")
    assert outbox.relay(worker="w", kinds=["mail"]) == outbox.Relayed()
    assert outbox.relay(worker="w", without=["test"]) == outbox.Relayed()
    assert outbox.relay(worker="w", kinds=["test"], without=["mail"]) == outbox.Relayed(done=1)


def test_a_canceled_row_is_not_carried_out_and_can_be_replayed(company: Company, carried: list[str]) -> None:
    put(company, "a")
    put(company, "leased")
    leased = Outbox.objects.get(key="leased")
    Outbox.objects.filter(pk=leased.pk).update(lease_until=clock.machine_now() + timedelta(minutes=1))
    ids = list(Outbox.objects.values_list("pk", flat=True))
    assert outbox.cancel(company_id=company.pk, ids=ids) == 1
    assert outbox.relay(worker="w") == outbox.Relayed()
    assert outbox.replay(company_id=company.pk, ids=ids) == 1
    assert outbox.relay(worker="w") == outbox.Relayed(done=1)


def test_all_dead_rows_of_a_kind_are_replayed_at_once(company: Company, carried: list[str]) -> None:
    for key in "abc":
        put(company, key)
    Outbox.objects.filter(key__in="ab").update(state="dead")
    assert outbox.replay(company_id=company.pk, kind="mail") == 0
    assert outbox.replay(company_id=company.pk, kind="test") == 2
    assert outbox.relay(worker="w") == outbox.Relayed(done=3)


def test_health_says_what_waits_how_long_and_what_is_dead(company: Company, carried: list[str]) -> None:
    for key in "abcd":
        put(company, key)
    Outbox.objects.filter(key="a").update(due_at=clock.machine_now() - timedelta(minutes=2))
    Outbox.objects.filter(key="b").update(due_at=clock.machine_now() + timedelta(hours=2))
    Outbox.objects.filter(key="c").update(state="dead")
    (found,) = outbox.health(company_id=company.pk)
    assert (found.kind, found.waiting, found.dead) == ("test", 3, 1)
    assert 120 <= found.late_seconds < 150
    outbox.hurry(company_id=company.pk, ids=list(Outbox.objects.filter(key="b").values_list("pk", flat=True)))
    assert outbox.relay(worker="w") == outbox.Relayed(done=3)


def test_the_command_works_until_nothing_is_due(company: Company, carried: list[str]) -> None:
    for number in range(7):
        put(company, f"{number}")
    out = StringIO()
    call_command("relay", until_empty=True, worker="w", limit=3, stdout=out)
    assert len(carried) == 7
    assert out.getvalue() == "7 done, 0 to be tried again, 0 dead\n"


def test_once_is_one_batch(company: Company, carried: list[str]) -> None:
    for number in range(7):
        put(company, f"{number}")
    call_command("relay", once=True, worker="w", limit=3, stdout=StringIO())
    assert len(carried) == 3


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[Company]:
    """A company that other connections see; taken away by hand afterwards."""
    with django_db_blocker.unblock():
        company = a_company("outbox-committed")
        yield company
        Outbox.objects.filter(company=company).delete()
        company.delete()
        connection.close()


def test_many_relays_carry_each_row_out_once(committed: Company, carried: list[str]) -> None:
    for number in range(60):
        put(committed, f"{number:02}")
    outcomes: list[outbox.Relayed] = []

    def work(name: str) -> None:
        try:
            while True:
                outcome = outbox.relay(worker=name, limit=4, company_id=committed.pk)
                outcomes.append(outcome)
                if not outcome.total and not Outbox.objects.filter(company=committed, state="waiting").exists():
                    return
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(carried) == [f"{number:02}" for number in range(60)]
    assert sum(outcome.done for outcome in outcomes) == 60


def test_sigterm_ends_the_relay_cleanly(committed: Company) -> None:
    # Its own process, on the tests' database.
    environment = {**os.environ, "DATABASE_URL": _url_of_test_database()}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "relay", "--pause", "0.2"], env=environment, stderr=subprocess.PIPE, text=True
    )
    outbox.put(company_id=committed.pk, kind="mail", key="stop-test", payload={"message": 0})
    try:
        deadline = time.monotonic() + 60
        while Outbox.objects.get(key="stop-test").attempts == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
        # The row names a message that doesn't exist: noted as failed, and the relay lives on.
        assert Outbox.objects.get(key="stop-test").attempts == 1
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()


def _url_of_test_database() -> str:
    url = os.environ["DATABASE_URL"]
    head, _slash, _name = url.rpartition("/")
    return f"{head}/{connection.settings_dict['NAME']}"
