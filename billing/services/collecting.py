"""Collecting what is due: by itself with the method on file, or because a customer or a colleague says now.

The rule that matters: of one invoice at most one attempt is alive, over all gateways; another way to pay first needs
the provider's word that no money will come of the old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from billing.documents import content
from billing.models import Attempt, Gateway, Invoice, InvoiceBalance, InvoiceLine, PaymentMethod, SubscriptionMethod
from billing.services import attempts, debit_marks, receivables, sending
from billing.services.attempts import SYSTEM
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks

log = structlog.get_logger(__name__)
EVERY: Final = timedelta(minutes=5)
#: Invoices a tick looks at in one go.
CHUNK: Final = 200
USABLE: Final = PaymentMethod.Status.ACTIVE


def method_for(invoice: Invoice) -> PaymentMethod | None:
    """The method that pays an invoice: the one all its subscriptions name, else the customer's default."""
    return methods_for([invoice]).get(invoice.pk)


def methods_for(invoices: Sequence[Invoice]) -> dict[int, PaymentMethod]:
    """The method of each invoice that has a usable one, in three queries."""
    lines: dict[int, set[int]] = {}
    rows = InvoiceLine.objects.filter(invoice__in=invoices, subscription__isnull=False)
    for invoice_id, subscription_id in rows.values_list("invoice_id", "subscription_id").distinct():
        lines.setdefault(invoice_id, set()).add(subscription_id)
    wanted = {id_ for ids in lines.values() for id_ in ids}
    named = {
        row.subscription_id: row.method
        for row in SubscriptionMethod.objects.filter(subscription_id__in=wanted).select_related("method__gateway")
        if row.method.status == USABLE
    }
    customers = {invoice.customer_id for invoice in invoices}
    defaults = {
        row.customer_id: row
        for row in PaymentMethod.objects.filter(
            customer_id__in=customers, is_default=True, status=USABLE, gateway__is_active=True
        ).select_related("gateway")
    }
    found: dict[int, PaymentMethod] = {}
    for invoice in invoices:
        own = {named.get(id_) for id_ in lines.get(invoice.pk, set())}
        method = next(iter(own)) if len(own) == 1 else None
        if method is None or not method.gateway.is_active:
            method = defaults.get(invoice.customer_id)
        if method is not None:
            found[invoice.pk] = method
    return found


def debit_day(invoice: Invoice, gateway: Gateway, today: date, origin: str = Attempt.Origin.DUE) -> date:
    """First banking day on or after the due date, the end of the pre-notification, and the bank's lead.

    SEPA: a day on which TARGET is open; the lead is counted in such days. What the invoice says, what was announced
    before, and what the customer asks for count from the day of issue; any other debit is announced the day it is
    written.
    """
    issued_on = invoice.issued_on or today
    is_told = (
        issued_on == today
        or origin == Attempt.Origin.CUSTOMER
        or Attempt.objects.filter(invoice=invoice, collect_on__isnull=False).exists()
        or debit_marks.printed(content.read(invoice).body) is not None
    )
    return debit_marks.first_day(
        due_on=invoice.payment_due_on, told_on=issued_on if is_told else today, today=today,
        notice_days=gateway.notice_days, lead_days=gateway.lead_days,
    )  # fmt: skip


def collect_due(*, company: Company, at: datetime, by: Actor = SYSTEM) -> list[int]:
    """Writes the first attempt on every open invoice whose time has come and whose customer has a method on file.

    Ids of the attempts, in order. One that can't be written stops nobody. Repeated: nothing more.
    """
    today, made, after = clock.day_in(at, company.time_zone), list[int](), 0
    while rows := _due(company, today, after):
        after = rows[-1].pk
        methods = methods_for(rows)
        for invoice in rows:
            method = methods.get(invoice.pk)
            if method is None:
                continue
            try:
                attempt = _first(company, invoice, method, today, by=by, at=at)
            except (Refused, IntegrityError) as error:
                log.info("not_collected", invoice=invoice.pk, why=type(error).__name__)
                continue
            if attempt is not None:
                made.append(attempt.pk)
    return made


def _due(company: Company, today: date, after: int) -> list[Invoice]:
    """The next open invoices never tried, of customers with something on file, in id order."""
    balances = InvoiceBalance.objects.filter(
        company_id=company.pk, status=InvoiceBalance.Status.OPEN, open_minor__gt=0, invoice_id__gt=after
    )
    if company.collect_when == Company.CollectWhen.DUE:
        # A debit is announced and filed ahead of its day.
        balances = balances.filter(
            Q(payment_due_on__lte=today) | Q(invoice__customer__payment_methods__kind=PaymentMethod.Kind.DEBIT)
        )
    stored = PaymentMethod.objects.filter(customer_id=OuterRef("customer_id"), status=USABLE)
    tried = Attempt.objects.filter(invoice_id=OuterRef("invoice_id"))
    ids = balances.filter(Exists(stored), ~Exists(tried)).order_by("invoice_id").values_list("invoice_id", flat=True)
    chosen = list(dict.fromkeys(ids[:CHUNK]))
    if not chosen:
        return []
    return list(Invoice.objects.filter(pk__in=chosen).select_related("customer", "company").order_by("pk"))


def _first(
    company: Company, invoice: Invoice, method: PaymentMethod, today: date, *, by: Actor, at: datetime
) -> Attempt | None:
    is_debit = method.gateway.kind == Gateway.Kind.SEPA
    if not is_debit and company.collect_when == Company.CollectWhen.DUE and invoice.payment_due_on > today:
        return None
    with transaction.atomic():
        receivables.lock_customer(company, invoice.customer_id)
        if Attempt.objects.filter(invoice=invoice).exists():
            return None
        balance = receivables.lock_balances(company, [invoice.pk])[invoice.pk]
        return attempts.open_attempt(
            invoice=invoice, balance=balance, gateway=method.gateway, method=method, origin=Attempt.Origin.DUE,
            collect_on=debit_day(invoice, method.gateway, today) if is_debit else None, by=by, at=at,
        )  # fmt: skip


def pay_now(
    *,
    invoice: Invoice,
    gateway: Gateway,
    method: PaymentMethod | None = None,
    origin: str = Attempt.Origin.CUSTOMER,
    by: Actor,
    at: datetime,
) -> Attempt:
    """Collects an invoice at once: the saved method is charged, or a page of the provider opened (`action_url`).

    Whoever asks while the same is under way gets that attempt. Another way first cancels the old attempt at its
    provider; while that one may still bring money it stays, and is the answer. Never inside a transaction.
    Refuses `attempt.nothing_due`, `method.not_usable`, `method.other_customer`, `attempt.no_way`.
    """
    _check(invoice, gateway, method)
    alive = attempts.live_of(invoice.pk)
    if alive is not None:
        same = alive.gateway_id == gateway.pk and alive.method_id == (method.pk if method else None)
        if same or alive.state not in (Attempt.State.CREATED, Attempt.State.REQUIRES_ACTION):
            return alive
        alive = sending.cancel(attempt_id=alive.pk, at=at)
        if alive.state not in (Attempt.State.CANCELED, Attempt.State.FAILED):
            return alive
    company = invoice.company
    is_debit, today = gateway.kind == Gateway.Kind.SEPA, clock.day_in(at, company.time_zone)
    try:
        with transaction.atomic():
            receivables.lock_customer(company, invoice.customer_id)
            balance = receivables.lock_balances(company, [invoice.pk])[invoice.pk]
            attempt = attempts.open_attempt(
                invoice=invoice, balance=balance, gateway=gateway, method=method, origin=origin,
                collect_on=debit_day(invoice, gateway, today, origin) if is_debit else None,
                by=by, at=at,
            )  # fmt: skip
    except Refused as refused:
        alive = attempts.live_of(invoice.pk)
        if refused.code == "attempt.one_alive" and alive is not None:
            return alive
        raise
    return attempt if is_debit else sending.send(attempt_id=attempt.pk, at=at) or _again(attempt)


def _again(attempt: Attempt) -> Attempt:
    attempt.refresh_from_db()
    return attempt


def _check(invoice: Invoice, gateway: Gateway, method: PaymentMethod | None) -> None:
    if gateway.company_id != invoice.company_id or not gateway.is_active:
        raise Refused("not_found", field="gateway")
    if method is not None:
        if method.customer_id != invoice.customer_id:
            raise Refused("method.other_customer", field="method")
        if method.status != USABLE:
            raise Refused("method.not_usable", field="method", state=method.get_status_display())
    elif gateway.kind not in (Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL):
        raise Refused("attempt.no_way", field="gateway", gateway=gateway.name)


@ticks.tick(
    "billing.collect", order=30, every=EVERY, title=_("Collection"),
    text=_("Charges stored payment methods for invoices that are due."),
)  # fmt: skip
def collect_tick(company: Company, at: datetime) -> dict[str, Any]:
    """First attempts on what is due; the effects are carried out by the relay, in a test company at once."""
    made = collect_due(company=company, at=at)
    sent = 0
    if not company.is_live:
        for attempt_id in made:
            sent += sending.send(attempt_id=attempt_id, at=at) is not None
    return {"attempts": len(made), "sent": sent}
