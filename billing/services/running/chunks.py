"""One chunk: claimed, settled, counted and closed in one transaction.

The rule that matters: the chunk's row is the truth about being done, and moves with its documents or not at all.
Customers whom others hold keep it open; one bad subscription is found by halving and parked.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from django.db import connection, transaction
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.expressions import RawSQL

from billing.models import BillingChunk, BillingRun
from billing.services.issuing import DatesMoved
from billing.services.running import forecast, parking
from billing.services.running.halving import in_halves
from billing.services.settling import Settlement, settle
from core import clock
from core.actors import Actor
from core.fault_points import point

#: A run that writes more than so many times the lines it counted before waits for a person.
MOST = 1.5


class Step(Enum):
    """What became of a try: the chunk is done; customers are held by others; nothing to claim; the run waits."""

    DONE = "done"
    BUSY = "busy"
    NONE = "none"
    HELD = "held"


class TooMany(Exception):
    """The run would write more lines than it may."""


@dataclass(slots=True)
class Batch:
    """What settling a part of a run needs."""

    run: BillingRun
    by: Actor
    at: datetime
    outcome: Settlement = field(default_factory=Settlement)

    @classmethod
    def of(cls, run: BillingRun) -> Batch:
        return cls(run, Actor.run(run.pk, f"{run.actor_label}"), clock.now(run.company))

    def settle(self, customer_ids: Sequence[int]) -> Settlement:
        run = self.run
        return settle(
            company=run.company,
            customer_ids=customer_ids,
            on=run.on,
            at=self.at,
            by=self.by,
            run=run if run.pk else None,
            notify_since=run.notify_since,
            skip_locked=True,
            zones=run.zones,
        )


def bill_next(run: BillingRun) -> Step:
    """Bills the next open chunk of the run that nobody else works on."""
    return _bill(run_id=run.pk)


def bill_one(chunk_id: int) -> Step:
    """Bills this chunk, unless it is done or somebody else works on it."""
    return _bill(pk=chunk_id)


def _bill(**which: int) -> Step:
    while True:
        try:
            return _bill_once(**which)
        except DatesMoved:
            continue


def _bill_once(**which: int) -> Step:
    customer_ids: list[int] = []
    chunk: BillingChunk | None = None
    try:
        with transaction.atomic():
            chunk = _claim(**which)
            if chunk is None:
                return Step.NONE
            customer_ids = chunk.due_customer_ids  # type: ignore[attr-defined]
            point("billing.claimed")
            batch = Batch.of(chunk.run)
            return _write(chunk, batch, customer_ids)
    except TooMany:
        assert chunk is not None
        hold(chunk.run)
        return Step.HELD
    except Exception as error:  # Who is to blame is found by halving.
        if chunk is None or not customer_ids or not parking.is_about_data(error):
            raise
    return _bill_in_halves(chunk.pk, customer_ids)


#: The customers of a chunk's range with something due now, in id order. What is due is read again under their lock.
_DUE_CUSTOMERS = RawSQL(
    """ARRAY(
        SELECT DISTINCT s.customer_id FROM subscriptions_subscription s
        WHERE s.company_id = billing_billingchunk.company_id AND s.next_bill_on <= billing_billingrun."on"
          AND s.parked_at IS NULL
          AND (billing_billingrun.zones = '[]' OR billing_billingrun.zones ? s.time_zone)
          AND s.customer_id BETWEEN billing_billingchunk.first_customer_id AND billing_billingchunk.last_customer_id
        ORDER BY 1
    )""",
    (),
)


def _claim(**which: int) -> BillingChunk | None:
    """Locks an open chunk of a running run, with its `due_customer_ids`; those tried least come first."""
    so_far = BillingChunk.objects.filter(run=OuterRef("run")).order_by().values("run").annotate(n=Sum("line_count"))
    rows = BillingChunk.objects.select_for_update(of=("self",), skip_locked=True).select_related("run", "run__company")
    rows = rows.filter(**which, state=BillingChunk.State.OPEN, run__state=BillingRun.State.RUNNING)
    rows = rows.annotate(lines_so_far=Subquery(so_far.values("n")), due_customer_ids=_DUE_CUSTOMERS)
    return rows.order_by("tries", "first_customer_id").first()


def customers_between(run: BillingRun, first: int, last: int) -> list[int]:
    """The customers of a range with something due now, in id order."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT s.customer_id FROM subscriptions_subscription s WHERE {forecast.DUE} "  # noqa: S608
            "AND s.customer_id BETWEEN %(first)s AND %(last)s ORDER BY 1",
            forecast.params(run.company, run.on, run.zones, first=first, last=last),
        )
        return [row[0] for row in cursor.fetchall()]


def _write(chunk: BillingChunk, batch: Batch, customer_ids: Sequence[int]) -> Step:
    """Settles these customers in the chunk's transaction and adds what came of it to the chunk."""
    with uncollected():
        outcome = batch.settle(customer_ids)
    run = chunk.run
    lines: int = chunk.lines_so_far + outcome.lines  # type: ignore[attr-defined]
    if run.released_at is None and lines > run.forecast_lines * MOST:
        raise TooMany
    if customer_ids and not outcome.lines and not outcome.credit_note_ids and not outcome.parked:
        outcome.parked += parking.park_stuck(batch.run, set(customer_ids) - set(outcome.skipped_customer_ids), batch.at)
    parking.tell(run.company, outcome.parked, by=batch.by, at=batch.at)
    add(chunk, outcome)
    chunk.tries += 1
    if not outcome.skipped_customer_ids:
        chunk.state, chunk.done_at = BillingChunk.State.DONE, clock.machine_now()
    chunk.save()
    point("billing.written")
    return Step.BUSY if outcome.skipped_customer_ids else Step.DONE


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: nothing here goes in circles, and its rounds over what lives cost a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def add(into: Any, outcome: Settlement) -> None:
    """Adds what came of settling to the counts of a chunk (or of anything with the same fields)."""
    into.invoice_count += len(outcome.invoice_ids)
    into.quiet_count += outcome.quiet
    into.credit_note_count += len(outcome.credit_note_ids)
    into.line_count += outcome.lines
    into.parked_count += len(outcome.parked)
    add_totals(into.totals, outcome.totals_by_currency)


def add_totals(into: dict[str, dict[str, int]], more: dict[str, dict[str, int]]) -> None:
    """Adds net, tax and gross by currency."""
    for currency, sums in more.items():
        entry = into.setdefault(currency, {"net": 0, "tax": 0, "gross": 0})
        for name, minor in sums.items():
            entry[name] = entry.get(name, 0) + minor


def _bill_in_halves(chunk_id: int, customer_ids: list[int]) -> Step:
    """Bills the customers part by part, each in a transaction of its own, and parks whom no part can hold."""

    def attempt(part: Sequence[int]) -> None:
        with transaction.atomic():
            chunk = _claim(pk=chunk_id)
            if chunk is not None:
                _write(chunk, Batch.of(chunk.run), part)
                _reopen(chunk)
                parking.check_now()

    def give_up(customer_id: int, error: Exception) -> None:
        with transaction.atomic():
            chunk = _claim(pk=chunk_id)
            if chunk is not None:
                batch = Batch.of(chunk.run)
                found = parking.park_bad(batch.run, customer_id, error, batch.settle, at=batch.at)
                parking.tell(chunk.company, found, by=batch.by, at=batch.at)
                add(chunk, Settlement(parked=found))
                _write(chunk, batch, [customer_id])
                _reopen(chunk)

    try:
        in_halves(customer_ids, attempt, give_up, splits=parking.is_about_data)
    except TooMany:
        hold(BillingChunk.objects.select_related("run").get(pk=chunk_id).run)
        return Step.HELD
    # What is left to do in the range (nothing, as a rule) is seen by a plain try.
    return bill_one(chunk_id)


def _reopen(chunk: BillingChunk) -> None:
    """A part is not the whole: the chunk stays open until a plain try finds nothing left."""
    if chunk.state == BillingChunk.State.DONE:
        BillingChunk.objects.filter(pk=chunk.pk).update(state=BillingChunk.State.OPEN, done_at=None)


def hold(run: BillingRun) -> None:
    """The run waits for a person: it wrote more than it should."""
    BillingRun.objects.filter(pk=run.pk, state=BillingRun.State.RUNNING).update(state=BillingRun.State.HELD)
