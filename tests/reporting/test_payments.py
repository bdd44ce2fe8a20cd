"""Failed tries by reason, method, country and number, and what each step of dunning brought, in exact numbers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.debits import a_creditor, a_debit, a_mandate, billed, collect, make
from tests.money.dunning import a_policy, bill, days, pay, walk
from tests.reporting.opening import ask, table_of, wrong_numbers

pytestmark = pytest.mark.django_db
LAST = date(2026, 1, 31)


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


def report_of(company: Any, first: date = TODAY, last: date = LAST, **more: Any) -> Any:
    return ask(company, "payments", first, last, **more)


def sent(company: Any, gateway: Any, on: date) -> None:
    from billing.services import debit_files

    for batch in make(company, gateway, on):
        debit_files.mark_sent(batch=batch, by=BY, at=at_noon(on))


def refused(company: Any, attempt: Any, code: str, on: date) -> None:
    from billing.services import debit_returns

    debit_returns.take_return(company=company, code=code, on=on, end_to_end_id=attempt.ref[4:], by=BY, at=at_noon(on))


@pytest.fixture
def debits(company):
    """Two debits of 11.90 in Germany, one refused for want of funds, one credited; one of 20.00 to the Netherlands, its
    account closed. All on 6 January."""
    from billing.services import debit_files

    gateway, day = a_creditor(company), date(2026, 1, 6)
    poor, rich = a_debit(company, gateway), a_debit(company, gateway)
    dutch = a_customer(company, country="NL")
    a_mandate(dutch, gateway, "NL91ABNA0417164300")
    billed(company, dutch, "20.00")
    gone = collect(company)[-1]
    sent(company, gateway, date(2026, 1, 5))
    refused(company, poor, "AM04", day)
    refused(company, gone, "AC04", day)
    rich.refresh_from_db()
    debit_files.settle(attempt=rich, on=day, by=BY, at=at_noon(day))
    return {"poor": poor, "rich": rich, "gone": gone, "gateway": gateway}


def test_tries_are_counted_by_how_they_ended(company, debits):
    report = report_of(company)
    found = {figure.name: figure.value for figure in report.figures}
    asked = 1190 + debits["gone"].amount_minor
    assert found == {"ended": 3, "failed": 2, "failed_amount": asked, "failed_share": Decimal("66.7")}
    assert wrong_numbers(company, report) == []


def test_by_reason_with_what_it_needs(company, debits):
    gone = debits["gone"].amount_minor
    assert [line.cells for line in report_of(company).table("reasons").lines] == [
        ["the account is closed", "needs another method", 1, gone],
        ["not enough money on the account", "may be temporary", 1, 1190],
    ]


def test_by_country_of_the_invoices_address_and_by_method(company, debits):
    gone = debits["gone"].amount_minor
    report = report_of(company)
    assert table_of(report, "countries") == {
        ("EUR", "Germany"): [2, 1, 1, Decimal("50.0"), 1190],
        ("EUR", "Netherlands"): [1, 0, 1, Decimal("100.0"), gone],
    }
    assert table_of(report, "methods") == {("EUR", "SEPA direct debit"): [3, 1, 2, Decimal("66.7"), 1190 + gone]}


def test_both_ends_are_counted(company, debits):
    day = date(2026, 1, 6)
    assert report_of(company, day, day).figure("ended").value == 3
    assert report_of(company, TODAY, date(2026, 1, 5)).figures == []
    assert report_of(company, date(2026, 1, 7), LAST).figures == []


def test_a_dimension_is_kept_alone(company, debits):
    report = report_of(company, only={"country": "DE"})
    assert report.figure("ended").value == 2
    assert table_of(report, "reasons") == {("EUR", "not enough money on the account"): ["may be temporary", 1, 1190]}
    assert wrong_numbers(company, report) == []


def test_the_second_try_is_told_from_the_first(company, debits):
    from billing.services import collecting, debit_files

    again = collecting.pay_now(
        invoice=debits["poor"].invoice, gateway=debits["gateway"], method=debits["poor"].method, by=BY,
        at=at_noon(date(2026, 1, 8)),
    )  # fmt: skip
    sent(company, debits["gateway"], again.collect_on)
    again.refresh_from_db()
    debit_files.settle(attempt=again, on=again.collect_on, by=BY, at=at_noon(again.collect_on))
    report = report_of(company)
    gone = debits["gone"].amount_minor
    assert table_of(report, "tries") == {
        ("EUR", 1): [3, 1, 2, Decimal("66.7"), 1190 + gone],
        ("EUR", 2): [1, 1, 0, Decimal("0.0"), 0],
    }
    assert wrong_numbers(company, report) == []


def test_money_counts_for_the_step_before_it(company):
    """As `recovery` says it: 100.00 after the first mail; 19.00 and 59.50 after the second."""
    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}))
    one, two = a_customer(company), a_customer(company)
    first, second = bill(company, one), bill(company, two, amount="50.00")
    walk(company, days(1), days(4))
    pay(first, days(4), amount=10_000)
    walk(company, days(5), days(12))
    pay(first, days(12))
    pay(second, days(12))
    report = report_of(company)
    assert [line.cells[1:] for line in report.table("steps").lines] == [
        [3, "reminder by mail", 2, 0, 1, 10_000],
        [10, "reminder by mail", 2, 0, 2, 1_900 + 5_950],
    ]
    assert report.figure("recovered").value == 17_850
    assert wrong_numbers(company, report) == []
    # 5 January is the day of the first payment's step alone.
    assert report_of(company, days(5), days(11)).table("steps").lines[0].cells[3:] == [2, 0, 0, 0]
