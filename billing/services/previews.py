"""What an act would do: worked out and reckoned without writing where an act can (see `looking`), else the very act in
a transaction that is rolled back.

The rule that matters: a preview has no arithmetic of its own. Its token signs every amount and day it showed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

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
    beside: tuple[int, ...] = ()
    """Ids of the customer's other subscriptions on it."""


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


@dataclass(frozen=True, slots=True)
class Shown:
    """What an act would bring: documents, the next invoices, addresses that would get a mail."""

    documents: list[PreviewDocument]
    next: list[Upcoming]
    mails: list[str]


#: Whether acts are only looked at: then those that can work out what they would do without writing it.
_LOOKING: ContextVar[bool] = ContextVar("looking", default=False)


def is_looking() -> bool:
    """Whether an act is to be worked out without writing, if it can; else it is taken back by who looks."""
    return _LOOKING.get()


def preview(act: Callable[[], ActResult], *, by_doing: bool = False) -> Preview:
    """Looks at what the act would do. Raises `Refused` where the act would. `by_doing`: does it and takes it back, also
    where it could be worked out."""
    before = _LOOKING.set(not by_doing)
    with transaction.atomic():
        is_written = True
        try:
            result = act()
            is_written = result.shown is None
            return _seen(result, result.shown or _written(result))
        finally:
            _LOOKING.reset(before)
            if is_written:
                transaction.set_rollback(True)


def _seen(result: ActResult, shown: Shown) -> Preview:
    subscription, sign = result.subscription, {"invoice": 1, "credit_note": -1}
    return Preview(
        documents=shown.documents,
        money_now=sum(sign[document.kind] * document.gross for document in shown.documents),
        currency=subscription.currency,
        next=shown.next,
        mails=shown.mails,
        mrr_before=result.mrr_before,
        mrr_after=result.mrr_after,
        ends_on=subscription.ends_on,
        token=_token(subscription, shown.documents, shown.next),
        change=result.change,
        replaced=result.replaced,
    )


def _written(result: ActResult) -> Shown:
    """What the act wrote, which is to be taken back."""
    subscription, settlement = result.subscription, result.settlement
    told = Invoice.objects.filter(pk__in=settlement.invoice_ids, notifies=True).exists() or settlement.credit_note_ids
    mails = mailing.recipients_of(subscription.customer) if told else []
    return Shown(documents_of(settlement), upcoming(subscription, SHOWN_NEXT), mails)


def upcoming(subscription: Subscription, count: int = 3) -> list[Upcoming]:
    """The next invoices with charges of this subscription, made by `settle` itself and taken back."""
    with transaction.atomic():
        try:
            return to_come(_Doing(subscription, clock.now(subscription.company)), count)
        finally:
            transaction.set_rollback(True)


class Ahead(Protocol):
    """A subscription that is settled on days to come."""

    def next_due(self) -> date | None:
        """The next day something of it falls due; None: never, or it can't be billed."""

    def days(self, count: int) -> list[date]:
        """At most so many days on which its positions fall due, as far as they can be told."""

    def settle(self, day: date) -> list[Upcoming]:
        """Settles its customer on that day; the invoices with charges of it, by due day."""


def to_come(ahead: Ahead, count: int) -> list[Upcoming]:
    """The next invoices of a subscription, as `ahead` settles it."""
    found: list[Upcoming] = []
    for _ in range(count + LOOK_AHEAD if count else 0):
        day = ahead.next_due()
        if day is None or len(found) >= count:
            break
        # All the days wanted at once where they can be told: one settling instead of one a day.
        day = max([day, *ahead.days(count - len(found))])
        found += ahead.settle(day)
        left = ahead.next_due()
        if left is not None and left <= day:
            break
    return found[:count]


@dataclass(frozen=True, slots=True)
class _Doing:
    """`settle` itself, in a transaction that the caller takes back."""

    subscription: Subscription
    at: datetime

    def next_due(self) -> date | None:
        row = Subscription.objects.filter(pk=self.subscription.pk, parked_at__isnull=True)
        return row.values_list("next_bill_on", flat=True).first()

    def days(self, count: int) -> list[date]:
        held = holding.read(self.subscription)
        return due.days_to_come(held, holding.positions(held), count)

    def settle(self, day: date) -> list[Upcoming]:
        customer_ids, by = [self.subscription.customer_id], Actor.system("preview")
        settlement = settle(company=self.subscription.company, customer_ids=customer_ids, on=day, at=self.at, by=by)
        written = [*settlement.invoice_ids, *settlement.draft_ids]
        invoices = Invoice.objects.filter(pk__in=written, lines__subscription=self.subscription)
        return [
            Upcoming(
                on=invoice.charge_due_on,
                net=invoice.net_minor,
                tax=invoice.tax_minor,
                gross=invoice.gross_minor,
                to_pay=invoice.balance.open_minor,
                currency=invoice.currency,
                lines=_lines(invoice),
                beside=_beside(invoice, self.subscription),
            )
            for invoice in invoices.select_related("balance").order_by("charge_due_on", "pk").distinct()
        ]


def _beside(invoice: Invoice, subscription: Subscription) -> tuple[int, ...]:
    others = InvoiceLine.objects.filter(invoice=invoice, subscription__isnull=False)
    others = others.exclude(subscription=subscription).order_by("subscription_id")
    return tuple(others.values_list("subscription_id", flat=True).distinct())


def names_beside(coming: Sequence[Upcoming]) -> list[list[str]]:
    """For each invoice to come the names and numbers of the customer's other subscriptions on it. One query for all."""
    wanted = {pk for one in coming for pk in one.beside}
    rows = Subscription.objects.only("name").filter(pk__in=wanted) if wanted else ()
    names = {row.pk: f"{row.name} ({row.number})" for row in rows}
    return [[names[pk] for pk in one.beside if pk in names] for one in coming]


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
