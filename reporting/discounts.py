"""What discounts and campaigns did: who has them, what recurring revenue stands with them, what was given so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet, Sum

from billing.models import DiscountUse
from catalog.models import Campaign, Discount
from core.models import Company
from subscriptions.models import AgreedDiscount, Slot


@dataclass(frozen=True, slots=True)
class Effect:
    """`subscriptions`: how many were given one; by currency, in minor units: their monthly revenue now, and what was
    taken off their charges so far."""

    subscriptions: int
    mrr: list[tuple[str, int]]
    given: list[tuple[str, int]]


def effect_of(discount: Discount) -> Effect:
    """Of one discount."""
    return _effect(AgreedDiscount.objects.filter(company_id=discount.company_id, discount=discount))


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


def taken_by(company: Company, agreed: Iterable[AgreedDiscount]) -> dict[int, int]:
    """What each of these took so far, in minor units, by id."""
    ids = [row.pk for row in agreed]
    uses = DiscountUse.objects.filter(company=company, agreed_id__in=ids).order_by().values_list("agreed_id")
    return dict(uses.annotate(total=Sum("amount_minor")))
