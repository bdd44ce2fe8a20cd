"""A dry run: the very run, chunk by chunk, each taken back.

The rule that matters: what it shows is what the run would do now; it writes nothing and takes no numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import connection, transaction

from billing.models import BillingRun
from billing.services.running import forecast, parking, planning
from billing.services.running.chunks import Batch, add, customers_between
from billing.services.running.halving import in_halves
from billing.services.running.parking import Parked
from billing.services.running.progress import Figures
from billing.services.settling import Settlement
from core.actors import Actor
from core.models import Company


@dataclass(slots=True)
class Rehearsal:
    """What a run would do; `skipped`: customers whom others were changing just then."""

    forecast_lines: int = 0
    due_count: int = 0
    done: Figures = field(default_factory=Figures)
    parked: list[Parked] = field(default_factory=list)
    skipped: int = 0


def rehearse(
    *,
    company: Company,
    on: date,
    notify_since: date | None = None,
    zones: Sequence[str] = (),
    by: Actor,
    at: datetime,
    told: Callable[[Rehearsal], None] | None = None,
) -> Rehearsal:
    """Everything a run for that day would do, added up. `told` hears after each chunk."""
    run = BillingRun(
        company=company,
        on=on,
        zones=list(zones),
        notify_since=notify_since or on - planning.QUIET_AFTER,
        actor_label=by.label,
    )
    shown = Rehearsal()
    chunks = _chunks(run)
    shown.due_count, shown.forecast_lines = sum(row[2] for row in chunks), sum(row[3] for row in chunks)
    shown.done.chunks = len(chunks)
    for first, last, due, _ in chunks:
        with transaction.atomic():
            parking.unpark(company, on, zones)
            customer_ids = customers_between(run, first, last)
            transaction.set_rollback(True)
        batch = Batch(run, by, at)

        def attempt(part: Sequence[int], batch: Batch = batch) -> None:
            outcome = _taken_back(batch, part)
            add(shown.done, outcome)
            shown.parked += outcome.parked
            shown.skipped += len(outcome.skipped_customer_ids)

        def give_up(customer_id: int, error: Exception, batch: Batch = batch) -> None:
            with transaction.atomic():
                parking.unpark(company, on, zones)
                found = parking.park_bad(run, customer_id, error, batch.settle, at=batch.at)
                outcome = batch.settle([customer_id])
                outcome.parked += found
                transaction.set_rollback(True)
            add(shown.done, outcome)
            shown.parked += outcome.parked

        if customer_ids:
            in_halves(customer_ids, attempt, give_up, splits=parking.is_about_data)
        shown.done.chunks_done += 1
        shown.done.due_done += due
        if told is not None:
            told(shown)
    return shown


def _chunks(run: BillingRun) -> list[tuple[int, int, int, int]]:
    with transaction.atomic(), connection.cursor() as cursor:
        parking.unpark(run.company, run.on, run.zones)
        cut = planning.CUT
        cursor.execute(
            forecast.CHUNKS,
            forecast.params(run.company, run.on, run.zones, subscriptions=cut.subscriptions, lines=cut.lines),
        )
        rows: list[tuple[int, int, int, int]] = cursor.fetchall()
        transaction.set_rollback(True)
    return rows


def _taken_back(batch: Batch, part: Sequence[int]) -> Settlement:
    with transaction.atomic():
        parking.unpark(batch.run.company, batch.run.on, batch.run.zones)
        outcome = batch.settle(part)
        transaction.set_rollback(True)
    return outcome
