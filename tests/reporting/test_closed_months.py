"""Months whose books are closed are read from sums, and every figure is the same with and without them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.db import transaction

from reporting import closed_months, movements, registry
from reporting.models import ClosedCustomers, ClosedMonth, ClosedRevenue
from reporting.shapes import IN_ONE
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock
from tests.reporting.opening import ask
from tests.reporting.test_every_figure_opens import asked_of

pytestmark = [pytest.mark.django_db]


def rows_of(company: Any) -> list[Any]:
    """Everything that is kept of closed months, but ids and when."""
    revenue = ClosedRevenue.objects.filter(company=company).order_by(
        "month", "kind", "currency", "plan", "product", "country", "campaign", "source", "cohort_on"
    )
    customers = ClosedCustomers.objects.filter(company=company).order_by("month", "currency", "dimension", "value")
    return [
        *revenue.values_list("month", "kind", "currency", "plan", "product", "country", "cohort_on", "amount_minor"),
        *customers.values_list("month", "currency", "dimension", "value", "gained", "returned", "lost"),
        *ClosedMonth.objects.filter(company=company).order_by("month").values_list("month", "rates"),
    ]


def close(company: Any, day: date) -> None:
    from core.services.company import update_company

    update_company(company=company, changes={"books_closed_on": day}, by=BY, at=company.clock_at)


def test_months_are_summed_up_when_their_books_are_closed(rich: Any) -> None:
    months = ClosedMonth.objects.filter(company=rich.company).order_by("month")
    assert [month.month for month in months] == [date(2025, number, 1) for number in range(1, 11)]
    # The last of May 2025 is a Saturday: Friday's rate holds.
    assert months[4].rates == {"USD": "1.15"}


def test_every_figure_is_the_same_with_and_without_closed_months(rich: Any) -> None:
    spec = registry.named("mrr")
    for asked in asked_of(spec):
        for only in ({}, {"country": "DE"}, {"campaign": "none", "country": "DE"}):
            question = replace(asked, only=only)
            told = registry.build(name="mrr", company=rich.company, asked=question)
            with transaction.atomic():
                for model in (ClosedRevenue, ClosedCustomers, ClosedMonth):
                    model.objects.filter(company=rich.company).delete()
                live = registry.build(name="mrr", company=rich.company, asked=question)
                transaction.set_rollback(True)
            assert live == told, question


def test_closed_months_added_up_anew_say_the_same(rich: Any) -> None:
    from django.core.management import call_command

    before, said = rows_of(rich.company), StringIO()
    call_command("rebuild_closed_months", company=rich.company.slug, stdout=said)
    assert rows_of(rich.company) == before
    assert said.getvalue() == f"{rich.company.slug}: 10 closed months\n"


def test_a_closed_month_is_read_from_its_sums() -> None:
    company = a_company()
    a_subscription(company)
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 31))
    assert closed_months.closed_months_tick(company, company.clock_at) == {"months": 1}
    ClosedRevenue.objects.filter(company=company).update(amount_minor=77)
    (row,) = movements.line(movements.Wanted(company, date(2026, 1, 1), date(2026, 1, 31), "country")).values()
    assert row[-1].closing == 77
    assert ClosedMonth.objects.get(company=company).totals == {"EUR": {"new": 1000}}
    ClosedMonth.objects.filter(company=company).update(totals={"EUR": {"new": 66}})
    assert ask(company, "mrr", date(2026, 1, 1), date(2026, 2, 10)).figure("mrr").value == 66


def test_a_month_closed_in_part_is_not_summed_up() -> None:
    company = a_company()
    a_subscription(company)
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 30))
    assert closed_months.closed_months_tick(company, company.clock_at) == {"months": 0}


def test_what_comes_after_the_close_is_read_live() -> None:
    company = a_company()
    customer = a_customer(company)
    a_subscription(company, customer)
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 31))
    closed_months.closed_months_tick(company, company.clock_at)
    a_subscription(company, customer, on=date(2026, 2, 10))
    a_subscription(company, on=date(2026, 2, 10))
    report = ask(company, "mrr", date(2026, 1, 1), date(2026, 2, 10))
    lines = report.table("months").lines
    names = [column.name for column in report.table("months").columns]
    february = dict(zip(names, lines[1].cells, strict=True))
    assert (february["opening"], february["new"], february["expansion"], february["closing"]) == (
        1000, 1000, 1000, 3000,
    )  # fmt: skip
    assert (february["gained"], february["customers"]) == (1, 2)


def test_customers_of_one_currency_are_counted_the_same_in_it_and_in_all() -> None:
    company = a_company()
    for _ in range(3):
        a_subscription(company)
    set_clock(company, date(2026, 2, 10))
    live = ask(company, "mrr", date(2026, 1, 1), date(2026, 1, 31), currency=IN_ONE)
    close(company, date(2026, 1, 31))
    closed_months.closed_months_tick(company, company.clock_at)
    told = {
        currency: list(
            ClosedCustomers.objects.filter(company=company, currency=currency)
            .order_by("dimension", "value").values_list("dimension", "value", "gained", "returned", "lost")
        )
        for currency in ("EUR", "")
    }  # fmt: skip
    assert told["EUR"] == told[""]
    assert [(row[0], row[2]) for row in told[""]] == [
        ("", 3), ("campaign", 3), ("cohort", 3), ("country", 3), ("plan", 1), ("plan", 1), ("plan", 1), ("product", 1),
        ("product", 1), ("product", 1), ("source", 3),
    ]  # fmt: skip
    assert ask(company, "mrr", date(2026, 1, 1), date(2026, 1, 31), currency=IN_ONE) == live


def test_a_planned_change_in_the_month_keeps_it_open() -> None:
    from billing.services import acts_changing
    from subscriptions.models import Change

    company = a_company()
    subscription = a_subscription(company)
    plan = a_plan(company, amount="30.00")
    acts_changing.change(
        subscription=subscription, plan=plan, timing="date", effective_on=date(2026, 1, 20), by=BY,
        at=at_noon(date(2026, 1, 2)),
    )  # fmt: skip
    assert Change.objects.get(subscription=subscription).status == "planned"
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 31))
    assert closed_months.due(company) is None


def test_a_word_that_comes_late_about_what_brought_a_customer_is_not_missed() -> None:
    from catalog.services.discounts import create_campaign
    from subscriptions.services import first_touch

    company = a_company()
    customer = a_customer(company)
    a_subscription(company, customer)
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 31))
    closed_months.closed_months_tick(company, company.clock_at)
    fair = create_campaign(company=company, code="fair", name="Fair", by=BY, at=company.clock_at)
    first_touch.note(company=company, customer=customer, campaign=fair, source="", at=company.clock_at)

    def by_campaign() -> list[Any]:
        report = ask(company, "mrr", date(2026, 1, 1), date(2026, 2, 10), by="campaign")
        return [(line.cells[0], line.cells[2]) for line in report.table("by").lines]

    assert by_campaign() == [("Fair", 1000)]
    assert closed_months.closed_months_tick(company, company.clock_at) == {"months": 1}
    assert by_campaign() == [("Fair", 1000)]
    assert ClosedRevenue.objects.get(company=company).campaign == fair
    assert closed_months.due(company) is None


def test_the_doctor_names_a_month_whose_sums_are_not_its_movements() -> None:
    from reporting.examinations import figures

    company = a_company()
    a_subscription(company)
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 31))
    closed_months.closed_months_tick(company, company.clock_at)
    assert list(figures(company.clock_at)) == []
    ClosedRevenue.objects.filter(company=company).update(amount_minor=77)
    assert [one.text for one in figures(company.clock_at)] == [
        f"{company.slug}: the sums of 2026-01 differ from its movements in 1 places."
    ]


def in_francs(rate: str) -> Any:
    """A company with 30 francs a month and 30 paid, January closed at a rate."""
    from billing.models import ExchangeRate
    from billing.services import payments

    company = a_company()
    payments.record(
        company=company, customer=None, amount_minor=3000, currency="CHF", method="transfer",
        received_on=date(2026, 1, 1), by=BY, at=company.clock_at,
    )  # fmt: skip
    a_subscription(company, None, a_plan(company, amount="30.00", currency="CHF"), currency="CHF")
    for day in (date(2025, 12, 31), date(2026, 1, 30)):
        ExchangeRate.objects.create(day=day, currency="CHF", rate=Decimal(rate), source="test")
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 31))
    assert closed_months.closed_months_tick(company, company.clock_at) == {"months": 1}
    return company


def corrected(rate: str) -> None:
    from billing.models import ExchangeRate

    ExchangeRate.objects.filter(day=date(2026, 1, 30)).update(rate=Decimal(rate))


@pytest.mark.parametrize(("name", "table", "column"), [("mrr", "months", "closing"), ("journal", "months", "debit")])
def test_a_rate_corrected_later_moves_no_closed_figure_and_is_shown(name: str, table: str, column: str) -> None:
    """30 francs at 1.25 are 24 euros; the report names 1.25 and what the table says now."""
    company = in_francs("1.25")

    def told() -> tuple[list[Any], list[str]]:
        report = ask(company, name, date(2026, 1, 1), date(2026, 1, 31), currency=IN_ONE)
        found = report.table(table) if name == "mrr" else report.tables[-1]
        place = [one.name for one in found.columns].index(column)
        return [line.cells[place] for line in found.lines], list(report.warnings)

    before, said = told()
    assert said == []
    corrected("1.50")
    assert told() == (before, [
        "The rate of CHF for 31 Jan 2026 is 1.5 now; the month was closed with 1.25, and its figures keep that."
    ])  # fmt: skip
    for model in (ClosedRevenue, ClosedCustomers, ClosedMonth):
        model.objects.filter(company=company).delete()
    assert told()[0] != before


def test_months_summed_up_anew_keep_the_rates_they_were_closed_with() -> None:
    company = in_francs("1.25")
    corrected("1.50")
    closed_months.rebuild(company, at=company.clock_at)
    assert ClosedMonth.objects.get(company=company).rates["CHF"] == "1.25"


def test_a_rate_that_was_missing_at_the_close_may_come_later() -> None:
    from billing.models import ExchangeRate

    company = in_francs("1.25")
    ClosedMonth.objects.filter(company=company).update(rates={})
    ExchangeRate.objects.filter(day=date(2026, 1, 30)).update(rate=Decimal("1.20"))
    report = ask(company, "mrr", date(2026, 1, 1), date(2026, 1, 31), currency=IN_ONE)
    assert (report.figure("mrr").value, report.warnings) == (2500, [])


def test_a_company_that_only_bills_once_closes_its_months_with_their_rates_too() -> None:
    from billing.models import Posting
    from billing.services import payments

    company = a_company()
    payments.record(
        company=company, customer=None, amount_minor=500, currency="EUR", method="transfer",
        received_on=date(2026, 1, 1), by=BY, at=company.clock_at,
    )  # fmt: skip
    assert Posting.objects.filter(company=company).exists()
    set_clock(company, date(2026, 2, 10))
    close(company, date(2026, 1, 31))
    assert closed_months.closed_months_tick(company, company.clock_at) == {"months": 1}
