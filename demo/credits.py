"""The scenes of credit and of prices with tax in them: granted credit, a prepaid pack, an amount off a gross price."""

from __future__ import annotations

from datetime import timedelta

from billing.services import acts_discounting, granting, selling
from catalog.models import Product
from catalog.services import discounts
from demo.scenes import Stage, scene


@scene(140)
def three_come(stage: Stage) -> None:
    stage.start("granted", "team", stage.enter("granted", "Bäckerei Morgenrot GmbH"), seats=6)
    stage.start("prepaid", "team", stage.enter("prepaid", "Kurierdienst Vorkasse GmbH"), seats=8)
    stage.start("gross", "home", stage.enter("gross", "Annegret Petersen-Nagel", kind="person"))


@scene(75)
def three_recommendations_are_thanked_for(stage: Stage) -> None:
    """More than the next invoices take: some of it is left."""
    granting.grant(
        customer=stage.customer("granted"), amount_minor=25_000, currency="EUR",
        reason="Dank für drei Empfehlungen", expires_on=stage.day + timedelta(days=365),
        by=stage.staff("sales"), at=stage.at,
    )  # fmt: skip


@scene(72)
def one_pays_ahead(stage: Stage) -> None:
    """A pack of 500 for 450: the difference is granted."""
    selling.sell_credit_pack(
        customer=stage.customer("prepaid"), amount_minor=50_000, price_minor=45_000, currency="EUR",
        description="Guthaben Hafenlicht 500", expires_on=stage.day + timedelta(days=730),
        product=Product.objects.get(company=stage.company, code="team"), by=stage.staff("sales"), at=stage.at,
    )  # fmt: skip


@scene(70)
def a_loyal_person_pays_less(stage: Stage) -> None:
    discount = discounts.create_discount(
        company=stage.company,
        code="treue-2",
        name={
            "de": "Treuebonus", "en": "Loyalty bonus", "fr": "Prime de fidélité", "it": "Bonus fedeltà",
            "es": "Descuento por fidelidad",
        },
        amount_minor=200,
        currency="EUR",
        duration="periods",
        periods=2,
        **stage.now,
    )  # fmt: skip
    acts_discounting.give(
        subscription=stage.subscription("gross"), discount=discount, on=stage.day, by=stage.staff("support"),
        at=stage.at,
    )  # fmt: skip
