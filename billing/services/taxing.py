"""The tax of a line: the company's dated table and the customer's standing, decided by `pricing.taxes`.

The rule that matters: no rate stands in code; the day that decides is the last day of the line's period.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from billing.services.loading import CustomerRow, RateFact
from core.models import Company
from pricing.taxes import EU_MEMBERS, RateRow, TaxGroup, tax_treatment

_ZERO: Final = Decimal(0)


class LineTax(NamedTuple):
    """A line's tax group, the reason code of `pricing.taxes`, the country it is due in; words of an exemption."""

    group: TaxGroup
    reason: str
    country: str = ""
    note: str = ""


class Taxing:
    """The decisions for one batch of documents; each different question is answered once."""

    def __init__(self, company: Company, rates: Sequence[RateFact]) -> None:
        self.company = company
        self._by_country: dict[str, list[RateRow]] = {}
        for rate in rates:
            row = RateRow(rate.country, rate.region, rate.level, rate.valid_from, rate.percent)
            self._by_country.setdefault(rate.country, []).append(row)
        self._answers: dict[tuple[object, ...], LineTax] = {}

    def of(self, customer: CustomerRow, supply: str, level: str, on: date) -> LineTax:
        """The tax of a supply to the customer on that day. Raises `BadTax` when no rate is known."""
        question = (
            customer.country, customer.region, customer.kind, customer.vat_state, customer.tax_exemption, supply, level,
            on,
        )  # fmt: skip
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answers[question] = self._decide(customer, supply, level, on)
        return answer

    def _decide(self, customer: CustomerRow, supply: str, level: str, on: date) -> LineTax:
        seller = self.company.country
        rates = list(self._by_country.get(seller, ()))
        if customer.country and customer.country != seller:
            rates += self._by_country.get(customer.country, ())
        if level in ("exempt", "zero"):
            # A product that is never taxed has no dated rate: it is exempt, or zero, wherever its place is.
            category = "E" if level == "exempt" else "Z"
            for country in {seller, customer.country or seller}:
                rates.append(RateRow(country, "", level, date.min, _ZERO, category))  # type: ignore[arg-type]
        found = tax_treatment(
            on=on,
            seller_country=seller,
            customer_country=customer.country,
            customer_region=customer.region,
            is_business=customer.kind == "company",
            supply_kind=supply,  # type: ignore[arg-type]
            product_category=level,
            rates=rates,
            vat_id_state=customer.vat_state,  # type: ignore[arg-type]
            exemption="E" if customer.tax_exemption else None,
            small_business=self.company.is_small_business,
            taxed_at_origin=self.company.charges_origin_vat and seller in EU_MEMBERS,
        )
        note = customer.tax_exemption if found.reason == "exempt" else ""
        return LineTax(found.group, found.reason, found.country, note)
