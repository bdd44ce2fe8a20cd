"""Which days are due where: in each time zone what is due by its own today.

The rule that matters: a subscription's day begins in its own zone; nobody is billed for a day that hasn't begun there.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from billing.models import BillingRun
from billing.services.running import planning
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from subscriptions.models import Subscription

#: Where a day begins first on earth.
_FIRST_ZONE: Final = "Etc/GMT-14"


def days_due(*, company: Company, at: datetime) -> dict[date, list[str]]:
    """Each day that is today somewhere and has something due, with the time zones it is today in.

    One day everywhere, as on most hours of most companies, stands with no zones: all of them.
    """
    rows = Subscription.objects.filter(
        company=company, parked_at__isnull=True, next_bill_on__lte=clock.day_in(at, _FIRST_ZONE)
    )
    days: dict[date, list[str]] = {}
    for zone in sorted(rows.order_by().values_list("time_zone", flat=True).distinct()):
        days.setdefault(clock.day_in(at, zone), []).append(zone)
    if len(days) == 1:
        return {day: [] for day in days}
    return dict(sorted(days.items()))


def continue_due(*, company: Company, at: datetime, by: Actor) -> list[BillingRun]:
    """The unfinished runs of the company and those that are due to be started today, started.

    While one waits for a person none is started.
    """
    runs = [run for run in planning.unfinished(company=company) if run.state == BillingRun.State.RUNNING]
    known = {run.pk for run in runs}
    try:
        for day, zones in days_due(company=company, at=at).items():
            run = planning.start(company=company, on=day, zones=zones, by=by, at=at)
            if run is not None and run.pk not in known:
                runs.append(run)
    except Refused as refused:
        if refused.code != "run.held":
            raise
    return runs
