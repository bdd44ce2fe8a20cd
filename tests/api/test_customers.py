"""Customers over the API."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


def test_a_customer_is_created_with_address_and_people(api):
    sent = {
        "name": "Beck GmbH",
        "language": "de",
        "external_id": "4711",
        "metadata": {"crm": "x"},
        "address": {"lines": ["Hauptstrasse 1"], "postal_code": "10115", "city": "Berlin", "country": "DE"},
        "contacts": [{"name": "Ada Beck", "email": "ada@example.com", "gets_invoices": True}],
    }
    made = api.post("customers", sent)
    assert made.status_code == 201
    assert made["Location"] == f"/api/v1/customers/{made.body['id']}"
    assert made.body["billing_address"] == {
        "recipient": "",
        "lines": ["Hauptstrasse 1"],
        "postal_code": "10115",
        "city": "Berlin",
        "region": "",
        "country": "DE",
    }
    shown = api.get(f"customers/{made.body['id']}?expand=contacts")
    assert [person["name"] for person in shown.body["contacts"]] == ["Ada Beck"]
    assert shown.body["created_at"] == "2026-03-10T09:00:00Z"
    assert shown.body["metadata"] == {"crm": "x"}


def test_only_named_fields_change(api):
    ref = api.post("customers", {"name": "Beck", "email": "a@example.com"}).body["id"]
    changed = api.patch(f"customers/{ref}", {"name": "Beck & Co"})
    assert (changed.body["name"], changed.body["email"]) == ("Beck & Co", "a@example.com")


def test_a_newer_address_takes_the_place_of_the_current_one(api):
    ref = api.post("customers", {"name": "Beck", "address": {"country": "DE", "city": "Berlin"}}).body["id"]
    api.put(f"customers/{ref}/addresses/billing", {"country": "FR", "city": "Paris"})
    assert api.get(f"customers/{ref}").body["billing_address"]["city"] == "Paris"


def test_an_unknown_kind_of_address_is_not_there(api):
    ref = api.post("customers", {"name": "Beck"}).body["id"]
    assert api.put(f"customers/{ref}/addresses/summer", {"country": "FR"}).status_code == 404


def test_an_external_id_is_given_once(api):
    api.post("customers", {"name": "One", "external_id": "7"})
    again = api.post("customers", {"name": "Two", "external_id": "7"})
    assert again.status_code == 422
    assert again.body["code"] == "customer.external_id_taken"
    assert again.body["errors"][0]["pointer"] == "/external_id"
    assert api.get("customers?external_id=7").body["data"][0]["name"] == "One"


def test_an_archived_customer_can_be_filtered_out_and_restored(api):
    ref = api.post("customers", {"name": "Beck"}).body["id"]
    api.post(f"customers/{ref}/archive")
    assert api.get("customers?archived=false").body["data"] == []
    assert api.post(f"customers/{ref}/restore").body["archived_at"] is None


def test_contacts_are_listed_changed_and_archived(api):
    ref = api.post("customers", {"name": "Beck"}).body["id"]
    person = api.post(f"customers/{ref}/contacts", {"name": "Ada", "role": "billing"}).body["id"]
    assert api.patch(f"contacts/{person}", {"name": "Ada Beck"}).body["name"] == "Ada Beck"
    assert api.get(f"contacts/{person}").body["role"] == "billing"
    assert api.post(f"contacts/{person}/archive").body["archived_at"] == "2026-03-10T09:00:00Z"
    assert api.get(f"customers/{ref}/contacts?archived=false").body["data"] == []


def test_notes_are_kept_and_taken_off(api):
    ref = api.post("customers", {"name": "Beck"}).body["id"]
    note = api.post(f"customers/{ref}/notes", {"text": "Tab\tand \\ stay."}).body
    assert note["text"] == "Tab\tand \\ stay."
    api.post(f"notes/{note['id']}/archive")
    assert api.get(f"customers/{ref}/notes?archived=true").body["data"][0]["id"] == note["id"]


def test_the_timeline_tells_what_happened_newest_first(api, company):
    from datetime import timedelta

    ref = api.post("customers", {"name": "Beck"}).body["id"]
    company.clock_at += timedelta(hours=1)
    company.save(update_fields=["clock_at"])
    api.post(f"customers/{ref}/notes", {"text": "Prefers calls."})
    entries = api.get(f"customers/{ref}/timeline").body["data"]
    assert [(entry["kind"], entry["at"]) for entry in entries] == [
        ("note", "2026-03-10T10:00:00Z"), ("event", "2026-03-10T09:00:00Z"),
    ]  # fmt: skip
    assert entries[0]["text"] == "Prefers calls."
    assert entries[1]["about"] == {"kind": "customer", "id": ref}
    assert entries[1]["actor"] == "test"
    older = api.get(f"customers/{ref}/timeline?before={entries[0]['at']}").body["data"]
    assert older == entries[1:]


def test_a_customer_is_put_in_a_dunning_group(api):
    made = api.post("customers", {"name": "Beck", "dunning_group": "gentle"}).body
    assert made["dunning_group"] == "gentle"
    assert api.patch(f"customers/{made['id']}", {"dunning_group": "strict"}).body["dunning_group"] == "strict"
    assert api.get(f"customers/{made['id']}").body["dunning_group"] == "strict"
