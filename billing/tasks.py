"""Celery's doors into the billing run, its ticks, and the job behind the staff page.

The rule that matters: a message carries the id of a chunk and nothing else; a lost one is made up for by a tick.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from celery import current_task, shared_task
from django.utils.translation import gettext_lazy as _

from billing.models import BillingChunk, BillingRun
from billing.services import running
from core import clock
from core.actors import Actor
from core.models import Company, Job
from core.refusal import Refused
from core.services import jobs, ticks
from core.services.jobs import Progress

EVERY = timedelta(minutes=15)
WAKE_EVERY = timedelta(minutes=2)
RETRY_EVERY = timedelta(hours=1)
#: A chunk nobody has begun for so long is put into the queue again.
LOST = timedelta(minutes=3)
#: Seconds a job works on a run itself; after them the chunks go on by their own messages.
JOB_SECONDS = 480
KIND = "billing_run"


@shared_task(ignore_result=True, acks_late=True)
def bill_chunk(chunk_id: int) -> None:
    """Bills a chunk; safe to run twice, and by two workers at once."""
    step = running.bill_one(chunk_id)
    if step is running.Step.BUSY:
        bill_chunk.apply_async((chunk_id,), countdown=5)
    elif step is running.Step.DONE:
        run = BillingRun.objects.select_related("company").get(chunks=chunk_id)
        if not running.close_if_over(run):
            wake([run])


def wake(runs: Iterable[BillingRun]) -> int:
    """Puts open chunks that no message is under way for into the queue; how many. Without a broker: none."""
    count = 0
    for run in runs:
        at = clock.machine_now()
        chunks = BillingChunk.objects.filter(run=run, state=BillingChunk.State.OPEN)
        for chunk_id in (
            chunks.exclude(queued_at__gt=at - LOST).order_by("first_customer_id").values_list("pk", flat=True)
        ):
            # Noted first: a worker may be done with it before the next line.
            if BillingChunk.objects.filter(pk=chunk_id).exclude(queued_at__gt=at - LOST).update(queued_at=at):
                try:
                    bill_chunk.delay(chunk_id)
                except Exception:  # noqa: BLE001  a tick puts it there again
                    BillingChunk.objects.filter(pk=chunk_id).update(queued_at=None)
                    return count
                count += 1
    return count


def _work_off(runs: list[BillingRun]) -> dict[str, Any]:
    """Within a Celery worker the chunks go to all workers; elsewhere they are worked off here and now.

    So are those of a test company: its clock waits for the day's work before it moves on.
    """
    if current_task and not current_task.request.called_directly and all(run.company.clock_at is None for run in runs):
        return {"runs": [run.ref for run in runs], "queued": wake(runs)} if runs else {}
    invoices = sum(running.work(run).invoice_count for run in runs)
    return {"runs": [run.ref for run in runs], "invoices": invoices} if runs else {}


@ticks.tick(
    "billing.run", order=20, every=EVERY, title=_("Daily billing run"),
    text=_("Goes on with unfinished billing runs and bills everything that falls due today, in each time zone."),
)  # fmt: skip
def run_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Goes on with unfinished runs and starts today's, in each time zone."""
    return _work_off(running.continue_due(company=company, at=at, by=Actor.system("Daily billing run")))


@ticks.tick(
    "billing.unpark", order=21, every=RETRY_EVERY, title=_("Parked subscriptions"),
    text=_("Tries again to bill what was parked."),
)  # fmt: skip
def unpark_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Tries again what billing had parked."""
    return dict(running.retry_parked(company=company, at=at, by=Actor.system("Parked subscriptions")))


@ticks.tick(
    "billing.wake", order=22, every=WAKE_EVERY, title=_("Billing in pieces"),
    text=_("Queues pieces of a billing run that nobody works on and ends runs that are over."),
)  # fmt: skip
def wake_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Queues chunks whose message was lost, and ends runs that are over."""
    runs = [
        run
        for run in running.unfinished(company=company)
        if run.state == BillingRun.State.RUNNING and not running.close_if_over(run)
    ]
    return _work_off(runs)


def ask_for_run(
    *, company: Company, on: date, notify_since: date | None = None, dry_run: bool = False, user: Any
) -> Job:
    """The staff page's way to a run: a job that works it off with the other workers and shows how far it is."""
    params = {
        "on": on.isoformat(),
        "notify_since": notify_since.isoformat() if notify_since else None,
        "dry_run": dry_run,
    }
    return jobs.start(company_id=company.pk, name=KIND, params=params, user=user)


@jobs.kind(KIND)
def billing_run(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `on` (ISO), `notify_since` (ISO or none), `dry_run`. The result names the run and its figures."""
    company = Company.objects.get(pk=job.company_id)
    user = job.requested_by
    common: dict[str, Any] = {
        "company": company,
        "on": date.fromisoformat(job.params["on"]),
        "notify_since": date.fromisoformat(job.params["notify_since"]) if job.params.get("notify_since") else None,
        "by": Actor.of_user(user) if user is not None else Actor.system("billing run"),
        "at": clock.now(company),
    }
    if job.params.get("dry_run"):
        shown = running.rehearse(
            **common, told=lambda so_far: progress.set(total=so_far.forecast_lines, done=so_far.done.line_count)
        )
        return {"dry_run": True, "due": shown.due_count, **_plain(shown.done), "parked": shown.parked[:1000]}
    try:
        run = running.start(**common)
    except Refused as refused:
        return {"refused": refused.code, "words": refused.message}
    if run is None:
        return {"due": 0}
    wake([run])
    deadline = time.monotonic() + JOB_SECONDS
    while time.monotonic() < deadline:
        step = running.bill_next(run)
        done = running.figures(run)
        progress.set(total=run.forecast_lines, done=done.line_count, failed=done.parked_count)
        if step is running.Step.HELD or (step is running.Step.NONE and running.close_if_over(run)):
            break
        if step is not running.Step.DONE:
            time.sleep(0.5)
    run.refresh_from_db()
    return {"run": run.ref, "state": run.state, "due": run.due_count, **_plain(running.figures(run))}


def _plain(done: running.Figures) -> dict[str, Any]:
    return {
        "invoices": done.invoice_count,
        "quiet": done.quiet_count,
        "credit_notes": done.credit_note_count,
        "lines": done.line_count,
        "parked_count": done.parked_count,
        "totals": done.totals,
    }
