"""What a field may hold: choices, numbers, countries, currencies, zones, languages, lists of known fields.

Every check answers the value itself or refuses, naming the field at fault.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime
from decimal import Decimal

from core import countries
from core.refusal import Refused
from pricing import money

#: No amount is larger: sums of thousands of them still fit where amounts are kept.
MOST_MINOR = 10**15
#: Days a contract, a period or a payment can have: far from where the calendar ends.
EARLIEST, LATEST = date(1970, 1, 1), date(2199, 12, 31)


def known(names: Iterable[str], allowed: Collection[str]) -> None:
    """Refuses the first name that is none of the allowed ones (`field.unknown`)."""
    for name in names:
        if name not in allowed:
            raise Refused("field.unknown", field=name, name=name)


def choice(value: object, choices: Iterable[str], *, field: str) -> str:
    """One of the choices (`field.choice`)."""
    options = list(choices)
    if not isinstance(value, str) or value not in options:
        raise Refused("field.choice", field=field, value=str(value)[:60], choices=", ".join(options))
    return value


def whole(value: object, *, field: str, least: int = 0, most: int = 32767) -> int:
    """A whole number in the range (`number.form`, `number.range`)."""
    if type(value) is not int:
        raise Refused("number.form", field=field)
    if not least <= value <= most:
        raise Refused("number.range", field=field, value=value, least=least, most=most)
    return value


def decimal(value: object, *, field: str, most: int, places: int) -> Decimal:
    """A number from zero, below `most`, with at most so many places (`number.form`, `number.range`, `number.places`).

    >>> decimal(Decimal("1.50"), field="price", most=100, places=2)
    Decimal('1.50')
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise Refused("number.form", field=field)
    if value < 0 or value >= most or (not value and value.is_signed()):
        raise Refused("number.range", field=field, value=value, least=0, most=most)
    if -int(value.as_tuple().exponent) > places and value != round(value, places):
        raise Refused("number.places", field=field, value=value, places=places)
    return value


def minor(value: object, *, field: str, least: int = 0) -> int:
    """An amount in minor units, up to `MOST_MINOR` (`number.form`, `number.range`)."""
    return whole(value, field=field, least=least, most=MOST_MINOR)


def total(value: Decimal, currency: str, *, field: str) -> Decimal:
    """What a line comes to, in whole units of the currency: no more than `MOST_MINOR` (`number.range`)."""
    minor(money.to_minor(value, currency), field=field)
    return value


def day(value: object, *, field: str, least: date = EARLIEST, most: date = LATEST) -> date:
    """A day in the range (`day.form`, `day.range`); without one, days that no calendar trick can push over its edge."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Refused("day.form", field=field)
    if not least <= value <= most:
        raise Refused("day.range", field=field, value=value, least=least, most=most)
    return value


def currency(code: object, *, field: str = "currency") -> str:
    """An ISO 4217 code that can be billed (`currency.unknown`)."""
    if not isinstance(code, str) or not money.is_currency(code):
        raise Refused("currency.unknown", field=field, value=str(code)[:20])
    return code


def country(code: object, *, field: str = "country") -> str:
    """An ISO 3166 code (`country.unknown`)."""
    if not isinstance(code, str) or not countries.is_country(code):
        raise Refused("country.unknown", field=field, value=str(code)[:20])
    return code


def time_zone(name: object, *, field: str = "time_zone") -> str:
    """An IANA zone (`time_zone.unknown`)."""
    if not isinstance(name, str) or not countries.is_time_zone(name):
        raise Refused("time_zone.unknown", field=field, value=str(name)[:60])
    return name


def language(code: object, *, field: str = "language") -> str:
    """A language of the product (`language.unknown`)."""
    if not isinstance(code, str) or code not in countries.LANGUAGES:
        raise Refused("language.unknown", field=field, value=str(code)[:20], choices=", ".join(countries.LANGUAGES))
    return code
