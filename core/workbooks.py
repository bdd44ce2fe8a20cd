"""XLSX files (Office Open XML, ECMA-376) written as they are read: no list is too long for memory.

The rule that matters: what is text stays text whatever it begins with, a number is a number, a day is a day.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import IO, Any, Final, cast
from xml.sax.saxutils import escape

from core.spreadsheets import Sheet

#: What the format takes as the name of a sheet: at most 31 characters, none of these.
_NOT_IN_A_NAME: Final = re.compile(r"[\[\]:*?/\\']")
_NAME_MOST: Final = 31
#: Control characters that XML has no place for, and halves of surrogate pairs.
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: Limits of the format: rows of a sheet, characters of a cell.
ROWS_MOST: Final = 1_048_576
_TEXT_MOST: Final = 32_767
#: Bytes of one sheet before it is packed: archives without an extension that readers need not know end at two GiB.
BYTES_MOST: Final = 1_500_000_000
#: Rows that are sent together.
_BATCH: Final = 500
#: Day 0 of the format, which counts a 29 February 1900 that never was.
_DAY_ZERO: Final = date(1899, 12, 30)
_PLAIN, _BOLD, _DAY, _INSTANT, _TWO_PLACES = range(5)

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES: Final = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="5"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
_SHEET_BEGINS: Final = (
    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_SHEET_ENDS: Final = "</sheetData></worksheet>"


XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class _Sink:
    """Takes what the archive writes until it is sent on; it can't go back, so the archive doesn't."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        found, self._parts = b"".join(self._parts), []
        return found


def chunks(sheets: Iterable[Sheet], *, most: int = ROWS_MOST, most_bytes: int = BYTES_MOST) -> Iterator[bytes]:
    """The bytes of an XLSX file, piece by piece; rows are read as they are sent. A table of more than `most` rows with
    its head, or of more bytes, goes on in another sheet. Instants stand in their own zone, which the format has no
    place for."""
    sink = _Sink()
    names: list[str] = []
    with zipfile.ZipFile(cast("IO[bytes]", sink), "w", zipfile.ZIP_DEFLATED) as archive:
        for sheet in sheets:
            yield from _parts_of(archive, sink, sheet, names, most, most_bytes)
        if not names:
            yield from _parts_of(archive, sink, Sheet("1", [], []), names, most, most_bytes)
        for name, text in _frame(names).items():
            archive.writestr(_entry(name), text)
        yield sink.taken()
    yield sink.taken()


def workbook(sheets: Iterable[Sheet]) -> bytes:
    """The same as one piece."""
    return b"".join(chunks(sheets))


def _parts_of(
    archive: zipfile.ZipFile, sink: _Sink, sheet: Sheet, names: list[str], most: int, most_bytes: int
) -> Iterator[bytes]:
    """One table, in as many sheets as it needs."""
    rows = iter(sheet.rows)
    head = _row([str(title) for title in sheet.head], _BOLD)
    while True:
        names.append(_name(sheet.name, names))
        left, room = most - 1, most_bytes
        with archive.open(_entry(f"xl/worksheets/sheet{len(names)}.xml"), "w") as part:
            part.write((_SHEET_BEGINS + head).encode())
            while left and room > 0 and (batch := list(islice(rows, min(_BATCH, left)))):
                room -= part.write("".join(map(_row, batch)).encode())
                yield sink.taken()
                left -= len(batch)
            part.write(_SHEET_ENDS.encode())
        if (left and room > 0) or (first := next(rows, None)) is None:
            return
        rows = chain([first], rows)


def _row(values: Sequence[Any], style: int = _PLAIN) -> str:
    return f"<row>{''.join(_cell(value, style) for value in values)}</row>"


def _cell(value: Any, style: int) -> str:
    match value:
        case None | "":
            return f'<c s="{style}"/>' if style else "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case int():
            return f"<c><v>{value}</v></c>"
        case Decimal():
            two = value.is_finite() and value.as_tuple().exponent == -2
            return f'<c s="{_TWO_PLACES if two else _PLAIN}"><v>{value:f}</v></c>'
        case datetime():
            return f'<c s="{_INSTANT}"><v>{_instant(value)}</v></c>'
        case date():
            return f'<c s="{_DAY}"><v>{(value - _DAY_ZERO).days}</v></c>'
    text = escape(_NOT_IN_XML.sub("", str(value))[:_TEXT_MOST])
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _instant(value: datetime) -> str:
    since = value.replace(tzinfo=None) - datetime.combine(_DAY_ZERO, datetime.min.time())
    return f"{since.days + Decimal(since.seconds) / 86_400:.10f}"


def _entry(name: str) -> zipfile.ZipInfo:
    """Without the time of day: the same tables make the same bytes."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _name(wanted: str, names: Sequence[str]) -> str:
    taken = {name.casefold() for name in names}
    base = _NOT_IN_XML.sub("", _NOT_IN_A_NAME.sub(" ", wanted)).strip()[:_NAME_MOST] or "1"
    name, number = base, 2
    while name.casefold() in taken:
        tail = f" {number}"
        name, number = base[: _NAME_MOST - len(tail)] + tail, number + 1
    return name


def _frame(names: Sequence[str]) -> dict[str, str]:
    """What holds the sheets together, by its place in the archive."""
    quoted = {'"': "&quot;"}
    places = range(1, len(names) + 1)
    sheets = "".join(
        f'<sheet name="{escape(name, quoted)}" sheetId="{place}" r:id="rId{place}"/>'
        for place, name in zip(places, names, strict=True)
    )
    related = "".join(
        f'<Relationship Id="rId{place}" Type="{_RELATED}/worksheet" Target="worksheets/sheet{place}.xml"/>'
        for place in places
    )
    typed = "".join(
        f'<Override PartName="/xl/worksheets/sheet{place}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for place in places
    )
    return {
        "xl/workbook.xml": (
            f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><sheets>{sheets}</sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{related}'
            f'<Relationship Id="rId{len(names) + 1}" Type="{_RELATED}/styles" Target="styles.xml"/></Relationships>'
        ),
        "xl/styles.xml": _STYLES,
        "_rels/.rels": (
            f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
            f' Type="{_RELATED}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "[Content_Types].xml": (
            f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{typed}</Types>'
        ),
    }
