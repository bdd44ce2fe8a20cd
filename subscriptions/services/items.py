"""Positions to be agreed: what is left out is filled in from the plan, and what can't be priced is refused.

The rule that matters: a price that differs from the catalog's in anything is agreed apart from the catalog. Nothing is
written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from catalog.models import Meter, Plan, PlanItem, Price, Product, Unit
from catalog.services.plans import check_meter
from catalog.services.price_specs import checked_details, price_spec
from catalog.services.prices import checked_minimum, price_on
from core import checks
from core.refusal import Refused, reason_of
from pricing.charge_models import BadPrice
from pricing.charge_models import amount as model_amount
from pricing.money import to_minor

#: What makes a price that differs one apart from the catalog.
PRICED = ("unit_amount", "model", "details", "minimum_amount", "billed", "is_prorated")


@dataclass(frozen=True, slots=True)
class ItemSpec:
    """A position to be agreed. What is left out comes from `price`, else from the plan's price of the product.

    `unit_amount` in whole units of the currency per interval; what differs from the price is agreed apart from the
    catalog. `details`: what the model needs beside the amount. `interval_*`: the item's own cycle, else the
    subscription's. `kind`: recurring, usage (with `meter`; always in arrears; `interim_minor`: the threshold in minor
    units that bills it at once) or one_off (due on `service_on`, else at the start). `ends_on`: its own last day.
    """

    product: Product
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    price: Price | None = None
    model: str | None = None
    billed: str | None = None
    is_prorated: bool | None = None
    interval_unit: str | None = None
    interval_count: int | None = None
    details: Mapping[str, Any] | None = None
    minimum_amount: Decimal | None = None
    kind: str | None = None
    meter: Meter | None = None
    interim_minor: int | None = None
    ends_on: date | None = None
    service_on: date | None = None


class Said(Protocol):
    """What is said of a position's terms, new or changed; None: nothing."""

    @property
    def quantity(self) -> Decimal | None: ...
    @property
    def unit_amount(self) -> Decimal | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def details(self) -> Mapping[str, Any] | None: ...
    @property
    def minimum_amount(self) -> Decimal | None: ...
    @property
    def billed(self) -> str | None: ...
    @property
    def is_prorated(self) -> bool | None: ...
    @property
    def interval_unit(self) -> str | None: ...
    @property
    def interval_count(self) -> int | None: ...


@dataclass(slots=True)
class Offer:
    """A plan with its items, their products and prices, read once for a batch."""

    plan: Plan
    items: list[PlanItem]

    @classmethod
    def of(cls, plan: Plan) -> Offer:
        """Three queries."""
        items = plan.items.filter(archived_at__isnull=True).select_related("product__tax_category", "meter")
        return cls(plan, list(items.prefetch_related("prices")))

    @property
    def usual(self) -> list[PlanItem]:
        """What is agreed unless something else is: everything but the add-ons."""
        return [item for item in self.items if not item.is_optional]

    @property
    def tried(self) -> list[PlanItem]:
        """What the plan's trial is a trial of: add-ons and what is charged once have none."""
        return [item for item in self.usual if item.kind != PlanItem.Kind.ONE_OFF]

    def item(self, product: Product) -> PlanItem | None:
        """The plan's position that sells the product; None when there is none."""
        return next((item for item in self.items if item.product_id == product.pk), None)

    def price(self, product: Product, currency: str, on: date) -> Price | None:
        """The product's price on sale that day; None when the plan has none."""
        item = self.item(product)
        return None if item is None else price_on(item, currency, on)


@dataclass(slots=True)
class PricedItem:
    """A position, checked: its kind, the plan's item and the price version it comes from, the columns of its terms."""

    spec: ItemSpec
    product: Product
    item: PlanItem | None
    kind: str
    meter: Meter | None
    price: Price | None
    tax_behavior: str | None
    terms: dict[str, Any]

    @property
    def is_add_on(self) -> bool:
        return self.item is not None and self.item.is_optional


def priced(spec: ItemSpec, *, offer: Offer | None, company_id: int, currency: str, on: date) -> PricedItem:
    """A position checked and priced as of `on`, for a subscription in that currency. Raises `Refused`.

    `offer`: the plan it belongs to, for what the spec leaves out.
    """
    product = spec.product
    if product.company_id != company_id:
        raise Refused("not_found", field="items")
    if product.archived_at is not None:
        raise Refused("product.archived", field="items", product=product.code)
    price = spec.price or (offer.price(product, currency, on) if offer is not None else None)
    if price is not None and price.company_id != company_id:
        raise Refused("not_found", field="items")
    if price is not None and price.currency != currency:
        raise Refused("subscription.price_currency", field="currency", currency=currency, other=price.currency)
    item = spec.price.item if spec.price is not None else offer.item(product) if offer is not None else None
    if item is not None and item.product_id != product.pk:
        raise Refused("subscription.price_of_other", field="price", product=product.code)
    kind, meter = _kind(spec, item, company_id)
    if price is None and spec.unit_amount is None and spec.details is None:
        raise Refused("subscription.no_price", field="items", product=product.code, currency=currency)
    terms = _terms(spec, price, item, kind, currency)
    if price is not None and any(getattr(price, name) != terms[name] for name in PRICED):
        return PricedItem(spec, product, item, kind, meter, None, price.tax_behavior, terms)
    return PricedItem(spec, product, item, kind, meter, price, price.tax_behavior if price else None, terms)


def _kind(spec: ItemSpec, item: PlanItem | None, company_id: int) -> tuple[str, Meter | None]:
    meter = spec.meter or (item.meter if item is not None else None)
    usual = item.kind if item is not None else PlanItem.Kind.RECURRING if meter is None else PlanItem.Kind.USAGE
    kind = checks.choice(spec.kind or usual, PlanItem.Kind.values, field="kind")
    is_usage = kind == PlanItem.Kind.USAGE
    if not is_usage and spec.meter is None:
        meter = None
    check_meter(meter, company_id=company_id, is_usage=is_usage)
    if spec.interim_minor is not None:
        if not is_usage:
            raise Refused("subscription.interim_without_usage", field="interim_minor")
        checks.minor(spec.interim_minor, field="interim_minor", least=1)
    return kind, meter


def _terms(spec: ItemSpec, price: Price | None, item: PlanItem | None, kind: str, currency: str) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "model": Price.Model.PER_UNIT, "unit_amount": Decimal(0), "details": None, "minimum_amount": None,
        "billed": Price.Billed.ADVANCE, "is_prorated": True,
    }  # fmt: skip
    if price is not None:
        usual = {name: getattr(price, name) for name in PRICED}
    usual["quantity"] = item.quantity if item is not None else Decimal(1)
    if spec.minimum_amount and kind == PlanItem.Kind.ONE_OFF:
        raise Refused("price.minimum_once", field="minimum_amount")
    return checked_terms(spec, usual, kind, currency)


def checked_terms(said: Said, usual: Mapping[str, Any], kind: str, currency: str) -> dict[str, Any]:
    """The columns of terms: what is said, else what is usual. Refuses what can't be said or priced.

    `usual` names every column of `PRICED` and the quantity, and the cycle where there is one; its `details` None: they
    have to be said where the model needs them. Without a cycle said or usual, none is among the columns.
    """
    amount = usual["unit_amount"] if said.unit_amount is None else said.unit_amount
    amount = checks.decimal(amount, field="unit_amount", most=10**10, places=10)
    model = checks.choice(said.model or usual["model"], Price.Model.values, field="model")
    if said.details is None and usual["details"] is not None and model == usual["model"]:
        details = usual["details"]
    else:
        details = checked_details(model, said.details, amount)
    minimum = usual["minimum_amount"] if said.minimum_amount is None else said.minimum_amount
    quantity = usual["quantity"] if said.quantity is None else said.quantity
    values: dict[str, Any] = {
        "model": model,
        "billed": checks.choice(said.billed or usual["billed"], Price.Billed.values, field="billed"),
        "is_prorated": usual["is_prorated"] if said.is_prorated is None else said.is_prorated,
        "unit_amount": amount,
        "details": details,
        "minimum_amount": checked_minimum(minimum, currency),
        "quantity": checks.decimal(quantity, field="quantity", most=10**14, places=6),
    }
    if kind == PlanItem.Kind.USAGE:
        # How much is used is not known yet.
        values |= {"billed": Price.Billed.ARREARS, "quantity": Decimal(0)}
    checked_total(values, currency)
    return values | _cycle(said, usual)


def _cycle(said: Said, usual: Mapping[str, Any]) -> dict[str, Any]:
    if said.interval_unit is None and said.interval_count is None:
        return {name: usual[name] for name in ("interval_unit", "interval_count") if name in usual}
    unit = checks.choice(said.interval_unit or usual.get("interval_unit"), Unit.values, field="interval_unit")
    count = 1 if said.interval_count is None else said.interval_count
    return {
        "interval_unit": unit,
        "interval_count": checks.whole(count, field="interval_count", least=1, most=366),
    }


def checked_total(terms: Mapping[str, Any], currency: str) -> None:
    """Refuses terms whose full period costs more than a document can say, or that can't be priced."""
    try:
        exact = model_amount(terms["model"], price_spec(terms["unit_amount"], terms["details"]), terms["quantity"])
    except BadPrice as error:
        raise Refused("price.details", field="unit_amount", detail=reason_of(error)) from error
    checks.minor(to_minor(exact, currency), field="unit_amount")
