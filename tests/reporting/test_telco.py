"""The telecom list taken over by the import: what reports tell equals what a naive reader counts in the file.

`TURNUS_TELCO` names the public list (7,043 lines); without it a list of the same form, made up here, stands for it.
"""

from __future__ import annotations

import csv
import io
import os
import random
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.reporting.opening import ask, wrong_numbers
from tests.subscriptions.importing import ON, an_american_company, take

MAPPING = Path(__file__).parents[2] / "docs/how-to/telecom/telco.toml"
COLUMNS = (
    "customerID", "gender", "SeniorCitizen", "Partner", "Dependents", "tenure", "PhoneService", "MultipleLines",
    "InternetService", "OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV",
    "StreamingMovies", "Contract", "PaperlessBilling", "PaymentMethod", "MonthlyCharges", "TotalCharges", "Churn",
)  # fmt: skip
CONTRACTS = {"Month-to-month": "No minimum term", "One year": "12 months", "Two year": "24 months"}
METHODS = ("Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)")
FIRST = date(2020, 11, 1)


def a_made_up_list(lines: int = 240) -> str:
    """A list of the same form."""
    chance = random.Random(5)
    written = io.StringIO()
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number in range(lines):
        tenure = chance.choice([0, 1, 2, 5, 12, 13, 30, 72])
        cents = chance.randrange(1825, 11875, 5)
        row = dict.fromkeys(COLUMNS, "No") | {
            "customerID": f"{number:04}-MADEUP", "gender": chance.choice(["Female", "Male"]), "SeniorCitizen": "0",
            "tenure": str(tenure), "InternetService": chance.choice(["DSL", "Fiber optic", "No"]),
            "Contract": chance.choice(list(CONTRACTS)), "PaymentMethod": chance.choice(METHODS),
            "MonthlyCharges": f"{cents / 100:.2f}", "TotalCharges": f"{cents * tenure / 100:.2f}",
            "Churn": "Yes" if tenure and chance.random() < 0.3 else "No",
        }  # fmt: skip
        writer.writerow(row)
    return written.getvalue()


class Naive:
    """What a reader counts in the file, without the product."""

    def __init__(self, text: str) -> None:
        self.lines = list(csv.DictReader(io.StringIO(text)))
        for line in self.lines:
            line["cents"] = int(Decimal(line["MonthlyCharges"]) * 100)  # type: ignore[assignment]

    def stayed(self) -> tuple[int, int]:
        kept = [line for line in self.lines if line["Churn"] == "No"]
        return len(kept), sum(int(line["cents"]) for line in kept)

    def by(self, column: str) -> dict[str, tuple[int, int, int, int]]:
        """Customers and cents lost, customers and cents there on 31 October."""
        found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for line in self.lines:
            cell = found[line[column]]
            if line["Churn"] == "Yes":
                cell[0] += 1
                cell[1] += int(line["cents"])
            if int(line["tenure"]):
                cell[2] += 1
                cell[3] += int(line["cents"])
        return {value: (cell[0], cell[1], cell[2], cell[3]) for value, cell in found.items() if any(cell)}

    def line(self) -> list[tuple[int, int, int]]:
        """From the first month on: new cents, cents at the end, customers at the end."""
        found, cents, customers = [], 0, 0
        for back in range(72, -1, -1):
            new = [line for line in self.lines if int(line["tenure"]) == back]
            lost = [line for line in self.lines if line["Churn"] == "Yes"] if back == 0 else []
            won = sum(int(line["cents"]) for line in new)
            cents += won - sum(int(line["cents"]) for line in lost)
            customers += len(new) - len(lost)
            found.append((won, cents, customers))
        return found


def compared(text: str) -> tuple[Any, Naive]:
    """Takes the list over and compares every figure; the company and what was counted."""
    naive, company = Naive(text), an_american_company()
    with connection.cursor() as cursor:
        # All in one transaction no statistics are ever gathered, and plans would be those of empty tables.
        cursor.execute("SET LOCAL enable_nestloop = off")
    done = take(company, content=text.encode(), mapping=MAPPING.read_text(), with_history=True)
    assert (done.done, done.failed) == (len(naive.lines), 0)
    report = ask(company, "mrr", FIRST, ON)
    customers, cents = naive.stayed()
    assert (report.figure("customers").value, report.figure("mrr").value) == (customers, cents)
    table = report.table("months")
    names = [column.name for column in table.columns]
    told = [dict(zip(names, line.cells, strict=True)) for line in table.lines]
    assert [(line["new"], line["closing"], line["customers"]) for line in told] == naive.line()
    churn = ask(company, "churn", ON, ON, by="contract")
    assert wrong_numbers(company, churn) == []
    lost = naive.by("Churn").get("Yes", (0, 0, 0, 0))
    assert (churn.figure("lost_customers").value, churn.figure("lost_revenue").value) == lost[:2]
    assert cells_of(churn, "contract") == {CONTRACTS[name]: cells for name, cells in naive.by("Contract").items()}
    by_method = ask(company, "churn", ON, ON, by="method")
    assert cells_of(by_method, "method") == naive.by("PaymentMethod")
    # The same from the further data that the list was taken over with.
    by_data = ask(company, "churn", ON, ON, by="attribute", only={"attribute": "contract"})
    assert cells_of(by_data, "attribute") == naive.by("Contract")
    return company, naive


def cells_of(report: Any, name: str) -> dict[Any, tuple[int, int, int, int]]:
    names = [column.name for column in report.table(name).columns]
    wanted = ("lost_customers", "lost_revenue", "customers_before", "revenue_before")
    return {
        line.cells[0]: tuple(dict(zip(names, line.cells, strict=True))[column] for column in wanted)
        for line in report.table(name).lines
    }


@pytest.mark.django_db
def test_a_telecom_list_is_reported_as_it_was_written() -> None:
    company, _naive = compared(a_made_up_list())
    from reporting import audit

    assert [str(one) for one in audit.differences(company, ON)] == []


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.skipif("TURNUS_TELCO" not in os.environ, reason="TURNUS_TELCO names the public list")
def test_the_public_telecom_list_is_reported_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    _company, naive = compared(Path(os.environ["TURNUS_TELCO"]).read_text())
    assert len(naive.lines) == 7043
    customers, cents = naive.stayed()
    with capsys.disabled():
        print(f"\nMRR {cents / 100:,.2f} USD of {customers} customers")
        for column in ("Churn", "Contract", "PaymentMethod"):
            for value, (lost, lost_cents, had, had_cents) in naive.by(column).items():
                share = f"{100 * lost / had:.2f} % of customers, {100 * lost_cents / had_cents:.2f} % of revenue"
                print(f"{column} {value}: lost {lost} of {had}, {lost_cents / 100:,.2f} USD, {share}")
