"""Decisions on tax, as data: `tests/cases/taxes.toml`, each on the table that ships with Turnus. No database."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from catalog.services.taxes import rates_for, territory_rates
from catalog.services.territories import place_of
from pricing.taxes import RateRow, tax_treatment

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parents[1] / "cases" / "taxes.toml").read_text())["case"]


def rows_of(seller: str) -> list[RateRow]:
    """The shipped table, with what `taxing` adds for products that are never taxed."""
    shipped = [*rates_for(seller), *territory_rates(seller)]
    rows = [
        RateRow(one.country, one.region, one.level, one.valid_from, one.percent, one.tax_category or None)
        for one in shipped
        if one.level != "exempt" or one.region
    ]
    return [*rows, RateRow(seller, "", "exempt", date.min, Decimal(0), "E")]


def test_there_are_enough_of_them():
    assert len(CASES) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_supply_is_taxed_as_the_law_says(case):
    customer, seller = case["customer"], case.get("seller", "DE")
    country, region = place_of(customer["country"], customer.get("region", ""), customer.get("postal_code", ""))
    found = tax_treatment(
        on=case.get("on", date(2026, 5, 15)),
        seller_country=seller,
        customer_country=country,
        customer_region=region,
        is_business=customer["kind"] == "company",
        supply_kind=case["supply"],
        product_category=case.get("level", "standard"),
        rates=rows_of(seller),
        vat_id_state=customer.get("vat", "none"),
        exemption="E" if "exemption" in customer else None,
        small_business=case.get("small_business", False),
        taxed_at_origin=case.get("below_threshold", False),
    )
    assert {
        "category": found.category, "rate": f"{found.rate.normalize():f}", "reason": found.reason, "waits": found.waits,
    } == {"waits": False, **case["expect"]}  # fmt: skip
