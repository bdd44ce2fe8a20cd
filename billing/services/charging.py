"""What falls due: the periods of a slot that are not billed yet, one after the other, and what each costs.

Pure: plain values in, charges out. The rule that matters: a period is counted from the anchor, begins where the last
one ended, and never lies after the last day of service.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from pricing.charge_models import PriceSpec, amount
from pricing.errors import PricingError
from pricing.money import to_minor
from pricing.periods import Anchor, Interval, boundary, index_at
from pricing.proration import prorated
from pricing.terms import Terms, contract_clock

ONE_DAY = timedelta(days=1)
MOST_LINES_A_DAY = 15


class Runaway(PricingError):
    """More lines than there can be: billing of this subscription stops until a person has looked."""


class TermsRow(NamedTuple):
    """Price and quantity of a slot from a day on, until the first day they no longer hold (None: open)."""

    from_on: date
    until_on: date | None
    price_ref: str | None
    price_version: int | None
    model: str
    unit_amount: Decimal
    quantity: Decimal
    billed: str
    is_prorated: bool
    interval_unit: str
    interval_count: int


class SlotRow(NamedTuple):
    """A position: what was billed, what is billed again, what is agreed."""

    id: int
    position: int
    billed_through_on: date
    reopened: tuple[tuple[date, date], ...]
    product_id: int
    product_name: str
    unit_name: str
    tax_category_id: int
    supply: str
    level: str
    revenue_account: str
    terms: list[TermsRow]


class Agreement(NamedTuple):
    """A subscription as billing reads it."""

    id: int
    customer_id: int
    name: str
    state: str
    currency: str
    tax_behavior: str
    time_zone: str
    paid_from_on: date
    anchor_on: date
    anchor_month_day: int
    ends_on: date | None
    end_unused: str
    ended_at_once: bool
    next_bill_on: date | None
    interval_unit: str
    interval_count: int
    minimum_count: int
    minimum_unit: str
    renewal_rule: str
    renewal_count: int
    renewal_unit: str
    grace_days: int
    payment_terms_days: int | None
    po_reference: str
    slots: list[SlotRow]


class Charge(NamedTuple):
    """Days of a slot that fall due. `end` and `full_end` are the first days no longer covered.

    `served_end` is earlier than `end` where days after the last day of service are paid for and forfeited.
    """

    due_on: date
    slot: SlotRow
    terms: TermsRow
    start: date
    end: date
    served_end: date
    full_start: date
    full_end: date
    amount_minor: int


@lru_cache(maxsize=65536)
def _full_period(anchor_on: date, month_day: int, unit: str, count: int, day: date) -> tuple[date, date]:
    interval = Interval(unit, count)  # type: ignore[arg-type]
    # Weeks and days aim at no day of the month.
    anchor = Anchor(anchor_on, month_day if interval.months else 0)
    n = index_at(anchor, interval, day)
    return boundary(anchor, interval, n), boundary(anchor, interval, n + 1)


@lru_cache(maxsize=65536)
def line_minor(model: str, unit_amount: Decimal, quantity: Decimal, days: int, full_days: int, currency: str) -> int:
    """A line's amount, rounded once: the price of the full period times its share of days.

    >>> line_minor("per_unit", Decimal("599.95"), Decimal(1), 29, 31, "EUR")
    56124
    """
    exact = amount(model, PriceSpec(unit_price=unit_amount), quantity)
    if days != full_days:
        exact = prorated(exact, Fraction(days, full_days))
    return to_minor(exact, currency)


def _waits_until(agreement: Agreement, start: date) -> date | None:
    """Until when the first invoice of a renewed term waits; None outside a renewed term."""
    anchor = Anchor(agreement.anchor_on, agreement.anchor_month_day)
    terms = Terms(
        first_paid_on=agreement.paid_from_on,
        anchor=anchor,
        interval=Interval(agreement.interval_unit, agreement.interval_count),  # type: ignore[arg-type]
        minimum_term=(agreement.minimum_count, agreement.minimum_unit) if agreement.minimum_count else None,  # type: ignore[arg-type]
        renewal_rule="renew",
        renewal_term=(agreement.renewal_count, agreement.renewal_unit) if agreement.renewal_count else None,  # type: ignore[arg-type]
    )
    begun = contract_clock(terms, start).term_start
    return begun + timedelta(days=agreement.grace_days) if begun > agreement.paid_from_on else None


def walk(agreement: Agreement, slot: SlotRow, cursor: date, limit: date | None = None) -> Iterator[Charge]:
    """The charges of a slot from a day on (up to, without, `limit`), in order, for as long as it is agreed."""
    after_service = agreement.ends_on + ONE_DAY if agreement.ends_on is not None else None
    has_grace = agreement.grace_days > 0 and agreement.renewal_rule == "renew"
    for terms in slot.terms:
        if terms.until_on is not None and terms.until_on <= cursor:
            continue
        cursor = max(cursor, terms.from_on)
        while terms.until_on is None or cursor < terms.until_on:
            if (after_service is not None and cursor >= after_service) or (limit is not None and cursor >= limit):
                return
            full_start, full_end = _full_period(
                agreement.anchor_on, agreement.anchor_month_day, terms.interval_unit, terms.interval_count, cursor
            )
            end = full_end if terms.until_on is None or full_end <= terms.until_on else terms.until_on
            if limit is not None and limit < end:
                end = limit
            served_end = end
            if after_service is not None and after_service < end:
                served_end = after_service
                if agreement.end_unused != "none" or terms.billed != "advance" or not terms.is_prorated:
                    end = served_end
            due_on = cursor if terms.billed == "advance" else end
            if has_grace:
                waits = _waits_until(agreement, cursor)
                if waits is not None and waits > due_on:
                    due_on = waits
            full_days = (full_end - full_start).days
            days = (end - cursor).days if terms.is_prorated else full_days
            minor = line_minor(terms.model, terms.unit_amount, terms.quantity, days, full_days, agreement.currency)
            yield Charge(due_on, slot, terms, cursor, end, served_end, full_start, full_end, minor)
            cursor = end


class SlotDue(NamedTuple):
    """What one slot owes by a day: its charges, its new state, and when it falls due next (None: never)."""

    charges: list[Charge]
    billed_through_on: date
    reopened: tuple[tuple[date, date], ...]
    next_due_on: date | None


def slot_due(agreement: Agreement, slot: SlotRow, on: date) -> SlotDue:
    """Everything of a slot that is due by that day, days given back by a voided invoice first. Raises `Runaway`."""
    charges: list[Charge] = []
    next_due: date | None = None
    still_open: list[tuple[date, date]] = []
    for start, end in slot.reopened:
        for charge in walk(agreement, slot, start, end):
            if charge.due_on > on:
                still_open.append((charge.start, end))
                next_due = charge.due_on if next_due is None else min(next_due, charge.due_on)
                break
            charges.append(charge)
    through = slot.billed_through_on
    for charge in walk(agreement, slot, through + ONE_DAY):
        if charge.due_on > on:
            next_due = charge.due_on if next_due is None else min(next_due, charge.due_on)
            break
        charges.append(charge)
        through = charge.end - ONE_DAY
    if len(charges) > 1:
        _check_runaway(agreement, slot, charges)
    return SlotDue(charges, through, tuple(still_open), next_due)


def _check_runaway(agreement: Agreement, slot: SlotRow, charges: list[Charge]) -> None:
    """More lines than boundaries, two for one start, or too many for one day stop the subscription."""
    starts = {charge.start for charge in charges}
    if len(starts) != len(charges):
        raise Runaway("billing.runaway_twin", slot=slot.id)
    by_day: dict[date, int] = {}
    for charge in charges:
        by_day[charge.due_on] = by_day.get(charge.due_on, 0) + 1
    if max(by_day.values()) > MOST_LINES_A_DAY:
        raise Runaway("billing.runaway_day", slot=slot.id, lines=max(by_day.values()))
    allowed = count_boundaries(agreement, slot, min(starts), max(charge.end for charge in charges))
    allowed += 2 * len(slot.reopened)
    if len(charges) > allowed:
        raise Runaway("billing.runaway_boundaries", slot=slot.id, lines=len(charges), boundaries=allowed)


def count_boundaries(agreement: Agreement, slot: SlotRow, start: date, end: date) -> int:
    """How many lines [start, end) can have at most, counted from the interval numbers alone, without walking."""
    count = 0
    for terms in slot.terms:
        first = max(start, terms.from_on)
        last = (end if terms.until_on is None else min(end, terms.until_on)) - ONE_DAY
        if first > last:
            continue
        interval = Interval(terms.interval_unit, terms.interval_count)  # type: ignore[arg-type]
        anchor = Anchor(agreement.anchor_on, agreement.anchor_month_day if interval.months else 0)
        count += index_at(anchor, interval, last) - index_at(anchor, interval, first) + 1
    return count
