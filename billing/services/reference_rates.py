"""The ECB's euro reference rates: read from its published files (CSV or XML) and stored, each day and currency once.

The rule that matters: a rate that is stored is never changed; documents were made with it.
"""

from __future__ import annotations

import csv
import io
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple
from xml.etree import ElementTree

from django.conf import settings

from billing.models import ExchangeRate
from core.refusal import Refused
from pricing.money import is_currency

SOURCE: Final = "ECB euro foreign exchange reference rates"
_MOST_BYTES: Final = 20_000_000
_SECONDS: Final = 30
_CURRENCY: Final = re.compile("[A-Z]{3}")


class Rate(NamedTuple):
    """Units of a currency for one euro on a day."""

    day: date
    currency: str
    rate: Decimal


class Loaded(NamedTuple):
    """How many rates a file held, how many of them are new, and its last day."""

    read: int
    added: int
    last_day: date | None


def load(content: bytes, *, source: str = SOURCE) -> Loaded:
    """Stores what is new in a file of the ECB. Refuses `exchange_rates.form`, `exchange_rates.empty`."""
    rates = list(read(content))
    if not rates:
        raise Refused("exchange_rates.empty", field="file")
    before = ExchangeRate.objects.count()
    for start in range(0, len(rates), 5000):
        ExchangeRate.objects.bulk_create(
            [ExchangeRate(**rate._asdict(), source=source[:200]) for rate in rates[start : start + 5000]],
            ignore_conflicts=True,
        )
    return Loaded(len(rates), ExchangeRate.objects.count() - before, max(rate.day for rate in rates))


def fetch() -> bytes:
    """The file at the configured address. Refuses `exchange_rates.fetch`."""
    url = settings.ECB_RATES_URL
    if not url.startswith(("https://", "http://")):
        raise Refused("exchange_rates.fetch", detail=url)
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310  the scheme was looked at
            return bytes(answer.read(_MOST_BYTES))
    except (OSError, ValueError) as error:
        raise Refused("exchange_rates.fetch", detail=f"{type(error).__name__}: {error}"[:200]) from error


def read(content: bytes) -> Iterator[Rate]:
    """The rates of a file: the ECB's XML, its CSV, or the CSV in its zip. What is not quoted that day is left out."""
    if content.startswith(b"PK"):
        content = _unpacked(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("exchange_rates.form", field="file", detail="UTF-8") from None
    if text.lstrip().startswith("<"):
        return _xml(text)
    return _csv(text)


def _unpacked(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            member = next(info for info in archive.infolist() if info.filename.endswith(".csv"))
            if member.file_size > _MOST_BYTES:
                raise Refused("exchange_rates.form", field="file", detail=member.filename)
            return archive.read(member)
    except (zipfile.BadZipFile, StopIteration):
        raise Refused("exchange_rates.form", field="file", detail="zip") from None


def _xml(text: str) -> Iterator[Rate]:
    """`<Cube time="2026-01-02"><Cube currency="USD" rate="1.0850"/>…</Cube>`, one or many days."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Refused("exchange_rates.form", field="file", detail="DOCTYPE")
    try:
        root = ElementTree.fromstring(text.encode())  # noqa: S314  without entities, see above
    except ElementTree.ParseError as error:
        raise Refused("exchange_rates.form", field="file", detail=str(error)[:100]) from None
    for day in root.iter():
        when = day.get("time")
        if when is None:
            continue
        for one in day:
            found = _rate(when, one.get("currency", ""), one.get("rate", ""))
            if found:
                yield found


def _csv(text: str) -> Iterator[Rate]:
    """`Date,USD,JPY,…` and a row a day; `N/A` where a currency was not quoted."""
    rows = csv.reader(io.StringIO(text))
    head = [cell.strip() for cell in next(rows, [])]
    if not head or head[0] != "Date":
        raise Refused("exchange_rates.form", field="file", detail="Date")
    for row in rows:
        if not row or not row[0].strip():
            continue
        for currency, cell in zip(head[1:], row[1:], strict=False):
            found = _rate(row[0].strip(), currency, cell.strip())
            if found:
                yield found


def _rate(when: str, currency: str, rate: str) -> Rate | None:
    """One quotation; None for no quotation, or for a currency that is no more."""
    if not rate or rate == "N/A" or not _CURRENCY.fullmatch(currency) or not is_currency(currency):
        return None
    try:
        # The file of the day alone writes "2 January 2026".
        day = date.fromisoformat(when) if "-" in when else datetime.strptime(when, "%d %B %Y").date()  # noqa: DTZ007
        figure = Decimal(rate)
    except (ValueError, InvalidOperation):
        raise Refused("exchange_rates.form", field="file", detail=f"{when} {currency} {rate}"[:100]) from None
    if not figure.is_finite() or not 0 < figure < 10**9:
        raise Refused("exchange_rates.form", field="file", detail=f"{when} {currency} {rate}"[:100])
    return Rate(day, currency, figure)
