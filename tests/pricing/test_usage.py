"""Usage of a window: whole periods cost what the model says, parts their share of tiers and allowances."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.charge_models import PriceSpec, Tier, amount, event_rows
from pricing.usage import BadWindow, scaled_allowance, weighted_sum, window_rows

UNITS = st.decimals("0", "100000", places=3)
SHARES = st.fractions(Fraction(1, 366), 1, max_denominator=366)
PRICES = st.decimals("0", "50", places=4)


def cost(
    model: str, price: PriceSpec, quantity: Decimal | Fraction, share: Fraction = Fraction(1), events: Any = ()
) -> Fraction:
    return sum((row.amount for row in window_rows(model, price, quantity, share, events)), Fraction(0))


@st.composite
def tiered(draw: st.DrawFn) -> PriceSpec:
    bounds = sorted(draw(st.sets(st.integers(1, 5000), min_size=0, max_size=4)))
    tiers = [
        Tier(None if bound is None else Decimal(bound), draw(PRICES), draw(PRICES), draw(PRICES))
        for bound in [*bounds, None]
    ]
    return PriceSpec(tiers=tuple(tiers), first_fee_at_zero=draw(st.booleans()))


@pytest.mark.parametrize("model", ["graduated", "volume", "graduated_percentage"])
@given(price=tiered(), units=UNITS)
def test_a_whole_period_costs_what_the_model_says(model: str, price: PriceSpec, units: Decimal) -> None:
    assert cost(model, price, units) == amount(model, price, units)


@pytest.mark.parametrize("model", ["graduated", "volume", "graduated_percentage"])
@given(price=tiered(), units=UNITS, share=SHARES)
def test_a_part_of_a_period_is_priced_on_tiers_scaled_by_its_share(
    model: str, price: PriceSpec, units: Decimal, share: Fraction
) -> None:
    """Reckoned apart: bounds and fees times the share, tier by tier."""
    by_rate = model == "graduated_percentage"
    above, expected = Fraction(0), Fraction(0)
    for number, tier in enumerate(price.tiers):
        each = Fraction(tier.rate) / 100 if by_rate else Fraction(tier.unit_price)
        up_to = None if tier.up_to is None else Fraction(tier.up_to) * share
        fee = Fraction(tier.flat_fee) * share
        if model == "volume":
            if up_to is None or Fraction(units) <= up_to:
                expected = Fraction(units) * each + fee if units else (fee if price.first_fee_at_zero else Fraction(0))
                break
            continue
        if units > above or (number == 0 and price.first_fee_at_zero):
            within = (Fraction(units) if up_to is None else min(Fraction(units), up_to)) - above
            expected += within * each + fee
        if up_to is None or units <= up_to:
            break
        above = up_to
    assert cost(model, price, units, share) == expected


@given(price=tiered(), units=UNITS, more=UNITS, share=SHARES)
def test_graduated_usage_never_costs_less_for_more(
    price: PriceSpec, units: Decimal, more: Decimal, share: Fraction
) -> None:
    assert cost("graduated", price, units + more, share) >= cost("graduated", price, units, share)


@given(units=UNITS, share=SHARES, price=PRICES)
def test_a_price_per_unit_knows_no_share(units: Decimal, share: Fraction, price: Decimal) -> None:
    assert cost("per_unit", PriceSpec(price), units, share) == Fraction(units) * Fraction(price)


def test_a_flat_price_takes_the_share() -> None:
    assert cost("flat", PriceSpec(Decimal(31)), Decimal(7), Fraction(10, 31)) == 10


@pytest.mark.parametrize(
    ("units", "share", "expected"),
    # 31 are free in a whole month: 10 in 10 of 31 days; the package stays one of 10.
    [
        (31, 1, 0),
        (32, 1, 5),
        (10, Fraction(10, 31), 0),
        (11, Fraction(10, 31), 5),
        (21, Fraction(10, 31), 10),
        (0, 1, 0),
    ],
)
def test_free_units_take_the_share_and_packages_do_not(units: int, share: Fraction, expected: int) -> None:
    price = PriceSpec(Decimal(5), package_size=Decimal(10), free_units=Decimal(31))
    assert cost("package", price, Decimal(units), Fraction(share)) == expected


@given(events=st.lists(st.decimals("0", "1000", places=2), max_size=20))
def test_a_percentage_is_that_of_its_events(events: list[Decimal]) -> None:
    price = PriceSpec(rate=Decimal("2.5"), fee=Decimal("0.1"), free_events=2, floor=Decimal("0.5"), ceiling=Decimal(9))
    assert cost("percentage", price, Decimal(0), events=events) == sum(row.amount for row in event_rows(price, events))


def test_only_whole_free_events_count_in_a_part() -> None:
    price = scaled_allowance(PriceSpec(rate=Decimal(1), free_events=10, free_value=Decimal(310)), Fraction(10, 31))
    assert (price.free_events, price.free_value) == (3, 100)


def test_what_is_below_zero_costs_nothing() -> None:
    price = PriceSpec(Decimal(5), rate=Decimal(10))
    assert cost("per_unit", price, Decimal(-3)) == 0
    assert cost("percentage", price, Decimal(0), events=[Decimal(-50), Decimal(100)]) == 10


@pytest.mark.parametrize("share", [Fraction(0), Fraction(-1, 2), Fraction(3, 2)])
def test_a_share_lies_between_nothing_and_one(share: Fraction) -> None:
    with pytest.raises(BadWindow):
        window_rows("per_unit", PriceSpec(Decimal(1)), Decimal(1), share)


MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


@given(
    level=st.decimals("0", "100", places=2),
    changes=st.lists(st.tuples(st.integers(0, 30), st.decimals("-50", "50", places=2)), max_size=8),
    cut=st.integers(1, 30),
)
def test_the_parts_of_a_weighted_sum_add_up(level: Decimal, changes: list[tuple[int, Decimal]], cut: int) -> None:
    at = [(MARCH + timedelta(days=day), value) for day, value in sorted(changes)]
    middle = MARCH + timedelta(days=cut)
    before = [change for change in at if change[0] < middle]
    after = [change for change in at if change[0] >= middle]
    carried = level + sum((value for _, value in before), Decimal(0))
    whole = weighted_sum(level, at, MARCH, APRIL, MARCH, APRIL)
    first = weighted_sum(level, before, MARCH, middle, MARCH, APRIL)
    second = weighted_sum(carried, after, middle, APRIL, MARCH, APRIL)
    assert first + second == whole
