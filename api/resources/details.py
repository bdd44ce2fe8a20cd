"""What a charge model needs beside the amount, as bodies and answers say it: tiers as objects, figures as texts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field

from api.fields import AMOUNT_PATTERN, Amount, Body, Currency, Quantity, Refusing, Whole, Yes
from api.shapes import Computed, Reader, number_text
from pricing.money import places

_FIGURE: Final = {"type": "string", "pattern": AMOUNT_PATTERN}
_TIER: Final = {
    "type": "object",
    "properties": {
        "up_to": _FIGURE | {"description": "Last unit of the tier; left out in the last one."},
        "unit_price": _FIGURE,
        "flat_fee": _FIGURE,
        "rate": _FIGURE | {"description": "Percent, for graduated_percentage."},
    },
}
DETAILS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "tiers": {"type": "array", "items": _TIER},
        "first_fee_at_zero": {"type": "boolean"},
        "package_size": _FIGURE,
        "free_units": _FIGURE,
        "rate": _FIGURE,
        "fee": _FIGURE,
        "free_events": {"type": "integer"},
        "free_value": _FIGURE,
        "floor": _FIGURE,
        "ceiling": _FIGURE,
    },
}
AMOUNTS: Final[dict[str, Any]] = {
    "type": "object", "additionalProperties": _FIGURE, "examples": [{"EUR": "100.00"}],
}  # fmt: skip


class TierInput(Body):
    """One tier: units up to its bound at a price each, plus a fee once it is entered."""

    up_to = Quantity(required=False, allow_null=True, help_text="Last unit of the tier; left out in the last one.")
    unit_price = Amount(required=False, help_text="Price of one unit in it.")
    flat_fee = Amount(required=False, help_text="Fee once it is entered.")
    rate = Amount(required=False, help_text="Percent of the value in it, for graduated_percentage.")


class DetailsInput(Body):
    """What the model needs beside the amount; each model reads its own."""

    tiers = TierInput(many=True, required=False, help_text="graduated, volume, graduated_percentage; bounds rise.")
    first_fee_at_zero = Yes(required=False, help_text="Whether no units at all cost the first tier's fee.")
    package_size = Quantity(required=False, help_text="package: units in one.")
    free_units = Quantity(required=False, help_text="package: units before the first one.")
    rate = Amount(required=False, help_text="percentage: percent of the value.")
    fee = Amount(required=False, help_text="percentage: fee for each event.")
    free_events = Whole(required=False, min_value=0, help_text="percentage: events before the first paid one.")
    free_value = Amount(required=False, help_text="percentage: value before the first paid one.")
    floor = Amount(required=False, help_text="percentage: least charge for an event.")
    ceiling = Amount(required=False, help_text="percentage: most charge for an event.")


@extend_schema_field(AMOUNTS)
class Amounts(Refusing):
    """Amounts in whole units by currency."""

    def to_internal_value(self, data: Any) -> dict[str, Decimal]:
        if not isinstance(data, Mapping):
            self.refuse("object_form")
        currency, amount = Currency(), Amount()
        return {currency.to_internal_value(code): amount.to_internal_value(value) for code, value in data.items()}


class DetailsOut(Computed):
    """The details of a row that has some."""

    def __init__(self) -> None:
        super().__init__(DETAILS, lambda row, reading: row.details, help_text="What the model reads beside the amount.")


class Least(Computed):
    """A minimum in whole units; null without one. `currency` reads the row's."""

    def __init__(self, currency: Reader, **kwargs: Any) -> None:
        def read(row: Any, reading: Any) -> str | None:
            least = row.minimum_amount
            return None if least is None else number_text(least, places(currency(row, reading)))

        super().__init__({"type": ["string", "null"], "examples": ["100.00"]}, read, **kwargs)
