"""The tax of a line: the company's dated table and the customer's standing, decided by `pricing.taxes`.

The rule that matters: no rate stands in code; the company's `rate_change` says which day of a line decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from billing.services.loading import CustomerRow, RateFact
from catalog.services.territories import place_of, territories
from core import clock
from core.models import Company
from pricing.taxes import EU_MEMBERS, VAT_ANSWER_DAYS, RateRow, TaxGroup, tax_treatment
from subscriptions.services.schedule import ONE_DAY

_ZERO: Final = Decimal(0)
#: Countries where the postal code tells a special territory.
_READ: Final = frozenset(territory.country for territory in territories())


class LineTax(NamedTuple):
    """A line's tax group, the reason code of `pricing.taxes`, the place it is due in; words of an exemption.

    `waits`: the VAT id is still to be checked, so the document waits. `parts`: where a change of rate cuts the line,
    its days [start, end) with the tax of each part.
    """

    group: TaxGroup
    reason: str
    country: str = ""
    note: str = ""
    region: str = ""
    waits: bool = False
    parts: tuple[tuple[date, date, LineTax], ...] = ()

    def facts(self) -> dict[str, Any]:
        """What a line's calculation keeps of it."""
        facts = {
            "category": self.group.category,
            "rate": _plain(self.group.rate),
            "reason": self.reason,
            "country": self.country,
        }
        if self.region:
            facts["region"] = self.region
        return facts


@lru_cache(maxsize=1024)
def _plain(rate: Decimal) -> str:
    shown = format(rate, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


class Taxing:
    """The decisions for one batch of documents; each different question is answered once."""

    def __init__(self, company: Company, rates: Sequence[RateFact], *, today: date | None = None) -> None:
        self.company = company
        self._today = today
        self._by_country: dict[str, list[RateRow]] = {}
        for rate in rates:
            row = RateRow(
                rate.country, rate.region, rate.level, rate.valid_from, rate.percent,
                rate.tax_category or None,  # type: ignore[arg-type]
            )  # fmt: skip
            self._by_country.setdefault(rate.country, []).append(row)
        self._answers: dict[tuple[object, ...], LineTax] = {}

    def of(self, customer: CustomerRow, supply: str, level: str, on: date) -> LineTax:
        """The tax of a supply to the customer on that day. Raises `BadTax` when no rate is known."""
        question = (
            customer.country, customer.region, customer.postal_code if customer.country in _READ else "",
            customer.kind, customer.vat_state, customer.vat_answered_at, customer.vat_answer,
            customer.tax_exemption, supply, level, on,
        )  # fmt: skip
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answers[question] = self._decide(customer, supply, level, on)
        return answer

    def over(self, customer: CustomerRow, supply: str, level: str, start: date, end: date, due_on: date) -> LineTax:
        """The tax of a supply over the days [start, end), as the company treats a change of rate within them.

        By the rate of its last day, by that of the day it falls due, or cut into `parts` of one rate each.
        """
        change = self.company.rate_change
        if change == Company.RateChange.TAX_POINT:
            return self.of(customer, supply, level, due_on)
        tax = self.of(customer, supply, level, end - ONE_DAY)
        if change != Company.RateChange.SPLIT:
            return tax
        parts: list[tuple[date, date, LineTax]] = []
        for first, after in self._between_changes(customer, level, start, end):
            part = self.of(customer, supply, level, first)
            if parts and parts[-1][2] == part:
                parts[-1] = (parts[-1][0], after, part)
            else:
                parts.append((first, after, part))
        return tax if len(parts) < 2 else parts[0][2]._replace(parts=tuple(parts))

    def _between_changes(self, customer: CustomerRow, level: str, start: date, end: date) -> list[tuple[date, date]]:
        """The days cut wherever a rate of the seller's or the customer's country begins."""
        country, _region = place_of(customer.country, customer.region, customer.postal_code)
        days = {
            row.valid_from
            for place in {self.company.country, country}
            for row in self._by_country.get(place, ())
            if row.category == level and start < row.valid_from < end
        }
        cuts = [start, *sorted(days), end]
        return list(zip(cuts, cuts[1:], strict=False))

    def _decide(self, customer: CustomerRow, supply: str, level: str, on: date) -> LineTax:
        seller = self.company.country
        country, region = place_of(customer.country, customer.region, customer.postal_code)
        rates = list(self._by_country.get(seller, ()))
        if country and country != seller:
            rates += self._by_country.get(country, ())
        if level in ("exempt", "zero"):
            # A product that is never taxed has no dated rate: it is exempt, or zero, wherever its place is.
            category = "E" if level == "exempt" else "Z"
            for place in {seller, country or seller}:
                rates.append(RateRow(place, "", level, date.min, _ZERO, category))  # type: ignore[arg-type]
        found = tax_treatment(
            on=on,
            seller_country=seller,
            customer_country=country,
            customer_region=region,
            is_business=customer.kind == "company",
            supply_kind=supply,  # type: ignore[arg-type]
            product_category=level,
            rates=rates,
            vat_id_state=self._vat_state(customer),  # type: ignore[arg-type]
            exemption="E" if customer.tax_exemption else None,
            small_business=self.company.is_small_business,
            taxed_at_origin=self.company.charges_origin_vat and seller in EU_MEMBERS,
        )
        note = customer.tax_exemption if found.reason == "exempt" else ""
        return LineTax(found.group, found.reason, found.country, note, found.region, found.waits)

    def _vat_state(self, customer: CustomerRow) -> str:
        """The state to go by: while a check is pending, the last certain answer counts if it is young enough.

        Its age is that of today, not of the day the line is taxed on.
        """
        if customer.vat_state != "pending" or customer.vat_answered_at is None:
            return customer.vat_state
        today = self._today or clock.today(self.company)
        answered_on = clock.day_in(customer.vat_answered_at, self.company.time_zone)
        return customer.vat_answer if (today - answered_on).days < VAT_ANSWER_DAYS else "pending"
