"""A machine whose clock is far from the database's asks nothing of anybody; an hour more or less is borne."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command

from core import tasks
from core.models import Company, TickRun
from core.services import ticks

HOUR = 3600
FORTY_DAYS = 40 * 24 * HOUR


@pytest.fixture
def heard(db: None) -> Iterator[list[str]]:
    """One tick in the registry, which notes whom it was asked for."""
    kept, asked = dict(ticks._ticks), []
    ticks._ticks.clear()
    ticks.tick("some.work", order=1, every=timedelta(minutes=15))(lambda company, at: asked.append(company.slug) or {})
    yield asked
    ticks._ticks.clear()
    ticks._ticks.update(kept)


def a_company(slug: str, *, is_live: bool = True) -> Company:
    return Company.objects.create(
        name=slug, slug=slug, legal_name=slug, country="DE", books_start_on=date(2026, 1, 1), is_live=is_live
    )


@pytest.mark.parametrize("seconds", [FORTY_DAYS, -FORTY_DAYS, 3 * HOUR])
def test_a_worker_whose_clock_is_far_off_asks_no_tick(
    heard: list[str], monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    a_company("live")
    monkeypatch.setenv("TURNUS_CLOCK_ERROR", str(seconds))
    tasks.run_tick("some.work")
    assert heard == []
    assert not TickRun.objects.exists()


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, 0])
def test_a_worker_whose_clock_is_an_hour_off_asks(
    heard: list[str], monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    a_company("live")
    monkeypatch.setenv("TURNUS_CLOCK_ERROR", str(seconds))
    tasks.run_tick("some.work")
    assert heard == ["live"]


def test_the_command_says_how_far_off_the_clock_is(heard: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    a_company("live")
    monkeypatch.setenv("TURNUS_CLOCK_ERROR", str(FORTY_DAYS))
    with pytest.raises(CommandError, match="960 hours"):
        call_command("tick")
    assert heard == []


def test_a_shift_that_all_share_is_no_error(heard: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    a_company("live")
    monkeypatch.setenv("TURNUS_CLOCK_OFFSET", str(FORTY_DAYS))
    tasks.run_tick("some.work")
    assert heard == ["live"]


def test_beat_asks_the_company_of_a_rehearsal_and_no_other_test_company(
    heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for slug in ("rehearsed", "another"):
        a_company(slug, is_live=False)
    tasks.run_tick("some.work")
    assert heard == []
    monkeypatch.setenv("TURNUS_REHEARSED_COMPANY", "rehearsed")
    tasks.run_tick("some.work")
    assert heard == ["rehearsed"]


@pytest.mark.parametrize(("seconds", "is_carried_out"), [(FORTY_DAYS, False), (-FORTY_DAYS, False), (HOUR, True)])
def test_a_relay_whose_clock_is_far_off_carries_out_nothing(
    db: None, monkeypatch: pytest.MonkeyPatch, seconds: int, is_carried_out: bool
) -> None:
    """Its leases would last for weeks, others' would look ended, and providers' keys too old to be used."""
    from core.models import Outbox
    from core.services import outbox

    done: list[str] = []
    monkeypatch.setitem(outbox._handlers, "some.effect", lambda row: done.append(row.key))
    outbox.put(company_id=a_company("live").pk, kind="some.effect", key="one", payload={})
    Outbox.objects.update(due_at="2020-01-01T00:00Z")
    monkeypatch.setenv("TURNUS_CLOCK_ERROR", str(seconds))
    if is_carried_out:
        call_command("relay", once=True, kinds="some.effect")
    else:
        with pytest.raises(CommandError, match="960 hours"):
            call_command("relay", once=True, kinds="some.effect")
    assert done == (["one"] if is_carried_out else [])
