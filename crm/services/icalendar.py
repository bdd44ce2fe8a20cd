"""Calendars as text (RFC 5545): events and to-dos with alarms, folded, escaped, in UTC.

The rule that matters: the same entries give the same bytes; what changes is told by `DTSTAMP` and `LAST-MODIFIED`
alone, which come from the rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

#: Octets of a line without its end (RFC 5545, 3.1).
LINE: Final = 75
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the calendar. `begins` is an instant, or a day for what takes all of it; `changed_at` is when it
    was written or changed last; `remind_at` rings."""

    uid: str
    title: str
    begins: datetime | date
    changed_at: datetime
    ends: datetime | None = None
    text: str = ""
    place: str = ""
    url: str = ""
    status: str = "CONFIRMED"
    remind_at: datetime | None = None


def escaped(text: str) -> str:
    r"""A TEXT value (RFC 5545, 3.3.11).

    >>> escaped("Rome; bring a\\b, please\r\nand go")
    'Rome\\; bring a\\\\b\\, please\\nand go'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _CONTROL.sub("", text).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return text.replace("\n", "\\n")


def folded(line: str) -> str:
    """The line in pieces of 75 octets at most, each but the first begun by a blank; no letter is cut in two.

    >>> [len(piece.encode()) for piece in folded("SUMMARY:" + "ü" * 80).split("\\r\\n")]
    [74, 75, 22]
    """
    pieces, piece, size = [], "", 0
    for letter in line:
        octets = len(letter.encode())
        if size + octets > LINE:
            pieces.append(piece)
            piece, size = " ", 1
        piece += letter
        size += octets
    return "\r\n".join([*pieces, piece])


def stamp(at: datetime) -> str:
    """An instant in UTC.

    >>> from datetime import timezone
    >>> stamp(datetime(2026, 3, 29, 9, 30, tzinfo=timezone(timedelta(hours=2))))
    '20260329T073000Z'
    """
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def calendar(*, name: str, entries: Iterable[Entry]) -> bytes:
    """The calendar as a file, lines ended by CRLF."""
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Turnus//Calendar//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH",
        f"NAME:{escaped(name)}", f"X-WR-CALNAME:{escaped(name)}", "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
    ]  # fmt: skip
    for entry in entries:
        lines += _event(entry)
    lines.append("END:VCALENDAR")
    return "".join(folded(line) + "\r\n" for line in lines).encode()


def _event(entry: Entry) -> list[str]:
    lines = ["BEGIN:VEVENT", f"UID:{entry.uid}", f"DTSTAMP:{stamp(entry.changed_at)}"]
    if isinstance(entry.begins, datetime):
        lines.append(f"DTSTART:{stamp(entry.begins)}")
        if entry.ends is not None and entry.ends > entry.begins:
            lines.append(f"DTEND:{stamp(entry.ends)}")
    else:
        # The end is the first day that is no longer meant; a due date blocks nobody's day.
        lines += [
            f"DTSTART;VALUE=DATE:{entry.begins:%Y%m%d}",
            f"DTEND;VALUE=DATE:{entry.begins + timedelta(days=1):%Y%m%d}",
            "TRANSP:TRANSPARENT",
        ]
    lines += [f"SUMMARY:{escaped(entry.title)}", f"LAST-MODIFIED:{stamp(entry.changed_at)}", f"STATUS:{entry.status}"]
    lines += [
        f"{key}:{escaped(value)}" for key, value in (("DESCRIPTION", entry.text), ("LOCATION", entry.place)) if value
    ]
    if entry.url:
        lines.append(f"URL:{entry.url}")
    if entry.remind_at is not None:
        lines += [
            "BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER;VALUE=DATE-TIME:{stamp(entry.remind_at)}",
            f"DESCRIPTION:{escaped(entry.title)}", "END:VALARM",
        ]  # fmt: skip
    return [*lines, "END:VEVENT"]
