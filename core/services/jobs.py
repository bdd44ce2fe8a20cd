"""Long work with a row of its own. A kind registers its function; a lost job is resumed by a tick.

The function gets the job and a `Progress`; it must be able to go on where an earlier try stopped.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core import clock
from core.fault_points import point
from core.models import Company, Job, User
from core.services import sweeping, ticks

JobFunction = Callable[["Job", "Progress"], dict[str, Any]]
_kinds: dict[str, JobFunction] = {}
SILENCE = timedelta(minutes=3)
#: A job that waits for longer has lost its message, or all workers are busy; another message does no harm.
OVERLOOKED = timedelta(seconds=30)


def kind(name: str) -> Callable[[JobFunction], JobFunction]:
    """Registers the function that does jobs of this kind; it returns the result shown on the job's page."""

    def register(function: JobFunction) -> JobFunction:
        _kinds[name] = function
        return function

    return register


class Progress:
    """How a job says how far it is. Every call is also its sign of life."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def set(self, **counts: int) -> None:
        """Sets any of total, done, skipped, failed."""
        Job.objects.filter(pk=self.job.pk).update(beat_at=clock.machine_now(), **counts)
        for name, value in counts.items():
            setattr(self.job, name, value)

    def say(self, line: str) -> None:
        """Adds a line to the log."""
        self.job.log = (self.job.log + line + "\n")[-100_000:]
        Job.objects.filter(pk=self.job.pk).update(log=self.job.log, beat_at=clock.machine_now())


def start(*, company_id: int, name: str, params: Mapping[str, Any], user: User | None) -> Job:
    """Writes the job and wakes a worker once the transaction is through."""
    if name not in _kinds:
        raise LookupError(f"job kind {name!r} is unknown")
    job = Job.objects.create(company_id=company_id, kind=name, params=dict(params), requested_by=user)
    transaction.on_commit(lambda: _wake(job.pk))
    return job


def _wake(job_id: int) -> None:
    from core.tasks import run_job  # the task imports this module

    with contextlib.suppress(Exception):  # without a broker the tick finds the job
        run_job.delay(job_id)


def work(job_id: int) -> Job | None:
    """Does a waiting or silent job; None when somebody else is at it or it is over."""
    at = clock.machine_now()
    with transaction.atomic():
        job = (
            Job.objects.select_for_update(skip_locked=True)
            .filter(pk=job_id, state__in=[Job.State.WAITING, Job.State.RUNNING])
            .filter(Q(state=Job.State.WAITING) | Q(beat_at__lt=at - SILENCE))
            .first()
        )
        if job is None:
            return None
        job.state, job.beat_at = Job.State.RUNNING, at
        job.started_at = job.started_at or at
        job.save(update_fields=["state", "beat_at", "started_at"])
    progress = Progress(job)
    try:
        point("job.begun")
        job.result = _kinds[job.kind](job, progress)
        job.state = Job.State.DONE
    except Exception as error:  # noqa: BLE001  the job's page shows it
        progress.say("".join(traceback.format_exception_only(error)).strip())
        job.result = {**job.result, "error": f"{type(error).__name__}: {error}"[:1000]}
        job.state = Job.State.FAILED
    job.ended_at = clock.machine_now()
    job.save(update_fields=["state", "result", "ended_at"])
    return job


def wake_lost(company: Company) -> int:
    """Wakes workers for the company's jobs that nobody works on: their message or their worker is gone; how many."""
    at = clock.machine_now()
    lost = Job.objects.filter(
        Q(state=Job.State.WAITING, created_at__lt=at - OVERLOOKED)
        | Q(state=Job.State.RUNNING, beat_at__lt=at - SILENCE),
        company=company,
    )
    ids = list(lost.order_by("pk").values_list("pk", flat=True))
    for job_id in ids:
        _wake(job_id)
    return len(ids)


@ticks.tick(
    "core.jobs", order=97, every=timedelta(minutes=2), title=_("Long work"),
    text=_("Wakes workers for long work that nobody is at, since its message or its worker was lost."),
    about_now=True, everywhere=True,
)  # fmt: skip
def wake_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Jobs that nobody works on, of test companies, too."""
    woken = wake_lost(company)
    return {"woken": woken} if woken else {}


# What a job did stands where it did it. One that wrote a file goes with it, by the room whose file it is.
_OVER = Q(state__in=[Job.State.DONE, Job.State.FAILED, Job.State.CANCELED]) & ~Q(result__has_key="file")
sweeping.log("jobs", kept=sweeping.days_of("WORK_LOG_DAYS"), portion=sweeping.rows(Job, at="ended_at", over=_OVER))
