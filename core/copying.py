"""Rows as PostgreSQL's COPY text, encoded here, and written in one statement a table.

The rule that matters: rows are written as they stand, every default filled in before; whatever a person typed goes
through `text` (or is JSON, through `json_text`); the database checks them as it does all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from django.db import connection

NULL: Final = "\\N"
_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
)


def text(value: str) -> str:
    """A text as a COPY field, kept exactly.

    >>> text("a\\tb")
    'a\\\\tb'
    """
    return value if value.isalnum() else value.translate(_ESCAPES)


def json_text(value: str) -> str:
    """A JSON text as a COPY field: JSON escapes its own tabs and newlines, only backslashes are left."""
    return value.replace("\\", "\\\\") if "\\" in value else value


def as_json(value: object) -> str:
    """A value as a JSON field.

    >>> as_json(["a@example.com"])
    '["a@example.com"]'
    """
    return json_text(orjson.dumps(value).decode())


def optional(value: object) -> str:
    """A number, date or other plain value, or NULL."""
    return NULL if value is None else str(value)


def copy(table: str, columns: str, lines: Sequence[str]) -> None:
    """Writes the lines, each a row of tab-separated fields, in one COPY; nothing when there are none."""
    if not lines:
        return
    # What the database refuses would come as the driver's own error otherwise.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as sink,
    ):
        sink.write("\n".join(lines) + "\n")


def take_ids(wanted: dict[str, int]) -> dict[str, list[int]]:
    """Fresh ids by sequence name, all in one query."""
    asked = {sequence: count for sequence, count in wanted.items() if count}
    if not asked:
        return {sequence: [] for sequence in wanted}
    parts = ", ".join("ARRAY(SELECT nextval(%s) FROM generate_series(1, %s))" for _ in asked)
    params = [value for pair in asked.items() for value in pair]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {parts}", params)
        row = cursor.fetchone()
    return {**{sequence: [] for sequence in wanted}, **dict(zip(asked, row, strict=True))}
