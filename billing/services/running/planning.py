"""Starting a run: its row, its forecast and its chunks, cut once by one ordered query.

The rule that matters: for one company and day there is one unfinished run; whoever asks for it again joins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import F

from billing.models import BillingRun
from billing.services.running import forecast, parking
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail

QUIET_AFTER: Final = parking.QUIET_AFTER
#: First half of the advisory lock under which runs of a company are started and ended; any constant number.
_LOCK: Final = 0x0B11


@dataclass(frozen=True, slots=True)
class Cut:
    """How much one transaction may hold: due subscriptions, and lines where there is much to catch up."""

    subscriptions: int = 1000
    lines: int = 2000


CUT: Final = Cut()


def unfinished(*, company: Company, by_day: date | None = None) -> list[BillingRun]:
    """Runs that are under way or wait for a person, oldest first; with `by_day` only those up to that day."""
    rows = BillingRun.objects.filter(company=company, state__in=[BillingRun.State.RUNNING, BillingRun.State.HELD])
    if by_day is not None:
        rows = rows.filter(on__lte=by_day)
    return list(rows.order_by("on", "pk"))


def start(
    *,
    company: Company,
    on: date,
    notify_since: date | None = None,
    zones: Sequence[str] = (),
    by: Actor,
    at: datetime,
    cut: Cut = CUT,
) -> BillingRun | None:
    """The run for that day: the unfinished one, else a new one; None when nothing is due.

    Charges due before `notify_since` (seven days before `on` unless given) are issued without mail. `zones` limits it
    to subscriptions of these time zones. What billing had parked is tried again. Refuses `run.held` while a run of the
    company waits for a person.
    """
    with transaction.atomic():
        lock(company)
        for run in unfinished(company=company):
            if run.state == BillingRun.State.HELD:
                raise Refused("run.held", run=run.ref, on=run.on)
            if run.on == on and run.zones == list(zones):
                return run
        parking.unpark(company, on, zones)
        run = BillingRun(
            company=company,
            on=on,
            notify_since=notify_since or on - QUIET_AFTER,
            zones=list(zones),
            forecast_lines=0,
            due_count=0,
            actor_label=by.label,
            started_at=clock.machine_now(),
        )
        run.save(force_insert=True)
        if not cut_chunks(run, cut):
            # Also what was unparked stays as it was.
            transaction.set_rollback(True)
            return None
        trail.audit(
            company_id=company.pk,
            at=at,
            by=by,
            verb="billing_run.start",
            subject_kind="run",
            subject_id=run.pk,
            facts={"on": on.isoformat(), "due": run.due_count, "forecast_lines": run.forecast_lines},
        )
    return run


def lock(company: Company) -> None:
    """One at a time starts or ends a run of the company, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, company.pk])


def cut_chunks(run: BillingRun, cut: Cut = CUT) -> int:
    """Cuts what is due now into chunks and adds it to the run's forecast; how many chunks."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO billing_billingchunk (
                company_id, run_id, first_customer_id, last_customer_id, state, due_count, forecast_lines,
                invoice_count, quiet_count, credit_note_count, line_count, parked_count, totals, tries
            )
            SELECT %(company)s, %(run)s, chunk.first_customer_id, chunk.last_customer_id, 'open',
                   chunk.due, chunk.lines, 0, 0, 0, 0, 0, '{{}}', 0
            FROM ({forecast.CHUNKS}) AS chunk (first_customer_id, last_customer_id, due, lines)
            RETURNING due_count, forecast_lines
            """,  # noqa: S608  only this room's own text
            forecast.params(
                run.company, run.on, run.zones, run=run.pk, subscriptions=cut.subscriptions, lines=cut.lines
            ),
        )
        rows = cursor.fetchall()
    if rows:
        due, lines = sum(row[0] for row in rows), sum(row[1] for row in rows)
        BillingRun.objects.filter(pk=run.pk).update(
            due_count=F("due_count") + due, forecast_lines=F("forecast_lines") + lines
        )
        run.due_count += due
        run.forecast_lines += lines
    return len(rows)
