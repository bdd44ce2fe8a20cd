"""What was owed on a past day is read from history, by age and customer, and agrees with the books of that day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.billing.test_payments import an_invoice, pay
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, at_noon
from tests.reporting.money_life import MoneyLife, lives, sums
from tests.reporting.opening import ask, table_of, wrong_numbers

pytestmark = pytest.mark.django_db

#: Invoices of these tests are issued on 1 January and due 14 days later.
DUE = date(2026, 1, 15)


def on(company: Any, day: date, **more: Any) -> Any:
    return ask(company, "receivables", day, day, **more)


def ages(company: Any, day: date, currency: str = "EUR") -> list[Any]:
    """Not due, 1-30, 31-60, 61-90, over 90, all."""
    return table_of(on(company, day), "ages").get((currency, currency), [0] * 6)


def opened(report: Any) -> list[tuple[str, int]]:
    return [(one.currency, one.value) for one in report.figures if one.name == "open"]


@pytest.fixture
def company():
    return a_company(payment_terms_days=14)


@pytest.mark.parametrize(
    ("days_after_due", "place"),
    [(-14, 0), (0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (90, 3), (91, 4), (400, 4)],
)
def test_an_open_invoice_stands_in_the_age_of_its_days_late(company, days_after_due, place):
    an_invoice(company)
    found = ages(company, DUE + timedelta(days=days_after_due))
    assert found == [11900 if at in (place, 5) else 0 for at in range(6)]


def test_before_it_was_issued_nothing_is_open(company):
    an_invoice(company)
    assert ages(company, date(2025, 12, 31)) == [0] * 6


def test_a_payment_counts_from_its_day_on_and_not_before(company):
    invoice = an_invoice(company)
    pay(company, 4900, on=date(2026, 2, 10), invoice=invoice)
    pay(company, 7000, on=date(2026, 3, 3), invoice=invoice)
    days = (date(2026, 2, 9), date(2026, 2, 10), date(2026, 3, 2), date(2026, 3, 3))
    assert [ages(company, day)[5] for day in days] == [11900, 7000, 7000, 0]


def test_money_taken_back_opens_the_past_no_further_than_its_day(company):
    from billing.services import payments

    invoice = an_invoice(company)
    payment = pay(company, 11900, on=date(2026, 2, 1), invoice=invoice)
    payments.take_back(payment=payment, reason="returned", on=date(2026, 2, 20), by=BY, at=at_noon(date(2026, 2, 20)))
    days = (date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 19), date(2026, 2, 20))
    assert [ages(company, day)[5] for day in days] == [11900, 0, 0, 11900]


def test_a_loss_and_what_came_of_it_after_all(company):
    from billing.services import crediting, receivables

    invoice = an_invoice(company)
    pay(company, 1900, on=date(2026, 1, 20), invoice=invoice)
    receivables.write_off(invoice=invoice, reason="gone", by=BY, at=at_noon(date(2026, 3, 1)))
    assert [ages(company, day)[5] for day in (date(2026, 2, 28), date(2026, 3, 1))] == [10000, 0]
    pay(company, 4000, on=date(2026, 4, 1), invoice=invoice)
    crediting.credit_invoice(invoice=invoice, gross_minor=2000, reason="kind", by=BY, at=at_noon(date(2026, 5, 1)))
    pay(company, 4000, on=date(2026, 6, 1), invoice=invoice)
    looked = (date(2026, 2, 28), date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1), date(2026, 6, 1))
    assert [ages(company, day)[5] for day in looked] == [10000, 0, 0, 0, 0]


def test_days_sales_outstanding_by_the_printed_formula(company):
    """119.00 + 119.00 billed in the 90 days up to 31 January, 119.00 open: 119 x 90 / 238 = 45."""
    pay(company, 11900, invoice=an_invoice(company))
    an_invoice(company)
    figure = on(company, date(2026, 1, 31)).figure("dso")
    assert figure.value == Decimal("45.0")
    assert "90 ÷ what was billed in the 90 days" in str(figure.definition)
    # 90 days later nothing was billed any more in the time.
    assert on(company, date(2026, 4, 1)).figure("dso").value is None


def test_customers_stand_by_what_they_owe_and_open_their_invoices(company):
    small, big = a_customer(company, name="Small"), a_customer(company, name="Big")
    an_invoice(company, small, "10.00")
    an_invoice(company, big, "50.00")
    an_invoice(company, big, "50.00")
    report = on(company, date(2026, 2, 1))
    assert [line.cells[0] for line in report.table("customers").lines] == ["Big", "Small"]
    assert table_of(report, "customers")["EUR", "Big"] == [0, 11900, 0, 0, 0, 11900]
    assert wrong_numbers(company, report) == []
    alone = on(company, date(2026, 2, 1), only={"customer": small.ref})
    assert [line.cells[0] for line in alone.table("customers").lines] == ["Small"]
    assert alone.figure("open").value == 1190
    assert wrong_numbers(company, alone) == []


def test_currencies_stand_apart_or_are_told_in_one(company):
    """119.00 USD at 1.25 dollars for one euro are 95.20 euro."""
    from billing.models import ExchangeRate

    ExchangeRate.objects.create(day=date(2025, 12, 31), currency="USD", rate=Decimal("1.2"), source="test")
    ExchangeRate.objects.create(day=date(2026, 1, 30), currency="USD", rate=Decimal("1.25"), source="test")
    an_invoice(company)
    customer = a_customer(company)
    a_subscription(company, customer, a_plan(company, amount="100.00", currency="USD"), currency="USD")
    from tests.billing.test_payments import bill

    bill(company, customer)
    day = date(2026, 1, 31)
    apart = on(company, day)
    assert {(one.currency, one.value) for one in apart.figures if one.name == "open"} == {
        ("EUR", 11900),
        ("USD", 11900),
    }
    assert opened(on(company, day, currency="USD")) == [("USD", 11900)]
    told = on(company, day, currency="reporting")
    assert opened(told) == [("EUR", 11900 + 9520)]
    assert told.warnings == []
    later = on(company, date(2026, 3, 1), currency="reporting")
    assert [(one.currency, one.value) for one in later.figures if one.name == "open"] == [
        ("EUR", 11900),
        ("USD", 11900),
    ]
    assert later.warnings == ["No exchange rate of USD is stored for 1 Mar 2026; its amounts stand apart."]


def test_statements_stay_the_same_whatever_the_size(company):
    def counted() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as seen:
            on(company, date(2026, 2, 1))
        return len(seen)

    an_invoice(company)
    few = counted()
    for _count in range(6):
        an_invoice(company)
    assert counted() == few <= 8


def open_by_customer(company: Any, day: date) -> dict[int, int]:
    from django.db.models import Sum

    from reporting.owed import open_invoices

    rows = open_invoices(company, day).order_by().values_list("customer_id").annotate(total=Sum("open_at"))
    return {customer: int(total) for customer, total in rows if total}


def booked_by_customer(company: Any, day: date) -> dict[int, int]:
    return dict(
        sums(
            "SELECT p.customer_id, sum(p.amount_minor)::bigint FROM billing_posting p JOIN billing_account a "
            "ON a.id = p.account_id WHERE p.company_id = %s AND a.role = 'receivable' AND p.booked_on <= %s "
            "GROUP BY 1 HAVING sum(p.amount_minor) <> 0",
            company.pk, day,
        )
    )  # fmt: skip


class Owed(MoneyLife):
    """On every day looked back at, each customer owed what the receivables account says, and rows add up."""

    def teardown(self) -> None:
        try:
            for day in self.days():
                assert open_by_customer(self.company, day) == booked_by_customer(self.company, day), day
            report = on(self.company, self.today)
            assert wrong_numbers(self.company, report) == []
            middle = self.days()[len(self.days()) // 2]
            assert wrong_numbers(self.company, on(self.company, middle)) == []
        finally:
            super().teardown()


def test_every_past_day_agrees_with_the_books_whatever_happened():
    lives(Owed, examples=5, steps=20)
