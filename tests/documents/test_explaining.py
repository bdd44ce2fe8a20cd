"""A line explains itself, step by step, from its own calculation."""

from __future__ import annotations

import pytest

from billing.documents.explaining import every, explain

from .papers import a_line


def calculation(**changes):
    return {**a_line()["calculation"], **changes}


def test_a_full_period_is_price_version_and_tax() -> None:
    assert explain(a_line(), "en", currency="EUR") == [
        "The price is 1 × 10.00 EUR per month.",
        "The price is version 1.",
        "Tax: 19%, the rate of the seller's country.",
    ]


def test_a_stub_names_its_days_and_the_period_they_are_counted_in() -> None:
    line = a_line(amount=1500, calculation=calculation(quantity="3", days=15, share="15/30"))
    assert explain(line, "en", currency="EUR")[:2] == [
        "The price is 3 × 10.00 EUR per month.",
        "15 of the 30 days of the period 1 Nov 2026 – 30 Nov 2026 are charged: €15.00.",
    ]


def test_one_day_is_one() -> None:
    line = a_line(amount=33, calculation=calculation(days=1, share="1/30"))
    assert explain(line, "en", currency="EUR")[1] == (
        "1 of the 30 days of the period 1 Nov 2026 – 30 Nov 2026 is charged: €0.33."
    )


def test_an_unprorated_price_charges_a_started_period() -> None:
    line = a_line(calculation=calculation(days=15, share="1/1", prorated=False))
    assert "A started period is charged in full." in explain(line, "en", currency="EUR")


def test_a_flat_price_has_no_quantity() -> None:
    assert explain(a_line(calculation=calculation(model="flat")), "en", currency="EUR")[0] == (
        "The price is 10.00 EUR per month."
    )


def test_a_one_off_has_no_interval() -> None:
    assert explain(a_line(calculation=calculation(interval=None)), "en", currency="EUR")[0] == (
        "The price is 1 × 10.00 EUR."
    )


def test_a_line_without_calculation_explains_nothing() -> None:
    assert explain(a_line(calculation={}), "en", currency="EUR") == []


@pytest.mark.parametrize(
    ("tax", "words"),
    [
        (
            {"category": "AE", "rate": "0", "reason": "reverse_charge"},
            "Tax: none, the customer owes it (reverse charge).",
        ),
        (
            {"category": "S", "rate": "20", "reason": "standard", "rule": "destination"},
            "Tax: 20%, the rate of the customer's country.",
        ),
        ({"category": "E", "rate": "0", "reason": "small_business"}, "Tax: none, under the small-business scheme."),
        ({"category": "S", "rate": "5.5", "reason": "never heard of"}, "Tax: 5.5%."),
    ],
)
def test_the_tax_rule_is_named(tax: dict, words: str) -> None:
    assert explain(a_line(calculation={"tax": tax}), "en", currency="EUR") == [words]


def test_figures_are_the_readers() -> None:
    line = a_line(amount=1500, calculation={"unit_amount": "1234.5", "quantity": "1.5", "model": "per_unit"})
    assert "1,5 × 1.234,50 EUR" in explain(line, "de", currency="EUR")[0]


def test_a_snapshots_line_needs_its_documents_currency() -> None:
    with pytest.raises(ValueError, match="currency"):
        explain(a_line(), "en")


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ("1 month", "per month"), ("3 month", "every 3 months"), ("1 year", "per year"), ("2 weeks", "every 2 weeks"),
        ("1 day", "per day"), ("", ""),
    ],
)  # fmt: skip
def test_an_interval_in_words(interval: str, words: str) -> None:
    assert every(interval) == words
