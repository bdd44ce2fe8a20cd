"""Invoices by hand: written as a draft, changed at will, then issued like any other.

The rule that matters: a draft has no number and may change or go; issuing computes it anew and freezes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.models import Invoice, InvoiceBalance, InvoiceLine
from billing.services import books, exchange, issuing, snapshots
from billing.services.charging import line_minor
from billing.services.grouping import InvoiceDoc, Line
from billing.services.loading import CustomerRow, Facts, facts, lock_customers
from billing.services.snapshots import plain
from billing.services.taxing import LineTax, Taxing
from catalog.models import Product, TaxBehavior, TaxCategory
from core import checks, clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from customers.models import Customer
from pricing.errors import PricingError
from pricing.money import is_currency

LARGEST_UNIT_AMOUNT = 10**10
LARGEST_QUANTITY = 10**14
LONGEST_DESCRIPTION = 400
LONGEST_TERMS = 365


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line by hand. Without a product it names its tax category; the period is [start, end), if any.

    `description` may be left empty for a product: its name in the customer's language stands there.
    """

    description: str = ""
    quantity: Decimal = Decimal(1)
    unit_amount: Decimal = Decimal(0)
    product: Product | None = None
    tax_category: TaxCategory | None = None
    period: tuple[date, date] | None = None


@transaction.atomic
def create_draft(
    *,
    company: Company,
    customer: Customer,
    currency: str,
    lines: Sequence[DraftLine],
    payment_terms_days: int | None = None,
    tax_behavior: str = "exclusive",
    po_reference: str = "",
    by: Actor,
    at: datetime,
) -> Invoice:
    """A draft invoice with its sums as of today; nothing is owed yet.

    Refuses `draft.empty`, `draft.quantity`, `draft.product`, `draft.currency`.
    """
    if not is_currency(currency):
        raise Refused("draft.currency", field="currency", currency=currency)
    if customer.company_id != company.pk:
        raise Refused("not_found", field="customer")
    _check(company, lines, currency, payment_terms_days, po_reference)
    checks.choice(tax_behavior, TaxBehavior.values, field="tax_behavior")
    row = lock_customers(company, [customer.pk])[customer.pk]
    today = clock.day_in(at, company.time_zone)
    if payment_terms_days is None:
        payment_terms_days = row.payment_terms_days
    if payment_terms_days is None:
        payment_terms_days = company.payment_terms_days
    invoice = Invoice(
        company=company,
        customer=customer,
        language=row.language,
        currency=currency,
        tax_behavior=tax_behavior,
        net_minor=0,
        tax_minor=0,
        gross_minor=0,
        created_at=at,
        charge_due_on=today,
        payment_due_on=today + timedelta(days=payment_terms_days),
        po_reference=po_reference or row.po_reference,
    )
    document = _document(invoice, row, lines, company, facts(company, [customer.pk], today.year), today)
    _set_sums(invoice, document)
    invoice.save(force_insert=True)
    InvoiceBalance.objects.create(
        invoice=invoice,
        company_id=company.pk,
        customer_id=customer.pk,
        currency=currency,
        status=InvoiceBalance.Status.DRAFT,
        payment_due_on=invoice.payment_due_on,
        gross_minor=invoice.gross_minor,
    )
    _save_lines(invoice, document)
    _audit(invoice, "invoice.draft", at=at, by=by)
    return invoice


@transaction.atomic
def update_draft(
    *,
    invoice: Invoice,
    lines: Sequence[DraftLine],
    payment_terms_days: int | None = None,
    po_reference: str | None = None,
    by: Actor,
    at: datetime,
) -> Invoice:
    """Replaces the lines of a draft, and its terms and order reference when given. Refuses `draft.only`."""
    company = invoice.company
    _check(company, lines, invoice.currency, payment_terms_days, po_reference or "")
    row = lock_customers(company, [invoice.customer_id])[invoice.customer_id]
    invoice = _locked_draft(invoice)
    today = clock.day_in(at, company.time_zone)
    if payment_terms_days is None:
        payment_terms_days = (invoice.payment_due_on - invoice.charge_due_on).days
    invoice.charge_due_on, invoice.payment_due_on = today, today + timedelta(days=payment_terms_days)
    if po_reference is not None:
        invoice.po_reference = po_reference
    document = _document(invoice, row, lines, company, facts(company, [invoice.customer_id], today.year), today)
    _set_sums(invoice, document)
    invoice.save()
    InvoiceBalance.objects.filter(invoice=invoice).update(
        gross_minor=invoice.gross_minor, payment_due_on=invoice.payment_due_on
    )
    InvoiceLine.objects.filter(invoice=invoice).delete()
    _save_lines(invoice, document)
    _audit(invoice, "invoice.update_draft", at=at, by=by)
    return invoice


@transaction.atomic
def delete_draft(*, invoice: Invoice, by: Actor, at: datetime) -> None:
    """Removes a draft; the only document that can be. Refuses `draft.only`."""
    lock_customers(invoice.company, [invoice.customer_id])
    invoice = _locked_draft(invoice)
    _audit(invoice, "invoice.delete_draft", at=at, by=by)
    InvoiceLine.objects.filter(invoice=invoice).delete()
    InvoiceBalance.objects.filter(invoice=invoice).delete()
    invoice.delete()


def issue(*, invoice: Invoice, at: datetime, by: Actor) -> Invoice:
    """Issues a draft: computed anew with today's taxes, numbered, frozen, posted, mailed. Again is a quiet no-op.

    Uses the customer's account credit. Refuses `draft.empty`, and `draft.zero` unless the company issues those.
    """
    return issuing.with_dates(lambda: _issue(invoice, at, by))


def _issue(invoice: Invoice, at: datetime, by: Actor) -> Invoice:
    company = invoice.company
    row = lock_customers(company, [invoice.customer_id])[invoice.customer_id]
    stored = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if stored.sequence is not None:
        return stored
    today = clock.day_in(at, company.time_zone)
    known = facts(
        company, [row.id], today.year, on=today,
        currencies=exchange.wanted(company, [stored.currency]), since=today,
    )  # fmt: skip
    kept = list(InvoiceLine.objects.filter(invoice=stored).select_related("product__tax_category").order_by("position"))
    document = _document(stored, row, [_as_drafted(line) for line in kept], company, known, today)
    if not document.gross_minor and not company.issues_zero_invoices:
        raise Refused("draft.zero")
    document.terms_days = (stored.payment_due_on - stored.charge_due_on).days
    exchange.fix(company, [document], known.exchange, on=today)
    for line, old in zip(document.lines, kept, strict=True):
        line.id = old.pk
    issuing.apply_credit([document], known.credits)
    link_id, entries, allocations = issuing.assign_ids([document])
    frozen = issuing.freeze([document])
    _update_lines(document)
    _audit(stored, "invoice.issue", at=at, by=by)
    seller = snapshots.keep_part(company, snapshots.seller_body(company))
    issuing.set_dates([document], max(today, known.last_invoice_on or today))
    issuing.number_invoices(company, [document], frozen, seller=seller)
    issuing.link(company, link_id=link_id, hashes=[document.sha256], at=at)
    _update_invoice(document, link_id)
    issuing.write_postings(company, [document], accounts=known.accounts, entries=entries, allocations=allocations)
    issuing.write_allocations(company, [document], allocations=allocations, at=at)
    issuing.write_contents(company, [document])
    issuing.write_events(company, [document], at=at)
    issuing.write_mails(company, [document])
    return Invoice.objects.get(pk=stored.pk)


def _check(
    company: Company, lines: Sequence[DraftLine], currency: str, payment_terms_days: int | None, po_reference: str
) -> None:
    """Refuses what no invoice can hold: figures, days and texts out of range, things of another company."""
    if payment_terms_days is not None:
        checks.whole(payment_terms_days, field="payment_terms_days", most=LONGEST_TERMS)
    checked(po_reference, field="po_reference", limit=80)
    for position, line in enumerate(lines, 1):
        category = line.product.tax_category if line.product else line.tax_category
        if category is None:
            raise Refused("draft.product", field="lines", position=position)
        if category.company_id != company.pk or (line.product and line.product.company_id != company.pk):
            raise Refused("not_found", field="lines")
        for value, largest in ((line.quantity, LARGEST_QUANTITY), (line.unit_amount, LARGEST_UNIT_AMOUNT)):
            given: object = value
            if not isinstance(given, Decimal) or not (given.is_finite() and 0 <= given < largest):
                raise Refused("draft.quantity", field="lines", position=position)
        checks.decimal(line.quantity, field="quantity", most=LARGEST_QUANTITY, places=6)
        checks.decimal(line.unit_amount, field="unit_amount", most=LARGEST_UNIT_AMOUNT, places=10)
        checks.total(line.quantity * line.unit_amount, currency, field="unit_amount")
        checked(line.description, field="description", limit=LONGEST_DESCRIPTION)
        if line.period is not None:
            start, end = line.period
            checks.day(start, field="period_start")
            checks.day(end, field="period_end")
            if end <= start:
                raise Refused("draft.period", field="lines", position=position)


def _locked_draft(invoice: Invoice) -> Invoice:
    stored = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if stored.sequence is not None:
        raise Refused("draft.only", number=stored.number)
    return stored


def _as_drafted(line: InvoiceLine) -> DraftLine:
    period = None if line.period_start is None or line.period_end is None else (line.period_start, line.period_end)
    category = TaxCategory.objects.get(pk=line.calculation["tax_category_id"]) if line.product is None else None
    return DraftLine(line.description, line.quantity, line.unit_amount, line.product, category, period)


def _document(
    invoice: Invoice, customer: CustomerRow, lines: Sequence[DraftLine], company: Company, known: Facts, today: date
) -> InvoiceDoc:
    """The draft in memory, computed with today's taxes; a period's last day decides its rate."""
    if not lines:
        raise Refused("draft.empty", field="lines")
    codes = [line.product.revenue_account for line in lines if line.product and line.product.revenue_account]
    books.revenue_accounts(company, known.accounts, codes)
    taxing = Taxing(company, known.rates)
    made = [
        _line(position, line, invoice, customer, company, known, taxing, today)
        for position, line in enumerate(lines, 1)
    ]
    document = InvoiceDoc(
        customer, invoice.currency, invoice.tax_behavior, invoice.charge_due_on, 0, invoice.po_reference, made,
        id=invoice.pk or 0, public_id=invoice.public_id, is_stored=True,
    )  # fmt: skip
    try:
        document.add_up()
    except PricingError as error:
        raise Refused("draft.taxes", detail=error.code) from None
    return document


def _line(
    position: int,
    line: DraftLine,
    invoice: Invoice,
    customer: CustomerRow,
    company: Company,
    known: Facts,
    taxing: Taxing,
    today: date,
) -> Line:
    product = line.product
    category = product.tax_category if product else line.tax_category
    assert category is not None  # `_check`
    name = ""
    if product is not None:
        name = product.name.get(customer.language) or product.name.get(company.language, "")
    try:
        start, end = line.period or (today, today + timedelta(days=1))
        tax: LineTax = taxing.over(customer, category.supply, category.level, start, end, today)
    except PricingError as error:
        raise Refused("draft.taxes", field="lines", detail=error.code) from None
    calculation: dict[str, Any] = {
        "model": "per_unit",
        "quantity": plain(line.quantity),
        "unit_amount": plain(line.unit_amount),
        "tax_category_id": category.pk,
        "tax": tax.facts(),
    }
    return Line(
        subscription_id=None,
        slot_id=None,
        product_id=product.pk if product else None,
        description=(line.description or name)[:LONGEST_DESCRIPTION],
        detail="",
        quantity=line.quantity,
        unit=(product.unit_name.get(customer.language) or product.unit_name.get(company.language, ""))
        if product
        else "",
        unit_amount=line.unit_amount,
        period_start=line.period[0] if line.period else None,
        period_end=line.period[1] if line.period else None,
        amount_minor=line_minor("per_unit", line.unit_amount, line.quantity, 1, 1, invoice.currency),
        tax=tax,
        account_id=books.revenue_account(known.accounts, product.revenue_account if product else "", name),
        calculation=calculation,
    )


def _set_sums(invoice: Invoice, document: InvoiceDoc) -> None:
    totals = document.totals.totals
    invoice.net_minor, invoice.tax_minor, invoice.gross_minor = totals.net, totals.tax, totals.gross
    invoice.tax_rows = issuing.tax_rows_of(document)


def _save_lines(invoice: Invoice, document: InvoiceDoc) -> None:
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            company=invoice.company,
            invoice=invoice,
            position=position,
            product_id=line.product_id,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            period_start=line.period_start,
            period_end=line.period_end,
            amount_minor=line.amount_minor,
            net_minor=line.net_minor,
            tax_category=line.tax.group.category,
            tax_rate=line.tax.group.rate,
            calculation=line.calculation,
        )
        for position, line in enumerate(document.lines, 1)
    )


def _update_lines(document: InvoiceDoc) -> None:
    """The lines as they are frozen; taxes may have changed since the draft was written."""
    for line in document.lines:
        InvoiceLine.objects.filter(pk=line.id).update(
            amount_minor=line.amount_minor,
            net_minor=line.net_minor,
            tax_category=line.tax.group.category,
            tax_rate=line.tax.group.rate,
            calculation=line.calculation,
        )


def _update_invoice(document: InvoiceDoc, link_id: int) -> None:
    totals = document.totals.totals
    Invoice.objects.filter(pk=document.id).update(
        year=document.year,
        sequence=document.sequence,
        number=document.number,
        issued_on=document.issued_on,
        payment_due_on=document.payment_due_on,
        language=document.customer.language,
        address_id=document.customer.address_id,
        net_minor=totals.net,
        tax_minor=totals.tax,
        gross_minor=totals.gross,
        tax_rows=issuing.tax_rows_of(document),
        tax_currency_minor=document.tax_currency_minor,
        tax_currency_rate=document.tax_currency_rate,
        snapshot_hash=document.sha256,
        chain_link=link_id,
    )
    InvoiceBalance.objects.filter(invoice_id=document.id).update(
        status=document.status,
        payment_due_on=document.payment_due_on,
        gross_minor=totals.gross,
        credit_used_minor=document.credit_used_minor,
        closed_on=document.issued_on if document.status == "paid" else None,
    )


def _audit(invoice: Invoice, verb: str, *, at: datetime, by: Actor) -> None:
    trail.audit(
        company_id=invoice.company_id,
        at=at,
        by=by,
        verb=verb,
        subject_kind="invoice",
        subject_id=invoice.pk,
        customer_id=invoice.customer_id,
        facts={"gross_minor": invoice.gross_minor, "currency": invoice.currency},
    )
