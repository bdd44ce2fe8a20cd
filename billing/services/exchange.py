"""Tax in the company's tax currency, where a document has another: at the ECB's reference rate of the tax point.

The rule that matters: the last rate on or before the day the charges fell due, stored with the document; without one
nothing is guessed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from billing.services.grouping import InvoiceDoc, Priced
from core.models import Company
from core.refusal import Refused
from pricing.money import places, round_half_up

#: By currency: days and units for one euro, oldest first.
Rates = Mapping[str, Sequence[tuple[date, Decimal]]]
EURO: Final = "EUR"
_TENTH: Final = Decimal("1e-10")


def wanted(company: Company, currencies: Iterable[str]) -> list[str]:
    """The currencies whose rates documents in these currencies need; none where all are the tax currency."""
    foreign = {currency for currency in currencies if currency != company.tax_currency}
    return sorted((foreign | {company.tax_currency}) - {EURO}) if foreign else []


def rate_on(company: Company, currency: str, on: date, rates: Rates) -> Decimal:
    """Units of `currency` for one unit of the tax currency on that day, to ten places.

    Refuses `tax.no_exchange_rate` where no rate on or before the day is stored.
    """
    ours, theirs = (_for_one_euro(name, on, rates) for name in (company.tax_currency, currency))
    return (theirs / ours).quantize(_TENTH)


def _for_one_euro(currency: str, on: date, rates: Rates) -> Decimal:
    if currency == EURO:
        return Decimal(1)
    days = rates.get(currency, ())
    position = bisect_right(days, on, key=lambda row: row[0])
    if not position:
        raise Refused("tax.no_exchange_rate", currency=currency, day=on.isoformat())
    return days[position - 1][1]


def in_tax_currency(tax_minor: int, currency: str, rate: Decimal, tax_currency: str) -> int:
    """A tax in minor units of the tax currency, rounded half up once.

    >>> in_tax_currency(1900, "USD", Decimal("1.0850"), "EUR")
    1751
    """
    whole = Decimal(tax_minor).scaleb(-places(currency)) / rate
    return round_half_up(whole.scaleb(places(tax_currency)))


def check(company: Company, priced: Iterable[Priced], rates: Rates) -> None:
    """Refuses, before anything is written, what no rate is known for."""
    for item in priced:
        if item.currency != company.tax_currency and item.line.tax.group.rate:
            rate_on(company, item.currency, item.due_on, rates)


def fix(company: Company, invoices: Iterable[InvoiceDoc], rates: Rates, *, on: date | None = None) -> None:
    """Fixes the tax of documents in another currency; those without tax need none.

    The tax point is the day the charges fell due, unless `on` names it.
    """
    for document in invoices:
        tax = document.totals.totals.tax
        if document.currency == company.tax_currency or not tax:
            continue
        day = on or document.charge_due_on
        rate = rate_on(company, document.currency, day, rates)
        document.tax_currency_on = day
        document.tax_currency, document.tax_currency_rate = company.tax_currency, rate
        document.tax_currency_minor = in_tax_currency(tax, document.currency, rate, company.tax_currency)
