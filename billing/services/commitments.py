"""Minimum commitments in settling: what a closed window lacks of its minimum becomes a line.

The rule that matters: minimum, prorated as the base price and rounded, less what was billed for the window's days after
credit notes and before discounts and credit; never below 0. A batch is read in two queries; without minimums in none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from billing.services import books
from billing.services.grouping import Line
from billing.services.loading import CustomerRow, words
from billing.services.noting import NoteDoc
from billing.services.snapshots import plain
from billing.services.taxing import Taxing
from core.models import Company
from pricing.errors import PricingError
from pricing.money import Money, to_minor
from subscriptions.services import minimums, schedule
from subscriptions.services.minimums import Former, Window
from subscriptions.services.schedule import ONE_DAY, Agreement

#: What counts towards a minimum: everything that is billed for days.
COUNTED: Final = ("base", "added", "usage", "interim", "late")
OWN, WHOLE = "minimum", "minimum:all"
_MOST_WINDOWS: Final = 1200


class Billed(NamedTuple):
    """What was billed for days of a slot, before discounts and after credits, spread evenly over `days`."""

    slot_id: int
    minor: Fraction
    days: tuple[tuple[date, date], ...]

    def within(self, start: date, end: date) -> Fraction:
        """The part for the days [start, end)."""
        total = sum((last - first).days for first, last in self.days)
        inside = sum(max(0, (min(last, end) - max(first, start)).days) for first, last in self.days)
        return self.minor * inside / total if total else Fraction(0)


@dataclass(slots=True)
class Closing:
    """What closes for a subscription: windows in order, when the next one does, what was billed before, windows that
    stand on a line; what went wrong."""

    windows: list[Window] = field(default_factory=list)
    next_on: date | None = None
    billed: list[Billed] = field(default_factory=list)
    standing: set[tuple[bool, int, date]] = field(default_factory=set)
    error: PricingError | None = None


def closing(
    agreements: Sequence[Agreement],
    notes: Iterable[NoteDoc],
    released: Mapping[int, date],
    *,
    on: date,
    last: Mapping[int, date] | None = None,
    lines: Iterable[Line] = (),
) -> dict[int, Closing]:
    """What closes by that day, by subscription; those without a minimum are left out.

    `notes` and `released` are given back in this settling, see `read_billed`. `last`: an earlier day for some
    subscriptions. `lines`: those of documents that are reckoned and not written.
    """
    concerned = [agreement for agreement in agreements if minimums.has_any(agreement)]
    if not concerned:
        return {}
    former = _former([one.id for one in concerned if one.minimum_through_on or one.minimum_amount is not None])
    found: dict[int, Closing] = {}
    for agreement in concerned:
        until = min(on, (last or {}).get(agreement.id, on))
        closed = found[agreement.id] = Closing()
        try:
            _walk(agreement, former.get(agreement.id, []), closed, until)
        except PricingError as error:
            closed.error = error
    by_id = {agreement.id: agreement for agreement in concerned}
    spans = _spans(found, by_id)
    if spans:
        _leave_out_billed(found, by_id, spans)
        read_billed(found, by_id, notes, released)
    for line in lines:
        if line.subscription_id in found:
            found[line.subscription_id].billed += _billed([line])
    return found


def _walk(agreement: Agreement, former: Sequence[Former], closed: Closing, until: date) -> None:
    walks: list[Iterable[Window]] = [minimums.of_price(agreement, slot) for slot in agreement.slots]
    for windows in (*walks, _whole(agreement, former)):
        for number, window in enumerate(windows):
            if window.end > until or number > _MOST_WINDOWS:
                if window.amount:
                    closed.next_on = min(filter(None, (closed.next_on, window.end)))
                break
            closed.windows.append(window)


def _whole(agreement: Agreement, former: Sequence[Former]) -> Iterable[Window]:
    if agreement.minimum_amount is None and agreement.minimum_through_on is None:
        return ()
    return minimums.of_whole(agreement, former)


_FORMER: Final = """
SELECT subscription_id, effective_on, before #>> '{columns,minimum_amount}'
FROM subscriptions_change
WHERE subscription_id = ANY(%s) AND status = 'done' AND values ? 'minimum_amount'
ORDER BY effective_on, id
"""


def _former(subscription_ids: Sequence[int]) -> dict[int, list[Former]]:
    """What minimums of whole subscriptions were before they changed; the first word of a day counts."""
    found: dict[int, list[Former]] = {}
    if not subscription_ids:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_FORMER, [list(subscription_ids)])
        for subscription_id, day, amount in cursor.fetchall():
            rows = found.setdefault(subscription_id, [])
            if not rows or rows[-1][0] != day:
                rows.append((day, None if amount is None else Decimal(amount)))
    return found


class _Line(NamedTuple):
    """A line as `_BILLED` reads it; `lowered_minor`: what discounts and credit took off, `live`: days still billed."""

    subscription_id: int
    slot_id: int
    kind: str
    amount_minor: int
    lowered_minor: int
    credited_minor: int
    start: date
    end: date
    live: list[tuple[date, date]]

    def counted(self, credited_now: int) -> Fraction:
        """What it cost before discounts and credit that lowered it, in so far as it was not given back."""
        if self.amount_minor:
            left = Fraction(self.amount_minor - self.credited_minor - credited_now)
            return (self.amount_minor + self.lowered_minor) * left / self.amount_minor
        if self.kind == "interim":
            return Fraction(self.lowered_minor)
        # Nothing to give back by amount: it goes by the days that are still billed.
        live = sum((last - first).days for first, last in self.live)
        return self.lowered_minor * Fraction(live, (self.end - self.start).days)


_BILLED: Final = """
SELECT l.id, l.subscription_id, l.slot_id, l.kind, l.amount_minor,
       l.discount_minor + coalesce((
           SELECT sum((told ->> 'amount_minor')::bigint) FROM jsonb_array_elements(l.calculation -> 'allowances') told
       ), 0)::bigint,
       coalesce(c.credited_minor, 0), l.period_start, l.period_end, lower(d.days), upper(d.days), d.id
FROM unnest(%s::bigint[], %s::date[], %s::date[]) v(slot_id, start_on, end_on)
JOIN billing_invoiceline l ON l.slot_id = v.slot_id AND l.period_start < v.end_on AND l.period_end > v.start_on
JOIN billing_invoicebalance b ON b.invoice_id = l.invoice_id AND b.status <> 'void'
LEFT JOIN billing_linecredit c ON c.line_id = l.id
LEFT JOIN billing_billeddays d ON d.line_id = l.id AND d.released_at IS NULL
WHERE l.kind = ANY(%s)
ORDER BY l.id, lower(d.days)
"""


def _spans(found: Mapping[int, Closing], agreements: Mapping[int, Agreement]) -> dict[int, tuple[date, date]]:
    """The days that windows reach over, by the slots that count towards them."""
    spans: dict[int, tuple[date, date]] = {}
    for id_, closed in found.items():
        for window in closed.windows:
            for slot in agreements[id_].slots if window.is_whole else [window.slot]:
                start, end = spans.get(slot.id, (window.start, window.end))
                spans[slot.id] = min(start, window.start), max(end, window.end)
    return spans


def read_billed(
    found: Mapping[int, Closing],
    agreements: Mapping[int, Agreement],
    notes: Iterable[NoteDoc],
    released: Mapping[int, date],
) -> None:
    """Fills in what was billed before for the days of windows, less what `notes` of this settling give back: of rows
    of billed days (by id) those from the day on that `released` names."""
    spans = _spans(found, agreements)
    credited: dict[int, int] = {}
    for note in notes:
        for part in note.lines:
            credited[part.of.id] = credited.get(part.of.id, 0) + part.amount_minor
    rows: dict[int, _Line] = {}
    with connection.cursor() as cursor:
        starts, ends = [span[0] for span in spans.values()], [span[1] for span in spans.values()]
        cursor.execute(_BILLED, [list(spans), starts, ends, list(COUNTED)])
        for line_id, *row, first, last, days_id in cursor.fetchall():
            line = rows.setdefault(line_id, _Line._make((*row, [])))
            if first is not None and first < (kept := min(last, released.get(days_id, last))):
                line.live.append((first, kept))
    for line_id, line in rows.items():
        minor = line.counted(credited.get(line_id, 0))
        days = tuple(line.live or [(line.start, line.end)])
        found[line.subscription_id].billed.append(Billed(line.slot_id, minor, days))


def _key(window: Window) -> tuple[bool, int, date]:
    return window.is_whole, window.slot.id, window.start


_STANDING: Final = """
SELECT d.slot_id, d.component, lower(d.days), upper(d.days)
FROM unnest(%s::bigint[], %s::date[], %s::date[]) v(slot_id, start_on, end_on)
JOIN billing_billeddays d ON d.slot_id = v.slot_id AND d.days && daterange(v.start_on, v.end_on)
WHERE d.component = ANY(%s) AND d.released_at IS NULL
"""


def _leave_out_billed(
    found: Mapping[int, Closing], agreements: Mapping[int, Agreement], spans: Mapping[int, tuple[date, date]]
) -> None:
    """Windows that stand on a line need no further one: a voided invoice may have opened one before them again."""
    with connection.cursor() as cursor:
        starts, ends = [span[0] for span in spans.values()], [span[1] for span in spans.values()]
        cursor.execute(_STANDING, [list(spans), starts, ends, [OWN, WHOLE]])
        standing = cursor.fetchall()
    if not standing:
        return
    for id_, closed in found.items():
        mine = {slot.id for slot in agreements[id_].slots}
        for slot_id, component, start, end in standing:
            for window in closed.windows:
                is_same = (component == WHOLE) == window.is_whole and (window.is_whole or slot_id == window.slot.id)
                if slot_id in mine and is_same and window.start < end and window.end > start:
                    closed.standing.add(_key(window))


def counted_minor(billed: Iterable[Billed], window: Window) -> int:
    """What counts towards the minimum of a window, in minor units."""
    parts = [one for one in billed if window.is_whole or one.slot_id == window.slot.id]
    counted = sum((one.within(window.start, window.end) for one in parts), Fraction(0))
    # Half a unit up, as every amount: what was billed of whole days is whole.
    return int((counted * 2 + 1) // 2)


def _billed(lines: Iterable[Line]) -> list[Billed]:
    """What lines in memory count: before discounts, and before credit that lowered them."""
    found = []
    for line in lines:
        if line.slot_id is not None and line.kind in COUNTED and line.period_start and line.period_end:
            days = tuple((first, last) for first, last, _kind in line.days) or ((line.period_start, line.period_end),)
            credit = sum(said["amount_minor"] for said in line.calculation.get("allowances", ()))
            found.append(Billed(line.slot_id, Fraction(line.amount_minor + line.discount_minor + credit), days))
    return found


def lines(
    company: Company,
    customer: CustomerRow,
    agreement: Agreement,
    closed: Closing,
    fresh: Iterable[Line],
    taxing: Taxing,
    accounts: dict[tuple[str, str], int],
) -> list[tuple[date, Line]]:
    """The lines for what closed windows lack, with their due days. `fresh`: lines of this settling, not discounted."""
    if closed.error is not None:
        raise closed.error
    billed = list(closed.billed)
    billed += _billed(fresh)
    found = []
    for window in closed.windows:
        if _key(window) in closed.standing:
            continue
        least = to_minor(Fraction(window.amount) * window.share, agreement.currency)
        counted = counted_minor(billed, window)
        if least > counted:
            line = _line(company, customer, agreement, window, least, counted, taxing, accounts)
            found.append((window.end, line))
    return found


def _line(
    company: Company,
    customer: CustomerRow,
    agreement: Agreement,
    window: Window,
    least_minor: int,
    counted: int,
    taxing: Taxing,
    accounts: dict[tuple[str, str], int],
) -> Line:
    slot, terms = schedule.supplied(window.slot, window.terms), window.terms
    tax = taxing.over(customer, slot.supply, slot.level, window.start, window.end, window.end)
    name = words(slot.product_name, customer.language, company.language)
    with translation.override(customer.language):
        said = _("Minimum charge") if window.is_whole else _("Minimum charge: %(product)s") % {"product": name}
    days, full_days = (window.end - window.start).days, (window.full_end - window.full_start).days
    missing = least_minor - counted
    calculation: dict[str, Any] = {
        "minimum": plain(window.amount),
        "minimum_of": "all" if window.is_whole else "price",
        "minimum_minor": least_minor,
        "counted_minor": counted,
        "interval": f"{terms.interval_count} {terms.interval_unit}",
        "full_start": window.full_start.isoformat(),
        "full_end": window.full_end.isoformat(),
        "days": days,
        "full_days": full_days,
        "share": "1" if window.share == 1 else f"{days}/{full_days}",
        "prorated": terms.is_prorated,
        "tax": tax.facts(),
    }
    if not window.is_whole:
        calculation |= {"price_version": terms.price_version, "price_ref": terms.price_ref}
    return Line(
        subscription_id=agreement.id,
        slot_id=slot.id,
        product_id=slot.product_id,
        description=said[:400],
        detail=agreement.name if agreement.name != said else "",
        quantity=Decimal(1),
        unit="",
        unit_amount=Money(missing, agreement.currency).amount,
        period_start=window.start,
        period_end=window.end,
        amount_minor=missing,
        tax=tax,
        account_id=books.revenue_account(accounts, slot.revenue_account, name),
        calculation=calculation,
        days=((window.start, window.end, "billed"),),
        kind="minimum",
        component=WHOLE if window.is_whole else OWN,
        price_id=None if window.is_whole else terms.price_id,
        share=window.share,
    )


def closed_through(found: Mapping[int, Closing], billed: Collection[int]) -> tuple[dict[int, date], dict[int, date]]:
    """The days up to which minimums are closed: of slots, and of whole subscriptions; of those `billed`."""
    slots: dict[int, date] = {}
    whole: dict[int, date] = {}
    for id_, closed in found.items():
        for window in closed.windows if id_ in billed else ():
            (whole if window.is_whole else slots)[id_ if window.is_whole else window.slot.id] = window.end - ONE_DAY
    return slots, whole
