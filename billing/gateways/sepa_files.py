"""Files for the bank: direct debits as pain.008.001.08, transfers as pain.001.001.09. The only importer of sepaxml.

The rule that matters: the same orders give the same bytes, every text is made of SEPA's letters, and no file leaves
here that its schema doesn't accept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from xml.etree import ElementTree

from sepaxml import SepaDD, SepaTransfer
from text_unidecode import unidecode

from pricing import sepa_rules

DEBITS: Final = "pain.008.001.08"
TRANSFERS: Final = "pain.001.001.09"
CURRENCY: Final = "EUR"
#: What stands where a name has no letter that SEPA knows.
NO_NAME: Final = "NOTPROVIDED"
NAME, TEXT = 70, 140
#: The old account when the new one is at another bank.
OTHER_BANK: Final = "SMNDA"


def cleaned(text: str, limit: int) -> str:
    """Letters of any script as SEPA's, at most so many; may be empty."""
    return sepa_rules.bank_text(unidecode(sepa_rules.spelled(text)), limit)


@dataclass(frozen=True, slots=True)
class Party:
    """Who collects, or pays. `creditor_id` only for debits."""

    name: str
    iban: str
    bic: str = ""
    creditor_id: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A postal address in parts; without town and country none is written."""

    street: str
    postal_code: str
    town: str
    country: str


@dataclass(frozen=True, slots=True)
class Amendment:
    """What the bank has to hear: the old account (or `OTHER_BANK`), the old creditor id. Empty: unchanged."""

    account: str = ""
    creditor_id: str = ""


@dataclass(frozen=True, slots=True)
class Debit:
    """One collection, in euro cents."""

    end_to_end_id: str
    amount_minor: int
    reference: str
    signed_on: date
    name: str
    iban: str
    bic: str
    text: str
    place: Place | None = None
    amendment: Amendment | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """One payment, in euro cents."""

    end_to_end_id: str
    amount_minor: int
    name: str
    iban: str
    bic: str
    text: str


class _Fixed:
    """Ids and time are given instead of drawn, so that a file can be made again."""

    _root: str

    def __init__(self, *args: Any, message_id: str, made_at: datetime, **more: Any) -> None:
        self._message_id, self._made_at = message_id, made_at
        super().__init__(*args, **more)

    def _create_header(self) -> None:
        super()._create_header()  # type: ignore[misc]
        header = self._xml.find(f"{self.root_el}/GrpHdr")  # type: ignore[attr-defined]
        header.find("MsgId").text = self._message_id
        header.find("CreDtTm").text = self._made_at.strftime("%Y-%m-%dT%H:%M:%S")

    def _finalize_batch(self) -> None:
        super()._finalize_batch()  # type: ignore[misc]
        for number, part in enumerate(self._xml.iter("PmtInfId"), 1):  # type: ignore[attr-defined]
            part.text = f"{self._message_id}-{number}"


class _Debits(_Fixed, SepaDD):  # type: ignore[misc]
    """Adds what the library leaves out: that a mandate was amended."""

    def _add_to_batch_list(self, TX: Any, payment: Any) -> None:
        amendment: Amendment | None = payment["amendment"]
        if amendment is not None:
            parent = TX["MndtRltdInfNode"]
            _put(parent, "AmdmntInd", "true")
            details = ElementTree.SubElement(parent, "AmdmntInfDtls")
            if amendment.creditor_id:
                identity = _put_in(details, "OrgnlCdtrSchmeId", "Id", "PrvtId", "Othr")
                _put(identity, "Id", amendment.creditor_id)
                _put(ElementTree.SubElement(identity, "SchmeNm"), "Prtry", "SEPA")
            if amendment.account == OTHER_BANK:
                _put(_put_in(details, "OrgnlDbtrAcct", "Id", "Othr"), "Id", OTHER_BANK)
            elif amendment.account:
                _put(_put_in(details, "OrgnlDbtrAcct", "Id"), "IBAN", amendment.account)
        super()._add_to_batch_list(TX, payment)


class _Transfers(_Fixed, SepaTransfer):  # type: ignore[misc]
    pass


def _put(parent: Any, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def _put_in(parent: Any, *tags: str) -> Any:
    for tag in tags:
        parent = ElementTree.SubElement(parent, tag)
    return parent


#: Where the number of a house stands before its street.
_NUMBER_FIRST: Final = frozenset({"AU", "CA", "FR", "GB", "IE", "LU", "MC", "MT", "NZ", "US"})
_LAST: Final = re.compile(
    r"(?P<street>.*[^\W\d].*?),?\s+(?P<number>\d{1,5}\s?[a-zA-Z]?(?:\s?[-/+]\s?\d{0,5}[a-zA-Z]?)?)"
)
_FIRST: Final = re.compile(
    r"(?P<number>\d{1,5}(?:\s?[-/]\s?\d{1,5})?(?:\s?(?:bis|ter|quater|[a-z](?=[\s,])))?),?\s+(?P<street>.*[^\W\d].*)",
    re.IGNORECASE,
)
#: What is numbered and no house; and how long a street is at most that is taken apart.
_BOX: Final = re.compile(
    r"\b(?:postfach|p\.?\s?o\.?\s?box|b\.?p\.?|casella|apartado|postbus|postboks|km)\b", re.IGNORECASE
)
_LONGEST: Final = 200


def street_and_number(text: str, country: str) -> tuple[str, str]:
    """A street and the number of the house, by the country's order; the whole text and nothing where that isn't clear.

    >>> street_and_number("Straße des 17. Juni 135 a", "DE"), street_and_number("12 bis, rue de la Paix", "FR")
    (('Straße des 17. Juni', '135 a'), ('rue de la Paix', '12 bis'))
    >>> street_and_number("Postfach 1234", "DE"), street_and_number("Schlossplatz", "AT")
    (('Postfach 1234', ''), ('Schlossplatz', ''))
    """
    text = text.strip()
    order = _FIRST if country.upper() in _NUMBER_FIRST else _LAST
    found = order.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or _BOX.search(text) is not None:
        return text, ""
    return found["street"].strip(" ,"), found["number"].strip()


def _config(party: Party) -> dict[str, Any]:
    config = {"name": cleaned(party.name, NAME) or NO_NAME, "IBAN": party.iban, "batch": True, "currency": CURRENCY}
    return config | ({"BIC": party.bic} if party.bic else {})


def _address(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {}
    town, country = cleaned(place.town, 35), place.country
    if not town or len(country) != 2 or not country.isascii() or not country.isalpha():
        return {}
    street, number = street_and_number(place.street, country)
    parts = {
        "street_name": cleaned(street, 70), "building_number": cleaned(number, 16),
        "postcode": cleaned(place.postal_code, 16),
    }  # fmt: skip
    return {name: text for name, text in parts.items() if text} | {"town": town, "country": country.upper()}


def debit_file(
    *,
    message_id: str,
    made_at: datetime,
    creditor: Party,
    scheme: str,
    sequence: str,
    collect_on: date,
    debits: Sequence[Debit],
) -> bytes:
    """The file of one collection day, scheme and sequence; valid by its schema, else the library's error."""
    config = _config(creditor) | {"creditor_id": creditor.creditor_id, "instrument": scheme}
    file = _Debits(config, schema=DEBITS, clean=False, message_id=message_id, made_at=made_at)
    for debit in debits:
        payment: dict[str, Any] = {
            "name": cleaned(debit.name, NAME) or NO_NAME,
            "IBAN": debit.iban,
            "amount": debit.amount_minor,
            "type": sequence,
            "collection_date": collect_on,
            "mandate_id": debit.reference,
            "mandate_date": debit.signed_on,
            "description": cleaned(debit.text, TEXT) or NO_NAME,
            "endtoend_id": debit.end_to_end_id,
            "address": _address(debit.place),
            "amendment": debit.amendment,
        }
        file.add_payment(payment | ({"BIC": debit.bic} if debit.bic else {}))
    content = file.export(validate=True)
    assert isinstance(content, bytes)
    return content


def transfer_file(
    *, message_id: str, made_at: datetime, payer: Party, pay_on: date, transfers: Sequence[Transfer]
) -> bytes:
    """The file of transfers to be made on one day; valid by its schema, else the library's error."""
    file = _Transfers(_config(payer), schema=TRANSFERS, clean=False, message_id=message_id, made_at=made_at)
    for transfer in transfers:
        payment: dict[str, Any] = {
            "name": cleaned(transfer.name, NAME) or NO_NAME,
            "IBAN": transfer.iban,
            "amount": transfer.amount_minor,
            "execution_date": pay_on,
            "description": cleaned(transfer.text, TEXT) or NO_NAME,
            "endtoend_id": transfer.end_to_end_id,
        }
        file.add_payment(payment | ({"BIC": transfer.bic} if transfer.bic else {}))
    content = file.export(validate=True)
    assert isinstance(content, bytes)
    return content


def read_debits(content: bytes) -> list[tuple[str, int]]:
    """End-to-end ids and euro cents of a file written here, in its order."""
    root = ElementTree.fromstring(content)  # noqa: S314  our own file
    space = {"p": f"urn:iso:std:iso:20022:tech:xsd:{DEBITS}"}
    found = []
    for row in root.iterfind(".//p:DrctDbtTxInf", space):
        amount = row.findtext("p:InstdAmt", "", space)
        whole, _, cents = amount.partition(".")
        found.append((row.findtext("p:PmtId/p:EndToEndId", "", space), int(whole) * 100 + int(cents.ljust(2, "0"))))
    return found
