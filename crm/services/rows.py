"""Many rows of one model in one COPY.

The rule that matters: rows are written as they stand, every default filled in before; the database checks them as it
does all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson
from django.db.models import Model

from billing.services.copying import NULL, copy, json_text, text


def write(rows: Sequence[Model]) -> None:
    """Writes unsaved rows of one model. Their keys are the database's, unless the first row brings its own."""
    if not rows:
        return
    first = rows[0]
    fields = [
        field for field in first._meta.concrete_fields
        if not getattr(field, "generated", False) and (not field.primary_key or first.pk is not None)
    ]  # fmt: skip
    names = [field.attname for field in fields]
    lines = ["\t".join([_encoded(getattr(row, name)) for name in names]) for row in rows]
    copy(first._meta.db_table, ", ".join(str(field.column) for field in fields), lines)


def _encoded(value: Any) -> str:
    match value:
        case None:
            return NULL
        case str():
            return text(value)
        case bool():
            return "t" if value else "f"
        case date():
            return value.isoformat()
        case dict() | list():
            return json_text(orjson.dumps(value).decode())
    return str(value)
