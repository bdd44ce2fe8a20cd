"""Positions and one-off charges of a subscription: how they are shown, and how positions to be agreed come in."""

from __future__ import annotations

from typing import Any

from api.fields import Amount, Body, Day, Quantity, Ref, Text, Whole, Yes
from api.resources.details import DetailsInput, DetailsOut, Least
from api.resources.plans import PriceShape
from api.resources.products import ProductShape
from api.shapes import Computed, Id, Link, Number, Reading, Shape, UnitAmount, amount_text, compiled
from catalog.models import Meter, Price, Product
from core import clock
from pricing.money import to_minor
from subscriptions.models import OneOff, Slot, SlotTerms
from subscriptions.services.starting import ItemSpec


def _terms_now(slot: Slot, reading: Reading) -> SlotTerms:
    """The terms that hold today, else those that will, else the last that did."""
    rows = list(slot.terms.all())
    day = clock.day_in(reading.at, slot.subscription.time_zone)
    holding = (row for row in rows if row.from_on <= day and (row.until_on is None or day < row.until_on))
    return next(holding, rows[0] if rows[0].from_on > day else rows[-1])


class SlotTermsShape(Shape):
    """Price and quantity of an item from a day on."""

    price = Link("prc", lambda: PriceShape, name="price", allow_null=True)
    unit_amount = UnitAmount(currency="slot.subscription.currency", help_text="Price of one unit, or the flat price.")
    details = DetailsOut()
    minimum_amount = Least(
        lambda row, reading: row.slot.subscription.currency, help_text="Least charge per interval; null without one."
    )
    quantity = Number("quantity", help_text="Number of units.")

    class Meta:
        model = SlotTerms
        fields = (
            "from_on",
            "until_on",
            "standing",
            "price",
            "model",
            "unit_amount",
            "details",
            "minimum_amount",
            "quantity",
            "billed",
            "is_prorated",
            "interval_unit",
            "interval_count",
        )


class SubscriptionItemShape(Shape):
    """A position, recurring or by usage, with the terms that hold now."""

    id = Id("sit")
    product = Link("prd", lambda: ProductShape, name="product")
    meter = Id("mtr", via="meter", allow_null=True, help_text="What counts usage.")
    interim_amount = Computed(
        {"type": ["string", "null"]},
        lambda row, reading: (
            None if row.interim_minor is None else amount_text(row.interim_minor, row.subscription.currency)
        ),
        help_text="Usage is billed at once when it passes this amount; null: at the close.",
    )
    terms = Computed(SlotTermsShape, lambda row, reading: compiled(SlotTermsShape)(_terms_now(row, reading), reading))
    mrr = Computed(
        {"type": "string"},
        lambda row, reading: amount_text(row.mrr_minor, row.subscription.currency),
        help_text="Monthly recurring revenue now.",
    )

    class Meta:
        model = Slot
        fields = (
            "id", "product", "position", "kind", "meter", "interim_amount", "terms", "billed_through_on",
            "elsewhere_through_on", "mrr",
        )  # fmt: skip


class OneOffShape(Shape):
    """A one-off charge, billed on its day."""

    id = Id("oof")
    product = Link("prd", lambda: ProductShape, name="product")
    price = Link("prc", lambda: PriceShape, name="price", allow_null=True)
    quantity = Number("quantity", help_text="Number of units.")
    unit_amount = UnitAmount(currency="subscription.currency", help_text="Price of one unit, or in all.")
    details = DetailsOut()
    is_billed = Computed(
        {"type": "boolean"},
        lambda row, reading: row.due_on is None and row.canceled_at is None,
        help_text="Whether it was invoiced, or cost nothing.",
    )

    class Meta:
        model = OneOff
        fields = (
            "id", "product", "price", "description", "quantity", "model", "unit_amount", "details", "service_on",
            "due_on", "is_billed", "canceled_at", "created_at",
        )  # fmt: skip


class ItemInput(Body):
    """A position to be agreed. What is left out comes from `price`, else from the plan's price of the product."""

    product = Ref(Product, help_text="What is sold.")
    quantity = Quantity(required=False, help_text="Number of units.")
    unit_amount = Amount(required=False, help_text="Price of one unit, or the flat price, per interval.")
    price = Ref(Price, required=False, help_text="A price version.")
    model = Text(
        required=False,
        max_length=20,
        help_text="flat, per_unit, graduated, volume, package, percentage or graduated_percentage.",
    )
    details = DetailsInput(required=False, help_text="What the model needs beside the amount.")
    minimum_amount = Amount(required=False, help_text="Least charge per interval; 0 takes the price's away.")
    kind = Text(required=False, max_length=9, help_text="recurring, usage or one_off.")
    meter = Ref(Meter, required=False, help_text="What counts the usage.")
    interim_amount = Amount(required=False, help_text="Usage is billed at once when it passes this amount.")
    ends_on = Day(required=False, help_text="Its own last day.")
    service_on = Day(required=False, help_text="of a one_off: day of the supply; the start when left out.")
    billed = Text(required=False, max_length=7, help_text="advance or arrears; usage is always in arrears.")
    is_prorated = Yes(required=False, help_text="Otherwise a started period costs the full price.")
    interval_unit = Text(required=False, max_length=5, help_text="Its own cycle: day, week, month or year.")
    interval_count = Whole(required=False, min_value=1, max_value=366, help_text="How many units.")


def item_of(given: dict[str, Any], currency: str) -> ItemSpec:
    """`given` in whole units of the currency."""
    values = dict(given)
    interim = values.pop("interim_amount", None)
    return ItemSpec(**values, interim_minor=None if interim is None else to_minor(interim, currency))
