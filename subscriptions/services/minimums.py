"""When minimums close: the windows of a price's minimum and of the whole subscription's. Pure: rows in, windows out.

The rule that matters: a window closes on the first day after it, also where its price is paid in advance; a change, a
pause and an end close it early. Windows of one minimum follow each other and are never closed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY, Agreement, SlotRow, TermsRow


class Window(NamedTuple):
    """Days [start, end) of a minimum: of a slot's price, or (`is_whole`) of all positions, led by that slot.

    `amount` is that of the full period [full_start, full_end), in whole units of the currency; due on `end`.
    """

    slot: SlotRow
    terms: TermsRow
    is_whole: bool
    start: date
    end: date
    full_start: date
    full_end: date
    amount: Decimal

    @property
    def share(self) -> Fraction:
        """The part of the full period, as of the base price: all of it where that is not prorated."""
        if not self.terms.is_prorated:
            return Fraction(1)
        return Fraction((self.end - self.start).days, (self.full_end - self.full_start).days)


#: A day and the subscription's minimum that held before it; one for each change of it.
Former = tuple[date, Decimal | None]


def has_any(agreement: Agreement) -> bool:
    """Whether anything of it has a minimum, or had one."""
    if agreement.minimum_amount is not None or agreement.minimum_through_on is not None:
        return True
    return any(terms.minimum_amount is not None for slot in agreement.slots for terms in slot.terms)


def of_price(agreement: Agreement, slot: SlotRow) -> Iterator[Window]:
    """The windows of a position's own minimum that are not closed yet, in order; without end while it is agreed."""
    rows = list(slot.terms)
    while rows and rows[-1].minimum_amount is None:
        rows.pop()
    if not rows:
        return
    cursor = max(agreement.paid_from_on, rows[0].from_on)
    if slot.minimum_through_on is not None:
        cursor = slot.minimum_through_on + ONE_DAY
    for stretch in schedule.walk(agreement, slot._replace(terms=rows), cursor):
        minimum = stretch.terms.minimum_amount
        if minimum is not None:
            yield Window(
                slot, stretch.terms, False, stretch.start, stretch.served_end, stretch.full_start, stretch.full_end,
                minimum,
            )  # fmt: skip


def of_whole(agreement: Agreement, former: Sequence[Former] = ()) -> Iterator[Window]:
    """The windows of the subscription's minimum that are not closed yet, in order; those without one at 0.

    `former`: what its minimum was before it changed, oldest first. Periods are those of the leading position, the first
    that is agreed; while none is, there is no window.
    """
    cursor = agreement.paid_from_on
    if agreement.minimum_through_on is not None:
        cursor = agreement.minimum_through_on + ONE_DAY
    after_service = agreement.ends_on + ONE_DAY if agreement.ends_on is not None else None
    bounds = sorted({day for slot in agreement.slots for terms in slot.terms for day in _days(terms)})
    while after_service is None or cursor < after_service:
        leading = _leading(agreement, cursor)
        if leading is None:
            later = next((day for day in bounds if day > cursor and _leading(agreement, day) is not None), None)
            if later is None:
                return
            cursor = later
            continue
        slot, terms = leading
        full = schedule.period_of(agreement, terms, cursor)
        ends = [full[1]]
        ends += [after_service] if after_service is not None else []
        ends += [day for day, _ in former if day > cursor][:1]
        for day in bounds:
            if cursor < day < ends[0]:
                other = _leading(agreement, day)
                if other is None or schedule.period_of(agreement, other[1], day) != full:
                    ends.append(day)
                    break
        end = min(ends)
        amount = next((before for day, before in former if day > cursor), agreement.minimum_amount)
        yield Window(slot, terms, True, cursor, end, *full, amount or Decimal(0))
        cursor = end


def next_close(agreement: Agreement, slots: Sequence[SlotRow] | None = None) -> date | None:
    """The next day on which a minimum closes; None: none ever does."""
    whole = agreement if slots is None else agreement._replace(slots=list(slots))
    days = [window.end for slot in whole.slots for window in _first(of_price(whole, slot))]
    if whole.minimum_amount is not None:
        days += [window.end for window in _first(of_whole(whole))]
    return min(days, default=None)


def _first(windows: Iterator[Window]) -> list[Window]:
    found = next(windows, None)
    return [] if found is None else [found]


def _days(terms: TermsRow) -> tuple[date, ...]:
    return (terms.from_on,) if terms.until_on is None else (terms.from_on, terms.until_on)


def _leading(agreement: Agreement, day: date) -> tuple[SlotRow, TermsRow] | None:
    """The first position agreed on that day with its terms, recurring ones before usage."""
    for kind in ("recurring", "usage"):
        for slot in agreement.slots:
            if slot.kind == kind:
                for terms in slot.terms:
                    holds = terms.from_on <= day and (terms.until_on is None or day < terms.until_on)
                    if holds and terms.standing == "agreed":
                        return slot, terms
    return None
