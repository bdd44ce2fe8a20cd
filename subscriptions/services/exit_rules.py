"""What the law gives customers who leave: how long, since when, by which source. The figures are data, not code."""

from __future__ import annotations

import csv
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).resolve().parent.parent / "data" / "exit_rules.csv"


class ExitRule(NamedTuple):
    """A length of time, in force since a day. `unit`: day or month."""

    rule: str
    valid_from: date
    number: int
    unit: str
    source: str
    checked_on: date


@lru_cache(maxsize=1)
def rules() -> tuple[ExitRule, ...]:
    """Every rule, oldest first."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = [
            ExitRule(
                row["rule"], date.fromisoformat(row["valid_from"]), int(row["count"]), row["unit"], row["source"],
                date.fromisoformat(row["checked_on"]),
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: row.valid_from))


def rule_on(rule: str, day: date) -> ExitRule | None:
    """The rule of that name in force on that day; None before its first.

    >>> rule_on("withdrawal", date(2026, 1, 1)).number, rule_on("switching", date(2025, 1, 1))
    (14, None)
    """
    found = [row for row in rules() if row.rule == rule and row.valid_from <= day]
    return found[-1] if found else None
