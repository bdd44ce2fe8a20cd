"""Webhook endpoints, what they were sent, and events over the API."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def public_names(monkeypatch):
    """Every name leads to a public address; nothing is sent in these tests."""
    from core.services import webhook_addresses

    monkeypatch.setattr(webhook_addresses, "look_up", lambda host, port: ["93.184.215.14"])


@pytest.fixture
def made(api):
    sent = {"url": "https://erp.example.com/in", "types": ["customer.*", "invoice.issued"], "description": "ERP"}
    return api.post("webhook-endpoints", sent, status=201).body


def test_an_endpoint_is_made_with_a_secret_that_is_shown_this_once(api, made):
    assert made["secret"].startswith("whsec_")
    endpoint = made["endpoint"]
    assert (endpoint["types"], endpoint["is_active"]) == (["customer.*", "invoice.issued"], True)
    shown = api.get(f"webhook-endpoints/{endpoint['id']}").body
    assert shown == endpoint
    assert api.get("webhook-endpoints").body["data"] == [endpoint]
    assert made["secret"] not in str(shown)


def test_an_endpoint_changes_and_gets_a_new_secret(api, made):
    address = f"webhook-endpoints/{made['endpoint']['id']}"
    assert api.patch(address, {"types": ["*"]}).body["types"] == ["*"]
    rotated = api.post(f"{address}/rotate-secret", {"overlap_hours": 2}).body
    assert rotated["secret"] != made["secret"]
    assert rotated["endpoint"]["previous_until"] is not None


def test_an_address_inside_and_an_unknown_type_are_refused(api, monkeypatch):
    from core.services import webhook_addresses

    answer = api.post("webhook-endpoints", {"url": "https://erp.example.com", "types": ["invoice.lost"]}, status=422)
    assert answer.body["code"] == "webhook.type_unknown"
    monkeypatch.setattr(webhook_addresses, "look_up", lambda host, port: ["10.0.0.5"])
    answer = api.post("webhook-endpoints", {"url": "https://erp.example.com", "types": ["*"]}, status=422)
    assert answer.body["code"] == "webhook.url_private"


def test_deleting_switches_off_and_enabling_uses_it_again(api, made):
    address = f"webhook-endpoints/{made['endpoint']['id']}"
    api.delete(address, status=204)
    shown = api.get(address).body
    assert (shown["is_active"], shown["stopped"]) == (False, "by_hand")
    assert api.post(f"{address}/test", {}, status=409).body["code"] == "webhook.not_active"
    assert api.post(f"{address}/enable", {}).body["is_active"] is True


def test_a_test_is_a_delivery_that_can_be_looked_at_and_sent_again(api, made):
    from core.models import WebhookDelivery

    endpoint = made["endpoint"]["id"]
    delivery = api.post(f"webhook-endpoints/{endpoint}/test", {}).body
    assert (delivery["type"], delivery["state"], delivery["log"]) == ("webhook_endpoint.tested", "waiting", [])
    WebhookDelivery.objects.update(state="delivered")
    listed = api.get(f"webhook-deliveries?endpoint={endpoint}&state=delivered").body["data"]
    assert [row["id"] for row in listed] == [delivery["id"]]
    assert api.post(f"webhook-deliveries/{delivery['id']}/resend", {}).body["state"] == "waiting"


def test_what_was_missed_is_sent_again_since_an_instant(api, made, company):
    from tests.factories import a_customer

    a_customer(company)
    address = f"webhook-endpoints/{made['endpoint']['id']}"
    api.delete(address, status=204)
    api.post(f"{address}/enable", {})
    since = company.clock_at.isoformat().replace("+00:00", "Z")
    assert api.post(f"{address}/resend", {"since": since}).body == {"deliveries": 1}


def test_events_are_found_by_subject_and_by_noun(api, company):
    from tests.factories import a_customer

    one, other = a_customer(company), a_customer(company)
    found = api.get(f"events?subject={one.ref}").body["data"]
    assert [(event["type"], event["data"]["id"]) for event in found] == [("customer.created", one.ref)]
    assert len(api.get("events?type=customer.*").body["data"]) == 2
    assert api.get("events?type=custom").body["data"] == []
    assert api.get("events?subject=cus_nothing").body["data"] == []
    assert other.ref not in str(found)


def test_the_types_of_events_are_listed_with_examples(api):
    types = {one["type"]: one for one in api.get("event-types").body["data"]}
    assert types["invoice.paid"]["meaning"] == "An invoice is paid in full."
    assert types["invoice.paid"]["example"]["status"] == "paid"
    assert len(types) >= 60
