"""Contracts as people sign them in DE, FR, IT and ES: every date of `cases/contract_clock.toml` was worked by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from pricing.periods import Anchor, Interval
from pricing.terms import ContractClock, Notice, Terms, contract_clock

CASES = tomllib.loads((Path(__file__).parents[1] / "cases" / "contract_clock.toml").read_text(encoding="utf-8"))["case"]


def length(value: list[Any] | None) -> tuple[int, Any] | None:
    return None if value is None else (value[0], value[1])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_contract_says_when_it_can_end(case: dict[str, Any]) -> None:
    count, unit = case.get("interval", [1, "month"])
    terms = Terms(
        first_paid_on=case["first_paid_on"],
        anchor=Anchor(case.get("anchor", case["first_paid_on"])),
        interval=Interval(unit, count),
        minimum_term=length(case.get("minimum_term")),
        notice=Notice(*case.get("notice", [])),
        renewal_rule=case["rule"],
        renewal_term=length(case.get("renewal_term")),
        grace_days=case.get("grace_days", 0),
        planned_end=case.get("planned_end"),
        term=length(case.get("term")),
        trial_from=case.get("trial_from"),
    )
    assert contract_clock(terms, case["on"]) == ContractClock(
        cancel_by=case.get("cancel_by"),
        earliest_end=case["earliest_end"],
        renews_on=case.get("renews_on"),
        term_start=case["term_start"],
        term_end=case.get("term_end"),
        reasons=tuple(case["reasons"]),
    )


def test_the_table_has_not_shrunk() -> None:
    assert len(CASES) >= 30
