"""Drafts that wait for the answer about a VAT id: issued as soon as it is there, else after 72 hours as for a consumer.

The rule that matters: nobody waits for ever, and staff hear of every document that was issued unchecked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.models import Invoice
from billing.services import approving
from core.actors import Actor
from core.models import Company
from core.services import ticks, trail
from customers.models import Customer

WAITS = Invoice.WaitsFor.VAT_CHECK


@ticks.tick(
    "billing.vat_waits", order=22, every=timedelta(minutes=15), title=_("Invoices waiting for a VAT id"),
    text=_("Issues invoices as soon as the VAT id is checked or the waiting time is over."),
)  # fmt: skip
def issue_answered(company: Company, at: datetime) -> dict[str, Any]:
    """Issues what need not wait any longer: with the answer's tax, or, unanswered, with a consumer's."""
    by = Actor.system("VAT check")
    waiting = Invoice.objects.filter(company=company, sequence__isnull=True, waits_for=WAITS)
    if not waiting.exists():
        return {}
    pending = Q(customer__vat_state=Customer.VatState.PENDING)
    window = timedelta(hours=company.draft_hours)
    answered = waiting.filter(~pending).order_by("pk")
    # They still have their approval window, counted from when they were written.
    in_window = answered.filter(created_at__gt=at - window)
    in_window.update(waits_for=Invoice.WaitsFor.WINDOW, issue_after_at=F("created_at") + window)
    now = list(answered.values_list("pk", flat=True))
    issued = approving.approve(company=company, invoice_ids=now, at=at, by=by) if now else []
    overdue = list(waiting.filter(pending, issue_after_at__lte=at).order_by("pk").values_list("pk", flat=True))
    unchecked = approving.approve(company=company, invoice_ids=overdue, at=at, by=by) if overdue else []
    _tell(company, unchecked, at=at, by=by)
    return {"answered": len(issued), "unchecked": len(unchecked)} if issued or unchecked else {}


def _tell(company: Company, invoice_ids: list[int], *, at: datetime, by: Actor) -> None:
    """An event and an audit row for each document that was issued as for a consumer though a VAT id was given."""
    for invoice in Invoice.objects.filter(pk__in=invoice_ids).select_related("customer").order_by("pk"):
        data = {
            "id": invoice.ref,
            "number": invoice.number,
            "customer": invoice.customer.ref,
            "vat_state": invoice.customer.vat_state,
        }
        trail.emit(
            company_id=company.pk,
            type="invoice.vat_unchecked",
            at=at,
            subject_kind="invoice",
            subject_id=invoice.pk,
            customer_id=invoice.customer_id,
            data=data,
        )
        trail.audit(
            company_id=company.pk,
            at=at,
            by=by,
            verb="invoice.issue_unchecked",
            subject_kind="invoice",
            subject_id=invoice.pk,
            customer_id=invoice.customer_id,
            facts={"hours": 72},
        )
