"""MT940 of SWIFT, with the structured field 86 of German banks.

The rule that matters: every statement (`:20:`) is read on its own, and so is every line: what can't be read stops
nothing else. Marks: C and RD are money in, D and RC money out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from mt940.models import Transactions
from mt940.options import Options

from billing.bank_formats.base import (
    MOST_LINES,
    Collecting,
    Line,
    Statement,
    Unreadable,
    clean,
    iban,
    known_day,
    minor,
    reference,
)
from billing.gateways import reasons
from core.refusal import Refused

#: Statements of one file, and signs of fields 61 and 86 that are looked at; the standard allows 105 and 390.
MOST_STATEMENTS: Final = 5_000
LONGEST_BOOKING: Final = 400
LONGEST_DETAILS: Final = 4_000
# The library writes what it can't read, names and accounts with it, into the log.
logging.getLogger("mt940").setLevel(logging.CRITICAL + 1)

_TAG: Final = re.compile(r"^:(\d\d)([A-Z]?):", re.MULTILINE)
#: Keywords of the purpose, `EREF+...`; each ends where the next begins.
_KEYWORDS: Final = (
    "EREF", "KREF", "MREF", "CRED", "DEBT", "COAM", "OAMT", "SVWZ", "ABWA", "ABWE", "IBAN", "BIC", "PURP", "RTRN",
)  # fmt: skip
_KEYWORD: Final = re.compile(
    rf"(?:^|(?<=[\s?]))({'|'.join(_KEYWORDS)})[+:]\s?|(?<=\S)(EREF|KREF|MREF|CRED|SVWZ|COAM|OAMT)\+"
)
#: A return reason, as banks write it: in field ?34 (three digits of the German list), or in the text.
_REASON: Final = re.compile(
    r"\b(?:RETURN|RETOURE|R[UÜ]CKGABE|R-?GRUND|GRUND|RTRN|REASON|CODE)[^A-Z0-9]{0,3}([A-Z]{2}\d{2}|[A-Z]{4})\b"
)
#: Reasons of the German list of text keys' additions (DFÜ agreement, annex 3) as ISO codes.
_GERMAN: Final = {
    "901": "AC01", "902": "AM04", "903": "MD01", "904": "MD06", "905": "MS03", "906": "AG01", "907": "AC06",
    "908": "MD07", "909": "AC04", "910": "AC04", "911": "RC01", "912": "AM05", "913": "MS02", "914": "MD06",
    "915": "AC13", "916": "BE05", "917": "AG02", "918": "FF01",
}  # fmt: skip
#: Business transaction codes of returned direct debits and transfers.
_RETURNS: Final = frozenset({"108", "109", "159", "181", "184"})
_CODES: Final = frozenset(reasons.SEPA_CODES)


def looks_like(head: bytes) -> bool:
    """Whether a file has a `:20:` and then other tags of MT940 at the beginning of lines."""
    return (
        re.search(rb"(?:^|[\r\n{])[:]20:", head) is not None
        and re.search(rb"[\r\n]:(?:25|28C?|60[FM]):", head) is not None
    )


def read(data: bytes, currency: str = "") -> list[Statement]:
    """Its statements. `currency`: of an account that names none (its balances always do)."""
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n")
    parts = list(islice(_parts(text), MOST_STATEMENTS + 1))
    if len(parts) > MOST_STATEMENTS:
        raise Refused("bank.too_many", most=MOST_LINES)
    found = [_statement(part, currency) for part in parts]
    return [statement for n, statement in enumerate(found) if statement not in found[max(0, n - 1) : n]]


def _decoded(data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _parts(text: str) -> Iterator[str]:
    starts = [found.start() for found in re.finditer(r"^:20:", text, re.MULTILINE)]
    for begin, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[begin:end]


@dataclass(slots=True)
class _Head:
    values: dict[str, str] = field(default_factory=dict)


def _statement(part: str, currency: str) -> Statement:
    head, bookings = _cut(part)
    opening = _balance(head.values.get("60", ""))
    closing = _balance(head.values.get("62", ""))
    money = (opening or closing or (None, None, currency))[2] or currency
    collecting = Collecting()
    for number, (line, details) in enumerate(bookings, 1):
        try:
            collecting.add(_line(line, details, money))
        except Unreadable as error:
            collecting.fail(str(number), error)
    days = [line.booked_on for line in collecting.lines]
    account = head.values.get("25", "")
    return Statement(
        account=iban(account.split("/")[-1] if re.match(r"[A-Z]{2}\d\d", account.split("/")[-1]) else account),
        number=clean(head.values.get("28", ""), 40),
        currency=money,
        opening_minor=opening[0] if opening else None,
        closing_minor=closing[0] if closing else None,
        from_on=min(days) if days else (opening[1] if opening else None),
        until_on=max(days) if days else (closing[1] if closing else None),
        lines=tuple(collecting.lines),
        problems=tuple(collecting.problems),
    )


def _cut(part: str) -> tuple[_Head, list[tuple[str, str]]]:
    """The head's fields by tag, and the bookings: field 61 with the 86 behind it."""
    head, bookings, closed = _Head(), list[tuple[str, str]](), False
    tags = list(_TAG.finditer(part))
    for n, tag in enumerate(tags):
        end = tags[n + 1].start() if n + 1 < len(tags) else len(part)
        content = re.sub(r"\n-\}?\s*$", "", part[tag.end() : end].rstrip()).strip("\n")
        name = tag.group(1)
        if name == "61":
            bookings.append((content[:LONGEST_BOOKING], ""))
        elif name == "86":
            if bookings and not closed:
                bookings[-1] = (bookings[-1][0], content[:LONGEST_DETAILS])
        else:
            closed = closed or name == "62"
            head.values.setdefault(name, content.strip())
    return head, bookings


def _balance(written: str) -> tuple[int, date | None, str] | None:
    found = re.match(r"([CD])(\d{6})([A-Z]{3})(\d{1,15}(?:,\d{0,5})?)", written)
    if found is None:
        return None
    mark, day, currency, amount = found.groups()
    try:
        value = minor(Decimal(amount.replace(",", ".").rstrip(".")), currency)
        on = known_day(date.fromisoformat(f"20{day[:2]}-{day[2:4]}-{day[4:]}"))
    except ValueError:
        return None
    return (value if mark == "C" else -value), on, currency


def _line(booking: str, details: str, currency: str) -> Line:
    """One booking: field 61 as the library reads it, field 86 by its structure."""
    # The library reads statement by statement; of one booking it can't mix anything up.
    reader = Transactions(
        processors={"post_transaction_details": []},
        options=Options(reversal_sign=True, case_insensitive_marks=True),
    )
    try:
        reader.parse(f":20:X\n:60F:C250101{currency or 'EUR'}0,\n:61:{booking}\n")
        fields: dict[str, Any] = reader.transactions[0].data
        amount, value = fields["amount"].amount, fields["date"]
    except (ValueError, LookupError, RuntimeError, TypeError, AttributeError, ArithmeticError):
        raise Unreadable("bank.line_unreadable", text=clean(booking, 60)) from None
    booked = fields.get("entry_date") or value
    parts = _parsed(details)
    total = minor(Decimal(amount), currency)
    original, compensation = (_named_amount(parts.get(name, ""), currency) for name in ("OAMT", "COAM"))
    fee = compensation or (abs(total) - original if original and abs(total) > original else 0)
    code = _code(parts, details, total)
    return Line(
        booked_on=known_day(date(booked.year, booked.month, booked.day)),
        value_on=known_day(date(value.year, value.month, value.day)),
        amount_minor=total,
        currency=currency,
        name=clean(parts.get("name", ""), 140),
        iban=iban(parts.get("iban", "")),
        text=clean(parts.get("SVWZ", "") or parts.get("text", "") or fields.get("extra_details"), 500),
        end_to_end_id=reference(parts.get("EREF", "") or _own(fields.get("customer_reference"))),
        mandate_reference=reference(parts.get("MREF", "")),
        bank_reference=reference(fields.get("bank_reference"), 80),
        return_code=code,
        fee_minor=fee if code else 0,
    )


def _own(written: str | None) -> str:
    """The customer reference of field 61, unless it only says where to look."""
    return "" if (written or "").strip().upper() in ("NONREF", "KREF+", "") else str(written)


def _parsed(details: str) -> dict[str, str]:
    """Field 86: its transaction code, texts, name and account, and the keywords of its purpose."""
    joined = details.replace("\n", "")
    found: dict[str, str] = {}
    structured = re.match(r"(\d{3})\?(?=\d\d)", joined)
    if structured is None:
        purpose = details.replace("\n", " ")
    else:
        found["code"] = structured.group(1)
        fields: dict[str, str] = {}
        for piece in re.finditer(r"\?(\d\d)([^?]*)", joined):
            fields[piece.group(1)] = fields.get(piece.group(1), "") + piece.group(2)
        found["booking"] = fields.get("00", "")
        found["iban"], found["reason"] = fields.get("31", ""), fields.get("34", "")
        found["name"] = " ".join(filter(None, (fields.get("32", "").strip(), fields.get("33", "").strip())))
        # A keyword begins a new field; other text runs on over the edge of a field, blanks included.
        purpose = ""
        for number in [*range(20, 30), *range(60, 64)]:
            piece_of = fields.get(f"{number}", "")
            purpose += ("\x1f" if re.match(rf"(?:{'|'.join(_KEYWORDS)})[+:]", piece_of) else "") + piece_of
    found |= _keywords(purpose)
    found.setdefault("iban", "")
    found["iban"] = found["iban"] or found.get("IBAN", "")
    found["name"] = found.get("name", "") or found.get("ABWA", "")
    return found


def _keywords(purpose: str) -> dict[str, str]:
    found: dict[str, str] = {}
    text = purpose.replace("\x1f", "\n")
    marks = list(_KEYWORD.finditer(text))
    found["text"] = (text[: marks[0].start()] if marks else text).replace("\n", " ")
    for n, mark in enumerate(marks):
        end = marks[n + 1].start() if n + 1 < len(marks) else len(text)
        found.setdefault(mark.group(1) or mark.group(2), text[mark.end() : end].replace("\n", " ").strip())
    return found


def _named_amount(written: str, currency: str) -> int:
    """An amount such as 11,90 or EUR11,90 in minor units; 0 where there is none."""
    found = re.search(r"(\d{1,15})(?:[,.](\d{1,5}))?", written)
    if found is None:
        return 0
    try:
        return minor(Decimal(f"{found.group(1)}.{found.group(2) or '0'}"), currency)
    except Unreadable:
        return 0


def _code(parts: dict[str, str], details: str, amount: int) -> str:
    """The ISO code of a return; `MS03` (no reason given) where only the kind of booking says that it is one."""
    upper = details.replace("\n", "").upper()
    is_return = parts.get("code") in _RETURNS or "RETOURE" in upper or "RÜCKLAST" in upper or "RUECKLAST" in upper
    german = parts.get("reason", "").strip()[:3]
    if german in _GERMAN and (is_return or amount < 0):
        return _GERMAN[german]
    found = _REASON.search(re.sub(r"\?\d\d", " ", upper))
    if found is not None and found.group(1) in _CODES:
        return found.group(1)
    return "MS03" if is_return and amount < 0 else ""


__all__ = ["looks_like", "read"]
