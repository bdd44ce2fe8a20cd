"""Special territories of the member states, known by region or found by postal code.

The rule that matters: a region a person wrote down counts; only where there is none is it read off the postal code.
"""

from __future__ import annotations

import csv
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

#: Countries that count as another one for VAT (Directive 2006/112/EC, Art. 7).
_AS: Final = {"MC": "FR", "IM": "GB"}


class Territory(NamedTuple):
    """A part of a country with tax rules of its own; `postal_codes` are beginnings of its postal codes."""

    country: str
    region: str
    name: str
    postal_codes: tuple[str, ...]


@cache
def territories() -> tuple[Territory, ...]:
    """All that ship with Turnus."""
    text = (files("catalog") / "data" / "territories.csv").read_text(encoding="utf-8")
    return tuple(
        Territory(row["country"], row["region"], row["name"], tuple(row["postal_codes"].split()))
        for row in csv.DictReader(text.splitlines())
    )


@cache
def _by_country() -> dict[str, list[Territory]]:
    found: dict[str, list[Territory]] = {}
    for territory in territories():
        found.setdefault(territory.country, []).append(territory)
    return found


@lru_cache(maxsize=65536)
def place_of(country: str, region: str, postal_code: str) -> tuple[str, str]:
    """Country and region that count for tax at an address.

    >>> place_of("ES", "", "35001"), place_of("ES", "", "28001"), place_of("ES", "ES-CN", "")
    (('ES', 'CN'), ('ES', ''), ('ES', 'CN'))
    >>> place_of("MC", "", "98000")
    ('FR', '')
    """
    country = _AS.get(country, country)
    if region:
        return country, region.removeprefix(f"{country}-")
    code = postal_code.removeprefix(f"{country}-").replace(" ", "")
    for territory in _by_country().get(country, ()):
        if code.startswith(territory.postal_codes):
            return country, territory.region
    return country, ""


def name_of(country: str, region: str) -> str:
    """The name of a territory; empty for any other region."""
    return next((one.name for one in _by_country().get(country, ()) if one.region == region), "")
