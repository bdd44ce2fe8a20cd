"""Discounts over the lines of a document, before tax.

The rule that matters: narrowest scope first, then oldest; percents multiply, an amount is spread over the lines in
proportion, and every line carries its own rounded discount, which together are exactly what the discounts took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from pricing.errors import PricingError
from pricing.money import round_half_up, spread

Scope = Literal["everything", "product", "price"]

# Narrowest first.
_NARROWNESS: Final[dict[str, int]] = {"price": 0, "product": 1, "everything": 2}
_WHOLE: Final = Fraction(1)


class BadDiscount(PricingError):
    """A discount that is neither a percent nor an amount, or one outside its range."""


@dataclass(frozen=True, slots=True)
class Discount:
    """`percent` (0 to 100) or `amount_minor` off the lines in its scope; `target` names the product or price.

    `age` orders discounts of one scope: the lower is the older. A `recurring` amount is scaled by each line's share
    of its period, like the price; one for once only is not, and what it could not take is left to the caller.
    `among` limits it further, to lines by their place; None: no further limit.
    """

    percent: Decimal | None = None
    amount_minor: int | None = None
    scope: Scope = "everything"
    target: str = ""
    age: int = 0
    recurring: bool = False
    among: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount_minor is None):
            raise BadDiscount("discount_percent_or_amount")
        if self.percent is not None and not (self.percent.is_finite() and 0 <= self.percent <= 100):
            raise BadDiscount("discount_percent_outside_range", percent=self.percent)
        if self.amount_minor is not None and self.amount_minor < 0:
            raise BadDiscount("discount_below_zero", amount_minor=self.amount_minor)
        if self.scope not in _NARROWNESS:
            raise BadDiscount("discount_scope_unknown", scope=self.scope)


class DiscountableLine(NamedTuple):
    """A rounded line before discounts, what it sells, and its share of a full period."""

    amount_minor: int
    product: str = ""
    price: str = ""
    share: Fraction = _WHOLE


class Discounted(NamedTuple):
    """`parts[d][l]`: what discount d took off line l; `by_line` and `by_discount`: their sums. Minor units."""

    parts: tuple[tuple[int, ...], ...]
    by_line: tuple[int, ...]
    by_discount: tuple[int, ...]


def discounted(lines: Sequence[DiscountableLine], discounts: Sequence[Discount]) -> Discounted:
    """What each discount takes off each line. No line falls below zero; answers keep the order of the arguments.

    >>> discounted(
    ...     [DiscountableLine(10000), DiscountableLine(5000), DiscountableLine(3000)], [Discount(amount_minor=1000)]
    ... ).by_line
    (555, 278, 167)
    """
    if any(line.amount_minor < 0 for line in lines):
        raise BadDiscount("discount_of_line_below_zero")
    if not all(0 < line.share <= 1 for line in lines):
        raise BadDiscount("discount_of_share_outside_range")
    # What is left of each line, exact under percents, and the rounded discount it carries so far.
    left = [Fraction(line.amount_minor) for line in lines]
    taken = [0] * len(lines)
    parts: list[tuple[int, ...]] = [()] * len(discounts)
    order = sorted(range(len(discounts)), key=lambda d: (_NARROWNESS[discounts[d].scope], discounts[d].age, d))
    for number in order:
        discount = discounts[number]
        inside = [
            index
            for index, line in enumerate(lines)
            if _applies(discount, line) and (discount.among is None or index in discount.among)
        ]
        part = [0] * len(lines)
        if discount.percent is not None:
            keeps = 1 - Fraction(discount.percent) / 100
            for index in inside:
                left[index] *= keeps
                # Rounding what all percents took together, never each of them, keeps a line within half a unit.
                total = round_half_up(lines[index].amount_minor - left[index])
                part[index], taken[index] = total - taken[index], total
        else:
            rest = [lines[index].amount_minor - taken[index] for index in inside]
            shares = [lines[index].share if discount.recurring else _WHOLE for index in inside]
            for index, took in zip(inside, _spread_amount(discount.amount_minor or 0, rest, shares), strict=True):
                part[index] = took
                taken[index] += took
                left[index] = Fraction(lines[index].amount_minor - taken[index])
        parts[number] = tuple(part)
    return Discounted(tuple(parts), tuple(taken), tuple(sum(part) for part in parts))


def _applies(discount: Discount, line: DiscountableLine) -> bool:
    if discount.scope == "everything":
        return True
    return discount.target == (line.product if discount.scope == "product" else line.price)


def _spread_amount(amount: int, rest: list[int], shares: list[Fraction]) -> list[int]:
    """The amount over the lines in proportion to their full periods, each part then scaled by its line's share.

    Full period times share is what is left of the line, so the scaled total is spread over just that.
    """
    full = sum((left / share for left, share in zip(rest, shares, strict=True)), Fraction(0))
    if not full:
        return [0] * len(rest)
    return spread(round_half_up(min(Fraction(amount), full) * sum(rest) / full), rest)
