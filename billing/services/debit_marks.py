"""What an invoice says at issue of the direct debit that will pay it; kept in its frozen content.

The rule that matters: a company without direct debits is asked nothing more than one small part of a query it asks
anyway; what is printed is the day the debit is then made for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from billing.gateways.sepa_files import CURRENCY
from billing.models import Mandate, PaymentMethod, SubscriptionMethod
from billing.services.grouping import InvoiceDoc
from billing.services.loading import Also, AlsoRow, ask
from core.models import Company
from pricing import banking_days

ACTIVE = PaymentMethod.Status.ACTIVE


def first_day(*, due_on: date, told_on: date, today: date, notice_days: int, lead_days: int) -> date:
    """First banking day on or after the due date, the end of the pre-notification, and the bank's lead.

    >>> first_day(
    ...     due_on=date(2026, 4, 1), told_on=date(2026, 3, 31), today=date(2026, 4, 2), notice_days=1, lead_days=1
    ... )
    datetime.date(2026, 4, 7)
    """
    earliest = max(due_on, told_on + timedelta(days=notice_days), banking_days.after(today, lead_days))
    return banking_days.on_or_after(earliest)


def question(company: Company) -> Also:
    """Asks with the facts (`debit`) through which gateway the company collects."""
    sql = """
        SELECT 'debit', creditor_id, '', '', notice_days::numeric, NULL::date, id, lead_days::bigint, NULL::text
        FROM billing_gateway WHERE company_id = %(company)s AND kind = 'sepa' AND is_active
    """
    return Also(sql, {"company": company.pk})


def mark(
    company: Company,
    invoices: Sequence[InvoiceDoc],
    *,
    today: date,
    also: Mapping[str, Sequence[AlsoRow]] | None = None,
) -> None:
    """Puts the debit on each dated invoice that one will pay. `also`: what `question` asked for; None: asked here."""
    fit = [
        document
        for document in invoices
        if document.currency == CURRENCY and document.gross_minor > document.credit_used_minor
    ]
    asked = (ask([question(company)]) if also is None else also).get("debit", ()) if fit else ()
    for _, creditor_id, _, _, notice_days, _, gateway_id, lead_days, _ in asked:
        backing = _backing(company, fit, gateway_id or 0)
        for document in fit:
            mandate = backing.get(id(document))
            if mandate is None:
                continue
            day = first_day(
                due_on=document.payment_due_on, told_on=document.issued_on, today=today,
                notice_days=int(notice_days or 0), lead_days=lead_days or 0,
            )  # fmt: skip
            document.debit = {
                "on": day.isoformat(),
                "reference": mandate.reference,
                "creditor_id": creditor_id,
                "account": mandate.iban[-4:],
            }


def _backing(company: Company, invoices: Sequence[InvoiceDoc], gateway_id: int) -> dict[int, Mandate]:
    """By document the mandate that pays it, chosen as `collecting.methods_for` chooses the method."""
    customers = {document.customer.id for document in invoices}
    defaults = dict(
        PaymentMethod.objects.filter(
            company=company, customer_id__in=customers, is_default=True, status=ACTIVE, gateway__is_active=True
        ).values_list("customer_id", "id")
    )
    lines = (line for document in invoices for line in document.lines)
    wanted = {line.subscription_id for line in lines if line.subscription_id is not None}
    named = dict(
        SubscriptionMethod.objects.filter(
            company=company, subscription_id__in=wanted, method__status=ACTIVE
        ).values_list("subscription_id", "method_id")
    )
    mandates = {
        mandate.method_id: mandate
        for mandate in Mandate.objects.filter(
            method_id__in={*defaults.values(), *named.values()}, ended_on__isnull=True,
            method__gateway_id=gateway_id,
        )
    }  # fmt: skip
    usable = set(
        PaymentMethod.objects.filter(pk__in=set(named.values()), gateway__is_active=True).values_list("pk", flat=True)
        if named
        else ()
    )
    found = {}
    for document in invoices:
        own = {named.get(line.subscription_id) for line in document.lines if line.subscription_id is not None}
        method = next(iter(own)) if len(own) == 1 else None
        if method is None or method not in usable:
            method = defaults.get(document.customer.id)
        if method in mandates:
            found[id(document)] = mandates[method]
    return found


def printed(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The debit a frozen document speaks of: `on`, `reference`, `creditor_id`, `account`; None for most."""
    debit: Mapping[str, Any] | None = body.get("debit")
    return debit
