"""Drafts issued: of billing, by a person before their window is over or by a tick after it; and those by hand.

The rule that matters: issuing a draft of billing computes it anew, so what it says is what holds that day; one that
can't be computed stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy

from billing.models import Invoice
from billing.services import drafting, keeping, signing, windows
from billing.services.loading import lock_customers
from billing.services.running.halving import in_halves
from billing.services.settling import settle
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from subscriptions.models import Subscription

#: Customers whose drafts are issued in one transaction.
BATCH = 500


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
        ids = _approve(invoice.company, [invoice.customer_id], [invoice.pk], at=at, by=by)
    except _Stuck as stuck:
        raise Refused("draft.not_issued", detail=str(stuck)) from None
    issued = {row.public_id: row for row in Invoice.objects.filter(pk__in=ids).select_related("customer", "company")}
    if not issued:
        raise Refused("draft.zero")
    # Written under other terms than it was drafted with, it stands under another address.
    return issued.get(invoice.public_id) or next(iter(issued.values()))


@dataclass(slots=True)
class Issued:
    """What came of many: ids of the invoices, and each draft that was left with the reason."""

    invoice_ids: list[int] = field(default_factory=list)
    skipped: list[tuple[Invoice, Refused]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class IssuedPreview:
    """What issuing many would come to; by currency the number of invoices and their gross sum in minor units."""

    totals: dict[str, tuple[int, int]]
    skipped: list[tuple[Invoice, Refused]]
    token: str


def issue_many(
    *, company: Company, invoice_ids: Sequence[int], at: datetime, by: Actor, preview_token: str | None = None
) -> Issued:
    """Issues drafts now, those of billing computed anew. One that fails stops no other: it stays a draft, with why.

    Refuses `preview.differs` alone.
    """
    if preview_token is None:
        return _issue_many(company, invoice_ids, at=at, by=by)
    with transaction.atomic():
        outcome = _issue_many(company, invoice_ids, at=at, by=by)
        signing.check(preview_token, _seen(outcome).token)
    return outcome


def preview_many(*, company: Company, invoice_ids: Sequence[int], at: datetime, by: Actor) -> IssuedPreview:
    """What `issue_many` would do: the very act, taken back."""
    with transaction.atomic():
        try:
            return _seen(_issue_many(company, invoice_ids, at=at, by=by))
        finally:
            transaction.set_rollback(True)


def _seen(outcome: Issued) -> IssuedPreview:
    totals: dict[str, tuple[int, int]] = {}
    # Preview and act write other rows: their figures are in an order of their own.
    rows = Invoice.objects.filter(pk__in=outcome.invoice_ids)
    figures = sorted(rows.values_list("customer_id", "currency", "net_minor", "tax_minor", "gross_minor"))
    for _, currency, _, _, gross in figures:
        count, sum_ = totals.get(currency, (0, 0))
        totals[currency] = (count + 1, sum_ + gross)
    left = sorted((str(invoice.public_id), refused.code) for invoice, refused in outcome.skipped)
    return IssuedPreview(dict(sorted(totals.items())), outcome.skipped, signing.signed("drafts", [figures, left]))


def approve(*, company: Company, invoice_ids: Sequence[int], at: datetime, by: Actor) -> list[int]:
    """Issues drafts now, as `issue_many`: ids of the invoices. Refuses nothing; what can't be issued stays a draft."""
    return issue_many(company=company, invoice_ids=invoice_ids, at=at, by=by).invoice_ids


def _issue_many(company: Company, invoice_ids: Sequence[int], *, at: datetime, by: Actor) -> Issued:
    outcome = Issued()
    rows = Invoice.objects.filter(company=company, pk__in=invoice_ids, sequence__isnull=True)
    of_billing: dict[int, list[Invoice]] = {}
    by_hand: list[Invoice] = []
    for invoice in rows.select_related("company", "customer").order_by("customer_id", "pk"):
        if invoice.waits_for:
            of_billing.setdefault(invoice.customer_id, []).append(invoice)
        else:
            by_hand.append(invoice)

    def attempt(customer_ids: Sequence[int]) -> None:
        drafts = [invoice.pk for customer_id in customer_ids for invoice in of_billing[customer_id]]
        outcome.invoice_ids.extend(_approve(company, customer_ids, drafts, at=at, by=by))

    def give_up(customer_id: int, error: Exception) -> None:
        if isinstance(error, _Stuck):
            error.note(at)
        why = error if isinstance(error, Refused) else Refused("draft.not_issued", detail=str(error))
        outcome.skipped.extend((invoice, why) for invoice in of_billing.pop(customer_id))

    for invoice in by_hand:
        try:
            outcome.invoice_ids.append(drafting.issue(invoice=invoice, at=at, by=by).pk)
        except Refused as refused:
            outcome.skipped.append((invoice, refused))
    # Settled up to one day together; most drafts of a run share theirs.
    by_day: dict[date, list[int]] = {}
    for customer_id, drafts in of_billing.items():
        by_day.setdefault(max(invoice.charge_due_on for invoice in drafts), []).append(customer_id)
    for _, customer_ids in sorted(by_day.items()):
        for start in range(0, len(customer_ids), BATCH):
            part = customer_ids[start : start + BATCH]
            in_halves(part, attempt, give_up, splits=lambda error: isinstance(error, _Stuck | Refused))
    served = set(Invoice.objects.filter(pk__in=outcome.invoice_ids).values_list("customer_id", flat=True))
    for customer_id, drafts in of_billing.items():
        if customer_id not in served:
            outcome.skipped.extend((invoice, Refused("draft.zero")) for invoice in drafts)
    return outcome


@transaction.atomic
def _approve(
    company: Company, customer_ids: Sequence[int], invoice_ids: Sequence[int], *, at: datetime, by: Actor
) -> list[int]:
    """Issues these customers' drafts of billing, all or none, settled up to the last of their due days."""
    lock_customers(company, customer_ids)
    parked = Subscription.objects.filter(invoice_lines__invoice__in=invoice_ids, parked_at__isnull=False)
    held = list(parked.distinct().values_list("pk", "parked_code", "parked_detail"))
    if held:
        raise _Stuck(held)
    how, last_due = windows.take_back(company, invoice_ids)
    if not last_due:
        return []
    how.at_once = True
    outcome = settle(company=company, customer_ids=list(last_due), on=max(last_due.values()), at=at, by=by, how=how)
    if outcome.parked:
        raise _Stuck(outcome.parked)
    return outcome.invoice_ids


@ticks.tick(
    "billing.drafts", order=23, every=timedelta(minutes=15), title=gettext_lazy("Approval window"),
    text=gettext_lazy("Issues drafts whose approval window is over."),
)  # fmt: skip
def issue_due(company: Company, at: datetime) -> dict[str, Any]:
    """Issues the drafts whose window is over; those whose VAT id is still unchecked `vat_waits` issues and tells."""
    due = Invoice.objects.filter(company=company, sequence__isnull=True, issue_after_at__lte=at).exclude(waits_for="")
    due = due.exclude(waits_for=Invoice.WaitsFor.VAT_CHECK, customer__vat_state="pending")
    ids = list(due.values_list("pk", flat=True))
    if not ids:
        return {"invoices": 0}
    return {"invoices": len(approve(company=company, invoice_ids=ids, at=at, by=Actor.system("Approval window")))}
