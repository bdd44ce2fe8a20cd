"""The steps of a charge model as a line keeps them: plain text, exact, for the sentence that explains the amount.

The rule that matters: no rounding here; the steps add up to the price of the full quantity.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from billing.services.charging import spec_of
from pricing.charge_models import CalcRow, calc_rows

#: Their one step says no more than price and quantity do.
PLAIN: Final = ("flat", "per_unit")


@lru_cache(maxsize=4096)
def steps_of(model: str, unit_amount: Decimal, details: str, quantity: Decimal) -> tuple[dict[str, Any], ...]:
    """What leads to the price of the full quantity; nothing for models that need no explanation. Raises `BadPrice`.

    >>> [step["amount"] for step in steps_of("package", Decimal("5"), '{"package_size":"10"}', Decimal(21))]
    ['15']
    """
    if model in PLAIN:
        return ()
    return tuple(plain_rows(calc_rows(model, spec_of(unit_amount, details), quantity)))


def plain_rows(rows: Iterable[CalcRow]) -> list[dict[str, Any]]:
    """Steps as a line's calculation keeps them: `step`, `quantity`, `price`, `amount`; a tier's `above` and `up_to`."""
    found = []
    for row in rows:
        step = {
            "step": row.step,
            "quantity": plain_fraction(row.quantity),
            "price": plain_fraction(row.price),
            "amount": plain_fraction(row.amount),
        }
        if row.above is not None:
            step["above"] = format(row.above.normalize(), "f")
        if row.up_to is not None:
            step["up_to"] = format(row.up_to.normalize(), "f")
        found.append(step)
    return found


def plain_fraction(value: Fraction) -> str:
    """A figure as plain text, to 20 places where it does not end before.

    >>> plain_fraction(Fraction(25, 2))
    '12.5'
    """
    with localcontext() as context:
        context.prec = 60
        figure = Decimal(value.numerator) / Decimal(value.denominator)
        text = format(round(figure, 20), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
