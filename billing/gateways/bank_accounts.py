"""Bank accounts: whether an IBAN is one, whose bank it names, and what SEPA asks of it. The only importer of schwifty.

The rule that matters: an account that SEPA can't reach is refused where it is typed, not by the bank weeks later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import schwifty
from schwifty import registry
from schwifty.exceptions import SchwiftyException

from core.refusal import Refused
from pricing import sepa_rules


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account: `bic` and `bank_name` from the registry or as given, empty where nobody knows."""

    iban: str
    country: str
    bank_code: str
    bic: str
    bank_name: str

    @property
    def ending(self) -> str:
        """All that is shown of it."""
        return self.iban[-4:]

    @property
    def is_in_eea(self) -> bool:
        """Whether the IBAN alone is enough for a bank."""
        return self.country in sepa_rules.EEA

    @property
    def bank(self) -> str:
        """The bank in its country; two accounts of one bank have the same."""
        return f"{self.country}{self.bank_code}"


def account_of(iban: str, bic: str = "") -> BankAccount:
    """The account behind an IBAN, typed with blanks or not.

    Refuses `iban.wrong`, `iban.not_sepa`, `bic.wrong`, and beyond the EEA `bic.missing` where the registry knows none.
    """
    try:
        found = schwifty.IBAN(re.sub(r"[\s.-]", "", iban).upper())
    except (SchwiftyException, ValueError) as error:
        raise Refused("iban.wrong", field="iban") from error
    country = str(found.country_code)
    if country not in sepa_rules.EEA | sepa_rules.BEYOND_EEA:
        raise Refused("iban.not_sepa", field="iban", country=country)
    known = bic_of(bic) if bic.strip() else str(found.bic or "")
    if not known and country not in sepa_rules.EEA:
        raise Refused("bic.missing", field="bic", country=country)
    return BankAccount(str(found), country, str(found.bank_code), known, str(found.bank_name or ""))


def own_account(iban: str, bic: str = "") -> BankAccount:
    """The company's account as it goes into files; a BIC that is none is left out.

    Refuses `gateway.account_missing`, `iban.*`.
    """
    if not iban.strip():
        raise Refused("gateway.account_missing", field="iban")
    try:
        return account_of(iban, bic)
    except Refused as refused:
        if refused.code != "bic.wrong":
            raise
    return account_of(iban)


def bic_of(bic: str) -> str:
    """A BIC as it is written; refuses `bic.wrong`."""
    try:
        return str(schwifty.BIC(re.sub(r"\s", "", bic).upper()))
    except (SchwiftyException, ValueError) as error:
        raise Refused("bic.wrong", field="bic") from error


_BEGINS = re.compile(r"[A-Z]{2}\s?\d\s?\d", re.IGNORECASE)


def hidden(text: str) -> str:
    """The text with every IBAN that somebody wrote into it cut down to its country.

    No digit of it stays, so that nothing of it is taken for a number of a document.

    >>> hidden("refund to DE89 3704 0044 0532 0130 00, thanks, RE-2026-0001")
    'refund to DE••••, thanks, RE-2026-0001'
    """
    kept, place = [], 0
    for begin in _BEGINS.finditer(text):
        end = _end_of_iban(text, begin.start()) if begin.start() >= place else None
        if end is not None:
            kept += [text[place : begin.start() + 2], "••••"]
            place = end
    return "".join([*kept, text[place:]])


def _end_of_iban(text: str, start: int) -> int | None:
    """Where the IBAN that begins at `start` ends; None where none does."""
    try:
        length = registry.get_iban_spec(text[start : start + 2].upper()).iban_length
    except (SchwiftyException, KeyError):
        return None
    signs = ""
    for place in range(start, len(text)):
        if text[place].isascii() and text[place].isalnum():
            signs += text[place]
        elif text[place] not in " \t.-":
            return None
        if len(signs) == length:
            try:
                schwifty.IBAN(signs.upper())
            except (SchwiftyException, ValueError):
                return None
            return place + 1
    return None
