"""What falls due and what it costs: the periods of a slot that are not billed yet, and units added to billed ones.

Pure: plain values in, charges out. Which days fall due when is `subscriptions.services.schedule`'s answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import orjson

from catalog.services.price_specs import price_spec
from pricing.charge_models import PriceSpec, amount
from pricing.errors import PricingError
from pricing.money import to_minor
from pricing.periods import Anchor, Interval, index_at
from pricing.proration import prorated
from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY, Agreement, SlotRow, Stretch, TermsRow

MOST_LINES_A_DAY = 15


class Runaway(PricingError):
    """More lines than there can be: billing of this subscription stops until a person has looked."""


class Charge(NamedTuple):
    """Days of a slot that fall due. `end` and `full_end` are the first days no longer covered.

    `served_end` is earlier than `end` where days after the last day of service are paid for and forfeited.
    `units_before`: of units added, how many there were; `less_minor`: of another price, what the full period cost
    before. Of both only the difference is charged. `is_again`: what the terms of the morning had billed, and an earlier
    change of the day gave back.
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
    kind: str = "base"
    component: str = "base"
    units_before: Decimal | None = None
    less_minor: int | None = None
    is_again: bool = False


@lru_cache(maxsize=65536)
def line_minor(
    model: str,
    unit_amount: Decimal,
    quantity: Decimal,
    days: int,
    full_days: int,
    currency: str,
    details: str = "{}",
) -> int:
    """A line's amount, rounded once: the price of the full period times its share of days.

    >>> line_minor("per_unit", Decimal("599.95"), Decimal(1), 29, 31, "EUR")
    56124
    """
    exact = amount(model, spec_of(unit_amount, details), quantity)
    if days != full_days:
        exact = prorated(exact, Fraction(days, full_days))
    return to_minor(exact, currency)


@lru_cache(maxsize=4096)
def spec_of(unit_amount: Decimal, details: str) -> PriceSpec:
    """What a price version says, from the columns it stands in. Raises `BadPrice`."""
    return price_spec(unit_amount, orjson.loads(details))


def charge_of(agreement: Agreement, stretch: Stretch) -> Charge:
    """What a stretch of recurring days costs."""
    terms = stretch.terms
    if stretch.slot.kind == "usage":
        return Charge(*stretch, 0, "usage", "usage")
    full_days = (stretch.full_end - stretch.full_start).days
    days = (stretch.end - stretch.start).days if terms.is_prorated else full_days
    minor = line_minor(
        terms.model, terms.unit_amount, terms.quantity, days, full_days, agreement.currency, terms.details
    )
    return Charge(*stretch, minor)


def walk(agreement: Agreement, slot: SlotRow, cursor: date, limit: date | None = None) -> Iterator[Charge]:
    """The charges of a slot from a day on (up to, without, `limit`), in order, for as long as it is agreed."""
    for stretch in schedule.walk(agreement, slot, cursor, limit):
        yield charge_of(agreement, stretch)


def added_component(from_on: date) -> str:
    """What days of units added on that day are billed as."""
    return f"added:{from_on.isoformat()}"


def added_charges(agreement: Agreement, slot: SlotRow, added: TermsRow, before: TermsRow, end: date) -> list[Charge]:
    """What units added from a day on cost for days billed already, up to `end`: the difference of the two totals.

    An unprorated price costs the whole difference for a started period. What comes to nothing is left out; so are days
    after a last day of service whose price would be given back.
    """
    found: list[Charge] = []
    cursor = added.from_on
    if agreement.ends_on is not None and (added.from_on > agreement.ends_on or agreement.end_unused != "none"):
        end = min(end, agreement.ends_on + ONE_DAY)
    while cursor < end:
        full_start, full_end = schedule.period_of(agreement, added, cursor)
        stop = min(full_end, end)
        share = Fraction((stop - cursor).days, (full_end - full_start).days) if added.is_prorated else Fraction(1)
        now = amount(added.model, spec_of(added.unit_amount, added.details), added.quantity)
        then = amount(before.model, spec_of(before.unit_amount, before.details), before.quantity)
        minor = to_minor(prorated(max(now - then, Fraction(0)), share), agreement.currency)
        if minor:
            less = None if _is_price_of(added, before) else to_minor(then, agreement.currency)
            charge = Charge(
                added.from_on, slot, added, cursor, stop, stop, full_start, full_end, minor, "added",
                added_component(added.from_on), before.quantity if less is None else None, less,
            )  # fmt: skip
            found.append(charge)
        cursor = stop
    return found


def charges_again(agreement: Agreement, slot: SlotRow, until: date) -> list[Charge]:
    """Days up to `until` that an earlier change of the day gave back, at the terms before it, and what is added to
    them since: of several changes on one day only the last counts."""
    number = next(n for n, terms in enumerate(slot.terms) if n and terms.settles == "add")
    added, before = slot.terms[number], slot.terms[number - 1]
    until = min(until, added.until_on or until)
    morning = slot._replace(terms=[before._replace(from_on=added.from_on, until_on=until)])
    again = [
        charge._replace(due_on=added.from_on, slot=slot, is_again=True)
        for charge in walk(agreement, morning, added.from_on, until)
    ]
    return [*again, *added_charges(agreement, slot, added, before, again[-1].end)] if again else []


def _is_price_of(terms: TermsRow, other: TermsRow) -> bool:
    return (terms.model, terms.unit_amount, terms.details) == (other.model, other.unit_amount, other.details)


class SlotDue(NamedTuple):
    """What one slot owes by a day: its charges, its new state, and when it falls due next (None: never)."""

    charges: list[Charge]
    billed_through_on: date
    reopened: tuple[tuple[date, date], ...]
    next_due_on: date | None


def slot_due(agreement: Agreement, slot: SlotRow, on: date, again_until: date | None = None) -> SlotDue:
    """Everything of a slot that is due by that day: days given back by a voided invoice, added units, new periods.

    What planned changes give back must have been given back before. `again_until`: see `charges_again`. Usage is rated
    elsewhere: its charges are stretches at 0. Raises `Runaway`.
    """
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
    for number, terms in enumerate(slot.terms):
        if terms.settles == "add" and terms.from_on <= on and number:
            until = min(through + ONE_DAY, terms.settles_until or date.max)
            charges += added_charges(agreement, slot, terms, slot.terms[number - 1], until)
    if again_until is not None and (again := charges_again(agreement, slot, again_until)):
        charges += again
        through = max(charge.end for charge in again) - ONE_DAY
    for charge in walk(agreement, slot, through + ONE_DAY):
        if charge.due_on > on:
            next_due = charge.due_on if next_due is None else min(next_due, charge.due_on)
            break
        charges.append(charge)
        through = charge.end - ONE_DAY
    planned = schedule.settles_next(slot, on)
    if planned is not None and (agreement.ends_on is None or planned <= agreement.ends_on):
        next_due = planned if next_due is None else min(next_due, planned)
    if len(charges) > 1:
        _check_runaway(agreement, slot, charges)
    return SlotDue(charges, through, tuple(still_open), next_due)


def _check_runaway(agreement: Agreement, slot: SlotRow, charges: list[Charge]) -> None:
    """More lines than boundaries, two for one start, or too many for one day stop the subscription."""
    starts = {(charge.component, charge.start) for charge in charges}
    if len(starts) != len(charges):
        raise Runaway("billing.runaway_twin", slot=slot.id)
    by_day: dict[date, int] = {}
    for charge in charges:
        by_day[charge.due_on] = by_day.get(charge.due_on, 0) + 1
    if max(by_day.values()) > MOST_LINES_A_DAY:
        raise Runaway("billing.runaway_day", slot=slot.id, lines=max(by_day.values()))
    first, last = min(charge.start for charge in charges), max(charge.end for charge in charges)
    allowed = count_boundaries(agreement, slot, first, last)
    allowed += 2 * len(slot.reopened) + sum(charge.kind == "added" or charge.is_again for charge in charges)
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
        anchor_on = terms.anchor_on or agreement.anchor_on
        month_day = agreement.anchor_month_day if terms.anchor_on is None else terms.anchor_month_day or anchor_on.day
        anchor = Anchor(anchor_on, month_day if interval.months else 0)
        count += index_at(anchor, interval, last) - index_at(anchor, interval, first) + 1
    return count
