"""Tax rates: dated rows, the newest of them what the database of the EU says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import eu_vat_rates_data as tedb
import pytest

from catalog.models import TaxCategory, TaxRate
from catalog.services import taxes, territories
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


def region_rows(company, country, region, level="standard"):
    rows = TaxRate.objects.filter(company=company, country=country, region=region, level=level)
    return [(row.valid_from, row.percent, row.tax_category) for row in rows.order_by("valid_from")]


def test_special_territories_come_with_the_table(company):
    assert region_rows(company, "ES", "CN") == [(date(1970, 1, 1), Decimal(0), "O")]
    assert region_rows(company, "FI", "01") == [(date(1970, 1, 1), Decimal(0), "O")]
    assert region_rows(company, "PT", "20")[-1] == (date(2021, 7, 1), Decimal(16), "S")


def test_every_shipped_row_says_where_it_comes_from(company):
    rows = TaxRate.objects.filter(company=company).exclude(level__in=["zero", "exempt"])
    assert {row.origin for row in rows} == {"shipped"}
    assert not [row for row in rows if not row.source]


def test_the_german_rates_of_2020_are_checked_and_name_their_law(company):
    row = TaxRate.objects.get(company=company, country="DE", level="standard", valid_from=date(2020, 7, 1))
    assert (row.percent, row.is_checked) == (Decimal(16), True)
    assert "BGBl. I 2020 S. 1512" in row.source


def test_bringing_the_table_up_to_date_adds_what_is_missing_alone(company):
    before = set(TaxRate.objects.filter(company=company).values_list("country", "region", "level", "valid_from"))
    TaxRate.objects.filter(company=company, country="DE", valid_from=date(2020, 7, 1)).delete()
    added = taxes.bring_up_to_date(company=company, by=BY, at=AT)
    assert sorted((rate.level, rate.percent) for rate in added) == [("reduced", Decimal(5)), ("standard", Decimal(16))]
    assert before == set(
        TaxRate.objects.filter(company=company).values_list("country", "region", "level", "valid_from")
    )


def test_a_table_that_is_up_to_date_stays_as_it_is(company):
    assert taxes.bring_up_to_date(company=company, by=BY, at=AT) == []


def test_what_a_person_entered_survives_an_update(company):
    set_rate(company, percent="20")
    own = TaxRate.objects.get(company=company, country="DE", level="standard", valid_from=date(2021, 1, 1))
    taxes.correct_rate(rate=own, percent=Decimal("18.5"), source="own", reason="a typo", by=BY, at=AT)
    assert taxes.bring_up_to_date(company=company, by=BY, at=AT) == []
    own.refresh_from_db()
    assert (own.percent, own.source, own.origin) == (Decimal("18.5"), "own", "person")


def test_a_corrected_rate_needs_a_reason(company):
    row = TaxRate.objects.filter(company=company, country="DE").first()
    with pytest.raises(Refused, match=r"text\.required"):
        taxes.correct_rate(rate=row, percent=Decimal(3), source="", reason="", by=BY, at=AT)


def test_nothing_is_charged_outside_the_vat_area(company):
    with pytest.raises(Refused, match=r"tax_rate\.outside"):
        set_rate(company, country="ES", region="XX", tax_category="O", percent="7")
    with pytest.raises(Refused, match=r"tax_rate\.place"):
        set_rate(company, tax_category="O", percent="0")


@pytest.mark.parametrize(
    ("country", "region", "postal_code", "place"),
    [
        ("ES", "", "35500", ("ES", "CN")),
        ("ES", "", "38001", ("ES", "CN")),
        ("ES", "", "28001", ("ES", "")),
        ("ES", "ES-CN", "28001", ("ES", "CN")),
        ("FI", "", "22100", ("FI", "01")),
        ("DE", "", "27498", ("DE", "HELGOLAND")),
        ("DE", "BY", "80331", ("DE", "BY")),
        ("PT", "", "9000-001", ("PT", "30")),
        ("MC", "", "98000", ("FR", "")),
        ("", "", "35500", ("", "")),
    ],
)
def test_a_territory_is_known_by_region_or_postal_code(country, region, postal_code, place):
    assert territories.place_of(country, region, postal_code) == place
