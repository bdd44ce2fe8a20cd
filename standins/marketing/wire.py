"""A request and an answer, and what every half is: a function from one to the other, with its own words for errors."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from standins.marketing.store import Store


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query_text: str
    headers: dict[str, str]
    body: Any
    text: str

    def query(self, name: str, default: str = "") -> str:
        return parse_qs(self.query_text).get(name, [default])[0]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Half(ABC):
    """One system. `serve` answers a request inside a transaction of the store."""

    name: str

    def __init__(self, store: Store) -> None:
        self.store = store

    @abstractmethod
    def serve(self, request: Request) -> Answer:
        """What this system answers."""

    @abstractmethod
    def throttled(self, seconds: int) -> Answer:
        """How this system says "too many"."""

    def broken(self, status: int) -> Answer:
        """How this system says that it failed."""
        return Answer(status, {"message": "Internal error"})

    @abstractmethod
    def control(self, verb: str, given: Any) -> Any:
        """What tests may do that a person would do there."""

    def key(self, default: str) -> str:
        return str(self.store.get(self.name, "_key", "") or default)


def instant(at: float | None = None) -> str:
    """Now, to the millisecond, in UTC."""
    return datetime.fromtimestamp(time.time() if at is None else at, UTC).isoformat(timespec="milliseconds")


def moved_on(last: str) -> str:
    """Now, and later than `last` in any case: two changes never bear the same instant."""
    now = instant()
    if now > last:
        return now
    return instant(datetime.fromisoformat(last).timestamp() + 0.001)
