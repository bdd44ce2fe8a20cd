"""Issuing: numbers, frozen content, chain link, postings and rows, for one invoice or for thousands.

The rule that matters: numbers and chain head are taken last, and everything that names no number is written before
them, because everybody who issues waits for the counter. One COPY per table, whatever the number of documents.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple, TypeVar

from django.db import connection, transaction

from billing.services import allowances, books, snapshots
from billing.services.chain import add_link
from billing.services.copying import array, canonical, copy, json_text, optional, take_ids, text
from billing.services.due_days import due_day
from billing.services.grouping import InvoiceDoc
from billing.services.loading import CreditLeft
from billing.services.snapshots import plain
from core import clock
from core.ids import encode, new_id
from core.models import Company
from core.services import numbering

T = TypeVar("T")

INVOICES: Final = "billing_invoice_id_seq"
LINES: Final = "billing_invoiceline_id_seq"
ALLOCATIONS: Final = "billing_allocation_id_seq"
LINKS: Final = "billing_chainlink_id_seq"


def assign_ids(invoices: Sequence[InvoiceDoc]) -> tuple[int, list[int], list[int]]:
    """Gives invoices and lines their ids in one query; the id of the link, entry numbers and allocation ids.

    Entry numbers: one per invoice, then one per use of credit, in that order.
    """
    fresh = [document for document in invoices if not document.is_stored]
    lines = [line for document in fresh for line in document.lines]
    uses = sum(len(document.credit_used) for document in invoices)
    ids = take_ids(
        {
            INVOICES: len(fresh),
            LINES: len(lines),
            ALLOCATIONS: uses,
            LINKS: 1,
            books.ENTRIES: len(invoices) + uses,
        }
    )
    for document, id_ in zip(fresh, ids[INVOICES], strict=True):
        document.id = id_
    for line, id_ in zip(lines, ids[LINES], strict=True):
        line.id = id_
    return ids[LINKS][0], ids[books.ENTRIES], ids[ALLOCATIONS]


class Frozen(NamedTuple):
    """The parts of an invoice's content that need no number, made before the numbers are taken."""

    buyer: Any
    lines: list[dict[str, Any]]
    calculations: list[bytes]
    rows: list[dict[str, Any]]


def freeze(invoices: Sequence[InvoiceDoc]) -> list[Frozen]:
    buyers: dict[int, Any] = {}
    frozen = []
    for document in invoices:
        customer = document.customer
        buyer = buyers.get(customer.id)
        if buyer is None:
            buyer = buyers[customer.id] = snapshots.buyer(customer)
        calculations = [canonical(line.calculation) for line in document.lines]
        lines = [
            snapshots.line_body(position, line, calculation)
            for position, (line, calculation) in enumerate(zip(document.lines, calculations, strict=True), 1)
        ]
        frozen.append(Frozen(buyer, lines, calculations, snapshots.tax_rows(document)))
    return frozen


class DatesMoved(Exception):
    """Somebody issued a later document meanwhile; what was computed for the earlier date is to be computed again."""


def with_dates(work: Callable[[], T]) -> T:
    """Does the work in one transaction; again, from the start, while others move the date of the series on."""
    while True:
        try:
            with transaction.atomic():
                return work()
        except DatesMoved:
            continue


def set_dates(invoices: Sequence[InvoiceDoc], issued_on: date) -> None:
    """Dates the documents as they will be issued, unless the series moves on before they get their numbers."""
    for document in invoices:
        document.issued_on = issued_on
        document.payment_due_on = due_day(issued_on, document.terms_days, document.terms_from)


def number_invoices(company: Company, invoices: Sequence[InvoiceDoc], frozen: Sequence[Frozen], *, seller: str) -> None:
    """Takes the numbers, in the order given, and closes each invoice's frozen content with its hash.

    Raises `DatesMoved` when the dates set before no longer hold.
    """
    if not invoices:
        return
    expected = invoices[0].issued_on
    first, issued_on = numbering.take(company=company, series="invoice", count=len(invoices), on=expected)
    if issued_on != expected:
        raise DatesMoved
    is_test = not company.is_live
    for sequence, (document, parts) in enumerate(zip(invoices, frozen, strict=True), first):
        document.year, document.sequence = issued_on.year, sequence
        document.number = numbering.printed(company=company, series="invoice", year=issued_on.year, sequence=sequence)
        body = snapshots.invoice_body(
            document, seller=seller, buyer_part=parts.buyer, lines=parts.lines, rows=parts.rows, is_test=is_test
        )
        document.body, document.sha256 = body.decode(), snapshots.sha256(body)


INVOICE_COLUMNS: Final = (
    "id, company_id, public_id, customer_id, year, sequence, number, issued_on, language, currency, tax_behavior, "
    "net_minor, tax_minor, gross_minor, tax_rows, snapshot_hash, chain_link_id, created_at, charge_due_on, "
    "payment_due_on, po_reference, address_id, run_id, notifies, tax_currency_minor, tax_currency_rate"
)
LINE_COLUMNS: Final = (
    "id, company_id, invoice_id, position, subscription_id, slot_id, product_id, description, quantity, unit_amount, "
    "period_start, period_end, amount_minor, net_minor, tax_category, tax_rate, calculation, kind, discount_minor"
)
DAYS_COLUMNS: Final = "company_id, slot_id, component, days, line_id, kind"
SNAPSHOT_COLUMNS: Final = "company_id, document_kind, document_id, sha256, body"
EVENT_COLUMNS: Final = "company_id, public_id, type, occurred_at, subject_kind, subject_id, customer_id, data"
OUTBOX_COLUMNS: Final = "company_id, kind, key, payload, state, attempts, due_at, lease_by, last_error, created_at"


def tax_rows_of(document: InvoiceDoc) -> list[dict[str, Any]]:
    """The breakdown as the row keeps it."""
    return [
        {
            "category": row.category,
            "rate": plain(row.rate),
            "base_minor": row.base_minor,
            "tax_minor": row.tax_minor,
            "reason": document.reason_of(row).reason,
        }
        for row in document.totals.rows
    ]


# Without a conflict to heed: a document is issued once, and its effect is written with it.
_MAILS: Final = """
    INSERT INTO core_outbox (
        company_id, kind, key, payload, state, attempts, due_at, lease_by, last_error, created_at
    )
    SELECT %(company)s, 'document_mail', 'invoice-' || v.invoice,
           jsonb_build_object('id', v.invoice, 'kind', 'invoice'), 'waiting', 0, %(now)s, '', '', %(now)s
    FROM unnest(%(mailed)s::bigint[]) v(invoice)
"""
#: Part of a statement of settling's: what the customer owes for each invoice, and the mails to be sent. Plain values
#: only, so a list of columns does, and no statement of their own is needed.
BESIDE: Final = f"""
owed AS (
    INSERT INTO billing_invoicebalance (
        invoice_id, company_id, customer_id, currency, status, payment_due_on, gross_minor, paid_minor,
        credit_used_minor, credited_minor, settled_by_credit_notes_minor, written_off_minor, closed_on
    )
    SELECT v.invoice, %(company)s, v.customer, v.currency, v.status, v.due_on, v.gross, 0, v.used, 0, 0, 0, v.closed_on
    FROM unnest(
        %(invoices)s::bigint[], %(customers)s::bigint[], %(currencies)s::text[], %(statuses)s::text[],
        %(due_days)s::date[], %(grosses)s::bigint[], %(used)s::bigint[], %(closed_days)s::date[]
    ) v(invoice, customer, currency, status, due_on, gross, used, closed_on)
), mailed AS (
    {_MAILS}
)"""  # noqa: S608  put together of this module's own texts


def beside(invoices: Sequence[InvoiceDoc]) -> dict[str, str]:
    """The parameters of `BESIDE` for dated invoices."""
    statuses = [document.status for document in invoices]
    return {
        "invoices": array(document.id for document in invoices),
        "customers": array(document.customer.id for document in invoices),
        "currencies": array(document.currency for document in invoices),
        "statuses": array(statuses),
        "due_days": array(document.payment_due_on for document in invoices),
        "grosses": array(document.gross_minor for document in invoices),
        "used": array(document.credit_used_minor for document in invoices),
        "closed_days": array(
            document.issued_on if status == "paid" else None
            for document, status in zip(invoices, statuses, strict=True)
        ),
        "mailed": array(document.id for document in invoices if document.notifies),
    }


def write_invoices(company: Company, invoices: Sequence[InvoiceDoc], *, link_id: int, at: datetime) -> None:
    """The numbered, linked invoices themselves."""
    rows = []
    for document in invoices:
        customer, totals = document.customer, document.totals.totals
        rows.append(
            f"{document.id}\t{company.pk}\t{document.public_id}\t{customer.id}\t{document.year}\t{document.sequence}\t"
            f"{text(document.number)}\t{document.issued_on}\t{customer.language}\t{document.currency}\t"
            f"{document.tax_behavior}\t{totals.net}\t{totals.tax}\t{totals.gross}\t"
            f"{json_text(canonical(tax_rows_of(document)).decode())}\t{document.sha256}\t{link_id}\t{at}\t"
            f"{document.charge_due_on}\t{document.payment_due_on}\t{text(document.po_reference)}\t"
            f"{optional(customer.address_id)}\t{optional(document.run_id)}\t{'t' if document.notifies else 'f'}\t"
            f"{optional(document.tax_currency_minor)}\t{optional(document.tax_currency_rate)}"
        )
    copy("billing_invoice", INVOICE_COLUMNS, rows)


def write_lines(company: Company, invoices: Sequence[InvoiceDoc], frozen: Sequence[Frozen]) -> None:
    rows = []
    for document, parts in zip(invoices, frozen, strict=True):
        for position, (line, calculation) in enumerate(zip(document.lines, parts.calculations, strict=True), 1):
            group = line.tax.group
            rows.append(
                f"{line.id}\t{company.pk}\t{document.id}\t{position}\t{optional(line.subscription_id)}\t"
                f"{optional(line.slot_id)}\t{optional(line.product_id)}\t{text(line.description)}\t"
                f"{plain(line.quantity)}\t{plain(line.unit_amount)}\t{optional(line.period_start)}\t"
                f"{optional(line.period_end)}\t{line.amount_minor}\t{line.net_minor}\t{group.category}\t"
                f"{plain(group.rate)}\t{json_text(calculation.decode())}\t{line.kind}\t{line.discount_minor}"
            )
    copy("billing_invoiceline", LINE_COLUMNS, rows)


def days_row(
    company_id: int, slot_id: int, start: date, end: date, line_id: int | None, kind: str, component: str = "base"
) -> str:
    """A COPY line of billed days."""
    return f"{company_id}\t{slot_id}\t{component}\t[{start},{end})\t{optional(line_id)}\t{kind}"


def write_days(company: Company, invoices: Sequence[InvoiceDoc], more: Sequence[str] = ()) -> None:
    """The billed days of the lines, and of periods that cost nothing (`more`)."""
    rows = [
        days_row(company.pk, line.slot_id, start, end, line.id, kind, line.component)
        for document in invoices
        for line in document.lines
        if line.slot_id is not None
        for start, end, kind in line.days
    ]
    copy("billing_billeddays", DAYS_COLUMNS, [*rows, *more])


def invoice_facts(document: InvoiceDoc) -> dict[str, Any]:
    """What the event says: 1 KB at most."""
    totals = document.totals.totals
    return {
        "id": encode("inv", document.public_id),
        "number": document.number,
        "customer": document.customer.ref,
        "issued_on": document.issued_on.isoformat(),
        "payment_due_on": document.payment_due_on.isoformat(),
        "charge_due_on": document.charge_due_on.isoformat(),
        "currency": document.currency,
        "net_minor": totals.net,
        "tax_minor": totals.tax,
        "gross_minor": totals.gross,
        "credit_used_minor": document.credit_used_minor,
        "status": document.status,
        "notifies": document.notifies,
    }


def write_contents(company: Company, invoices: Sequence[InvoiceDoc]) -> None:
    """The frozen contents."""
    rows = [
        f"{company.pk}\tinvoice\t{document.id}\t{document.sha256}\t{json_text(document.body)}" for document in invoices
    ]
    copy("billing_snapshot", SNAPSHOT_COLUMNS, rows)


def write_events(company: Company, invoices: Sequence[InvoiceDoc], *, at: datetime) -> None:
    """Each was issued; those that account credit covers are paid, too."""
    rows = []
    for document in invoices:
        rows.append(
            f"{company.pk}\t{new_id()}\tinvoice.issued\t{at}\tinvoice\t{document.id}\t{document.customer.id}\t"
            f"{json_text(canonical(invoice_facts(document)).decode())}"
        )
        if document.status == "paid":
            rows.append(
                paid_row(
                    company.pk, document.id, document.customer.id, document.public_id, document.number,
                    document.currency, document.gross_minor, at,
                )
            )  # fmt: skip
    copy("core_event", EVENT_COLUMNS, rows)


def paid_row(
    company_id: int,
    invoice_id: int,
    customer_id: int,
    public_id: uuid.UUID,
    number: str,
    currency: str,
    gross_minor: int,
    at: datetime,
) -> str:
    """A COPY line of the event that an invoice is paid, as `receivables.tell_paid` says it."""
    facts = {
        "id": encode("inv", public_id),
        "number": number,
        "status": "paid",
        "currency": currency,
        "gross_minor": gross_minor,
        "open_minor": 0,
    }
    return (
        f"{company_id}\t{new_id()}\tinvoice.paid\t{at}\tinvoice\t{invoice_id}\t{customer_id}\t"
        f"{json_text(canonical(facts).decode())}"
    )


def write_mails(company: Company, invoices: Sequence[InvoiceDoc]) -> None:
    """The outbox rows of those that are mailed, where no other statement carries them."""
    params: dict[str, Any] = beside(invoices) | {"company": company.pk, "now": clock.machine_now()}
    with connection.cursor() as cursor:
        cursor.execute(_MAILS, params)


def mail_row(company_id: int, kind: str, document_id: int, at: datetime) -> str:
    """A COPY line of the outbox row that mails a document."""
    payload = f'{{"id":{document_id},"kind":"{kind}"}}'
    return f"{company_id}\tdocument_mail\t{kind}-{document_id}\t{payload}\twaiting\t0\t{at}\t\t\t{at}"


def write_postings(
    company: Company,
    invoices: Sequence[InvoiceDoc],
    *,
    accounts: dict[tuple[str, str], int],
    entries: Sequence[int],
    allocations: Sequence[int],
) -> None:
    """Books each invoice (receivable to revenue and tax) and each use of credit (customer's credit to receivable)."""
    receivable, tax = accounts["receivable", ""], accounts["tax", ""]
    credit = accounts["customer_credit", ""]
    lines: list[str] = []
    uses = iter(zip(allocations, entries[len(invoices) :], strict=False))
    for document, entry in zip(invoices, entries, strict=False):
        totals = document.totals.totals
        by_account: dict[int, int] = {}
        for line in document.lines:
            by_account[line.account_id] = by_account.get(line.account_id, 0) - line.net_minor
        common: dict[str, Any] = {
            "company_id": company.pk,
            "currency": document.currency,
            "booked_on": document.issued_on,
            "customer_id": document.customer.id,
        }
        amounts = [(receivable, totals.gross), *by_account.items(), (tax, -totals.tax)]
        if document.allowances:
            amounts += allowances.postings(document, accounts)
        lines += books.posting_lines(entry=entry, amounts=amounts, cause_kind="invoice", cause_id=document.id, **common)
        for _, minor in document.credit_used:
            allocation, entry_of_use = next(uses)
            amounts = [(credit, minor), (receivable, -minor)]
            lines += books.posting_lines(
                entry=entry_of_use, amounts=amounts, cause_kind="allocation", cause_id=allocation, **common
            )
    copy("billing_posting", books.POSTING_COLUMNS, lines)


def apply_credit(invoices: Sequence[InvoiceDoc], credits: Sequence[CreditLeft]) -> None:
    """Uses the customers' credit on the invoices, oldest credit and oldest invoice first."""
    left: dict[tuple[int, str], list[list[int]]] = {}
    for credit in credits:
        left.setdefault((credit.customer_id, credit.currency), []).append([credit.id, credit.left_minor])
    for document in invoices:
        due = document.gross_minor
        for credit_left in left.get((document.customer.id, document.currency), ()):
            use = min(due, credit_left[1])
            if use:
                document.credit_used.append((credit_left[0], use))
                credit_left[1] -= use
                due -= use


def link(company: Company, *, link_id: int, hashes: Sequence[str], at: datetime) -> None:
    """Adds the transaction's link to the chain; nothing without documents."""
    if hashes:
        add_link(company, link_id=link_id, hashes=hashes, at=at)


def write_ahead(
    company: Company,
    invoices: Sequence[InvoiceDoc],
    frozen: Sequence[Frozen],
    *,
    accounts: dict[tuple[str, str], int],
    entries: Sequence[int],
    allocations: Sequence[int],
    more_days: Sequence[str] = (),
) -> None:
    """Everything of dated invoices that names no number, while nobody waits for them."""
    write_lines(company, invoices, frozen)
    write_days(company, invoices, more_days)
    write_postings(company, invoices, accounts=accounts, entries=entries, allocations=allocations)


def write_numbered(company: Company, invoices: Sequence[InvoiceDoc], *, link_id: int, at: datetime) -> None:
    """The rest, once invoices are numbered and linked."""
    write_invoices(company, invoices, link_id=link_id, at=at)
    write_contents(company, invoices)
    write_events(company, invoices, at=at)
