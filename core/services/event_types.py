"""The types of events there are: what each means, and an example of its data.

Each room registers its own in its `event_types.py`; tests fail where one that isn't is written. The reference page,
the description of the API and the form of webhook endpoints read this table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.utils.functional import Promise

from core.refusal import Refused

log = structlog.get_logger(__name__)
EVERYTHING = "*"
_FORM = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")


@dataclass(frozen=True, slots=True)
class EventType:
    """`meaning` is a sentence for people; `example` is what its `data` looks like."""

    name: str
    meaning: str | Promise
    example: Mapping[str, Any]

    @property
    def noun(self) -> str:
        return self.name.partition(".")[0]


_types: dict[str, EventType] = {}


def register(table: Mapping[str, tuple[str | Promise, Mapping[str, Any]]]) -> None:
    """Makes types known: meaning and example data of each. A type is registered once."""
    for name, (meaning, example) in table.items():
        if not _FORM.fullmatch(name):
            raise ValueError(f"an event type is a noun and a past verb, such as invoice.issued: {name!r}")
        if name in _types and _types[name].meaning is not meaning:
            raise LookupError(f"event type {name!r} is registered twice")
        _types[name] = EventType(name, meaning, example)


def check(name: str) -> None:
    """Complains of a type that nobody registered: it would be a promise to other systems that no page explains.

    Tests fail then. In operation the act goes on, and the log says so: no payment may be lost for want of a word.
    """
    if name in _types:
        return
    words = f"event type {name!r} is not registered: add it to the room's event_types.py"
    if settings.STRICT_EVENTS:
        raise LookupError(words)
    log.error(words)


def get(name: str) -> EventType:
    return _types[name]


def all_types() -> list[EventType]:
    """Every type, by name."""
    return [_types[name] for name in sorted(_types)]


def by_noun() -> dict[str, list[EventType]]:
    """The types by what they are about, both in order."""
    found: dict[str, list[EventType]] = {}
    for one in all_types():
        found.setdefault(one.noun, []).append(one)
    return found


def patterns(wanted: Iterable[str]) -> list[str]:
    """Patterns of types, each once and in order: a type, all of a noun (`invoice.*`) or everything (`*`).

    Refuses `webhook.no_types` for none and `webhook.type_unknown` for one that matches nothing.
    """
    found = sorted({text.strip() for text in wanted if text.strip()})
    if not found:
        raise Refused("webhook.no_types", field="types")
    known = {EVERYTHING, *_types, *(f"{noun}.*" for noun in by_noun())}
    for text in found:
        if text not in known:
            raise Refused("webhook.type_unknown", field="types", value=text[:62])
    return found


def matches(name: str, wanted: Iterable[str]) -> bool:
    """Whether a type is among the patterns, as the database's trigger asks it.

    >>> matches("invoice.issued", ["invoice.*"]), matches("invoice.issued", ["credit_note.*", "invoice.paid"])
    (True, False)
    """
    return not {EVERYTHING, name, f"{name.partition('.')[0]}.*"}.isdisjoint(wanted)
