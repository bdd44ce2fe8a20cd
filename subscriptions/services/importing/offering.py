"""The catalog an import stands on: what its mapping defines is made when missing, what is there stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from catalog.models import Plan, Product, TaxCategory
from catalog.services import plans, products
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from subscriptions.services.agreeing import Offer
from subscriptions.services.importing import values
from subscriptions.services.importing.mapping import ImportMapping

_ITEM_KEYS = ("product", "quantity", "price", "currency", "model", "details", "billed", "prorated")


@dataclass(slots=True)
class Catalog:
    """Products and plans by code; plans with their items and prices, read once."""

    products: dict[str, Product]
    offers: dict[str, Offer]


def prepare(*, company: Company, mapping: ImportMapping, on: date, by: Actor, at: datetime) -> Catalog:
    """Makes the mapping's products and plans that don't exist yet, and reads the catalog.

    A plan made here is on sale if its items have list prices (valid from `on`), else it stays a draft.
    """
    for number, definition in enumerate(mapping.products, start=1):
        _product(company, definition, f"products.{number}", by, at)
    found = {row.code: row for row in Product.objects.filter(company=company).select_related("tax_category")}
    for number, definition in enumerate(mapping.plans, start=1):
        _plan(company, mapping, definition, f"plans.{number}", found, on, by, at)
    offers = {plan.code: Offer.of(plan) for plan in Plan.objects.filter(company=company).select_related("company")}
    return Catalog(found, offers)


def _product(company: Company, definition: Mapping[str, Any], path: str, by: Actor, at: datetime) -> None:
    code = str(definition["code"])
    if Product.objects.filter(company=company, code=code).exists():
        return
    wanted = str(definition.get("tax_category", "standard-electronic"))
    category = TaxCategory.objects.filter(company=company, code=wanted).first()
    if category is None:
        raise Refused("import.category_missing", field=f"{path}.tax_category", value=values.shown(wanted))
    with _at(path):
        products.create_product(
            company=company,
            code=code,
            name=_texts(company, definition["name"]),
            tax_category=category,
            kind=definition.get("kind", "service"),
            description=_texts(company, definition.get("description", {})),
            unit_name=_texts(company, definition.get("unit_name", {})),
            revenue_account=str(definition.get("revenue_account", "")),
            by=by,
            at=at,
        )


def _plan(
    company: Company,
    mapping: ImportMapping,
    definition: Mapping[str, Any],
    path: str,
    found: Mapping[str, Product],
    on: date,
    by: Actor,
    at: datetime,
) -> None:
    code = str(definition["code"])
    if Plan.objects.filter(company=company, code=code).exists():
        return
    specs = []
    for number, item in enumerate(definition.get("items", []), start=1):
        specs.append(_item(mapping, item, f"{path}.items.{number}", found, on))
    with _at(path):
        plans.create_plan(
            company=company,
            code=code,
            name=_texts(company, definition["name"]),
            description=_texts(company, definition.get("description", {})),
            terms_text=_texts(company, definition.get("terms_text", {})),
            items=specs,
            rules=definition.get("rules", {}),
            status="on_sale" if specs and all(spec.prices for spec in specs) else "draft",
            by=by,
            at=at,
        )


def _item(
    mapping: ImportMapping, item: Mapping[str, Any], path: str, found: Mapping[str, Product], on: date
) -> plans.PlanItemSpec:
    for key in item:
        if key not in _ITEM_KEYS:
            choices = ", ".join(_ITEM_KEYS)
            raise Refused("import.mapping_key", field=f"{path}.{key}", path=f"{path}.{key}", choices=choices)
    product = found.get(str(item.get("product", "")))
    if product is None:
        raise Refused(
            "import.product_missing", field=f"{path}.product", value=values.shown(str(item.get("product", "")))
        )
    prices = []
    if "price" in item:
        if "currency" not in item:
            raise Refused("import.price_currency_missing", field=f"{path}.currency")
        with _at(f"{path}.price"):
            price = values.amount(str(item["price"]))
        prices.append(
            plans.PriceSpec(
                currency=str(item["currency"]),
                unit_amount=price,
                valid_from=on,
                model=item.get("model", "per_unit"),
                details=item.get("details"),
                billed=item.get("billed", "advance"),
                is_prorated=item.get("prorated", True),
                tax_behavior=mapping.tax_behavior or "exclusive",
            )
        )
    with _at(f"{path}.quantity"):
        quantity = values.amount(str(item["quantity"])) if "quantity" in item else Decimal(1)
    return plans.PlanItemSpec(product=product, quantity=quantity, prices=prices)


def _texts(company: Company, value: Any) -> Any:
    """A plain text is one in the company's language."""
    return {company.language: value} if isinstance(value, str) else value


class _at:
    """Puts the mapping's key in front of the field a refusal names."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Refused):
            error.field = f"{self.path}.{error.field}" if error.field else self.path
