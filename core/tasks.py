"""Celery's doors into the core: short, safe to run twice, with ids as their only arguments."""

from __future__ import annotations

from celery import shared_task

from core import clock
from core.models import Company
from core.services import jobs, ticks


@shared_task(ignore_result=True, acks_late=True)
def run_job(job_id: int) -> None:
    jobs.work(job_id)


@shared_task(ignore_result=True, acks_late=True)
def run_tick(name: str) -> None:
    """Asks one tick for every live company."""
    for company in Company.objects.filter(is_live=True).order_by("pk"):
        ticks.run_tick(name=name, company=company, at=clock.now(company))
