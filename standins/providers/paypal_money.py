"""PayPal's amounts: decimal strings with the currency's digits outside, minor units inside.

Three currencies have no decimals at PayPal (HUF, JPY, TWD); all others have two. A wrong number of digits is refused.
"""

from __future__ import annotations

import re
from typing import Any

from standins.providers.paypal_errors import PayPalError, bad_request, unprocessable

WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})
CURRENCIES = WITHOUT_DECIMALS | frozenset(
    {"AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS"}
    | {"MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "USD"}
)
PERCENT_FEE = 299  # hundredths of a percent
FIXED_FEE = {"EUR": 39, "USD": 49, "GBP": 30, "CHF": 55, "JPY": 40, "HUF": 100, "TWD": 10}
_FORM = re.compile(r"(-?[0-9]+|-?[0-9]*\.[0-9]+)")


def digits(currency: str) -> int:
    """How many decimals PayPal writes in the currency."""
    return 0 if currency in WITHOUT_DECIMALS else 2


def money(currency: str, minor: int) -> dict[str, str]:
    """The wire's object for minor units: `money("EUR", 1050)` is 10.50, `money("JPY", 1000)` is 1000."""
    places = digits(currency)
    sign, size = ("-" if minor < 0 else ""), abs(minor)
    value = f"{size}" if not places else f"{size // 10**places}.{size % 10**places:0{places}d}"
    return {"currency_code": currency, "value": f"{sign}{value}"}


def read_amount(amount: Any, field: str) -> tuple[str, int]:
    """Currency and minor units of an amount that may be charged or refunded; refuses what PayPal refuses."""
    if not isinstance(amount, dict):
        raise bad_request("MISSING_REQUIRED_PARAMETER", field)
    currency, value = amount.get("currency_code"), amount.get("value")
    if currency is None or value is None:
        raise bad_request("MISSING_REQUIRED_PARAMETER", f"{field}/{'value' if currency else 'currency_code'}")
    if not isinstance(currency, str) or not isinstance(value, str) or not _FORM.fullmatch(value) or len(value) > 32:
        raise bad_request("INVALID_PARAMETER_SYNTAX", f"{field}/value", value)
    if currency not in CURRENCIES:
        raise unprocessable("INVALID_CURRENCY_CODE", f"{field}/currency_code", currency)
    whole, _, part = value.partition(".")
    places = digits(currency)
    if len(part) > places:
        raise _too_many_digits(currency, f"{field}/value", value)
    minor = int(whole or "0") * 10**places
    cents = int(part.ljust(places, "0")) if part else 0
    minor = minor - cents if whole.startswith("-") else minor + cents
    if minor <= 0:
        raise unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE", f"{field}/value", value)
    return currency, minor


def _too_many_digits(currency: str, field: str, value: str) -> PayPalError:
    issue = "DECIMALS_NOT_SUPPORTED" if currency in WITHOUT_DECIMALS else "DECIMAL_PRECISION"
    return unprocessable(issue, field, value)


def fee(currency: str, gross: int) -> int:
    """What PayPal keeps of a payment, in minor units: 2.99 % rounded half up, and a fixed part; never more than it."""
    return min(gross, (gross * PERCENT_FEE + 5000) // 10000 + FIXED_FEE.get(currency, 39))
