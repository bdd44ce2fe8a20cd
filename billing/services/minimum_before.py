"""What stood before a minimum closes: lines billed for its days, lines charged to reach it, usage corrected since.

The rule that matters: counted is what was billed for the window's days after credit notes and before discounts and
credit. A batch is read in two queries, three where a window stands on a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Final, NamedTuple

from django.db import connection

from billing.services.grouping import Line
from billing.services.noting import NoteDoc
from pricing.errors import PricingError
from subscriptions.services.minimums import Window
from subscriptions.services.schedule import Agreement

#: What counts towards a minimum: everything that is billed for days.
COUNTED: Final = ("base", "added", "usage", "interim", "late")
OWN, WHOLE = "minimum", "minimum:all"


#: A usage position, days [start, end) of it, and by how much less was used than was billed for them.
Fallen = tuple[int, date, date, int]


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


class Charged(NamedTuple):
    """A line that was charged to reach a minimum; `face_minor`: what it charged, whatever was given back of it.

    `is_further`: charged after the window's first line, because usage was corrected.
    """

    line_id: int
    is_whole: bool
    is_further: bool
    billed: Billed
    face_minor: int


@dataclass(slots=True)
class Closing:
    """What closes for a subscription: windows in order, when the next one does, what was billed before, what was
    charged to reach minimums, windows that stand on a line; what went wrong. `again`: windows closed before in which
    less was used than was billed; what they lack falls due `on`."""

    windows: list[Window] = field(default_factory=list)
    again: list[Window] = field(default_factory=list)
    on: date = date.min
    next_on: date | None = None
    billed: list[Billed] = field(default_factory=list)
    charged: list[Charged] = field(default_factory=list)
    fallen: list[Fallen] = field(default_factory=list)
    standing: set[tuple[bool, int, date]] = field(default_factory=set)
    error: PricingError | None = None

    def charged_for(self, window: Window) -> list[Charged]:
        """The lines that were charged to reach the minimum of a window."""
        return [one for one in self.charged if one.is_whole == window.is_whole and _counts(one.billed, window)]

    def reopened_minor(self, window: Window) -> int:
        """By how much less was used than was billed in a window whose minimum was charged, so far as no line has been
        charged for that yet: what was given back of a minimum by hand stays given back."""
        fallen = sum(
            minor
            for slot_id, start, end, minor in self.fallen
            if (window.is_whole or slot_id == window.slot.id) and start < window.end and end > window.start
        )
        return fallen - sum(one.face_minor for one in self.charged_for(window) if one.is_further)


class _Line(NamedTuple):
    """A line as `_BILLED` reads it; `lowered_minor`: what discounts and credit took off, `live`: days still billed."""

    subscription_id: int
    slot_id: int
    kind: str
    minimum_of: str | None
    is_further: bool
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
        if self.kind in ("interim", "minimum"):
            return Fraction(self.lowered_minor)
        # Nothing to give back by amount: it goes by the days that are still billed.
        live = sum((last - first).days for first, last in self.live)
        return self.lowered_minor * Fraction(live, (self.end - self.start).days)


_BILLED: Final = """
SELECT l.id, l.subscription_id, l.slot_id, l.kind, l.calculation ->> 'minimum_of', l.calculation ? 'further',
       l.amount_minor,
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


def spans_of(found: Mapping[int, Closing], agreements: Mapping[int, Agreement]) -> dict[int, tuple[date, date]]:
    """The days that windows reach over, by the slots that count towards them."""
    spans: dict[int, tuple[date, date]] = {}
    for id_, closed in found.items():
        for window in (*closed.windows, *closed.again):
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
    spans = spans_of(found, agreements)
    credited: dict[int, int] = {}
    for note in notes:
        for part in note.lines:
            credited[part.of.id] = credited.get(part.of.id, 0) + part.amount_minor
    rows: dict[int, _Line] = {}
    with connection.cursor() as cursor:
        starts, ends = [span[0] for span in spans.values()], [span[1] for span in spans.values()]
        cursor.execute(_BILLED, [list(spans), starts, ends, [*COUNTED, "minimum"]])
        for line_id, *row, first, last, days_id in cursor.fetchall():
            line = rows.setdefault(line_id, _Line._make((*row, [])))
            if first is not None and first < (kept := min(last, released.get(days_id, last))):
                line.live.append((first, kept))
    for line_id, line in rows.items():
        minor = line.counted(credited.get(line_id, 0))
        closed, days = found[line.subscription_id], tuple(line.live or [(line.start, line.end)])
        if line.kind == "minimum":
            charged = Billed(line.slot_id, minor, ((line.start, line.end),))
            face = line.amount_minor + line.lowered_minor
            closed.charged.append(Charged(line_id, line.minimum_of == "all", line.is_further, charged, face))
        else:
            closed.billed.append(Billed(line.slot_id, minor, days))


def key_of(window: Window) -> tuple[bool, int, date]:
    return window.is_whole, window.slot.id, window.start


_STANDING: Final = """
SELECT d.slot_id, d.component, lower(d.days), upper(d.days)
FROM unnest(%s::bigint[], %s::date[], %s::date[]) v(slot_id, start_on, end_on)
JOIN billing_billeddays d ON d.slot_id = v.slot_id AND d.days && daterange(v.start_on, v.end_on)
WHERE d.component = ANY(%s) AND d.released_at IS NULL
"""


def leave_out_billed(
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
            for window in (*closed.windows, *closed.again):
                is_same = (component == WHOLE) == window.is_whole and (window.is_whole or slot_id == window.slot.id)
                if slot_id in mine and is_same and window.start < end and window.end > start:
                    closed.standing.add(key_of(window))


_FALLEN: Final = """
SELECT slot.subscription_id, r.slot_id, r.period_start, r.period_end, -r.billed_minor
FROM unnest(%s::bigint[], %s::date[], %s::date[]) v(slot_id, start_on, end_on)
JOIN billing_ratedusage r ON r.slot_id = v.slot_id AND r.period_start < v.end_on AND r.period_end > v.start_on
JOIN billing_invoiceline l ON l.id = r.line_id
JOIN billing_invoicebalance b ON b.invoice_id = l.invoice_id AND b.status <> 'void'
JOIN subscriptions_slot slot ON slot.id = r.slot_id
WHERE r.note_id IS NOT NULL
"""


def read_fallen(found: Mapping[int, Closing], spans: Mapping[int, tuple[date, date]]) -> None:
    """Fills in by how much usage was corrected before, where a window stands on a line. No query where none does."""
    if not any(closed.standing for closed in found.values()):
        return
    with connection.cursor() as cursor:
        starts, ends = [span[0] for span in spans.values()], [span[1] for span in spans.values()]
        cursor.execute(_FALLEN, [list(spans), starts, ends])
        for subscription_id, *fallen in cursor.fetchall():
            found[subscription_id].fallen.append((fallen[0], fallen[1], fallen[2], fallen[3]))


def _counts(one: Billed, window: Window) -> bool:
    is_counted = window.is_whole or one.slot_id == window.slot.id
    return is_counted and any(first < window.end and last > window.start for first, last in one.days)


def counted_minor(billed: Iterable[Billed], window: Window) -> int:
    """What counts towards the minimum of a window, in minor units."""
    parts = [one for one in billed if window.is_whole or one.slot_id == window.slot.id]
    counted = sum((one.within(window.start, window.end) for one in parts), Fraction(0))
    # Half a unit up, as every amount: what was billed of whole days is whole.
    return int((counted * 2 + 1) // 2)


def billed_in(lines: Iterable[Line]) -> list[Billed]:
    """What lines in memory count: before discounts, and before credit that lowered them."""
    found = []
    for line in lines:
        if line.slot_id is not None and line.kind in COUNTED and line.period_start and line.period_end:
            days = tuple((first, last) for first, last, _kind in line.days) or ((line.period_start, line.period_end),)
            credit = sum(said["amount_minor"] for said in line.calculation.get("allowances", ()))
            found.append(Billed(line.slot_id, Fraction(line.amount_minor + line.discount_minor + credit), days))
    return found
