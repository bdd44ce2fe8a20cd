"""Reports may read from a replica: `TURNUS_REPORTS_URL` names it; without one they read where everything is written.

The rule that matters: only functions marked `reads_replica` do, and they write nothing. A replica is a little behind;
what decides an amount or a date never reads there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

ALIAS = "reports"
P = ParamSpec("P")
T = TypeVar("T")
_reading: ContextVar[bool] = ContextVar("reading_reports", default=False)


@contextmanager
def reading() -> Iterator[None]:
    """Within, querysets read from the replica where there is one."""
    token = _reading.set(ALIAS in settings.DATABASES)
    try:
        yield
    finally:
        _reading.reset(token)


def reads_replica(function: Callable[P, T]) -> Callable[P, T]:
    """Marks a report: it reads from the replica where there is one. It must evaluate its querysets itself."""

    @wraps(function)
    def on_replica(*args: P.args, **kwargs: P.kwargs) -> T:
        with reading():
            return function(*args, **kwargs)

    return on_replica


def connection() -> BaseDatabaseWrapper:
    """For plain SQL in a report: the replica's connection within `reading`, else the usual one."""
    return connections[ALIAS if _reading.get() else "default"]


class Router:
    """Django asks it which database to read."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return ALIAS if _reading.get() else None

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        """Both are the same database."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == ALIAS else None
