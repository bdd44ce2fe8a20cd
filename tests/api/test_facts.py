"""Events, the company and reports over the API."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer(company):
    from tests.factories import a_customer

    return a_customer(company)


@pytest.fixture
def running(api, company, customer):
    from tests.factories import a_plan

    sent = {"customer": customer.ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    return api.post("subscriptions", sent).body


def test_events_tell_what_happened_newest_first(api, running, customer):
    events = api.get(f"events?customer={customer.ref}").body["data"]
    assert [event["type"] for event in events] == ["invoice.issued", "subscription.started", "customer.created"]
    assert events[1]["data"]["id"] == running["id"]
    assert api.get(f"events/{events[1]['id']}").body == events[1]
    assert [event["type"] for event in api.get("events?type[in]=invoice.issued,x.y").body["data"]] == ["invoice.issued"]


def test_events_show_only_what_the_key_may_read(api, caller, running):
    types = {event["type"].partition(".")[0] for event in caller("invoices:read").get("events").body["data"]}
    assert types == {"invoice"}
    subscription_event = api.get("events?type=subscription.started").body["data"][0]["id"]
    assert caller("invoices:read").get(f"events/{subscription_event}").status_code == 404


def test_the_company_tells_its_own_day(api, company):
    shown = api.get("company").body
    assert (shown["today"], shown["now"]) == ("2026-03-10", "2026-03-10T09:00:00Z")
    assert (shown["is_live"], shown["slug"]) == (False, company.slug)
