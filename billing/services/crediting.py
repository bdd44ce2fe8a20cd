"""Giving back what was invoiced: automatic notes for days no longer covered, and notes by hand.

The rule that matters: invoiced days come back only by a credit note on their line, at what was charged for them, capped
at what is left; the note settles the open part of its invoice first, the rest becomes account credit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.models import CreditNote, Invoice
from billing.services import allowances, books, charging, invoiced, noting_rows, packs, shortening, snapshots
from billing.services.account_credit import apply_credit
from billing.services.chain import add_link
from billing.services.copying import take_ids
from billing.services.discounting import UsesBack, lowered, return_uses, uses_back, write_uses_back
from billing.services.grouping import InvoiceDoc
from billing.services.loading import Also, AlsoRow, CreditLeft, CustomerRow, Facts, lock_customers
from billing.services.noting import GroupKey, Invoiced, InvoicedLine, NoteDoc, NoteLine, by_gross, note_of
from billing.services.releasing import Cut, cut_days, release
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from customers.models import Customer
from pricing.money import Money
from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY, Agreement

load_invoices = invoiced.load_invoices
number_notes = noting_rows.number_notes
write_notes = noting_rows.write_notes


@dataclass(slots=True)
class GivenBack:
    """What ends, changes and pauses give back, not written yet: notes, the credit they make, lines that credit had
    covered whole, slots cut to a new last billed day, agreements that are over; rows of billed days with the day from
    which they are released, and (`cuts`) all that are cut; edited drafts with the days of lines they lose; uses of
    discounts that come back."""

    notes: list[NoteDoc] = field(default_factory=list)
    credits: list[CreditLeft] = field(default_factory=list)
    free: list[InvoicedLine] = field(default_factory=list)
    ended: dict[int, date] = field(default_factory=dict)
    agreements: set[int] = field(default_factory=set)
    released: dict[int, date] = field(default_factory=dict)
    cuts: list[tuple[int, date, bool, NoteDoc | None]] = field(default_factory=list)
    shortened: list[tuple[Invoiced, dict[int, list[tuple[date, date]]]]] = field(default_factory=list)
    uses: UsesBack = field(default_factory=UsesBack)

    def add(self, notes: Iterable[NoteDoc]) -> None:
        """Takes notes in, with the credit they make; until they are written it is numbered below 0."""
        for note in notes:
            self.notes.append(note)
            note.credit_id = -len(self.notes)
            if note.to_account_minor and not note.is_refund:
                self.credits.append(
                    CreditLeft(note.credit_id, note.customer.id, note.currency, note.to_account_minor)
                )  # fmt: skip


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Part of an invoice line: an amount in minor units, or (None) the worth of the released days [start, end)."""

    line_id: int
    amount_minor: int | None = None
    release: tuple[date, date] | None = None


_LIVE = """
SELECT 'live', d.component, '', '', NULL::numeric, lower(d.days), d.id, d.slot_id,
       json_build_array(upper(d.days), l.id, l.invoice_id, t.is_prorated)::text
FROM billing_billeddays d
JOIN unnest(%(cut_slots)s::bigint[], %(cut_days)s::date[], %(cut_ends)s::boolean[]) v(slot_id, after_on, is_end)
     ON v.slot_id = d.slot_id
LEFT JOIN billing_invoiceline l ON l.id = d.line_id
LEFT JOIN subscriptions_slotterms t ON t.slot_id = d.slot_id AND t.from_on <= lower(d.days)
     AND (t.until_on IS NULL OR t.until_on > lower(d.days))
WHERE d.released_at IS NULL AND (d.kind = 'billed' OR NOT v.is_end) AND d.days && daterange(v.after_on, NULL)
  AND (d.component = 'base' OR d.component LIKE 'added:%%')
"""


def has_unused_days(agreement: Agreement, on: date) -> bool:
    """Whether days are billed after its end and it is time to give them back: on the first day no longer covered,
    or at once for an end asked for on its very day."""
    ends_on = agreement.ends_on
    if ends_on is None or not any(slot.billed_through_on > ends_on for slot in agreement.slots):
        return False
    return ends_on < on or (ends_on == on and agreement.ended_at_once)


class _Live(NamedTuple):
    """A row of billed days [start, end), the line that bills them, and whether their price is prorated."""

    slot_id: int
    start: date
    id: int
    end: date
    line_id: int | None
    invoice_id: int | None
    is_prorated: bool | None
    component: str

    @classmethod
    def of(cls, row: AlsoRow) -> _Live:
        _, component, _, _, _, start, id_, slot_id, more = row
        end, line_id, invoice_id, is_prorated = orjson.loads(more or "[]")
        assert slot_id is not None and start is not None and id_ is not None
        return cls(slot_id, start, id_, date.fromisoformat(end), line_id, invoice_id, is_prorated, component)


class _Cut(NamedTuple):
    """From which day on the billed days of a slot are taken back, what for, and what becomes of them.

    `only`: just those of that component, as when more units are added on a day on which some were added already.
    """

    day: date
    cause: str
    unused: str
    only: str = ""


def _cuts(agreement: Agreement, on: date) -> dict[int, _Cut]:
    """Slots of an agreement whose billed days are taken back by that day: of an end, of a change, of a pause."""
    found: dict[int, _Cut] = {}
    for slot in agreement.slots:
        for terms in schedule.pending(slot, on):
            if terms.settles == "rebill" and slot.billed_through_on >= terms.from_on:
                cause = "pause" if terms.standing in ("paused", "suspended") else "change"
                found[slot.id] = _Cut(terms.from_on, cause, "credit")
                break
            if terms.settles == "add" and slot.billed_through_on >= terms.from_on and slot.id not in found:
                found[slot.id] = _Cut(terms.from_on, "change", "credit", charging.added_component(terms.from_on))
    if has_unused_days(agreement, on):
        after = _day_after(agreement)
        for slot in agreement.slots:
            if slot.id not in found or after <= found[slot.id].day:
                found[slot.id] = _Cut(after, "cancel", agreement.end_unused)
    return found


@dataclass(slots=True)
class Cuts:
    """What is to be taken back of which slots, and the agreements that are over."""

    of_slot: dict[int, _Cut] = field(default_factory=dict)
    over: set[int] = field(default_factory=set)

    def questions(self) -> list[Also]:
        """What is to be asked with the facts: the days that are billed still."""
        if not self.of_slot:
            return []
        cuts = self.of_slot.values()
        # An end leaves forfeited days alone; a change or pause takes them with those it takes.
        ends = [cut.cause == "cancel" for cut in cuts]
        params = {"cut_slots": list(self.of_slot), "cut_days": [cut.day for cut in cuts], "cut_ends": ends}
        return [Also(_LIVE, params)]


def foresee(agreements: Iterable[Agreement], *, on: date) -> Cuts:
    """What ends, changes and pauses of these subscriptions take back by that day. No query."""
    found = Cuts()
    for agreement in agreements:
        found.of_slot |= _cuts(agreement, on)
        if has_unused_days(agreement, on):
            found.over.add(agreement.id)
    return found


def give_back_due(
    company: Company, customers: Mapping[int, CustomerRow], known: Facts, foreseen: Cuts
) -> GivenBack:  # fmt: skip
    """What was foreseen, given back; days released or forfeited. `known` was asked for what `foreseen` asks.

    Nothing is written, see `write_given_back`; discounts in `known` have their uses back. No query when there is
    nothing to give back.
    An unprorated price gives nothing back: after an end its days are forfeited, in a change they stay billed, unless
    they begin with it.
    """
    result, cuts = GivenBack(agreements=foreseen.over), foreseen.of_slot
    live = [row for row in map(_Live.of, known.also.get("live", ())) if cuts[row.slot_id].only in ("", row.component)]
    if not live:
        return result
    live.sort(key=lambda row: (row.slot_id, row.start))
    invoices = load_invoices(company, [row.invoice_id for row in live if row.invoice_id is not None])
    # Days of one line can stand in several rows; the line gives them back together.
    unused: dict[tuple[int, str, str], dict[int, list[tuple[date, date]]]] = {}
    releases: list[tuple[int, date, bool, tuple[int, str, str] | None]] = []
    for slot_id, start, days_id, end, line_id, invoice_id, is_prorated, component in live:
        cut_day, cause, fate, _ = cuts[slot_id]
        cut = max(start, cut_day)
        if is_prorated is False and cause == "change" and start < cut_day:
            continue
        if fate == "none" or (is_prorated is False and cause != "change"):
            releases.append((days_id, cut, True, None))
            continue
        if component == "base":
            result.ended[slot_id] = min(result.ended.get(slot_id, cut), cut - ONE_DAY)
        key = None
        if line_id is not None and invoice_id is not None:
            key = (invoice_id, cause, fate)
            unused.setdefault(key, {}).setdefault(line_id, []).append((cut, end))
        releases.append((days_id, cut, False, key))
    notes: dict[tuple[int, str, str], NoteDoc] = {}
    free: list[InvoicedLine] = []
    for key, spans in unused.items():
        invoice = invoices[key[0]]
        if invoice.status == "draft":
            continue
        lines = [released_line(invoice.lines[line_id], days) for line_id, days in spans.items()]
        first = min(line.period_start for line in lines if line.period_start)
        free += [line.of for line in lines if not line.of.amount_minor]
        note = note_of(
            invoice, customers[invoice.customer_id], lines, cause=key[1],
            reason=given_back_words(key[1], first, invoice.language), is_refund=key[2] == "refund",
        )  # fmt: skip
        if note is not None:
            notes[key] = note
    result.add(notes.values())
    result.free = free
    for days_id, cut, is_forfeit, key in releases:
        result.cuts.append((days_id, cut, is_forfeit, notes.get(key) if key else None))
        if not is_forfeit:
            result.released[days_id] = cut
    gone: list[int] = []
    for key, spans in unused.items():
        of = {line_id: invoices[key[0]].lines[line_id] for line_id in spans}
        if invoices[key[0]].status == "draft":
            # A draft is never credited; one that a person took over is shortened.
            result.shortened.append((invoices[key[0]], spans))
        else:
            gone += [id_ for id_ in lowered(of) if not of[id_].billed_days]
    result.uses = uses_back(gone)
    result.uses.bring_up(known.discounts)
    return result


def write_given_back(company: Company, found: GivenBack, invoices: Iterable[InvoiceDoc], *, at: datetime) -> None:
    """Writes the days taken back, with the uses of discounts and the drafts they leave behind. The notes get their ids,
    and are still to be numbered and written; `invoices` use their credit under its own id from here on."""
    prepared = prepare(company, found.notes)
    if prepared:
        for document in invoices:
            document.credit_used = [(prepared.get(id_, id_), minor) for id_, minor in document.credit_used]
    cuts = [Cut(days_id, day, forfeits, note.id if note else None) for days_id, day, forfeits, note in found.cuts]
    cut_days(cuts, at=at)
    for draft, spans in found.shortened:
        shortening.shorten(company, draft, spans, at=at)
    write_uses_back(company, found.uses)


def _day_after(agreement: Agreement) -> date:
    assert agreement.ends_on is not None
    return agreement.ends_on + ONE_DAY


def given_back_words(cause: str, first: date, language: str) -> str:
    """The reason printed on an automatic note whose first day given back is `first`."""
    with translation.override(language):
        if cause == "cancel":
            ended = date_format(first - ONE_DAY, "DATE_FORMAT")
            return _("Ended on %(day)s: unused days are given back.") % {"day": ended}
        day = date_format(first, "DATE_FORMAT")
        if cause == "pause":
            return _("Without service from %(day)s: paid days are given back.") % {"day": day}
        return _("Changed on %(day)s: paid days are given back and billed anew.") % {"day": day}


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
