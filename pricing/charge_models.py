"""What a quantity costs under each charge model, exactly and unrounded, with the steps that led there.

The rule that matters: a model prices the full quantity of a full period; shares and rounding come after it. Tiers hold
upper bounds only, and a tier is (previous bound, bound].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from pricing.errors import PricingError

Model = Literal["flat", "per_unit", "graduated", "volume", "package", "percentage", "graduated_percentage"]

MODELS: Final = ("flat", "per_unit", "graduated", "volume", "package", "percentage", "graduated_percentage")

_ZERO: Final = Decimal(0)


class BadPrice(PricingError):
    """A price that lacks what its model needs, or a quantity it can't price."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Units up to and with `up_to` (None: without bound) at `unit_price` each or `rate` percent, plus `flat_fee`."""

    up_to: Decimal | None
    unit_price: Decimal = _ZERO
    flat_fee: Decimal = _ZERO
    rate: Decimal = _ZERO


@dataclass(frozen=True, slots=True)
class PriceSpec:
    """What a price version says; each model reads its own fields. Amounts in whole units of the currency.

    `unit_price`: the price of the flat and per-unit models, and of one whole package. `package_size`, `free_units`:
    packages. `rate` (percent of the value), `fee` (per event), `free_events`, `free_value`, `floor` and `ceiling` (of
    rate plus fee of one event): percentage. `first_fee_at_zero`: whether no units at all cost the first tier's fee.
    """

    unit_price: Decimal = _ZERO
    tiers: tuple[Tier, ...] = ()
    first_fee_at_zero: bool = False
    package_size: Decimal = Decimal(1)
    free_units: Decimal = _ZERO
    rate: Decimal = _ZERO
    fee: Decimal = _ZERO
    free_events: int | None = None
    free_value: Decimal | None = None
    floor: Decimal | None = None
    ceiling: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("unit_price", "package_size", "free_units", "rate", "fee", "free_value", "floor", "ceiling"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value >= 0):
                raise BadPrice("price_below_zero", field=name)
        if not self.package_size:
            raise BadPrice("package_of_nothing")
        if self.free_events is not None and self.free_events < 0:
            raise BadPrice("price_below_zero", field="free_events")
        if self.floor is not None and self.ceiling is not None and self.ceiling < self.floor:
            raise BadPrice("ceiling_below_floor")
        if self.tiers:
            _check_tiers(self.tiers)


def _check_tiers(tiers: Sequence[Tier]) -> None:
    previous = _ZERO
    for number, tier in enumerate(tiers, 1):
        for value in (tier.unit_price, tier.flat_fee, tier.rate):
            if not (value.is_finite() and value >= 0):
                raise BadPrice("price_below_zero", field="tiers")
        if (tier.up_to is None) != (number == len(tiers)):
            raise BadPrice("last_tier_without_bound")
        if tier.up_to is not None:
            if not (tier.up_to.is_finite() and tier.up_to > previous):
                raise BadPrice("tier_bounds_not_rising")
            previous = tier.up_to


class CalcRow(NamedTuple):
    """One step of a calculation: `quantity` of something at a `price` each, and the exact `amount` it adds.

    `step` is a code (`flat`, `units`, `tier_units`, `tier_fee`, `packages`, `rate`, `fee`, `floor`, `ceiling`);
    `above` and `up_to` are a tier's bounds where there are any. The amounts of all rows add up to the price.
    """

    step: str
    quantity: Fraction
    price: Fraction
    amount: Fraction
    above: Decimal | None = None
    up_to: Decimal | None = None


def _exact(quantity: Decimal | int) -> Fraction:
    if isinstance(quantity, float) or (isinstance(quantity, Decimal) and not quantity.is_finite()):
        raise BadPrice("quantity_not_a_number")
    if quantity < 0:
        raise BadPrice("quantity_below_zero", quantity=quantity)
    return Fraction(quantity)


def amount(model: str, price: PriceSpec, quantity: Decimal | int) -> Fraction:
    """The exact price of a quantity for one full period. Raises `BadPrice`.

    `flat` costs its price whatever the quantity.

    >>> amount("per_unit", PriceSpec(unit_price=Decimal("9.99")), 3)
    Fraction(2997, 100)
    """
    if model == "per_unit":
        # The nightly run's own case: no rows, no loops.
        return Fraction(price.unit_price) * _exact(quantity)
    return sum((row.amount for row in calc_rows(model, price, quantity)), Fraction(0))


def calc_rows(model: str, price: PriceSpec, quantity: Decimal | int) -> list[CalcRow]:
    """The steps that lead to `amount`, in order, for the sentence that explains a line."""
    units = _exact(quantity)
    unit_price = Fraction(price.unit_price)
    match model:
        case "flat":
            return [CalcRow("flat", Fraction(1), unit_price, unit_price)]
        case "per_unit":
            return [CalcRow("units", units, unit_price, units * unit_price)]
    raise BadPrice("model_unknown", model=model)
