"""Invoices by hand: written as a draft, changed at will, then issued like any other.

The rule that matters: a draft has no number and may change or go; issuing decides its taxes anew and freezes it. A
draft of billing that a person edits is one by hand from then on; its days stay billed until a line goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import F

from billing.models import Invoice, InvoiceBalance, InvoiceLine
from billing.services import (
    allowances,
    books,
    debit_marks,
    draft_discounts,
    exchange,
    issuing,
    packs,
    snapshots,
    spending,
)
from billing.services.clauses import carry_out
from billing.services.draft_lines import DraftLine, Making, check, edit, is_by_hand, undecided
from billing.services.due_days import due_day
from billing.services.grouping import InvoiceDoc, Line, cut
from billing.services.loading import CustomerRow, facts, lock_customers
from billing.services.reopening import Fate, let_go
from billing.services.taxing import Taxing
from billing.services.windows import remove
from catalog.models import TaxBehavior
from core import checks, clock
from core.actors import Actor
from core.models import Company, TermsFrom
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from customers.models import Customer
from customers.services import merged
from pricing.errors import PricingError
from pricing.money import is_currency

__all__ = ["DraftLine", "adopt", "create_draft", "delete_draft", "issue", "recount", "terms_days_of", "update_draft"]

LONGEST_TERMS = 365
#: Positions that lines get while others take their places.
_ASIDE = 10_000


@transaction.atomic
def create_draft(
    *,
    company: Company,
    customer: Customer,
    currency: str,
    lines: Sequence[DraftLine],
    payment_terms_days: int | None = None,
    payment_terms_from: str = "",
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
    _check_terms(payment_terms_days, payment_terms_from, po_reference)
    check(lines, company, currency, {})
    checks.choice(tax_behavior, TaxBehavior.values, field="tax_behavior")
    row = lock_customers(company, [customer.pk])[customer.pk]
    merged.refuse(customer)
    today = clock.day_in(at, company.time_zone)
    if payment_terms_days is None:
        payment_terms_days = row.payment_terms_days
    if payment_terms_days is None:
        payment_terms_days = company.payment_terms_days
    terms_from = payment_terms_from or row.payment_terms_from or company.payment_terms_from
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
        notifies=_is_mailed(company, today),
        payment_due_on=due_day(today, payment_terms_days, terms_from),
        terms_days=payment_terms_days,
        terms_from=terms_from,
        po_reference=po_reference or row.po_reference,
    )
    making = _making(invoice, row, company, today)
    document = _document(invoice, row, _by_hand(making, lines))
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
    payment_terms_from: str = "",
    po_reference: str | None = None,
    removed: Fate = "bill_again",
    by: Actor,
    at: datetime,
) -> Invoice:
    """Replaces the lines of a draft, and its terms and order reference when given.

    Lines that name a present one (`of`) continue it; what the others billed is billed again later or (`removed`) stays
    free. A draft of billing waits for a person from then on. Refuses `draft.only`, `draft.line_unknown`.
    """
    company = invoice.company
    checks.choice(removed, ("bill_again", "free"), field="removed")
    _check_terms(payment_terms_days, payment_terms_from, po_reference or "")
    row = lock_customers(company, [invoice.customer_id])[invoice.customer_id]
    invoice = _locked_draft(invoice)
    present = {line.position: line for line in _rows(invoice)}
    check(lines, company, invoice.currency, present)
    today = clock.day_in(at, company.time_zone)
    is_of_billing = any(not is_by_hand(line) for line in present.values())
    if not is_of_billing:
        invoice.charge_due_on, invoice.notifies = today, _is_mailed(company, today)
    invoice.terms_days = terms_days_of(invoice) if payment_terms_days is None else payment_terms_days
    invoice.terms_from = payment_terms_from or invoice.terms_from
    invoice.payment_due_on = due_day(today, invoice.terms_days, invoice.terms_from)
    invoice.waits_for, invoice.issue_after_at = "", None
    if po_reference is not None:
        invoice.po_reference = po_reference
    making = _making(invoice, row, company, today)
    products = [*(line.product for line in lines), *(held.product for held in present.values())]
    _accounts(making, [product.revenue_account for product in products if product is not None])
    made: list[Line] = []
    for position, line in enumerate(lines, 1):
        held = present[line.of] if line.of is not None else None
        if held is None or is_by_hand(held):
            made += cut(making.by_hand(line, position))
        else:
            edit(held, line, invoice.currency)
            made.append(making.stored(held, position))
    document = _document(invoice, row, made)
    _set_sums(invoice, document)
    invoice.save()
    InvoiceBalance.objects.filter(invoice=invoice).update(
        gross_minor=invoice.gross_minor, payment_due_on=invoice.payment_due_on
    )
    kept = {line.id for line in made if line.id}
    gone = [line.pk for line in present.values() if line.pk not in kept]
    let_go(company, gone, removed, at=at)
    InvoiceLine.objects.filter(pk__in=gone).delete()
    InvoiceLine.objects.filter(pk__in=kept).update(position=F("position") + _ASIDE)
    _save_lines(invoice, document)
    _audit(invoice, "invoice.update_draft", at=at, by=by)
    return invoice


def adopt(invoice: Invoice, lines: Sequence[InvoiceLine], *, by: Actor, at: datetime) -> None:
    """Writes a draft whose lines were made elsewhere, with today's taxes on their amounts.

    Part of the caller's transaction. Lines get their ids and positions here.
    """
    company = invoice.company
    today = clock.day_in(at, company.time_zone)
    row = lock_customers(company, [invoice.customer_id])[invoice.customer_id]
    making = _making(invoice, row, company, today)
    _accounts(making, [line.product.revenue_account for line in lines if line.product])
    invoice.language = row.language
    invoice.payment_due_on = due_day(today, terms_days_of(invoice), invoice.terms_from)
    invoice.save(force_insert=True)
    InvoiceBalance.objects.create(
        invoice=invoice, company_id=company.pk, customer_id=row.id, currency=invoice.currency,
        status=InvoiceBalance.Status.DRAFT, payment_due_on=invoice.payment_due_on, gross_minor=0,
    )  # fmt: skip
    for position, line in enumerate(lines, 1):
        line.invoice, line.position, line.net_minor = invoice, position, 0
    InvoiceLine.objects.bulk_create(lines)
    document = _document(invoice, row, [making.stored(line, line.position) for line in lines])
    _set_sums(invoice, document)
    invoice.save()
    InvoiceBalance.objects.filter(invoice=invoice).update(gross_minor=invoice.gross_minor)
    _update_lines(document)
    _audit(invoice, "invoice.draft", at=at, by=by)


def recount(invoice: Invoice, *, at: datetime) -> None:
    """Adds a draft up again after its lines changed; part of the caller's transaction, which holds the customer."""
    company = invoice.company
    row = lock_customers(company, [invoice.customer_id])[invoice.customer_id]
    making = _making(invoice, row, company, clock.day_in(at, company.time_zone))
    rows = _rows(invoice)
    _accounts(making, [line.product.revenue_account for line in rows if line.product])
    document = _document(invoice, row, [making.stored(line, line.position) for line in rows])
    _set_sums(invoice, document)
    invoice.save()
    InvoiceBalance.objects.filter(invoice=invoice).update(gross_minor=invoice.gross_minor)
    _update_lines(document)


@transaction.atomic
def delete_draft(*, invoice: Invoice, days: Fate = "bill_again", by: Actor, at: datetime) -> None:
    """Removes a draft; the only document that can be. What it billed falls due again, or (`days`) stays free.

    Refuses `draft.only`.
    """
    checks.choice(days, ("bill_again", "free"), field="days")
    lock_customers(invoice.company, [invoice.customer_id])
    invoice = _locked_draft(invoice)
    _audit(invoice, "invoice.delete_draft", at=at, by=by)
    let_go(invoice.company, [line.pk for line in invoice.lines.all()], days, at=at)
    remove([invoice.pk])


def issue(*, invoice: Invoice, at: datetime, by: Actor) -> Invoice:
    """Issues a draft by hand: today's taxes, numbered, frozen, posted, mailed. Again is a quiet no-op.

    Uses the customer's credit. Refuses `draft.empty`, and `draft.zero` unless the company issues those. A draft that
    billing keeps up to date is issued by `approving.issue`.
    """
    return issuing.with_dates(lambda: _issue(invoice, at, by))


def _issue(invoice: Invoice, at: datetime, by: Actor) -> Invoice:
    company = invoice.company
    row = lock_customers(company, [invoice.customer_id])[invoice.customer_id]
    stored = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if stored.sequence is not None:
        return stored
    today = clock.day_in(at, company.time_zone)
    making = _making(stored, row, company, today)
    known = making.known
    rows = _rows(stored)
    _accounts(making, [line.product.revenue_account for line in rows if line.product])
    lines = [making.stored(line, line.position) for line in rows]
    if not lines:
        raise Refused("draft.empty", field="lines")
    document = _document(stored, row, lines)
    if not document.gross_minor and not company.issues_zero_invoices:
        raise Refused("draft.zero")
    document.terms_days, document.terms_from = terms_days_of(stored), stored.terms_from
    if stored.replaces_id is not None:
        document.replaces = Invoice.objects.values_list("number", "issued_on").get(pk=stored.replaces_id)
    allowances.apply([document], known.allowances, on=today)
    exchange.fix(company, [document], known.exchange, on=today)
    issuing.apply_credit([document], known.credits)
    packs.name_credits(document)
    link_id, entries, allocations = issuing.assign_ids([document])
    frozen = issuing.freeze([document])
    _update_lines(document)
    _audit(stored, "invoice.issue", at=at, by=by)
    seller = snapshots.keep_part(company, snapshots.seller_body(company))
    issuing.set_dates([document], max(today, known.last_invoice_on or today))
    debit_marks.mark(company, [document], today=today)
    issuing.number_invoices(company, [document], frozen, seller=seller)
    issuing.link(company, link_id=link_id, hashes=[document.sha256], at=at)
    _update_invoice(document, link_id)
    issuing.write_postings(company, [document], accounts=known.accounts, entries=entries, allocations=allocations)
    carry_out(spending.clauses(company, [document], allocations=allocations, at=at))
    draft_discounts.write(company, document, at=at)
    packs.register(company, document)
    issuing.write_contents(company, [document])
    issuing.write_events(company, [document], at=at)
    issuing.write_mails(company, [document])
    return Invoice.objects.get(pk=stored.pk)


def _is_mailed(company: Company, due_on: date) -> bool:
    """Whether a document about charges due that day is mailed when it is issued."""
    return company.mails_start_on is None or due_on >= company.mails_start_on


def _check_terms(days: int | None, terms_from: str, po_reference: str) -> None:
    if days is not None:
        checks.whole(days, field="payment_terms_days", most=LONGEST_TERMS)
    if terms_from:
        checks.choice(terms_from, TermsFrom.values, field="payment_terms_from")
    checked(po_reference, field="po_reference", limit=80)


def terms_days_of(invoice: Invoice) -> int:
    """The days until due that a draft is issued with."""
    if invoice.terms_days is not None:
        return invoice.terms_days
    return max(0, (invoice.payment_due_on - invoice.charge_due_on).days)


def _locked_draft(invoice: Invoice) -> Invoice:
    stored = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if stored.sequence is not None:
        raise Refused("draft.only", number=stored.number)
    return stored


def _rows(invoice: Invoice) -> list[InvoiceLine]:
    rows = InvoiceLine.objects.filter(invoice=invoice).select_related("product__tax_category", "subscription")
    return list(rows.order_by("position"))


def _making(invoice: Invoice, customer: CustomerRow, company: Company, today: date) -> Making:
    """What lines are made with: today's rates, accounts, credit."""
    known = facts(
        company, [customer.id], today.year, on=today,
        currencies=exchange.wanted(company, [invoice.currency]), since=today,
    )  # fmt: skip
    if ("prepaid", "") not in known.accounts:
        books.ensure_accounts(company)
        known.accounts.update(books.account_ids(company))
    return Making(company, customer, invoice.currency, known, Taxing(company, known.rates, today=today), today)


def _by_hand(making: Making, lines: Sequence[DraftLine]) -> list[Line]:
    _accounts(making, [line.product.revenue_account for line in lines if line.product])
    return [part for position, line in enumerate(lines, 1) for part in cut(making.by_hand(line, position))]


def _accounts(making: Making, codes: Sequence[str]) -> None:
    books.revenue_accounts(making.company, making.known.accounts, [code for code in codes if code])


def _document(invoice: Invoice, customer: CustomerRow, lines: list[Line]) -> InvoiceDoc:
    """The draft in memory, added up."""
    document = InvoiceDoc(
        customer, invoice.currency, invoice.tax_behavior, invoice.charge_due_on, 0, invoice.po_reference, lines,
        id=invoice.pk or 0, public_id=invoice.public_id, is_stored=True, notifies=invoice.notifies,
    )  # fmt: skip
    try:
        document.add_up()
    except PricingError as error:
        raise Refused("draft.taxes", detail=undecided(error)) from None
    return document


def _set_sums(invoice: Invoice, document: InvoiceDoc) -> None:
    totals = document.totals.totals
    invoice.net_minor, invoice.tax_minor, invoice.gross_minor = totals.net, totals.tax, totals.gross
    invoice.tax_rows = issuing.tax_rows_of(document)


def _save_lines(invoice: Invoice, document: InvoiceDoc) -> None:
    """Writes the lines in their order: those that are stored in place, the others new."""
    fresh = []
    for position, line in enumerate(document.lines, 1):
        values = {
            "position": position,
            "description": line.description,
            "quantity": line.quantity,
            "unit_amount": line.unit_amount,
            **_amounts(line),
        }
        if line.id:
            InvoiceLine.objects.filter(pk=line.id).update(**values)
            continue
        fresh.append(
            InvoiceLine(
                company=invoice.company,
                invoice=invoice,
                product_id=line.product_id,
                period_start=line.period_start,
                period_end=line.period_end,
                **values,
            )
        )
    InvoiceLine.objects.bulk_create(fresh)


def _amounts(line: Line) -> dict[str, object]:
    return {
        "amount_minor": line.amount_minor,
        "discount_minor": line.discount_minor,
        "net_minor": line.net_minor,
        "tax_category": line.tax.group.category,
        "tax_rate": line.tax.group.rate,
        "calculation": line.calculation,
    }


def _update_lines(document: InvoiceDoc) -> None:
    """The lines as they are frozen; taxes and credit may have changed them since the draft was written."""
    for line in document.lines:
        InvoiceLine.objects.filter(pk=line.id).update(**_amounts(line))


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
