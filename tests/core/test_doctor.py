"""The doctor: what it sees, and that each finding says what to do."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.services.companies import open_company
from core import clock
from core.models import Company, Job, Outbox, TickRun
from core.services import doctoring, ticks
from core.services.doctoring import Finding, Level
from tests.factories import BY, TODAY, a_company

pytestmark = pytest.mark.django_db


def a_live_company() -> Company:
    return open_company(
        name="Live", slug="live", legal_name="Live", country="DE", currency="EUR", language="en", owner=None,
        time_zone="Europe/Berlin", books_start_on=TODAY, by=BY, at=clock.machine_now(),
    )  # fmt: skip


def seen(*names: str) -> list[Finding]:
    return [
        finding
        for _one, findings in doctoring.examine(clock.machine_now(), names=names)
        for finding in findings
        if finding.level is not Level.FINE
    ]


def test_an_empty_installation_is_fine() -> None:
    assert [one for one in seen() if one.level is Level.BROKEN] == []


def test_effects_that_wait_without_a_relay() -> None:
    Outbox.objects.create(company=a_company(), kind="mail", key="1", due_at=clock.machine_now() - timedelta(minutes=11))
    (finding,) = seen("outbox")
    assert (finding.level, finding.advice[:13]) == (Level.BROKEN, "Start a relay")


def test_effects_that_failed_for_good_ask_for_a_look() -> None:
    Outbox.objects.create(company=a_company(), kind="mail", key="1", due_at=clock.machine_now(), state="dead")
    assert [finding.level for finding in seen("outbox")] == [Level.LOOK]


def test_a_job_without_a_sign_of_life() -> None:
    job = Job.objects.create(company=a_company(), kind="x", state="running", beat_at=clock.machine_now())
    assert seen("jobs") == []
    Job.objects.filter(pk=job.pk).update(beat_at=clock.machine_now() - timedelta(minutes=16))
    assert job.ref in seen("jobs")[0].text


def test_a_timetable_nobody_keeps() -> None:
    assert seen("ticks") == [], "test companies have no timetable"
    company = a_live_company()
    assert "not asked in time" in seen("ticks")[0].text
    at = clock.machine_now()
    TickRun.objects.bulk_create(
        [TickRun(company=company, name=t.name, ran_at=at, ended_at=at, milliseconds=1) for t in ticks.all_ticks()]
    )
    assert seen("ticks") == []
    TickRun.objects.filter(name="billing.run").update(ended_at=at - timedelta(hours=1), outcome={"error": "no rate"})
    assert [finding.text[:30] for finding in seen("ticks")] == [
        "live: not asked in time: billi",
        "live: billing.run: no rate",
    ]


def test_a_shifted_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen("clock") == []
    monkeypatch.setenv("TURNUS_CLOCK_OFFSET", "3600")
    assert [finding.level for finding in seen("clock")] == [Level.BROKEN]


def test_a_broker_that_does_not_answer(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert [finding.level for finding in seen("redis")] == [Level.BROKEN]


def test_a_live_company_with_the_key_everybody_knows() -> None:
    assert not any("everybody knows" in finding.text for finding in seen("settings"))
    a_live_company()
    assert any("everybody knows" in finding.text for finding in seen("settings"))


def test_one_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(at: object) -> list[Finding]:
        raise ValueError("no")

    broken = doctoring.Examination("broken", "Broken", False, fails)
    monkeypatch.setitem(doctoring._examinations, "broken", broken)
    found = {one.name: findings for one, findings in doctoring.examine(clock.machine_now())}
    assert found["broken"][0].text == "ValueError: no"
    assert len(found) == len(doctoring.examinations())


def test_the_command_ends_with_one_when_something_is_broken() -> None:
    said = StringIO()
    call_command("doctor", "outbox", "--json", stdout=said)
    assert json.loads(said.getvalue())["level"] == "fine"
    Outbox.objects.create(company=a_company(), kind="mail", key="1", due_at=clock.machine_now() - timedelta(minutes=11))
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "outbox", stdout=said)
    assert ended.value.code == 1
    with pytest.raises(CommandError, match="There are: settings"):
        call_command("doctor", "nonsense")
