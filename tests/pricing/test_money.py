"""Amounts are exact, refuse what is no amount, and parts add up to their whole."""

from __future__ import annotations

import copy
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.money import (
    BadAmount,
    BadSpread,
    Currency,
    CurrencyMismatch,
    Money,
    UnknownCurrency,
    is_currency,
    parse_amount,
    places,
    round_half_up,
    spread,
    to_minor,
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("EUR", 2), ("USD", 2), ("CHF", 2), ("HUF", 2), ("JPY", 0), ("ISK", 0), ("KWD", 3), ("TND", 3), ("CLF", 4)],
)
def test_a_currency_has_the_places_of_iso_4217(code: str, expected: int) -> None:
    assert places(code) == expected
    assert Currency.places(code) == expected
    assert is_currency(code)


@pytest.mark.parametrize("code", ["", "eur", "EURO", "XXX", "XAU", "DEM", "E\u0055R\n"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    assert not is_currency(code)
    with pytest.raises(UnknownCurrency) as refusal:
        places(code)
    assert refusal.value.code == "currency_unknown"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "amount_empty"),
        (" 1", "amount_space"),
        ("1\n", "amount_space"),
        ("1\u00a0000", "amount_space"),
        ("\u0661\u0662", "amount_other_digits"),
        ("\uff11", "amount_other_digits"),
        ("\u00bd", "amount_other_digits"),
        ("NaN", "amount_not_a_number"),
        ("-sNaN", "amount_not_a_number"),
        ("Infinity", "amount_not_a_number"),
        ("-inf", "amount_not_a_number"),
        ("1E5", "amount_exponent"),
        ("1.5e-3", "amount_exponent"),
        ("1,000", "amount_separator"),
        ("1.000.00", "amount_separator"),
        ("1_000", "amount_separator"),
        ("12,50", "amount_separator"),
        ("-0", "amount_negative_zero"),
        ("-0.00", "amount_negative_zero"),
        ("+1", "amount_form"),
        (".5", "amount_form"),
        ("5.", "amount_form"),
        ("--5", "amount_form"),
        ("0x10", "amount_form"),
        ("EUR 5", "amount_space"),
        ("1" * 41, "amount_too_long"),
        ("1" * 10_000_000, "amount_too_long"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        parse_amount(text)
    assert refusal.value.code == code


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**9), max_value=10**9))
def test_a_plain_amount_is_read_exactly(value: Decimal) -> None:
    text = format(value, "f")
    if value == 0:
        text = text.lstrip("-")
    assert parse_amount(text) == value


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.5", "EUR", 1250),
        ("-0.01", "EUR", -1),
        (12, "EUR", 1200),
        (Decimal("1.5000000000"), "EUR", 150),
        ("1500", "JPY", 1500),
        (Decimal("0.001"), "KWD", 1),
        ("-3.001", "KWD", -3001),
    ],
)
def test_money_is_made_exactly(value: Decimal | str | int, currency: str, minor: int) -> None:
    assert Money.of(value, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("value", "currency", "code"),
    [
        ("1.005", "EUR", "amount_too_many_places"),
        ("1.000", "EUR", "amount_too_many_places"),
        ("1.0", "JPY", "amount_too_many_places"),
        (Decimal("1.005"), "EUR", "amount_too_many_places"),
        (Decimal("NaN"), "EUR", "amount_not_a_number"),
        (Decimal("Infinity"), "EUR", "amount_not_a_number"),
        (Decimal("1E+5"), "EUR", "amount_exponent"),
        ("1E5", "EUR", "amount_exponent"),
        (1.5, "EUR", "amount_inexact"),
        (True, "EUR", "amount_inexact"),
    ],
)
def test_money_that_would_not_be_exact_is_refused(value: str, currency: str, code: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        Money.of(value, currency)
    assert refusal.value.code == code


def test_money_of_no_currency_is_refused() -> None:
    with pytest.raises(UnknownCurrency):
        Money(1, "ABC")


def test_money_counts_whole_minor_units_only() -> None:
    with pytest.raises(BadAmount):
        Money(1.0, "EUR")  # type: ignore[arg-type]


@given(st.integers(-(10**15), 10**15), st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_an_amount_survives_the_way_out_and_back(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.of(money.amount, currency) == money
    assert -int(money.amount.as_tuple().exponent) == places(currency)


def test_money_is_added_subtracted_turned_and_multiplied() -> None:
    five, two = Money(500, "EUR"), Money(200, "EUR")
    assert (five + two, five - two, -five, five * 3, 3 * five) == (
        Money(700, "EUR"),
        Money(300, "EUR"),
        Money(-500, "EUR"),
        Money(1500, "EUR"),
        Money(1500, "EUR"),
    )
    assert two < five and five >= five and not Money.zero("EUR")


@pytest.mark.parametrize("operator", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_two_currencies_never_meet(operator: str) -> None:
    with pytest.raises(CurrencyMismatch) as refusal:
        getattr(Money(1, "EUR"), operator)(Money(1, "USD"))
    assert (refusal.value.code, refusal.value.params) == ("currency_mismatch", {"left": "EUR", "right": "USD"})


def test_money_is_not_multiplied_by_a_fraction_behind_ones_back() -> None:
    with pytest.raises(TypeError):
        Money(1, "EUR") * 0.5  # type: ignore[operator]


def test_money_can_be_copied_and_hashed() -> None:
    money = Money(1, "EUR")
    assert copy.deepcopy(money) == money
    assert len({money, Money(1, "EUR"), Money(1, "USD")}) == 2


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9), st.integers(0, 4))
def test_rounding_is_half_away_from_zero(value: Decimal, scale: int) -> None:
    rounded = value.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)
    assert round_half_up(Fraction(value), scale) == int(rounded.scaleb(scale))
    assert round_half_up(value, scale) == int(rounded.scaleb(scale))


@given(st.fractions(max_denominator=10**6))
def test_a_rounded_value_is_within_half_a_unit(value: Fraction) -> None:
    assert abs(round_half_up(value) - value) <= Fraction(1, 2)
    assert round_half_up(-value) == -round_half_up(value)


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        (Decimal("599.95") * 29 / 31, "EUR", 56124),
        (Fraction(59995, 100) * Fraction(29, 31), "EUR", 56124),
        (Fraction(1, 2), "JPY", 1),
        (Fraction(-1, 2), "JPY", -1),
        (Decimal("0.0005"), "KWD", 1),
    ],
)
def test_an_exact_amount_becomes_minor_units_once(value: Fraction | Decimal, currency: str, minor: int) -> None:
    assert to_minor(value, currency) == minor


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), 0.5])
def test_what_is_not_exact_is_not_rounded(value: Decimal) -> None:
    with pytest.raises(BadAmount):
        round_half_up(value)


weights = st.lists(st.integers(0, 10**9) | st.fractions(0, 1000, max_denominator=1000), min_size=1, max_size=30)


@given(st.integers(-(10**12), 10**12), weights.filter(lambda weights: sum(weights) > 0))
def test_a_spread_adds_up_and_is_fair(total: int, weights: list[int | Fraction]) -> None:
    parts = spread(total, weights)
    whole = sum((Fraction(weight) for weight in weights), Fraction(0))
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * Fraction(weight) / whole) < 1
        assert weight or part == 0
    assert spread(-total, weights) == [-part for part in parts]


@given(st.integers(0, 10**6), st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(sum))
def test_a_spread_gives_the_rest_to_the_largest_remainders(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    expected = [total * weight // whole for weight in weights]
    left = [Fraction(total * weight, whole) - part for weight, part in zip(weights, expected, strict=True)]
    for _ in range(total - sum(expected)):
        winner = left.index(max(left))
        expected[winner] += 1
        left[winner] -= 1
    assert spread(total, weights) == expected


def test_equal_remainders_go_to_the_earlier_part() -> None:
    assert spread(5, [1, 1, 1]) == [2, 2, 1]
    assert spread(1, [1, 1]) == [1, 0]


def test_a_spread_of_nothing_needs_no_weight() -> None:
    assert spread(0, [0, 0]) == [0, 0]
    assert spread(0, []) == []


def test_a_spread_without_weight_is_refused() -> None:
    with pytest.raises(BadSpread) as refusal:
        spread(1, [0, 0])
    assert refusal.value.code == "spread_without_weight"


def test_a_deduction_takes_its_part_of_a_spread() -> None:
    assert spread(840, [1200, -200]) == [1008, -168]
