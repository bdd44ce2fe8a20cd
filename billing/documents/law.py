"""Reads `law.toml`: what the seller's country wants on a document, valid from a day on.

A document is judged by the rows in force on its own date, so that one printed years later reads as it should have.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LatePayment:
    """Default interest between businesses: `points` over the `base` rate, and a fixed `compensation` per claim."""

    base: str
    points: str
    compensation: str
    currency: str
    is_printed: bool


@cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(Path(__file__).with_name("law.toml").read_text(encoding="utf-8"))


def _row(table: str, country: str, on: date, **wanted: str) -> dict[str, Any] | None:
    rows = [
        row
        for row in _tables()[table]
        if row["country"] == country and row["valid_from"] <= on and all(row[key] == wanted[key] for key in wanted)
    ]
    return max(rows, key=lambda row: row["valid_from"], default=None)


def phrase(country: str, topic: str, on: date) -> str:
    """The statutory phrase in the country's own language; empty where it has none.

    >>> phrase("FR", "small_business", date(2026, 11, 1))
    'TVA non applicable, art. 293 B du CGI.'
    >>> phrase("FR", "small_business", date(1999, 1, 1))
    ''
    """
    row = _row("phrase", country, on, topic=topic)
    return "" if row is None else str(row["text"])


def late_payment(country: str, on: date) -> LatePayment | None:
    """What a business that pays late owes under the country's law, if we know it."""
    row = _row("late_payment", country, on)
    if row is None:
        return None
    return LatePayment(row["base"], row["points"], row["compensation"], row["currency"], row["is_printed"])


def consumer_default_days(country: str, on: date) -> int | None:
    """Days after which a consumer is in default if the invoice warned of it."""
    row = _row("consumer_default", country, on)
    return None if row is None else int(row["days"])
