"""What every bank file comes down to: statements with their lines, whatever it was written in.

The rule that matters: amounts are whole minor units, money in above zero; a line that can't be read is a `Problem`
and stops no other, a file that can't be read is refused whole.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from core.checks import EARLIEST, LATEST, MOST_MINOR
from core.refusal import Refused
from pricing import money

#: No bank file of a company that bills is larger; what is larger is refused before it is read.
MOST_BYTES: Final = 50_000_000
#: Lines of one file.
MOST_LINES: Final = 200_000
#: Problems that are reported in words; the rest is counted.
MOST_PROBLEMS: Final = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One booking on the account.

    `amount_minor` is what the account gained (above zero) or lost, a fee of the bank (`fee_minor`, from zero)
    contained. `return_code`: ISO 20022 code of a return. A detail of a batch has the `bank_reference` of the batch's
    booking, a slash and its own.
    """

    booked_on: date
    amount_minor: int
    currency: str
    value_on: date | None = None
    name: str = ""
    iban: str = ""
    text: str = ""
    end_to_end_id: str = ""
    mandate_reference: str = ""
    bank_reference: str = ""
    return_code: str = ""
    fee_minor: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """What couldn't be read, or doesn't add up: code and parameters of a refusal, and where."""

    place: str
    code: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The problem in the reader's language."""
        return Refused(self.code, **self.params).message


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines of one account. Balances are empty where the file names none."""

    account: str = ""
    number: str = ""
    currency: str = ""
    opening_minor: int | None = None
    closing_minor: int | None = None
    from_on: date | None = None
    until_on: date | None = None
    lines: tuple[Line, ...] = ()
    problems: tuple[Problem, ...] = ()


class Unreadable(ValueError):
    """A line can't be read; `code` and `params` say why."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code, self.params = code, params


_BLANK: Final = re.compile(r"[\x00-\x20\x7f-\x9f\u00a0\u2028\u2029]+")


def clean(text: str | None, limit: int) -> str:
    """The text on one line, without control characters, no longer than `limit`.

    >>> clean("  Invoice\\n 12\\x00 ", 20)
    'Invoice 12'
    """
    if not text:
        return ""
    text = _BLANK.sub(" ", text).strip()
    return "".join(sign for sign in text if not 0xD800 <= ord(sign) <= 0xDFFF)[:limit]


#: What banks write where there is no reference.
_NONE: Final = frozenset({"NOTPROVIDED", "NOT PROVIDED", "NONREF", "NONE", "N/A"})


def reference(text: str | None, limit: int = 35) -> str:
    """A reference; empty where the bank says that there is none.

    >>> reference("NOTPROVIDED"), reference(" RE-1 ")
    ('', 'RE-1')
    """
    found = clean(text, limit)
    return "" if found.upper() in _NONE else found


def iban(text: str | None) -> str:
    """An account number without blanks, in capitals; at most 34 signs.

    >>> iban("de89 3704 0044 0532 0130 00")
    'DE89370400440532013000'
    """
    return re.sub(r"[^0-9A-Z]", "", unicodedata.normalize("NFKC", text or "").upper())[:34]


def minor(amount: Decimal, currency: str) -> int:
    """The amount in minor units, exactly. `Unreadable`: an unknown currency, too many places, out of range."""
    try:
        places = money.places(currency)
    except money.UnknownCurrency:
        raise Unreadable("bank.line_currency", value=clean(currency, 10)) from None
    if not amount.is_finite() or abs(amount) > MOST_MINOR:
        raise Unreadable("bank.line_amount", value=clean(str(amount), 40))
    scaled = amount.scaleb(places)
    if scaled != scaled.to_integral_value() or abs(scaled) > MOST_MINOR:
        raise Unreadable("bank.line_amount", value=clean(str(amount), 40))
    return int(scaled)


def known_day(day: date) -> date:
    """The day, if a booking can have it."""
    if not EARLIEST <= day <= LATEST:
        raise Unreadable("bank.line_day", value=day.isoformat())
    return day


class Collecting:
    """Lines and problems of a statement while it is read."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.problems: list[Problem] = []
        self.count = 0

    def add(self, line: Line) -> None:
        """Keeps a line; one of zero moves nothing and is left out."""
        self.count += 1
        if self.count > MOST_LINES:
            raise Refused("bank.too_many", most=MOST_LINES)
        if line.amount_minor:
            self.lines.append(line)

    def fail(self, place: str, error: Unreadable) -> None:
        """Keeps why a line couldn't be read."""
        self.problems.append(Problem(place, error.code, error.params))
