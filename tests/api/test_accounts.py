"""The statement of account over the API: a PDF of the days asked for, of one's own customers alone."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(api, company):
    from tests.factories import a_customer, a_plan

    customer = a_customer(company, name="Anna Meier")
    sent = {"customer": customer.ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    api.post("subscriptions", sent)
    return customer


def test_the_paper_of_this_year(api, customer):
    answer = api.get(f"customers/{customer.ref}/account")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")


def test_days_the_wrong_way_round_and_unknown_currencies_are_refused(api, customer):
    answer = api.get(f"customers/{customer.ref}/account?first=2026-03-02&last=2026-03-01")
    assert (answer.status_code, answer.json()["code"]) == (422, "account.days_reversed")
    assert api.get(f"customers/{customer.ref}/account?currency=XXQ").status_code == 422


def test_a_customer_of_nobody_is_not_found(api):
    assert api.get("customers/cus_00000000000000000000000000/account").status_code == 404
