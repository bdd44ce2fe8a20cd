"""Beat asks every registered tick, and all of them at once when it starts."""

from __future__ import annotations

import doctest
from datetime import timedelta

import pytest
from kombu.exceptions import OperationalError

from config import celery
from core.services import ticks


def test_the_examples_are_true() -> None:
    results = doctest.testmod(celery)
    assert (results.failed, results.attempted) == (0, 2)


def test_every_tick_has_one_entry_that_names_only_itself() -> None:
    entries = list(celery.timetable().values())
    assert [entry["args"] for entry in entries] == [(tick.name,) for tick in ticks.all_ticks()]
    assert {entry["task"] for entry in entries} <= {"core.tasks.run_tick"}
    assert [entry["schedule"] for entry in entries] == [tick.every for tick in ticks.all_ticks()]


def test_a_fresh_beat_asks_every_tick_at_once(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    yearly = ticks.Tick("tests.yearly", 999, timedelta(days=1), lambda company, at: {})
    monkeypatch.setitem(ticks._ticks, yearly.name, yearly)
    beat = celery.Timetable(app=celery.app)
    assert "999 tests.yearly" in beat.schedule
    assert all(entry.is_due()[0] for entry in beat.schedule.values())


def test_tasks_are_acknowledged_late_one_at_a_time_and_leave_no_results() -> None:
    settings = celery.app.conf
    assert settings.task_acks_late is True
    assert settings.worker_prefetch_multiplier == 1
    assert settings.task_ignore_result is True
    assert settings.accept_content == ["json"]
    assert settings.result_backend is None


def test_a_task_ends_within_a_quarter_of_the_visibility_timeout() -> None:
    settings = celery.app.conf
    assert settings.task_soft_time_limit * 4 <= settings.broker_transport_options["visibility_timeout"]


def test_without_a_broker_a_wake_up_call_fails_instead_of_waiting() -> None:
    with celery.app.connection_for_write("redis://127.0.0.1:1/0") as nowhere, pytest.raises(OperationalError):
        celery.app.send_task("core.tasks.run_job", args=[1], connection=nowhere)


def test_a_beat_without_the_product_keeps_to_the_same_timetable(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from config import beat

    whole = celery.Timetable(app=celery.app).schedule
    monkeypatch.setattr(celery.Timetable, "entries", beat.read(beat.written()))
    small = celery.Timetable(app=celery.app).schedule
    assert len(whole) > 5
    assert {
        name: (entry.task, entry.args, entry.schedule.run_every, entry.options) for name, entry in small.items()
    } == {name: (entry.task, entry.args, entry.schedule.run_every, entry.options) for name, entry in whole.items()}


def test_the_beat_that_runs_has_not_loaded_django() -> None:
    import subprocess
    import sys

    told = "import sys, config.beat; config.beat.read('{}'); print('django.db' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
