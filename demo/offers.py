"""The scenes of a campaign: a discount, the code for it, and those who take it."""

from __future__ import annotations

from decimal import Decimal

from catalog.services import discounts
from demo.scenes import Stage, scene

CODE = "FRUEHLING"


@scene(110)
def a_campaign_begins(stage: Stage) -> None:
    campaign = discounts.create_campaign(company=stage.company, code="fruehling", name="Frühlingsaktion", **stage.now)
    discount = discounts.create_discount(
        company=stage.company,
        code="fruehling-20",
        name={
            "de": "Frühlingsrabatt", "en": "Spring discount", "fr": "Remise de printemps",
            "it": "Sconto di primavera", "es": "Descuento de primavera",
        },
        percent=Decimal(20),
        duration="periods",
        periods=3,
        campaign=campaign,
        **stage.now,
    )  # fmt: skip
    discounts.create_code(
        discount=discount, code=CODE, total_limit=100, customer_limit=1, first_time_only=True, **stage.now
    )


@scene(105)
def one_takes_the_offer(stage: Stage) -> None:
    stage.start("offer-1", "team", stage.enter("offer-1", "Schreinerei Blüte GmbH"), seats=4, offer_code=CODE)


@scene(80)
def another_takes_the_offer(stage: Stage) -> None:
    stage.start("offer-2", "studio", stage.enter("offer-2", "Gartenbau Maiglöckchen KG"), offer_code=CODE)


@scene(24)
def the_last_one_takes_the_offer(stage: Stage) -> None:
    stage.start("offer-3", "team", stage.enter("offer-3", "Café Knospe e. K."), seats=2, offer_code=CODE)
