"""Bank files as banks write them: camt.053 and camt.054 from lists of entries, by the ISO 20022 message definitions."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.factories import BY, TODAY, at_noon

FILES = Path(__file__).parent / "files"
_ENTRY = r'<Ntry><Amt Ccy="EUR">([0-9.]+)</Amt><CdtDbtInd>(\w+)</CdtDbtInd>'
OWN = "DE02120300000000202051"
ERIKA = "DE89370400440532013000"
MAX = "DE02500105170137075030"


@dataclass(frozen=True)
class Booking:
    """One transaction; `amount` in whole units, above zero money in."""

    amount: str
    text: str = ""
    on: date = TODAY
    name: str = "Erika Muster"
    iban: str = ERIKA
    end_to_end: str = "NOTPROVIDED"
    mandate: str = ""
    code: str = ""
    fee: str = ""
    reference: str = ""
    creditor_reference: str = ""


def _details(one: Booking, *, version: str, in_batch: bool) -> str:
    amount = Decimal(one.amount)
    side = "Dbtr" if (amount > 0) != bool(one.code) else "Cdtr"
    party = f"<Pty><Nm>{escape(one.name)}</Nm></Pty>" if version == "08" else f"<Nm>{escape(one.name)}</Nm>"
    mandate = f"<MndtId>{one.mandate}</MndtId>" if one.mandate else ""
    own = f"<AcctSvcrRef>{one.reference}</AcctSvcrRef>" if one.reference else ""
    total = abs(amount)
    amounts = ""
    if in_batch:
        amounts = f'<AmtDtls><TxAmt><Amt Ccy="EUR">{total}</Amt></TxAmt></AmtDtls>'
        if version == "08":
            amounts = f'<Amt Ccy="EUR">{total}</Amt><CdtDbtInd>{"CRDT" if amount > 0 else "DBIT"}</CdtDbtInd>'
    charges = ""
    if one.fee:
        record = f'<Amt Ccy="EUR">{one.fee}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        charges = f"<Chrgs><Rcrd>{record}</Rcrd></Chrgs>" if version == "08" else f"<Chrgs>{record}</Chrgs>"
    strd = (
        f"<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>{one.creditor_reference}</Ref>"
        "</CdtrRefInf></Strd>"
        if one.creditor_reference
        else ""
    )
    text = f"<Ustrd>{escape(one.text)}</Ustrd>" if one.text else ""
    remittance = f"<RmtInf>{text}{strd}</RmtInf>" if text or strd else ""
    account = f"<{side}Acct><Id><IBAN>{one.iban}</IBAN></Id></{side}Acct>" if one.iban else ""
    returned = f"<RtrInf><Rsn><Cd>{one.code}</Cd></Rsn></RtrInf>" if one.code else ""
    return (
        f"<TxDtls><Refs>{own}<EndToEndId>{one.end_to_end}</EndToEndId>{mandate}</Refs>{amounts}{charges}"
        f"<RltdPties><{side}>{party}</{side}>{account}</RltdPties>{remittance}{returned}</TxDtls>"
    )


def entry(
    *bookings: Booking, version: str = "08", reference: str = "", status: str = "BOOK", details: bool = True
) -> str:
    """One entry; of several bookings a batch."""
    total = sum(Decimal(one.amount) for one in bookings)
    first = bookings[0]
    sts = f"<Sts><Cd>{status}</Cd></Sts>" if version == "08" else f"<Sts>{status}</Sts>"
    parts = "".join(_details(one, version=version, in_batch=len(bookings) > 1) for one in bookings)
    batch = f"<Btch><NbOfTxs>{len(bookings)}</NbOfTxs></Btch>" if len(bookings) > 1 else ""
    inner = f"<NtryDtls>{batch}{parts}</NtryDtls>" if details else ""
    svcr = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    return (
        f'<Ntry><Amt Ccy="EUR">{abs(total)}</Amt><CdtDbtInd>{"CRDT" if total > 0 else "DBIT"}</CdtDbtInd>{sts}'
        f"<BookgDt><Dt>{first.on}</Dt></BookgDt><ValDt><Dt>{first.on}</Dt></ValDt>{svcr}"
        f"<BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd>{inner}</Ntry>"
    )


def camt053(
    *entries: str, opening: str = "0.00", closing: str | None = None, number: str = "1", on: date = TODAY,
    version: str = "08", kind: str = "053", account: str = OWN,
) -> bytes:  # fmt: skip
    """A whole message; without `closing` its statement ends with what the entries come to."""
    end = closing
    if end is None:
        moved = sum(
            Decimal(amount) * (1 if mark == "CRDT" else -1)
            for amount, mark in re.findall(_ENTRY, "".join(entries))
        )  # fmt: skip
        end = str(Decimal(opening) + moved)
    message, holder = ("BkToCstmrStmt", "Stmt") if kind == "053" else ("BkToCstmrDbtCdtNtfctn", "Ntfctn")

    def balance(code: str, amount: str) -> str:
        value = Decimal(amount)
        return (
            f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{abs(value)}</Amt>'
            f"<CdtDbtInd>{'CRDT' if value >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>{on}</Dt></Dt></Bal>"
        )

    balances = balance("OPBD", opening) + balance("CLBD", end) if kind == "053" else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"><{message}>'
        f"<GrpHdr><MsgId>M{number}</MsgId><CreDtTm>{on}T20:00:00</CreDtTm></GrpHdr>"
        f"<{holder}><Id>S{number}</Id><ElctrncSeqNb>{number}</ElctrncSeqNb><CreDtTm>{on}T20:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>{balances}{''.join(entries)}"
        f"</{holder}></{message}></Document>"
    ).encode()


def read_in(company: Any, data: bytes, *, on: date = TODAY, name: str = "statement.xml", **more: Any) -> Any:
    """Imports it as staff do."""
    from billing.services import statements

    return statements.import_statement(company=company, data=data, name=name, by=BY, at=at_noon(on), **more)


def lines_of(company: Any) -> list[Any]:
    from billing.models import BankLine

    return list(BankLine.objects.filter(company=company).order_by("pk"))


__all__ = ["Booking", "camt053", "entry", "lines_of", "read_in", "replace"]
