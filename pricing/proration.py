"""Shares of a price, and what days given back are worth.

The rule that matters: kept + credited = charged, exactly; days are credited at what was charged for them, never at
today's price, and the part that releases a line's last days takes whatever is left on it.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from pricing.errors import PricingError


class BadShare(PricingError):
    """A share outside of 0 to 1, or days that don't fit their line."""


def prorated(price: Fraction | Decimal | int, share: Fraction) -> Fraction:
    """The exact part of a price for a share of its period; the line rounds it, once.

    >>> prorated(Decimal("599.95"), Fraction(29, 31))
    Fraction(347971, 620)
    """
    if not 0 <= share <= 1:
        raise BadShare("share_outside_range", share=share)
    return Fraction(price) * share


def _left_to_credit(line_minor: int, already_credited: int) -> int:
    if line_minor < 0:
        raise BadShare("line_below_zero", line_minor=line_minor)
    if not 0 <= already_credited <= line_minor:
        raise BadShare("credited_outside_line", line_minor=line_minor, already_credited=already_credited)
    return line_minor - already_credited


def credit_for_unused(line_minor: int, line_days: int, unused_days: int, already_credited: int = 0) -> int:
    """What unused days of an invoiced line give back: line x unused / line days, rounded, capped at what is left.

    Amounts in minor units; the line's is after its discount. Raises `BadShare` for impossible figures.

    >>> credit_for_unused(1200, 31, 6), credit_for_unused(1200, 31, 31, already_credited=232)
    (232, 968)
    """
    left = _left_to_credit(line_minor, already_credited)
    if line_days < 1 or not 0 <= unused_days <= line_days:
        raise BadShare("days_outside_line", line_days=line_days, unused_days=unused_days)
    return min((2 * line_minor * unused_days + line_days) // (2 * line_days), left)


def credit_for_rest(line_minor: int, already_credited: int) -> int:
    """What the part that releases a line's last billed days gives back: all that is left on it.

    >>> [credit_for_unused(10, 3, 1), credit_for_unused(10, 3, 1, 3), credit_for_rest(10, 6)]
    [3, 3, 4]
    """
    return _left_to_credit(line_minor, already_credited)


def credit_for_days(
    line_minor: int, line_days: int, unused_days: int, billed_days: int, already_credited: int = 0
) -> int:
    """`credit_for_unused`, or `credit_for_rest` when the unused days are all the days still billed.

    `billed_days` are the line's days that no earlier credit has released.

    >>> credit_for_days(10, 3, 1, billed_days=1, already_credited=6)
    4
    """
    if not unused_days <= billed_days <= line_days:
        raise BadShare("days_outside_line", line_days=line_days, unused_days=unused_days, billed_days=billed_days)
    if unused_days and unused_days == billed_days:
        return credit_for_rest(line_minor, already_credited)
    return credit_for_unused(line_minor, line_days, unused_days, already_credited)
