"""The dated table of late-payment interest: what ships with the product, and what a person adds.

The rule that matters: a rate holds for its half-year only; one nobody entered is not guessed, its days bear none.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.models import InterestRate
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from pricing.interest import Rate, half_year_end

#: Country: where the base rate is published, points for a business.
SOURCES: Final = {
    "DE": ("Deutsche Bundesbank, Basiszinssatz nach § 247 BGB; § 288 BGB", "9"),
    "AT": ("OeNB, Basiszinssatz; § 456 UGB, § 1000 ABGB", "9.2"),
    "FR": ("BCE, taux de refinancement; Code de commerce, art. L441-10", "10"),
    "IT": ("BCE, tasso di rifinanziamento; D.Lgs. 231/2002, art. 1284 c.c.", "8"),
    "ES": ("BCE, tipo de refinanciación; Ley 3/2004, interés legal del dinero", "8"),
}
#: Half-years from the first of 2022 on.
STARTS: Final = tuple(date(year, month, 1) for year in range(2022, 2027) for month in (1, 7))[:9]
ECB: Final = "0 0 2.5 4 4.5 4.25 3.15 2.15 2.15"
#: Country: base rate of each half-year.
BASE: Final = {
    "DE": "-0.88 -0.88 1.62 3.12 3.62 3.37 2.27 1.27 1.27",
    "AT": "-0.62 -0.62 1.88 3.38 3.88 3.88 2.53 1.53 1.53",
    "FR": ECB,
    "IT": ECB,
    "ES": ECB,
}
#: Country: what a consumer owes in each half-year, whole; Germany adds five points to the base instead. No French rate
#: is shipped: a consumer there owes nothing until somebody enters it.
CONSUMER: Final = {
    "AT": "4 4 4 4 4 4 4 4 4",
    "IT": "1.25 1.25 5 5 2.5 2.5 2 2 1.6",
    "ES": "3 3 3.25 3.25 3.25 3.25 3.25 3.25 3.25",
}


def shipped() -> list[InterestRate]:
    """The rows the product brings, none of them compared with its source by a person yet."""
    rows: list[InterestRate] = []
    for country, (source, points) in SOURCES.items():
        bases = [Decimal(text) for text in BASE[country].split()]
        whole = [Decimal(text) for text in CONSUMER[country].split()] if country in CONSUMER else None
        for position, (from_on, base) in enumerate(zip(STARTS, bases, strict=True)):
            over = Decimal(5) if country == "DE" else (whole[position] if whole is not None else Decimal(0)) - base
            rows.append(
                InterestRate(
                    country=country, from_on=from_on, base_percent=base, business_points=Decimal(points),
                    consumer_points=over, flat_fee_minor=4000, source=source,
                )
            )  # fmt: skip
    return rows


def seed() -> None:
    """Adds the shipped rows that are missing; what is there stays as it is."""
    InterestRate.objects.bulk_create(shipped(), ignore_conflicts=True)


def rates_of(country: str) -> list[InterestRate]:
    """The country's rows, oldest first; none for a country nobody entered."""
    rows = list(InterestRate.objects.filter(country=country).order_by("from_on"))
    if not rows and country in SOURCES:
        seed()
        rows = list(InterestRate.objects.filter(country=country).order_by("from_on"))
    return rows


def rate_on(country: str, on: date) -> InterestRate | None:
    """The row in force that day; the lump sum stands in the last row, however old."""
    return next((row for row in reversed(rates_of(country)) if row.from_on <= on), None)


def yearly(country: str, *, is_business: bool) -> list[Rate]:
    """What a debtor owes a year, in percent, each until its half-year is over."""
    return [
        Rate(
            row.from_on,
            max(Decimal(0), row.base_percent + (row.business_points if is_business else row.consumer_points)),
            half_year_end(row.from_on),
        )
        for row in rates_of(country)
    ]


def save(
    *,
    company: Company,
    country: str,
    from_on: date,
    base_percent: Decimal,
    business_points: Decimal,
    consumer_points: Decimal,
    flat_fee_minor: int = 4000,
    source: str,
    is_checked: bool = True,
    by: Actor,
    at: datetime,
) -> InterestRate:
    """Enters the rate of a half-year, or corrects it; claims already made stay. Refuses a day that begins none."""
    if (from_on.month, from_on.day) not in ((1, 1), (7, 1)):
        raise Refused("interest.half_year", field="from_on", day=from_on)
    with transaction.atomic():
        row, _ = InterestRate.objects.update_or_create(
            country=country,
            from_on=from_on,
            defaults={
                "base_percent": base_percent, "business_points": business_points, "consumer_points": consumer_points,
                "flat_fee_minor": flat_fee_minor, "source": checked(source, field="source", limit=200, required=True),
                "is_checked": is_checked,
            },
        )  # fmt: skip
        facts = {"country": country, "from_on": from_on.isoformat(), "base_percent": str(base_percent)}
        trail.audit(company_id=company.pk, at=at, by=by, verb="interest_rate.save", subject_kind="interest_rate",
                    subject_id=row.pk, facts=facts)  # fmt: skip
    return row
