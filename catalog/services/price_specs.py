"""What a charge model needs beside the amount: checked when it comes in, read when it prices.

The rule that matters: figures stand as text, so that no float ever touches them; what `pricing` would refuse to price
is refused here, before it is sold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from core import checks
from core.refusal import Refused, reason_of
from pricing.charge_models import MODELS, BadPrice, PriceSpec, Tier

_TIERED: Final = ("graduated", "volume", "graduated_percentage")
#: Which details each model reads.
READS: Final[dict[str, tuple[str, ...]]] = {
    "flat": (),
    "per_unit": (),
    "graduated": ("tiers", "first_fee_at_zero"),
    "volume": ("tiers", "first_fee_at_zero"),
    "package": ("package_size", "free_units"),
    "percentage": ("rate", "fee", "free_events", "free_value", "floor", "ceiling"),
    "graduated_percentage": ("tiers", "first_fee_at_zero"),
}
_MOST: Final = 10**14
#: Digits of ours, one point; no exponents, signs or other alphabets' digits.
_FIGURE: Final = re.compile(r"[0-9]{1,14}(\.[0-9]{1,10})?")


def price_spec(unit_amount: Decimal, details: Mapping[str, Any]) -> PriceSpec:
    """The price as `pricing` reads it. Raises `BadPrice`."""
    if not details:
        return PriceSpec(unit_price=unit_amount)
    figures = {name: Decimal(details[name]) for name in _DECIMALS if name in details}
    return PriceSpec(
        unit_price=unit_amount,
        tiers=tuple(_tier(tier) for tier in details.get("tiers", ())),
        first_fee_at_zero=bool(details.get("first_fee_at_zero", False)),
        free_events=details.get("free_events"),
        **figures,
    )


_DECIMALS: Final = ("package_size", "free_units", "rate", "fee", "free_value", "floor", "ceiling")
_TIER_FIGURES: Final = ("unit_price", "flat_fee", "rate")


def _tier(tier: Mapping[str, Any]) -> Tier:
    up_to = tier.get("up_to")
    figures = {name: Decimal(tier[name]) for name in _TIER_FIGURES if name in tier}
    return Tier(up_to=None if up_to is None else Decimal(up_to), **figures)


def checked_details(model: str, given: Mapping[str, Any] | None, unit_amount: Decimal = Decimal(0)) -> dict[str, Any]:
    """The details in canonical form: figures as plain text, nothing the model doesn't read, defaults left out.

    Refuses `number.*` for bad figures and `price.details` for what the model can't price.
    """
    checks.choice(model, MODELS, field="model")
    given = dict(given or {})
    checks.known(given, READS[model])
    found: dict[str, Any] = {}
    for name in _DECIMALS:
        if given.get(name) not in (None, ""):
            found[name] = _plain(given[name], name)
    if given.get("free_events") not in (None, ""):
        found["free_events"] = checks.whole(int(given["free_events"]), field="free_events", most=10**9)
    if given.get("first_fee_at_zero"):
        found["first_fee_at_zero"] = True
    if model in _TIERED:
        tiers = given.get("tiers") or []
        if not isinstance(tiers, list) or not all(isinstance(tier, Mapping) for tier in tiers):
            raise Refused("price.details", field="tiers", detail=reason_of(BadPrice("tiers_missing")))
        found["tiers"] = [_checked_tier(tier) for tier in tiers]
    try:
        spec = price_spec(unit_amount, found)
        if model in _TIERED and not spec.tiers:
            raise BadPrice("tiers_missing")
    except BadPrice as error:
        field = "tiers" if model in _TIERED else "details"
        raise Refused("price.details", field=field, detail=reason_of(error)) from error
    return found


def _checked_tier(tier: Mapping[str, Any]) -> dict[str, Any]:
    checks.known(tier, ("up_to", *_TIER_FIGURES))
    found: dict[str, Any] = {}
    if tier.get("up_to") not in (None, ""):
        found["up_to"] = _plain(tier["up_to"], "tiers")
    for name in _TIER_FIGURES:
        if tier.get(name) not in (None, ""):
            found[name] = _plain(tier[name], "tiers")
    return found


def _plain(value: Any, field: str) -> str:
    if isinstance(value, str):
        if not _FIGURE.fullmatch(value):
            raise Refused("number.form", field=field)
        value = Decimal(value)
    figure = checks.decimal(value, field=field, most=_MOST, places=10)
    text = format(figure, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
