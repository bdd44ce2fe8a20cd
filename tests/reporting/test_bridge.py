"""From recurring revenue to money without a rest: in told cases, in lives at random, and every cause opens its rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, at_noon
from tests.reporting.opening import ask, wrong_numbers

pytestmark = pytest.mark.django_db
JANUARY, FEBRUARY = date(2026, 1, 31), date(2026, 2, 28)


def bridge(company: Any, last: date, currency: str = "EUR") -> tuple[dict[str, int], dict[str, int]]:
    """The sums and the causes of the month that ends on that day."""
    from reporting.bridge import months

    (month,) = months(company, last.replace(day=1), last, last)[currency]
    return month.sums, month.causes


def closes(company: Any, first: date, last: date) -> None:
    """No rest in any month, no row without a cause, every number is what its rows add up to."""
    from reporting import bridge

    for rows in bridge.months(company, first, last, last).values():
        for month in rows:
            assert [month.rest(leg) for leg in bridge.LEGS] == [0, 0, 0], month
            assert set(month.causes) <= set(bridge.CAUSES), month
    report = ask(company, "bridge", first, last)
    assert report.warnings == []
    assert wrong_numbers(company, report) == []


def start(company: Any, customer: Any, amount: str, on: date = TODAY, **more: Any) -> Any:
    from billing.services import acts

    plan = a_plan(company, amount=amount, price=more.pop("price", None), rules=more.pop("rules", None))
    return acts.start(
        company=company, customer=customer, plan=plan, start_on=on, on=on, by=BY, at=at_noon(on), **more
    ).subscription


@pytest.fixture
def company():
    return a_company()


def test_a_monthly_subscription_needs_no_cause_until_money_comes(company):
    """100.00 a month, invoiced with 19.00 tax, nothing paid."""
    start(company, a_customer(company), "100.00")
    sums, causes = bridge(company, JANUARY)
    assert sums == {"mrr": 10000, "invoiced": 10000, "booked": 10000, "paid": 0}
    assert causes == {"tax": 1900, "open": -11900}
    closes(company, TODAY, JANUARY)


def test_a_year_is_invoiced_for_more_than_a_month_and_then_was_invoiced_before(company):
    """1,200.00 a year are 100.00 a month: 1,100.00 more in January, 100.00 less in February."""
    start(company, a_customer(company), "1200.00", rules={"interval_unit": "year"})
    sums, causes = bridge(company, JANUARY)
    assert (sums["mrr"], sums["invoiced"], causes["longer"]) == (10000, 120000, 110000)
    sums, causes = bridge(company, FEBRUARY)
    assert (sums["mrr"], sums["invoiced"], causes) == (10000, 0, {"invoiced_before": -10000})
    closes(company, TODAY, FEBRUARY)


def test_arrears_are_invoiced_later(company):
    start(company, a_customer(company), "100.00", price={"billed": "arrears"})
    sums, causes = bridge(company, JANUARY)
    assert (sums["mrr"], sums["invoiced"], causes) == (10000, 0, {"not_yet": -10000})
    from tests.billing.test_payments import bill

    for customer in {one.customer for one in _subscriptions(company)}:
        bill(company, customer, on=date(2026, 2, 1))
    sums, causes = bridge(company, JANUARY)
    assert causes == {"invoiced_later": -10000}
    closes(company, TODAY, FEBRUARY)


def _subscriptions(company: Any) -> Any:
    from subscriptions.models import Subscription

    return Subscription.objects.filter(company=company)


def test_one_offs_and_part_of_a_period(company):
    """A start on the 17th under calendar anchors: 15 of 31 days of 31.00 are 15.00; 50.00 once."""
    from billing.services import acts_items

    on = date(2026, 1, 17)
    started = start(company, a_customer(company), "31.00", on, rules={"anchor_rule": "calendar"})
    acts_items.add_one_off(
        subscription=started, product=a_product(company), unit_amount=Decimal(50), service_on=on, bill_now=True,
        by=BY, at=at_noon(on),
    )  # fmt: skip
    sums, causes = bridge(company, JANUARY)
    assert (sums["mrr"], sums["invoiced"]) == (3100, 6500)
    assert (causes["part"], causes["one_off"]) == (1500 - 3100, 5000)
    closes(company, TODAY, JANUARY)


def test_a_discount_for_a_time_lies_between(company):
    """10 % off the first invoice: 90.00 invoiced, 100.00 recur."""
    from catalog.services.discounts import create_code, create_discount

    less = create_discount(
        company=company, code="less", name={"en": "Less"}, percent=Decimal(10), duration="once", by=BY,
        at=at_noon(TODAY),
    )  # fmt: skip
    create_code(discount=less, code="LESS", by=BY, at=at_noon(TODAY))
    start(company, a_customer(company), "100.00", offer_code="LESS")
    sums, causes = bridge(company, JANUARY)
    assert (sums["mrr"], sums["invoiced"], causes["discount"]) == (10000, 9000, -1000)
    closes(company, TODAY, JANUARY)


def test_a_suspended_position_recurs_but_is_not_invoiced(company):
    from billing.services import acts_pausing
    from tests.billing.test_payments import bill

    subscription = start(company, a_customer(company), "100.00")
    acts_pausing.suspend(subscription=subscription, suspended_billing="stop", by=BY, at=at_noon(date(2026, 1, 20)))
    bill(company, subscription.customer, on=FEBRUARY)
    sums, causes = bridge(company, FEBRUARY)
    assert (sums["mrr"], sums["invoiced"], causes) == (10000, 0, {"suspended": -10000})
    closes(company, TODAY, FEBRUARY)


def test_what_ended_and_what_was_given_back_stand_apart():
    """Invoiced 31.00 for January, ended on the 10th: 21.00 go back, nothing recurs."""
    from billing.services import acts
    from tests.stories.life import Life

    life = Life(TODAY)
    subscription = life.start(a_plan(life.company, amount="31.00", rules={"notice_to": "any_day"}))
    life.until(date(2026, 1, 10))
    life.do(acts.cancel, subscription=subscription, timing="now", unused="credit")
    life.until(JANUARY)
    sums, causes = bridge(life.company, JANUARY)
    assert (sums["mrr"], sums["invoiced"]) == (0, 1000)
    assert (causes["ended"], causes["note_cancel"]) == (3100, -2100)
    closes(life.company, TODAY, JANUARY)


def test_money_of_earlier_invoices_losses_and_refunds(company):
    from billing.models import Invoice
    from billing.services import account_credit, receivables
    from tests.billing.test_payments import pay

    good, bad = a_customer(company), a_customer(company)
    start(company, good, "100.00")
    start(company, bad, "10.00")
    first, lost = Invoice.objects.get(customer=good), Invoice.objects.get(customer=bad)
    pay(company, 12900, on=date(2026, 2, 3), invoice=first)  # 119.00 and 10.00 too much
    refund = account_credit.refund_credit(
        customer=good, currency="EUR", amount_minor=400, reason="asked", by=BY, at=at_noon(date(2026, 2, 4))
    )
    account_credit.settle_refund(refund=refund, paid_on=date(2026, 2, 5), by=BY, at=at_noon(date(2026, 2, 5)))
    receivables.write_off(invoice=lost, reason="gone", by=BY, at=at_noon(date(2026, 2, 10)))
    sums, causes = bridge(company, FEBRUARY)
    assert sums == {"mrr": 11000, "invoiced": 0, "booked": 0, "paid": 12900 - 400}
    paid = {name: causes[name] for name in ("earlier", "overpaid", "refunded", "lost")}
    assert paid == {"earlier": 11900 + 1190, "overpaid": 1000, "refunded": -400, "lost": -1190}
    closes(company, TODAY, FEBRUARY)


def test_an_empty_company_has_an_empty_bridge(company):
    assert ask(company, "bridge", TODAY, JANUARY).figures == []
