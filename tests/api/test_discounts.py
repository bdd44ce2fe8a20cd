"""Discounts over the API. The plan costs 10.00 a unit and month; German customers pay 19 % VAT.

Today is 10 March 2026, so a subscription that starts today bills 10 March to 9 April: 10.00, gross 11.90.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def body(company):
    from tests.factories import a_customer, a_plan

    return {"customer": a_customer(company).ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}


@pytest.fixture
def discount(api):
    made = api.post("discounts", {"code": "tenth", "name": {"en": "A tenth"}, "percent": "10"})
    assert made.status_code == 201
    return made.body


@pytest.fixture
def code(api, discount):
    made = api.post("offer-codes", {"discount": discount["id"], "code": "spring", "total_limit": 1})
    assert made.status_code == 201
    return made.body


def test_a_percent_is_created_shown_renamed_and_archived(api, discount):
    assert (discount["percent"], discount["amount"], discount["duration"]) == ("10", None, "forever")
    address = f"discounts/{discount['id']}"
    assert api.get(address).body == discount
    assert api.patch(address, {"name": {"en": "Ten"}}).body["name"] == {"en": "Ten"}
    assert api.post(f"{address}/archive").body["archived_at"] is not None
    assert api.get("discounts?archived=false").body["data"] == []


def test_an_amount_is_read_in_its_currency(api):
    sent = {"code": "five", "name": {"en": "Five"}, "amount": "5.00", "currency": "EUR", "duration": "once"}
    made = api.post("discounts", sent).body
    assert (made["amount"], made["currency"], made["percent"]) == ("5.00", "EUR", None)
    finer = api.post("discounts", {**sent, "code": "finer", "amount": "5.001"})
    assert (finer.status_code, finer.body["errors"][0]["code"]) == (422, "amount_places")


def test_a_discount_that_contradicts_itself_is_refused(api):
    answer = api.post("discounts", {"code": "x", "name": {"en": "X"}, "percent": "10", "duration": "periods"})
    assert (answer.status_code, answer.body["code"]) == (422, "discount.periods")


def test_campaigns_hold_discounts(api):
    campaign = api.post("campaigns", {"code": "spring", "name": "Spring"}).body
    api.post("discounts", {"code": "tenth", "name": {"en": "A tenth"}, "percent": "10", "campaign": campaign["id"]})
    found = api.get(f"discounts?campaign={campaign['id']}").body["data"]
    assert [row["campaign"] for row in found] == [campaign["id"]]
    assert api.post(f"campaigns/{campaign['id']}/archive").body["archived_at"] is not None


def test_a_subscription_starts_with_a_code(api, body, code):
    made = api.post("subscriptions", {**body, "offer_code": "Spring"})
    # 10.00 less 10 %, with 19 %: 10.71.
    assert (made.body["mrr"], made.body["issued"][0]["gross"]) == ("9.00", "10.71")
    [given] = api.get(f"subscriptions/{made.body['id']}/discounts").body["data"]
    assert (given["code"], given["percent"], given["from_on"]) == ("SPRING", "10", "2026-03-10")
    assert api.get(f"offer-codes/{code['id']}").body["use_count"] == 1


def test_an_unknown_code_starts_nothing(api, body):
    answer = api.post("subscriptions", {**body, "offer_code": "NOPE"})
    assert (answer.status_code, answer.body["code"]) == (422, "offer_code.unknown")
    assert api.get("subscriptions").body["data"] == []


def test_a_discount_is_given_as_its_preview_showed(api, body, discount):
    running = api.post("subscriptions", body).body
    address = f"subscriptions/{running['id']}/discounts"
    seen = api.post(f"{address}/preview", {"discount": discount["id"]}).body
    assert (seen["money_now"], seen["mrr_before"], seen["mrr_after"]) == ("0.00", "10.00", "9.00")
    assert [row["gross"] for row in seen["next"]] == ["10.71", "10.71", "10.71"]
    assert api.get(address).body["data"] == []
    done = api.post(address, {"discount": discount["id"], "preview_token": seen["preview_token"]})
    assert done.status_code == 200
    assert [row["gross"] for row in api.get(f"subscriptions/{running['id']}/upcoming").body["data"]] == ["10.71"] * 3


def test_a_code_is_redeemed_as_its_preview_showed(api, body, code):
    running = api.post("subscriptions", body).body
    address = f"subscriptions/{running['id']}/redeem"
    seen = api.post(f"{address}/preview", {"code": "SPRING"}).body
    assert api.get(f"offer-codes/{code['id']}").body["use_count"] == 0
    done = api.post(address, {"code": "SPRING", "preview_token": seen["preview_token"]})
    assert done.status_code == 200
    again = api.post(address, {"code": "SPRING"})
    assert (again.status_code, again.body["code"]) == (422, "offer_code.used_up")


def test_a_discount_is_ended_as_its_preview_showed(api, body, discount):
    running = api.post("subscriptions", body).body
    address = f"subscriptions/{running['id']}/discounts"
    api.post(address, {"discount": discount["id"]})
    [given] = api.get(address).body["data"]
    seen = api.post(f"{address}/{given['id']}/end/preview", {}).body
    assert [row["gross"] for row in seen["next"]] == ["11.90", "11.90", "11.90"]
    done = api.post(f"{address}/{given['id']}/end", {"preview_token": seen["preview_token"]})
    assert done.status_code == 200
    assert api.get(f"{address}?live=true").body["data"] == []


def test_a_discount_of_another_subscription_is_not_found(api, body, discount):
    one, two = (api.post("subscriptions", body).body for _ in range(2))
    api.post(f"subscriptions/{one['id']}/discounts", {"discount": discount["id"]})
    [given] = api.get(f"subscriptions/{one['id']}/discounts").body["data"]
    assert api.post(f"subscriptions/{two['id']}/discounts/{given['id']}/end", {}).status_code == 404


def test_a_line_says_what_discounts_took(api, body, code):
    made = api.post("subscriptions", {**body, "offer_code": "SPRING"}).body
    [line] = api.get(f"invoices/{made['issued'][0]['id']}").body["lines"]
    assert (line["amount"], line["discount"]) == ("9.00", "1.00")
