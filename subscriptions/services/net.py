"""The tax inside gross prices, so that recurring revenue stands without it.

Only subscriptions with gross prices ask; for all others no query is made. The decision itself is `pricing.taxes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from catalog.models import TaxBehavior, TaxRate
from catalog.services.territories import place_of
from core.models import Company
from customers.models import Address
from pricing.taxes import EU_MEMBERS, BadTax, RateRow, tax_treatment
from subscriptions.models import Slot, Subscription


def contained_tax(company: Company, positions: Sequence[tuple[Subscription, Slot]]) -> dict[int, Decimal]:
    """Percent of tax inside each gross position's price, keyed by `id(slot)`; net positions are left out.

    As on the first paid day. Where no rate is known, none is taken out. Two queries when there is a gross position.
    """
    gross = [(sub, slot) for sub, slot in positions if sub.tax_behavior == TaxBehavior.INCLUSIVE]
    if not gross:
        return {}
    ids = {subscription.customer_id for subscription, _ in gross}
    billing = Address.objects.filter(customer_id__in=ids, kind=Address.Kind.BILLING, replaced_at__isnull=True)
    addresses = {address.customer_id: address for address in billing}
    places = {owner: place_of(one.country, one.region, one.postal_code) for owner, one in addresses.items()}
    countries = {company.country, *(country for country, _region in places.values())}
    rates = [
        RateRow(row.country, row.region, row.level, row.valid_from, row.percent, row.tax_category or None)  # type: ignore[arg-type]
        for row in TaxRate.objects.filter(company=company, country__in=countries)
    ]
    return contained(company, gross, places, rates)


def contained(
    company: Company,
    positions: Sequence[tuple[Subscription, Slot]],
    places: Mapping[int, tuple[str, str]],
    rates: Sequence[RateRow],
) -> dict[int, Decimal]:
    """As `contained_tax`, of gross positions: `places` are those of the customers (by id), as from `place_of`, `rates`
    those of their countries and the seller's. No query."""
    found: dict[int, Decimal] = {}
    for subscription, slot in positions:
        customer, category = subscription.customer, slot.product.tax_category
        if category.level in ("exempt", "zero"):
            continue
        country, region = places.get(customer.pk, ("", ""))
        try:
            treatment = tax_treatment(
                on=subscription.paid_from_on,
                seller_country=company.country,
                customer_country=country,
                customer_region=region,
                is_business=customer.kind == "company",
                supply_kind=category.supply,  # type: ignore[arg-type]
                product_category=category.level,
                rates=rates,
                vat_id_state=customer.vat_state,  # type: ignore[arg-type]
                exemption="E" if customer.tax_exemption else None,
                small_business=company.is_small_business,
                taxed_at_origin=company.charges_origin_vat and company.country in EU_MEMBERS,
            )
        except BadTax:
            continue
        if treatment.group.rate:
            found[id(slot)] = treatment.group.rate
    return found
