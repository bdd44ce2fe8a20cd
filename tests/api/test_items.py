"""Prices of every model, add-ons, minimums and one-off charges over the API. Today is 10 March 2026; tax is 19 %."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db

TIERS = {"tiers": [{"up_to": "10", "unit_price": "2", "flat_fee": "5"}, {"unit_price": "1.50"}]}


@pytest.fixture
def customer(company):
    from tests.factories import a_customer

    return a_customer(company)


def a_product(company):
    from tests.factories import a_product as made

    return made(company)


@pytest.fixture
def plan(api, company):
    """A tiered base, calls, support for those who choose it, and a set-up."""
    from tests.subscriptions.metering import a_meter

    prices = [
        {"currency": "EUR", "model": "graduated", "details": TIERS, "minimum_amount": "40.00"},
        {"currency": "EUR", "unit_amount": "0.10"},
        {"currency": "EUR", "unit_amount": "5.00"},
        {"currency": "EUR", "unit_amount": "99.00"},
    ]
    kinds = [
        {"quantity": "14"},
        {"kind": "usage", "meter": a_meter(company).ref},
        {"is_optional": True},
        {"kind": "one_off"},
    ]
    items = [
        {"product": a_product(company).ref, "prices": [price], **kind}
        for price, kind in zip(prices, kinds, strict=True)
    ]
    body = {
        "code": "all", "name": {"en": "All"}, "items": items, "minimum_amounts": {"EUR": "200", "USD": "220.00"},
        "trial_usage": "billed", "suspended_billing": "credit", "customer_may_change": True, "customer_may_pause": True,
    }  # fmt: skip
    made = api.post("plans", body)
    assert made.status_code == 201, made.body
    return api.post(f"plans/{made.body['id']}/publish").body


def test_a_plan_shows_model_details_kind_meter_minimum_and_add_on(plan):
    base, calls, support, once = plan["items"]
    assert [item["kind"] for item in plan["items"]] == ["recurring", "usage", "recurring", "one_off"]
    assert (base["meter"], calls["meter"][:4], support["is_optional"], once["is_optional"]) == (
        None, "mtr_", True, False,
    )  # fmt: skip
    price = base["prices"][0]
    assert (price["model"], price["unit_amount"], price["minimum_amount"]) == ("graduated", "0.00", "40.00")
    assert price["details"] == {"tiers": [{"up_to": "10", "unit_price": "2", "flat_fee": "5"}, {"unit_price": "1.5"}]}
    assert calls["prices"][0]["billed"] == "arrears"
    assert plan["minimum_amounts"] == {"EUR": "200", "USD": "220"}
    assert (plan["trial_usage"], plan["suspended_billing"]) == ("billed", "credit")
    assert (plan["customer_may_change"], plan["customer_may_pause"]) == (True, True)


def test_tiers_that_contradict_themselves_are_refused(api, company):
    price = {"currency": "EUR", "model": "volume", "details": {"tiers": [{"up_to": "10", "unit_price": "1"}]}}
    body = {"code": "x", "name": {"en": "X"}, "items": [{"product": a_product(company).ref, "prices": [price]}]}
    refused = api.post("plans", body)
    assert (refused.status_code, refused.body["code"]) == (422, "price.details")


def test_a_start_takes_add_ons_and_bills_the_set_up(api, plan, customer):
    support = plan["items"][2]["product"]
    body = {
        "customer": customer.ref, "plan": plan["id"], "start_on": "2026-03-10",
        "add_ons": [{"product": support, "quantity": "2"}],
    }  # fmt: skip
    made = api.post("subscriptions", body).body
    assert [(item["kind"], item["mrr"]) for item in made["items"]] == [
        ("recurring", "31.00"), ("usage", "0.00"), ("recurring", "10.00"),
    ]  # fmt: skip
    assert made["items"][0]["terms"]["details"]["tiers"][1] == {"unit_price": "1.5"}
    assert (made["items"][0]["terms"]["minimum_amount"], made["minimum_amount"]) == ("40.00", "200.00")
    # 31.00 + 10.00 + 99.00 = 140.00, and 19 %.
    assert [row["gross"] for row in made["issued"]] == ["166.60"]
    assert [(row["is_billed"], row["unit_amount"], row["service_on"]) for row in made["one_offs"]] == [
        (True, "99.00", "2026-03-10")
    ]


def test_items_are_agreed_with_details_minimum_and_threshold(api, company, customer):
    from tests.subscriptions.metering import a_meter

    items = [
        {"product": a_product(company).ref, "model": "package", "unit_amount": "5.00", "quantity": "21",
         "details": {"package_size": "10", "free_units": "1"}, "minimum_amount": "25.00"},
        {"product": a_product(company).ref, "kind": "usage", "meter": a_meter(company).ref, "unit_amount": "0.1",
         "interim_amount": "50.00"},
        {"product": a_product(company).ref, "unit_amount": "3.00", "ends_on": "2026-04-20"},
        {"product": a_product(company).ref, "kind": "one_off", "unit_amount": "80.00", "service_on": "2026-03-20"},
    ]  # fmt: skip
    overrides = {"minimum_amount": "60.00", "suspended_billing": "continue"}
    body = {"customer": customer.ref, "items": items, "start_on": "2026-03-10", "overrides": overrides}
    made = api.post("subscriptions", body).body
    package, usage, _third = made["items"]
    # Two packages of ten beyond the free unit.
    assert (package["mrr"], package["terms"]["details"]) == ("10.00", {"package_size": "10", "free_units": "1"})
    assert (usage["kind"], usage["interim_amount"]) == ("usage", "50.00")
    assert (made["minimum_amount"], made["suspended_billing"]) == ("60.00", "continue")
    assert [(row["due_on"], row["is_billed"]) for row in made["one_offs"]] == [("2026-03-20", False)]


@pytest.fixture
def running(api, company, customer):
    from tests.factories import a_plan

    body = {"customer": customer.ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    return api.post("subscriptions", body).body


def test_a_single_charge_is_previewed_and_added(api, company, running):
    body = {"product": a_product(company).ref, "unit_amount": "7.00", "quantity": "3", "description": "Data"}
    path = f"subscriptions/{running['id']}/one-offs"
    seen = api.post(f"{path}/preview", body).body
    assert (seen["money_now"], seen["documents"][0]["lines"][0]["description"]) == ("24.99", "Data")
    added = api.post(path, {**body, "preview_token": seen["preview_token"]}).body
    assert [row["gross"] for row in added["issued"]] == ["24.99"]
    again = api.post(path, {**body, "quantity": "4", "preview_token": seen["preview_token"]})
    assert (again.status_code, again.body["code"]) == (409, "preview.differs")


def test_a_single_charge_is_moved_billed_early_and_canceled(api, company, running):
    path = f"subscriptions/{running['id']}/one-offs"
    for day in ("2026-03-20", "2026-03-25"):
        added = api.post(path, {"product": a_product(company).ref, "unit_amount": "7.00", "service_on": day}).body
    first, second = added["one_offs"]
    assert added["issued"] == []
    moved = api.post(f"one-offs/{first['id']}/move", {"service_on": "2026-03-22"}).body
    assert [row["due_on"] for row in moved["one_offs"]] == ["2026-03-22", "2026-03-25"]
    assert api.post(f"one-offs/{first['id']}/bill/preview", {}).body["money_now"] == "8.33"
    billed = api.post(f"one-offs/{first['id']}/bill", {}).body
    assert ([row["gross"] for row in billed["issued"]], billed["one_offs"][0]["is_billed"]) == (["8.33"], True)
    canceled = api.post(f"one-offs/{second['id']}/cancel", {}).body
    assert canceled["one_offs"][1]["canceled_at"] is not None
    refused = api.post(f"one-offs/{first['id']}/cancel", {})
    assert refused.body["code"] == "one_off.billed"
