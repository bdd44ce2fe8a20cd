"""Events of what is sold: products, plans with their prices, discounts, meters."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ID = "01k2v9gq4m5xk8r3h7d1w6n0tz"
_PRODUCT = {"id": f"prd_{_ID}", "code": "support"}
_PLAN = {"id": f"pln_{_ID}", "code": "team", "status": "on_sale"}
_DISCOUNT = {"id": f"dsc_{_ID}", "code": "spring"}
_CODE = {"id": f"ofc_{_ID}", "code": "SPRING26"}
_CAMPAIGN = {"id": f"cmp_{_ID}", "code": "spring-2026"}
_METER = {"id": f"mtr_{_ID}", "code": "api-calls"}
_FIELDS: dict[str, Any] = {"fields": ["name"]}

register(
    {
        "product.created": (_("A product was made."), _PRODUCT),
        "product.updated": (_("A product changed; the fields are named."), _PRODUCT | _FIELDS),
        "product.archived": (_("A product is no longer offered."), _PRODUCT),
        "product.restored": (_("An archived product is offered again."), _PRODUCT),
        "plan.created": (_("A plan was made."), _PLAN | {"status": "draft"}),
        "plan.updated": (_("A plan changed; its fields or items are named."), _PLAN | _FIELDS),
        "plan.published": (_("A plan went on sale."), _PLAN),
        "plan.retired": (_("A plan is no longer sold; those who have it keep it."), _PLAN | {"status": "retired"}),
        "price.added": (_("A plan got a new price, or a new version of one from a day on."), {
            "id": f"pln_{_ID}", "code": "team", "item": f"pli_{_ID}", "currency": "EUR", "unit_amount": "49.00",
            "valid_from": "2026-04-01",
        }),
        "discount.created": (_("A discount was made."), _DISCOUNT),
        "discount.updated": (_("A discount changed; the fields are named."), _DISCOUNT | _FIELDS),
        "discount.archived": (_("A discount can't be given any more."), _DISCOUNT),
        "offer_code.created": (_("A code for a discount was made."), _CODE),
        "offer_code.archived": (_("A code for a discount can't be redeemed any more."), _CODE),
        "campaign.created": (_("A campaign was named."), _CAMPAIGN),
        "campaign.archived": (_("A campaign is over."), _CAMPAIGN),
        "meter.created": (_("A meter for usage was made."), _METER | {"aggregation": "sum"}),
        "meter.updated": (_("A meter changed; the fields are named."), _METER | _FIELDS),
        "meter.archived": (_("A meter is no longer offered."), _METER),
        "meter.restored": (_("An archived meter is offered again."), _METER),
    }
)  # fmt: skip
