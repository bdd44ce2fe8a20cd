"""Tables, and their lines as CSV. Text that a spreadsheet would run as a formula stays text, numbers stay numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pricing.money import places

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with its name; rows are read as they are written."""

    name: str
    head: Sequence[str]
    rows: Iterable[Sequence[Any]]


class _Echo:
    def write(self, text: str) -> str:
        return text


def safe(value: Any) -> str:
    """A cell of a CSV: texts that begin like a formula get an apostrophe, None is empty.

    >>> safe("=1+1"), safe(Decimal("-3.50")), safe(None)
    ("'=1+1", '-3.50', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool | int | Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    text = str(value).replace("\0", "")
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def amount(minor: int, currency: str) -> Decimal:
    """Minor units as an exact number in whole units.

    >>> amount(1234, "EUR")
    Decimal('12.34')
    """
    return Decimal(minor).scaleb(-places(currency))


def csv_lines(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The lines of a CSV in UTF-8 with its mark, one at a time."""
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow([safe(cell) for cell in head])
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])
