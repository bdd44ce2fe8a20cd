"""Documents add up, or don't exist."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.money import UnknownCurrency
from pricing.taxes import TaxBehavior, TaxGroup, TaxLine
from pricing.totals import BadTotals, Totals, document_totals

VAT = TaxGroup("S", Decimal(19))

lines = st.lists(
    st.builds(
        TaxLine,
        st.integers(0, 10**10),
        st.sampled_from([VAT, TaxGroup("S", Decimal("5.5")), TaxGroup("E", Decimal(0)), TaxGroup("K", Decimal(0))]),
    ),
    max_size=20,
)


@given(lines, st.sampled_from(["exclusive", "inclusive"]))
def test_net_and_tax_are_the_gross_on_every_document(lines: list[TaxLine], behavior: TaxBehavior) -> None:
    sums = document_totals(lines, behavior, "EUR")
    amount = sum(line.amount_minor for line in lines)
    assert sums.totals.net + sums.totals.tax == sums.totals.gross
    assert sums.totals.tax == sum(row.tax_minor for row in sums.rows)
    assert sums.totals.net == sum(sums.line_nets) == sum(row.base_minor for row in sums.rows)
    assert len(sums.line_nets) == len(lines)
    assert amount == (sums.totals.net if behavior == "exclusive" else sums.totals.gross)


@pytest.mark.parametrize(
    ("net", "tax", "gross", "code"),
    [
        (1000, 190, 1191, "totals_do_not_add_up"),
        (1000, 190, 1189, "totals_do_not_add_up"),
        (-1000, -190, -1190, "totals_below_zero"),
        (1.0, 0, 1, "totals_not_whole"),
    ],
)
def test_totals_that_can_not_be_are_refused(net: int, tax: int, gross: int, code: str) -> None:
    with pytest.raises(BadTotals) as refusal:
        Totals(net, tax, gross)
    assert refusal.value.code == code


def test_a_deduction_is_part_of_the_sum() -> None:
    sums = document_totals([TaxLine(1000, VAT), TaxLine(-400, VAT)], "exclusive", "EUR")
    assert sums.totals == Totals(600, 114, 714)


def test_a_document_below_zero_is_refused() -> None:
    with pytest.raises(BadTotals) as refusal:
        document_totals([TaxLine(-1, VAT)], "exclusive", "EUR")
    assert refusal.value.code == "totals_below_zero"


def test_an_empty_document_is_zero() -> None:
    assert document_totals([], "exclusive", "EUR").totals == Totals(0, 0, 0)


def test_a_document_has_a_currency() -> None:
    with pytest.raises(UnknownCurrency):
        document_totals([], "exclusive", "???")
