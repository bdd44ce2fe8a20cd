"""A campaign of two days: real servers, real processes, four real strikes, and the same end as in peace."""

from __future__ import annotations

from datetime import date

import pytest

from faults import campaign
from faults.plan import Injection

SEED, CUSTOMERS = 74, 12
DAYS = [date(2025, 1, 12), date(2025, 1, 28)]
STRIKES = (
    Injection("kill", "billing.written"), Injection("cut", "mail.composed"),
    Injection("worker_killed", "billing.numbered"), Injection("web_killed", "payment.recorded"),
)  # fmt: skip


@pytest.fixture(scope="module")
def lives() -> tuple[campaign.Outcome, campaign.Outcome]:
    return campaign.life(SEED, CUSTOMERS, DAYS, []), campaign.life(SEED, CUSTOMERS, DAYS, list(STRIKES))


def test_every_strike_meets_something(lives: tuple[campaign.Outcome, campaign.Outcome]) -> None:
    _quiet, struck = lives
    assert struck.told.unmet == []
    assert sorted(one.name for one in struck.told.struck) == sorted(one.name for one in STRIKES)


def test_the_struck_life_ends_as_the_one_in_peace(lives: tuple[campaign.Outcome, campaign.Outcome]) -> None:
    quiet, struck = lives
    assert campaign.differences(quiet.dump, struck.dump) == []
    assert (quiet.wrong, struck.wrong) == ([], [])
    assert sum(quiet.dump["tables"]["invoices"].values()) == 11
    assert sum(quiet.dump["tables"]["messages"].values()) > 0


def test_a_row_too_many_and_one_too_few_are_differences() -> None:
    one = {"tables": {"invoices": {"A": 1, "B": 1}}}
    other = {"tables": {"invoices": {"A": 2}}}
    assert campaign.differences(one, other) == [
        "invoices: 1 in peace, 2 after faults: A", "invoices: 1 in peace, 0 after faults: B",
    ]  # fmt: skip
