"""What a plan asks of consumers that the law doesn't let stand: told as a hint, never refused."""

from __future__ import annotations

from datetime import date

import pytest

from crm.services.law_table import Rules, doubts

ON = date(2026, 11, 22)
FIRST = "a first term of more than 24 months is not valid"
RENEWAL = "a silent renewal for a further fixed term is not valid; let it go on without a term"
NOTICE = "a notice of more than 1 month is not valid"


def told(
    first: tuple[int, str], notice: tuple[int, str], renewal: str, country: str = "DE", on: date = ON
) -> list[str]:
    found = doubts(Rules(first, notice, renewal), country=country, on=on)
    assert all(law.code == "DE-309-9" for law, _words in found)
    return [word for _law, words in found for word in words]


@pytest.mark.parametrize(
    ("first", "notice", "renewal", "expected"),
    [
        ((24, "month"), (1, "month"), "evergreen", []),
        ((2, "year"), (4, "week"), "evergreen", []),
        ((25, "month"), (1, "month"), "evergreen", [FIRST]),
        ((3, "year"), (3, "month"), "renew", [FIRST, RENEWAL, NOTICE]),
        ((1, "year"), (6, "week"), "evergreen", [NOTICE]),
        ((1, "year"), (0, "day"), "renew", [RENEWAL]),
        ((1, "year"), (0, "day"), "expire", []),
    ],
)
def test_terms_that_german_consumers_are_not_held_to_are_named(
    first: tuple[int, str], notice: tuple[int, str], renewal: str, expected: list[str]
) -> None:
    assert told(first, notice, renewal) == expected


def test_before_the_law_held_nothing_is_named() -> None:
    assert told((3, "year"), (3, "month"), "renew", on=date(2022, 2, 28)) == []
    assert told((3, "year"), (3, "month"), "renew", on=date(2022, 3, 1)) == [FIRST, RENEWAL, NOTICE]


def test_another_countrys_law_is_not_asked() -> None:
    assert told((3, "year"), (3, "month"), "renew", country="FR") == []
