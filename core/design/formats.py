"""Amounts, numbers and dates as a person in one language reads them (CLDR through Babel).

Amounts arrive as whole minor units with their currency; nothing is ever rounded here.
"""

from __future__ import annotations

import datetime as dt
import re
from copy import copy
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import NumberPattern, format_compact_currency, format_decimal, format_percent
from django.utils import timezone
from django.utils.translation import get_language

from pricing.money import places as places_of

# Five languages serve all of Europe, so plain "en" is the English of Europe: 1 Nov 2026, not Nov 1, 2026.
REGIONS = {"en": "en_GB"}
_LETTERS_BEFORE_FIGURE = re.compile(r"(?<=[A-Za-z])(?=\d)")


@lru_cache(maxsize=64)
def locale_of(language: str | None) -> Locale:
    """The CLDR locale of a language tag such as `de`, `de-AT` or `en-us`; English where it is unknown."""
    tag = (language or "en").replace("-", "_")
    try:
        return Locale.parse(REGIONS.get(tag.lower(), tag))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_GB")


def current_locale() -> Locale:
    """The locale of the language the page is being written in."""
    return locale_of(get_language())


@lru_cache(maxsize=64)
def _pattern(locale: Locale, places: int) -> NumberPattern:
    pattern: NumberPattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (places, places)
    return pattern


def _with_places(value: Decimal, currency: str, locale: Locale, places: int) -> str:
    text = _pattern(locale, places).apply(value, locale, currency=currency, currency_digits=False)
    # CLDR's currency spacing, which Babel leaves out: "CHF 5.00", but "€5.00".
    return _LETTERS_BEFORE_FIGURE.sub("\xa0", text)


def money(minor: int, currency: str, *, language: str | None = None, signed: bool = False) -> str:
    """`minor` whole minor units of `currency` as text: 123456 EUR is "1.234,56 €" in German.

    `signed` puts a plus before what is above zero, for movements and differences.
    """
    locale = locale_of(language) if language else current_locale()
    places = places_of(currency)
    value = Decimal(minor).scaleb(-places)
    text = _with_places(value, currency, locale, places)
    return f"+{text}" if signed and minor > 0 else text


def money_short(minor: int, currency: str, *, language: str | None = None) -> str:
    """An amount for an axis, shortened to at most two decimals: "€60K", "1,25 Mio. €". Never for a sum owed."""
    locale = locale_of(language) if language else current_locale()
    value = Decimal(minor).scaleb(-places_of(currency))
    if abs(value) >= 1000:
        text = format_compact_currency(value, currency, locale=locale, fraction_digits=2)
        # Some languages have no short word for thousands; CLDR then leaves out even the grouping.
        return text if str(abs(int(value))) not in text else _with_places(value, currency, locale, 0)
    decimals = 0 if value == value.to_integral_value() else places_of(currency)
    return _with_places(value, currency, locale, decimals)


def number(value: int | Decimal, *, language: str | None = None) -> str:
    """A count or quantity with the locale's grouping: 12345 is "12.345" in German."""
    return format_decimal(value, locale=locale_of(language) if language else current_locale())


def percent(ratio: Decimal | float, *, places: int = 1, language: str | None = None) -> str:
    """A ratio as per cent, 0.0123 as "1.2%", always with `places` decimals."""
    locale = locale_of(language) if language else current_locale()
    pattern = locale.percent_formats[None].pattern
    return format_percent(
        ratio, format=pattern.replace("0", "0." + "0" * places, 1) if places else pattern, locale=locale
    )


def day(value: dt.date, *, style: str = "medium", language: str | None = None) -> str:
    """A calendar day: "1 Nov 2026", "01.11.2026". `style` is one of short, medium, long, full."""
    return format_date(value, format=style, locale=locale_of(language) if language else current_locale())


def month(value: dt.date, *, style: str = "short", language: str | None = None) -> str:
    """A month with its year: "Nov 2026", in a sentence `style` long: "November 2026"."""
    skeleton = "yMMMM" if style == "long" else "yMMM"
    return format_skeleton(skeleton, value, locale=locale_of(language) if language else current_locale())


def local(value: dt.datetime) -> dt.datetime:
    """An aware moment in the active time zone."""
    return value.astimezone(timezone.get_current_timezone())


def instant(value: dt.datetime, *, style: str = "medium", language: str | None = None) -> str:
    """A moment in the active time zone, to the minute: "1 Nov 2026, 14:05"."""
    locale = locale_of(language) if language else current_locale()
    here = local(value)
    pattern = locale.datetime_formats[style].replace("{1}", day(here.date(), style=style, language=language))
    clock = format_datetime(here, "HH:mm", locale=locale, tzinfo=here.tzinfo)
    return str(pattern).replace("{0}", clock).replace("'", "")
