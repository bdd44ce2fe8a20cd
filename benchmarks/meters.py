"""How things are measured: wall clock, processor time of our processes and of PostgreSQL's, statements, goals.

The rule that matters: only ratios within one run are judged; seconds are printed for the curious.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, connections

TICK = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Seconds of processor time a living process has used; 0 for one that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def children_of(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return []


def admin() -> psycopg.Connection[Any]:
    """A connection beside Django's, to the server's own database: for making databases and looking at backends."""
    given = settings.DATABASES["default"]
    return psycopg.connect(
        host=given["HOST"] or None, port=given["PORT"] or None, user=given["USER"] or None,
        password=given["PASSWORD"] or None, dbname="postgres", autocommit=True,
    )  # fmt: skip


def use(database: str) -> None:
    """Django's connection goes to this database from now on."""
    connections.close_all()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = database


@dataclass(slots=True)
class Taken:
    """What something took, in seconds: by the clock, and of processor time."""

    seconds: float = 0.0
    python: float = 0.0
    postgres: float = 0.0

    @property
    def cpu(self) -> float:
        return self.python + self.postgres


class Meter:
    """Measures a block: this process (or those named), and every backend of the current database.

    Backends are looked at ten times a second, so what one does in its last tenth before it ends is not seen.
    """

    def __init__(self, pids: Callable[[], list[int]] | None = None) -> None:
        self.pids = pids or (lambda: [os.getpid()])
        self.taken = Taken()
        self._backends: dict[int, tuple[float, float]] = {}
        self._stop = threading.Event()

    def __enter__(self) -> Taken:
        connection.ensure_connection()
        self._admin = admin()
        self._database = connection.settings_dict["NAME"]
        self._look(first=True)
        self._before = {pid: cpu_of(pid) for pid in self.pids()}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        self._begun = time.monotonic()
        return self.taken

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self._look()

    def _look(self, *, first: bool = False) -> None:
        rows = self._admin.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [self._database]).fetchall()
        for (pid,) in rows:
            used = cpu_of(pid)
            begun = self._backends.get(pid, (used if first else 0.0, 0.0))[0]
            if used:
                self._backends[pid] = (begun, used)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.taken.seconds = time.monotonic() - self._begun
        self._stop.set()
        self._thread.join()
        self._look()
        self._admin.close()
        self.taken.postgres = sum(after - before for before, after in self._backends.values())
        self.taken.python = sum(cpu_of(pid) - self._before.get(pid, 0.0) for pid in self.pids())


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements sent inside the block, COPY among them."""
    statements: list[str] = []
    copy = psycopg.Cursor.copy

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        statements.append(str(sql))
        return execute(sql, params, many, context)

    def noted_copy(self: Any, statement: Any, *args: Any, **more: Any) -> Any:
        statements.append(str(statement))
        return copy(self, statement, *args, **more)

    psycopg.Cursor.copy = noted_copy  # type: ignore[method-assign]
    try:
        with connection.execute_wrapper(note):
            yield statements
    finally:
        psycopg.Cursor.copy = copy  # type: ignore[method-assign]


class Goals:
    """Prints each goal as a line and remembers whether all were met."""

    def __init__(self) -> None:
        self.met = True

    def judge(
        self, name: str, seen: float, *, must: float, aim: float, words: str, at_most: bool = False, places: int = 2
    ) -> None:
        ok = seen <= must if at_most else seen >= must
        self.met = self.met and ok
        print(
            f"{name} must {must:.{places}f} aim {aim:.{places}f} seen {seen:.{places}f} {'ok' if ok else 'MISSED'}"
            f" ({words})",
            flush=True,
        )
