"""camt.053 and camt.054 of ISO 20022, versions 001.02 to 001.08 and later: statements and notifications in XML.

The rule that matters: no document type, no entity, UTF-8 only, and limits on size and depth, before and while it is
read; a batch entry becomes one line per transaction, and only entries that are booked count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from io import BytesIO
from typing import Any, Final

from lxml import etree

from billing.bank_formats.base import (
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

_SPACE: Final = re.compile(r"^urn:(?:iso:std:iso:20022:tech:xsd|swift:xsd:\$?):?(camt\.05[34])\.001\.\d\d$")
_DECLARED: Final = re.compile(rb"^\xef\xbb\xbf?\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']+)[\"']|"
                              rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']+)[\"']")  # fmt: skip
_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
#: The element that holds the lines of one account, by message.
_HOLDERS: Final = {"camt.053": "Stmt", "camt.054": "Ntfctn"}
#: Codes of the balance at the beginning and at the end.
_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = ("CLBD",)
#: Levels of elements; the messages have less than 20.
DEPTH: Final = 40


def looks_like(head: bytes) -> bool:
    """Whether a file begins as XML does."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"<") or head.startswith((b"\xff\xfe<", b"\xfe\xff\0<", b"<\0", b"\0<"))


def kind_of(data: bytes) -> str:
    """camt.053 or camt.054, by the first kilobytes. Refuses `bank.unknown` for other XML and what `_checked` does."""
    _checked(data)
    found = re.search(rb"camt\.05[34]\.001", data[:4096])
    if found is None:
        raise Refused("bank.unknown")
    return found.group()[:8].decode()


def read(data: bytes) -> tuple[str, list[Statement]]:
    """The message's kind and its statements. Refuses `bank.not_utf8`, `bank.doctype`, `bank.broken`, `bank.unknown`."""
    _checked(data)
    kind, found = "", list[Statement]()
    try:
        for holder, statement in _statements(data):
            kind = kind or holder
            found.append(statement)
    except etree.XMLSyntaxError as error:
        raise Refused("bank.broken", detail=clean(error.msg, 200)) from None
    if not kind:
        raise Refused("bank.unknown")
    return kind, found


def _checked(data: bytes) -> None:
    declared = _DECLARED.match(data)
    named = (declared.group(1) or declared.group(2)).decode("latin-1").lower() if declared else "utf-8"
    if named not in _UTF8:
        raise Refused("bank.not_utf8")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("bank.not_utf8") from None
    if b"\0" in data:
        raise Refused("bank.not_utf8")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Refused("bank.doctype")


def _statements(data: bytes) -> Iterator[tuple[str, Statement]]:
    """Statements one after the other; what was read of the tree is let go."""
    events = etree.iterparse(
        BytesIO(data), events=("start", "end"), resolve_entities=False, load_dtd=False, no_network=True,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    depth, kind, holder, collecting, account = 0, "", "", Collecting(), ""
    for event, element in events:
        if event == "start":
            depth += 1
            if depth > DEPTH:
                raise Refused("bank.broken", detail=f"more than {DEPTH} levels")
            if depth == 1:
                space = _SPACE.match(etree.QName(element).namespace or "")
                if space is None:
                    raise Refused("bank.unknown")
                kind = space.group(1)
                holder = _HOLDERS[kind]
            continue
        depth -= 1
        name = _name(element)
        if name == "Acct" and depth == 3:
            account = _account(element)
        if name == "Ntry" and depth == 3:
            _entry(element, collecting, currency_of=_text(element.getparent(), "Acct", "Ccy"))
            element.clear()
            previous = element.getprevious()
            while previous is not None and _name(previous) == "Ntry":
                element.getparent().remove(previous)
                previous = element.getprevious()
        if name == holder and depth == 2:
            yield kind, _whole(element, account, collecting)
            element.clear()
            collecting, account = Collecting(), ""


def _whole(element: Any, account: str, collecting: Collecting) -> Statement:
    balances = _balances(element)
    opening = next((balances[code] for code in _OPENING if code in balances), None)
    closing = next((balances[code] for code in _CLOSING if code in balances), None)
    first, last = opening or closing, closing or opening
    days = [line.booked_on for line in collecting.lines]
    currency = _text(element, "Acct", "Ccy") or (first.currency if first else "")
    if not currency and len(used := {line.currency for line in collecting.lines}) == 1:
        currency = used.pop()
    period = _child(element, "FrToDt")
    return Statement(
        account=account,
        number=clean(_text(element, "LglSeqNb") or _text(element, "ElctrncSeqNb") or _text(element, "Id"), 40),
        currency=clean(currency, 3),
        opening_minor=opening.minor if opening else None,
        closing_minor=closing.minor if closing else None,
        from_on=_day_or_none(period, "FrDtTm", "FrDt") or (min(days) if days else opening.day if opening else None),
        until_on=_day_or_none(period, "ToDtTm", "ToDt") or (max(days) if days else last.day if last else None),
        lines=tuple(collecting.lines),
        problems=tuple(collecting.problems),
    )


@dataclass(frozen=True, slots=True)
class _Balance:
    minor: int
    currency: str
    day: date | None


def _balances(element: Any) -> dict[str, _Balance]:
    """Balances by code; of several of one code the first counts for the opening, the last for the closing."""
    found: dict[str, _Balance] = {}
    for balance in _children(element, "Bal"):
        code = _text(balance, "Tp", "CdOrPrtry", "Cd")
        amount = _child(balance, "Amt")
        if not code or amount is None or (code in found and code not in _CLOSING):
            continue
        try:
            currency = amount.get("Ccy", "")
            value = minor(_decimal(amount.text), currency)
        except Unreadable:
            continue
        sign = -1 if _text(balance, "CdtDbtInd") == "DBIT" else 1
        found[code] = _Balance(sign * value, currency, _day_or_none(_child(balance, "Dt"), "Dt", "DtTm"))
    return found


def _entry(entry: Any, collecting: Collecting, currency_of: str) -> None:
    """Adds the lines of an entry: one per transaction of a batch, where they add up to it."""
    place = clean(_text(entry, "NtryRef") or _text(entry, "AcctSvcrRef") or str(collecting.count + 1), 60)
    status = _text(entry, "Sts", "Cd") or _text(entry, "Sts")
    if status not in ("", "BOOK"):
        return
    try:
        lines = _lines(entry, currency_of)
    except Unreadable as error:
        collecting.fail(place, error)
        return
    for line in lines:
        collecting.add(line)


def _lines(entry: Any, currency_of: str) -> list[Line]:
    amount = _child(entry, "Amt")
    if amount is None:
        raise Unreadable("bank.line_amount", value="")
    currency = amount.get("Ccy") or currency_of
    whole = _signed(entry, amount, currency)
    booked = _day_or_none(_child(entry, "BookgDt"), "Dt", "DtTm")
    value = _day_or_none(_child(entry, "ValDt"), "Dt", "DtTm")
    on = booked or value
    if on is None:
        raise Unreadable("bank.line_day", value="")
    batch = reference(_text(entry, "AcctSvcrRef") or _text(entry, "NtryRef"))
    basis = Line(
        booked_on=on, amount_minor=whole, currency=currency, value_on=value, bank_reference=batch,
        text=clean(_text(entry, "AddtlNtryInf"), 500),
        return_code=_return_code(entry),
    )  # fmt: skip
    details = [detail for part in _children(entry, "NtryDtls") for detail in _children(part, "TxDtls")]
    if not details:
        message = _text(entry, "NtryDtls", "Btch", "PmtInfId") or _text(entry, "NtryDtls", "Btch", "MsgId")
        return [replace(basis, end_to_end_id=reference(message), fee_minor=_fee(entry, currency))]
    if len(details) == 1:
        own = reference(_text(details[0], "Refs", "AcctSvcrRef"))
        fee = _fee(details[0], currency) or _fee(entry, currency)
        return [_detail(details[0], basis, whole, fee, batch or own)]
    fees = [_fee(detail, currency) for detail in details]
    amounts = [_amount_of(detail, currency, whole) for detail in details]
    for with_fees in (False, True):
        # Banks write the original amount of a return, and its fee beside it, or both in one.
        sums = [
            amount - (fee if with_fees else 0) if amount is not None else None
            for amount, fee in zip(amounts, fees, strict=True)
        ]
        if None not in sums and sum(filter(None, sums)) == whole:
            names = [reference(_text(detail, "Refs", "AcctSvcrRef")) or str(n) for n, detail in enumerate(details, 1)]
            return [
                _detail(detail, basis, part or 0, fee, f"{batch}/{own}")
                for detail, part, fee, own in zip(details, sums, fees, names, strict=True)
            ]
    raise Unreadable("bank.batch_sum", value=clean(amount.text, 40))


def _detail(detail: Any, basis: Line, amount: int, fee: int, own: str) -> Line:
    """A line of one transaction; who paid is the debtor of money in, the creditor of money out.

    A return names the parties of the original payment: the money that left us had come from its debtor.
    """
    code = _return_code(detail) or basis.return_code
    # A returned debit of ours was drawn on the debtor; a returned transfer of ours went to the creditor.
    side = ("Dbtr" if amount < 0 else "Cdtr") if code else ("Dbtr" if amount > 0 else "Cdtr")
    other = "Cdtr" if side == "Dbtr" else "Dbtr"
    parties = _child(detail, "RltdPties")
    name = _party(parties, side) or ("" if not code else _party(parties, other))
    number = _text(parties, f"{side}Acct", "Id", "IBAN") or _text(parties, f"{side}Acct", "Id", "Othr", "Id")
    words = [part.text or "" for rmt in _children(detail, "RmtInf") for part in _children(rmt, "Ustrd")]
    structured = [
        _text(strd, "CdtrRefInf", "Ref") for rmt in _children(detail, "RmtInf") for strd in _children(rmt, "Strd")
    ]
    text = " ".join([*filter(None, structured), *words]) or _text(detail, "AddtlTxInf") or basis.text
    return replace(
        basis,
        amount_minor=amount,
        name=clean(name, 140),
        iban=iban(number),
        text=clean(text, 500),
        end_to_end_id=reference(_text(detail, "Refs", "EndToEndId")),
        mandate_reference=reference(_text(detail, "Refs", "MndtId")),
        bank_reference=clean(own, 80),
        return_code=code,
        fee_minor=fee,
    )


def _party(parties: Any, side: str) -> str:
    # Version 8 puts the party below an element of its own.
    return (
        _text(parties, f"Ultmt{side}", "Pty", "Nm")
        or _text(parties, f"Ultmt{side}", "Nm")
        or _text(parties, side, "Pty", "Nm")
        or _text(parties, side, "Nm")
    )


def _amount_of(detail: Any, currency: str, whole: int) -> int | None:
    """What a transaction of a batch moved, signed; None where it says nothing in the account's currency."""
    for path in (("Amt",), ("AmtDtls", "TxAmt", "Amt"), ("AmtDtls", "InstdAmt", "Amt")):
        amount = _find(detail, *path)
        if amount is not None and (amount.get("Ccy") or currency) == currency:
            value = minor(_decimal(amount.text), currency)
            sign = _text(detail, "CdtDbtInd")
            return value * ((1 if sign == "CRDT" else -1) if sign else (1 if whole > 0 else -1))
    return None


def _fee(element: Any, currency: str) -> int:
    """Charges of the bank that lower the amount, in minor units."""
    total = 0
    for charges in _children(element, "Chrgs"):
        for record in _children(charges, "Rcrd") or [charges]:
            amount = _child(record, "Amt")
            if amount is None:
                amount = _child(record, "TtlChrgsAndTaxAmt")
            if amount is not None and (amount.get("Ccy") or currency) == currency:
                sign = -1 if _text(record, "CdtDbtInd") == "CRDT" else 1
                total += sign * minor(_decimal(amount.text), currency)
    return max(total, 0)


def _return_code(element: Any) -> str:
    return clean(_text(element, "RtrInf", "Rsn", "Cd") or _text(element, "RtrInf", "Rsn", "Prtry"), 4).upper()


def _signed(entry: Any, amount: Any, currency: str) -> int:
    sign = _text(entry, "CdtDbtInd")
    if sign not in ("CRDT", "DBIT"):
        raise Unreadable("bank.line_amount", value=clean(amount.text, 40))
    return (1 if sign == "CRDT" else -1) * minor(_decimal(amount.text), currency)


def _decimal(text: str | None) -> Decimal:
    written = (text or "").strip()
    if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{0,5})?", written, re.ASCII):
        raise Unreadable("bank.line_amount", value=clean(written, 40))
    try:
        return Decimal(written)
    except InvalidOperation:
        raise Unreadable("bank.line_amount", value=clean(written, 40)) from None


def _day_or_none(element: Any, *names: str) -> date | None:
    for name in names:
        written = _text(element, name)
        if written:
            try:
                return known_day(date.fromisoformat(written[:10]))
            except ValueError as error:
                if isinstance(error, Unreadable):
                    raise
                raise Unreadable("bank.line_day", value=clean(written, 40)) from None
    return None


def _account(element: Any) -> str:
    return iban(_text(element, "Id", "IBAN") or _text(element, "Id", "Othr", "Id"))


def _name(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _children(element: Any, name: str) -> list[Any]:
    return [] if element is None else [child for child in element if _name(child) == name]


def _child(element: Any, name: str) -> Any:
    return next(iter(_children(element, name)), None)


def _find(element: Any, *path: str) -> Any:
    for name in path:
        element = _child(element, name)
        if element is None:
            return None
    return element


def _text(element: Any, *path: str) -> str:
    found = _find(element, *path)
    return (found.text or "").strip() if found is not None else ""
