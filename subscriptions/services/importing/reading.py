"""Reads a list as it comes: CSV in any dialect (UTF-8) or XLSX, into rows of plain texts.

Every cell is text, exactly as in the file; nothing is guessed, trimmed or converted. A file that can't be read as a
whole is refused as a whole.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from core.refusal import Refused

MOST_BYTES = 100 * 1024 * 1024
MOST_UNPACKED = 1024 * 1024 * 1024
MOST_ROWS = 200_000
LONGEST_CELL = 131_072
_DELIMITERS = (",", ";", "\t", "|")


class BadCell(str):
    """A cell that holds a spreadsheet's error instead of a value."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line with its number in the file, the heading being line 1. `cells` is None when it doesn't fit the heading."""

    number: int
    cells: dict[str, str] | None
    found: int


@dataclass(frozen=True, slots=True)
class Table:
    columns: list[str]
    rows: list[Row]


def read(content: bytes, *, delimiter: str = "", sheet: str = "") -> Table:
    """The rows under the heading. `delimiter` and `sheet` are found out when empty.

    Refuses: `import.too_big`, `import.empty`, `import.encoding`, `import.old_workbook`, `import.workbook`,
    `import.sheet_missing`, `import.csv`, `import.cell_too_long`, `import.heading_empty`, `import.heading_twice`.
    """
    if len(content) > MOST_BYTES:
        raise Refused("import.too_big", most=MOST_BYTES // 1024 // 1024)
    if content.startswith(b"PK\x03\x04"):
        lines = _workbook(content, sheet)
    elif content.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused("import.old_workbook")
    else:
        lines = _csv(_text(content), delimiter)
    heading = next(lines, None)
    if heading is None:
        raise Refused("import.empty")
    columns = _columns(heading[1])
    rows: list[Row] = []
    for number, cells in lines:
        if len(rows) >= MOST_ROWS:
            raise Refused("import.too_many_rows", most=MOST_ROWS)
        if not any(cells):
            continue
        fits = len(cells) == len(columns)
        rows.append(Row(number, dict(zip(columns, cells, strict=True)) if fits else None, len(cells)))
    return Table(columns, rows)


def media_type(content: bytes) -> str:
    """What kind of file it is, by its first bytes."""
    packed = content.startswith(b"PK\x03\x04")
    return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" if packed else "text/csv"


def _columns(heading: Sequence[str]) -> list[str]:
    columns = list(heading)
    while columns and columns[-1] == "":
        columns.pop()
    for position, name in enumerate(columns, start=1):
        if not name.strip():
            raise Refused("import.heading_empty", position=position)
        if "\0" in name:
            raise Refused("text.nul")
    if not columns:
        raise Refused("import.empty")
    name, times = Counter(columns).most_common(1)[0]
    if times > 1:
        raise Refused("import.heading_twice", name=name[:60])
    return columns


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("import.encoding", line=content.count(b"\n", 0, error.start) + 1) from None


def _csv(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), quotechar='"', strict=True
    )
    width = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                raise Refused("import.cell_too_long", line=line, limit=LONGEST_CELL) from None
            raise Refused("import.csv", line=line, reason=str(error)) from None
        if not width:
            while cells and cells[-1] == "":
                cells.pop()
            width = len(cells)
        # A spreadsheet writes a separator after the last column too; the heading decides how many there are.
        while len(cells) > width and cells[-1] == "":
            cells.pop()
        yield line, cells


def _delimiter(text: str) -> str:
    """The separator that cuts the heading into the most columns; quoted names are passed over."""
    quoted = False
    seen: Counter[str] = Counter()
    for letter in text:
        if letter == '"':
            quoted = not quoted
        elif letter in "\r\n" and not quoted:
            break
        elif not quoted and letter in _DELIMITERS:
            seen[letter] += 1
    return max(_DELIMITERS, key=lambda mark: seen[mark]) if seen else ","


def _workbook(content: bytes, sheet: str) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_UNPACKED:
                raise Refused("import.too_big", most=MOST_UNPACKED // 1024 // 1024)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Refused:
        raise
    except Exception:  # noqa: BLE001  whatever a broken workbook does to the reader, it is no workbook
        raise Refused("import.workbook") from None
    if sheet and sheet not in book.sheetnames:
        raise Refused("import.sheet_missing", name=sheet, sheets=", ".join(book.sheetnames))
    chosen = book[sheet] if sheet else book.worksheets[0]
    width = 0
    try:
        for number, row in enumerate(chosen.iter_rows(), start=1):
            cells = [_cell(cell) for cell in row]
            if not width:
                while cells and cells[-1] == "":
                    cells.pop()
                width = len(cells)
            # Rows of a sheet end where their values do; formatted but empty cells may follow.
            cells += [""] * (width - len(cells))
            while len(cells) > width and cells[-1] == "":
                cells.pop()
            if width:
                yield number, cells
    except Refused:
        raise
    except Exception:  # noqa: BLE001  as above: rows are unpacked while they are read
        raise Refused("import.workbook") from None
    finally:
        book.close()


def _cell(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if getattr(cell, "data_type", "") == "e":
        return BadCell(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time(0) else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        # A sheet keeps 15 digits; what lies beyond is binary noise and not what its author typed.
        return f"{value:.15g}"
    return str(value)
