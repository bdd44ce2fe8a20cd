"""Events as they are sent, read strictly: a row either becomes an event in memory or names what is wrong with it.

The rule that matters: a bad row is reported and stops no other. Nothing is asked of the database here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from pricing.money import BadAmount, parse_amount

FIELDS: Final = ("meter", "event_id", "subscription", "at", "value", "key")
_INSTANT: Final = re.compile(
    r"(?:19|2[01])[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_LARGEST: Final = Decimal(10) ** 20
_LONGEST: Final = {"meter": 60, "event_id": 120, "subscription": 120, "key": 200}


class Bad(NamedTuple):
    """Why a row does not count: its place in the batch, the field at fault, the code of the reason."""

    place: int
    field: str
    code: str


class Row(NamedTuple):
    """An event whose form is right. `value` is None where none was sent."""

    place: int
    meter: str
    event_id: str
    subscription: str
    at: datetime
    value: Decimal | None
    key: str


def read(place: int, sent: Any) -> Row | Bad:
    """The event in a row as it was sent: texts, an instant with its offset, a number as text, integer or decimal."""
    if not isinstance(sent, Mapping):
        return Bad(place, "", "usage.row_form")
    for name in sent:
        if name not in FIELDS:
            return Bad(place, str(name)[:60], "usage.unknown_field")
    texts = []
    for name in ("meter", "event_id", "subscription"):
        text = sent.get(name)
        if not isinstance(text, str) or not text or not _storable(text, _LONGEST[name]):
            return Bad(place, name, "usage.text_form")
        texts.append(text)
    key = sent.get("key") or ""
    if not isinstance(key, str) or not _storable(key, _LONGEST["key"]):
        return Bad(place, "key", "usage.text_form")
    at = _instant(sent.get("at"))
    if at is None:
        return Bad(place, "at", "usage.at_form")
    try:
        value = _value(sent.get("value"))
    except (BadAmount, ValueError):
        return Bad(place, "value", "usage.value_form")
    return Row(place, texts[0], texts[1], texts[2], at, value, key)


def _storable(text: str, limit: int) -> bool:
    if len(text) > limit or "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _instant(sent: object) -> datetime | None:
    if isinstance(sent, datetime):
        return sent if sent.tzinfo is not None else None
    if not isinstance(sent, str) or not _INSTANT.fullmatch(sent):
        return None
    try:
        return datetime.fromisoformat(sent).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _value(sent: object) -> Decimal | None:
    if sent is None or sent == "":
        return None
    if type(sent) is int:
        value = Decimal(sent)
    elif isinstance(sent, Decimal):
        value = sent
    else:
        value = parse_amount(sent)  # type: ignore[arg-type]
    if not value.is_finite() or abs(value) >= _LARGEST or -int(value.as_tuple().exponent) > 10:
        raise ValueError
    return value
