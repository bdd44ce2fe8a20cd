"""What was worked off is dropped when it is old: in portions, past what stays, beside relays, through a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from core.models import Company, Job, MailEvent, Outbox, TickNote, TickRun
from core.services import outbox, sweeping, vitals
from core.services.sweeping import sweep

DAY = timedelta(days=1)


def a_company(slug: str = "sweeping", **changes: Any) -> Company:
    values = {"name": slug, "slug": slug, "legal_name": slug, "country": "DE", "books_start_on": date(2026, 1, 1)}
    return Company.objects.create(**values | changes)


@pytest.fixture
def company(db: None, settings: Any) -> Company:
    settings.WORK_LOG_DAYS = 90
    return a_company()


@pytest.fixture
def carried() -> Iterator[list[str]]:
    """The keys carried out by the kind `test`, in order."""
    keys: list[str] = []
    outbox._handlers["test"] = lambda row: keys.append(row.key)
    yield keys
    del outbox._handlers["test"]


def effect(company: Company, key: str, *, state: str = "done", ago: timedelta = 91 * DAY) -> Outbox:
    """An effect that ended so long ago."""
    ended = clock.machine_now() - ago
    return Outbox.objects.create(
        company=company, kind="test", key=key, state=state, due_at=ended, done_at=ended if state == "done" else None
    )


def keys() -> list[str]:
    return list(Outbox.objects.order_by("pk").values_list("key", flat=True))


def test_effects_that_were_carried_out_long_ago_go_and_all_others_stay(company: Company) -> None:
    effect(company, "old")
    effect(company, "young", ago=89 * DAY)
    for state in ("waiting", "dead", "canceled"):
        effect(company, state, state=state)
    assert sweep(company, clock.machine_now()) == {"effects": 1}
    assert keys() == ["young", "waiting", "dead", "canceled"]
    assert sweep(company, clock.machine_now()) == {}


def test_how_old_an_effect_is_counts_from_its_end(company: Company, carried: list[str]) -> None:
    effect(company, "late", state="dead", ago=400 * DAY)
    assert outbox.replay(company_id=company.pk) == 1
    assert outbox.relay(worker="w") == outbox.Relayed(done=1)
    Outbox.objects.update(created_at=clock.machine_now() - 400 * DAY)
    assert sweep(company, clock.machine_now()) == {}
    assert keys() == ["late"]


def test_another_companys_effects_are_its_own(company: Company) -> None:
    effect(company, "old")
    assert sweep(a_company("other"), clock.machine_now()) == {}
    assert keys() == ["old"]


@pytest.mark.parametrize(("days", "left"), [(0, 2), (1, 1), (31, 1), (90, 2)])
def test_the_setting_keeps_for_ever_or_for_a_month_at_least(
    company: Company, settings: Any, days: int, left: int
) -> None:
    settings.WORK_LOG_DAYS = days
    effect(company, "a month", ago=30.5 * DAY)
    effect(company, "more", ago=32 * DAY)
    sweep(company, clock.machine_now())
    assert len(keys()) == left


def test_it_goes_in_portions_each_in_two_statements_of_its_own(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PORTION", 3)
    effect(company, "dead", state="dead")
    for number in range(7):
        effect(company, f"{number}")
    with CaptureQueriesContext(connection) as asked:
        assert sweep(company, clock.machine_now(), ["effects"]) == {"effects": 7}
    said = [query["sql"] for query in asked.captured_queries if "SAVEPOINT" not in query["sql"]]
    # Three, three, one, and a last look.
    assert [sql.split()[0] for sql in said] == ["SELECT", "DELETE"] * 3 + ["SELECT"]
    assert keys() == ["dead"]


def test_one_turn_has_an_end_and_the_next_goes_on(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "PORTION", 2)
    monkeypatch.setattr(sweeping, "MOST_PORTIONS", 2)
    for number in range(7):
        effect(company, f"{number}", ago=(100 - number) * DAY)
    assert sweep(company, clock.machine_now()) == {"effects": 4}
    assert keys() == ["4", "5", "6"]
    assert sweep(company, clock.machine_now()) == {"effects": 3}


def test_a_log_that_fails_stops_no_other_and_the_tick_says_so(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    effect(company, "old")

    def broken(company: Company, before: datetime, limit: int) -> int:
        raise ZeroDivisionError("no luck")

    monkeypatch.setitem(sweeping._logs, "a first one", sweeping.Log("a first one", timedelta, broken))
    with pytest.raises(ZeroDivisionError, match="no luck"):
        sweeping.upkeep(company, clock.now(company))
    assert keys() == []


def test_the_tick_says_how_many_rows_went(company: Company) -> None:
    effect(company, "a")
    effect(company, "b")
    assert sweeping.upkeep(company, clock.now(company)) == {"forgotten": 2}


def test_a_key_that_is_put_again_after_its_row_was_dropped_is_carried_out_again(
    company: Company, carried: list[str]
) -> None:
    """Why every kind needs a reason: the row is all that is known of a key."""

    def put() -> None:
        outbox.put(company_id=company.pk, kind="test", key="again", payload={})

    put()
    outbox.relay(worker="w")
    put()
    assert outbox.relay(worker="w") == outbox.Relayed()
    Outbox.objects.update(done_at=clock.machine_now() - 91 * DAY)
    assert sweep(company, clock.machine_now()) == {"effects": 1}
    put()
    assert outbox.relay(worker="w") == outbox.Relayed(done=1)
    assert carried == ["again", "again"]


#: Why the key of each kind never comes again once its row is done, or may; the words stand where it is put.
WHY = {
    "mail": "the id of a message just made",
    "document_mail": "a document is issued once",
    "mail_event": "a row without a company that waits, which it is once",
    "vat_check": "the instant is part of it",
    "attempt": "once for each attempt; again, it does what the attempt's own state asks for",
    "forget_method": "the instant is part of it",
    "gateway_event": "a message that waits; again, it takes effect once",
    "forget_in_tie": "a customer is erased once",
    "file.to_bucket": "a file is stored once; again, it does nothing where the bytes lie in the bucket",
    "file.erase": "the key is never used again",
}


def test_every_kind_of_effect_has_a_reason_why_its_rows_may_go() -> None:
    assert set(outbox.kinds()) == set(WHY)


def test_news_of_mail_providers_goes_when_it_is_applied_or_about_no_mail_of_ours(company: Company) -> None:
    def told(key: str, state: str, *, of: Company | None, ago: timedelta = 91 * DAY, provider: str = "acme") -> None:
        at = clock.machine_now() - ago
        MailEvent.objects.create(
            provider=provider, key=key, type="delivered", state=state, company=of, happened_at=at, received_at=at
        )

    told("applied", "done", of=company)
    told("of no concern", "ignored", of=None)
    told("nobody's", "waiting", of=None)
    told("another's", "done", of=a_company("other"))
    told("planned", "waiting", of=company)
    told("young", "done", of=company, ago=89 * DAY)
    told("from a maildir", "done", of=company, provider="dsn")
    assert sweep(company, clock.machine_now()) == {"mail_events": 4}
    assert list(MailEvent.objects.order_by("pk").values_list("key", flat=True)) == [
        "planned", "young", "from a maildir",
    ]  # fmt: skip


def test_jobs_go_when_they_ended_long_ago_and_wrote_no_file(company: Company) -> None:
    ended = clock.machine_now() - 91 * DAY
    for state in ("waiting", "running", "done", "failed", "canceled"):
        Job.objects.create(company=company, kind="run_tick", state=state, ended_at=ended, params={"of": state})
    Job.objects.create(company=company, kind="run_tick", state="done", ended_at=ended + 2 * DAY)
    Job.objects.create(company=company, kind="run_tick", state="done", ended_at=ended, result={"file": 1})
    assert sweep(company, clock.machine_now()) == {"jobs": 3}
    assert [(job.state, job.result) for job in Job.objects.order_by("pk")] == [
        ("waiting", {}), ("running", {}), ("done", {}), ("done", {"file": 1}),
    ]  # fmt: skip


def test_sign_ins_that_ran_out_go_at_once(company: Company) -> None:
    now = clock.machine_now()
    for key, ends in (("over", now - timedelta(seconds=1)), ("runs", now + DAY)):
        Session.objects.create(session_key=key, session_data="", expire_date=ends)
    assert sweep(company, now) == {"sign_ins": 1}
    assert Session.objects.get().session_key == "runs"


@pytest.mark.parametrize(
    ("log", "index", "many"),
    [
        ("effects", "outbox_done",
         "INSERT INTO core_outbox (company_id, kind, key, payload, state, attempts, due_at, lease_by, last_error,"
         " created_at, done_at) SELECT %s, 'test', n::text, '{}', 'done', 1, now(), '', '', now(), now()"),
        ("mail_events", "mail_event_by_age",
         "INSERT INTO core_mailevent (company_id, provider, key, type, is_hard, address, message_id, message_ref,"
         " words, body, state, happened_at, received_at)"
         " SELECT %s, 'acme', n::text, 'delivered', false, '', '', '', '', '{}', 'done', now(), now()"),
    ],
)  # fmt: skip
def test_what_is_old_is_found_by_its_age_among_much_that_is_young(
    company: Company, log: str, index: str, many: str
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"{many} FROM generate_series(1, 5000) n", [company.pk])
        cursor.execute("ANALYZE core_outbox, core_mailevent")
        with CaptureQueriesContext(connection) as asked:
            assert sweep(company, clock.machine_now(), [log]) == {}
        (sql,) = [query["sql"] for query in asked.captured_queries if "SAVEPOINT" not in query["sql"]]
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert f"Index Scan using {index}" in plan, plan


def test_a_tick_of_an_older_version_is_no_vital_sign(company: Company) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for name in ("core.upkeep", "core.webhook_log"):
        TickRun.objects.create(company=company, name=name, ran_at=at, ended_at=at, milliseconds=1)
    seen = {dict(vital.labels)["tick"] for vital in vitals.read(clock.machine_now()) if "tick" in vital.name}
    assert seen == {"core.upkeep"}


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any, settings: Any) -> Iterator[Company]:
    """A company that other connections see; taken away by hand afterwards."""
    settings.WORK_LOG_DAYS = 90
    with django_db_blocker.unblock():
        company = a_company("sweeping-committed")
        yield company
        Outbox.objects.filter(company=company).delete()
        TickRun.objects.filter(company=company).delete()
        TickNote.objects.filter(company=company).delete()
        company.delete()
        connection.close()


def test_a_relay_and_two_sweeps_at_once_lose_and_double_nothing(
    committed: Company, carried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "PORTION", 5)
    for number in range(60):
        effect(committed, f"old-{number:02}")
        outbox.put(company_id=committed.pk, kind="test", key=f"new-{number:02}", payload={})
    gone: list[int] = []

    def relay() -> None:
        while outbox.relay(worker="w", limit=4, company_id=committed.pk).total:
            pass

    def tidy() -> None:
        # What is put again while its old row is dropped is one row in the end: refused before, new after.
        gone.append(sweep(committed, clock.machine_now(), ["effects"]).get("effects", 0))

    def again() -> None:
        for number in range(60):
            outbox.put(company_id=committed.pk, kind="test", key=f"old-{number:02}", payload={})

    def work(function: Any) -> None:
        try:
            function()
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(one,)) for one in (relay, tidy, tidy, again)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    relay()
    assert sum(gone) == 60
    new = [key for key in carried if key.startswith("new")]
    assert sorted(new) == [f"new-{number:02}" for number in range(60)]
    put_again = [key for key in carried if key.startswith("old")]
    assert len(put_again) == len(set(put_again))
    left = set(Outbox.objects.filter(company=committed).values_list("key", "state"))
    assert left == {(key, "done") for key in [*new, *put_again]}


def test_a_crash_between_two_portions_leaves_whole_ones_and_the_next_turn_goes_on(committed: Company) -> None:
    ended = clock.machine_now() - 91 * DAY
    Outbox.objects.bulk_create(
        Outbox(company=committed, kind="test", key=f"{number}", state="done", due_at=ended, done_at=ended)
        for number in range(2_500)
    )
    assert _upkeep_in_a_process("sweep.dropped@1!kill") == -signal.SIGKILL
    assert Outbox.objects.filter(company=committed).count() == 1_500
    assert _upkeep_in_a_process("") == 0
    assert Outbox.objects.filter(company=committed).count() == 0
    assert TickRun.objects.get(company=committed).outcome == {"forgotten": 1_500}


def _upkeep_in_a_process(fault: str) -> int:
    """Asks the tick in a process of its own, on the tests' database; how it ended."""
    head, _slash, _name = os.environ["DATABASE_URL"].rpartition("/")
    url = f"{head}/{connection.settings_dict['NAME']}"
    environment = {**os.environ, "DATABASE_URL": url, "TURNUS_FAULT_POINT": fault, "TURNUS_WORK_LOG_DAYS": "90"}
    command = [sys.executable, "manage.py", "tick", "core.upkeep", "--company", "sweeping-committed"]
    return subprocess.run(command, env=environment, capture_output=True, timeout=120).returncode
