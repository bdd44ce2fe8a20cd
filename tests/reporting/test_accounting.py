"""Revenue, deferred revenue, taxes and balances in told cases, with the amounts derived."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.billing.test_payments import bill, pay
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon
from tests.reporting.money_life import sums
from tests.reporting.opening import ask, table_of, wrong_numbers

pytestmark = pytest.mark.django_db
JANUARY, MARCH, YEAR_END = date(2026, 1, 31), date(2026, 3, 31), date(2026, 12, 31)


@pytest.fixture
def company():
    return a_company()


def yearly(company: Any, amount: str = "365.00", **customer: Any) -> Any:
    """A year from 1 January, invoiced at once; the invoice."""
    who = a_customer(company, **customer)
    a_subscription(company, who, a_plan(company, amount=amount, rules={"interval_unit": "year"}))
    (invoice,) = bill(company, who)
    return invoice


def test_a_year_is_earned_day_by_day(company):
    """365.00 for 2026: 31.00 earned in January, 334.00 deferred at its end, 28.00 of it February's."""
    yearly(company)
    report = ask(company, "deferred", TODAY, JANUARY)
    assert [(one.name, one.value) for one in report.figures] == [("deferred", 33400), ("accrued", 0), ("earned", 3100)]
    schedule = [line.cells for line in report.table("schedule").lines]
    assert schedule[0] == [date(2026, 2, 1), "", 2800]
    assert schedule[10] == [date(2026, 12, 1), "", 3100]
    assert sum(row[2] for row in schedule) == 33400
    assert wrong_numbers(company, report) == []


def test_a_cancellation_takes_back_the_days_it_gives_back(company):
    """Ended on 10 March: 296.00 of 365 days go back on that day, and nothing is deferred any more."""
    from billing.services import acts

    invoice = yearly(company)
    on = date(2026, 3, 10)
    subscription = invoice.lines.get().subscription
    acts.cancel(subscription=subscription, timing="now", unused="credit", override=True, override_reason="moved",
                by=BY, at=at_noon(on))  # fmt: skip
    report = ask(company, "deferred", TODAY, MARCH)
    assert [line.cells[1:5] for line in report.table("months").lines] == [
        [36500, 3100, 33400, 0],
        [0, 2800, 30600, 0],
        [-29600, 1000, 0, 0],
    ]
    assert wrong_numbers(company, report) == []


def test_arrears_are_accrued_until_they_are_invoiced(company):
    """31.00 for January, invoiced on 1 February."""
    who = a_customer(company)
    a_subscription(company, who, a_plan(company, amount="31.00", price={"billed": "arrears"}))
    bill(company, who, on=date(2026, 2, 1))
    report = ask(company, "deferred", TODAY, date(2026, 2, 28))
    assert [line.cells[1:] for line in report.table("months").lines] == [[0, 3100, 0, 3100, -3100], [3100, 0, 0, 0, 0]]


@settings(max_examples=20)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(10**10), 10**10), st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 800),
            st.integers(-20, 900),
        ),
        min_size=20, max_size=20,
    )
)  # fmt: skip
def test_the_database_recognizes_as_the_arithmetic_does(rows):
    from pricing.recognition import recognized

    spans = [
        (amount, start, start + timedelta(days=length), start + timedelta(days=after))
        for amount, start, length, after in rows
    ]
    found = sums(
        "SELECT reporting_recognized(v.amount, v.start_on, v.end_on, v.until_on) FROM unnest(%s::bigint[], %s::date[], "
        "%s::date[], %s::date[]) WITH ORDINALITY v(amount, start_on, end_on, until_on, place) ORDER BY place",
        *(list(column) for column in zip(*spans, strict=True)),
    )
    assert [row[0] for row in found] == [recognized(*span) for span in spans]


def test_revenue_by_product_plan_and_country_with_credit_notes_in_their_month(company):
    from billing.services import crediting

    german = yearly(company, "100.00")
    french = yearly(company, "40.00", country="FR", kind="person")
    crediting.credit_invoice(invoice=german, gross_minor=1190, reason="kind", by=BY, at=at_noon(date(2026, 2, 3)))
    report = ask(company, "revenue", TODAY, date(2026, 2, 28), by="country")
    assert table_of(report, "parts") == {("EUR", "Germany"): [9000], ("EUR", "France"): [4000]}
    assert [line.cells for line in report.table("months").lines] == [
        [date(2026, 1, 1), 14000, 0, 14000],
        [date(2026, 2, 1), 0, -1000, -1000],
    ]
    product = french.lines.get().product
    alone = ask(company, "revenue", TODAY, date(2026, 2, 28), only={"product": product.ref}, by="plan")
    assert [line.cells[-1] for line in alone.table("parts").lines] == [4000]
    assert wrong_numbers(company, report) == wrong_numbers(company, alone) == []


def test_prepaid_credit_is_revenue_when_it_is_used_not_when_it_is_sold(company):
    """100.00 sold in January; 30.00 of it pay for a subscription of 30.00 a month on 1 February."""
    from billing.services import drafting
    from billing.services.draft_lines import DraftLine
    from billing.services.packs import Pack

    who = a_customer(company)
    line = DraftLine(quantity=Decimal(1), unit_amount=Decimal(100), product=a_product(company), pack=Pack(10000))
    draft = drafting.create_draft(company=company, customer=who, currency="EUR", lines=[line], by=BY, at=at_noon(TODAY))
    drafting.issue(invoice=draft, by=BY, at=at_noon(TODAY))
    assert ask(company, "revenue", TODAY, JANUARY).figures == []
    a_subscription(company, who, a_plan(company, amount="30.00"), on=date(2026, 2, 1))
    bill(company, who, on=date(2026, 2, 1))
    assert ask(company, "revenue", TODAY, date(2026, 2, 28)).figure("revenue").value == 3000


def test_taxes_by_country_and_rate_and_the_one_stop_shop_return(company):
    """Consumers: 19 % in Germany, 20 % in France; a French business owes its own tax. 40.00 French, 10.00 of it given
    back in April: 30.00 and 6.00 would be the year's, 40.00 and 8.00 the first quarter's."""
    from billing.services import crediting

    yearly(company, "100.00", kind="person")
    french = yearly(company, "40.00", country="FR", kind="person")
    crediting.credit_invoice(invoice=french, gross_minor=1200, reason="kind", by=BY, at=at_noon(date(2026, 4, 2)))
    quarter = ask(company, "vat", TODAY, MARCH)
    assert [line.cells for line in quarter.table("rates").lines] == [
        ["Germany", "taxed", Decimal("19.000"), 10000, 1900],
        ["France", "taxed", Decimal("20.000"), 4000, 800],
    ]
    assert [line.cells for line in quarter.table("oss").lines] == [["France", Decimal("20.000"), 4000, 800]]
    assert quarter.figure("tax").value == 2700
    second = ask(company, "vat", date(2026, 4, 1), date(2026, 6, 30))
    assert [line.cells for line in second.table("oss").lines] == [["France", Decimal("20.000"), -1000, -200]]
    assert wrong_numbers(company, quarter) == wrong_numbers(company, second) == []


def test_the_return_is_in_the_tax_currency_as_each_document_fixed_it(company):
    """40.00 dollars to a French consumer at 1.25: 32.00 and 6.40 euro."""
    from billing.models import ExchangeRate

    ExchangeRate.objects.create(day=date(2025, 12, 31), currency="USD", rate=Decimal("1.25"), source="test")
    who = a_customer(company, country="FR", kind="person")
    a_subscription(company, who, a_plan(company, amount="40.00", currency="USD"), currency="USD")
    bill(company, who)
    report = ask(company, "vat", TODAY, MARCH)
    assert [line.cells for line in report.table("oss").lines] == [["France", Decimal("20.000"), 3200, 640]]
    assert report.figure("oss").currency == "EUR"
    assert wrong_numbers(company, report) == []


def test_balances_open_and_close_with_what_happened_between(company):
    who = a_customer(company, name="Anna")
    a_subscription(company, who, a_plan(company, amount="100.00"))
    (invoice,) = bill(company, who)
    pay(company, 10000, on=date(2026, 2, 3), invoice=invoice)
    report = ask(company, "balances", date(2026, 2, 1), date(2026, 2, 28))
    assert table_of(report, "customers") == {("EUR", "Anna"): [11900, 0, 0, -10000, 0, 0, 0, 1900]}
    assert wrong_numbers(company, report) == []


def test_the_journal_closes_as_the_trial_balance_does(company):
    invoice = yearly(company, "100.00")
    pay(company, 11900, on=date(2026, 2, 3), invoice=invoice)
    report = ask(company, "journal", date(2026, 2, 1), date(2026, 2, 28))
    assert {figure.name: figure.value for figure in report.figures} == {"debits": 11900, "credits": 11900}
    assert {key[1]: row for key, row in table_of(report, "accounts").items()} == {
        "1200 Bank": [0, 11900, 0, 11900],
        "1400 Receivables": [11900, 0, 11900, 0],
        "1776 Taxes due": [-1900, 0, 0, -1900],
        "8400 Revenue": [-10000, 0, 0, -10000],
    }
    assert wrong_numbers(company, report) == []


@pytest.mark.parametrize(("source", "where"), [
    ("postings", {"last": "2026-01-31"}),
    ("bridge_booked", {"first": "2026-01-01", "last": "2026-01-31"}),
])  # fmt: skip
def test_a_posting_says_what_caused_it_in_the_readers_words(company, source, where):
    from reporting import rows
    from reporting.shapes import Rows

    yearly(company, "100.00")
    opened = Rows(source, where)
    place = [column.name for column in rows.source_of(opened).columns].index("caused")
    with translation.override("de"):
        assert {rows.source_of(opened).cells(row)[place] for row in rows.query(company, opened)} == {"Rechnung"}


def test_a_movement_says_what_caused_it_and_why_in_the_readers_words(company):
    from reporting import rows
    from reporting.shapes import Rows
    from subscriptions.models import Movement

    subscription = a_subscription(company)
    Movement.objects.create(
        company=company, customer=subscription.customer, subscription=subscription, slot=subscription.slots.get(),
        kind="churn", cause="subscription.canceled", reason="too_expensive", currency="EUR", amount_minor=-5,
        effective_on=TODAY, booked_on=TODAY,
    )  # fmt: skip
    opened = Rows("movements", {"first": "2026-01-01", "last": "2026-01-31"})
    with translation.override("de"):
        told = [rows.source_of(opened).cells(row)[5:8] for row in rows.query(company, opened)]
    assert told == [("Abwanderung", "Abonnement nach Kündigung beendet", "zu teuer"), ("Neu", "Vereinbart", "")]
