"""Tax categories of products and the dated rates of countries. Rates are data: rows with their source.

A company is seeded with the member states' rates (a sale to a consumer may be taxed there) and its own country's.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import eu_vat_rates_data as tedb
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from catalog.models import TaxCategory, TaxRate
from core import checks
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from pricing.taxes import EU_MEMBERS

Level = TaxCategory.Level
Supply = TaxCategory.Supply
# Countries without a rate table of their own tax nothing here, since ever.
_SINCE_EVER = date(1970, 1, 1)
_TEDB_SOURCE = f"Taxes in Europe Database, {tedb.data_version}"


class Rate(NamedTuple):
    country: str
    level: str
    percent: Decimal
    valid_from: date
    source: str
    region: str = ""
    tax_category: str = ""
    is_checked: bool = False

    @property
    def key(self) -> tuple[str, str, str, date]:
        """What there can be only one row for."""
        return self.country, self.region, self.level, self.valid_from


def seed(*, company: Company, by: Actor, at: datetime) -> dict[str, TaxCategory]:
    """The usual categories, by code, and the rates of the member states and of the company's country.

    Codes: `standard-electronic`, `standard-general`, `standard-goods`, `reduced-electronic`, `reduced-general`,
    `reduced-goods`, `exempt`. What is there already stays as it is.
    """
    with transaction.atomic(), override(company.language):
        names = {
            "standard-electronic": (_("Electronic service, standard rate"), Supply.ELECTRONIC, Level.STANDARD),
            "standard-general": (_("Other service, standard rate"), Supply.GENERAL, Level.STANDARD),
            "standard-goods": (_("Goods, standard rate"), Supply.GOODS, Level.STANDARD),
            "reduced-electronic": (_("Electronic service, reduced rate"), Supply.ELECTRONIC, Level.REDUCED),
            "reduced-general": (_("Other service, reduced rate"), Supply.GENERAL, Level.REDUCED),
            "reduced-goods": (_("Goods, reduced rate"), Supply.GOODS, Level.REDUCED),
            "exempt": (_("Exempt from tax"), Supply.GENERAL, Level.EXEMPT),
        }
        TaxCategory.objects.bulk_create(
            [
                TaxCategory(company=company, code=code, name=name, supply=supply, level=level)
                for code, (name, supply, level) in names.items()
            ],
            ignore_conflicts=True,
        )
        rates = [*rates_for(company.country), *territory_rates(company.country)]
        _add(company, rates)
        trail.audit(
            company_id=company.pk,
            at=at,
            by=by,
            verb="tax.seed",
            subject_kind="company",
            subject_id=company.pk,
            facts={"rates": len(rates), "as_of": tedb.data_version},
        )
    return {row.code: row for row in TaxCategory.objects.filter(company=company)}


def by_ref(company: Company, ref: str) -> TaxRate | None:
    """The company's row with that `TaxRate.ref`."""
    parts = ref.split(".")
    try:
        country, region, level, day = parts
        valid_from = date.fromisoformat(day)
    except ValueError:
        return None
    return TaxRate.objects.filter(
        company=company, country=country[:9], region=region[:20], level=level[:20], valid_from=valid_from
    ).first()


def bring_up_to_date(*, company: Company, by: Actor, at: datetime) -> list[Rate]:
    """Adds the rates that ship with Turnus and are missing here; what there is stays as it is. What was added.

    A country whose newest rate a person entered keeps it: the database's word of today is not put after it.
    """
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        there = {
            (row.country, row.region, row.level, row.valid_from): row for row in TaxRate.objects.filter(company=company)
        }
        own_newest: dict[tuple[str, str, str], date] = {}
        for country, region, level, valid_from in (
            key for key, row in there.items() if row.origin == TaxRate.Origin.PERSON
        ):
            newest = own_newest.get((country, region, level), valid_from)
            own_newest[country, region, level] = max(newest, valid_from)
        listed = {(rate.country, rate.level): rate.valid_from for rate in _history() if not rate.region}
        missing = []
        for rate in [*rates_for(company.country), *territory_rates(company.country)]:
            if rate.key in there:
                continue
            own = own_newest.get((rate.country, rate.region, rate.level))
            if rate.source == _TEDB_SOURCE and own is not None and own >= listed.get((rate.country, rate.level), own):
                continue
            missing.append(rate)
        _add(company, missing)
        if missing:
            trail.audit(
                company_id=company.pk,
                at=at,
                by=by,
                verb="tax.update",
                subject_kind="company",
                subject_id=company.pk,
                facts={"rates": len(missing), "as_of": tedb.data_version},
            )
    return missing


def _add(company: Company, rates: Iterable[Rate]) -> None:
    TaxRate.objects.bulk_create(
        [
            TaxRate(
                company=company,
                country=rate.country,
                region=rate.region,
                level=rate.level,
                percent=rate.percent,
                valid_from=rate.valid_from,
                source=rate.source,
                tax_category=rate.tax_category,
                origin=TaxRate.Origin.SHIPPED,
                is_checked=rate.is_checked,
            )
            for rate in rates
        ],
        ignore_conflicts=True,
    )


def rates_for(seller_country: str) -> list[Rate]:
    """Every rate a seller in that country starts with: dated history, then what the database of the EU says now.

    Each country also has its zero rates for zero-rated and exempt supplies. A seller outside the EU whose country has
    no table here taxes nothing at home.
    """
    wanted = EU_MEMBERS | {seller_country}
    rates = [rate for rate in _history() if rate.country in wanted and not rate.region]
    latest = {(rate.country, rate.level): rate for rate in sorted(rates, key=lambda rate: rate.valid_from)}
    for country in sorted(wanted):
        now = tedb.get_rate(country)
        listed = latest.get((country, Level.STANDARD))
        if now is not None:
            percent = Decimal(str(now["standard"]))
            if listed is None or listed.percent != percent:
                since = date.fromisoformat(tedb.data_version) if listed else _SINCE_EVER
                rates.append(Rate(country, Level.STANDARD, percent, since, _TEDB_SOURCE))
        elif listed is None:
            rates.append(Rate(country, Level.STANDARD, Decimal(0), _SINCE_EVER, ""))
        if (country, Level.REDUCED) not in latest:
            standard = [rate for rate in rates if rate.country == country and rate.level == Level.STANDARD]
            rates += [rate._replace(level=Level.REDUCED) for rate in standard]
        rates += [Rate(country, level, Decimal(0), _SINCE_EVER, "") for level in (Level.ZERO, Level.EXEMPT)]
    return rates


def territory_rates(seller_country: str) -> list[Rate]:
    """The rates of special territories of the member states and of the seller's country."""
    wanted = EU_MEMBERS | {seller_country}
    return [rate for rate in _history() if rate.country in wanted and rate.region]


def set_rate(
    *,
    company: Company,
    country: str,
    region: str = "",
    level: str,
    percent: Decimal,
    valid_from: date,
    source: str,
    tax_category: str = "",
    by: Actor,
    at: datetime,
) -> TaxRate:
    """A rate from a day on. A row for that very day is never rewritten: the same one is quietly kept.

    `tax_category` says which kind of place a region is (`TaxRate.Place`); a country is none. Refuses
    `tax_rate.exists`, `tax_rate.outside`, `tax_rate.place`.
    """
    checks.country(country)
    checked(region, field="region", limit=10)
    checks.choice(level, Level.values, field="level")
    checks.choice(tax_category, TaxRate.Place.values, field="tax_category")
    percent = _percent(percent)
    if tax_category and not region:
        raise Refused("tax_rate.place", field="tax_category")
    if tax_category == TaxRate.Place.OUTSIDE and percent:
        raise Refused("tax_rate.outside", field="percent")
    checked(source, field="source", limit=200)
    with transaction.atomic():
        rate, made = TaxRate.objects.get_or_create(
            company=company,
            country=country,
            region=region,
            level=level,
            valid_from=valid_from,
            defaults={"percent": percent, "source": source, "tax_category": tax_category},
        )
        if not made:
            if rate.percent != percent:
                raise Refused("tax_rate.exists", field="valid_from", percent=f"{rate.percent.normalize():f}")
            return rate
        trail.audit(
            company_id=company.pk,
            at=at,
            by=by,
            verb="tax_rate.set",
            subject_kind="tax_rate",
            subject_id=rate.pk,
            facts={
                "country": country,
                "region": region,
                "level": level,
                "percent": f"{percent:f}",
                "valid_from": valid_from.isoformat(),
            },
        )
    return rate


def correct_rate(*, rate: TaxRate, percent: Decimal, source: str, reason: str, by: Actor, at: datetime) -> TaxRate:
    """Corrects the figure of a row that was wrong from the start. Issued documents keep theirs until corrected.

    The same figure and source again is a quiet no-op. A new rate of a country is a new row: `set_rate`.
    """
    percent = _percent(percent)
    checked(source, field="source", limit=200)
    checked(reason, field="reason", limit=500, required=True)
    with transaction.atomic():
        rate = TaxRate.objects.select_for_update().get(pk=rate.pk)
        if rate.percent == percent and rate.source == source:
            return rate
        if rate.tax_category == TaxRate.Place.OUTSIDE and percent:
            raise Refused("tax_rate.outside", field="percent")
        facts: dict[str, Any] = {
            "country": rate.country,
            "region": rate.region,
            "level": rate.level,
            "valid_from": rate.valid_from.isoformat(),
            "percent": [f"{rate.percent:f}", f"{percent:f}"],
        }
        rate.percent, rate.source = percent, source
        rate.origin, rate.is_checked = TaxRate.Origin.PERSON, True
        rate.save(update_fields=["percent", "source", "origin", "is_checked"])
        trail.audit(
            company_id=rate.company_id,
            at=at,
            by=by,
            verb="tax_rate.correct",
            subject_kind="tax_rate",
            subject_id=rate.pk,
            reason=reason,
            facts=facts,
        )
    return rate


def _percent(value: Decimal) -> Decimal:
    percent = checks.decimal(value, field="percent", most=101, places=3)
    if percent > 100:
        raise Refused("number.range", field="percent", value=percent, least=0, most=100)
    return percent


@cache
def _history() -> list[Rate]:
    """Every row of the table that ships with Turnus."""
    text = (files("catalog") / "data" / "vat_rates.csv").read_text(encoding="utf-8")
    return [
        Rate(
            row["country"],
            row["level"],
            Decimal(row["percent"]),
            date.fromisoformat(row["valid_from"]),
            row["source"],
            row["region"],
            row["tax_category"],
            row["checked"] == "yes",
        )
        for row in csv.DictReader(text.splitlines())
    ]
