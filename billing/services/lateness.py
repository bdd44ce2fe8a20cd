"""What a customer owes late: open after its due day, since when it counts, and what forbids to ask for it now.

The rule that matters: `late` is a property of the invoice, read again whenever somebody acts on it; it is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db.models import Exists, OuterRef, QuerySet

from billing.models import (
    Allocation,
    Attempt,
    DunningCase,
    Invoice,
    InvoiceBalance,
    InvoiceLine,
    Reversal,
)
from core import clock
from core.models import Company

Status = InvoiceBalance.Status
#: Why an invoice isn't asked for just now, the gravest first.
DISPUTED: Final = "disputed"
UNKNOWN: Final = "unknown"
REQUIRES_ACTION: Final = "requires_action"
PENDING: Final = "pending"
STOPS: Final = (DISPUTED, UNKNOWN, REQUIRES_ACTION, PENDING)
#: States of an attempt that needs nobody: money is on its way.
UNDER_WAY: Final = sorted(set(Attempt.LIVE) - {Attempt.State.UNKNOWN, Attempt.State.REQUIRES_ACTION})
_OF_STATE: Final[dict[str, str]] = {
    Attempt.State.UNKNOWN: UNKNOWN,
    Attempt.State.REQUIRES_ACTION: REQUIRES_ACTION,
}


@dataclass(frozen=True, slots=True)
class Late:
    """An overdue invoice: what is open on it (minor units), the day dunning counts from, why it isn't asked for."""

    invoice: Invoice
    open_minor: int
    due_on: date
    counts_from_on: date
    stop: str = ""


def of_company(company: Company, on: date) -> QuerySet[InvoiceBalance]:
    """The company's overdue balances that dunning looks at: open after their day, mailed ones only."""
    rows = InvoiceBalance.objects.filter(
        company_id=company.pk, status=Status.OPEN, open_minor__gt=0, payment_due_on__lt=on
    )
    if company.mails_start_on is not None:
        rows = rows.filter(payment_due_on__gte=company.mails_start_on)
    return rows


def being_paid() -> Exists:
    """For balances: a payment of the invoice is under way, and nobody has anything to do."""
    return Exists(Attempt.objects.filter(invoice_id=OuterRef("invoice_id"), state__in=UNDER_WAY))


def read(company: Company, customer_id: int, currency: str, on: date) -> list[Late]:
    """The customer's overdue invoices in a currency, oldest first; those given up before are left out."""
    rows = of_company(company, on).filter(customer_id=customer_id, currency=currency)
    balances = list(rows.select_related("invoice").order_by("payment_due_on", "invoice_id"))
    if not balances:
        return []
    ids = [balance.invoice_id for balance in balances]
    reopened = reopened_on(balances)
    stops = stops_of(ids)
    given_up = given_up_on(company, customer_id, currency)
    found: list[Late] = []
    for balance in balances:
        opened_again = reopened.get(balance.invoice_id, date.min)
        counts_from = max(balance.payment_due_on, opened_again)
        # What was due on that very day was not late yet.
        if given_up is not None and balance.payment_due_on < given_up and opened_again <= given_up:
            continue
        found.append(
            Late(
                balance.invoice, balance.open_minor, balance.payment_due_on, counts_from,
                stops.get(balance.invoice_id, ""),
            )
        )  # fmt: skip
    return sorted(found, key=lambda late: (late.counts_from_on, late.invoice.pk))


def reopened_on(balances: Sequence[InvoiceBalance]) -> dict[int, date]:
    """Of invoices that had been paid and whose money was taken back: the last day that happened."""
    ids = [balance.invoice_id for balance in balances]
    taken = Allocation.objects.filter(invoice_id__in=ids, amount_minor__lt=0)
    touched = set(taken.values_list("invoice_id", flat=True))
    if not touched:
        return {}
    others = {balance.invoice_id: balance.gross_minor - balance.settled_by_credit_notes_minor for balance in balances}
    paid = dict.fromkeys(touched, 0)
    found: dict[int, date] = {}
    rows = Allocation.objects.filter(invoice_id__in=touched).order_by("pk")
    for invoice_id, minor, day in rows.values_list("invoice_id", "amount_minor", "allocated_on"):
        if minor < 0 and paid[invoice_id] >= others[invoice_id]:
            found[invoice_id] = day
        paid[invoice_id] += minor
    return found


def stops_of(invoice_ids: Sequence[int]) -> dict[int, str]:
    """Which of the invoices must not be asked for now: disputed, or a payment under way."""
    found: dict[int, str] = {}
    alive = Attempt.objects.filter(invoice_id__in=invoice_ids, state__in=Attempt.LIVE)
    for invoice_id, state in alive.values_list("invoice_id", "state"):
        found[invoice_id] = _OF_STATE.get(state, PENDING)
    for invoice_id in disputed(invoice_ids):
        found[invoice_id] = DISPUTED
    return found


def disputed(invoice_ids: Sequence[int]) -> set[int]:
    """The invoices whose money an open dispute took back."""
    open_ones = Reversal.objects.filter(kind=Reversal.Kind.DISPUTE, state=Reversal.State.OPEN)
    rows = Allocation.objects.filter(invoice_id__in=invoice_ids, amount_minor__lt=0)
    return set(rows.filter(payment__in=open_ones.values("payment_id")).values_list("invoice_id", flat=True))


def given_up_on(company: Company, customer_id: int, currency: str) -> date | None:
    """The last day on which a case of theirs was given up; what was late by then starts no other."""
    rows = DunningCase.objects.filter(customer_id=customer_id, currency=currency, state=DunningCase.State.GIVEN_UP)
    last = rows.order_by("-pk").values_list("closed_at", flat=True).first()
    return None if last is None else clock.day_in(last, company.time_zone)


def subscriptions_of(invoice_ids: Sequence[int]) -> list[int]:
    """The subscriptions these invoices bill, in order."""
    rows = InvoiceLine.objects.filter(invoice_id__in=invoice_ids, subscription__isnull=False)
    return sorted(set(rows.values_list("subscription_id", flat=True)))
