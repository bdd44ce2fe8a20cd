"""What discounts and campaigns did: who has them, what recurring revenue stands with them, what was given so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Min, QuerySet, Sum

from billing.models import DiscountUse
from catalog.models import Campaign, Discount
from core.models import Company
from core.replica import reads_replica
from subscriptions.models import AgreedDiscount, Slot


@dataclass(frozen=True, slots=True)
class Effect:
    """`subscriptions`: how many were given one; by currency, in minor units: their monthly revenue now, and what was
    taken off their charges so far."""

    subscriptions: int
    mrr: list[tuple[str, int]]
    given: list[tuple[str, int]]


@reads_replica
def effects_of(company: Company, discounts: Iterable[Discount]) -> dict[int, Effect]:
    """Of each of these discounts, by id, in three queries however many there are."""
    found = {discount.pk: Effect(0, [], []) for discount in discounts}
    agreed = AgreedDiscount.objects.filter(company=company, discount__in=list(found)).order_by()
    counts = agreed.values("discount_id").annotate(count=Count("subscription_id", distinct=True))
    # A subscription that was given one twice counts once.
    once = agreed.values("discount_id", "subscription_id").annotate(first=Min("pk")).values("first")
    mrr = AgreedDiscount.objects.filter(pk__in=once).order_by().values_list("discount_id", "subscription__currency")
    uses = DiscountUse.objects.filter(company=company, agreed__discount__in=list(found)).order_by()
    given = uses.values_list("agreed__discount_id", "agreed__subscription__currency")
    subscriptions = dict(counts.values_list("discount_id", "count"))
    worth = _by_currency(mrr.annotate(total=Sum("subscription__slots__mrr_minor")))
    taken = _by_currency(given.annotate(total=Sum("amount_minor")))
    return {pk: Effect(subscriptions.get(pk, 0), worth.get(pk, []), taken.get(pk, [])) for pk in found}


def _by_currency(rows: Iterable[tuple[int, str, int | None]]) -> dict[int, list[tuple[str, int]]]:
    found: dict[int, list[tuple[str, int]]] = {}
    for pk, currency, total in sorted(rows, key=lambda row: row[:2]):
        if total:
            found.setdefault(pk, []).append((currency, total))
    return found


@reads_replica
def effect_of_campaign(campaign: Campaign) -> Effect:
    """Of all discounts of a campaign."""
    return _effect(AgreedDiscount.objects.filter(company_id=campaign.company_id, discount__campaign=campaign))


def _effect(agreed: QuerySet[AgreedDiscount]) -> Effect:
    wanted = agreed.order_by().values("subscription_id").distinct()
    mrr = Slot.objects.filter(subscription_id__in=wanted).order_by().values_list("subscription__currency")
    uses = DiscountUse.objects.filter(agreed__in=agreed).order_by().values_list("agreed__subscription__currency")
    return Effect(
        wanted.count(),
        sorted((currency, minor) for currency, minor in mrr.annotate(total=Sum("mrr_minor")) if minor),
        sorted((currency, minor) for currency, minor in uses.annotate(total=Sum("amount_minor")) if minor),
    )


@reads_replica
def taken_by(company: Company, agreed: Iterable[AgreedDiscount]) -> dict[int, int]:
    """What each of these took so far, in minor units, by id."""
    ids = [row.pk for row in agreed]
    uses = DiscountUse.objects.filter(company=company, agreed_id__in=ids).order_by().values_list("agreed_id")
    return dict(uses.annotate(total=Sum("amount_minor")))
