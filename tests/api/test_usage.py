"""Meters, usage events and current usage over the API."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.models import InvoiceLine
from core.models import Event
from subscriptions.models import Slot, UsageEvent
from tests.subscriptions.metering import a_meter, a_usage_item, a_user

pytestmark = pytest.mark.django_db
MARCH = date(2026, 3, 1)


@pytest.fixture
def meter(company):
    return a_meter(company, code="calls")


@pytest.fixture
def subscription(company, meter):
    return a_user(company, a_usage_item(meter, "0.10"), on=MARCH, external_id="tower-7")


def event(number: int, **changes):
    values = {"meter": "calls", "event_id": f"e{number}", "subscription": "tower-7", "at": "2026-03-05T08:00:00Z"}
    return values | {"value": "5"} | changes


def test_a_meter_is_created_changed_archived_and_restored(api):
    made = api.post("meters", {"code": "gb", "name": {"en": "Gigabytes"}, "aggregation": "max"})
    assert (made.status_code, made.body["aggregation"], made.body["late_days"]) == (201, "max", 90)
    ref = made.body["id"]
    assert api.patch(f"meters/{ref}", {"unit_name": {"en": "GB"}, "late_days": 30}).body["late_days"] == 30
    assert api.post(f"meters/{ref}/archive").body["archived_at"] == "2026-03-10T09:00:00Z"
    assert api.get("meters?archived=false").body["data"] == []
    assert api.post(f"meters/{ref}/restore").body["archived_at"] is None
    assert api.post("meters", {"code": "gb", "name": {"en": "x"}, "aggregation": "sum"}).body["code"] == (
        "catalog.code_taken"
    )


def test_how_a_meter_counts_never_changes(api, meter):
    assert api.patch(f"meters/{meter.ref}", {"aggregation": "max"}).status_code == 422


def test_a_batch_is_answered_row_by_row(api, subscription):
    sent = [event(1), event(2, at="yesterday"), event(1), event(3, subscription=subscription.ref), "nothing"]
    answer = api.post("usage-events", {"events": sent})
    assert (answer.body["accepted"], answer.body["duplicates"], answer.body["refused"]) == (2, 1, 2)
    results = answer.body["results"]
    assert [row["status"] for row in results] == ["accepted", "refused", "duplicate", "accepted", "refused"]
    assert (results[1]["field"], results[1]["code"]) == ("at", "usage.at_form")
    again = api.post("usage-events", {"events": [event(1), event(3)]}).body
    assert (again["accepted"], again["duplicates"]) == (0, 2)


def test_a_batch_has_between_one_and_ten_thousand_events(api):
    assert api.post("usage-events", {"events": []}).status_code == 422
    assert api.post("usage-events", {"events": [{}] * 10_001}).status_code == 422
    assert api.post("usage-events", {"events": {}}).status_code == 422
    assert api.post("usage-events", {"events": [{}] * 10_000}).body["refused"] == 10_000


def test_events_are_listed_newest_first_page_by_page(api, subscription, meter):
    api.post("usage-events", {"events": [event(n) for n in range(3)]})
    first = api.get(f"usage-events?limit=2&meter={meter.ref}&subscription={subscription.ref}").body
    assert [row["event_id"] for row in first["data"]] == ["e2", "e1"]
    assert first["data"][0]["value"] == "5"
    rest = api.get(f"usage-events?limit=2&after={first['next']}").body
    assert [row["event_id"] for row in rest["data"]] == ["e0"]
    assert api.get("usage-events?after=zz").status_code == 422


def test_what_does_not_count_is_listed(api, subscription):
    api.post("usage-events", {"events": [event(1, at="2026-02-05T08:00:00Z")]})
    [row] = api.get(f"usage-refusals?subscription={subscription.ref}").body["data"]
    assert (row["event_id"], row["code"]) == ("e1", "usage.before_start")


def test_current_usage_says_quantity_cost_and_days(api, subscription):
    api.post("usage-events", {"events": [event(1), event(2, at="2026-03-06T08:00:00Z", value="7.5")]})
    [item] = api.get(f"subscriptions/{subscription.ref}/usage").body["data"]
    # 12.5 x 0.10.
    assert (item["quantity"], item["cost"], item["billed"], item["events"]) == ("12.5", "1.25", "0.00", 2)
    assert (item["period_start"], item["period_end"]) == ("2026-03-01", "2026-04-01")
    assert (item["start_at"], item["end_at"]) == ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z")
    assert item["days"] == [
        {"day": "2026-03-05", "events": 1, "quantity": "5"},
        {"day": "2026-03-06", "events": 1, "quantity": "7.5"},
    ]


def test_usage_of_a_free_trial_is_shown_at_no_cost(api, company, meter):
    subscription = a_user(company, a_usage_item(meter), on=MARCH, overrides={"trial_days": 30})
    api.post("usage-events", {"events": [event(1, subscription=subscription.ref)]})
    [item] = api.get(f"subscriptions/{subscription.ref}/usage").body["data"]
    assert (item["quantity"], item["cost"], item["is_free"], item["period_end"]) == ("5", "0.00", True, "2026-03-31")


def test_different_values_are_counted_by_day(api, company):
    users = a_meter(company, "unique_count", code="users")
    subscription = a_user(company, a_usage_item(users, "2.00"), on=MARCH)
    days = [("a", 5), ("b", 5), ("a", 5), ("a", 6)]
    sent = [
        event(n, meter="users", subscription=subscription.ref, key=key, value=None, at=f"2026-03-0{day}T08:00:00Z")
        for n, (key, day) in enumerate(days)
    ]
    assert api.post("usage-events", {"events": sent}).body["accepted"] == 4
    [item] = api.get(f"subscriptions/{subscription.ref}/usage").body["data"]
    assert (item["quantity"], item["cost"]) == ("2", "4.00")
    assert [day["quantity"] for day in item["days"]] == ["2", "1"]


def test_usage_past_its_amount_is_billed_with_the_event_that_passes_it(api, company, meter):
    subscription = a_user(company, a_usage_item(meter, "1.00", interim_minor=1000), on=MARCH)
    api.post("usage-events", {"events": [event(1, subscription=subscription.ref)]})
    assert not InvoiceLine.objects.exists()
    api.post("usage-events", {"events": [event(2, subscription=subscription.ref)]})
    line = InvoiceLine.objects.get()
    assert (line.kind, line.amount_minor, str(line.period_start), str(line.period_end)) == (
        "interim", 1000, "2026-03-01", "2026-03-11",
    )  # fmt: skip
    [item] = api.get(f"subscriptions/{subscription.ref}/usage").body["data"]
    assert (item["cost"], item["billed"]) == ("10.00", "10.00")


def test_thresholds_are_set_and_told(api, subscription):
    slot = Slot.objects.get(subscription=subscription)
    body = {"item": slot.ref, "thresholds": [{"quantity": "10"}, {"cost": "5.00"}]}
    [item] = api.post(f"subscriptions/{subscription.ref}/usage-thresholds", body).body["data"]
    assert item["thresholds"] == [
        {"quantity": "10", "cost": None, "told": False},
        {"quantity": None, "cost": "5.00", "told": False},
    ]
    api.post("usage-events", {"events": [event(1, value="10")]})
    [item] = api.get(f"subscriptions/{subscription.ref}/usage").body["data"]
    assert [one["told"] for one in item["thresholds"]] == [True, False]
    told = Event.objects.get(type="usage.threshold_passed")
    assert (told.data["quantity"], told.data["cost_minor"]) == ("10", 100)
    both = {"item": slot.ref, "thresholds": [{"quantity": "10", "cost": "5.00"}]}
    assert api.post(f"subscriptions/{subscription.ref}/usage-thresholds", both).body["code"] == "usage.threshold_form"


def test_a_key_sent_twice_counts_once(api, subscription):
    for _ in range(2):
        answer = api.post("usage-events", {"events": [event(1)]}, **{"Idempotency-Key": "k1"})
        assert answer.body["accepted"] == 1
    assert UsageEvent.objects.get().value == Decimal(5)


def test_sending_usage_needs_its_scope(caller, subscription):
    assert caller("usage:read").post("usage-events", {"events": [event(1)]}).status_code == 403
    assert caller("usage:write").post("usage-events", {"events": [event(1)]}).status_code == 200
