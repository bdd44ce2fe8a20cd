"""What ends, changes and pauses give back: days of lines, the notes over them, and how the days are written.

The rule that matters: invoiced days come back only by a credit note on their line, a draft is shortened instead.
Reckoned first, written after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import orjson
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.services import charging, invoiced, shortening
from billing.services.crediting import prepare, released_line
from billing.services.discounting import UsesBack, lowered, uses_back, write_uses_back
from billing.services.grouping import InvoiceDoc
from billing.services.loading import Also, AlsoRow, CreditLeft, CustomerRow, Facts
from billing.services.noting import Invoiced, InvoicedLine, NoteDoc, note_of
from billing.services.releasing import Cut, cut_days
from core.models import Company
from subscriptions.services.schedule import ONE_DAY, Agreement


@dataclass(slots=True)
class GivenBack:
    """What ends, changes and pauses give back, not written yet: notes, the credit they make, lines that credit had
    covered whole, slots cut to a new last billed day, agreements that are over; rows of billed days with the day from
    which they are released, and (`cuts`) all that are cut; edited drafts with the days of lines they lose; uses of
    discounts that come back. `again`: slots whose days were given back for an earlier change of the same day and are
    billed again at the terms before it, up to, without, a day."""

    notes: list[NoteDoc] = field(default_factory=list)
    credits: list[CreditLeft] = field(default_factory=list)
    free: list[InvoicedLine] = field(default_factory=list)
    ended: dict[int, date] = field(default_factory=dict)
    agreements: set[int] = field(default_factory=set)
    released: dict[int, date] = field(default_factory=dict)
    cuts: list[tuple[int, date, bool, NoteDoc | None]] = field(default_factory=list)
    shortened: list[tuple[Invoiced, dict[int, list[tuple[date, date]]]]] = field(default_factory=list)
    uses: UsesBack = field(default_factory=UsesBack)
    again: dict[int, date] = field(default_factory=dict)

    def add(self, notes: Iterable[NoteDoc]) -> None:
        """Takes notes in, with the credit they make; until they are written it is numbered below 0."""
        for note in notes:
            self.notes.append(note)
            note.credit_id = -len(self.notes)
            if note.to_account_minor and not note.is_refund:
                self.credits.append(
                    CreditLeft(note.credit_id, note.customer.id, note.currency, note.to_account_minor)
                )  # fmt: skip


_LIVE = """
SELECT 'live', d.component, '', '', NULL::numeric, lower(d.days), d.id, d.slot_id,
       json_build_array(upper(d.days), l.id, l.invoice_id, t.is_prorated, l.quantity::text, l.unit_amount::text,
                        l.calculation->>'price_ref')::text
FROM billing_billeddays d
JOIN unnest(%(cut_slots)s::bigint[], %(cut_days)s::date[], %(cut_ends)s::boolean[]) v(slot_id, after_on, is_end)
     ON v.slot_id = d.slot_id
LEFT JOIN billing_invoiceline l ON l.id = d.line_id
LEFT JOIN subscriptions_slotterms t ON t.slot_id = d.slot_id AND t.from_on <= lower(d.days)
     AND (t.until_on IS NULL OR t.until_on > lower(d.days))
WHERE d.released_at IS NULL AND (d.kind = 'billed' OR NOT v.is_end) AND d.days && daterange(v.after_on, NULL)
  AND (d.component = 'base' OR d.component LIKE 'added:%%')
"""
# Days from that one on that changes gave back, and what the line that had billed them said of the price.
_GIVEN = """
SELECT 'given', '', '', '', NULL::numeric, lower(d.days), l.id, v.slot_id,
       json_build_array(upper(d.days), l.quantity::text, l.unit_amount::text, l.calculation->>'price_ref')::text
FROM unnest(%(more_slots)s::bigint[], %(more_days)s::date[]) v(slot_id, day)
CROSS JOIN LATERAL (
    SELECT * FROM billing_invoiceline WHERE slot_id = v.slot_id AND period_end > v.day AND kind = 'base' OFFSET 0
) l
JOIN billing_billeddays d ON d.line_id = l.id AND d.component = 'base' AND lower(d.days) >= v.day
JOIN billing_creditnote n ON n.id = d.released_by AND n.cause = 'change'
"""


def has_unused_days(agreement: Agreement, on: date) -> bool:
    """Whether days are billed after its end and it is time to give them back: on the first day no longer covered,
    or at once for an end asked for on its very day."""
    ends_on = agreement.ends_on
    if ends_on is None or not any(slot.billed_through_on > ends_on for slot in agreement.slots):
        return False
    return ends_on < on or (ends_on == on and agreement.ended_at_once)


#: How many units a line bills, the price of one as text, and the address of its price version.
_Of = tuple[Decimal, Decimal, str | None]


class _Live(NamedTuple):
    """A row of billed days [start, end), the line that bills them and what of (None: a period that cost nothing), and
    whether their price is prorated."""

    slot_id: int
    start: date
    id: int
    end: date
    line_id: int | None
    invoice_id: int | None
    is_prorated: bool | None
    component: str
    bills: _Of | None

    @classmethod
    def of(cls, row: AlsoRow) -> _Live:
        _, component, _, _, _, start, id_, slot_id, more = row
        end, line_id, invoice_id, is_prorated, *bills = orjson.loads(more or "[]")
        assert slot_id is not None and start is not None and id_ is not None
        until, of = date.fromisoformat(end), None if line_id is None else _of(*bills)
        return cls(slot_id, start, id_, until, line_id, invoice_id, is_prorated, component, of)


def _of(quantity: str, unit_amount: str, price_ref: str | None) -> _Of:
    return Decimal(quantity), Decimal(unit_amount), price_ref


class _Cut(NamedTuple):
    """From which day on the billed days of a slot are taken back, what for, and what becomes of them.

    `only`: just those of that component, as when more units are added on a day on which some were added already.
    `before`: what they are added to. `is_billed`: whether days from that one on are billed.
    """

    day: date
    cause: str
    unused: str
    only: str = ""
    before: _Of | None = None
    is_billed: bool = True


def _cuts(agreement: Agreement, on: date) -> dict[int, _Cut]:
    """Slots of an agreement whose billed days are taken back by that day: of an end, of a change, of a pause."""
    found: dict[int, _Cut] = {}
    for slot in agreement.slots:
        for number, terms in enumerate(slot.terms):
            if not terms.settles or terms.from_on > on:
                continue
            if terms.settles == "rebill" and slot.billed_through_on >= terms.from_on:
                cause = "pause" if terms.standing in ("paused", "suspended") else "change"
                found[slot.id] = _Cut(terms.from_on, cause, "credit")
                break
            if terms.settles == "add" and number and slot.id not in found:
                prior, is_billed = slot.terms[number - 1], slot.billed_through_on >= terms.from_on
                before = prior.quantity, prior.unit_amount, prior.price_ref
                only = charging.added_component(terms.from_on)
                found[slot.id] = _Cut(terms.from_on, "change", "credit", only, before, is_billed)
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
        more = {id_: cut.day for id_, cut in self.of_slot.items() if cut.only}
        given = [Also(_GIVEN, {"more_slots": list(more), "more_days": list(more.values())})] if more else []
        return [Also(_LIVE, params), *given]


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
    every = list(map(_Live.of, known.also.get("live", ())))
    cuts = foreseen.of_slot | _begun_anew(foreseen.of_slot, every)
    result = GivenBack(agreements=foreseen.over, again=_again(cuts, known.also.get("given", ())))
    live = [row for row in every if cuts[row.slot_id].only in ("", row.component)]
    if not live:
        return result
    live.sort(key=lambda row: (row.slot_id, row.start))
    invoices = invoiced.load_invoices(company, [row.invoice_id for row in live if row.invoice_id is not None])
    # Days of one line can stand in several rows; the line gives them back together.
    unused: dict[tuple[int, str, str], dict[int, list[tuple[date, date]]]] = {}
    releases: list[tuple[int, date, bool, tuple[int, str, str] | None]] = []
    for slot_id, start, days_id, end, line_id, invoice_id, is_prorated, component, _bills in live:
        cut_day, cause, fate = cuts[slot_id][:3]
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


def _begun_anew(cuts: Mapping[int, _Cut], live: Iterable[_Live]) -> dict[int, _Cut]:
    """Slots to which more is to be added, but whose days are billed from that very day on at other terms than those
    before it: nothing can be added to these, so that they are given back whole."""
    found: dict[int, _Cut] = {}
    for row in live:
        cut = cuts[row.slot_id]
        if cut.only and row.component == "base" and row.start == cut.day and row.bills not in (None, cut.before):
            found[row.slot_id] = cut._replace(only="")
    return found


def _again(cuts: Mapping[int, _Cut], given: Iterable[AlsoRow]) -> dict[int, date]:
    """Slots whose days are billed by nothing now, and were billed at the terms before the day until a change of that
    day gave them back; with the first day after those."""
    spans: dict[int, list[tuple[date, date]]] = {}
    for *_row, start, _line_id, slot_id, more in given:
        assert slot_id is not None and start is not None
        cut, (end, *bills) = cuts[slot_id], orjson.loads(more or "[]")
        if cut.before == _of(*bills) and not (cut.only and cut.is_billed):
            spans.setdefault(slot_id, []).append((start, date.fromisoformat(end)))
    found: dict[int, date] = {}
    for slot_id, days in spans.items():
        until = cuts[slot_id].day
        for start, end in sorted(days):
            until = max(until, end) if start <= until else until
        if until > cuts[slot_id].day:
            found[slot_id] = until
    return found


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
