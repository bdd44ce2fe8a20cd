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

from core import clock
from core.models import Company, TickRun
from core.refusal import Refused

TickFunction = Callable[[Company, datetime], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Tick:
    """`order` places it among the others; `every` is how often live companies are asked."""

    name: str
    order: int
    every: timedelta
    function: TickFunction


_ticks: dict[str, Tick] = {}


def tick(name: str, *, order: int, every: timedelta) -> Callable[[TickFunction], TickFunction]:
    """Registers a tick: `function(company, at)` does what is due at `at` and says what it did."""

    def register(function: TickFunction) -> TickFunction:
        _ticks[name] = Tick(name, order, every, function)
        return function

    return register


def all_ticks() -> list[Tick]:
    return sorted(_ticks.values(), key=lambda tick: (tick.order, tick.name))


def run_tick(*, name: str, company: Company, at: datetime, notes_quiet: bool = True) -> dict[str, Any]:
    """Asks one tick for one company; its outcome is kept, also when it failed.

    With `notes_quiet` off a tick that found nothing leaves no note.
    """
    begun = time.monotonic()
    outcome: dict[str, Any] = {}
    try:
        outcome = _ticks[name].function(company, at)
    except Exception as error:
        outcome = {"error": f"{type(error).__name__}: {error}"[:500]}
        raise
    finally:
        if notes_quiet or any(outcome.values()):
            row = TickRun(
                company=company,
                name=name,
                ran_at=at,
                ended_at=clock.machine_now(),
                outcome=outcome,
                milliseconds=int((time.monotonic() - begun) * 1000),
            )
            TickRun.objects.bulk_create(
                [row],
                update_conflicts=True,
                unique_fields=["company", "name"],
                update_fields=["ran_at", "ended_at", "outcome", "milliseconds"],
            )
    return outcome


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
            run_tick(name=entry.name, company=company, at=moment, notes_quiet=moment == to)
        if told:
            told(moment)
