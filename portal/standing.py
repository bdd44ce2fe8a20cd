"""What the pages say about agreements and documents: prices in words, states as a customer understands them.

Everything here is read from rows that verbs wrote; nothing is computed that a verb would compute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import F, Prefetch, QuerySet
from django.utils.translation import get_language

from billing.documents import price_words
from billing.documents.explaining import explain
from billing.documents.figures import Figures
from billing.models import Credit, Invoice, InvoiceBalance, Refund
from billing.services import receivables
from billing.services.previews import PreviewLine
from catalog.services.texts import in_language
from portal.access import Visitor
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import terms

OVER = (Subscription.State.CANCELED, Subscription.State.EXPIRED)


@dataclass(frozen=True, slots=True)
class Position:
    """A recurring position as it is agreed on a day: what, how many, for how much."""

    name: str
    quantity: str
    price: str
    """With currency and interval: "€49.00 per month"; of tiers the interval alone."""
    rows: list[str]
    """What else makes the price: tiers, packages, shares, a minimum."""
    counts: bool
    """Whether the quantity matters: a flat price has none."""


def positions(subscription: Subscription, on: date) -> list[Position]:
    """Its positions on that day, else as they begin; removed ones left out; needs the slots of `with_positions`."""
    language = get_language() or "en"
    figures = Figures(language, subscription.currency)
    shown = []
    for slot in subscription.slots.all():
        rows = list(slot.terms.all())
        if not rows:
            continue
        agreed = next((row for row in reversed(rows) if row.from_on <= on), rows[0])
        if agreed.standing == SlotTerms.Standing.REMOVED:
            continue
        unit = in_language(slot.meter.unit_name, language, subscription.company.language) if slot.meter else None
        interval = f"{agreed.interval_count} {agreed.interval_unit}"
        shown.append(
            Position(
                name=in_language(slot.product.name, language, subscription.company.language),
                quantity=figures.quantity(str(agreed.quantity)),
                price=price_words.amount_of(agreed, subscription.currency, interval=interval, unit=unit),
                rows=price_words.rows_of(agreed, subscription.currency),
                counts=slot.kind == Slot.Kind.RECURRING and agreed.model != "flat" and agreed.quantity != 1,
            )
        )
    return shown


def with_positions(visitor: Visitor) -> Any:
    """The customer's subscriptions with what `positions` reads and what is planned for them."""
    slots = Slot.objects.select_related("product", "meter").prefetch_related(
        Prefetch("terms", SlotTerms.objects.order_by("from_on"))
    )
    planned = Change.objects.filter(status=Change.Status.PLANNED).select_related("plan__company")
    return visitor.subscriptions.select_related("plan", "company").prefetch_related(
        Prefetch("slots", slots), Prefetch("changes", planned.order_by("effective_on", "pk"), to_attr="changes_to_come")
    )


def running(rows: Iterable[Subscription]) -> list[Subscription]:
    return [row for row in rows if row.state not in OVER]


def ended(rows: Iterable[Subscription]) -> list[Subscription]:
    return [row for row in rows if row.state in OVER]


def state_of(subscription: Subscription) -> str:
    """The state a customer is shown: one that is canceled and still runs says so."""
    if subscription.state not in OVER and subscription.end_kind == Subscription.EndKind.CANCEL:
        return "canceling"
    return subscription.state


def may_cancel(visitor: Visitor, subscription: Subscription) -> bool:
    """Whether the button stands there: an owner, a plan that allows it, and no end agreed by cancellation yet."""
    allowed = subscription.plan is None or subscription.plan.customer_may_cancel
    return "cancel" in visitor.rights and allowed and state_of(subscription) not in ("canceling", *OVER)


def may_undo(visitor: Visitor, subscription: Subscription, on: date) -> bool:
    """A planned end can be taken back through its last day."""
    planned = state_of(subscription) == "canceling" and subscription.ends_on is not None and subscription.ends_on >= on
    return "cancel" in visitor.rights and planned


def clock_lines(subscription: Subscription, on: date) -> list[dict[str, str]]:
    """The contract clock in sentences, as `parts/clock.html` draws them."""
    answer = terms.contract_clock_of(subscription, on=on)
    icons = ["calendar-clock", *["info"] * 8]
    return [{"text": text, "icon": icon} for text, icon in zip(terms.in_words(answer), icons, strict=False)]


def invoice_state(balance: InvoiceBalance, on: date) -> str:
    """The state a customer is shown: late and partly paid are open ones."""
    if balance.status != InvoiceBalance.Status.OPEN:
        return str(balance.status)
    if balance.payment_due_on < on:
        return "overdue"
    return "open" if balance.open_minor == balance.gross_minor else "partly_paid"


def open_invoices(visitor: Visitor) -> list[Invoice]:
    """What is to be paid, oldest due first."""
    rows = visitor.invoices.filter(balance__status=InvoiceBalance.Status.OPEN, balance__open_minor__gt=0)
    return list(rows.order_by("balance__payment_due_on", "id"))


def totals(invoices: Iterable[Invoice]) -> list[tuple[int, str]]:
    """Open sums by currency."""
    sums: dict[str, int] = {}
    for invoice in invoices:
        sums[invoice.currency] = sums.get(invoice.currency, 0) + invoice.balance.open_minor
    return [(minor, currency) for currency, minor in sorted(sums.items())]


def late(invoices: Iterable[Invoice], on: date) -> list[Invoice]:
    return [invoice for invoice in invoices if invoice.balance.payment_due_on < on]


def credits(visitor: Visitor) -> list[tuple[int, str]]:
    """Account credit left, by currency."""
    balances = receivables.balance_of(visitor.customer)
    return [(one.credit_minor, currency) for currency, one in sorted(balances.items()) if one.credit_minor]


def credit_rows(visitor: Visitor) -> list[Credit]:
    """Granted and prepaid credit that can still be used, in the order it is used."""
    rows = Credit.objects.filter(
        company=visitor.company, customer=visitor.customer, source__in=("granted", "prepaid"), balance__left_minor__gt=0
    )
    rows = rows.exclude(expires_on__lt=visitor.today).select_related("balance")
    return list(rows.order_by("source", F("expires_on").asc(nulls_last=True), "pk"))


def refunds(visitor: Visitor) -> QuerySet[Refund]:
    """Money that went back, or is on its way back; the newest first."""
    rows = Refund.objects.filter(company=visitor.company, customer=visitor.customer)
    return rows.exclude(status__in=[Refund.Status.CANCELED, Refund.Status.FAILED]).order_by("-pk")


def line_in_words(line: PreviewLine, currency: str) -> dict[str, Any]:
    """A line to come: its words, its period, and why it costs that."""
    language = get_language() or "en"
    facts = {
        "calculation": line.calculation,
        "amount": line.amount,
        "period_start": line.period_start,
        "period_end": line.period_end,
    }
    return {
        "description": line.description,
        "period": period(line.period_start, line.period_end, currency),
        "amount_minor": line.amount,
        "why": explain(facts, language, currency=currency),
    }


def period(start: date | None, end: date | None, currency: str) -> str:
    """First to last day of a half-open period; nothing without one."""
    if start is None or end is None:
        return ""
    return Figures(get_language() or "en", currency).period(start, end)
