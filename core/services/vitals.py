"""How the installation is: what waits, how long, and when its workers last gave a sign of life.

The rule that matters: a handful of statements over partial indexes, however much lies in the tables, so that a monitor
may ask every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from core.services.ticks import all_ticks


@dataclass(frozen=True, slots=True)
class Vital:
    """One figure: a name as Prometheus likes it, what it says, labels and value."""

    name: str
    help: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


Source = Callable[[datetime], Iterable[Vital]]
_sources: list[Source] = []


def source(function: Source) -> Source:
    """Registers a room's figures."""
    if function not in _sources:
        _sources.append(function)
    return function


def read(at: datetime) -> list[Vital]:
    """Every figure at the machine's instant `at`."""
    return [vital for function in _sources for vital in function(at)]


@source
def outbox(at: datetime) -> Iterable[Vital]:
    """What the relay has before it, by kind, and what died."""
    rows = _rows(
        "SELECT kind, count(*), count(*) FILTER (WHERE due_at <= %s), min(due_at) FILTER (WHERE due_at <= %s)"
        " FROM core_outbox WHERE state = 'waiting' GROUP BY kind ORDER BY kind",
        at,
        at,
    )
    for kind, waiting, due, oldest in rows:
        labels = (("kind", str(kind)),)
        yield Vital("turnus_outbox_waiting", "Effects that wait, also for a later try", float(waiting), labels)
        yield Vital("turnus_outbox_due", "Effects that could be carried out now", float(due), labels)
        late = (at - oldest).total_seconds() if oldest else 0.0
        yield Vital("turnus_outbox_oldest_seconds", "How long the oldest due effect has waited", late, labels)
    for kind, dead in _rows("SELECT kind, count(*) FROM core_outbox WHERE state = 'dead' GROUP BY kind ORDER BY kind"):
        yield Vital("turnus_outbox_dead", "Effects that failed for good", float(dead), (("kind", str(kind)),))


@source
def jobs(at: datetime) -> Iterable[Vital]:
    """Long jobs under way and their last sign of life."""
    ((waiting, running, silent),) = _rows(
        "SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'running'),"
        " max(extract(epoch FROM %s - coalesce(beat_at, created_at)))"
        " FROM core_job WHERE state IN ('waiting', 'running')",
        at,
    )
    yield Vital("turnus_jobs_waiting", "Jobs nobody has begun", float(waiting))
    yield Vital("turnus_jobs_running", "Jobs under way", float(running))
    yield Vital("turnus_jobs_silent_seconds", "Longest silence of an open job", float(silent or 0))


@source
def ticks(at: datetime) -> Iterable[Vital]:
    """When each question was last asked of live companies, and which fail; not those of an older version."""
    rows = _rows(
        "SELECT t.name, min(t.ended_at), count(*) FILTER (WHERE t.outcome ? 'error')"
        " FROM core_tickrun t JOIN core_company c ON c.id = t.company_id AND c.is_live GROUP BY t.name ORDER BY t.name"
    )
    known = {tick.name for tick in all_ticks()}
    for name, last, failing in rows:
        if name not in known:
            continue
        labels = (("tick", str(name)),)
        age = (at - last).total_seconds()
        yield Vital(
            "turnus_tick_age_seconds", "Time since the tick last ended, company that waits longest", age, labels
        )
        yield Vital("turnus_tick_failing", "Companies where the tick's last run failed", float(failing), labels)


def _rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        # Without parameters a percent sign and a question mark mean themselves.
        cursor.execute(sql, params or None)
        return list(cursor.fetchall())
