"""What billing writes by COPY, beside the ways of `core.copying` (shown here under their names).

The rule that matters: whatever a person typed goes through `text` (or is JSON, through `json_text`); numbers, dates and
ids are written as they are. One COPY per table, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from core.copying import NULL, copy, json_text, optional, take_ids, text

__all__ = ["NULL", "array", "canonical", "copy", "json_text", "optional", "take_ids", "text"]


def canonical(value: object) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8.

    >>> canonical({"b": 1, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}'
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def array(values: Iterable[object]) -> str:
    """Plain values (numbers, dates, None) as the literal of a PostgreSQL array.

    >>> array([1, None])
    '{1,NULL}'
    """
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
