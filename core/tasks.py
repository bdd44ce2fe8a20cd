"""Celery's doors into the core: short, safe to run twice, with ids as their only arguments."""

from __future__ import annotations

import os
import time

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import Q, QuerySet

from core import clock
from core.models import Company
from core.services import jobs, ticks

log = structlog.get_logger(__name__)

#: Seconds one task asks companies one after another. The others get tasks of their own, for other workers to take.
TOGETHER = 60
#: Companies above which each gets its own task from the start.
FEW = 10


@shared_task(ignore_result=True, acks_late=True)
def run_job(job_id: int) -> None:
    jobs.work(job_id)


@shared_task(ignore_result=True, acks_late=True)
def run_tick(name: str) -> None:
    """Asks one tick for every live company. An error in one, or a slow one, holds up no other.

    The messages of a fan-out are only a quicker way: one that is lost is made up for by the tick's next turn.
    """
    ids = list(_asked(name).order_by("pk").values_list("pk", flat=True))
    begun = time.monotonic()
    for place, company_id in enumerate(ids):
        if (len(ids) > FEW or time.monotonic() - begun > TOGETHER) and _hand_on(name, ids[place:]):
            return
        try:
            _ask(name, company_id)
        except SoftTimeLimitExceeded:
            _hand_on(name, ids[place + 1 :])
            return


@shared_task(ignore_result=True, acks_late=True)
def run_tick_for(name: str, company_id: int) -> None:
    """Asks one tick for one company."""
    _ask(name, company_id)


def _asked(name: str) -> QuerySet[Company]:
    """Whom a tick is asked for: live companies, all where it looks everywhere, and in a rehearsal of faults the test
    company it is made with."""
    tick = ticks.find(name)
    if tick is not None and tick.everywhere:
        return Company.objects.all()
    rehearsed = os.environ.get("TURNUS_REHEARSED_COMPANY", "")
    return Company.objects.filter(Q(is_live=True) | Q(slug=rehearsed, clock_at__isnull=True))


def _ask(name: str, company_id: int) -> None:
    company = _asked(name).filter(pk=company_id).first()
    if company is None:
        return
    if (ahead := ticks.wrong_clock()) is not None:
        # Others, whose clocks are right, ask it; the doctor and the timetable say that this one doesn't.
        log.error("clock_is_wrong", tick=name, seconds_ahead=round(ahead.total_seconds()))
    else:
        ticks.ask(name=name, company=company, at=clock.now(company), stops_at=(SoftTimeLimitExceeded,))


def _hand_on(name: str, company_ids: list[int]) -> bool:
    """Puts each company's turn into the queue; no, when there is no broker."""
    tick = ticks.find(name)
    expires = max(tick.every.total_seconds(), 60) if tick is not None else 60
    try:
        for company_id in company_ids:
            run_tick_for.apply_async((name, company_id), expires=expires)
    except Exception:  # noqa: BLE001  asked here, one after another, it takes longer and is the same
        return False
    return True
