"""Amounts, quantities, days and addresses as a document in one language prints them.

Nothing is rounded here: an amount is printed with its currency's places, a unit price with all the places it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal

from core.design import formats
from pricing.money import places


@dataclass(frozen=True, slots=True)
class Figures:
    """Prints in `language` and `currency`.

    >>> german = Figures("de", "EUR")
    >>> german.plain(123456), german.unit_amount("0.0125"), german.rate("19.000")
    ('1.234,56', '0,0125', '19\\xa0%')
    >>> Figures("en", "JPY").plain(123456)
    '123,456'
    """

    language: str
    currency: str

    def money(self, minor: int) -> str:
        """With the currency's sign: "1.234,56 €"."""
        return formats.money(minor, self.currency, language=self.language)

    def plain(self, minor: int) -> str:
        """Without a sign, for columns whose heading names the currency."""
        return self._decimal(Decimal(minor).scaleb(-places(self.currency)), places(self.currency))

    def unit_amount(self, value: str) -> str:
        """A unit price: at least the currency's places, at most the ten it may have."""
        amount = Decimal(value).normalize()
        return self._decimal(amount, max(places(self.currency), -int(amount.as_tuple().exponent)))

    def price(self, value: str) -> str:
        """A unit price with the currency's sign; with its code where it has more places than the currency."""
        amount = Decimal(value).normalize()
        minor = amount.scaleb(places(self.currency))
        if minor == minor.to_integral_value():
            return self.money(int(minor))
        return f"{self.unit_amount(value)}\xa0{self.currency}"

    def quantity(self, value: str) -> str:
        amount = Decimal(value).normalize()
        return self._decimal(amount, max(0, -int(amount.as_tuple().exponent)))

    def rate(self, percent: str) -> str:
        """A tax rate, given in per cent."""
        value = Decimal(percent).normalize()
        return formats.percent(value.scaleb(-2), places=max(0, -int(value.as_tuple().exponent)), language=self.language)

    def day(self, value: str | date) -> str:
        on = date.fromisoformat(value) if isinstance(value, str) else value
        return formats.day(on, language=self.language)

    def period(self, start: str | date, end: str | date) -> str:
        """First to last day of a half-open period; one day alone where they are the same."""
        first = date.fromisoformat(start) if isinstance(start, str) else start
        last = (date.fromisoformat(end) if isinstance(end, str) else end) - timedelta(days=1)
        return self.day(first) if first == last else f"{self.day(first)} – {self.day(last)}"

    def country(self, code: str) -> str:
        """The country's name in this language, else its code."""
        return str(formats.locale_of(self.language).territories.get(code, code))

    def _decimal(self, value: Decimal, digits: int) -> str:
        locale = formats.locale_of(self.language)
        pattern = "#,##0." + "0" * digits if digits else "#,##0"
        # Babel groups by the pattern's width and takes the separators from the locale.
        return format_decimal(value, format=pattern, locale=locale, decimal_quantization=False)


def address_lines(party: Mapping[str, Any], *, home: str, figures: Figures) -> list[str]:
    """The lines under the name: recipient, street, town in the country's order; the country only when abroad."""
    lines = [party["recipient"]] if party.get("recipient") and party["recipient"] != party["name"] else []
    lines += [line for line in party.get("lines", ()) if line]
    lines += town_lines(party)
    if party["country"] != home:
        lines.append(figures.country(party["country"]).upper())
    return lines


def town_lines(party: Mapping[str, Any]) -> list[str]:
    """Postal code and town as the country writes them.

    >>> town_lines({"country": "DE", "postal_code": "10115", "city": "Berlin", "region": ""})
    ['10115 Berlin']
    >>> town_lines({"country": "US", "postal_code": "94105", "city": "San Francisco", "region": "US-CA"})
    ['San Francisco, CA 94105']
    >>> town_lines({"country": "GB", "postal_code": "SW1A 1AA", "city": "London", "region": ""})
    ['London', 'SW1A 1AA']
    """
    code, city, country = party.get("postal_code", ""), party.get("city", ""), party["country"]
    region = party.get("region", "").removeprefix(f"{country}-")
    if country in ("US", "CA", "AU"):
        rest = " ".join(part for part in (region, code) if part)
        return [", ".join(part for part in (city, rest) if part)] if city or rest else []
    if country in ("GB", "IE"):
        return [part for part in (city, code) if part]
    town = " ".join(part for part in (code, city) if part)
    if country == "IT" and region:
        town = f"{town} ({region})"
    return [town] if town else []
