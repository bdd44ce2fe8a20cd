"""Lists as CSV, streamed. A text that a spreadsheet would run as a formula is escaped; numbers stay numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse

from pricing.money import places

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Echo:
    def write(self, text: str) -> str:
        return text


def safe(value: Any) -> str:
    """A cell: texts that begin like a formula get an apostrophe, None is empty.

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


def csv_response(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download `name`.csv; rows are read as they are sent."""
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield "\ufeff" + writer.writerow([safe(cell) for cell in head])
        for row in rows:
            yield writer.writerow([safe(cell) for cell in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
