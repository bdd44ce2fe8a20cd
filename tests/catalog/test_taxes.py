"""Tax rates: dated rows, the newest of them what the database of the EU says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import eu_vat_rates_data as tedb
import pytest

from catalog.models import TaxCategory, TaxRate
from catalog.services import taxes
from core.refusal import Refused
from pricing.taxes import EU_MEMBERS, RateRow, rate_on

from .given import AT, BY


def test_seeding_makes_the_categories(company):
    assert list(TaxCategory.objects.filter(company=company).values_list("code", flat=True)) == [
        "exempt",
        "reduced-electronic",
        "reduced-general",
        "reduced-goods",
        "standard-electronic",
        "standard-general",
        "standard-goods",
    ]


def test_seeding_twice_adds_nothing(company):
    before = TaxRate.objects.count(), TaxCategory.objects.count()
    taxes.seed(company=company, by=BY, at=AT)
    assert (TaxRate.objects.count(), TaxCategory.objects.count()) == before


@pytest.mark.parametrize(
    ("country", "on", "percent"),
    [
        ("DE", date(2020, 6, 30), "19"),
        ("DE", date(2020, 7, 1), "16"),
        ("DE", date(2020, 12, 31), "16"),
        ("DE", date(2021, 1, 1), "19"),
        ("FI", date(2024, 8, 31), "24"),
        ("FI", date(2024, 9, 1), "25.5"),
        ("SK", date(2025, 1, 1), "23"),
        ("EE", date(2025, 7, 1), "24"),
    ],
)
def test_a_rate_holds_from_its_day(company, country, on, percent):
    rows = [
        RateRow(row.country, row.region, row.level, row.valid_from, row.percent)
        for row in TaxRate.objects.filter(company=company)
    ]
    assert rate_on(rows, country, "", "standard", on).rate == Decimal(percent)


def test_the_last_standard_rate_is_the_one_of_the_eus_database():
    rates = taxes.rates_for("DE")
    for country in EU_MEMBERS:
        last = max((r for r in rates if (r.country, r.level) == (country, "standard")), key=lambda r: r.valid_from)
        assert last.percent == Decimal(str(tedb.get_standard_rate(country))), country


def test_the_last_reduced_rate_is_one_of_the_eus_database():
    rates = taxes.rates_for("DE")
    for country in EU_MEMBERS - {"DK"}:
        last = max((r for r in rates if (r.country, r.level) == (country, "reduced")), key=lambda r: r.valid_from)
        assert float(last.percent) in tedb.get_rate(country)["reduced"], country


def test_every_country_has_all_levels():
    rates = taxes.rates_for("US")
    assert {rate.country for rate in rates} == EU_MEMBERS | {"US"}
    levels = {(rate.country, rate.level) for rate in rates}
    assert len(levels) == 28 * 4


def test_the_united_states_tax_nothing():
    assert {r.percent for r in taxes.rates_for("US") if r.country == "US"} == {Decimal(0)}


def test_a_british_seller_has_british_rates_and_a_german_one_has_none():
    assert {r.percent for r in taxes.rates_for("GB") if r.country == "GB" and r.level == "standard"} == {Decimal(20)}
    assert not [r for r in taxes.rates_for("DE") if r.country == "GB"]


def set_rate(company, percent="20", valid_from=date(2027, 1, 1), **more):
    values = {"country": "DE", "level": "standard", "source": "BGBl", **more}
    return taxes.set_rate(company=company, percent=Decimal(percent), valid_from=valid_from, by=BY, at=AT, **values)


def test_a_new_rate_is_a_new_row(company):
    assert set_rate(company).percent == Decimal(20)
    assert set_rate(company).pk == TaxRate.objects.get(valid_from=date(2027, 1, 1)).pk


def test_a_rate_is_never_rewritten(company):
    set_rate(company)
    with pytest.raises(Refused, match=r"tax_rate\.exists"):
        set_rate(company, percent="21")


@pytest.mark.parametrize("percent", ["-1", "100.5", "NaN", "1.2345"])
def test_a_rate_is_a_percentage(company, percent):
    with pytest.raises(Refused):
        set_rate(company, percent=percent)
    assert not TaxRate.objects.filter(valid_from=date(2027, 1, 1)).exists()
