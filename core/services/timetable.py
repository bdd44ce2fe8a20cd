"""The timetable as people read it: each tick's last and next run, what it did, what went wrong; running it now.

A tick is missed when three of its turns went by without it: then no worker works, or nothing asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core import clock
from core.actors import Actor
from core.models import Company, Job, TickNote, TickRun, User
from core.refusal import Refused
from core.services import jobs, sweeping, ticks, trail
from core.services.jobs import Progress

KIND: Final = "run_tick"
KEPT: Final = timedelta(days=14)
#: Runs of one tick that are kept at most, and failures that are shown.
KEPT_MOST: Final = 500
SHOWN: Final = 5
#: A quick tick may wait a while for a busy worker before anybody worries.
LEAST_PATIENCE: Final = timedelta(minutes=10)
TURNS: Final = 3


@dataclass(slots=True)
class Entry:
    """One tick of one company. `next_at` is None where no clock runs; `late_by` is None unless it is missed."""

    tick: ticks.Tick
    run: TickRun | None
    next_at: datetime | None
    late_by: timedelta | None
    failures: list[TickNote] = field(default_factory=list)

    @property
    def state(self) -> str:
        if self.run is not None and self.run.failures:
            return "failed"
        if self.late_by is not None:
            return "missed"
        return "waiting" if self.run is None else "done"


def patience(tick: ticks.Tick) -> timedelta:
    """How long after its last run a tick is missed."""
    return max(TURNS * tick.every, LEAST_PATIENCE)


def entries(company: Company) -> list[Entry]:
    """Every tick in its order, in two statements."""
    runs = {run.name: run for run in TickRun.objects.filter(company=company)}
    failures: dict[str, list[TickNote]] = {}
    for note in TickNote.objects.filter(company=company, has_failed=True).order_by("-pk")[:200]:
        failures.setdefault(note.name, []).append(note)
    now = clock.machine_now()
    found = []
    for tick in ticks.all_ticks():
        run = runs.get(tick.name)
        found.append(
            Entry(
                tick=tick,
                run=run,
                next_at=_next(company, tick, run, now),
                late_by=_late(company, tick, run, now),
                failures=failures.get(tick.name, [])[:SHOWN],
            )
        )
    return found


def _next(company: Company, tick: ticks.Tick, run: TickRun | None, now: datetime) -> datetime | None:
    if not company.is_live:
        return None
    return now if run is None else max(run.ended_at + tick.every, now)


def _late(company: Company, tick: ticks.Tick, run: TickRun | None, now: datetime) -> timedelta | None:
    if not company.is_live:
        return None
    since = (company.created_at if run is None else run.ended_at) + tick.every
    late = now - since
    return late if late > patience(tick) - tick.every else None


def missed(company: Company) -> list[Entry]:
    """The ticks that nobody has asked for three turns."""
    return [entry for entry in entries(company) if entry.late_by is not None]


def overdue(now: datetime) -> Q:
    """The runs whose tick is missed at this instant of the machine's clock."""
    found = Q(pk__in=[])
    for tick in ticks.all_ticks():
        found |= Q(name=tick.name, ended_at__lt=now - patience(tick))
    return found


#: Figures that ticks give, in words.
_FIGURES: Final[dict[str, str | Promise]] = {
    "runs": _("runs"),
    "queued": _("queued"),
    "invoices": _("invoices"),
    "opened": _("opened"),
    "closed": _("closed"),
    "steps": _("steps"),
    "failed": _("failed"),
    "attempts": _("attempts"),
    "sent": _("sent"),
    "looked": _("looked up"),
    "fetched": _("fetched"),
    "routed": _("routed"),
    "expired": _("expired"),
    "ended": _("ended"),
    "files": _("files"),
    "let_go": _("let go"),
    "taken": _("taken"),
    "credited": _("credited"),
    "passed": _("passed"),
    "asked": _("asked"),
    "answered": _("answered"),
    "unchecked": _("unchecked"),
    "credits": _("credits"),
    "forgotten": _("forgotten"),
    "payments": _("payments"),
    "started": _("started"),
    "renewed": _("renewed"),
    "converted": _("converted"),
    "raised": _("raised"),
    "resolved": _("resolved"),
    "mails": _("mails"),
    "tasks": _("tasks"),
    "matched": _("matched"),
    "suggested": _("suggested"),
    "tried": _("tried again"),
    "billed": _("billed"),
    "parked": _("parked"),
    "canceled": _("canceled"),
}


def words(outcome: dict[str, Any]) -> str:
    """What a run did, in a few words; empty when there was nothing to do.

    >>> words({"invoices": 3, "failed": 0})
    'invoices: 3'
    """
    if "error" in outcome:
        return str(outcome["error"])
    said = []
    for name, value in outcome.items():
        count = len(value) if isinstance(value, list | dict) else value
        if count:
            said.append(f"{_FIGURES.get(name, name.replace('_', ' '))}: {count}")
    return ", ".join(said)


def run_now(*, company: Company, name: str, user: User | None, by: Actor, at: datetime) -> Job:
    """Asks a tick now, as a job with a page; while one waits or runs, that one is the answer."""
    if ticks.find(name) is None:
        known = ", ".join(tick.name for tick in ticks.all_ticks())
        raise Refused("field.choice", field="name", value=name[:80], choices=known)
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        under_way = Job.objects.filter(
            company=company, kind=KIND, params__tick=name, state__in=[Job.State.WAITING, Job.State.RUNNING]
        ).first()
        if under_way is not None:
            return under_way
        job = jobs.start(company_id=company.pk, name=KIND, params={"tick": name}, user=user)
        trail.audit(
            company_id=company.pk, at=at, by=by, verb="tick.run", subject_kind="job", subject_id=job.pk,
            facts={"tick": name},
        )  # fmt: skip
    return job


@jobs.kind(KIND)
def work(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `tick`, its name."""
    company = Company.objects.get(pk=job.company_id)
    progress.set(total=1)
    outcome = ticks.run_tick(name=job.params["tick"], company=company, at=clock.now(company))
    progress.set(done=1)
    progress.say(words(outcome) or "-")
    return {name: value for name, value in outcome.items() if value}


_older: Final = sweeping.rows(TickNote, at="ended_at")


def forget(company: Company, before: datetime, limit: int) -> int:
    """Drops a portion of the notes older than an instant; where none is, what is beyond the last 500 of a tick."""
    return _older(company, before, limit) or sum(_beyond(company, name) for name in _crowded(company))


def _crowded(company: Company) -> Iterable[str]:
    rows = TickNote.objects.filter(company=company).values("name").annotate(n=Count("pk")).filter(n__gt=KEPT_MOST)
    return [row["name"] for row in rows.order_by("name")]


def _beyond(company: Company, name: str) -> int:
    rows = TickNote.objects.filter(company=company, name=name)
    last_kept = rows.order_by("-pk").values_list("pk", flat=True)[KEPT_MOST - 1]
    gone, _by = rows.filter(pk__lt=last_kept).delete()
    return gone


sweeping.log("notes", kept=lambda: KEPT, portion=forget)
