"""Subscriptions over the API. The plan costs 10.00 a unit and month; German customers pay 19 % VAT.

Today is 10 March 2026, so a subscription that starts today bills 10 March to 9 April: 10.00, gross 11.90.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(company):
    from tests.factories import a_customer

    return a_customer(company)


@pytest.fixture
def plan(company):
    from tests.factories import a_plan

    return a_plan(company)


@pytest.fixture
def body(customer, plan):
    return {"customer": customer.ref, "plan": plan.ref, "start_on": "2026-03-10"}


@pytest.fixture
def running(api, body):
    return api.post("subscriptions", body).body


def test_a_start_bills_what_is_due(api, body):
    made = api.post("subscriptions", body)
    assert made.status_code == 201
    assert made["Location"] == f"/api/v1/subscriptions/{made.body['id']}"
    assert (made.body["state"], made.body["mrr"], made.body["next_bill_on"]) == ("active", "10.00", "2026-04-10")
    assert [(row["kind"], row["gross"]) for row in made.body["issued"]] == [("invoice", "11.90")]


def test_a_preview_shows_the_start_and_changes_nothing(api, body):
    seen = api.post("subscriptions/preview", body).body
    assert (seen["money_now"], seen["mrr_before"], seen["mrr_after"]) == ("11.90", "0.00", "10.00")
    assert [(row["on"], row["gross"]) for row in seen["next"]] == [
        ("2026-04-10", "11.90"), ("2026-05-10", "11.90"), ("2026-06-10", "11.90"),
    ]  # fmt: skip
    assert api.get("subscriptions").body["data"] == []


def test_the_act_does_what_its_preview_showed(api, body):
    token = api.post("subscriptions/preview", body).body["preview_token"]
    assert api.post("subscriptions", {**body, "preview_token": token}).status_code == 201


def test_an_act_that_differs_from_its_preview_is_refused(api, body, plan):
    token = api.post("subscriptions/preview", body).body["preview_token"]
    items = [{"product": plan.items.get().product.ref, "quantity": "2"}]
    answer = api.post("subscriptions", {**body, "items": items, "preview_token": token})
    assert (answer.status_code, answer.body["code"]) == (409, "preview.differs")
    assert api.get("subscriptions").body["data"] == []


def test_items_and_overrides_come_in_place_of_the_plan(api, body, plan):
    items = [{"product": plan.items.get().product.ref, "quantity": "3", "unit_amount": "9.5"}]
    made = api.post("subscriptions", {**body, "items": items, "overrides": {"minimum_count": 12}}).body
    assert made["items"][0]["terms"]["unit_amount"] == "9.50"
    assert (made["items"][0]["terms"]["quantity"], made["mrr"]) == ("3", "28.50")
    assert made["minimum_count"] == 12


def test_the_contract_clock_stands_in_the_body(api, running):
    clock = api.get(f"subscriptions/{running['id']}").body["contract_clock"]
    assert (clock["earliest_end"], clock["term_end"]) == ("2026-04-09", None)
    assert clock["in_words"]
    assert api.get("subscriptions").body["data"][0]["contract_clock"] is None
    assert api.get("subscriptions?expand=contract_clock").body["data"][0]["contract_clock"] == clock


def test_words_of_the_clock_come_in_the_language_asked_for(api, running):
    path = f"subscriptions/{running['id']}"
    assert api.get(path, **{"Accept-Language": "de"})["Content-Language"] == "de"
    assert api.get(path, **{"Accept-Language": "de"})["ETag"] == api.get(path)["ETag"]


def test_a_cancellation_is_previewed_done_and_undone(api, running):
    path = f"subscriptions/{running['id']}"
    seen = api.post(f"{path}/cancel/preview", {"timing": "period_end"}).body
    assert (seen["ends_on"], seen["money_now"], seen["mrr_after"]) == ("2026-04-09", "0.00", "0.00")
    assert api.get(path).body["ends_on"] is None
    ended = api.post(f"{path}/cancel", {"timing": "period_end", "preview_token": seen["preview_token"]}).body
    assert (ended["ends_on"], ended["state"], ended["issued"]) == ("2026-04-09", "active", [])
    assert api.post(f"{path}/undo-cancel/preview").body["ends_on"] is None
    assert api.post(f"{path}/undo-cancel").body["ends_on"] is None


def test_an_end_of_today_gives_the_rest_back(api, company, body):
    """One of 31 days stays: 10.00 x 30/31 = 9.677, 9.68 net and 1.84 VAT go back."""
    from tests.factories import a_plan

    plan = a_plan(company, rules={"notice_to": "any_day"})
    running = api.post("subscriptions", {**body, "plan": plan.ref}).body
    ended = api.post(f"subscriptions/{running['id']}/cancel", {"timing": "now"}).body
    assert [(row["kind"], row["gross"]) for row in ended["issued"]] == [("credit_note", "11.52")]


def test_an_override_needs_its_own_scope(api, caller, running):
    path = f"subscriptions/{running['id']}/cancel"
    sent = {"timing": "now", "override": True, "override_reason": "goodwill"}
    answer = caller("subscriptions:write").post(path, sent)
    assert (answer.status_code, answer.body["detail"]) == (403, "This key lacks the scope subscriptions:override.")
    assert caller("subscriptions:write", "subscriptions:override").post(path, sent).status_code == 200


def test_upcoming_invoices_are_listed(api, running):
    found = api.get(f"subscriptions/{running['id']}/upcoming?count=2").body["data"]
    assert [(row["on"], row["net"], row["tax"]) for row in found] == [
        ("2026-04-10", "10.00", "1.90"), ("2026-05-10", "10.00", "1.90"),
    ]  # fmt: skip


def test_links_are_shown_whole_when_asked(api, running, customer, plan):
    shown = api.get(f"subscriptions/{running['id']}?expand=customer,plan,product,price").body
    assert shown["customer"]["name"] == customer.name
    assert shown["plan"]["code"] == plan.code
    assert shown["items"][0]["product"]["id"] == plan.items.get().product.ref
    assert shown["items"][0]["terms"]["price"]["version"] == 1


def test_subscriptions_are_filtered(api, running, customer):
    assert len(api.get(f"subscriptions?state=active&customer={customer.ref}&parked=false").body["data"]) == 1
    assert api.get("subscriptions?state[in]=canceled,expired").body["data"] == []
    assert len(api.get("subscriptions?next_bill_on[gt]=2026-04-09&next_bill_on[lte]=2026-04-10").body["data"]) == 1


def test_a_plan_of_another_company_is_no_choice(api, body, other_company):
    from tests.factories import a_plan

    answer = api.post("subscriptions", {**body, "plan": a_plan(other_company).ref})
    assert answer.body["errors"][0]["pointer"] == "/plan"


@pytest.mark.parametrize("start", ["2026-02-31", "31.01.2026", "20260131", "2026-1-1", "3026-01-01", 20260101, None])
def test_a_day_has_one_form(api, body, start):
    answer = api.post("subscriptions", {**body, "start_on": start})
    assert answer.status_code == 422
    assert answer.body["errors"][0]["pointer"] == "/start_on"


def test_a_list_asks_the_same_for_one_and_for_many(api, company, customer, plan):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.factories import a_subscription

    for _ in range(3):
        a_subscription(company, customer, plan)
    query = "expand=customer,plan,product,price,contract_clock"
    api.get("subscriptions")
    with CaptureQueriesContext(connection) as one:
        api.get(f"subscriptions?limit=1&{query}")
    with CaptureQueriesContext(connection) as three:
        api.get(f"subscriptions?limit=3&{query}")
    assert len(one) == len(three) <= 12


def test_a_preview_takes_no_notice_of_a_token(api, company):
    """Whoever sends the body of the act gets a preview of it, with the token of now."""
    from tests.factories import a_customer, a_plan

    plan = a_plan(company)
    stale = {"preview_token": "0" * 64}
    start = {"customer": a_customer(company).ref, "plan": plan.ref, "start_on": "2026-03-10"}
    seen = api.post("subscriptions/preview", {**start, **stale})
    assert (seen.status_code, len(seen.body["preview_token"])) == (200, 64)
    one = f"subscriptions/{api.post('subscriptions', start).body['id']}"
    assert api.post(f"{one}/cancel/preview", {"timing": "period_end", **stale}).status_code == 200
    api.post(f"{one}/cancel", {"timing": "period_end"})
    assert api.post(f"{one}/undo-cancel/preview", stale).status_code == 200
    charge = {"product": plan.items.get().product.ref, "unit_amount": "5", "service_on": "2026-03-20"}
    assert api.post(f"{one}/one-offs/preview", {**charge, **stale}).status_code == 200
    [made] = api.post(f"{one}/one-offs", charge).body["one_offs"]
    for act, given in (("cancel", {}), ("bill", {}), ("move", {"service_on": "2026-03-21"})):
        assert api.post(f"one-offs/{made['id']}/{act}/preview", {**given, **stale}).status_code == 200, act
