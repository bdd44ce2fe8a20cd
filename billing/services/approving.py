"""Drafts issued: of billing, by a person before their window is over or by a tick after it; and those by hand.

The rule that matters: issuing a draft of billing computes it anew, so what it says is what holds that day; one that
can't be computed stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from billing.models import Invoice
from billing.services import drafting, keeping, windows
from billing.services.loading import lock_customers
from billing.services.settling import settle
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from subscriptions.models import Subscription


class _Stuck(Exception):
    """Subscriptions of the drafts can't be billed: (id, code, detail) of each. Nothing of their customer is touched."""

    def __init__(self, parked: Sequence[tuple[int, str, str]]) -> None:
        super().__init__(parked[0][2] or parked[0][1])
        self.parked = parked

    def note(self, at: datetime) -> None:
        """Takes them out of billing until a person has looked."""
        for subscription_id, code, detail in self.parked:
            keeping.park(subscription_id=subscription_id, code=code, detail=detail, at=at)


@transaction.atomic
def issue(*, invoice: Invoice, at: datetime, by: Actor) -> Invoice:
    """Issues a draft of either kind. Again is a quiet no-op.

    Refuses as `drafting.issue`; `draft.not_issued` where a draft of billing can't be computed anew.
    """
    if invoice.sequence is not None or not invoice.waits_for:
        return drafting.issue(invoice=invoice, at=at, by=by)
    try:
        ids = _approve(invoice.company, invoice.customer_id, [invoice.pk], at=at, by=by)
    except _Stuck as stuck:
        raise Refused("draft.not_issued", detail=str(stuck)) from None
    issued = {row.public_id: row for row in Invoice.objects.filter(pk__in=ids).select_related("customer", "company")}
    if not issued:
        raise Refused("draft.zero")
    # Written under other terms than it was drafted with, it stands under another address.
    return issued.get(invoice.public_id) or next(iter(issued.values()))


def approve(*, company: Company, invoice_ids: Sequence[int], at: datetime, by: Actor) -> list[int]:
    """Issues drafts now, those of billing computed anew: ids of the invoices. One that fails stops no other.

    Refuses nothing; what can't be issued stays a draft.
    """
    rows = Invoice.objects.filter(company=company, pk__in=invoice_ids, sequence__isnull=True)
    by_customer: dict[int, list[Invoice]] = {}
    for invoice in rows.select_related("company").order_by("customer_id", "pk"):
        by_customer.setdefault(invoice.customer_id, []).append(invoice)
    issued: list[int] = []
    for customer_id, drafts in by_customer.items():
        try:
            of_billing = [invoice.pk for invoice in drafts if invoice.waits_for]
            issued += _approve(company, customer_id, of_billing, at=at, by=by)
        except _Stuck as stuck:
            stuck.note(at)
        except Refused:
            continue
        for invoice in drafts:
            if not invoice.waits_for:
                try:
                    issued.append(drafting.issue(invoice=invoice, at=at, by=by).pk)
                except Refused:
                    continue
    return issued


@transaction.atomic
def _approve(company: Company, customer_id: int, invoice_ids: Sequence[int], *, at: datetime, by: Actor) -> list[int]:
    if not invoice_ids:
        return []
    lock_customers(company, [customer_id])
    parked = Subscription.objects.filter(invoice_lines__invoice__in=invoice_ids, parked_at__isnull=False)
    held = list(parked.distinct().values_list("pk", "parked_code", "parked_detail"))
    if held:
        raise _Stuck(held)
    how, last_due = windows.take_back(company, invoice_ids)
    if customer_id not in last_due:
        return []
    how.at_once = True
    outcome = settle(company=company, customer_ids=[customer_id], on=last_due[customer_id], at=at, by=by, how=how)
    if outcome.parked:
        raise _Stuck(outcome.parked)
    return outcome.invoice_ids


@ticks.tick("billing.drafts", order=23, every=timedelta(minutes=15))
def issue_due(company: Company, at: datetime) -> dict[str, Any]:
    """Issues the drafts whose window is over; those whose VAT id is still unchecked `vat_waits` issues and tells."""
    due = Invoice.objects.filter(company=company, sequence__isnull=True, issue_after_at__lte=at).exclude(waits_for="")
    due = due.exclude(waits_for=Invoice.WaitsFor.VAT_CHECK, customer__vat_state="pending")
    ids = list(due.values_list("pk", flat=True))
    return {"invoices": len(approve(company=company, invoice_ids=ids, at=at, by=Actor.system("Approval window")))}
