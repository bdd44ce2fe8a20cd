"""What a document adds up to.

The rule that matters: totals that don't add up, and totals below zero, can't be built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pricing.errors import PricingError
from pricing.money import places
from pricing.taxes import TaxBehavior, TaxLine, TaxRow, taxed


class BadTotals(PricingError):
    """Sums that don't add up, or a document below zero."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The three sums of a document, in minor units of its currency.

    >>> Totals(net=1000, tax=190, gross=1190)
    Totals(net=1000, tax=190, gross=1190)
    >>> Totals(net=1000, tax=190, gross=1200)
    Traceback (most recent call last):
    pricing.totals.BadTotals: totals_do_not_add_up
    """

    net: int
    tax: int
    gross: int

    def __post_init__(self) -> None:
        if type(self.net) is not int or type(self.tax) is not int or type(self.gross) is not int:
            raise BadTotals("totals_not_whole")
        if self.net + self.tax != self.gross:
            raise BadTotals("totals_do_not_add_up", net=self.net, tax=self.tax, gross=self.gross)
        if self.gross < 0:
            raise BadTotals("totals_below_zero", gross=self.gross)


@dataclass(frozen=True, slots=True)
class DocumentTotals:
    """Everything a document's sums are: `rows` the tax breakdown, `line_nets` the net of each line, in order.

    The line nets add up to `totals.net`, the rows' taxes to `totals.tax`; all in minor units of `currency`.
    """

    totals: Totals
    rows: tuple[TaxRow, ...]
    line_nets: tuple[int, ...]
    currency: str


def document_totals(lines: Sequence[TaxLine], tax_behavior: TaxBehavior, currency: str) -> DocumentTotals:
    """Add a document up. Lines are rounded amounts: all net (`exclusive`) or all gross (`inclusive`).

    Raises `BadTotals` below zero, `BadTax` for groups that may not stand together, `UnknownCurrency`.

    >>> from decimal import Decimal
    >>> from pricing.taxes import TaxGroup
    >>> sums = document_totals([TaxLine(500, TaxGroup("S", Decimal(7)))] * 3, "inclusive", "EUR")
    >>> sums.totals, sums.line_nets
    (Totals(net=1402, tax=98, gross=1500), (468, 467, 467))
    """
    places(currency)
    rows, nets = taxed(lines, tax_behavior)
    net = sum(nets)
    tax = sum(row.tax_minor for row in rows)
    return DocumentTotals(Totals(net, tax, net + tax), tuple(rows), tuple(nets), currency)
