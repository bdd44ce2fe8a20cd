"""What a quantity costs under each charge model, exactly and unrounded, with the steps that led there.

The rule that matters: a model prices the full quantity of a full period; shares and rounding come after it. Tiers hold
upper bounds only, and a tier is (previous bound, bound].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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


def _exact(quantity: Decimal | Fraction | int) -> Fraction:
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


def calc_rows(model: str, price: PriceSpec, quantity: Decimal | Fraction | int) -> list[CalcRow]:
    """The steps that lead to `amount`, in order, for the sentence that explains a line.

    For `percentage` the quantity is the value of one event; `event_rows` takes many.

    >>> tiers = (Tier(Decimal(100), Decimal("0.10")), Tier(None, Decimal("0.05"), flat_fee=Decimal(2)))
    >>> [(row.step, str(row.amount)) for row in calc_rows("graduated", PriceSpec(tiers=tiers), 150)]
    [('tier_units', '10'), ('tier_units', '5/2'), ('tier_fee', '2')]
    """
    units = _exact(quantity)
    unit_price = Fraction(price.unit_price)
    match model:
        case "flat":
            return [CalcRow("flat", Fraction(1), unit_price, unit_price)]
        case "per_unit":
            return [CalcRow("units", units, unit_price, units * unit_price)]
        case "graduated":
            return _graduated(price, units, lambda tier: Fraction(tier.unit_price))
        case "volume":
            return _volume(price, units)
        case "package":
            return _packages(price, units)
        case "percentage":
            return event_rows(price, [quantity])
        case "graduated_percentage":
            return _graduated(price, units, lambda tier: Fraction(tier.rate) / 100)
    raise BadPrice("model_unknown", model=model)


def _tiers(price: PriceSpec) -> tuple[Tier, ...]:
    if not price.tiers:
        raise BadPrice("tiers_missing")
    return price.tiers


def _graduated(price: PriceSpec, units: Fraction, per_unit: Callable[[Tier], Fraction]) -> list[CalcRow]:
    """Each tier prices the units that lie in it, and costs its fee once it is entered."""
    rows: list[CalcRow] = []
    above = _ZERO
    for number, tier in enumerate(_tiers(price)):
        entered = units > above or (number == 0 and price.first_fee_at_zero)
        if not entered:
            break
        within = (units if tier.up_to is None else min(units, Fraction(tier.up_to))) - Fraction(above)
        if within:
            rate = per_unit(tier)
            rows.append(CalcRow("tier_units", within, rate, within * rate, above, tier.up_to))
        rows.extend(_tier_fee(tier, above))
        above = tier.up_to if tier.up_to is not None else above
        if tier.up_to is None:
            break
    return rows


def _tier_fee(tier: Tier, above: Decimal) -> list[CalcRow]:
    fee = Fraction(tier.flat_fee)
    return [CalcRow("tier_fee", Fraction(1), fee, fee, above, tier.up_to)] if fee else []


def _volume(price: PriceSpec, units: Fraction) -> list[CalcRow]:
    """All units cost what the tier says that the whole quantity lies in."""
    above = _ZERO
    for tier in _tiers(price):
        if tier.up_to is None or units <= tier.up_to:
            break
        above = tier.up_to
    if not units:
        return _tier_fee(tier, above) if price.first_fee_at_zero else []
    rate = Fraction(tier.unit_price)
    return [CalcRow("tier_units", units, rate, units * rate, above, tier.up_to), *_tier_fee(tier, above)]


def _packages(price: PriceSpec, units: Fraction) -> list[CalcRow]:
    """Free units first, then whole packages: a started one is paid in full."""
    paid = max(Fraction(0), units - Fraction(price.free_units))
    packages = Fraction(-(-paid // Fraction(price.package_size)))
    unit_price = Fraction(price.unit_price)
    return [CalcRow("packages", packages, unit_price, packages * unit_price)]


def event_rows(price: PriceSpec, events: Iterable[Decimal | Fraction | int]) -> list[CalcRow]:
    """The percentage model over the values of events, in the order they happened.

    Free events and the free value end together, when the first of them is used up. An event wholly inside pays
    nothing; the one that crosses the free value pays the rate on the excess and the whole fee. Floor and ceiling act
    on rate plus fee of one event.

    >>> price = PriceSpec(rate=Decimal("2.99"), floor=Decimal("1.75"), ceiling=Decimal(12))
    >>> float(sum(row.amount for row in event_rows(price, [10, 80, 10000])))
    16.142
    """
    rate, fee = Fraction(price.rate) / 100, Fraction(price.fee)
    floor = Fraction(price.floor or 0)
    raised = lowered = value_paid = Fraction(0)
    events_paid = events_raised = events_lowered = 0
    seen_events, seen_value = 0, Fraction(0)
    for event in events:
        value = _exact(event)
        excess = _beyond_free(price, seen_events, seen_value, value)
        seen_events += 1
        seen_value += value
        if excess is None:
            continue
        cost = excess * rate + fee
        value_paid += excess
        events_paid += 1
        if cost < floor:
            raised += floor - cost
            events_raised += 1
        elif price.ceiling is not None and cost > price.ceiling:
            lowered += cost - Fraction(price.ceiling)
            events_lowered += 1
    rows = [CalcRow("rate", value_paid, rate, value_paid * rate)]
    if fee:
        rows.append(CalcRow("fee", Fraction(events_paid), fee, events_paid * fee))
    if events_raised:
        rows.append(CalcRow("floor", Fraction(events_raised), floor, raised))
    if events_lowered:
        rows.append(CalcRow("ceiling", Fraction(events_lowered), Fraction(price.ceiling or 0), -lowered))
    return rows


def _beyond_free(price: PriceSpec, seen_events: int, seen_value: Fraction, value: Fraction) -> Fraction | None:
    """The part of an event's value the rate applies to; None for an event that is free."""
    if price.free_events is None and price.free_value is None:
        return value
    if price.free_events is not None and seen_events >= price.free_events:
        return value
    if price.free_value is None:
        return None
    left = Fraction(price.free_value) - seen_value
    if left <= 0:
        return value
    return None if value <= left else value - left
