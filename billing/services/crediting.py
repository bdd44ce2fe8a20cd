"""Giving back what was invoiced: notes by hand, and the steps that every note takes.

The rule that matters: invoiced days come back only by a credit note on their line, at what was charged for them, capped
at what is left; the note settles the open part of its invoice first, the rest becomes account credit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from billing.models import CreditNote, Invoice
from billing.services import allowances, books, invoiced, noting_rows, packs, snapshots
from billing.services.account_credit import apply_credit
from billing.services.chain import add_link
from billing.services.copying import take_ids
from billing.services.discounting import lowered, return_uses
from billing.services.loading import lock_customers
from billing.services.noting import GroupKey, Invoiced, InvoicedLine, NoteDoc, NoteLine, by_gross, note_of
from billing.services.releasing import release
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from customers.models import Customer
from pricing.money import Money

load_invoices = invoiced.load_invoices
number_notes = noting_rows.number_notes
write_notes = noting_rows.write_notes


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Part of an invoice line: an amount in minor units, or (None) the worth of the released days [start, end)."""

    line_id: int
    amount_minor: int | None = None
    release: tuple[date, date] | None = None


def released_line(line: InvoicedLine, spans: Sequence[tuple[date, date]]) -> NoteLine:
    """The days of these spans [start, end) of a line, at what was charged for them: rounded once for all of them."""
    unused = sum((end - start).days for start, end in spans)
    amount = line.worth_of(unused)
    line.billed_days -= unused
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return NoteLine(line, amount, first, last, calculation_of(line, unused))


def calculation_of(line: InvoicedLine, days: int | None) -> dict[str, Any]:
    """What explains a note's line: the days of its line, the line's amount, the tax as charged."""
    calculation: dict[str, Any] = {"of_minor": line.amount_minor, "tax": line.calculation.get("tax")}
    if days is not None:
        calculation |= {"days": days, "full_days": line.days, "share": f"{days}/{line.days}"}
    return calculation


def prepare(company: Company, notes: Sequence[NoteDoc]) -> dict[int, int]:
    """Gives notes their ids, those of the credit they make, and entry numbers, in one query; the ids of the credit by
    those it had till then."""
    if not notes:
        return {}
    ids = take_ids(
        {
            noting_rows.NOTES: len(notes),
            noting_rows.CREDITS: len(notes),
            books.ENTRIES: 2 * len(notes),
        }
    )
    entries = ids[books.ENTRIES]
    before = [note.credit_id for note in notes]
    for index, note in enumerate(notes):
        note.id, note.credit_id = ids[noting_rows.NOTES][index], ids[noting_rows.CREDITS][index]
        note.entries = (entries[2 * index], entries[2 * index + 1])
    return dict(zip(before, ids[noting_rows.CREDITS], strict=True))


def use_on_open(company: Company, notes: Sequence[NoteDoc], *, at: datetime, by: Actor) -> None:
    """Lets credit that notes made, and no new invoice used, pay the customers' open invoices, oldest due first."""
    for customer_id, currency in sorted(
        {(note.customer.id, note.currency) for note in notes if note.to_account_minor and not note.is_refund}
    ):
        apply_credit(customer=Customer.objects.get(pk=customer_id), currency=currency, by=by, at=at)


def issue_notes(
    company: Company,
    notes: Sequence[NoteDoc],
    *,
    at: datetime,
    by: Actor,
    free: Sequence[InvoicedLine] = (),
    pays: bool = True,
) -> None:
    """Numbers, links and writes notes that stand alone in their transaction; their credit pays what is open, unless
    `pays` is false because an invoice is written next. `free`: see `allowances.give_back`."""
    if not notes:
        return
    prepare(company, notes)
    today = clock.day_in(at, company.time_zone)
    allowances.give_back(company, notes, on=today, free=free)
    packs.take_back(company, notes)
    link_id = take_ids({noting_rows.LINKS: 1})[noting_rows.LINKS][0]
    accounts = books.account_ids(company)
    seller = snapshots.keep_part(company, snapshots.seller_body(company))
    number_notes(company, notes, seller=seller, today=today)
    add_link(company, link_id=link_id, hashes=[note.sha256 for note in notes], at=at)
    write_notes(company, notes, accounts, link_id=link_id, at=at)
    if pays:
        use_on_open(company, notes, at=at, by=by)


@transaction.atomic
def give_back(
    *,
    company: Company,
    invoice_lines: Sequence[GiveBack],
    cause: str,
    reason: str,
    at: datetime,
    by: Actor,
    refund: bool = False,
    taxes: Mapping[GroupKey, int] | None = None,
) -> list[CreditNote]:
    """One credit note per invoice over these lines. Named amounts above what is left are refused, shares are capped.
    `taxes`: those of a note by gross amount, see `noting.by_gross`.

    Released days are no longer billed (they are not billed again by themselves). Refuses `credit.above_left`,
    `credit.line_unknown`, `credit.nothing_left`.
    """
    checked(reason, field="reason", limit=500)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, l.invoice_id, i.customer_id FROM billing_invoiceline l JOIN billing_invoice i "
            "ON i.id = l.invoice_id WHERE l.company_id = %s AND l.id = ANY(%s) AND i.sequence IS NOT NULL",
            [company.pk, [item.line_id for item in invoice_lines]],
        )
        invoice_of = {line_id: (invoice_id, customer_id) for line_id, invoice_id, customer_id in cursor.fetchall()}
    if any(item.line_id not in invoice_of for item in invoice_lines) or not invoice_lines:
        raise Refused("credit.line_unknown")
    customers = lock_customers(company, sorted({customer_id for _, customer_id in invoice_of.values()}))
    invoices = load_invoices(company, [invoice_id for invoice_id, _ in invoice_of.values()])
    by_invoice: dict[int, list[NoteLine]] = {}
    asked: set[int] = set()
    for item in invoice_lines:
        invoice = invoices[invoice_of[item.line_id][0]]
        line = invoice.lines[item.line_id]
        if item.line_id in asked:
            raise Refused("credit.line_twice", position=line.position)
        asked.add(item.line_id)
        by_invoice.setdefault(invoice.id, []).append(_asked(line, item, invoice.currency))
    notes = []
    for invoice_id, lines in by_invoice.items():
        invoice = invoices[invoice_id]
        if invoice.status == "void":
            raise Refused("credit.nothing_left", number=invoice.number)
        customer = customers[invoice.customer_id]
        note = note_of(invoice, customer, lines, cause=cause, reason=reason, is_refund=refund, taxes=taxes)
        if note is not None:
            notes.append(note)
    if not notes:
        raise Refused("credit.nothing_left", number=", ".join(invoice.number for invoice in invoices.values()))
    issue_notes(company, notes, at=at, by=by)
    for note in notes:
        for item in invoice_lines:
            if item.release is not None and item.line_id in note.invoice.lines:
                release(item.line_id, item.release, note.id, at)
        released = {item.line_id for item in invoice_lines if item.release is not None}
        gone = {line_id: line for line_id, line in note.invoice.lines.items() if line_id in released}
        return_uses(company, lowered(gone))
        audit_note(company, note, at=at, by=by)
    return list(CreditNote.objects.filter(pk__in=[note.id for note in notes]).order_by("pk"))


def _asked(line: InvoicedLine, item: GiveBack, currency: str) -> NoteLine:
    start, end = item.release or (None, None)
    days = None if start is None or end is None else (end - start).days
    if start is not None and end is not None and not (
        line.period_start is not None and line.period_end is not None
        and line.period_start <= start < end <= line.period_end
    ):  # fmt: skip
        raise Refused("credit.days_outside", position=line.position)
    if item.amount_minor is None:
        if start is None or end is None:
            return NoteLine(line, line.left_minor, line.period_start, line.period_end, calculation_of(line, None))
        return released_line(line, [(start, end)])
    if item.amount_minor < 0 or item.amount_minor > line.left_minor:
        left = Money(line.left_minor, currency)
        raise Refused("credit.above_left", field="amount", position=line.position, left=left)
    return NoteLine(line, item.amount_minor, start, end, calculation_of(line, days))


def audit_note(company: Company, note: NoteDoc, *, at: datetime, by: Actor) -> None:
    trail.audit(
        company_id=company.pk,
        at=at,
        by=by,
        verb=f"invoice.{note.cause if note.cause in ('void', 'replace') else 'credit'}",
        subject_kind="invoice",
        subject_id=note.invoice.id,
        customer_id=note.customer.id,
        reason=note.reason,
        facts={"credit_note": note.id, "gross_minor": note.sums.totals.gross, "currency": note.currency},
    )


def credit_invoice(
    *,
    invoice: Invoice,
    lines: Mapping[int, int] | None = None,
    gross_minor: int | None = None,
    reason: str,
    at: datetime,
    by: Actor,
) -> CreditNote:
    """A credit note by hand: by line (id to amount in minor units), by gross amount, or (neither) all that is left.

    A gross amount is spread over what is left of the lines. No days are released. Refuses `credit.not_issued`,
    `credit.above_left`, `credit.nothing_left`, `credit.line_unknown`.
    """
    company = invoice.company
    if invoice.sequence is None:
        raise Refused("credit.not_issued")
    with transaction.atomic():
        lock_customers(company, [invoice.customer_id])
        known = load_invoices(company, [invoice.pk])[invoice.pk]
        taxes = None
        if gross_minor is not None:
            lines, taxes = shares_of_gross(known, gross_minor)
        elif lines is None:
            lines = {line.id: line.left_minor for line in known.lines.values() if line.left_minor}
        if not lines or not (any(lines.values()) or taxes):
            raise Refused("credit.nothing_left", number=known.number)
        asked = [GiveBack(line_id, amount) for line_id, amount in lines.items() if amount or taxes]
        if any(item.line_id not in known.lines for item in asked):
            raise Refused("credit.line_unknown")
        return give_back(
            company=company, invoice_lines=asked, cause="manual", reason=reason, at=at, by=by, taxes=taxes
        )[0]


def shares_of_gross(invoice: Invoiced, gross_minor: int) -> tuple[dict[int, int], dict[GroupKey, int] | None]:
    """Line amounts whose note comes to exactly that gross, and its taxes per category and rate where they decide.

    Refuses more than is left (`credit.above_left`).
    """
    left_gross = invoice.gross_minor - invoice.credited_minor
    if gross_minor <= 0 or gross_minor > left_gross:
        raise Refused("credit.above_left", field="gross", position=0, left=Money(left_gross, invoice.currency))
    lines = [line for line in invoice.lines.values() if line.left_minor]
    if gross_minor == left_gross and lines:
        return {line.id: line.left_minor for line in lines}, None
    return by_gross(invoice, gross_minor)
