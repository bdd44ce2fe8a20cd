"""What tiers, packages, minimums and one-off charges say of themselves, with their figures."""

from __future__ import annotations

from typing import Any

import pytest

from billing.documents.explaining import explain

TAX = {"category": "S", "rate": "19", "reason": "domestic", "country": "DE"}


def said(calculation: dict[str, Any], amount: int, language: str = "en") -> list[str]:
    line = {"calculation": {"tax": TAX} | calculation, "amount": amount}
    return [text.replace("\xa0", " ") for text in explain(line, language, currency="EUR")[:-1]]


def test_tiers_are_told_one_by_one() -> None:
    steps = [
        {"step": "tier_units", "quantity": "10", "price": "2", "amount": "20", "above": "0", "up_to": "10"},
        {"step": "tier_fee", "quantity": "1", "price": "5", "amount": "5", "above": "0", "up_to": "10"},
        {"step": "tier_units", "quantity": "4", "price": "1.5", "amount": "6", "above": "10"},
    ]
    calculation = {
        "model": "graduated", "quantity": "14", "unit_amount": "0", "interval": "1 month", "days": 31, "full_days": 31,
        "share": "1", "details": {"tiers": []}, "steps": steps,
    }  # fmt: skip
    assert said(calculation, 3100) == [
        "The price per month is that of a quantity of 14.",
        "Tier above 0 up to 10: 10 × €2.00: €20.00.",
        "Fee of the tier above 0: €5.00.",
        "Tier above 10: 4 × €1.50: €6.00.",
    ]


def test_packages_name_what_is_free() -> None:
    calculation = {
        "model": "package", "quantity": "21", "unit_amount": "5", "interval": "1 month",
        "details": {"package_size": "10", "free_units": "1"},
        "steps": [{"step": "packages", "quantity": "2", "price": "5", "amount": "10"}],
    }  # fmt: skip
    assert said(calculation, 1000) == [
        "The price per month is that of a quantity of 21.", "Free: 1.", "2 packages of 10 × €5.00: €10.00.",
    ]  # fmt: skip


def test_a_share_of_a_tiered_price_is_told_after_it() -> None:
    calculation = {
        "model": "volume", "quantity": "2", "unit_amount": "0", "interval": "1 month", "days": 10, "full_days": 31,
        "share": "10/31", "full_start": "2026-01-01", "full_end": "2026-02-01", "details": {"tiers": []},
        "steps": [{"step": "tier_units", "quantity": "2", "price": "31", "amount": "62", "above": "0"}],
    }  # fmt: skip
    assert said(calculation, 2000)[-1] == (
        "10 of the 31 days of the period 1 Jan 2026 – 31 Jan 2026 are charged: €20.00."
    )


def test_a_minimum_says_what_was_billed_and_what_is_missing() -> None:
    calculation = {
        "minimum": "10000", "minimum_of": "all", "minimum_minor": 892857, "counted_minor": 89286, "interval": "1 month",
        "full_start": "2023-02-01", "full_end": "2023-03-01", "days": 25, "full_days": 28, "share": "25/28",
    }  # fmt: skip
    assert said(calculation, 803571) == [
        "The minimum for all positions is €10,000.00 per month.",
        "For 25 of the 28 days of the period 1 Feb 2023 – 28 Feb 2023 it is €8,928.57.",
        "Billed for these days: €892.86. Missing: €8,035.71.",
    ]


def test_a_single_charge_names_its_day() -> None:
    calculation = {"model": "per_unit", "quantity": "3", "unit_amount": "7", "service_on": "2026-01-25"}
    assert said(calculation, 2100) == ["Supplied on 25 Jan 2026.", "The price is 3 × 7.00 EUR."]


def test_added_units_of_a_tiered_price_are_a_difference() -> None:
    calculation = {
        "model": "volume", "quantity": "14", "quantity_before": "9", "unit_amount": "0", "details": {"tiers": []},
    }  # fmt: skip
    assert said(calculation, 100) == ["The price of 14 less that of 9."]


def test_added_units_at_an_unchanged_price_are_those_that_were_added() -> None:
    calculation = {
        "model": "per_unit", "quantity": "15", "quantity_before": "10", "unit_amount": "10", "interval": "1 month",
        "full_start": "2026-01-01", "full_end": "2026-02-01", "days": 21, "full_days": 31, "share": "21/31",
    }  # fmt: skip
    assert said(calculation, 3387) == [
        "The price is 5 × 10.00 EUR per month.",
        "21 of the 31 days of the period 1 Jan 2026 – 31 Jan 2026 are charged: €33.87.",
    ]


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
def test_no_language_leaves_a_placeholder(language: str) -> None:
    calculation = {
        "minimum": "100", "minimum_of": "price", "minimum_minor": 10000, "counted_minor": 500, "interval": "1 month",
        "full_start": "2023-02-01", "full_end": "2023-03-01", "days": 28, "full_days": 28, "share": "1",
    }  # fmt: skip
    assert all("%(" not in text for text in said(calculation, 9500, language))
