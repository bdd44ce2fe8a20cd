"""Advancing a test company's clock as a job: day by day, asking every tick; it goes on where an earlier try stopped."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.models import Company, Job, User
from core.refusal import Refused
from core.services import jobs, ticks
from core.services.jobs import Progress
from pricing.periods import add_months

KIND = "advance_clock"


#: No job moves a clock further at once.
MOST_DAYS = 3660


def start(*, company: Company, months: int = 1, to: datetime | None = None, user: User | None) -> Job:
    """A job that moves the clock on: to an instant, or by so many months to the same day and time.

    While one is under way it is that one. Refuses live companies, steps back (`company.clock_goes_forward`) and
    steps of more than ten years (`company.clock_too_far`).
    """
    if company.is_live or company.clock_at is None:
        raise Refused("company.clock_is_real")
    if to is not None and to < company.clock_at:
        raise Refused("company.clock_goes_forward", field="to", now=company.clock_at)
    if to is not None and (to - company.clock_at).days > MOST_DAYS:
        raise Refused("company.clock_too_far", field="to", days=MOST_DAYS)
    under_way = Job.objects.filter(company=company, kind=KIND, state__in=[Job.State.WAITING, Job.State.RUNNING]).first()
    if under_way is not None:
        return under_way
    if to is None:
        day = add_months(company.clock_at.date(), months)
        to = datetime.combine(day, company.clock_at.timetz())
    return jobs.start(company_id=company.pk, name=KIND, params={"to": to.isoformat()}, user=user)


@jobs.kind(KIND)
def work(job: Job, progress: Progress) -> dict[str, Any]:
    """The days one after another; what is behind is not asked again."""
    company = Company.objects.get(pk=job.company_id)
    to = datetime.fromisoformat(job.params["to"])
    assert company.clock_at is not None
    days = max((to - company.clock_at).days, 0)
    progress.set(total=job.total or days)
    gone = (job.total or 0) - days

    def told(moment: datetime) -> None:
        nonlocal gone
        gone += 1
        progress.set(done=gone)
        progress.say(f"{moment.date().isoformat()}")

    if to > company.clock_at:
        ticks.advance(company=company, to=to, told=told)
    return {"clock_at": to.isoformat()}
