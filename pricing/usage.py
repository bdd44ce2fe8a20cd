"""Usage of a window: what it costs when the window is only a part of its period, and how long a level was held.

The rule that matters: allowances, tier bounds and the fees of tiers belong to a full period and take the window's
share; prices of a unit, sizes of packages and what one event costs do not. Rounding comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from pricing.charge_models import CalcRow, PriceSpec, calc_rows, event_rows
from pricing.errors import PricingError

_WHOLE: Final = Fraction(1)
#: Models that price each event, in the order they happened, instead of a quantity.
BY_EVENT: Final = ("percentage",)
#: Models whose tiers a part of a period scales.
_TIERED: Final = ("graduated", "volume", "graduated_percentage")


class BadWindow(PricingError):
    """A share outside of 0 to 1, or a window that ends before it begins."""


def window_rows(
    model: str,
    price: PriceSpec,
    quantity: Decimal | Fraction,
    share: Fraction = _WHOLE,
    events: Iterable[Decimal] = (),
) -> list[CalcRow]:
    """The exact steps of what the usage of a window costs, for a window that is this share of its full period.

    A quantity below zero, as after corrections, costs what none does. `percentage` prices `events`, whose values are
    in the order they happened. Bounds in the rows are those of the full period. Raises `BadPrice`, `BadWindow`.

    >>> from pricing.charge_models import Tier
    >>> tiers = (Tier(Decimal(100), Decimal("0.10")), Tier(None, Decimal("0.05")))
    >>> rows = window_rows("graduated", PriceSpec(tiers=tiers), Decimal(150), Fraction(1, 2))
    >>> [(row.step, str(row.quantity), str(row.amount)) for row in rows]
    [('tier_units', '50', '5'), ('tier_units', '100', '5')]
    """
    if not 0 < share <= 1:
        raise BadWindow("share_outside_range", share=share)
    if model in BY_EVENT:
        return event_rows(scaled_allowance(price, share), (max(event, Decimal(0)) for event in events))
    units = max(Fraction(quantity), Fraction(0))
    if model in _TIERED:
        # Scaling every bound and fee is the same as pricing the quantity of a full period and taking the share of it.
        return [_scaled(row, share) for row in calc_rows(model, price, units / share)]
    if model == "flat":
        return [row._replace(amount=row.amount * share) for row in calc_rows(model, price, 1)]
    if model == "package":
        return calc_rows(model, price, max(units - Fraction(price.free_units) * (share - 1), Fraction(0)))
    return calc_rows(model, price, units)


def _scaled(row: CalcRow, share: Fraction) -> CalcRow:
    if row.step == "tier_fee":
        return row._replace(price=row.price * share, amount=row.amount * share)
    return row._replace(quantity=row.quantity * share, amount=row.amount * share)


def scaled_allowance(price: PriceSpec, share: Fraction) -> PriceSpec:
    """The price of events with the share of its free events (whole ones only) and of its free value.

    >>> scaled_allowance(PriceSpec(rate=Decimal(1), free_events=5), Fraction(1, 2)).free_events
    2
    """
    if share == 1 or (price.free_events is None and price.free_value is None):
        return price
    events = None if price.free_events is None else int(price.free_events * share)
    value = price.free_value
    if value is not None:
        exact = Fraction(value) * share
        value = Decimal(exact.numerator) / Decimal(exact.denominator)
    return PriceSpec(
        rate=price.rate,
        fee=price.fee,
        free_events=events,
        free_value=value,
        floor=price.floor,
        ceiling=price.ceiling,
    )


def weighted_sum(
    level: Decimal | Fraction,
    changes: Sequence[tuple[datetime, Decimal]],
    start: datetime,
    end: datetime,
    full_start: datetime,
    full_end: datetime,
) -> Fraction:
    """A level weighted by the part of the full period it was held for, within [start, end).

    `level` is what was held at the start; `changes` add to it from their instant on. Parts of a period add up.

    >>> from datetime import UTC
    >>> march, april = datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC)
    >>> change = (datetime(2023, 3, 5, tzinfo=UTC), Decimal(2500))
    >>> round(float(weighted_sum(Decimal(0), [change], march, april, march, april)), 2)
    2177.42
    """
    held = Fraction(level) * _seconds(start, end)
    for at, change in changes:
        if not start <= at < end:
            raise BadWindow("change_outside_window", at=at)
        held += Fraction(change) * _seconds(at, end)
    return weighted(held, full_start, full_end)


def weighted(unit_seconds: Decimal | Fraction, full_start: datetime, full_end: datetime) -> Fraction:
    """Unit-seconds as a quantity of the full period."""
    return Fraction(unit_seconds) / _seconds(full_start, full_end)


def _seconds(start: datetime, end: datetime) -> Fraction:
    span = end - start
    if span.days < 0:
        raise BadWindow("window_ends_before_it_begins", start=start, end=end)
    return Fraction(span.days * 86400 + span.seconds) + Fraction(span.microseconds, 1_000_000)
