"""Worked cases of two public billing systems, lived through over the HTTP API in a sandbox with its own clock.

What needs a gateway's answers (declines, retries, returns, dunning) is listed here and waits for the gateways.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from .sandbox import Sandbox, needs_gateway
from .worked import CASES

pytestmark = pytest.mark.django_db

RUNS = [
    pytest.param(part, id=f"{case['id']}-{number}")
    for case in CASES
    for number, part in enumerate(case["parts"], 1)
    if "setup" in part and not needs_gateway(part)
]
#: Their payments are declined, returned or dunned.
WAITING = {"kb-ovd-003", "kb-ovd-009", "kb-ret-004", "kb-ref-006"}


def test_nothing_but_gateways_is_left_out() -> None:
    left_out = {case["id"] for case in CASES for part in case["parts"] if "setup" in part and needs_gateway(part)}
    assert left_out == WAITING


@pytest.mark.parametrize("part", RUNS)
def test_the_api_gives_the_figures(part: dict[str, Any]) -> None:
    sandbox = Sandbox(part["setup"])
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
