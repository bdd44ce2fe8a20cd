"""How far a run is, and its end.

The rule that matters: a run ends only when what is due has been looked for again and nothing was found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from billing.models import BillingChunk, BillingRun
from billing.services.running import parking, planning
from billing.services.running.chunks import add_totals
from core import clock
from core.actors import Actor
from core.refusal import Refused
from core.services import trail


@dataclass(slots=True)
class Figures:
    """Sums over the chunks of a run. `totals`: net, tax and gross in minor units, by currency."""

    chunks: int = 0
    chunks_done: int = 0
    due_done: int = 0
    invoice_count: int = 0
    quiet_count: int = 0
    credit_note_count: int = 0
    line_count: int = 0
    parked_count: int = 0
    totals: dict[str, dict[str, int]] = field(default_factory=dict)


COUNTS = ("invoice_count", "quiet_count", "credit_note_count", "line_count", "parked_count")


def figures(run: BillingRun) -> Figures:
    """What the run has done so far."""
    found = Figures()
    for chunk in BillingChunk.objects.filter(run=run).values("state", "due_count", "totals", *COUNTS):
        found.chunks += 1
        if chunk["state"] == BillingChunk.State.DONE:
            found.chunks_done += 1
            found.due_done += chunk["due_count"]
        for name in COUNTS:
            setattr(found, name, getattr(found, name) + chunk[name])
        add_totals(found.totals, chunk["totals"])
    return found


def close_if_over(run: BillingRun) -> bool:
    """Ends the run if nothing is left, and says whether it goes no further (ended, or held).

    What fell due since it was cut becomes further chunks.
    """
    if BillingChunk.objects.filter(run=run, state=BillingChunk.State.OPEN).exists():
        run.refresh_from_db(fields=["state"])
        return run.state != BillingRun.State.RUNNING
    with transaction.atomic():
        planning.lock(run.company)
        run.refresh_from_db()
        if run.state != BillingRun.State.RUNNING:
            return True
        if BillingChunk.objects.filter(run=run, state=BillingChunk.State.OPEN).exists() or planning.cut_chunks(run):
            return False
        _close(run)
    return True


def _close(run: BillingRun) -> None:
    done = figures(run)
    for name in COUNTS:
        setattr(run, name, getattr(done, name))
    run.parked_count = parking.parked(company=run.company, by_day=run.on).count()
    run.totals = done.totals
    run.state = BillingRun.State.DONE_WITH_PARKED if run.parked_count else BillingRun.State.DONE
    run.ended_at = clock.machine_now()
    run.save()
    at = clock.now(run.company)
    facts = {
        "on": run.on.isoformat(),
        "invoices": run.invoice_count,
        "credit_notes": run.credit_note_count,
        "parked": run.parked_count,
        "totals": dict(sorted(run.totals.items())[:5]),
    }
    trail.audit(
        company_id=run.company_id, at=at, by=Actor.run(run.pk, run.actor_label), verb="billing_run.end",
        subject_kind="run", subject_id=run.pk, facts=facts,
    )  # fmt: skip
    trail.emit(
        company_id=run.company_id, type="billing_run.ended", at=at, subject_kind="run", subject_id=run.pk,
        data={"id": run.ref, "state": run.state, **facts},
    )  # fmt: skip


def release(*, run: BillingRun, by: Actor, at: datetime) -> BillingRun:
    """Lets a held run go on; it is not held again. Refuses `run.not_held`."""
    with transaction.atomic():
        run = BillingRun.objects.select_for_update(of=("self",)).select_related("company").get(pk=run.pk)
        if run.state != BillingRun.State.HELD:
            raise Refused("run.not_held")
        run.state, run.released_at = BillingRun.State.RUNNING, clock.machine_now()
        run.save(update_fields=["state", "released_at"])
        trail.audit(
            company_id=run.company_id, at=at, by=by, verb="billing_run.release", subject_kind="run", subject_id=run.pk,
            facts={"forecast_lines": run.forecast_lines},
        )  # fmt: skip
    return run
