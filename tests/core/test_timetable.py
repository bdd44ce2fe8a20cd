"""The timetable: one company's trouble is its own, what was done is remembered for a while, and it says who is late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from core import clock, tasks
from core.actors import Actor
from core.models import AuditEntry, Company, Job, TickNote, TickRun
from core.refusal import Refused
from core.services import jobs, sweeping, ticks, timetable

BY = Actor.system("test")
AT = datetime(2026, 1, 30, 12, tzinfo=UTC)


def a_live(slug: str) -> Company:
    return Company.objects.create(name=slug, slug=slug, legal_name=slug, country="DE", books_start_on=date(2026, 1, 1))


@pytest.fixture
def alone(db: None) -> Iterator[list[str]]:
    """One tick in the registry, which notes whom it was asked for, and fails for the company named `bad`."""
    kept, heard = dict(ticks._ticks), []
    ticks._ticks.clear()

    @ticks.tick("some.work", order=1, every=timedelta(minutes=15), title="Some work", text="Does some work.")
    def work(company: Company, at: datetime) -> dict[str, int]:
        heard.append(company.slug)
        if company.slug == "bad":
            raise ZeroDivisionError("too bad")
        if company.slug == "slow":
            raise SoftTimeLimitExceeded
        return {"done": 1 if company.slug == "busy" else 0}

    yield heard
    ticks._ticks.clear()
    ticks._ticks.update(kept)


def test_a_failing_company_stops_no_other(alone: list[str]) -> None:
    for slug in ("first", "bad", "last"):
        a_live(slug)
    tasks.run_tick("some.work")
    assert alone == ["first", "bad", "last"]
    failed = TickRun.objects.get(company__slug="bad")
    assert (failed.outcome, failed.failures) == ({"error": "ZeroDivisionError: too bad"}, 1)
    assert TickRun.objects.get(company__slug="last").failures == 0


def test_failures_are_counted_until_it_ends_well(alone: list[str]) -> None:
    company = a_live("bad")
    for _ in range(3):
        tasks.run_tick("some.work")
    assert TickRun.objects.get(company=company).failures == 3
    Company.objects.filter(pk=company.pk).update(slug="good")
    tasks.run_tick("some.work")
    assert TickRun.objects.get(company=company).failures == 0
    assert TickNote.objects.filter(company=company, has_failed=True).count() == 3


def test_many_companies_get_a_message_each(alone: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tasks.run_tick_for, "apply_async", lambda args, **options: sent.append((args, options)))
    ids = [a_live(f"c{number}").pk for number in range(tasks.FEW + 1)]
    tasks.run_tick("some.work")
    assert alone == []
    assert [args for args, _ in sent] == [("some.work", pk) for pk in ids]
    assert {options["expires"] for _, options in sent} == {900}


def test_without_a_broker_many_companies_are_asked_one_after_another(
    alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(*args: Any, **options: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(tasks.run_tick_for, "apply_async", nowhere)
    for number in range(tasks.FEW + 1):
        a_live(f"c{number}")
    tasks.run_tick("some.work")
    assert len(alone) == tasks.FEW + 1


def test_after_a_slow_company_the_others_go_to_other_workers(alone: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tasks.run_tick_for, "apply_async", lambda args, **options: sent.append(args[1]))
    _first, _slow, last = (a_live(slug).pk for slug in ("first", "slow", "last"))
    tasks.run_tick("some.work")
    assert alone == ["first", "slow"]
    assert sent == [last]
    assert TickRun.objects.get(company__slug="slow").failures == 1


def test_when_the_time_together_is_over_the_rest_is_handed_on(
    alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tasks.run_tick_for, "apply_async", lambda args, **options: sent.append(args[1]))
    monkeypatch.setattr(tasks, "TOGETHER", -1)
    ids = [a_live(slug).pk for slug in ("first", "last")]
    tasks.run_tick("some.work")
    assert (alone, sent) == ([], ids)


def test_a_test_company_is_never_asked_by_the_timetable(alone: list[str]) -> None:
    company = a_live("test")
    Company.objects.filter(pk=company.pk).update(is_live=False, clock_at=AT)
    tasks.run_tick("some.work")
    tasks.run_tick_for("some.work", company.pk)
    assert alone == []


def test_only_runs_that_did_something_or_failed_are_remembered(alone: list[str]) -> None:
    for slug in ("busy", "idle", "bad"):
        a_live(slug)
    tasks.run_tick("some.work")
    found = {note.company.slug: note.has_failed for note in TickNote.objects.select_related("company")}
    assert found == {"busy": False, "bad": True}


def test_what_is_older_than_two_weeks_or_beyond_the_last_runs_is_forgotten(
    alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    company, now = a_live("busy"), clock.machine_now()
    for days in (20, 13, 2, 1):
        TickNote.objects.create(
            company=company, name="some.work", ran_at=now, ended_at=now - timedelta(days=days), milliseconds=1
        )
    assert sweeping.sweep(company, now, ["notes"]) == {"notes": 1}
    monkeypatch.setattr(timetable, "KEPT_MOST", 2)
    assert sweeping.sweep(company, now, ["notes"]) == {"notes": 1}
    assert [(now - note.ended_at).days for note in TickNote.objects.order_by("pk")] == [2, 1]


def ran(company: Company, ago: timedelta, **changes: Any) -> TickRun:
    ended = clock.machine_now() - ago
    return TickRun.objects.create(
        company=company, name="some.work", ran_at=ended, ended_at=ended, milliseconds=7, **changes
    )


def test_a_tick_is_missed_after_three_turns_without_it(alone: list[str]) -> None:
    company = a_live("one")
    run = ran(company, timedelta(minutes=44))
    assert timetable.missed(company) == []
    TickRun.objects.filter(pk=run.pk).update(ended_at=clock.machine_now() - timedelta(minutes=46))
    (entry,) = timetable.missed(company)
    assert (entry.tick.name, entry.state) == ("some.work", "missed")
    assert list(TickRun.objects.filter(timetable.overdue(clock.machine_now()))) == [run]


def test_a_tick_that_was_never_asked_is_missed_once_the_company_is_old_enough(alone: list[str]) -> None:
    company = a_live("one")
    assert timetable.missed(company) == []
    Company.objects.filter(pk=company.pk).update(created_at=clock.machine_now() - timedelta(hours=1))
    company.refresh_from_db()
    assert len(timetable.missed(company)) == 1


def test_the_next_run_is_one_turn_after_the_last(alone: list[str]) -> None:
    company = a_live("one")
    run = ran(company, timedelta(minutes=5), outcome={"invoices": 3, "failed": 0})
    (entry,) = timetable.entries(company)
    assert (entry.next_at, entry.state) == (run.ended_at + timedelta(minutes=15), "done")
    assert timetable.words(run.outcome) == "invoices: 3"


def test_a_clock_that_moves_by_hand_has_no_next_run(alone: list[str]) -> None:
    company = a_live("test")
    Company.objects.filter(pk=company.pk).update(is_live=False, clock_at=AT)
    company.refresh_from_db()
    ran(company, timedelta(days=40))
    (entry,) = timetable.entries(company)
    assert (entry.next_at, entry.late_by) == (None, None)


def test_run_now_is_one_job_that_tells_what_it_did(alone: list[str]) -> None:
    company = a_live("busy")
    first, again = (timetable.run_now(company=company, name="some.work", user=None, by=BY, at=AT) for _ in range(2))
    assert first == again
    jobs.work(first.pk)
    job = Job.objects.get(pk=first.pk)
    assert (job.state, job.result, job.log) == ("done", {"done": 1}, "done: 1\n")
    assert alone == ["busy"]
    assert AuditEntry.objects.filter(company=company, verb="tick.run").count() == 1


def test_what_nobody_registered_is_not_run(alone: list[str]) -> None:
    with pytest.raises(Refused, match=r"field\.choice"):
        timetable.run_now(company=a_live("busy"), name="no.such", user=None, by=BY, at=AT)


def test_every_tick_says_what_it_does() -> None:
    silent = [tick.name for tick in ticks.all_ticks() if not (tick.title and str(tick.text).endswith("."))]
    assert silent == []


@pytest.mark.django_db
def test_roles_as_they_came_got_the_rights_that_were_new() -> None:
    from importlib import import_module

    from core.rights import ROLES

    clockwork, sell, mail = (
        import_module(f"core.migrations.{name}")
        for name in ("0013_roles_of_the_clockwork", "0015_roles_that_sell", "0016_roles_that_mail")
    )
    new = {*clockwork.NEW, *sell.READ, *sell.WRITE, *mail.READ, *mail.WRITE}
    for _name, rights in ROLES.values():
        now = sorted(set(rights) - new)
        for migration in (clockwork, sell, mail):
            now += migration.more(now)
        assert set(now) == rights
    assert clockwork.more(["customer.read"]) == []
    assert clockwork.more(["settings.write", "customer.read"]) == clockwork.NEW
