"""Amounts of money: whole minor units of one currency, and the only rounding there is.

The rule that matters: an amount is rounded once, half away from zero, and parts of a whole always add up to the whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Final

from pricing.errors import PricingError

# ISO 4217 (list one, as of 2026): the minor units of every active currency and fund code that has them. Codes
# without a minor unit (gold, XDR, XXX, XTS) can't be billed and are left out.
_BY_PLACES: Final[dict[int, str]] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
        "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
        "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK "
        "MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP "
        "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER "
        "ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_PLACES: Final[dict[str, int]] = {code: places for places, codes in _BY_PLACES.items() for code in codes.split()}

_AMOUNT: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)
# Longer than any numeric(20,10) or bigint of minor units; a longer text is refused before it is looked at.
_LONGEST_AMOUNT: Final = 40


class UnknownCurrency(PricingError):
    """The code names no active ISO 4217 currency with a minor unit."""

    def __init__(self, currency: object) -> None:
        super().__init__("currency_unknown", currency=currency)


class CurrencyMismatch(PricingError):
    """Two amounts of different currencies met."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__("currency_mismatch", left=left, right=right)


class BadAmount(PricingError):
    """The text or number is no exact amount; `code` says why."""


class BadSpread(PricingError):
    """A total can't be spread: there is something to share out and nobody to carry it."""


def places(code: str) -> int:
    """The decimal places of a currency, by ISO 4217; raises `UnknownCurrency`.

    >>> places("EUR"), places("JPY"), places("KWD")
    (2, 0, 3)
    """
    try:
        return _PLACES[code]
    except (KeyError, TypeError):
        raise UnknownCurrency(code) from None


def is_currency(code: str) -> bool:
    """Whether the code names a currency that can be billed. Codes are upper case.

    >>> is_currency("EUR"), is_currency("eur"), is_currency("XAU")
    (True, False, False)
    """
    return code in _PLACES


class Currency:
    """The same two questions under one name, for callers that hold currencies rather than amounts."""

    places = staticmethod(places)
    is_currency = staticmethod(is_currency)
    codes: Final[tuple[str, ...]] = tuple(sorted(_PLACES))


def parse_amount(text: str) -> Decimal:
    """Read an amount as people write it for machines: ASCII digits, one point, one leading minus, nothing else.

    Raises `BadAmount` with `amount_empty`, `amount_too_long`, `amount_space`, `amount_other_digits`,
    `amount_not_a_number`, `amount_exponent`, `amount_separator`, `amount_negative_zero` or `amount_form`.

    >>> parse_amount("1234.50")
    Decimal('1234.50')
    >>> parse_amount("1E5")
    Traceback (most recent call last):
    pricing.money.BadAmount: amount_exponent
    """
    if not isinstance(text, str):
        raise BadAmount("amount_form")
    if len(text) <= _LONGEST_AMOUNT and _AMOUNT.fullmatch(text) is not None:
        value = Decimal(text)
        if text[0] == "-" and not value:
            raise BadAmount("amount_negative_zero")
        return value
    raise BadAmount(_why_no_amount(text))


def _why_no_amount(text: str) -> str:
    if not text:
        return "amount_empty"
    if len(text) > _LONGEST_AMOUNT:
        return "amount_too_long"
    if any(character.isspace() for character in text):
        return "amount_space"
    if not text.isascii():
        return "amount_other_digits"
    if text.lstrip("+-").lower() in ("nan", "snan", "inf", "infinity"):
        return "amount_not_a_number"
    if re.fullmatch(r"[+-]?[0-9.]+[eE][+-]?[0-9]+", text):
        return "amount_exponent"
    if re.fullmatch(r"[+-]?[0-9][0-9.,'_]*", text) and (text.count(".") > 1 or re.search(r"[,'_]", text)):
        return "amount_separator"
    return "amount_form"


def _ratio(value: Fraction | Decimal | int) -> tuple[int, int]:
    """Numerator and positive denominator. A float has them too, and is refused: it is no exact amount."""
    if isinstance(value, float):
        raise BadAmount("amount_inexact")
    try:
        return value.as_integer_ratio()
    except (ValueError, OverflowError):
        raise BadAmount("amount_not_a_number") from None


def round_half_up(value: Fraction | Decimal | int, places: int = 0) -> int:
    """The value in units of 10^-places, rounded half away from zero.

    >>> round_half_up(Fraction(5, 2)), round_half_up(Fraction(-5, 2)), round_half_up(Fraction("1.005"), 2)
    (3, -3, 101)
    """
    numerator, denominator = _ratio(value)
    if places:
        numerator *= 10**places
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((2 * -numerator + denominator) // (2 * denominator))


def to_minor(value: Fraction | Decimal | int, currency: str) -> int:
    """An amount in whole units of the currency, rounded once to its minor units.

    >>> to_minor(Fraction(100, 3), "EUR"), to_minor(Decimal("0.5"), "JPY")
    (3333, 1)
    """
    return round_half_up(value, places(currency))


def spread(total: int, weights: Sequence[int | Fraction]) -> list[int]:
    """Share a whole number out in proportion to the weights, by largest remainder; ties go to the earlier one.

    The parts always add up to the total, each is within one of its exact share, and a weight of zero gets nothing.
    A negative total is the mirror image of the positive one. Raises `BadSpread` when a total other than zero meets
    weights that add up to nothing.

    >>> spread(100, [1, 1, 1])
    [34, 33, 33]
    >>> spread(-1000, [10000, 5000, 3000])
    [-555, -278, -167]
    """
    scale = lcm(*(weight.denominator for weight in weights))
    whole = [weight.numerator * (scale // weight.denominator) for weight in weights]
    sum_of_weights = sum(whole)
    if not total:
        return [0] * len(whole)
    if not sum_of_weights:
        raise BadSpread("spread_without_weight", total=total)
    sign = -1 if total < 0 else 1
    if sum_of_weights < 0:
        whole, sum_of_weights = [-weight for weight in whole], -sum_of_weights
    divided = [divmod(sign * total * weight, sum_of_weights) for weight in whole]
    parts = [part for part, _ in divided]
    rest = sign * total - sum(parts)
    if rest:
        # sorted() is stable, so equal remainders keep their order: the earlier one wins.
        for index in sorted(range(len(divided)), key=lambda index: -divided[index][1])[:rest]:
            parts[index] += 1
    return [sign * part for part in parts]


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` whole minor units of one currency.

    >>> Money.of("12.50", "EUR") + Money.of(3, "EUR")
    Money(minor=1550, currency='EUR')
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise BadAmount("amount_inexact")
        places(self.currency)

    @classmethod
    def of(cls, value: Decimal | str | int, currency: str) -> Money:
        """From an amount in whole units (`of(12, "EUR")` is twelve euro), exactly, or `BadAmount`.

        A text may not write more places than the currency has, not even zeros; a Decimal may, as long as they are
        zeros (a database column has a fixed scale). NaN, infinities and exponents are refused in every form.

        >>> Money.of(Decimal("12.5000000000"), "EUR").minor
        1250
        >>> Money.of("12.505", "EUR")
        Traceback (most recent call last):
        pricing.money.BadAmount: amount_too_many_places
        """
        scale = places(currency)
        if isinstance(value, str):
            value = parse_amount(value)
            if -int(value.as_tuple().exponent) > scale:
                raise BadAmount("amount_too_many_places", places=scale)
        elif isinstance(value, Decimal):
            if not value.is_finite():
                raise BadAmount("amount_not_a_number")
            if int(value.as_tuple().exponent) > 0:
                raise BadAmount("amount_exponent")
        elif type(value) is not int:
            raise BadAmount("amount_inexact")
        numerator, denominator = value.as_integer_ratio()
        minor, rest = divmod(numerator * 10**scale, denominator)
        if rest:
            raise BadAmount("amount_too_many_places", places=scale)
        return cls(minor, currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, of that currency."""
        return cls(0, currency)

    @property
    def amount(self) -> Decimal:
        """The amount in whole units, with exactly the currency's places.

        >>> Money(1550, "EUR").amount, Money(-7, "JPY").amount
        (Decimal('15.50'), Decimal('-7'))
        """
        digits = tuple(int(digit) for digit in str(abs(self.minor)))
        return Decimal((1 if self.minor < 0 else 0, digits, -places(self.currency)))

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(self.currency, other.currency)

    def __add__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        if not isinstance(other, Money):
            return NotImplemented
        self._same(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, times: int) -> Money:
        if type(times) is not int:
            return NotImplemented
        return Money(self.minor * times, self.currency)

    __rmul__ = __mul__

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __gt__(self, other: Money) -> bool:
        self._same(other)
        return self.minor > other.minor

    def __ge__(self, other: Money) -> bool:
        self._same(other)
        return self.minor >= other.minor
