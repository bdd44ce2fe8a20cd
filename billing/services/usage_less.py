"""Usage that came to less than was billed: a credit note on the lines that billed it.

The rule that matters: what is given back is the part of the line after its discount, newest line first, capped at what
is left on it; no days are released, for they stay rated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.services import crediting, giving_back
from billing.services.loading import CustomerRow
from billing.services.noting import Invoiced, NoteDoc, NoteLine, note_of
from core.models import Company
from pricing.money import round_half_up
from subscriptions.services.schedule import ONE_DAY

if TYPE_CHECKING:
    from billing.services.usage_rating import Rated


@dataclass(slots=True)
class Less:
    """A part given back of what a line billed: before discounts, in minor units."""

    line_id: int
    amount_minor: int
    note: NoteDoc | None = None

    @property
    def note_id(self) -> int | None:
        return self.note.id if self.note is not None else None


def give_back(
    company: Company,
    customers: Mapping[int, CustomerRow],
    rated: Sequence[Rated],
    given_back: giving_back.GivenBack,
) -> None:
    """Adds notes for windows that cost less than was billed. No query where there is none."""
    less = [one for one in rated if one.more_minor < 0]
    if not less:
        return
    # What this very settling gives back already is counted in these.
    known = {note.invoice.id: note.invoice for note in given_back.notes}
    wanted = {row.invoice_id for one in less for row in one.before if row.invoice_id is not None}
    missing = [invoice_id for invoice_id in wanted if invoice_id not in known]
    invoices = known | (crediting.load_invoices(company, missing) if missing else {})
    lines: dict[int, list[NoteLine]] = {}
    parts: dict[int, list[Less]] = {}
    first: dict[int, Rated] = {}
    for one in less:
        for part, invoice, note_lines in _parts(one, invoices):
            one.less.append(part)
            lines.setdefault(invoice.id, []).extend(note_lines)
            parts.setdefault(invoice.id, []).append(part)
            first.setdefault(invoice.id, one)
    notes = []
    for invoice_id, note_lines in lines.items():
        invoice = invoices[invoice_id]
        reason = _reason(first[invoice_id], invoice.language)
        note = note_of(
            invoice, customers[invoice.customer_id], _merged(note_lines), cause="usage", reason=reason
        )  # fmt: skip
        if note is None:
            continue
        notes.append(note)
        for part in parts[invoice_id]:
            part.note = note
    given_back.add(notes)


def _parts(one: Rated, invoices: Mapping[int, Invoiced]) -> list[tuple[Less, Invoiced, list[NoteLine]]]:
    """What is given back of which lines, newest first, until the difference is covered."""
    owed = -one.more_minor
    billed: dict[int, int] = {}
    charged: dict[int, int] = {}
    of_invoice: dict[int, int] = {}
    for row in one.before:
        if row.line_id is not None and row.invoice_id is not None:
            billed[row.line_id] = billed.get(row.line_id, 0) + row.billed_minor
            charged[row.line_id] = charged.get(row.line_id, 0) + max(row.billed_minor, 0)
            of_invoice[row.line_id] = row.invoice_id
    found = []
    for line_id in sorted(billed, reverse=True):
        part, invoice = min(owed, billed[line_id]), invoices[of_invoice[line_id]]
        # A draft is computed anew before it is issued: nothing is given back of it.
        if part <= 0 or invoice.status == "draft":
            continue
        owed -= part
        found.append((Less(line_id, part), invoice, _note_lines(invoice, line_id, Fraction(part, charged[line_id]))))
    return found


def _note_lines(invoice: Invoiced, line_id: int, share: Fraction) -> list[NoteLine]:
    """That share of the lines of a charge: several where its tax changed within its days."""
    line = invoice.lines[line_id]
    said = line.calculation.get("usage", {})
    kin = [
        other
        for other in invoice.lines.values()
        if other.slot_id == line.slot_id
        and {**other.calculation.get("usage", {}), "quantity": ""} == {**said, "quantity": ""}
    ]
    found = []
    for other in kin:
        amount = min(round_half_up(other.amount_minor * share), other.left_minor)
        if amount > 0:
            found.append(NoteLine(other, amount, None, None, crediting.calculation_of(other, None)))
    return found


def _merged(lines: Sequence[NoteLine]) -> list[NoteLine]:
    """One note line for each invoice line."""
    found: dict[int, NoteLine] = {}
    for line in lines:
        if line.of.id in found:
            first = found[line.of.id]
            first.amount_minor = min(first.amount_minor + line.amount_minor, line.of.left_minor)
        else:
            found[line.of.id] = line
    return list(found.values())


def _reason(one: Rated, language: str) -> str:
    with translation.override(language):
        first = date_format(one.window.start, "DATE_FORMAT")
        last = date_format(one.window.end - ONE_DAY, "DATE_FORMAT")
        return _("Usage from %(first)s to %(last)s came to less than was charged.") % {"first": first, "last": last}
