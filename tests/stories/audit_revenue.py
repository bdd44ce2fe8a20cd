"""Recurring revenue, counted once more from terms and discounts."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction
from typing import Any

from tests.stories.audit_days import ENDED, period_of, terms_on

MONTHS = {"day": Fraction(12, 365), "week": Fraction(12, 52), "month": Fraction(1), "year": Fraction(12)}
#: What a gross price is over its net one; all customers of the story are in Germany.
GERMAN_TAX = Fraction(119, 100)


def revenue_follows_terms(company: Any, today: date) -> None:
    """Movements add up to what each slot's terms are worth a month; on no day was a slot worth less than nothing."""
    from subscriptions.models import AgreedDiscount, Movement, Slot

    moved: defaultdict[int, defaultdict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in Movement.objects.filter(company=company):
        moved[row.slot_id][row.effective_on] += row.amount_minor
    given: defaultdict[int, list[Any]] = defaultdict(list)
    for discount in AgreedDiscount.objects.filter(company=company).order_by("pk"):
        given[discount.subscription_id].append(discount)
    for slot in Slot.objects.filter(company=company).select_related("subscription").prefetch_related("terms"):
        worth = 0
        for day in sorted(moved[slot.pk]):
            worth += moved[slot.pk][day]
            assert worth >= 0, (slot.pk, day, worth)
        assert worth == slot.mrr_minor, (slot.pk, worth, slot.mrr_minor)
        expected = _worth(slot, given[slot.subscription_id], today)
        if expected is not None:
            assert worth == expected, (slot.pk, worth, expected)


def _worth(slot: Any, discounts: list[Any], today: date) -> int | None:
    """What its terms are worth a month today, in minor units; None where a discount of an amount is in the way."""
    subscription = slot.subscription
    held = terms_on(list(slot.terms.all()), today)
    if slot.kind == "usage" or subscription.state in (*ENDED, "pending", "paused") or held is None:
        return 0
    if held.standing not in ("agreed", "suspended"):
        return 0
    exact = Fraction(held.unit_amount) * (Fraction(held.quantity) if held.model == "per_unit" else 1) * 100
    exact /= MONTHS[held.interval_unit] * held.interval_count
    if subscription.tax_behavior == "inclusive":
        exact /= GERMAN_TAX
    full_start, _ = period_of(subscription, held, today)
    start = max(full_start, held.from_on, subscription.paid_from_on)
    for one in discounts:
        takes = one.from_on <= start and (one.until_on is None or full_start < one.until_on)
        if not takes or one.duration == "once" or one.ended_at is not None:
            continue
        if one.percent is None:
            return None
        exact *= 1 - Fraction(one.percent) / 100
    return int(exact + Fraction(1, 2))
