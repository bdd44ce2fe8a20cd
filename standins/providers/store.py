"""The truth: one SQLite file with things, events, deliveries, idempotency keys and the money that really moved.

Everything one request does is one transaction, so a killed process leaves all of it or nothing. There is one
connection and one lock: SQLite has one writer anyway, and waiting in Python is cheaper than its busy loop.
WAL with synchronous=NORMAL: a commit is handed to the operating system before it is answered, so it survives
kill -9 of this process at any point; only a power cut could lose the last ones, never tear one. That is right for
a stand-in and saves an fsync for each request.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standins.providers.schema import SCHEMA

ALPHABET = (string.ascii_letters + string.digits).encode()
INVOICE = '$.metadata."invoice"'
LETTERS = bytes(ALPHABET[byte % len(ALPHABET)] for byte in range(256))


@dataclass(slots=True)
class Thing:
    """One object of a provider: `body` is what clients see, `private` what only the stand-in knows.

    `customer` and `parent` are for finding (parent: the payment of a charge, the charge of a refund).
    """

    kind: str
    id: str
    body: dict[str, Any]
    private: dict[str, Any] = field(default_factory=dict)
    customer: str = ""
    parent: str = ""
    created: int = 0
    seq: int = 0


@dataclass(slots=True)
class Page:
    """Some things, newest first, and whether there are more behind the last."""

    things: list[Thing]
    more: bool


@dataclass(slots=True, frozen=True)
class Kept:
    """The answer kept under an idempotency key."""

    fingerprint: str
    status: int
    body: bytes
    headers: dict[str, str]


def new_id(prefix: str, length: int = 24) -> str:
    """A fresh id: the prefix and random letters and digits."""
    return prefix + secrets.token_bytes(length).translate(LETTERS).decode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Store:
    """The open file. `transaction` is the only way in."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)
        self.on_event: Callable[[Tx, str, str, str], None] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One transaction: committed when the block ends, undone when it raises. Not to be nested."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield Tx(self._db, self.on_event)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file between two transactions. Whoever asks for another one waits for the process's end."""
        self._lock.acquire()
        self._db.close()


class Tx:
    """What can be asked and written within one transaction. `provider` is `stripe` or `paypal` throughout."""

    def __init__(self, db: sqlite3.Connection, on_event: Callable[[Tx, str, str, str], None] | None = None) -> None:
        self.db = db
        self._on_event = on_event

    # Things

    def get(self, provider: str, kind: str, id: str) -> Thing | None:
        """The thing of that kind and id; None when there is none."""
        row = self.db.execute(
            "SELECT kind, id, body, private, customer, parent, created, seq FROM things"
            " WHERE provider = ? AND kind = ? AND id = ?",
            (provider, kind, id),
        ).fetchone()
        return _thing(row) if row else None

    def put(self, provider: str, thing: Thing) -> Thing:
        """Write a thing, new or changed; its place in lists stays that of its first writing."""
        self.db.execute(
            "INSERT INTO things (provider, kind, id, body, private, customer, parent, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider, kind, id) DO UPDATE SET"
            " body = excluded.body, private = excluded.private, customer = excluded.customer, parent = excluded.parent",
            (
                provider,
                thing.kind,
                thing.id,
                _json(thing.body),
                _json(thing.private),
                thing.customer,
                thing.parent,
                thing.created,
            ),
        )
        return thing

    def drop(self, provider: str, kind: str, id: str) -> None:
        """Forget a thing."""
        self.db.execute("DELETE FROM things WHERE provider = ? AND kind = ? AND id = ?", (provider, kind, id))

    def find(
        self,
        provider: str,
        kind: str,
        *,
        customer: str | None = None,
        parent: str | None = None,
        created: Mapping[str, int] | None = None,
        where: Mapping[str, Any] | None = None,
        after: str = "",
        before: str = "",
        limit: int = 10,
        offset: int = 0,
    ) -> Page:
        """Things of a kind, newest first.

        `created` has keys among gt, gte, lt, lte; `where` maps JSON paths into the body (`$.status`,
        `$.metadata.invoice`) to the value that must stand there; `after` and `before` are ids of a page's edges.
        """
        clauses = ["provider = ?", "kind = ?"]
        values: list[Any] = [provider, kind]
        for column, wanted in (("customer", customer), ("parent", parent)):
            if wanted is not None:
                clauses.append(f"{column} = ?")
                values.append(wanted)
        given, bound = edges(created)
        clauses += given
        values += bound
        for path, wanted in (where or {}).items():
            if path == INVOICE:  # the index is on this very expression
                clauses.append(f"json_extract(body, '{INVOICE}') = ?")
                values.append(wanted)
                continue
            clauses.append("json_extract(body, ?) = ?")
            values += [path, wanted]
        order = "DESC"
        for edge, sign in ((after, "<"), (before, ">")):
            if edge:
                own = "SELECT seq FROM things WHERE provider = ? AND kind = ? AND id = ?"
                clauses.append(f"seq {sign} ({own})")
                values += [provider, kind, edge]
                order = "ASC" if sign == ">" else order
        rows = self.db.execute(
            "SELECT kind, id, body, private, customer, parent, created, seq FROM things"  # noqa: S608  own words only
            f" WHERE {' AND '.join(clauses)} ORDER BY seq {order} LIMIT ? OFFSET ?",
            (*values, limit + 1, offset),
        ).fetchall()
        things = [_thing(row) for row in rows[:limit]]
        if order == "ASC":
            things.reverse()
        return Page(things, len(rows) > limit)

    # Money

    def book(
        self,
        provider: str,
        kind: str,
        object_id: str,
        *,
        at: int,
        amount: int,
        currency: str,
        customer: str = "",
        invoice: str = "",
        payment: str = "",
        fee: int = 0,
        metadata: Mapping[str, str] | None = None,
        key: str = "",
    ) -> None:
        """Write one row of money that moved: once for each (provider, kind, object_id), a second time raises.

        `kind` is charge, refund, refund_failed, dispute, dispute_won or return. `amount` is in minor units, positive
        when the merchant gets money and negative when it goes back; `currency` in lower case; `fee` in minor units,
        positive when the provider keeps it. `payment` is the charge's or capture's id the row belongs to; `invoice`
        the merchant's own reference.
        """
        self.db.execute(
            "INSERT INTO money (provider, kind, object_id, at, amount, currency, customer, invoice, payment, fee,"
            " metadata, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                provider,
                kind,
                object_id,
                at,
                amount,
                currency.lower(),
                customer,
                invoice,
                payment,
                fee,
                _json(dict(metadata or {})),
                key,
            ),
        )

    def booked(self, provider: str, payment: str) -> list[dict[str, Any]]:
        """The rows of money of one charge or capture, in order."""
        return self.rows("SELECT * FROM money WHERE provider = ? AND payment = ? ORDER BY seq", (provider, payment))

    # Events and webhooks

    def emit(self, provider: str, type: str, event_id: str, body: dict[str, Any], *, at: int, object_id: str) -> None:
        """Write one event and, by the delivery plan, what is to be sent of it. `body` is sent as it stands."""
        self.db.execute(
            "INSERT INTO events (provider, id, type, at, object_id, body) VALUES (?, ?, ?, ?, ?, ?)",
            (provider, event_id, type, at, object_id, _json(body)),
        )
        if self._on_event:
            self._on_event(self, provider, type, event_id)

    def endpoints(self, provider: str | None = None) -> list[dict[str, Any]]:
        """The registered webhook endpoints: `provider, id, url, secret, types` (a list, `*` is all), `on`."""
        rows = self.rows("SELECT * FROM endpoints WHERE provider = coalesce(?, provider) ORDER BY rowid", (provider,))
        return [{**row, "types": json.loads(row["types"]), "on": bool(row["on"])} for row in rows]

    def add_endpoint(self, provider: str, id: str, url: str, secret: str, types: list[str], *, on: bool = True) -> None:
        """Register an endpoint, or change the one with that id."""
        self.db.execute(
            'INSERT INTO endpoints (provider, id, url, secret, types, "on") VALUES (?, ?, ?, ?, ?, ?)'
            " ON CONFLICT (provider, id) DO UPDATE SET url = excluded.url, secret = excluded.secret,"
            ' types = excluded.types, "on" = excluded."on"',
            (provider, id, url, secret, _json(types), on),
        )

    def drop_endpoint(self, provider: str, id: str) -> None:
        """Forget an endpoint; what still waits for it is not sent."""
        self.db.execute("DELETE FROM endpoints WHERE provider = ? AND id = ?", (provider, id))
        self.db.execute(
            "DELETE FROM deliveries WHERE provider = ? AND endpoint_id = ? AND state IN ('waiting', 'dropped')",
            (provider, id),
        )

    def events(
        self,
        provider: str,
        *,
        types: list[str] | None = None,
        object_id: str = "",
        created: Mapping[str, int] | None = None,
        delivered: bool | None = None,
        after: str = "",
        before: str = "",
        limit: int = 10,
    ) -> tuple[list[dict[str, Any]], bool]:
        """Events' bodies, newest first, and whether there are more. `types` may end in `*`.

        `delivered`: True for those whose every delivery arrived, False for those with one that waits, failed or was
        dropped.
        """
        clauses = ["provider = ?"]
        values: list[Any] = [provider]
        given, bound = edges(created, "at")
        clauses += given
        values += bound
        if types:
            clauses.append("(" + " OR ".join("type GLOB ?" for _ in types) + ")")
            values += types
        if object_id:
            clauses.append("object_id = ?")
            values.append(object_id)
        if delivered is not None:
            clauses.append(
                "EXISTS (SELECT 1 FROM deliveries d WHERE d.provider = events.provider AND d.event_id = events.id"
                " AND d.forged = '' AND d.state <> 'done') = ?"
            )
            values.append(not delivered)
        order = "DESC"
        for edge, sign in ((after, "<"), (before, ">")):
            if edge:
                own = "SELECT seq FROM events WHERE provider = ? AND id = ?"
                clauses.append(f"seq {sign} ({own})")
                values += [provider, edge]
                order = "ASC" if sign == ">" else order
        rows = self.db.execute(
            f"SELECT body FROM events WHERE {' AND '.join(clauses)} ORDER BY seq {order} LIMIT ?",  # noqa: S608
            (*values, limit + 1),
        ).fetchall()
        found = [json.loads(row[0]) for row in rows[:limit]]
        if order == "ASC":
            found.reverse()
        return found, len(rows) > limit

    def event(self, provider: str, id: str) -> dict[str, Any] | None:
        """One event's body; None when there is none."""
        row = self.db.execute("SELECT body FROM events WHERE provider = ? AND id = ?", (provider, id)).fetchone()
        return json.loads(row[0]) if row else None

    # Idempotency keys

    def kept(self, provider: str, key: str, since: int) -> Kept | None:
        """The answer kept under a key at or after `since`; None when there is none."""
        row = self.db.execute(
            "SELECT fingerprint, status, body, headers FROM keys WHERE provider = ? AND key = ? AND at >= ?",
            (provider, key, since),
        ).fetchone()
        return Kept(row[0], row[1], row[2], json.loads(row[3])) if row else None

    def keep(self, provider: str, key: str, at: int, kept: Kept) -> None:
        """Keep an answer under a key; an expired one is replaced."""
        self.db.execute(
            "INSERT OR REPLACE INTO keys (provider, key, at, fingerprint, status, body, headers)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (provider, key, at, kept.fingerprint, kept.status, kept.body, _json(kept.headers)),
        )

    # Settings and anything else

    def setting(self, name: str, default: Any = None) -> Any:
        """A setting of the process that outlives it (plans, the clock)."""
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else default

    def set(self, name: str, value: Any) -> None:
        """Write a setting."""
        self.db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, _json(value)))

    def next_number(self, name: str) -> int:
        """The next number of a named count, from 1."""
        row = self.db.execute(
            "INSERT INTO settings (name, value) VALUES (?, '1')"
            " ON CONFLICT (name) DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value",
            (f"count:{name}",),
        ).fetchone()
        return int(row[0])

    def rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """The rows of a query, as dicts."""
        cursor = self.db.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def edges(created: Mapping[str, int] | None, column: str = "created") -> tuple[list[str], list[Any]]:
    """The SQL conditions of a `created` filter and their values."""
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    given = {name: value for name, value in (created or {}).items() if name in signs}
    return [f"{column} {signs[name]} ?" for name in given], list(given.values())


def _thing(row: tuple[Any, ...]) -> Thing:
    return Thing(row[0], row[1], json.loads(row[2]), json.loads(row[3]), row[4], row[5], row[6], row[7])
