"""What recurring discounts leave of the prices of a subscription, and on which days that changes.

The rule that matters: a discount holds for a period whole: for every period that begins, or in which days are charged
anew, from its first day on and that began before its last. Revenue follows the periods, not the day somebody acted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, NamedTuple

from catalog.models import Discount
from catalog.services.price_specs import price_spec
from pricing.charge_models import amount
from pricing.money import places
from subscriptions.models import AgreedDiscount, Slot, SlotTerms, Subscription
from subscriptions.services import due, movements, retiming, schedule
from subscriptions.services.schedule import ONE_DAY

Scope, Duration = Discount.Scope, Discount.Duration
_NARROWNESS: Final = {Scope.PRICE: 0, Scope.PRODUCT: 1, Scope.EVERYTHING: 2}
_WHOLE: Final = Fraction(1)
#: A discount's end is looked for over so many periods at most.
_LOOK_AHEAD = 24
#: One whose last periods are not billed yet is looked at again after so long.
LOOK_AGAIN = timedelta(days=7)


class Position(NamedTuple):
    """A recurring position on a day: its price per interval in whole units, exact, and the period it stands in.

    `start` is the first day of the days charged together, `full_start` that of their full period.
    """

    product_id: int
    price_id: int | None
    price: Fraction
    interval: tuple[str, int]
    start: date
    full_start: date


def attach(subscriptions: Iterable[Subscription]) -> None:
    """Has each subscription carry its live discounts, oldest first: one query, none where no row says it has any."""
    wanted = []
    for subscription in subscriptions:
        if not getattr(subscription, "has_discounts", True):
            vars(subscription).setdefault("live_discounts", [])
        if not hasattr(subscription, "live_discounts"):
            wanted.append(subscription)
    by_subscription: dict[int, list[AgreedDiscount]] = {subscription.pk: [] for subscription in wanted}
    if wanted:
        rows = AgreedDiscount.objects.filter(subscription_id__in=by_subscription, ended_at__isnull=True)
        for row in rows.order_by("id"):
            by_subscription[row.subscription_id].append(row)
    for subscription in wanted:
        subscription.live_discounts = by_subscription[subscription.pk]  # type: ignore[attr-defined]


def live(subscription: Subscription) -> list[AgreedDiscount]:
    """The discounts that are neither used up nor taken back, oldest first."""
    attach([subscription])
    found: list[AgreedDiscount] = getattr(subscription, "live_discounts", [])
    return [discount for discount in found if discount.ended_at is None]


def covers(discount: AgreedDiscount | Discount, product_id: int, price_id: int | None) -> bool:
    """Whether the discount is for this product and price."""
    if discount.scope == Scope.PRODUCT:
        return discount.product_id == product_id
    return discount.scope != Scope.PRICE or (price_id is not None and discount.price_id == price_id)


def holds(discount: AgreedDiscount, start: date, full_start: date) -> bool:
    """Whether days charged from `start` on, of the period that began on `full_start`, take it."""
    return discount.from_on <= start and (discount.until_on is None or full_start < discount.until_on)


def kept(subscription: Subscription, slots: Sequence[tuple[Slot, SlotTerms | None]], on: date) -> list[Fraction]:
    """Of each slot under these terms: which part of its recurring price the recurring discounts leave on that day.

    `on` is no day before the first paid one. Discounts given once change no revenue.
    """
    discounts = [one for one in live(subscription) if one.duration != Duration.ONCE]
    if not discounts:
        return [_WHOLE] * len(slots)
    agreement = due.agreement_of(subscription)
    positions: list[Position | None] = []
    for slot, held in slots:
        counts = held is not None and slot.kind == Slot.Kind.RECURRING and held.standing in movements.EARNING
        positions.append(_position(subscription, agreement, slot, held, on) if counts and held is not None else None)
    there = [position for position in positions if position is not None]
    shares = iter(kept_of(there, discounts))
    return [_WHOLE if position is None else next(shares) for position in positions]


def _position(
    subscription: Subscription, agreement: schedule.Agreement, slot: Slot, held: SlotTerms, on: date
) -> Position:
    full_start, _ = schedule.period_of(agreement, due.terms_row(held), on)
    start = max(full_start, held.from_on, subscription.paid_from_on)
    price = amount(held.model, price_spec(held.unit_amount, held.details), held.quantity)
    product_id = held.product_id or slot.product_id
    return Position(product_id, held.price_id, price, (held.interval_unit, held.interval_count), start, full_start)


def kept_of(positions: Sequence[Position], discounts: Sequence[AgreedDiscount]) -> list[Fraction]:
    """The part of each position's price that is left: narrowest scope first, then oldest, as on documents.

    An amount is taken off the positions of the shortest interval it covers, in proportion: they carry it most often.
    """
    left = [position.price for position in positions]
    for discount in sorted(discounts, key=lambda one: _NARROWNESS[Scope(one.scope)]):
        inside = [
            index
            for index, position in enumerate(positions)
            if covers(discount, position.product_id, position.price_id)
            and holds(discount, position.start, position.full_start)
        ]
        if discount.percent is not None:
            for index in inside:
                left[index] *= 1 - Fraction(discount.percent) / 100
            continue
        if not inside or discount.amount_minor is None:
            continue
        often = max(movements.per_month(*positions[index].interval) for index in inside)
        carrying = [index for index in inside if movements.per_month(*positions[index].interval) == often]
        total = sum((left[index] for index in carrying), Fraction(0))
        if total:
            keeps = 1 - min(Fraction(discount.amount_minor, 10 ** places(discount.currency)), total) / total
            for index in carrying:
                left[index] *= keeps
    return [
        _WHOLE if not position.price else rest / position.price for position, rest in zip(positions, left, strict=True)
    ]


def next_move(subscription: Subscription) -> date | None:
    """The next day on which a discount changes revenue; None: none does."""
    days = [one.next_change_on for one in live(subscription) if one.next_change_on is not None]
    return min(days, default=None)


def next_change(subscription: Subscription, discount: AgreedDiscount, after: date) -> date | None:
    """The first day after `after` on which a period begins that takes the discount first, or takes it no longer."""
    agreement = due.agreement_of(subscription)
    days: list[date] = []
    for slot in subscription.slots.all():
        rows = sorted(slot.terms.all(), key=lambda held: held.from_on)
        if not any(covers(discount, held.product_id or slot.product_id, held.price_id) for held in rows):
            continue
        first = _period_from(agreement, rows, max(discount.from_on, subscription.paid_from_on), whole=False)
        last = None
        if discount.until_on is not None:
            last = _period_from(agreement, rows, max(discount.until_on, subscription.paid_from_on), whole=True)
        days += [day for day in (first, last) if day is not None and day > after]
    return min(days, default=None)


def _period_from(agreement: schedule.Agreement, rows: Sequence[SlotTerms], aim: date, *, whole: bool) -> date | None:
    """The first day from `aim` on that begins a period of these terms, or (not only whole ones) the terms in it."""
    day = aim
    for _ in range(_LOOK_AHEAD):
        held = retiming.terms_on(rows, day)
        if held is None:
            return None
        full_start, full_end = schedule.period_of(agreement, due.terms_row(held), day)
        if day == full_start or (day == held.from_on and not whole):
            return day
        day = full_end if held.until_on is None else min(full_end, held.until_on)
    return None


def plan_next(subscription: Subscription, discount: AgreedDiscount, after: date) -> None:
    """Sets, in memory, the next day the discount is to be looked at after that one; None: it needs no look."""
    discount.next_change_on = next_change(subscription, discount, after)
    if discount.next_change_on is None and discount.until_on is not None:
        discount.next_change_on = max(after, discount.until_on) + LOOK_AGAIN


def is_over(subscription: Subscription, discount: AgreedDiscount, on: date) -> bool:
    """Whether no period takes it from that day on, and all that did are billed."""
    until_on = discount.until_on
    if until_on is None or on < until_on or next_change(subscription, discount, on) is not None:
        return False
    for slot in subscription.slots.all():
        held = retiming.terms_on(slot.terms.all(), until_on - ONE_DAY)
        agreed = held is not None and held.standing == SlotTerms.Standing.AGREED
        if agreed and slot.billed_through_on + ONE_DAY < until_on:
            return False
    return True
