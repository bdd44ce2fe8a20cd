"""Reading bodies strictly: JSON objects without NaN, twice-named members, deep nesting or texts we can't keep."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, NoReturn

from rest_framework.parsers import BaseParser

from api.problems import Fault, Problem, pointer, words

DEFAULT_LIMIT = 1024 * 1024
DEEPEST = 20
LONGEST_NUMBER = 40


def _named_twice(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        seen: set[str] = set()
        for name, _value in members:
            if name in seen:
                raise Problem(400, "duplicate_name", name=json.dumps(name[:80]))
            seen.add(name)
    return found


def _no_constant(text: str) -> NoReturn:
    raise Problem(400, "malformed_json", reason=f"{text} is no number.")


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise Problem(400, "number_too_long")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise Problem(400, "number_too_long")
    return Decimal(text)


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return "\x00" not in text


def _check_texts(value: Any, steps: tuple[object, ...] = ()) -> None:
    """Refuses texts that PostgreSQL can't hold, and nesting deeper than anything here needs."""
    if len(steps) > DEEPEST:
        raise Problem(400, "body_too_deep", limit=DEEPEST)
    if isinstance(value, str):
        if not _storable(value):
            fault = Fault(pointer(*steps), "text_not_storable", words("text_not_storable"))
            raise Problem(422, "invalid_input", faults=[fault])
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_texts(name, steps)
            _check_texts(inner, (*steps, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_texts(inner, (*steps, index))


def read(raw: bytes) -> dict[str, Any]:
    """The object in a body; an empty body is an empty object. Raises `Problem`."""
    if not raw.strip():
        return {}
    try:
        found = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_named_twice,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_decimal,
        )
    except UnicodeDecodeError:
        raise Problem(400, "malformed_json", reason="It is not UTF-8.") from None
    except RecursionError:
        raise Problem(400, "body_too_deep", limit=DEEPEST) from None
    except ValueError as error:
        raise Problem(400, "malformed_json", reason=f"{error}.") from None
    if not isinstance(found, dict):
        raise Problem(400, "body_not_an_object")
    _check_texts(found)
    return found


class StrictJSONParser(BaseParser):
    """JSON and nothing else. A view may set `body_limit`, in bytes."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        limit: int = getattr((parser_context or {}).get("view"), "body_limit", DEFAULT_LIMIT)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise Problem(413, "body_too_large", limit=limit)
        return read(raw)
