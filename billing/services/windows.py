"""Drafts that billing writes: kept for the approval window or a VAT check, taken back, issued.

The rule that matters: such a draft is never credited or patched, it is computed anew: taken back whole, its days due
again, and settled once more. Its address stays. Discounts and account credit are taken when it is issued.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from billing.models import Invoice, InvoiceLine
from billing.services import issuing
from billing.services.copying import canonical, copy, json_text, optional, take_ids, text
from billing.services.grouping import InvoiceDoc
from billing.services.loading import Also, lock_customers
from billing.services.reopening import let_go
from core import clock
from core.models import Company
from subscriptions.models import Subscription

#: How long a draft waits for the answer about a VAT id.
VAT_HOURS = 72
#: What names one of a customer's drafts: customer, due day, currency, net or gross prices, payment terms and their
#: start, order reference.
Key = tuple[int, date, str, str, int, str, str]


@dataclass(frozen=True, slots=True)
class Former:
    """What a draft that was taken back leaves to the one written in its place."""

    public_id: uuid.UUID
    issue_after_at: datetime | None
    waits_for: str
    run_id: int | None
    notifies: bool


@dataclass(slots=True)
class Issuing:
    """How settling treats what it writes: the drafts it writes anew, and whether those are issued now."""

    at_once: bool = False
    former: dict[Key, list[Former]] = field(default_factory=dict)


def key_of(document: InvoiceDoc) -> Key:
    customer = document.customer
    return (
        customer.id, document.charge_due_on, document.currency, document.tax_behavior, document.terms_days,
        document.terms_from, document.po_reference,
    )  # fmt: skip


def sort_out(
    company: Company, invoices: Sequence[InvoiceDoc], how: Issuing, *, at: datetime
) -> tuple[list[InvoiceDoc], list[InvoiceDoc]]:
    """Those to be issued now, and those that wait as drafts; one written anew keeps its address and its window."""
    now: list[InvoiceDoc] = []
    waiting: list[InvoiceDoc] = []
    for document in invoices:
        known = how.former.get(key_of(document))
        former = known.pop(0) if known else None
        if former is not None:
            document.public_id, document.run_id = former.public_id, former.run_id
            document.notifies &= former.notifies
        if former is None or not how.at_once:
            is_unchecked = any(line.tax.waits for line in document.lines)
            if is_unchecked and (former is None or former.waits_for != "vat_check"):
                document.waits_for, document.issue_after_at = "vat_check", at + timedelta(hours=VAT_HOURS)
            elif former is not None:
                document.waits_for, document.issue_after_at = former.waits_for, former.issue_after_at
            elif company.draft_hours:
                document.waits_for, document.issue_after_at = "window", at + timedelta(hours=company.draft_hours)
        (waiting if document.waits_for else now).append(document)
    return now, waiting


DRAFT_COLUMNS = (
    "id, company_id, public_id, customer_id, number, language, currency, tax_behavior, net_minor, tax_minor, "
    "gross_minor, tax_rows, snapshot_hash, created_at, charge_due_on, payment_due_on, po_reference, address_id, "
    "run_id, notifies, issue_after_at, waits_for, terms_days, terms_from"
)
BALANCE_COLUMNS = (
    "invoice_id, company_id, customer_id, currency, status, payment_due_on, gross_minor, paid_minor, "
    "credit_used_minor, credited_minor, settled_by_credit_notes_minor, written_off_minor"
)


def keep(company: Company, drafts: Sequence[InvoiceDoc], *, at: datetime) -> None:
    """Writes dated drafts with their lines and billed days, in five statements, however many. Nothing is owed yet."""
    if not drafts:
        return
    ids = take_ids({issuing.INVOICES: len(drafts), issuing.LINES: sum(len(document.lines) for document in drafts)})
    line_ids = iter(ids[issuing.LINES])
    for document, id_ in zip(drafts, ids[issuing.INVOICES], strict=True):
        document.id = id_
        for line in document.lines:
            line.id = next(line_ids)
    invoices, balances = [], []
    for document in drafts:
        customer, totals = document.customer, document.totals.totals
        rows = json_text(canonical(issuing.tax_rows_of(document)).decode())
        invoices.append(
            f"{document.id}\t{company.pk}\t{document.public_id}\t{customer.id}\t\t{customer.language}\t"
            f"{document.currency}\t{document.tax_behavior}\t{totals.net}\t{totals.tax}\t{totals.gross}\t{rows}\t\t{at}\t"
            f"{document.charge_due_on}\t{document.payment_due_on}\t{text(document.po_reference)}\t"
            f"{optional(customer.address_id)}\t{optional(document.run_id)}\t{'t' if document.notifies else 'f'}\t"
            f"{optional(document.issue_after_at)}\t{document.waits_for}\t{document.terms_days}\t{document.terms_from}"
        )
        balances.append(
            f"{document.id}\t{company.pk}\t{customer.id}\t{document.currency}\tdraft\t{document.payment_due_on}\t"
            f"{totals.gross}\t0\t0\t0\t0\t0"
        )
    issuing.write_lines(company, drafts, issuing.freeze(drafts))
    issuing.write_days(company, drafts)
    copy("billing_invoice", DRAFT_COLUMNS, invoices)
    copy("billing_invoicebalance", BALANCE_COLUMNS, balances)


def take_back(company: Company, invoice_ids: Sequence[int]) -> tuple[Issuing, dict[int, date]]:
    """Removes drafts of billing with their lines; their days and items fall due again. The caller holds the customers.

    Drafts by hand, and those a person has edited, are left alone. Answers what the drafts leave to those written in
    their place, and the last due day by customer.
    """
    how, last_due = Issuing(), dict[int, date]()
    drafts = Invoice.objects.select_for_update(of=("self",)).filter(
        company=company, pk__in=invoice_ids, sequence__isnull=True
    )
    found = list(drafts.exclude(waits_for="").order_by("pk"))
    if not found:
        return how, last_due
    for invoice in found:
        terms_days = invoice.terms_days
        if terms_days is None:
            terms_days = (invoice.payment_due_on - clock.day_in(invoice.created_at, company.time_zone)).days
        key = (
            invoice.customer_id, invoice.charge_due_on, invoice.currency, invoice.tax_behavior, terms_days,
            invoice.terms_from, invoice.po_reference,
        )  # fmt: skip
        former = Former(
            invoice.public_id, invoice.issue_after_at, invoice.waits_for, invoice.run_id, invoice.notifies
        )  # fmt: skip
        how.former.setdefault(key, []).append(former)
        due_on = last_due.get(invoice.customer_id, invoice.charge_due_on)
        last_due[invoice.customer_id] = max(due_on, invoice.charge_due_on)
    ids = [invoice.pk for invoice in found]
    let_go(company, list(InvoiceLine.objects.filter(invoice__in=ids).values_list("pk", flat=True)), "bill_again")
    remove(ids)
    return how, last_due


def remove(invoice_ids: Sequence[int]) -> None:
    """Deletes drafts whose lines hold nothing any more."""
    with connection.cursor() as cursor:
        for table, column in (("invoiceline", "invoice_id"), ("invoicebalance", "invoice_id"), ("invoice", "id")):
            cursor.execute(f"DELETE FROM billing_{table} WHERE {column} = ANY(%s)", [list(invoice_ids)])  # noqa: S608


_DRAFTS = """
SELECT i.id FROM billing_invoice i
WHERE i.company_id = %(company)s AND i.customer_id = %(customer)s AND i.sequence IS NULL AND i.waits_for <> ''
  AND NOT EXISTS (
    SELECT FROM billing_invoiceline l JOIN subscriptions_subscription s ON s.id = l.subscription_id
    WHERE l.invoice_id = i.id AND (s.parked_at IS NOT NULL OR s.time_zone <> %(zone)s)
)
"""


def waiting(subscription: Subscription) -> Also:
    """Asks with the facts (`draft`) for the drafts that `recompute` would take back."""
    sql = f"SELECT 'draft', '', '', '', NULL, NULL, found.id, NULL, NULL FROM ({_DRAFTS}) found"  # noqa: S608
    return Also(sql, _naming(subscription))


def _naming(subscription: Subscription) -> dict[str, Any]:
    return {
        "company": subscription.company_id,
        "customer": subscription.customer_id,
        "zone": subscription.time_zone,
    }


def recompute(subscription: Subscription) -> Issuing:
    """Takes back the drafts of a subscription's customer before an act, which settles them anew.

    Drafts that it would not settle stay: of subscriptions that are parked, or live in another zone.
    """
    company = subscription.company
    with connection.cursor() as cursor:
        cursor.execute(_DRAFTS, _naming(subscription))
        found = [row[0] for row in cursor.fetchall()]
    if not found:
        return Issuing()
    lock_customers(company, [subscription.customer_id])
    return take_back(company, found)[0]
