"""Strict readings of one cell: amounts, counts and dates. Nothing is guessed, rounded or repaired."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from core.checks import EARLIEST, LATEST
from core.refusal import Refused
from pricing.money import BadAmount, parse_amount

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
SHOWN = 60


def shown(text: str) -> str:
    """The text as a message may quote it: short, and without what can't be stored."""
    clean = text.replace("\0", "\\0")
    return clean if len(clean) <= SHOWN else clean[: SHOWN - 1] + "…"


def amount(text: str, *, decimal_comma: bool = False) -> Decimal:
    """An amount from zero, in plain digits with one decimal mark."""
    mark = "," if decimal_comma else "."
    plain = text
    if decimal_comma:
        if "." in text:
            raise Refused("import.amount_separator", mark=mark)
        plain = text.replace(",", ".")
    try:
        value = parse_amount(plain)
    except BadAmount as error:
        raise Refused(f"import.{error.code}", value=shown(text), mark=mark) from None
    if value < 0:
        raise Refused("import.amount_negative", value=shown(text))
    return value


def count(text: str) -> int:
    """A whole number from zero."""
    if not _COUNT.fullmatch(text):
        raise Refused("import.count_form", value=shown(text))
    return int(text)


def day(text: str, *, form: str = "") -> date:
    """A date in ISO form, or in the one named (one %d, %m and %Y each)."""
    if not form:
        if not _ISO.fullmatch(text):
            raise Refused("import.date_form", value=shown(text), form="2026-12-31")
        form = "%Y-%m-%d"
    elif not text.isascii() or not _pattern(form).fullmatch(text):
        raise Refused("import.date_form", value=shown(text), form=form)
    try:
        found = datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no zone
    except ValueError:
        raise Refused("import.date_impossible", value=shown(text)) from None
    if not EARLIEST <= found <= LATEST:
        raise Refused("import.date_range", value=shown(text))
    return found


def _pattern(form: str) -> re.Pattern[str]:
    escaped = re.escape(form)
    for mark, digits in (("%Y", "[0-9]{4}"), ("%m", "[0-9]{1,2}"), ("%d", "[0-9]{1,2}")):
        escaped = escaped.replace(mark, digits)
    return re.compile(escaped, re.ASCII)
