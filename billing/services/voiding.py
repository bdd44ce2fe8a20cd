"""Voiding an issued invoice: a credit note of all that is left, and a word on what becomes of its days.

The rule that matters: a document is never taken back, it is corrected by another; account credit it used and money it
got come back as account credit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from django.db import connection, transaction

from billing.models import CreditNote, Invoice, InvoiceBalance
from billing.services import one_offs
from billing.services.crediting import audit_note, calculation_of, issue_notes, load_invoices, released_line
from billing.services.discounting import lowered, return_uses
from billing.services.loading import CustomerRow, lock_customers
from billing.services.noting import Invoiced, NoteLine, note_of
from billing.services.releasing import release
from billing.services.reopening import Days, Released, bill_again, leave_free, merged
from core import checks, clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.texts import checked
from customers.services.merged import refuse as refuse_merged

__all__ = ["all_left", "merged", "void"]


@transaction.atomic
def void(
    *, invoice: Invoice, days: Literal["bill_again", "free"] = "bill_again", reason: str, at: datetime, by: Actor
) -> CreditNote:
    """Voids an open or paid invoice; its credit note, which gives back all that is left.

    `bill_again`: its days fall due again, on their old due days, and the next settling bills them anew. `free`: they
    stay unbilled for good. Refuses `credit.not_issued`, `void.not_open`, `credit.nothing_left`, and to bill a merged
    customer anew: `customer.merged`.
    """
    company = invoice.company
    checks.choice(days, ("bill_again", "free"), field="days")
    checked(reason, field="reason", limit=500)
    if invoice.sequence is None:
        raise Refused("credit.not_issued")
    customers = lock_customers(company, [invoice.customer_id])
    if days == "bill_again":
        refuse_merged(invoice.customer, field="days")
    known = load_invoices(company, [invoice.pk])[invoice.pk]
    if known.status not in ("open", "paid"):
        raise Refused("void.not_open", state=InvoiceBalance.Status(known.status).label)
    lines = all_left(known)
    note = note_of(known, customers[invoice.customer_id], lines, cause="void", reason=reason) if lines else None
    if note is None:
        raise Refused("credit.nothing_left", number=known.number)
    free = [line for line in known.lines.values() if not line.amount_minor]
    for line in free:
        line.billed_days = 0
    issue_notes(company, [note], at=at, by=by, free=free)
    released = _release_all(list(known.lines), note.id, at)
    return_uses(company, lowered(known.lines))
    if days == "free":
        leave_free(company, released, list(known.lines))
    else:
        _give_back_added(company, customers[invoice.customer_id], released, reason=reason, at=at, by=by)
        bill_again(released, list(known.lines))
        one_offs.due_again(list(known.lines), clock.day_in(at, company.time_zone))
    audit_note(company, note, at=at, by=by)
    return CreditNote.objects.get(pk=note.id)


def all_left(invoice: Invoiced) -> list[NoteLine]:
    """What is left of each line; of an invoice of 0, which credit or a discount covered, every line."""
    return [
        NoteLine(line, line.left_minor, line.period_start, line.period_end, calculation_of(line, None))
        for line in invoice.lines.values()
        if line.left_minor or not invoice.gross_minor
    ]


def _release_all(line_ids: Sequence[int], note_id: int, at: datetime) -> list[Released]:
    """Releases every billed and forfeited day of these lines."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_billeddays SET released_at = %s, released_by = %s WHERE line_id = ANY(%s) "
            "AND released_at IS NULL RETURNING slot_id, lower(days), upper(days), kind, component",
            [at, note_id, list(line_ids)],
        )
        return sorted(Released(*row) for row in cursor.fetchall())


_ADDED = """
SELECT l.invoice_id, d.line_id, greatest(lower(d.days), v.start_on), least(upper(d.days), v.end_on)
FROM unnest(%s::bigint[], %s::date[], %s::date[]) v(slot_id, start_on, end_on)
JOIN billing_billeddays d ON d.slot_id = v.slot_id AND d.days && daterange(v.start_on, v.end_on)
JOIN billing_invoiceline l ON l.id = d.line_id
JOIN billing_invoice i ON i.id = l.invoice_id
WHERE d.component LIKE 'added:%%' AND d.released_at IS NULL AND i.sequence IS NOT NULL
ORDER BY 1, 2, 3
"""


def _give_back_added(
    company: Company, customer: CustomerRow, released: Sequence[Released], *, reason: str, at: datetime, by: Actor
) -> None:
    """Days billed again are billed at all their units, so what was charged for added ones comes back first."""
    whole = [row for row in released if row.component == "base"]
    with connection.cursor() as cursor:
        cursor.execute(_ADDED, [[row.slot_id for row in whole], [row.start for row in whole],
                                [row.end for row in whole]])  # fmt: skip
        spans: dict[int, dict[int, list[Days]]] = {}
        for invoice_id, line_id, start, end in cursor.fetchall():
            spans.setdefault(invoice_id, {}).setdefault(line_id, []).append((start, end))
    if not spans:
        return
    notes = []
    for invoice_id, invoice in load_invoices(company, list(spans)).items():
        lines = [released_line(invoice.lines[line_id], days) for line_id, days in spans[invoice_id].items()]
        note = note_of(invoice, customer, lines, cause="change", reason=reason)
        if note is not None:
            notes.append(note)
    issue_notes(company, notes, at=at, by=by)
    for note in notes:
        for line_id, days in spans[note.invoice.id].items():
            for span in days:
                release(line_id, span, note.id, at)
