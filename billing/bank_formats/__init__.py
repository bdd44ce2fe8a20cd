"""Bank files: told apart by what stands in them, and read.

The rule that matters: nothing in a file is trusted; what is too large, not what it says it is, or made to harm is
refused before anything is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from billing.bank_formats import camt, csv, mt940
from billing.bank_formats.base import MOST_BYTES, MOST_LINES, Line, Problem, Statement
from core.refusal import Refused

__all__ = ["CAMT053", "CAMT054", "CSV", "MT940", "Line", "Problem", "Statement", "detect", "read"]

CAMT053: Final = "camt.053"
CAMT054: Final = "camt.054"
MT940: Final = "mt940"
CSV: Final = "csv"
FORMATS: Final = (CAMT053, CAMT054, MT940, CSV)


def detect(data: bytes) -> str:
    """How a file is written, by its content. Refuses `bank.unknown`.

    >>> detect(b":20:STARTUMS\\r\\n:25:10020030/1234567\\r\\n")
    'mt940'
    """
    head = data[:4096]
    if camt.looks_like(head):
        return camt.kind_of(data)
    if mt940.looks_like(head):
        return MT940
    if csv.looks_like(head):
        return CSV
    raise Refused("bank.unknown")


def read(
    data: bytes, *, format: str = "", columns: Mapping[str, str] | None = None, currency: str = ""
) -> tuple[str, list[Statement]]:
    """The format and its statements. `currency`: of lines that name none; `columns`: see `csv.read`.

    Refuses what can't be read (`bank.*`).
    """
    if len(data) > MOST_BYTES:
        raise Refused("bank.too_large", most=MOST_BYTES // 1_000_000)
    if not data.strip():
        raise Refused("bank.empty")
    format = format or detect(data)
    if format not in FORMATS:
        raise Refused("bank.unknown")
    if format in (CAMT053, CAMT054):
        format, found = camt.read(data)
    elif format == MT940:
        found = mt940.read(data, currency)
    else:
        found = csv.read(data, columns=columns, currency=currency)
    if sum(len(statement.lines) for statement in found) > MOST_LINES:
        raise Refused("bank.too_many", most=MOST_LINES)
    if not any(statement.lines or statement.problems or statement.closing_minor is not None for statement in found):
        raise Refused("bank.empty")
    return format, found
