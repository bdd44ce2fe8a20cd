"""Tax is rounded once per rate, and every supply finds its category in the order of decision."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.taxes import (
    BadTax,
    RateRow,
    TaxBehavior,
    TaxGroup,
    TaxLine,
    breakdown,
    rate_on,
    tax_in_gross,
    tax_on_net,
    tax_treatment,
    taxed,
)

S19, S7, S20 = (TaxGroup("S", Decimal(rate)) for rate in (19, 7, 20))
Z, AE, OUT = TaxGroup("Z", Decimal(0)), TaxGroup("AE", Decimal(0)), TaxGroup("O", Decimal(0))

groups = st.sampled_from([S19, S7, TaxGroup("S", Decimal("5.5")), TaxGroup("S", Decimal("8.1")), Z, AE])
document_lines = st.lists(st.builds(TaxLine, st.integers(0, 10**9), groups), max_size=25)


@given(document_lines)
def test_net_documents_round_each_rate_once_on_its_sum(lines: list[TaxLine]) -> None:
    rows = breakdown(lines, "exclusive")
    for row in rows:
        base = sum(line.amount_minor for line in lines if line.group == row.group)
        exact = Decimal(base) * row.rate / 100
        assert row.base_minor == base
        assert row.tax_minor == int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    assert sum(row.base_minor for row in rows) == sum(line.amount_minor for line in lines)
    assert len({row.group for row in rows}) == len(rows)


@given(document_lines)
def test_gross_documents_take_each_rate_out_once_and_keep_their_gross(lines: list[TaxLine]) -> None:
    rows, nets = taxed(lines, "inclusive")
    for row in rows:
        gross = sum(line.amount_minor for line in lines if line.group == row.group)
        exact = Fraction(gross) * Fraction(row.rate) / (100 + Fraction(row.rate))
        assert row.gross_minor == gross
        assert abs(row.tax_minor - exact) <= Fraction(1, 2)
        own = [net for net, line in zip(nets, lines, strict=True) if line.group == row.group]
        assert sum(own) == row.base_minor
    for net, line in zip(nets, lines, strict=True):
        exact_net = Fraction(line.amount_minor) * 100 / (100 + Fraction(line.group.rate))
        # One unit by the spread, half a unit by the group's own rounding.
        assert abs(net - exact_net) < Fraction(3, 2)


@given(document_lines, st.sampled_from(["exclusive", "inclusive"]))
def test_a_credit_of_everything_is_the_mirror_image(lines: list[TaxLine], behavior: TaxBehavior) -> None:
    mirrored = [TaxLine(-line.amount_minor, line.group) for line in lines]
    assert [(row.base_minor, row.tax_minor) for row in breakdown(mirrored, behavior)] == [
        (-row.base_minor, -row.tax_minor) for row in breakdown(lines, behavior)
    ]


def test_the_breakdown_follows_the_lines() -> None:
    rows = breakdown([TaxLine(9445, S7), TaxLine(4722, Z), TaxLine(2833, S20), TaxLine(2000, S7)], "exclusive")
    assert [(row.category, row.rate, row.base_minor, row.tax_minor) for row in rows] == [
        ("S", Decimal(7), 11445, 801),
        ("Z", Decimal(0), 4722, 0),
        ("S", Decimal(20), 2833, 567),
    ]


def test_a_gross_net_is_spread_by_largest_remainder() -> None:
    # 3 x 5.00 gross at 7 %: tax 15.00 x 7 / 107 = 0.9813, so 14.02 net; 4.67 each leaves a cent, for the first.
    rows, nets = taxed([TaxLine(500, S7)] * 3, "inclusive")
    assert (rows[0].base_minor, rows[0].tax_minor, nets) == (1402, 98, [468, 467, 467])


@pytest.mark.parametrize(
    ("base", "rate", "tax"),
    [(1000, "19", 190), (50, "19", 10), (250, "5.5", 14), (-50, "19", -10), (1, "19", 0), (3, "20", 1), (0, "19", 0)],
)
def test_tax_on_a_net_base_is_rounded_half_up(base: int, rate: str, tax: int) -> None:
    assert tax_on_net(base, Decimal(rate)) == tax


@pytest.mark.parametrize(
    ("gross", "rate", "tax"), [(11900, "19", 1900), (1999, "19", 319), (3, "20", 1), (-3, "20", -1)]
)
def test_tax_in_a_gross_sum_is_rounded_half_up(gross: int, rate: str, tax: int) -> None:
    assert tax_in_gross(gross, Decimal(rate)) == tax


def test_equal_rates_written_differently_are_one_group() -> None:
    lines = [TaxLine(1, TaxGroup("S", Decimal("19.00"))), TaxLine(1, S19)]
    assert len(breakdown(lines, "exclusive")) == 1


def test_outside_the_scope_stands_alone() -> None:
    assert breakdown([TaxLine(5, OUT), TaxLine(6, OUT)], "exclusive")[0].base_minor == 11
    with pytest.raises(BadTax) as refusal:
        breakdown([TaxLine(5, OUT), TaxLine(6, S19)], "exclusive")
    assert refusal.value.code == "tax_outside_scope_not_alone"


@pytest.mark.parametrize(
    ("category", "rate", "code"),
    [
        ("X", "0", "tax_category_unknown"),
        ("S", "0", "tax_rate_does_not_fit_category"),
        ("AE", "19", "tax_rate_does_not_fit_category"),
        ("S", "-1", "tax_rate_outside_range"),
        ("S", "100.1", "tax_rate_outside_range"),
        ("S", "NaN", "tax_rate_not_a_number"),
    ],
)
def test_a_rate_that_can_not_be_is_refused(category: Any, rate: str, code: str) -> None:
    with pytest.raises(BadTax) as refusal:
        TaxGroup(category, Decimal(rate))
    assert refusal.value.code == code


def test_a_document_is_net_or_gross() -> None:
    with pytest.raises(BadTax):
        breakdown([], "both")  # type: ignore[arg-type]


# The decision -------------------------------------------------------------------------------------------------------

RATES = [
    RateRow("DE", "", "standard", date(2007, 1, 1), Decimal(19)),
    RateRow("DE", "", "standard", date(2020, 7, 1), Decimal(16)),
    RateRow("DE", "", "standard", date(2021, 1, 1), Decimal(19)),
    RateRow("DE", "", "reduced", date(2007, 1, 1), Decimal(7)),
    RateRow("FR", "", "standard", date(2014, 1, 1), Decimal(20)),
    RateRow("ES", "", "standard", date(2012, 9, 1), Decimal(21)),
    RateRow("ES", "CN", "standard", date(2012, 9, 1), Decimal(0), "O"),
    RateRow("CH", "", "standard", date(2024, 1, 1), Decimal("8.1")),
    RateRow("DE", "", "books", date(2007, 1, 1), Decimal(0)),
]

SALE: dict[str, Any] = {
    "on": date(2026, 5, 1),
    "seller_country": "DE",
    "customer_country": "FR",
    "is_business": False,
    "supply_kind": "electronic",
    "rates": RATES,
}


def decide(**changes: Any) -> tuple[str, str, str]:
    treatment = tax_treatment(**{**SALE, **changes})
    return treatment.category, str(treatment.rate), treatment.reason


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # At home.
        ({"customer_country": "DE"}, ("S", "19", "domestic")),
        ({"customer_country": "DE", "product_category": "reduced"}, ("S", "7", "domestic")),
        ({"customer_country": "DE", "product_category": "books"}, ("Z", "0", "domestic")),
        ({"customer_country": "DE", "is_business": True, "vat_id_state": "valid"}, ("S", "19", "domestic")),
        ({"customer_country": "DE", "on": date(2020, 8, 1)}, ("S", "16", "domestic")),
        ({"customer_country": "DE", "on": date(2020, 12, 31)}, ("S", "16", "domestic")),
        ({"customer_country": "DE", "on": date(2021, 1, 1)}, ("S", "19", "domestic")),
        # Consumers in another member state.
        ({}, ("S", "20", "destination")),
        ({"taxed_at_origin": True}, ("S", "19", "origin")),
        ({"supply_kind": "goods"}, ("S", "20", "destination")),
        ({"supply_kind": "goods", "taxed_at_origin": True}, ("S", "19", "origin")),
        ({"supply_kind": "general"}, ("S", "19", "seller_country")),
        ({"supply_kind": "place_bound"}, ("S", "19", "place_of_supply")),
        ({"supply_kind": "place_bound", "place_country": "ES"}, ("S", "21", "place_of_supply")),
        # Businesses in another member state.
        ({"is_business": True, "vat_id_state": "valid"}, ("AE", "0", "reverse_charge")),
        ({"is_business": True, "vat_id_state": "valid", "supply_kind": "general"}, ("AE", "0", "reverse_charge")),
        ({"is_business": True, "vat_id_state": "valid", "supply_kind": "goods"}, ("K", "0", "intra_community")),
        (
            {"is_business": True, "vat_id_state": "valid", "supply_kind": "place_bound", "place_country": "ES"},
            ("S", "21", "place_of_supply"),
        ),
        ({"is_business": True}, ("S", "20", "destination")),
        ({"is_business": True, "vat_id_state": "invalid"}, ("S", "20", "destination")),
        ({"is_business": True, "vat_id_state": "invalid", "supply_kind": "general"}, ("S", "19", "seller_country")),
        # A consumer has no VAT id that could count.
        ({"vat_id_state": "valid"}, ("S", "20", "destination")),
        # Outside the Union.
        ({"customer_country": "US", "supply_kind": "goods"}, ("G", "0", "export")),
        ({"customer_country": "US", "is_business": True}, ("O", "0", "outside_scope")),
        ({"customer_country": "US", "is_business": True, "supply_kind": "general"}, ("O", "0", "outside_scope")),
        ({"customer_country": "US"}, ("O", "0", "outside_scope")),
        ({"customer_country": "CH"}, ("S", "8.1", "destination")),
        ({"customer_country": "US", "supply_kind": "general"}, ("S", "19", "seller_country")),
        # Special territories come before the rule for VAT ids.
        ({"customer_country": "ES", "customer_region": "CN"}, ("O", "0", "special_territory")),
        (
            {"customer_country": "ES", "customer_region": "CN", "is_business": True, "vat_id_state": "valid"},
            ("O", "0", "special_territory"),
        ),
        ({"customer_country": "ES", "customer_region": "CN", "supply_kind": "goods"}, ("G", "0", "special_territory")),
        (
            {"customer_country": "ES", "customer_region": "CN", "supply_kind": "general"},
            ("S", "19", "seller_country"),
        ),
        ({"customer_country": "ES", "customer_region": "MD"}, ("S", "21", "destination")),
        # The customer's exemption comes before everything.
        ({"exemption": "E", "customer_country": "DE"}, ("E", "0", "exempt")),
        ({"exemption": "E", "is_business": True, "vat_id_state": "valid"}, ("E", "0", "exempt")),
        # A small business charges nothing at home, but reverse charge and destination stand.
        ({"small_business": True, "customer_country": "DE"}, ("E", "0", "small_business")),
        ({"small_business": True, "is_business": True, "vat_id_state": "valid"}, ("AE", "0", "reverse_charge")),
        ({"small_business": True, "taxed_at_origin": True}, ("E", "0", "small_business")),
        ({"small_business": True}, ("S", "20", "destination")),
        # Nobody knows where the customer is.
        ({"customer_country": ""}, ("S", "19", "unknown_country")),
        ({"customer_country": "", "product_category": "reduced"}, ("S", "19", "unknown_country")),
        # The company's default comes last.
        ({"customer_country": "IT", "default": S19}, ("S", "19", "company_default")),
        ({"customer_country": "FR", "on": date(2013, 12, 31), "default": S7}, ("S", "7", "company_default")),
    ],
)
def test_a_supply_is_decided_in_order(changes: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert decide(**changes) == expected


@pytest.mark.parametrize(
    ("answer", "answered_on", "expected", "waits"),
    [
        ("valid", date(2026, 2, 1), ("AE", "0", "reverse_charge"), False),  # 89 days old
        ("valid", date(2026, 1, 31), ("S", "20", "destination"), True),  # 90 days old
        ("invalid", date(2026, 4, 30), ("S", "20", "destination"), False),
        (None, None, ("S", "20", "destination"), True),
    ],
)
def test_a_pending_vat_id_goes_by_its_last_answer_or_waits(
    answer: str | None, answered_on: date | None, expected: tuple[str, str, str], waits: bool
) -> None:
    pending = {"is_business": True, "vat_id_state": "pending", "vat_answer": answer, "vat_answered_on": answered_on}
    assert decide(**pending) == expected
    assert tax_treatment(**{**SALE, **pending}).waits is waits


@pytest.mark.parametrize(
    "changes", [{"customer_country": "DE"}, {"customer_country": "US"}, {"supply_kind": "place_bound"}]
)
def test_a_pending_vat_id_that_decides_nothing_waits_for_nothing(changes: dict[str, Any]) -> None:
    treatment = tax_treatment(**{**SALE, "is_business": True, "vat_id_state": "pending", **changes})
    assert not treatment.waits


def test_a_missing_rate_is_refused() -> None:
    with pytest.raises(BadTax) as refusal:
        decide(customer_country="IT")
    assert refusal.value.code == "tax_rate_missing"
    assert refusal.value.params["country"] == "IT"


@pytest.mark.parametrize("changes", [{"supply_kind": "magic"}, {"vat_id_state": "maybe"}])
def test_an_unknown_kind_or_state_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadTax):
        decide(**changes)


def test_the_rate_in_force_is_the_latest_that_has_begun_whatever_the_order_of_rows() -> None:
    for rows in (RATES, RATES[::-1]):
        row = rate_on(rows, "DE", "", "standard", date(2020, 9, 9))
        assert row is not None and row.rate == 16
    assert rate_on(RATES, "DE", "", "standard", date(2006, 12, 31)) is None
