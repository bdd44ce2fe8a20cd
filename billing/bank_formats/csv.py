"""CSV of many banks: encoding, delimiter, decimal sign and columns are guessed, or the columns named by a person.

The rule that matters: a guess that isn't certain is refused with what is missing; a row that can't be read is reported
and stops no other.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from io import StringIO
from itertools import islice
from typing import Final

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
from core.refusal import Refused
from core.texts import sort_key

#: field: headings of its column, folded (without case, accents and signs), the surest first
HEADINGS: Final[dict[str, tuple[str, ...]]] = {
    "booked_on": (
        "buchungstag", "buchungsdatum", "buchung", "booking date", "bookingdate", "date de comptabilisation",
        "date operation", "date d operation", "data contabile", "data operazione", "fecha operacion",
        "fecha contable", "transaction date", "completed date", "datum", "date", "data", "fecha", "settlement date",
    ),
    "value_on": (
        "valutadatum", "wertstellung", "wertstellungstag", "valuta", "value date", "valuedate", "date de valeur",
        "date valeur", "data valuta", "fecha valor",
    ),
    "amount": (
        "betrag", "betrag eur", "betrag in eur", "umsatz", "amount", "amount eur", "amount (eur)", "montant",
        "montant eur", "importo", "importe", "total amount", "betrag (eur)", "betrag (€)",
    ),
    "credit": ("haben", "gutschrift", "credit", "credit amount", "paid in", "money in", "avere", "entrate", "haber",
               "abono", "credito", "accrediti"),
    "debit": ("soll", "lastschrift", "debit", "debit amount", "paid out", "money out", "dare", "uscite", "debe",
              "cargo", "debito", "addebiti"),
    "sign": ("soll/haben", "s/h", "s h", "soll haben kennzeichen", "debit/credit", "credit/debit", "dc", "type cd",
             "cdtdbtind"),
    "currency": ("waehrung", "wahrung", "currency", "devise", "divisa", "valuta code", "ccy", "moneda"),
    "name": (
        "beguenstigter/zahlungspflichtiger", "begunstigter/zahlungspflichtiger", "name zahlungsbeteiligter",
        "auftraggeber/empfaenger", "auftraggeber/empfanger", "auftraggeber / beguenstigter",
        "auftraggeber / begunstigter", "zahlungspflichtige*r", "zahlungspflichtiger", "partner name", "payee",
        "counterparty name", "counterparty", "beneficiary / originator", "payer", "name", "nom", "contrepartie",
        "controparte", "ordinante", "beneficiario", "empfanger", "empfaenger", "auftraggeber", "payer name",
    ),
    "iban": (
        "kontonummer/iban", "iban zahlungsbeteiligter", "iban / account number", "partner iban", "counterparty iban",
        "account number", "iban", "kontonummer", "auftraggeber iban", "konto", "payer account number",
        "iban contrepartie",
    ),
    "text": (
        "verwendungszweck", "vorgang/verwendungszweck", "payment reference", "payment details", "reference", "purpose",
        "description", "libelle", "causale", "concepto", "descrizione", "buchungstext/verwendungszweck", "details",
        "zahlungsgrund", "motif", "remittance information",
    ),
    "end_to_end_id": ("kundenreferenz (end-to-end)", "kundenreferenz", "end-to-end-referenz", "end to end reference",
                      "end-to-end reference", "endtoendid", "end to end id", "customer reference"),
    "mandate_reference": ("mandatsreferenz", "mandate reference", "mandat"),
    "bank_reference": ("bankreferenz", "bank reference", "transaction id", "id", "buchungsreferenz", "umsatz id",
                       "transferwise id"),
    "account": ("auftragskonto", "iban auftragskonto", "eigene iban", "own iban", "account iban", "ihr konto"),
    "fee": ("auslagenersatz ruecklastschrift", "auslagenersatz rucklastschrift", "fee", "fees", "gebuhr", "frais",
            "total fees"),
    "original": ("lastschrift ursprungsbetrag", "ursprungsbetrag", "original amount"),
}  # fmt: skip
FIELDS: Final = tuple(HEADINGS)
DELIMITERS: Final = ";,\t|"
#: Lines above the headings in which banks write the account and the period.
_PREAMBLE: Final = 40
#: A row with more columns is none of headings.
MOST_COLUMNS: Final = 200
_MONEY_IN: Final = frozenset({"h", "haben", "c", "cr", "crdt", "credit", "in", "+", "gutschrift"})
_MONEY_OUT: Final = frozenset({"s", "soll", "d", "dr", "dbit", "debit", "out", "-", "lastschrift"})


@dataclass(frozen=True, slots=True)
class _Sheet:
    rows: list[list[str]]
    first: int
    columns: dict[str, int]
    delimiter: str


def looks_like(head: bytes) -> bool:
    """Whether a beginning is text with columns."""
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    text = _decoded(head)
    lines = [line for line in text.splitlines() if line.strip()][:_PREAMBLE]
    return any(line.count(sign) >= 2 for line in lines for sign in DELIMITERS)


def read(data: bytes, *, columns: Mapping[str, str] | None = None, currency: str = "") -> list[Statement]:
    """One statement per account and currency. `columns`: field (see `FIELDS`) to heading or to number from 1.

    Refuses `bank.columns` while day or amount are not known, and `bank.broken`.
    """
    sheet = _sheet(_decoded(data), columns)
    cells = sheet.rows[sheet.first :]
    decimal = _decimal_sign(sheet, cells)
    month_first = _is_month_first([_cell(row, sheet, "booked_on") for row in cells])
    found: dict[tuple[str, str], Collecting] = {}
    failed = Collecting()
    for number, row in enumerate(cells, sheet.first + 1):
        if not any(cell.strip() for cell in row):
            continue
        try:
            key, lines = _lines(row, sheet, decimal, month_first, currency)
        except Unreadable as error:
            if _cell(row, sheet, "booked_on") or _amount_text(row, sheet):
                failed.fail(str(number), error)
            continue
        for line in lines:
            found.setdefault(key, Collecting()).add(line)
    statements = [_statement(account, code, part) for (account, code), part in found.items()]
    if failed.problems:
        first = statements[0] if statements else Statement()
        statements[:1] = [
            Statement(**{name: getattr(first, name) for name in first.__dataclass_fields__ if name != "problems"},
                      problems=tuple(failed.problems))
        ]  # fmt: skip
    return statements


def _statement(account: str, currency: str, part: Collecting) -> Statement:
    days = [line.booked_on for line in part.lines]
    return Statement(
        account=account, currency=currency, from_on=min(days, default=None), until_on=max(days, default=None),
        lines=tuple(part.lines),
    )  # fmt: skip


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The beginning of a file may end within a letter.
        if error.start >= len(data) - 4 and len(data) == 4096:
            return data[: error.start].decode("utf-8-sig")
        return data.decode("cp1252", "replace")


def _sheet(text: str, columns: Mapping[str, str] | None) -> _Sheet:
    text = text.replace("\0", "")
    try:
        for sign in _by_frequency(text):
            for first, row in enumerate(islice(_rows(text, sign), _PREAMBLE)):
                found = None if len(row) > MOST_COLUMNS else _named(row, columns) if columns else _guessed(row)
                if found is not None:
                    rows = list(islice(_rows(text, sign), MOST_LINES + first + 2))
                    if len(rows) > MOST_LINES + first + 1:
                        raise Refused("bank.too_many", most=MOST_LINES)
                    return _Sheet(rows, first + 1, found, sign)
    except csv.Error as error:
        raise Refused("bank.broken", detail=clean(str(error), 200)) from None
    raise Refused("bank.columns", field="columns")


def _rows(text: str, sign: str) -> Iterator[list[str]]:
    return csv.reader(StringIO(text, newline=""), delimiter=sign)


def _by_frequency(text: str) -> list[str]:
    lines = text.splitlines()[: _PREAMBLE * 2]
    weight = {sign: Counter(line.count(sign) for line in lines if line.count(sign) > 1) for sign in DELIMITERS}
    return sorted(DELIMITERS, key=lambda sign: -max(weight[sign].values(), default=0))


def _folded(heading: str) -> str:
    """A heading without case, accents and repeated blanks.

    >>> _folded(" Beguenstigter/Zahlungspflichtiger "), _folded("Währung")
    ('beguenstigter/zahlungspflichtiger', 'wahrung')
    """
    return sort_key(heading.replace("_", " ").replace("'", " ").replace("\ufeff", ""))


def _guessed(row: Sequence[str]) -> dict[str, int] | None:
    """The columns by their headings; None where the row is none of headings."""
    names = [_folded(cell) for cell in row]
    found: dict[str, int] = {}
    for field, headings in HEADINGS.items():
        for heading in headings:
            place = next((n for n, name in enumerate(names) if name == heading and n not in found.values()), None)
            if place is not None:
                found[field] = place
                break
    return found if _suffices(found) else None


def _named(row: Sequence[str], columns: Mapping[str, str]) -> dict[str, int] | None:
    unknown = sorted(set(columns) - set(FIELDS))
    if unknown:
        raise Refused("bank.columns", field="columns")
    names = [_folded(cell) for cell in row]
    found: dict[str, int] = {}
    for field, heading in columns.items():
        if not heading:
            continue
        if heading.isascii() and heading.isdigit() and 1 <= int(heading) <= len(row):
            found[field] = int(heading) - 1
        elif _folded(heading) in names:
            found[field] = names.index(_folded(heading))
        else:
            return None
    if not _suffices(found):
        raise Refused("bank.columns", field="columns")
    return found


def _suffices(found: Mapping[str, int]) -> bool:
    return "booked_on" in found and ("amount" in found or ("credit" in found and "debit" in found))


def _cell(row: Sequence[str], sheet: _Sheet, field: str) -> str:
    place = sheet.columns.get(field)
    return row[place].strip() if place is not None and place < len(row) else ""


def _amount_text(row: Sequence[str], sheet: _Sheet) -> str:
    return _cell(row, sheet, "amount") or _cell(row, sheet, "credit") or _cell(row, sheet, "debit")


def _decimal_sign(sheet: _Sheet, rows: Sequence[Sequence[str]]) -> str:
    """The decimal sign of the file: what most amounts leave no doubt about; else what goes with the delimiter."""
    votes: Counter[str] = Counter()
    for row in rows:
        for field in ("amount", "credit", "debit"):
            digits = re.sub(r"[^0-9.,]", "", _cell(row, sheet, field))
            marks = [sign for sign in digits if sign in ".,"]
            if not marks:
                continue
            last = marks[-1]
            behind = len(digits) - digits.rindex(last) - 1
            if len(set(marks)) == 2 or (len(marks) == 1 and behind != 3):
                votes[last] += 1
            elif len(marks) > 1:
                votes["." if last == "," else ","] += 1
    if votes:
        return votes.most_common(1)[0][0]
    return "." if sheet.delimiter == "," else ","


def _is_month_first(days: Sequence[str]) -> bool:
    """Whether 01/02/2026 is the second of January: only where some day can't be read otherwise."""
    parts = [re.match(r"(\d{1,2})/(\d{1,2})/", day) for day in days]
    pairs = [(int(part.group(1)), int(part.group(2))) for part in parts if part]
    return any(second > 12 for _, second in pairs) and all(first <= 12 for first, _ in pairs)


def _day(written: str, month_first: bool) -> date:
    written = written.strip().split(" ")[0].split("T")[0]
    try:
        if found := re.fullmatch(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", written):
            year, month, day = (int(part) for part in found.groups())
        elif found := re.fullmatch(r"(\d{1,2})[./-](\d{1,2})[./-](\d{2}|\d{4})", written):
            day, month, year = (int(part) for part in found.groups())
            if month_first and "/" in written:
                day, month = month, day
            year += 2000 if year < 100 else 0
        elif re.fullmatch(r"\d{8}", written):
            year, month, day = int(written[:4]), int(written[4:6]), int(written[6:])
        else:
            raise Unreadable("bank.line_day", value=clean(written, 40))
        return known_day(date(year, month, day))
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("bank.line_day", value=clean(written, 40)) from None


def _number(written: str, decimal: str) -> Decimal:
    """An amount as people write it: 1.234,56, -1,234.56, 12,00-, 1 234,56 EUR."""
    bare = re.sub(r"[\s'\u00a0\u202f’]|EUR|€|CHF|USD|GBP|\$|£", "", written)
    bare = bare.replace("−", "-").replace("–", "-")
    negative = bare.startswith("-") or bare.endswith("-") or (bare.startswith("(") and bare.endswith(")"))
    digits = bare.strip("+-()")
    other = "," if decimal == "." else "."
    whole, _, part = digits.partition(decimal)
    if not re.fullmatch(rf"\d{{1,15}}|\d{{1,3}}(?:{re.escape(other)}\d{{3}}){{1,4}}", whole or "0", re.ASCII):
        raise Unreadable("bank.line_amount", value=clean(written, 40))
    if part and not re.fullmatch(r"\d{1,5}", part, re.ASCII):
        raise Unreadable("bank.line_amount", value=clean(written, 40))
    try:
        value = Decimal(f"{whole.replace(other, '') or '0'}.{part or '0'}")
    except InvalidOperation:
        raise Unreadable("bank.line_amount", value=clean(written, 40)) from None
    return -value if negative else value


def _amount(row: Sequence[str], sheet: _Sheet, decimal: str) -> Decimal:
    if written := _cell(row, sheet, "amount"):
        value = _number(written, decimal)
        sign = _cell(row, sheet, "sign").casefold()
        if sign in _MONEY_OUT:
            return -abs(value)
        return abs(value) if sign in _MONEY_IN else value
    credit, debit = _cell(row, sheet, "credit"), _cell(row, sheet, "debit")
    if not credit and not debit:
        raise Unreadable("bank.line_amount", value="")
    return (abs(_number(credit, decimal)) if credit else Decimal(0)) - (
        abs(_number(debit, decimal)) if debit else Decimal(0)
    )


def _lines(
    row: Sequence[str], sheet: _Sheet, decimal: str, month_first: bool, currency: str
) -> tuple[tuple[str, str], list[Line]]:
    code = (_cell(row, sheet, "currency").upper() or currency).replace("€", "EUR")
    if not code:
        raise Unreadable("bank.line_currency", value="")
    amount = minor(_amount(row, sheet, decimal), code)
    value = _cell(row, sheet, "value_on")
    fee = _cell(row, sheet, "fee")
    text = _cell(row, sheet, "text")
    found = re.search(r"\b(?:RETURN|RETOURE|R-?GRUND|GRUND|REASON)[^A-Z0-9]{0,3}([A-Z]{2}\d{2})\b", text.upper())
    return (iban(_cell(row, sheet, "account")), code), [
        Line(
            booked_on=_day(_cell(row, sheet, "booked_on"), month_first),
            value_on=_day(value, month_first) if value else None,
            amount_minor=amount,
            currency=code,
            name=clean(_cell(row, sheet, "name"), 140),
            iban=iban(_cell(row, sheet, "iban")),
            text=clean(text, 500),
            end_to_end_id=reference(_cell(row, sheet, "end_to_end_id")),
            mandate_reference=reference(_cell(row, sheet, "mandate_reference")),
            bank_reference=reference(_cell(row, sheet, "bank_reference"), 80),
            return_code=found.group(1) if found else "",
            fee_minor=abs(minor(_number(fee, decimal), code)) if fee and found else 0,
        )
    ]
