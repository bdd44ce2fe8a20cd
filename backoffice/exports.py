"""Lists as files: CSV for programs, XLSX for people; both are sent row by row, so no list is too long.

The rule that matters: the head of a CSV is stable names, the head of an XLSX is words in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse

from backoffice.export_words import WORDS
from core import clock
from core.spreadsheets import Sheet, amount, csv_lines
from core.workbooks import XLSX, chunks

__all__ = ["amount", "csv_response", "is_asked", "response", "xlsx_response"]


def is_asked(request: HttpRequest) -> bool:
    """Whether a list is asked for as a file."""
    return request.GET.get("format") in ("csv", "xlsx")


def response(
    request: HttpRequest, name: str, title: str, head: Sequence[str], rows: Iterable[Sequence[Any]],
    labels: Mapping[str, str] | None = None,
) -> StreamingHttpResponse:  # fmt: skip
    """The list as the file that is asked for. `name`: of the file; `title`: of the sheet; `labels`: words of its own
    for names of its head."""
    if request.GET.get("format") != "xlsx":
        return csv_response(name, head, rows)
    zone = clock.zone(request.company.time_zone)  # type: ignore[attr-defined]
    known = {**WORDS, **(labels or {})}
    words = [str(known.get(word, word)) for word in head]
    return xlsx_response(name, [Sheet(title, words, _here(rows, zone))])


def _here(rows: Iterable[Sequence[Any]], zone: Any) -> Iterator[list[Any]]:
    """Instants as the company's clocks show them."""
    for row in rows:
        yield [value.astimezone(zone) if isinstance(value, datetime) and value.tzinfo else value for value in row]


def csv_response(name: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download `name`.csv; rows are read as they are sent."""
    answer = StreamingHttpResponse(csv_lines(head, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer


def xlsx_response(name: str, sheets: Iterable[Sheet]) -> StreamingHttpResponse:
    """A download `name`.xlsx, a sheet for each table; rows are read as they are sent."""
    answer = StreamingHttpResponse(chunks(sheets), content_type=XLSX)
    answer["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    return answer
