"""Until when to cancel and when it ends: worked dates of contracts in DE, FR, IT and ES; month ends, leap years, grace.

Each case of `cases/contract_clock.json` says in a line how its dates were found by hand.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pricing.periods import Anchor, Interval
from pricing.terms import ContractClock, Notice, Terms, contract_clock

CASES = json.loads((Path(__file__).parents[1] / "cases" / "contract_clock.json").read_text(encoding="utf-8"))
LANGUAGES = ("en", "de", "fr", "it", "es")


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def clock_of(case: dict[str, Any]) -> ContractClock:
    unit_count, unit = case.get("interval", [1, "month"])
    first = date.fromisoformat(case["first_paid_on"])
    terms = Terms(
        first_paid_on=first,
        anchor=Anchor(day(case.get("anchor")) or first),
        interval=Interval(unit, unit_count),
        minimum_term=tuple(case["minimum_term"]) if "minimum_term" in case else None,
        notice=Notice(*case["notice"]),
        renewal_rule=case["rule"],
        renewal_term=tuple(case["renewal_term"]) if "renewal_term" in case else None,
        grace_days=case.get("grace_days", 0),
        trial_from=day(case.get("trial_from")),
    )
    return contract_clock(terms, date.fromisoformat(case["on"]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_dates_are_those_found_by_hand(case: dict[str, Any]) -> None:
    found, expect = clock_of(case), case["expect"]
    assert (found.cancel_by, found.earliest_end, found.renews_on) == (
        day(expect["cancel_by"]), day(expect["earliest_end"]), day(expect["renews_on"]),
    )  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_is_said_in_words(language: str) -> None:
    from subscriptions.services.terms import in_words

    for case in CASES:
        clock = clock_of(case)
        said, english = in_words(clock, language), in_words(clock, "en")
        assert said and len(said) == len(english)
        assert all(sentence.strip() and "%(" not in sentence for sentence in said)
        if language != "en":
            assert all(one != two for one, two in zip(said, english, strict=True))


def test_the_table_covers_every_country_and_says_how_each_date_was_found() -> None:
    assert len(CASES) >= 24
    assert {case["country"] for case in CASES} == {"DE", "FR", "IT", "ES"}
    assert {case["notice"][2] for case in CASES} == {"any_day", "month_end", "period_end", "term_end"}
    assert all(case["derivation"].endswith(".") for case in CASES)


def test_in_a_trial_no_single_day_is_named_as_the_end() -> None:
    from subscriptions.services.terms import in_words

    trials = [clock for case in CASES if "trial" in (clock := clock_of(case)).reasons]
    assert trials
    for clock in trials:
        said = in_words(clock, "en")
        assert "During the trial it can end on any day." in said
        assert not any(one.startswith("Canceled by") for one in said if clock.cancel_by > clock.earliest_end)
