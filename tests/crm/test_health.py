"""The score of a customer: every sign takes off its points, is said in words, and is found by one statement."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.models import Company
from crm.services import health, tasks
from customers.models import Customer
from subscriptions.models import Subscription
from tests.crm.test_alerts import AT, TODAY
from tests.factories import BY, a_company, a_customer, a_subscription, at_noon

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return a_company()


@pytest.fixture
def old(company: Company) -> Customer:
    """A customer of many years with nothing to worry about."""
    customer = a_customer(company)
    a_subscription(company, customer, on=TODAY)
    Subscription.objects.filter(customer=customer).update(start_on=TODAY - timedelta(days=900))
    return customer


def signs(customer: Customer) -> dict[str, int]:
    found = health.of_customer(customer, at=AT)
    assert found is not None
    assert found.score == max(0, 100 - sum(sign.points for sign in found.signs))
    return {sign.name: sign.points for sign in found.signs}


def test_nothing_to_worry_about_is_a_hundred(old: Customer) -> None:
    assert signs(old) == {}
    assert health.of_customer(old, at=AT).score == 100  # type: ignore[union-attr]


def test_who_never_bought_has_no_score(company: Company) -> None:
    assert health.of_customer(a_customer(company), at=AT) is None


def test_a_young_customer_is_one_sign(company: Company) -> None:
    customer = a_customer(company)
    a_subscription(company, customer, on=TODAY)
    assert signs(customer) == {"young": 5}


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"state": "paused"}, "paused"),
        ({"end_kind": "cancel", "ends_on": TODAY + timedelta(days=9)}, "leaving"),
        ({"term_start_on": TODAY, "term_ends_on": TODAY + timedelta(days=60), "renewal_rule": "expire"}, "ends_soon"),
    ],
)
def test_what_a_subscription_says(old: Customer, change: dict[str, Any], sign: str) -> None:
    Subscription.objects.filter(customer=old).update(**change)
    assert list(signs(old)) == [sign]


def test_a_term_that_renews_or_ends_later_is_no_sign(old: Customer) -> None:
    term = {"term_start_on": TODAY, "term_ends_on": TODAY + timedelta(days=61), "renewal_rule": "expire"}
    Subscription.objects.filter(customer=old).update(**term)
    assert signs(old) == {}
    Subscription.objects.filter(customer=old).update(term_ends_on=TODAY + timedelta(days=9), renewal_rule="renew")
    assert signs(old) == {}


def test_an_urgent_task_and_a_blocked_address_are_signs(company: Company, old: Customer) -> None:
    from customers.services import suppressing

    tasks.create(company=company, title="Angry", due_on=TODAY, customer=old, priority="high", by=BY, at=AT)
    suppressing.suppress(company=company, address=old.email, reason="bounced", by=BY, at=AT)
    assert signs(old) == {"urgent": 10, "bounced": 10}


def test_an_overdue_invoice_counts_after_three_days(company: Company) -> None:
    from tests.money.providers import billed

    customer = a_customer(company)
    due_on = billed(company, customer).balance.payment_due_on
    for days, is_found in ((3, False), (4, True)):
        found = health.of_customer(customer, at=at_noon(due_on + timedelta(days=days)))
        assert found is not None
        assert ("unpaid" in {sign.name for sign in found.signs}) is is_found


def test_the_list_holds_those_under_the_line_in_one_statement(company: Company, old: Customer) -> None:
    for _ in range(3):
        customer = a_customer(company)
        a_subscription(company, customer, on=TODAY)
        Subscription.objects.filter(customer=customer).update(end_kind="cancel", ends_on=TODAY)
    with CaptureQueriesContext(connection) as asked:
        found = list(health.may_leave(company, at=AT).order_by("health", "pk"))
    assert [row.health for row in found] == [55, 55, 55]
    assert len(asked) == 1
