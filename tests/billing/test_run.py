"""The billing run: what it bills, what it says, and that neither repeats nor crashes change what comes out."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from billing.models import BillingChunk, BillingRun, Invoice, InvoiceLine
from billing.services import running
from core import clock
from core.models import Company
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, set_clock

pytestmark = pytest.mark.django_db
FIRST = date(2026, 1, 1)


def start(company: Company, on: date, **more) -> BillingRun | None:  # type: ignore[no-untyped-def]
    return running.start(company=company, on=on, by=BY, at=clock.now(company), **more)


def run(company: Company, on: date, **more) -> BillingRun:  # type: ignore[no-untyped-def]
    started = start(company, on, **more)
    assert started is not None
    return running.work(started, pause=0)


def test_a_run_bills_everything_due_and_ends() -> None:
    company = a_company(today=FIRST)
    plan = a_plan(company, amount="10.00")
    for _ in range(3):
        a_subscription(company, plan=plan, on=FIRST)
    done = run(company, FIRST)
    assert (done.state, done.due_count, done.invoice_count, done.line_count) == ("done", 3, 3, 3)
    # Three times 10.00 and 19 %.
    assert done.totals == {"EUR": {"net": 3000, "tax": 570, "gross": 3570}}
    assert set(Invoice.objects.values_list("run_id", flat=True)) == {done.pk}


def test_a_second_run_adds_nothing() -> None:
    company = a_company(today=FIRST)
    a_subscription(company, on=FIRST)
    run(company, FIRST)
    assert start(company, FIRST) is None
    assert (Invoice.objects.count(), BillingRun.objects.count()) == (1, 1)


def test_whoever_asks_again_joins_the_unfinished_run() -> None:
    company = a_company(today=FIRST)
    a_subscription(company, on=FIRST)
    first, second = start(company, FIRST), start(company, FIRST)
    assert first is not None and second is not None and first.pk == second.pk


def test_no_customer_is_in_two_chunks_and_none_is_forgotten() -> None:
    company = a_company(today=FIRST)
    plan = a_plan(company)
    customers = [a_customer(company) for _ in range(7)]
    for customer in customers:
        a_subscription(company, customer, plan, on=FIRST)
        a_subscription(company, customer, plan, on=FIRST)
    started = start(company, FIRST, cut=running.Cut(subscriptions=4))
    assert started is not None
    chunks = list(BillingChunk.objects.filter(run=started).order_by("first_customer_id"))
    # Two subscriptions a customer and at most four a chunk.
    assert [chunk.due_count for chunk in chunks] == [2, 4, 4, 4]
    ids = sorted(customer.pk for customer in customers)
    assert [(chunk.first_customer_id, chunk.last_customer_id) for chunk in chunks] == [
        (ids[0], ids[0]), (ids[1], ids[2]), (ids[3], ids[4]), (ids[5], ids[6]),
    ]  # fmt: skip
    assert running.work(started, pause=0).line_count == 14


def test_much_to_catch_up_is_cut_by_lines() -> None:
    company = a_company(today=date(2026, 6, 1))
    plan = a_plan(company)
    for _ in range(4):
        a_subscription(company, plan=plan, on=FIRST)
    # Six months each: January to June.
    started = start(company, date(2026, 6, 1), cut=running.Cut(lines=13))
    assert started is not None
    assert started.forecast_lines == 24
    chunks = BillingChunk.objects.filter(run=started).order_by("first_customer_id")
    assert [chunk.forecast_lines for chunk in chunks] == [12, 12]
    assert running.work(started, pause=0).invoice_count == 24


def test_charges_older_than_a_week_are_issued_without_mail() -> None:
    company = a_company(today=date(2026, 3, 3))
    a_subscription(company, on=FIRST)
    done = run(company, date(2026, 3, 3))
    assert (done.invoice_count, done.quiet_count) == (3, 2)
    assert done.notify_since == date(2026, 2, 24)


def test_the_forecast_agrees_with_what_is_written() -> None:
    """Anchors at month ends, stubs, weeks, years, arrears, ends: boundaries counted apart come to the same number."""
    company = a_company(today=date(2026, 5, 31))
    starts = [date(2025, 12, 31), date(2026, 1, 30), date(2026, 2, 28), FIRST, date(2024, 2, 29)]
    rules = [
        {"interval_unit": "month", "interval_count": 1},
        {"interval_unit": "month", "interval_count": 3, "anchor_rule": "calendar"},
        {"interval_unit": "week", "interval_count": 2},
        {"interval_unit": "day", "interval_count": 10},
        {"interval_unit": "year", "interval_count": 1},
        {"interval_unit": "month", "interval_count": 1, "anchor_rule": "day", "anchor_day": 31},
    ]
    for rule in rules:
        for billed in ("advance", "arrears"):
            plan = a_plan(company, rules=rule, price={"billed": billed})
            for begun in starts:
                a_subscription(company, plan=plan, on=begun)
                a_subscription(company, plan=plan, on=begun, ends_on=date(2026, 4, 14))
    done = run(company, date(2026, 5, 31))
    assert done.line_count == InvoiceLine.objects.count()
    assert done.forecast_lines == done.line_count


def test_what_falls_due_while_a_run_is_under_way_is_billed_by_it() -> None:
    company = a_company(today=FIRST)
    plan = a_plan(company)
    a_subscription(company, plan=plan, on=FIRST)
    started = start(company, FIRST)
    assert started is not None
    assert running.bill_next(started) is running.Step.DONE
    a_subscription(company, plan=plan, on=FIRST)
    done = running.work(started, pause=0)
    assert (done.state, done.invoice_count, done.due_count) == ("done", 2, 2)


def test_a_day_begins_in_the_subscriptions_own_zone() -> None:
    """At noon UTC it is already 2 January in Kiritimati (UTC+14), and still 1 January elsewhere."""
    company = a_company(today=FIRST)
    plan = a_plan(company)
    set_clock(company, FIRST)
    at = clock.now(company)
    second = FIRST + timedelta(days=1)
    late = a_customer(company, time_zone="Pacific/Honolulu")
    early = a_customer(company, time_zone="Pacific/Kiritimati")
    for customer in (late, early):
        a_subscription(company, customer, plan, on=second)
    assert running.days_due(company=company, at=at) == {FIRST: ["Pacific/Honolulu"], second: ["Pacific/Kiritimati"]}
    for started in running.continue_due(company=company, at=at, by=BY):
        running.work(started, pause=0)
    assert list(Invoice.objects.values_list("customer_id", flat=True)) == [early.pk]
