"""What the stand-ins know, in one SQLite file: documents by half, kind and key, and every request with its answer.

Each request is one transaction; a process that is killed leaves whole requests behind.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS doc (half TEXT, kind TEXT, key TEXT, body TEXT, PRIMARY KEY (half, kind, key));
CREATE TABLE IF NOT EXISTS asked (id INTEGER PRIMARY KEY, half TEXT, method TEXT, path TEXT, body TEXT, status INTEGER);
"""


class Store:
    """Documents of one folder."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def get(self, half: str, kind: str, key: str) -> Any:
        """A document, or None."""
        sql = "SELECT body FROM doc WHERE half = ? AND kind = ? AND key = ?"
        row = self._db.execute(sql, (half, kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, half: str, kind: str, key: str, body: Any) -> None:
        sql = "INSERT INTO doc VALUES (?, ?, ?, ?) ON CONFLICT (half, kind, key) DO UPDATE SET body = excluded.body"
        self._db.execute(sql, (half, kind, key, json.dumps(body)))

    def drop(self, half: str, kind: str, key: str) -> None:
        self._db.execute("DELETE FROM doc WHERE half = ? AND kind = ? AND key = ?", (half, kind, key))

    def all(self, half: str, kind: str) -> list[Any]:
        """Every document of a kind in the order of their making."""
        rows = self._db.execute("SELECT body FROM doc WHERE half = ? AND kind = ? ORDER BY rowid", (half, kind))
        return [json.loads(row[0]) for row in rows]

    def number(self, half: str) -> int:
        """The next number of a half."""
        last = int(self.get(half, "_number", "") or 0) + 1
        self.put(half, "_number", "", last)
        return last

    def note(self, half: str, method: str, path: str, body: str, status: int) -> None:
        sql = "INSERT INTO asked (half, method, path, body, status) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(sql, (half, method, path, body, status))

    def asked(self, half: str) -> list[dict[str, Any]]:
        rows = self._db.execute("SELECT method, path, body, status FROM asked WHERE half = ? ORDER BY id", (half,))
        return [dict(zip(("method", "path", "body", "status"), row, strict=True)) for row in rows]
