"""Ticks ask in order and day by day; jobs go on where they stopped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from core import clock, tasks
from core.models import Company, Job, TickRun
from core.refusal import Refused
from core.services import jobs, ticks


@pytest.fixture
def company(db: None) -> Company:
    return Company.objects.create(
        name="Test", slug="test", legal_name="Test", country="DE", is_live=False, books_start_on=date(2026, 1, 1),
        clock_at=datetime(2026, 1, 30, 12, tzinfo=UTC),
    )  # fmt: skip


@pytest.fixture
def asked() -> Iterator[list[tuple[str, date]]]:
    """Two ticks that note when they are asked, alone in the registry."""
    kept = dict(ticks._ticks)
    ticks._ticks.clear()
    heard: list[tuple[str, date]] = []
    for name, order in (("second", 20), ("first", 10)):

        @ticks.tick(name, order=order, every=timedelta(hours=1))
        def note(company: Company, at: datetime, name: str = name) -> dict[str, int]:
            heard.append((name, at.date()))
            return {"heard": len(heard)}

    yield heard
    ticks._ticks.clear()
    ticks._ticks.update(kept)


def test_advancing_asks_every_tick_on_every_day_in_order(company: Company, asked: list[tuple[str, date]]) -> None:
    ticks.advance(company=company, to=datetime(2026, 2, 1, 12, tzinfo=UTC))
    assert asked == [(name, day) for day in (date(2026, 1, 31), date(2026, 2, 1)) for name in ("first", "second")]
    assert Company.objects.get(pk=company.pk).clock_at == datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert TickRun.objects.get(company=company, name="second").outcome == {"heard": 4}


def test_the_clock_of_a_test_company_only_moves_forward(company: Company, asked: list[tuple[str, date]]) -> None:
    with pytest.raises(Refused, match=r"company\.clock_goes_forward"):
        ticks.advance(company=company, to=datetime(2026, 1, 29, 12, tzinfo=UTC))
    assert asked == []


def test_a_live_company_follows_the_machine(db: None) -> None:
    live = Company.objects.create(name="L", slug="l", legal_name="L", country="DE", books_start_on=date(2026, 1, 1))
    with pytest.raises(Refused, match=r"company\.clock_is_real"):
        ticks.advance(company=live, to=clock.machine_now() + timedelta(days=1))
    assert abs(clock.now(live) - clock.machine_now()) < timedelta(seconds=5)


def test_today_is_the_day_of_the_zone_asked_for(company: Company) -> None:
    company.clock_at = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)
    assert clock.today(company, "UTC") == date(2026, 1, 30)
    assert clock.today(company, "Europe/Berlin") == date(2026, 1, 31)


@pytest.fixture
def counting_job() -> Iterator[list[int]]:
    """A kind of job that counts to three and breaks at two the first time."""
    tries: list[int] = []

    @jobs.kind("counting")
    def count(job: Job, progress: jobs.Progress) -> dict[str, int]:
        tries.append(job.done)
        progress.set(total=3)
        for number in range(job.done + 1, 4):
            if number == 2 and len(tries) == 1:
                raise ValueError("two is hard")
            progress.set(done=number)
        return {"counted": 3}

    yield tries
    del jobs._kinds["counting"]


def test_a_failed_job_keeps_its_progress_and_says_why(company: Company, counting_job: list[int]) -> None:
    job = jobs.start(company_id=company.pk, name="counting", params={}, user=None)
    jobs.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done, job.total) == ("failed", 1, 3)
    assert "two is hard" in job.log


def test_a_silent_job_is_taken_up_where_it_stopped(company: Company, counting_job: list[int]) -> None:
    job = jobs.start(company_id=company.pk, name="counting", params={}, user=None)
    Job.objects.filter(pk=job.pk).update(
        state=Job.State.RUNNING, done=2, beat_at=clock.machine_now() - jobs.SILENCE - timedelta(seconds=1)
    )
    jobs.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result, counting_job) == ("done", {"counted": 3}, [2])


def test_a_job_at_work_is_left_alone(company: Company, counting_job: list[int]) -> None:
    job = jobs.start(company_id=company.pk, name="counting", params={}, user=None)
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, beat_at=clock.machine_now())
    assert jobs.work(job.pk) is None
    assert counting_job == []


def test_a_job_whose_message_or_worker_is_gone_is_woken_by_a_tick_and_done(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jobs._kinds, "quick", lambda job, progress: {"worked": True})
    waiting, silent, fresh = (jobs.start(company_id=company.pk, name="quick", params={}, user=None) for _ in range(3))
    long_ago = clock.machine_now() - jobs.SILENCE - timedelta(seconds=1)
    Job.objects.filter(pk=waiting.pk).update(created_at=long_ago)
    Job.objects.filter(pk=silent.pk).update(state=Job.State.RUNNING, beat_at=long_ago)
    sent: list[int] = []
    monkeypatch.setattr(tasks.run_job, "delay", sent.append)
    tasks.run_tick("core.jobs")
    assert sent == [waiting.pk, silent.pk]
    for job_id in sent:
        jobs.work(job_id)
    states = {job.pk: job.state for job in Job.objects.all()}
    assert states == {waiting.pk: "done", silent.pk: "done", fresh.pk: "waiting"}
    assert jobs.wake_lost(company) == 0
