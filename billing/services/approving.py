"""Drafts of billing issued: by a person before their window is over, by a tick after it.

The rule that matters: issuing computes the draft anew, so what it says is what holds that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from billing.models import Invoice
from billing.services import windows
from billing.services.loading import lock_customers
from billing.services.settling import settle
from core.actors import Actor
from core.models import Company
from core.services import ticks


def approve(*, company: Company, invoice_ids: Sequence[int], at: datetime, by: Actor) -> list[int]:
    """Issues drafts of billing now, each computed anew: ids of the invoices. One customer that fails stops no other.

    Refuses nothing; what can't be issued stays a draft (see `settling.settle`).
    """
    rows = Invoice.objects.filter(company=company, pk__in=invoice_ids, sequence__isnull=True).exclude(waits_for="")
    by_customer: dict[int, list[int]] = {}
    for customer_id, invoice_id in rows.order_by("customer_id", "pk").values_list("customer_id", "pk"):
        by_customer.setdefault(customer_id, []).append(invoice_id)
    issued: list[int] = []
    for customer_id, drafts in by_customer.items():
        issued += _approve(company, customer_id, drafts, at=at, by=by)
    return issued


@transaction.atomic
def _approve(company: Company, customer_id: int, invoice_ids: Sequence[int], *, at: datetime, by: Actor) -> list[int]:
    lock_customers(company, [customer_id])
    how, last_due = windows.take_back(company, invoice_ids)
    if customer_id not in last_due:
        return []
    how.at_once = True
    outcome = settle(company=company, customer_ids=[customer_id], on=last_due[customer_id], at=at, by=by, how=how)
    return outcome.invoice_ids


@ticks.tick("billing.drafts", order=23, every=timedelta(minutes=15))
def issue_due(company: Company, at: datetime) -> dict[str, Any]:
    """Issues the drafts whose window is over."""
    due = Invoice.objects.filter(company=company, sequence__isnull=True, issue_after_at__lte=at).exclude(waits_for="")
    ids = list(due.values_list("pk", flat=True))
    return {"invoices": len(approve(company=company, invoice_ids=ids, at=at, by=Actor.system("Approval window")))}
