"""Tax categories of products and the dated rates of countries. Rates are data: rows with their source.

A company is seeded with the member states' rates (a sale to a consumer may be taxed there) and its own country's.
"""

from __future__ import annotations

import csv
from datetime import date, datetime
from decimal import Decimal
from importlib.resources import files
from typing import NamedTuple

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
_HISTORY_SOURCE = "Rate history shipped with Turnus"
_TEDB_SOURCE = f"Taxes in Europe Database, {tedb.data_version}"


class Rate(NamedTuple):
    country: str
    level: str
    percent: Decimal
    valid_from: date
    source: str


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
        rates = rates_for(company.country)
        TaxRate.objects.bulk_create(
            [
                TaxRate(
                    company=company,
                    country=rate.country,
                    region="",
                    level=rate.level,
                    percent=rate.percent,
                    valid_from=rate.valid_from,
                    source=rate.source,
                )
                for rate in rates
            ],
            ignore_conflicts=True,
        )
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


def rates_for(seller_country: str) -> list[Rate]:
    """Every rate a seller in that country starts with: dated history, then what the database of the EU says now.

    Each country also has its zero rates for zero-rated and exempt supplies. A seller outside the EU whose country has
    no table here taxes nothing at home.
    """
    wanted = EU_MEMBERS | {seller_country}
    rates = [rate for rate in _history() if rate.country in wanted]
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


def set_rate(
    *,
    company: Company,
    country: str,
    region: str = "",
    level: str,
    percent: Decimal,
    valid_from: date,
    source: str,
    by: Actor,
    at: datetime,
) -> TaxRate:
    """A rate from a day on. A row for that very day is never rewritten: the same one is quietly kept."""
    checks.country(country)
    checked(region, field="region", limit=10)
    checks.choice(level, Level.values, field="level")
    percent = checks.decimal(percent, field="percent", most=101, places=3)
    if percent > 100:
        raise Refused("number.range", field="percent", value=percent, least=0, most=100)
    checked(source, field="source", limit=200)
    with transaction.atomic():
        rate, made = TaxRate.objects.get_or_create(
            company=company,
            country=country,
            region=region,
            level=level,
            valid_from=valid_from,
            defaults={"percent": percent, "source": source},
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


def _history() -> list[Rate]:
    text = (files("catalog") / "data" / "vat_rates.csv").read_text(encoding="utf-8")
    return [
        Rate(
            row["country"],
            row["level"],
            Decimal(row["percent"]),
            date.fromisoformat(row["valid_from"]),
            _HISTORY_SOURCE,
        )
        for row in csv.DictReader(text.splitlines())
    ]
