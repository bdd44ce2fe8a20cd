"""Worked cases of two public billing systems, lived through over the HTTP API in a sandbox with its own clock.

What needs a provider's answers (declines, retries, disputes, dunning) is paid by card at the stand-in of the provider.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.money.providers import Providers

from .by_card import PaidByCard
from .sandbox import Sandbox, needs_gateway
from .worked import CASES

pytestmark = pytest.mark.django_db

RUNS = [
    (f"{case['id']}-{number}", part)
    for case in CASES
    for number, part in enumerate(case["parts"], 1)
    if "setup" in part
]
BY_HAND = [pytest.param(part, id=name) for name, part in RUNS if not needs_gateway(part)]
BY_CARD = [pytest.param(part, id=name) for name, part in RUNS if needs_gateway(part)]


def test_the_cases_that_need_a_provider_are_lived_with_one() -> None:
    found = {case["id"] for case in CASES for part in case["parts"] if needs_gateway(part)}
    assert found == {"kb-crd-002", "kb-ovd-003", "kb-ovd-009", "kb-ret-004", "kb-ref-002", "kb-ref-006"}
    assert found == {case["id"] for case in CASES if case["needs_gateway"]}


@pytest.mark.parametrize("part", BY_HAND)
def test_the_api_gives_the_figures(part: dict[str, Any]) -> None:
    _live(Sandbox(part["setup"]), part)


@pytest.mark.parametrize("part", BY_CARD)
def test_the_api_and_a_provider_give_the_figures(part: dict[str, Any], providers: Providers) -> None:
    sandbox = PaidByCard(part["setup"], providers)
    _live(sandbox, part)
    for check in part["check"]:
        if check["what"] == "dunning":
            assert sandbox.seen_dunning() == check["steps"]
        elif check["what"] == "attempts":
            assert sandbox.seen_attempts() == check["list"]
        elif check["what"] == "refunds":
            assert sandbox.seen_refunds() == check["list"]
        elif check["what"] == "settled":
            assert sandbox.seen_settled() == check["list"]


def _live(sandbox: Sandbox, part: dict[str, Any]) -> None:
    """Lives through a case's steps; then its documents, balance and refusals are as it says."""
    checks = part["check"]
    stops = {date.fromisoformat(check["date"]) for check in checks if "date" in check}
    for step in part["steps"]:
        sandbox.until(date.fromisoformat(step["on"]), stops)
        sandbox.do(step["act"], step.get("args", {}))
    invoices = [check for check in checks if check["what"] == "invoice"]
    assert [_invoice(sandbox.seen_invoice(check["n"]), check) for check in invoices] == [
        _invoice(check, check) for check in invoices
    ]
    assert len(sandbox.invoices()) == len(invoices)
    _compare_notes(sandbox.seen_notes(), [check for check in checks if check["what"] == "credit_note"])
    for check in checks:
        if check["what"] == "balance":
            assert sandbox.balance() == {"open": check["open"], "credit": check["credit"]}
        elif check["what"] == "refused":
            assert sandbox.refuses(check["step"])


def _invoice(found: dict[str, Any], check: dict[str, Any]) -> dict[str, Any]:
    """What of an invoice is compared: a number only where the case gives one, no period of what is charged once."""
    kept = {name: found[name] for name in ("date", "net", "tax", "gross", "due")}
    kept["lines"] = sorted(
        (line["item"], line["amount"], *(line["period"] if _lasts(line) else ())) for line in found["lines"]
    )
    return kept | ({"number": found["number"]} if "number" in check else {})


def _lasts(line: dict[str, Any]) -> bool:
    start, end = line["period"]
    return start is not None and start != end


def _compare_notes(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert len(found) == len(wanted)
    for seen, check in zip(found, wanted, strict=True):
        assert check.get("date_earliest", check["date"]) <= seen["date"] <= check["date"]
        assert {name: seen[name] for name in ("invoice", "net", "tax", "gross")} == {
            name: check[name] for name in ("invoice", "net", "tax", "gross")
        }
        assert sorted((line["item"], line["amount"]) for line in seen["lines"]) == sorted(
            (line["item"], line["amount"]) for line in check["lines"]
        )
        assert seen["settles"] == check["settles"]
        given_back = float(check["to_credit"]) + float(check["refund"])
        assert float(seen["to_account"]) == pytest.approx(given_back)
