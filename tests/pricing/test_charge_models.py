"""What a quantity costs, exactly, under each model, and that the steps shown add up to it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.charge_models import MODELS, BadPrice, PriceSpec, Tier, amount, calc_rows, event_rows
from pricing.money import to_minor

D = Decimal
BOUNDS = (Tier(D("0.1"), D(10)), Tier(D(1), D(5)), Tier(None, D(2)))
WITH_FEES = (Tier(D(10), D(1), D(7)), Tier(D(100), D("0.5"), D(3)), Tier(None, D("0.1"), D(2)))
PERCENT = (Tier(D(1000), rate=D(2)), Tier(None, rate=D(1), flat_fee=D(4)))

quantities = st.decimals(0, 10**6, places=3)
prices = st.decimals(0, 10**6, places=10)


@given(prices, quantities)
def test_per_unit_is_price_times_quantity_exactly(unit_price: Decimal, quantity: Decimal) -> None:
    price = PriceSpec(unit_price=unit_price)
    assert amount("per_unit", price, quantity) == Fraction(unit_price) * Fraction(quantity)


@given(prices, quantities)
def test_flat_costs_its_price_whatever_the_quantity(unit_price: Decimal, quantity: Decimal) -> None:
    assert amount("flat", PriceSpec(unit_price=unit_price), quantity) == Fraction(unit_price)


@pytest.mark.parametrize("model", MODELS)
@given(quantity=quantities)
def test_the_steps_add_up_to_the_amount(model: str, quantity: Decimal) -> None:
    price = PriceSpec(D(9), WITH_FEES, package_size=D(7), rate=D(3), fee=D(1), floor=D(2), ceiling=D(40))
    rows = calc_rows(model, price, quantity)
    assert amount(model, price, quantity) == sum((row.amount for row in rows), Fraction(0))
    for row in rows:
        if row.step not in ("floor", "ceiling"):
            assert row.amount == row.quantity * row.price


@pytest.mark.parametrize(
    ("units", "expected"),
    [("0", "0"), ("0.05", "0.5"), ("0.1", "1"), ("0.5", "3"), ("1", "5.5"), ("1.5", "6.5"), ("2", "7.5")],
)
def test_a_graduated_tier_prices_the_units_within_it(units: str, expected: str) -> None:
    assert amount("graduated", PriceSpec(tiers=BOUNDS), D(units)) == Fraction(expected)


@pytest.mark.parametrize(
    ("units", "graduated", "volume"),
    [
        ("0", "0", "0"),
        ("10", "17", "17"),  # 10 x 1 + 7
        ("10.5", "20.25", "8.25"),  # 10 x 1 + 7 + 0.5 x 0.5 + 3 | 10.5 x 0.5 + 3
        ("100", "65", "53"),  # 17 + 90 x 0.5 + 3 | 100 x 0.5 + 3
        ("100.5", "67.05", "12.05"),  # 65 + 0.5 x 0.1 + 2 | 100.5 x 0.1 + 2
    ],
)
def test_a_bound_belongs_to_the_tier_below_it(units: str, graduated: str, volume: str) -> None:
    price = PriceSpec(tiers=WITH_FEES)
    assert amount("graduated", price, D(units)) == Fraction(graduated)
    assert amount("volume", price, D(units)) == Fraction(volume)


@pytest.mark.parametrize(("at_zero", "expected"), [(False, 0), (True, 7)])
def test_no_units_cost_the_first_fee_only_where_the_price_says_so(at_zero: bool, expected: int) -> None:
    price = PriceSpec(tiers=WITH_FEES, first_fee_at_zero=at_zero)
    assert (amount("graduated", price, 0), amount("volume", price, 0)) == (expected, expected)


@pytest.mark.parametrize(
    ("free", "units", "expected"),
    [("10", "121", 1200), ("10", "10", 0), ("10", "11", 100), ("10", "20", 100), ("10", "21", 200), ("5", "3", 0),
     ("5", "15", 100), ("5", "16", 200), ("0", "0.001", 100), ("0", "0", 0)],
)  # fmt: skip
def test_a_started_package_is_paid_in_full(free: str, units: str, expected: int) -> None:
    price = PriceSpec(unit_price=D(100), package_size=D(10), free_units=D(free))
    assert amount("package", price, D(units)) == expected


def test_a_package_holds_one_unit_unless_it_says_otherwise() -> None:
    assert amount("package", PriceSpec(unit_price=D(5)), 2) == 10


@pytest.mark.parametrize(
    ("price", "events", "expected"),
    [
        (PriceSpec(rate=D("2.99"), floor=D("1.75"), ceiling=D(12)), ["10", "80", "10000"], "16.142"),
        (PriceSpec(rate=D(1), fee=D(1), floor=D("1.75"), ceiling=D(12)), ["100", "1000", "10000"], "25"),
        (PriceSpec(fee=D(2)), ["50", "100", "250", "400"], "8"),
        # Two events are free, then rate and fee.
        (PriceSpec(rate=D(10), fee=D(1), free_events=2), ["100", "100", "100"], "11"),
        # 150 of value is free: the second event crosses it by 50, and pays the whole fee.
        (PriceSpec(rate=D(10), fee=D(1), free_value=D(150)), ["100", "100", "100"], "17"),
        # Ending exactly on it pays nothing.
        (PriceSpec(rate=D(10), fee=D(1), free_value=D(200)), ["100", "100", "100"], "11"),
        # A single unit of it is left for the second event.
        (PriceSpec(rate=D(10), free_value=D(101)), ["100", "3"], "0.2"),
        # Whichever is used up first ends both.
        (PriceSpec(rate=D(10), fee=D(1), free_events=1, free_value=D(1000)), ["100", "100"], "11"),
        (PriceSpec(rate=D(10), fee=D(1), free_events=5, free_value=D(50)), ["100", "100"], "17"),
        (PriceSpec(rate=D(10), free_events=0, free_value=D(50)), ["100"], "10"),
        # What is free pays no floor either.
        (PriceSpec(rate=D(1), floor=D(5), free_events=1), ["10", "10"], "5"),
        (PriceSpec(rate=D(1), floor=D(5)), [], "0"),
    ],
)
def test_events_pay_rate_and_fee_beyond_what_is_free(price: PriceSpec, events: list[str], expected: str) -> None:
    rows = event_rows(price, [D(event) for event in events])
    assert sum(row.amount for row in rows) == Fraction(expected)


def test_the_steps_of_events_name_floor_and_ceiling() -> None:
    price = PriceSpec(rate=D(1), fee=D(1), floor=D("1.75"), ceiling=D(12))
    assert [(row.step, row.quantity, row.amount) for row in event_rows(price, [D(50), D(10000)])] == [
        ("rate", 10050, Fraction("100.5")),
        ("fee", 2, 2),
        ("floor", 1, Fraction("0.25")),
        ("ceiling", 1, -89),
    ]


@pytest.mark.parametrize(("value", "expected"), [("0", 0), ("1000", 20), ("1500", 29)])
def test_a_graduated_percentage_takes_each_tiers_rate_of_the_value_within_it(value: str, expected: int) -> None:
    assert amount("graduated_percentage", PriceSpec(tiers=PERCENT), D(value)) == expected


def test_only_the_line_rounds() -> None:
    exact = amount("per_unit", PriceSpec(unit_price=D("0.0333333333")), 3)
    assert (exact, to_minor(exact, "EUR")) == (Fraction("0.0999999999"), 10)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: PriceSpec(unit_price=D("-0.01")), "price_below_zero"),
        (lambda: PriceSpec(unit_price=D("NaN")), "price_below_zero"),
        (lambda: PriceSpec(free_events=-1), "price_below_zero"),
        (lambda: PriceSpec(package_size=D(0)), "package_of_nothing"),
        (lambda: PriceSpec(floor=D(2), ceiling=D(1)), "ceiling_below_floor"),
        (lambda: PriceSpec(tiers=(Tier(D(10)),)), "last_tier_without_bound"),
        (lambda: PriceSpec(tiers=(Tier(None), Tier(None))), "last_tier_without_bound"),
        (lambda: PriceSpec(tiers=(Tier(D(10)), Tier(D(10)), Tier(None))), "tier_bounds_not_rising"),
        (lambda: PriceSpec(tiers=(Tier(D(0)), Tier(None))), "tier_bounds_not_rising"),
        (lambda: PriceSpec(tiers=(Tier(None, D(-1)),)), "price_below_zero"),
        (lambda: amount("graduated", PriceSpec(), 1), "tiers_missing"),
        (lambda: amount("volume", PriceSpec(), 1), "tiers_missing"),
        (lambda: amount("magic", PriceSpec(), 1), "model_unknown"),
        (lambda: amount("per_unit", PriceSpec(), -1), "quantity_below_zero"),
        (lambda: amount("per_unit", PriceSpec(), D("NaN")), "quantity_not_a_number"),
        (lambda: amount("flat", PriceSpec(), D("Infinity")), "quantity_not_a_number"),
        (lambda: amount("per_unit", PriceSpec(), 1.5), "quantity_not_a_number"),  # type: ignore[arg-type]
    ],
)
def test_prices_and_quantities_that_can_not_be_are_refused(make: Callable[[], Any], code: str) -> None:
    with pytest.raises(BadPrice) as refusal:
        make()
    assert refusal.value.code == code


@st.composite
def _tiered(draw: st.DrawFn) -> PriceSpec:
    """Any tiers with prices, fees and rates from zero."""
    bounds = sorted(draw(st.sets(st.integers(1, 10_000), max_size=5)))
    figure = st.decimals(0, 1000, places=4)
    tiers = [Tier(up_to, draw(figure), draw(figure), draw(figure)) for up_to in [*map(Decimal, bounds), None]]
    return PriceSpec(tiers=tuple(tiers), first_fee_at_zero=draw(st.booleans()))


@pytest.mark.parametrize("model", ["graduated", "graduated_percentage"])
@given(price=_tiered(), quantity=quantities, more=quantities)
def test_graduated_charges_never_fall_as_quantity_grows(
    model: str, price: PriceSpec, quantity: Decimal, more: Decimal
) -> None:
    assert amount(model, price, quantity + more) >= amount(model, price, quantity)
