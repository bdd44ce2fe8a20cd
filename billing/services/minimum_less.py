"""Usage that came in after its month closed below a minimum: what was charged to reach the minimum is given back.

The rule that matters: a closed window owes its minimum or what was used, whichever is more, never both; late usage is
charged as its own line, and the line of the minimum keeps only what is lacking still. No late usage, no query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from django.db import connection
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.services import crediting, giving_back
from billing.services.invoiced import load_invoices
from billing.services.loading import CustomerRow
from billing.services.minimum_before import Billed, Closing, counted_minor, read_billed
from billing.services.noting import Invoiced, InvoicedLine, NoteDoc, NoteLine, note_of
from core.models import Company
from pricing.money import spread
from subscriptions.services.minimums import Window
from subscriptions.services.schedule import ONE_DAY, Agreement

if TYPE_CHECKING:
    from billing.services.usage_rating import Rated


@dataclass(slots=True)
class Charged:
    """A window whose minimum was charged: its lines by invoice, oldest first; several where the tax changed within."""

    agreement: Agreement
    window: Window
    least_minor: int
    line_ids: dict[int, list[int]] = field(default_factory=dict)


def give_back(
    company: Company,
    customers: Mapping[int, CustomerRow],
    rated: Sequence[Rated],
    given_back: giving_back.GivenBack,
) -> None:
    """Adds notes on the lines of minimums that late usage reaches now."""
    late = [one for one in rated if one.kind == "late" and one.more_minor > 0 and _has_closed(one.agreement)]
    charged = _charged(late) if late else []
    if not charged:
        return
    known = {note.invoice.id: note.invoice for note in given_back.notes}
    missing = [invoice_id for one in charged for invoice_id in one.line_ids if invoice_id not in known]
    invoices = known | (load_invoices(company, missing) if missing else {})
    billed = _billed(charged, late, given_back)
    notes = []
    for one in charged:
        notes += _notes(one, billed[one.agreement.id], invoices, customers)
    given_back.add(notes)


def _has_closed(agreement: Agreement) -> bool:
    """Whether a minimum of it was ever closed."""
    days = (agreement.minimum_through_on, *(slot.minimum_through_on for slot in agreement.slots))
    return any(day is not None for day in days)


_CHARGED: Final = """
SELECT v.number, l.slot_id, l.calculation ->> 'minimum_of', l.period_start, l.period_end, l.invoice_id,
       (l.calculation ->> 'minimum_minor')::bigint, array_agg(l.id ORDER BY l.id)
FROM unnest(%s::int[], %s::bigint[], %s::date[], %s::date[]) v(number, slot_id, start_on, end_on)
JOIN billing_invoiceline l ON l.slot_id = v.slot_id AND l.period_start < v.end_on AND l.period_end > v.start_on
JOIN billing_invoicebalance b ON b.invoice_id = l.invoice_id AND b.status NOT IN ('draft', 'void')
WHERE l.kind = 'minimum'
GROUP BY 1, 2, 3, 4, 5, 6, 7
ORDER BY 1, 6
"""


def _charged(late: Sequence[Rated]) -> list[Charged]:
    """The windows that were closed with a line and that late usage reaches into, each once."""
    asked = [
        (number, slot.id, one.window.start, one.window.end)
        for number, one in enumerate(late)
        for slot in one.agreement.slots
    ]
    with connection.cursor() as cursor:
        cursor.execute(_CHARGED, [list(column) for column in zip(*asked, strict=True)])
        rows = cursor.fetchall()
    found: dict[tuple[bool, int, date], Charged] = {}
    for number, slot_id, minimum_of, start, end, invoice_id, least, line_ids in rows:
        one, is_whole = late[number], minimum_of == "all"
        # A price's own minimum is reached by its own usage alone.
        if not is_whole and slot_id != one.stretch.slot.id:
            continue
        slot = next(slot for slot in one.agreement.slots if slot.id == slot_id)
        window = Window(slot, slot.terms[0], is_whole, start, end, start, end, Decimal(0))
        known = found.setdefault((is_whole, slot_id, start), Charged(one.agreement, window, least))
        known.line_ids[invoice_id] = line_ids
    return list(found.values())


def _billed(
    charged: Sequence[Charged], late: Sequence[Rated], given_back: giving_back.GivenBack
) -> dict[int, list[Billed]]:
    """What counts towards those windows, with the late usage that is charged now, by subscription."""
    agreements = {one.agreement.id: one.agreement for one in charged}
    closings = {id_: Closing() for id_ in agreements}
    for one in charged:
        closings[one.agreement.id].windows.append(one.window)
    read_billed(closings, agreements, given_back.notes, given_back.released)
    for row in late:
        if row.agreement.id in closings:
            days = ((row.window.start, row.window.end),)
            closings[row.agreement.id].billed.append(Billed(row.stretch.slot.id, Fraction(row.more_minor), days))
    return {id_: closing.billed for id_, closing in closings.items()}


def _notes(
    one: Charged, billed: Sequence[Billed], invoices: Mapping[int, Invoiced], customers: Mapping[int, CustomerRow]
) -> list[NoteDoc]:
    """Gives back what is charged beyond what is lacking still, on the newest invoice first."""
    lines = {id_: [invoices[id_].lines[line_id] for line_id in line_ids] for id_, line_ids in one.line_ids.items()}
    lacking = max(0, one.least_minor - counted_minor(billed, one.window))
    back = sum(line.left_minor for held in lines.values() for line in held) - lacking
    notes = []
    for invoice_id, held in sorted(lines.items(), reverse=True):
        left = [line.left_minor for line in held]
        part = min(back, sum(left))
        if part <= 0:
            continue
        back -= part
        parts = [_part(line, amount) for line, amount in zip(held, spread(part, left), strict=True) if amount]
        invoice = invoices[invoice_id]
        reason = _reason(one.window, invoice.language)
        note = note_of(invoice, customers[invoice.customer_id], parts, cause="usage", reason=reason)
        notes += [note] if note is not None else []
    return notes


def _part(line: InvoicedLine, amount_minor: int) -> NoteLine:
    # No days are released: they stay closed.
    return NoteLine(line, amount_minor, None, None, crediting.calculation_of(line, None))


def _reason(window: Window, language: str) -> str:
    with translation.override(language):
        first, last = date_format(window.start, "DATE_FORMAT"), date_format(window.end - ONE_DAY, "DATE_FORMAT")
        return _("Usage from %(first)s to %(last)s that came in later counts towards the minimum charge.") % {
            "first": first,
            "last": last,
        }
