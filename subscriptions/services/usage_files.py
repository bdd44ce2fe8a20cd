"""Usage as a CSV file: one event a line, its columns named as the members of an event.

The rule that matters: a file is only another way to send events; a line that is wrong is named and stops no other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from core.refusal import Refused
from subscriptions.services.usage_rows import FIELDS, Bad

REQUIRED: Final = ("meter", "event_id", "subscription", "at")
#: Events of a file that are counted in one transaction.
BATCH: Final = 50_000
#: The first line names the columns; an event stands on the line after its place.
FIRST_LINE: Final = 2


def read(content: bytes) -> list[dict[str, Any]]:
    """The events of a CSV file in UTF-8, separated by commas, semicolons or tabs. Refuses `usage.file_*`.

    Columns that no event has are left out.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("usage.file_form", field="file", detail=str(error)[:200]) from None
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise Refused("usage.file_columns", field="file", columns=", ".join(missing))
        places = [(names.index(name), name) for name in FIELDS if name in names]
        events: list[dict[str, Any]] = []
        for cells in rows:
            if cells:
                events.append({name: cells[place].strip() for place, name in places if place < len(cells)})
        return events
    except csv.Error as error:
        raise Refused("usage.file_form", field="file", detail=str(error)[:200]) from None


def batches(events: Sequence[dict[str, Any]]) -> list[Sequence[dict[str, Any]]]:
    """The events cut into parts that are counted one after the other."""
    return [events[first : first + BATCH] for first in range(0, len(events), BATCH)]


def message_of(bad: Bad) -> str:
    """Why a line does not count, in the active language, with its column."""
    words = Refused(bad.code).message
    return f"{bad.field}: {words}" if bad.field else words
