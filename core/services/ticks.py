"""Ticks: named questions "what is due?", asked per company in one fixed order.

The Celery timetable, `manage.py tick` and the advance of a test company's clock walk the same list.
Asking twice, late or from many machines is harmless.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection
from django.db.models import F
from django.utils.functional import Promise

from core import clock
from core.models import Company, TickNote, TickRun
from core.refusal import Refused

TickFunction = Callable[[Company, datetime], dict[str, Any]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """`order` places it among the others; `every` is how often live companies are asked.

    `title` and `text` say to a person what it is for, in a few words and in one sentence. One that is `about_now` looks
    at how things stand and does nothing that is due on a day: a test company's clock asks it where it arrives, not on
    every day on the way. One that looks `everywhere` is asked for test companies, too, by the machine's clock.
    """

    name: str
    order: int
    every: timedelta
    function: TickFunction
    title: str | Promise = ""
    text: str | Promise = ""
    about_now: bool = False
    everywhere: bool = False


_ticks: dict[str, Tick] = {}


def tick(
    name: str,
    *,
    order: int,
    every: timedelta,
    title: str | Promise = "",
    text: str | Promise = "",
    about_now: bool = False,
    everywhere: bool = False,
) -> Callable[[TickFunction], TickFunction]:
    """Registers a tick: `function(company, at)` does what is due at `at` and says what it did."""

    def register(function: TickFunction) -> TickFunction:
        _ticks[name] = Tick(name, order, every, function, title, text, about_now, everywhere)
        return function

    return register


def all_ticks() -> list[Tick]:
    return sorted(_ticks.values(), key=lambda tick: (tick.order, tick.name))


def find(name: str) -> Tick | None:
    return _ticks.get(name)


def run_tick(*, name: str, company: Company, at: datetime, notes_quiet: bool = True) -> dict[str, Any]:
    """Asks one tick for one company; its outcome is kept, also when it failed.

    With `notes_quiet` off a tick that found nothing leaves no note.
    """
    begun = time.monotonic()
    outcome: dict[str, Any] = {}
    failed = False
    try:
        outcome = _ticks[name].function(company, at)
    except BaseException as error:
        failed, outcome = True, {"error": f"{type(error).__name__}: {error}"[:500]}
        raise
    finally:
        if notes_quiet or any(outcome.values()):
            _note(company, name, at, outcome, failed, int((time.monotonic() - begun) * 1000))
    return outcome


#: A machine whose clock is further from PostgreSQL's asks no tick: it would bill and dun on days that aren't there yet.
#: An hour more or less is borne.
FARTHEST = timedelta(hours=2)


def wrong_clock() -> timedelta | None:
    """How far this machine's clock is from PostgreSQL's, when that is too far to ask what is due; else None."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        ahead = clock.ahead_of(cursor.fetchone()[0])
    return ahead if abs(ahead) > FARTHEST else None


def ask(
    *, name: str, company: Company, at: datetime, stops_at: tuple[type[Exception], ...] = ()
) -> dict[str, Any] | None:
    """`run_tick` for a list of companies: a failure is kept and logged, and stops nobody else; then None.

    Errors in `stops_at` are kept and raised: the caller's time is over.
    """
    try:
        return run_tick(name=name, company=company, at=at)
    except stops_at:
        log.exception("tick_stopped", tick=name, company=company.slug)
        raise
    except Exception as error:
        log.exception("tick_failed", tick=name, company=company.slug, error=f"{type(error).__name__}: {error}"[:300])
        return None
    finally:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _note(company: Company, name: str, at: datetime, outcome: dict[str, Any], failed: bool, milliseconds: int) -> None:
    """The last run, and for runs that did something or failed a line of their own."""
    values: dict[str, Any] = {
        "ran_at": at, "ended_at": clock.machine_now(), "outcome": outcome, "milliseconds": milliseconds,
    }  # fmt: skip
    well: dict[str, Any] = {} if failed else {"well_at": at}
    rows = TickRun.objects.filter(company=company, name=name)
    if not rows.update(**values, **well, failures=F("failures") + 1 if failed else 0):
        made = TickRun(company=company, name=name, **values, **well, failures=int(failed))
        TickRun.objects.bulk_create([made], ignore_conflicts=True)
    if any(outcome.values()):
        TickNote.objects.create(company=company, name=name, **values, has_failed=failed)


def advance(*, company: Company, to: datetime, told: Callable[[datetime], None] | None = None) -> None:
    """Moves a test company's clock to `to`, day by day, asking every tick on each day in order.

    Each day ends at the same time of day as `to`; `told` hears of each step. Refuses live companies and
    steps back.
    """
    if company.is_live or company.clock_at is None:
        raise Refused("company.clock_is_real")
    if to < company.clock_at:
        raise Refused("company.clock_goes_forward", now=company.clock_at)
    steps = []
    moment = to
    while moment > company.clock_at:
        steps.append(moment)
        moment -= timedelta(days=1)
    for moment in reversed(steps):
        Company.objects.filter(pk=company.pk, clock_at__lt=moment).update(clock_at=moment)
        company.clock_at = moment
        for entry in all_ticks():
            if entry.about_now and moment != to:
                continue
            run_tick(name=entry.name, company=company, at=moment, notes_quiet=moment == to)
        if told:
            told(moment)
