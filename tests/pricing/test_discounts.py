"""Discounts take exactly what they say, line by line, in one order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.discounts import BadDiscount, Discount, DiscountableLine, discounted

Line = DiscountableLine

some_lines = st.lists(
    st.builds(
        Line,
        st.integers(0, 10**7),
        st.sampled_from(["phone", "net"]),
        st.sampled_from(["a", "b"]),
        st.fractions(Fraction(1, 31), 1, max_denominator=31),
    ),
    max_size=8,
)
scopes: dict[str, Any] = {"scope": st.sampled_from(["everything", "product", "price"]), "target": st.just("phone")}
percents = st.builds(Discount, percent=st.decimals(0, 100, places=2), age=st.integers(0, 9), **scopes)
amounts = st.builds(
    Discount, amount_minor=st.integers(0, 10**7), age=st.integers(0, 9), recurring=st.booleans(), **scopes
)


@given(some_lines, st.lists(percents | amounts, max_size=5))
def test_discounts_add_up_and_leave_no_line_below_zero(lines: list[Line], discounts: list[Discount]) -> None:
    result = discounted(lines, discounts)
    assert len(result.by_line) == len(lines) and len(result.by_discount) == len(discounts)
    assert result.by_line == tuple(sum(part[index] for part in result.parts) for index in range(len(lines)))
    assert result.by_discount == tuple(sum(part) for part in result.parts)
    assert all(0 <= took <= line.amount_minor for took, line in zip(result.by_line, lines, strict=True))
    for discount, took in zip(discounts, result.by_discount, strict=True):
        assert discount.amount_minor is None or took <= discount.amount_minor


@given(some_lines, st.integers(0, 10**8))
def test_an_amount_is_taken_whole_while_there_is_something_left(lines: list[Line], amount: int) -> None:
    result = discounted(lines, [Discount(amount_minor=amount)])
    assert sum(result.by_line) == min(amount, sum(line.amount_minor for line in lines))


@given(st.integers(0, 10**9), st.lists(st.decimals(0, 100, places=2), max_size=6))
def test_percents_multiply_and_are_rounded_once(amount: int, rates: list[Decimal]) -> None:
    exact = Fraction(amount)
    for rate in rates:
        exact *= 1 - Fraction(rate) / 100
    [took] = discounted([Line(amount)], [Discount(percent=rate) for rate in rates]).by_line
    assert abs(amount - exact - took) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("lines", "discounts", "by_line"),
    [
        ([300], [Discount(amount_minor=12)], (12,)),
        ([6], [Discount(amount_minor=12)], (6,)),
        ([300], [Discount(percent=Decimal(20))], (60,)),
        ([10000, 5000, 3000], [Discount(amount_minor=1000)], (555, 278, 167)),
        ([100, 100, 100], [Discount(amount_minor=100)], (34, 33, 33)),
        ([0, 100], [Discount(amount_minor=50)], (0, 50)),
        ([10000], [Discount(percent=Decimal(10)), Discount(percent=Decimal(20))], (2800,)),
        ([10000], [Discount(percent=Decimal(100)), Discount(amount_minor=5)], (10000,)),
    ],
)
def test_a_discount_is_worked_out_by_hand(
    lines: list[int], discounts: list[Discount], by_line: tuple[int, ...]
) -> None:
    assert discounted([Line(amount) for amount in lines], discounts).by_line == by_line


def test_the_narrowest_scope_comes_first_then_the_oldest() -> None:
    line = Line(10000, "phone", "a")
    everything = Discount(percent=Decimal(50), age=1)
    newer = Discount(amount_minor=1000, scope="product", target="phone", age=3)
    older = Discount(percent=Decimal(10), scope="product", target="phone", age=2)
    narrow = Discount(amount_minor=2000, scope="price", target="a", age=9)
    # 100.00 - 20.00 = 80.00; - 10 % = 72.00; - 10.00 = 62.00; - 50 % = 31.00.
    assert discounted([line], [everything, newer, older, narrow]).by_discount == (3100, 1000, 800, 2000)


def test_a_discount_leaves_other_products_and_prices_alone() -> None:
    lines = [Line(1000, "phone", "a"), Line(1000, "net", "a"), Line(1000, "net", "b")]
    assert discounted(lines, [Discount(percent=Decimal(10), scope="product", target="net")]).by_line == (0, 100, 100)
    assert discounted(lines, [Discount(amount_minor=100, scope="price", target="a")]).by_line == (50, 50, 0)


def test_a_recurring_amount_takes_the_lines_share_and_a_single_one_does_not() -> None:
    stub = [Line(1200, share=Fraction(12, 31))]
    assert discounted(stub, [Discount(amount_minor=310, recurring=True)]).by_line == (120,)
    assert discounted(stub, [Discount(amount_minor=310)]).by_line == (310,)
    # More than the full price of 31.00: the stub is free, as the full period would be.
    assert discounted(stub, [Discount(amount_minor=5000, recurring=True)]).by_line == (1200,)


def test_a_recurring_amount_is_spread_over_full_periods_before_it_is_scaled() -> None:
    # 10.00 in full and a tenth of 10.00: each full period bears half of 8.00, the stub a tenth of its half.
    lines = [Line(1000), Line(100, share=Fraction(1, 10))]
    assert discounted(lines, [Discount(amount_minor=800, recurring=True)]).by_line == (400, 40)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Discount(), "discount_percent_or_amount"),
        (lambda: Discount(percent=Decimal(1), amount_minor=1), "discount_percent_or_amount"),
        (lambda: Discount(percent=Decimal("100.01")), "discount_percent_outside_range"),
        (lambda: Discount(percent=Decimal(-1)), "discount_percent_outside_range"),
        (lambda: Discount(percent=Decimal("NaN")), "discount_percent_outside_range"),
        (lambda: Discount(amount_minor=-1), "discount_below_zero"),
        (lambda: Discount(amount_minor=1, scope="world"), "discount_scope_unknown"),  # type: ignore[arg-type]
        (lambda: discounted([Line(-1)], []), "discount_of_line_below_zero"),
        (lambda: discounted([Line(1, share=Fraction(0))], []), "discount_of_share_outside_range"),
    ],
)
def test_discounts_that_can_not_be_are_refused(make: Callable[[], Any], code: str) -> None:
    with pytest.raises(BadDiscount) as refusal:
        make()
    assert refusal.value.code == code


def test_a_discount_among_some_lines_leaves_the_others_alone() -> None:
    lines = [DiscountableLine(1000), DiscountableLine(1000), DiscountableLine(1000)]
    found = discounted(lines, [Discount(amount_minor=300, among=frozenset({0, 2}))])
    assert found.by_line == (150, 0, 150)
