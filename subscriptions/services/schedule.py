"""Which days of a slot fall due when. Pure: plain rows in, stretches of days out; what they cost is a higher floor's.

The rule that matters: a period is counted from the anchor, begins where the last one ended, lies in agreed days only
and never after the last day of service. Staff, portal, run and forecast plan with this one walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from pricing.periods import Anchor, Interval, boundary, index_at
from pricing.terms import Terms, contract_clock

ONE_DAY = timedelta(days=1)


class ProductRow(NamedTuple):
    """What is supplied, as lines name and tax it; the texts are JSON by language. Fields as in `SlotRow`."""

    product_id: int
    product_name: str
    unit_name: str
    tax_category_id: int
    supply: str
    level: str
    revenue_account: str


class TermsRow(NamedTuple):
    """Price and quantity of a slot from a day on, until the first day they no longer hold (None: open).

    `details` is the canonical text of what the model needs beside the amount. `settles` says what becomes, on the
    first day, of days billed under the terms before. An anchor of its own replaces the subscription's, a product of
    its own the slot's.
    """

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
    details: str = "{}"
    minimum_amount: Decimal | None = None
    anchor_on: date | None = None
    anchor_month_day: int | None = None
    standing: str = "agreed"
    settles: str = ""
    id: int = 0
    price_id: int | None = None
    settles_until: date | None = None
    product_id: int | None = None
    product: ProductRow | None = None


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
    kind: str = "recurring"
    meter_id: int | None = None
    interim_minor: int | None = None
    usage_due_on: date | None = None
    late_from_on: date | None = None
    minimum_through_on: date | None = None


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
    minimum_amount: Decimal | None = None
    trial_may_end: bool = False
    payment_terms_from: str = ""
    minimum_through_on: date | None = None


class Stretch(NamedTuple):
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


def supplied(slot: SlotRow, terms: TermsRow) -> SlotRow:
    """The slot with what these terms supply, where that is another product than its own."""
    return slot if terms.product is None else slot._replace(**terms.product._asdict())


@lru_cache(maxsize=65536)
def full_period(anchor_on: date, month_day: int, unit: str, count: int, day: date) -> tuple[date, date]:
    """First day, and first day after it, of the period that contains the day."""
    interval = Interval(unit, count)  # type: ignore[arg-type]
    # Weeks and days aim at no day of the month.
    anchor = Anchor(anchor_on, month_day if interval.months else 0)
    n = index_at(anchor, interval, day)
    return boundary(anchor, interval, n), boundary(anchor, interval, n + 1)


def period_of(agreement: Agreement, terms: TermsRow, day: date) -> tuple[date, date]:
    """The full period of these terms that contains the day."""
    if terms.anchor_on is None:
        anchor_on, month_day = agreement.anchor_on, agreement.anchor_month_day
    else:
        anchor_on, month_day = terms.anchor_on, terms.anchor_month_day or terms.anchor_on.day
    return full_period(anchor_on, month_day, terms.interval_unit, terms.interval_count, day)


def _waits_until(agreement: Agreement, start: date) -> date | None:
    """Until when the first invoice of a renewed term waits; None outside a renewed term."""
    anchor = Anchor(
        agreement.anchor_on, 0 if agreement.interval_unit in ("day", "week") else agreement.anchor_month_day
    )
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


def late_usage_waits(slot: SlotRow) -> bool:
    """Whether usage that is to be looked at came in late, and so goes on the next invoice."""
    return slot.late_from_on is not None and slot.interim_minor is None


def walk(agreement: Agreement, slot: SlotRow, cursor: date, limit: date | None = None) -> Iterator[Stretch]:
    """The stretches of a slot from a day on (up to, without, `limit`), in order, for as long as it is agreed."""
    after_service = agreement.ends_on + ONE_DAY if agreement.ends_on is not None else None
    has_grace = agreement.grace_days > 0 and agreement.renewal_rule == "renew"
    for terms in slot.terms:
        if terms.until_on is not None and terms.until_on <= cursor:
            continue
        cursor = max(cursor, terms.from_on)
        if terms.standing != "agreed":
            if terms.until_on is None:
                return
            cursor = terms.until_on
            continue
        # Usage is known when its period is over.
        in_advance = terms.billed == "advance" and slot.kind != "usage"
        while terms.until_on is None or cursor < terms.until_on:
            if (after_service is not None and cursor >= after_service) or (limit is not None and cursor >= limit):
                return
            full_start, full_end = period_of(agreement, terms, cursor)
            end = full_end if terms.until_on is None or full_end <= terms.until_on else terms.until_on
            if limit is not None and limit < end:
                end = limit
            served_end = end
            if after_service is not None and after_service < end:
                served_end = after_service
                if agreement.end_unused != "none" or not in_advance or not terms.is_prorated:
                    end = served_end
            due_on = cursor if in_advance else end
            if has_grace and cursor >= agreement.paid_from_on:
                waits = _waits_until(agreement, cursor)
                if waits is not None and waits > due_on:
                    due_on = waits
            yield Stretch(due_on, slot, terms, cursor, end, served_end, full_start, full_end)
            cursor = end


def pending(slot: SlotRow, on: date) -> list[TermsRow]:
    """Terms whose first day has come and whose effect on billed days is still to be settled, in order."""
    return [terms for terms in slot.terms if terms.settles and terms.from_on <= on]


def settles_next(slot: SlotRow, on: date) -> date | None:
    """The next day after `on` on which a planned change is to be settled; None: there is none."""
    return min((terms.from_on for terms in slot.terms if terms.settles and terms.from_on > on), default=None)
