"""Countries by ISO 3166-1 code, and the time zones and languages a row may name."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale

from core.models.company import LANGUAGE_CHOICES

# Codes of the list that name no country: unions, outlying and invented territories.
_NO_COUNTRY = frozenset(["EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"])
LANGUAGES = tuple(code for code, _ in LANGUAGE_CHOICES)


@lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """Every country code that an address may name."""
    names = [str(code) for code in Locale("en").territories]
    return frozenset(code for code in names if len(code) == 2 and code.isalpha()) - _NO_COUNTRY


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_country(code: str) -> bool:
    """Whether the text is a country's code.

    >>> is_country("DE"), is_country("de"), is_country("EU")
    (True, False, False)
    """
    return code in codes()


def is_time_zone(name: str) -> bool:
    """Whether the text is an IANA time zone.

    >>> is_time_zone("Europe/Berlin"), is_time_zone("Berlin")
    (True, False)
    """
    return name in _zones()
