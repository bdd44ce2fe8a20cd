"""CSV files instead of an interface: rows are kept here to be downloaded, and files of changes are read line by line.

The rule that matters: a line that can't be read is named and stops no other; no cell that a spreadsheet would run as a
formula is taken in, and none is given out.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from crm.ties.base import Connection, Heard, Left, Outgoing, Pushed, Sent, Theirs, Unread, connection, utc

#: Lines read in one transaction; most lines and bytes of one file.
PORTION: Final = 500
MOST_LINES: Final = 20_000
MOST_BYTES: Final = 5 * 1024 * 1024
#: Our columns, and what else they may be called.
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email", "e-mail", "mail", "email address", "e-mail-adresse"), "new_email": ("new_email",),
    "name": ("name", "full name"), "phone": ("phone", "telephone", "telefon"),
    "advertising": ("advertising", "newsletter", "werbung"), "lists": ("lists", "tags", "listen"),
    "changed_at": ("changed_at", "changed", "unsubscribed_at"),
}  # fmt: skip
YES: Final = frozenset({"yes", "y", "true", "1", "ja", "oui", "si", "sì", "sí", "subscribed"})
NO: Final = frozenset({"no", "n", "false", "0", "nein", "non", "unsubscribed", "cleaned"})
_ADDRESS: Final = re.compile(r"[^@\s,;<>\"']+@[^@\s,;<>\"']+\.[^@\s,;<>\"']+")
_PHONE: Final = re.compile(r"[+\d(][\d\s()./-]*")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class NotRead(Exception):
    """The file is no list of changes; `code` is a refusal's."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


def lines_of(content: bytes) -> list[dict[str, str]]:
    """The lines of a file by our columns. Raises `NotRead`.

    >>> lines_of("\\ufeffE-Mail;Werbung\\nada@example.com;nein\\n".encode())
    [{'email': 'ada@example.com', 'advertising': 'nein'}]
    """
    if len(content) > MOST_BYTES:
        raise NotRead("tie.file_large", lines=str(MOST_LINES))
    if b"\0" in content:
        raise NotRead("tie.file_unreadable")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error:
        raise NotRead("tie.file_unreadable") from None
    names = [_column(name) for name in rows[0]] if rows else []
    if "email" not in names:
        raise NotRead("tie.file_columns")
    if len(rows) < 2:
        raise NotRead("tie.file_empty")
    if len(rows) > MOST_LINES + 1:
        raise NotRead("tie.file_large", lines=str(MOST_LINES))
    return [
        {name: cell for name, cell in zip(names, row, strict=False) if name} for row in rows[1:]
    ]  # fmt: skip


def _column(text: str) -> str:
    known = text.strip().lower()
    return next((name for name, others in COLUMNS.items() if known in others), "")


def _open(cell: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from running it."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in _FORMULA else text


def read_line(cells: Mapping[str, str], number: int, *, given_at: str) -> Theirs | Unread:
    """What one line says, or why it can't be read.

    >>> read_line({"email": "ada@example.com", "name": "=1+1"}, 3, given_at="").code
    'tie.line_formula'
    """
    said = {name: _open(cell) for name, cell in cells.items()}
    for name in ("email", "new_email"):
        if (said.get(name) or name == "email") and not _ADDRESS.fullmatch(said.get(name, "")):
            return Unread(number, "tie.line_address", {"name": name})
    if any(said.get(name, "").startswith(_FORMULA) for name in ("name", "lists", "email", "new_email")):
        return Unread(number, "tie.line_formula")
    if said.get("phone") and not _PHONE.fullmatch(said["phone"]):
        return Unread(number, "tie.line_phone")
    wants = said.get("advertising", "").lower()
    if wants and wants not in YES | NO:
        return Unread(number, "tie.line_advertising")
    at = given_at
    if said.get("changed_at"):
        try:
            found = datetime.fromisoformat(said["changed_at"])
            # What is said to be changed after the file was given in was changed by then.
            at = min(at, utc((found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()))
        except (ValueError, OverflowError):
            return Unread(number, "tie.line_instant")
    return Theirs(
        said["email"], at, shared={name: said[name] for name in ("name", "phone") if said.get(name)},
        lists=tuple(sorted({one.strip() for one in said.get("lists", "").split(",") if one.strip()})),
        is_in=True if wants in YES else None, is_off=wants in NO, new_address=said.get("new_email", ""), line=number,
        says_lists="lists" in said,
    )  # fmt: skip


@connection
class CsvFiles(Connection):
    kind: ClassVar[str] = "csv"
    takes: ClassVar[tuple[str, ...]] = ("company", "person", "deal")
    keeps_everybody: ClassVar[bool] = True
    portion: ClassVar[int] = 1000

    def check(self) -> str:
        return "CSV"

    def push(self, rows: Sequence[Outgoing]) -> Pushed:
        """Nothing leaves: what is kept of each row is what the next download shows."""
        return Pushed([Sent(row.kind, row.key) for row in rows])

    def kept(self, row: Outgoing) -> dict[str, Any]:
        if row.wanted == "out":
            return {}
        said = {"advertising": "yes" if row.wanted == "on" else "no"} if row.kind == "person" else {}
        return {**row.values, **row.shared, **said, "customer": row.company_key, "segments": list(row.marks)}

    def forget(self, rows: Sequence[Outgoing]) -> None:
        """There is nothing over there."""

    def hear(self, cursor: str) -> Heard:
        """`cursor`: which file is read, and how many of its lines were."""
        number, _, line = cursor.partition("|")
        for file in self.account.inbox:
            start = int(line) if number and file.id == int(number) else 0
            if number and file.id < int(number):
                continue
            rows = lines_of(file.content())
            if start >= len(rows):
                continue
            end = min(start + PORTION, len(rows))
            read = [read_line(rows[place], place + 1, given_at=file.given_at) for place in range(start, end)]
            people = [one for one in read if isinstance(one, Theirs)]
            left = [Left(one.address, one.at, "CSV", one.line) for one in people if one.is_off]
            unread = [one for one in read if isinstance(one, Unread)]
            return Heard(left, f"{file.id}|{end}", more=True, people=people, unread=unread, file=file.id)
        return Heard([], cursor)
