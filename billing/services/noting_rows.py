"""Credit notes into the database: numbers, frozen content, rows, postings, and what they do to invoice and account.

The rule that matters: a note lowers what is due on its invoice first; the rest becomes account credit, or a refund
waiting to be paid out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from django.db import connection

from billing.models import Credit, CreditBalance, Refund
from billing.services import books, snapshots
from billing.services.copying import canonical, copy, json_text, optional, text
from billing.services.issuing import EVENT_COLUMNS, LINKS, OUTBOX_COLUMNS, SNAPSHOT_COLUMNS, mail_row, paid_row
from billing.services.noting import InvoicedLine, NoteDoc
from billing.services.snapshots import plain
from core import clock
from core.ids import encode, new_id
from core.models import Company
from core.services import numbering

__all__ = ["CREDITS", "LINKS", "NOTES", "number_notes", "write_notes"]

NOTES: Final = "billing_creditnote_id_seq"
CREDITS: Final = "billing_credit_id_seq"

NOTE_COLUMNS: Final = (
    "id, company_id, public_id, customer_id, year, sequence, number, issued_on, language, currency, tax_behavior, "
    "net_minor, tax_minor, gross_minor, tax_rows, snapshot_hash, chain_link_id, created_at, invoice_id, cause, reason, "
    "settled_minor, to_account_minor, tax_currency_minor, tax_currency_rate"
)
NOTE_LINE_COLUMNS: Final = (
    "company_id, credit_note_id, position, invoice_line_id, description, period_start, period_end, amount_minor, "
    "net_minor, tax_category, tax_rate, calculation"
)


def number_notes(company: Company, notes: Sequence[NoteDoc], *, seller: str, today: date) -> None:
    """Takes the numbers, in the order given, and closes each note's frozen content with its hash."""
    if not notes:
        return
    first, issued_on = numbering.take(company=company, series="credit_note", count=len(notes), on=today)
    for sequence, note in enumerate(notes, first):
        note.year, note.sequence, note.issued_on = issued_on.year, sequence, issued_on
        note.number = numbering.printed(company=company, series="credit_note", year=issued_on.year, sequence=sequence)
        body = _body(note, seller=seller, is_test=not company.is_live)
        note.body, note.sha256 = body.decode(), snapshots.sha256(body)


def _body(note: NoteDoc, *, seller: str, is_test: bool) -> bytes:
    invoice, totals = note.invoice, note.sums.totals
    return canonical(
        {
            "v": snapshots.VERSION,
            "template": snapshots.TEMPLATE,
            "kind": "credit_note",
            "number": note.number,
            "issued_on": note.issued_on.isoformat(),
            "payment_due_on": None,
            "charge_due_on": None,
            "language": invoice.language,
            "currency": note.currency,
            "tax_behavior": invoice.tax_behavior,
            "is_test": is_test,
            "seller": seller,
            "buyer": snapshots.buyer(note.customer),
            "po_reference": invoice.po_reference,
            "reason": note.reason,
            "cause": note.cause,
            "corrects": {"number": invoice.number, "issued_on": invoice.issued_on.isoformat()},
            "lines": [
                {
                    "position": position,
                    "description": line.of.description,
                    "quantity": plain(line.of.quantity),
                    "unit": "",
                    "unit_amount": None,
                    "period_start": snapshots.day_of(line.period_start),
                    "period_end": snapshots.day_of(line.period_end),
                    "amount": line.amount_minor,
                    "net": line.net_minor,
                    "tax_category": line.of.tax_category,
                    "tax_rate": plain(line.of.tax_rate),
                    "subscription": None if line.of.subscription_id is None else f"SUB-{line.of.subscription_id:06d}",
                    "calculation": line.calculation,
                }
                for position, line in enumerate(note.lines, 1)
            ],
            "tax_rows": [
                {
                    "category": row.category,
                    "rate": plain(row.rate),
                    "base": row.base_minor,
                    "tax": row.tax_minor,
                    "reason": invoice.reason_of(row.group),
                }
                for row in note.sums.rows
            ],
            "net": totals.net,
            "tax": totals.tax,
            "gross": totals.gross,
            "credit_used": 0,
            "to_pay": 0,
            "settled": note.settled_minor,
            "to_account": note.to_account_minor,
        }
        | _tax_currency(note)
    )


def _tax_currency(note: NoteDoc) -> dict[str, Any]:
    """The tax in the company's tax currency, as invoices say it; nothing for most notes."""
    fixed = note.tax_currency
    if fixed is None:
        return {}
    said = {"currency": fixed.currency, "rate": plain(fixed.rate), "tax": fixed.tax_minor, "on": fixed.on.isoformat()}
    return {"tax_currency": said}


def write_notes(
    company: Company,
    notes: Sequence[NoteDoc],
    accounts: dict[tuple[str, str], int],
    *,
    link_id: int,
    at: datetime,
) -> None:
    """The notes with lines, content, events, mail and postings; balances of their invoices; the credit they make."""
    if not notes:
        return
    _rows(company, notes, link_id=link_id, at=at)
    _postings(company, notes, accounts)
    _balances(notes)
    _account_credit(company, notes, at=at)


def _rows(company: Company, notes: Sequence[NoteDoc], *, link_id: int, at: datetime) -> None:
    rows, lines, contents, events, mails = [], [], [], [], []
    machine = clock.machine_now()
    for note in notes:
        invoice, totals, fixed = note.invoice, note.sums.totals, note.tax_currency
        tax_rows = [
            {
                "category": row.category,
                "rate": plain(row.rate),
                "base_minor": row.base_minor,
                "tax_minor": row.tax_minor,
                "reason": invoice.reason_of(row.group),
            }
            for row in note.sums.rows
        ]
        rows.append(
            f"{note.id}\t{company.pk}\t{note.public_id}\t{note.customer.id}\t{note.year}\t{note.sequence}\t"
            f"{text(note.number)}\t{note.issued_on}\t{invoice.language}\t{note.currency}\t{invoice.tax_behavior}\t"
            f"{totals.net}\t{totals.tax}\t{totals.gross}\t{json_text(canonical(tax_rows).decode())}\t{note.sha256}\t"
            f"{link_id}\t{at}\t{invoice.id}\t{note.cause}\t{text(note.reason)}\t{note.settled_minor}\t"
            f"{note.to_account_minor}\t{optional(fixed.tax_minor if fixed else None)}\t"
            f"{optional(fixed.rate if fixed else None)}"
        )
        for position, line in enumerate(note.lines, 1):
            lines.append(
                f"{company.pk}\t{note.id}\t{position}\t{line.of.id}\t{text(line.of.description)}\t"
                f"{optional(line.period_start)}\t{optional(line.period_end)}\t{line.amount_minor}\t{line.net_minor}\t"
                f"{line.of.tax_category}\t{plain(line.of.tax_rate)}\t"
                f"{json_text(canonical(line.calculation).decode())}"
            )
        contents.append(f"{company.pk}\tcredit_note\t{note.id}\t{note.sha256}\t{json_text(note.body)}")
        events += _events(company, note, at)
        if note.notifies:
            mails.append(mail_row(company.pk, "credit_note", note.id, machine))
    copy("billing_creditnote", NOTE_COLUMNS, rows)
    copy("billing_creditnoteline", NOTE_LINE_COLUMNS, lines)
    copy("billing_snapshot", SNAPSHOT_COLUMNS, contents)
    copy("core_event", EVENT_COLUMNS, events)
    copy("core_outbox", OUTBOX_COLUMNS, mails)


def _events(company: Company, note: NoteDoc, at: datetime) -> list[str]:
    totals = note.sums.totals
    facts: dict[str, Any] = {
        "id": encode("crn", note.public_id),
        "number": note.number,
        "customer": note.customer.ref,
        "corrects": note.invoice.number,
        "cause": note.cause,
        "issued_on": note.issued_on.isoformat(),
        "currency": note.currency,
        "net_minor": totals.net,
        "tax_minor": totals.tax,
        "gross_minor": totals.gross,
        "settled_minor": note.settled_minor,
        "to_account_minor": note.to_account_minor,
    }
    happened = [("credit_note.issued", "credit_note", note.id, facts)]
    if note.cause in ("void", "replace"):
        said = {
            "id": encode("inv", note.invoice.public_id),
            "number": note.invoice.number,
            "customer": note.customer.ref,
            "credit_note": note.number,
        }
        happened.append(("invoice.voided", "invoice", note.invoice.id, said))
    rows = [
        f"{company.pk}\t{new_id()}\t{type_}\t{at}\t{kind}\t{id_}\t{note.customer.id}\t"
        f"{json_text(canonical(said).decode())}"
        for type_, kind, id_, said in happened
    ]
    if note.closes:
        invoice = note.invoice
        rows.append(
            paid_row(
                company.pk, invoice.id, note.customer.id, invoice.public_id, invoice.number, invoice.currency,
                invoice.gross_minor, at,
            )
        )  # fmt: skip
    return rows


def _postings(company: Company, notes: Sequence[NoteDoc], accounts: dict[tuple[str, str], int]) -> None:
    # A product may have been given an account since, on which nothing was sold yet.
    books.revenue_accounts(company, accounts, [line.of.revenue_account for note in notes for line in note.lines])
    lines: list[str] = []
    for note in notes:
        by_account: dict[int, int] = {}
        for line in note.lines:
            account = _account(accounts, line.of)
            by_account[account] = by_account.get(account, 0) + line.net_minor
        for returned, minor in note.prepaid_back:
            for account, moved in ((_account(accounts, returned), minor), (accounts["prepaid", ""], -minor)):
                by_account[account] = by_account.get(account, 0) + moved
        common: dict[str, Any] = {
            "company_id": company.pk,
            "currency": note.currency,
            "booked_on": note.issued_on,
            "customer_id": note.customer.id,
            "cause_kind": "credit_note",
            "cause_id": note.id,
        }
        receivable = accounts["receivable", ""]
        amounts = [
            (receivable, -note.settled_minor),
            (accounts["customer_credit", ""], -note.to_account_minor),
            *by_account.items(),
            (accounts["tax", ""], note.sums.totals.tax),
        ]
        lines += books.posting_lines(entry=note.entries[0], amounts=amounts, **common)
        # What was given up as lost is no loss when it is given back.
        amounts = [(receivable, note.written_back_minor), (accounts["write_off", ""], -note.written_back_minor)]
        lines += books.posting_lines(entry=note.entries[1], amounts=amounts, **common)
    copy("billing_posting", books.POSTING_COLUMNS, lines)


def _account(accounts: dict[tuple[str, str], int], line: InvoicedLine) -> int:
    """Where a line's revenue stands; what sold prepaid credit is owed until that is used."""
    if "pack" in line.calculation:
        return accounts["prepaid", ""]
    return books.revenue_account(accounts, line.revenue_account, line.description)


class _Moved(NamedTuple):
    """How the notes of a batch move the balance of their invoice; the status it has after them, and since when."""

    credited: int
    settled: int
    written_back: int
    status: str
    closed_on: date | None


_BALANCES: Final = """
UPDATE billing_invoicebalance b
SET credited_minor = b.credited_minor + v.credited,
    settled_by_credit_notes_minor = b.settled_by_credit_notes_minor + v.settled,
    written_off_minor = b.written_off_minor - v.written_back,
    status = v.status,
    closed_on = CASE WHEN v.closed_on IS NULL THEN b.closed_on ELSE coalesce(b.closed_on, v.closed_on) END
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::date[])
     v(invoice, credited, settled, written_back, status, closed_on)
WHERE b.invoice_id = v.invoice
"""


def _balances(notes: Sequence[NoteDoc]) -> None:
    """Moves the invoices' balances and the counters of their lines."""
    credited: dict[int, int] = {}
    whole: dict[int, int] = {}
    for note in notes:
        for line in note.lines:
            credited[line.of.id] = credited.get(line.of.id, 0) + line.amount_minor
            whole[line.of.id] = line.of.amount_minor
    moved: dict[int, _Moved] = {}
    for note in notes:
        before = moved.get(note.invoice.id, _Moved(0, 0, 0, "", None))
        closes = note.invoice.status in ("paid", "void")
        moved[note.invoice.id] = _Moved(
            before.credited + note.sums.totals.gross, before.settled + note.settled_minor,
            before.written_back + note.written_back_minor, note.invoice.status, note.issued_on if closes else None,
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, [list(moved), *(list(column) for column in zip(*moved.values(), strict=True))])
        cursor.execute(
            """
            INSERT INTO billing_linecredit (line_id, amount_minor, credited_minor)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
            ON CONFLICT (line_id) DO UPDATE
            SET credited_minor = billing_linecredit.credited_minor + excluded.credited_minor
            """,
            [list(credited), list(whole.values()), list(credited.values())],
        )


def _account_credit(company: Company, notes: Sequence[NoteDoc], *, at: datetime) -> None:
    making = [note for note in notes if note.to_account_minor]
    Credit.objects.bulk_create(
        [
            Credit(
                pk=note.credit_id,
                company=company,
                customer_id=note.customer.id,
                currency=note.currency,
                amount_minor=note.to_account_minor,
                credit_note_id=note.id,
                created_on=note.issued_on,
            )
            for note in making
        ]
    )
    CreditBalance.objects.bulk_create(
        [
            CreditBalance(
                credit_id=note.credit_id,
                amount_minor=note.to_account_minor,
                refunded_minor=note.to_account_minor if note.is_refund else 0,
            )
            for note in making
        ]
    )
    Refund.objects.bulk_create(
        [
            Refund(
                company=company,
                customer_id=note.customer.id,
                credit_id=note.credit_id,
                status=Refund.Status.PENDING,
                currency=note.currency,
                amount_minor=note.to_account_minor,
                reason=note.reason,
                asked_on=note.issued_on,
                created_at=at,
            )
            for note in making
            if note.is_refund
        ]
    )
