"""Dunning day by day: which steps on which days, and nothing once it is paid, disputed, promised or paused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.dunning import a_policy, bill, case_of, days, history, mails, pay, tick, walk

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


def test_nothing_is_late_on_its_due_day_and_the_day_after_it_is(company):
    from billing.models import DunningCase

    bill(company, a_customer(company))
    assert tick(company, TODAY)["opened"] == 0
    assert tick(company, days(1))["opened"] == 1
    case = DunningCase.objects.get()
    assert (case.counts_from_on, case.opened_minor, case.state) == (TODAY, 11_900, "open")


def test_the_steps_come_on_their_days_after_the_due_date(company):
    customer = a_customer(company)
    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}), (12, "alert"), (20, "mail", {"level": 2}))
    bill(company, customer)
    walk(company, TODAY, days(25))
    assert history(customer) == [(days(3), "mail"), (days(10), "mail"), (days(12), "alert"), (days(20), "mail")]
    assert mails(customer) == [(days(3), "reminder_0"), (days(10), "reminder_1"), (days(20), "reminder_2")]


def test_a_payment_ends_the_case_at_once_and_nothing_goes_out_after_it(company):
    customer = a_customer(company)
    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}), (20, "mail", {"level": 2}))
    invoice = bill(company, customer)
    walk(company, TODAY, days(5))
    pay(invoice, days(6))
    case = case_of(customer)
    assert (case.state, case.recovered_minor, case.next_step_on) == ("paid", 11_900, None)
    walk(company, days(6), days(29))
    assert mails(customer) == [(days(3), "reminder_0")]
    assert history(customer) == [(days(3), "mail"), (days(6), "paid")]


def test_missed_days_send_the_last_reminder_due_and_no_other(company):
    customer = a_customer(company)
    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}), (20, "mail", {"level": 2}), (30, "mail", {"level": 3}))
    bill(company, customer)
    tick(company, days(25))
    assert mails(customer) == [(days(25), "reminder_2")]
    assert history(customer, results=["skipped"]) == [
        (days(25), "mail", "later_level"), (days(25), "mail", "later_level")
    ]  # fmt: skip
    tick(company, days(30))
    assert mails(customer)[1:] == [(days(30), "reminder_3")]


def test_after_missed_days_a_grave_step_keeps_its_distance_from_the_last_word(company):
    customer = a_customer(company)
    a_policy(company, (20, "mail", {"level": 3}), (30, "suspend"))
    bill(company, customer)
    walk(company, days(40), days(51))
    assert history(customer) == [(days(40), "mail"), (days(50), "suspend")]


def test_a_policy_of_alerts_as_the_worked_case_has_it():
    # The first invoice is due on 31 May.
    company = a_company(today=date(2012, 5, 1), payment_terms_days=0, time_zone="UTC", books_start_on=date(2011, 1, 1))
    customer = a_customer(company, kind="person")
    a_policy(company, (5, "alert"))
    bill(company, customer, on=date(2012, 5, 31))
    walk(company, date(2012, 5, 31), date(2012, 6, 6))
    assert history(customer) == [(date(2012, 6, 5), "alert")]


def test_written_off_before_its_day_no_step_is_done():
    from billing.services import receivables

    company = a_company(today=date(2012, 5, 1), payment_terms_days=0, time_zone="UTC", books_start_on=date(2011, 1, 1))
    customer = a_customer(company)
    a_policy(company, (5, "alert"))
    invoice = bill(company, customer, on=date(2012, 5, 31))
    walk(company, date(2012, 5, 31), date(2012, 6, 3))
    receivables.write_off(invoice=invoice, reason="gone", by=BY, at=at_noon(date(2012, 6, 3)))
    walk(company, date(2012, 6, 4), date(2012, 6, 20))
    assert history(customer) == []
    assert case_of(customer).closed_at is not None


def test_suspended_on_its_day_and_resumed_on_the_day_of_payment_as_the_worked_case_has_it():
    from billing.models import Invoice
    from billing.services import settling
    from subscriptions.models import Subscription

    company = a_company(
        today=date(2012, 5, 1), payment_terms_days=0, time_zone="UTC", books_start_on=date(2011, 1, 1), country="DE"
    )
    customer = a_customer(company, tax_exemption="test")
    a_policy(company, (40, "suspend"))
    first = bill(company, customer, on=date(2012, 5, 31), amount="249.95")
    subscription = Subscription.objects.get(customer=customer)
    day = date(2012, 6, 1)
    while day < date(2012, 8, 1):
        settling.settle(company=company, customer_ids=[customer.pk], on=day, at=at_noon(day), by=BY, zones=["UTC"])
        tick(company, day)
        day += timedelta(days=1)
    subscription.refresh_from_db()
    assert (subscription.state, subscription.suspended_from_on) == ("suspended", date(2012, 7, 10))
    second = Invoice.objects.filter(customer=customer).latest("pk")
    assert (second.issued_on, second.gross_minor) == (date(2012, 6, 30), 24_995)
    pay(first, date(2012, 8, 1))
    subscription.refresh_from_db()
    assert subscription.state == "suspended"
    pay(second, date(2012, 8, 1))
    subscription.refresh_from_db()
    assert subscription.state == "active"
    third = Invoice.objects.filter(customer=customer).latest("pk")
    # 249.95 x 30 / 31 days from 1 to 31 August
    assert (third.issued_on, third.gross_minor) == (date(2012, 8, 1), 24_189)
    done = [row for row in history(customer) if row[1] in ("suspend", "resumed")]
    assert done == [(date(2012, 7, 10), "suspend"), (date(2012, 8, 1), "resumed")]
