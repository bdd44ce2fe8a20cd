"""What an act would do: the very act, in a transaction that is rolled back.

The rule that matters: a preview has no arithmetic of its own. Its token signs every amount and day it showed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine
from billing.services import mailing
from billing.services.settling import Settlement, settle
from core import clock
from core.actors import Actor
from customers.models import Customer
from subscriptions.models import Change, Subscription
from subscriptions.services import due, holding

if TYPE_CHECKING:
    from billing.services.acting import ActResult

#: Invoices to come that a preview shows; its token covers them.
SHOWN_NEXT = 3

#: A period can cost nothing and leave no document; so many due days are looked at for each invoice wanted.
LOOK_AHEAD = 14


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """A line as it would stand on the document; amounts in minor units. `period_end`: first day not covered."""

    description: str
    period_start: date | None
    period_end: date | None
    amount: int
    net: int
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    calculation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreviewDocument:
    """An invoice or credit note (`kind`) that would be issued; amounts in minor units. `to_pay`: after credit."""

    kind: str
    currency: str
    lines: list[PreviewLine]
    net: int
    tax: int
    gross: int
    to_pay: int
    due_on: date | None


@dataclass(frozen=True, slots=True)
class Upcoming:
    """An invoice to come, whole, as it would be issued on the day `on` if nothing changes; minor units."""

    on: date
    net: int
    tax: int
    gross: int
    to_pay: int
    currency: str
    lines: list[PreviewLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the act would do. `money_now`: invoices less credit notes, gross, in minor units of `currency`.

    `next`: the invoices after it; they can't know later changes of rates, VAT checks or prices. `mails`: addresses
    that would get a document. `mrr_*`: monthly revenue before, and once the act has taken full effect.
    """

    documents: list[PreviewDocument]
    money_now: int
    currency: str
    next: list[Upcoming]
    mails: list[str]
    mrr_before: int
    mrr_after: int
    ends_on: date | None
    token: str
    change: Change | None = None
    replaced: tuple[Change, ...] = ()


def preview(act: Callable[[], ActResult]) -> Preview:
    """Does the act, looks, and takes everything back. Raises `Refused` where the act would."""
    with transaction.atomic():
        try:
            result = act()
            return _seen(result)
        finally:
            transaction.set_rollback(True)


def _seen(result: ActResult) -> Preview:
    subscription, settlement = result.subscription, result.settlement
    documents = documents_of(settlement)
    sign = {"invoice": 1, "credit_note": -1}
    to_come = upcoming(subscription, SHOWN_NEXT)
    told = Invoice.objects.filter(pk__in=settlement.invoice_ids, notifies=True).exists() or settlement.credit_note_ids
    return Preview(
        documents=documents,
        money_now=sum(sign[document.kind] * document.gross for document in documents),
        currency=subscription.currency,
        next=to_come,
        mails=mailing.recipients_of(subscription.customer) if told else [],
        mrr_before=result.mrr_before,
        mrr_after=result.mrr_after,
        ends_on=subscription.ends_on,
        token=_token(subscription, documents, to_come),
        change=result.change,
        replaced=result.replaced,
    )


def upcoming(subscription: Subscription, count: int = 3) -> list[Upcoming]:
    """The next invoices with charges of this subscription, made by `settle` itself and taken back."""
    with transaction.atomic():
        try:
            return _upcoming(subscription, count, clock.now(subscription.company))
        finally:
            transaction.set_rollback(True)


def _upcoming(subscription: Subscription, count: int, at: datetime) -> list[Upcoming]:
    company, found = subscription.company, list[Upcoming]()
    row = Subscription.objects.filter(pk=subscription.pk, parked_at__isnull=True)
    by = Actor.system("preview")
    for _ in range(count + LOOK_AHEAD if count else 0):
        day = row.values_list("next_bill_on", flat=True).first()
        if day is None or len(found) >= count:
            break
        # All the days wanted at once where they can be told: one settling instead of one a day.
        held = holding.read(subscription)
        day = max([day, *due.days_to_come(held, holding.positions(held), count - len(found))])
        settlement = settle(company=company, customer_ids=[subscription.customer_id], on=day, at=at, by=by)
        written = [*settlement.invoice_ids, *settlement.draft_ids]
        invoices = Invoice.objects.filter(pk__in=written, lines__subscription=subscription)
        for invoice in invoices.select_related("balance").order_by("charge_due_on", "pk").distinct():
            found.append(
                Upcoming(
                    on=invoice.charge_due_on,
                    net=invoice.net_minor,
                    tax=invoice.tax_minor,
                    gross=invoice.gross_minor,
                    to_pay=invoice.balance.open_minor,
                    currency=invoice.currency,
                    lines=_lines(invoice),
                )
            )
        left = row.values_list("next_bill_on", flat=True).first()
        if left is not None and left <= day:
            break
    return found[:count]


def next_of(customer: Customer) -> tuple[date, list[PreviewDocument]] | None:
    """The day something of this customer falls due next, and the documents it would bring; None when nothing will."""
    company, by = customer.company, Actor.system("preview")
    rows = Subscription.objects.filter(
        company=company, customer=customer, next_bill_on__isnull=False, parked_at__isnull=True
    )
    with transaction.atomic():
        try:
            for _ in range(LOOK_AHEAD):
                day = rows.order_by("next_bill_on").values_list("next_bill_on", flat=True).first()
                if day is None:
                    break
                at = clock.now(company)
                settlement = settle(company=company, customer_ids=[customer.pk], on=day, at=at, by=by)
                if settlement.invoice_ids:
                    return day, documents_of(settlement)
        finally:
            transaction.set_rollback(True)
    return None


def documents_of(settlement: Settlement) -> list[PreviewDocument]:
    """What was just written, credit notes first, in order of issue."""
    found = []
    for note in CreditNote.objects.filter(pk__in=settlement.credit_note_ids).order_by("pk"):
        rows = CreditNoteLine.objects.filter(credit_note=note)
        found.append(_document("credit_note", note, [_line(row) for row in rows], note.to_account_minor, None))
    written = [*settlement.invoice_ids, *settlement.draft_ids]
    invoices = Invoice.objects.filter(pk__in=written).select_related("balance").order_by("pk")
    for invoice in invoices:
        found.append(_document("invoice", invoice, _lines(invoice), invoice.balance.open_minor, invoice.payment_due_on))
    return found


def _lines(invoice: Invoice) -> list[PreviewLine]:
    return [_line(row, row.quantity, row.unit_amount) for row in InvoiceLine.objects.filter(invoice=invoice)]


def _document(
    kind: str, row: Invoice | CreditNote, lines: list[PreviewLine], to_pay: int, due_on: date | None
) -> PreviewDocument:
    return PreviewDocument(kind, row.currency, lines, row.net_minor, row.tax_minor, row.gross_minor, to_pay, due_on)


def _line(
    row: InvoiceLine | CreditNoteLine, quantity: Decimal | None = None, unit_amount: Decimal | None = None
) -> PreviewLine:
    return PreviewLine(
        description=row.description,
        period_start=row.period_start,
        period_end=row.period_end,
        amount=row.amount_minor,
        net=row.net_minor,
        quantity=quantity,
        unit_amount=unit_amount,
        calculation=row.calculation,
    )


def token_of(subscription: Subscription, settlement: Settlement) -> str:
    """A signature over what was billed and credited, line by line, over what comes next, and over the planned end."""
    return _token(subscription, documents_of(settlement), upcoming(subscription, SHOWN_NEXT))


def _token(subscription: Subscription, documents: list[PreviewDocument], to_come: list[Upcoming]) -> str:
    figures = [
        [
            document.kind, document.currency, document.net, document.tax, document.gross, document.to_pay,
            str(document.due_on),
            [[str(line.period_start), str(line.period_end), line.amount, line.net] for line in document.lines],
        ]
        for document in documents
    ]  # fmt: skip
    later = [[str(one.on), one.currency, one.net, one.tax, one.gross, one.to_pay] for one in to_come]
    body = json.dumps(
        [
            subscription.company_id,
            subscription.customer_id,
            subscription.currency,
            str(subscription.start_on),
            str(subscription.ends_on),
            subscription.end_unused,
            figures,
            later,
        ],
        separators=(",", ":"),
    )
    return hmac.new(settings.SECRET_KEY.encode(), b"turnus.preview:" + body.encode(), hashlib.sha256).hexdigest()
