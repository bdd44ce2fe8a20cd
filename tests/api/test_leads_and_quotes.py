"""Leads and quotes over the API: captured, moved, converted; offered, accepted, kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.crm.test_quotes import plan_with_options
from tests.factories import a_customer

if TYPE_CHECKING:
    from core.models import Company

    from .caller import Caller

pytestmark = pytest.mark.django_db

ADA = {"name": "Ada Wind", "organization": "Windpark GmbH", "email": "ada@windpark.example", "country": "DE"}


def test_a_lead_is_captured_moved_noted_and_planned(api: Caller, company: Company) -> None:
    made = api.post("leads", ADA | {"value": "149.00", "source": "shop"})
    assert made.status_code == 201
    assert (made.body["origin"], made.body["value"], made.body["currency"]) == ("api", "149.00", "EUR")
    path = f"leads/{made.body['id']}"
    stages = {one["kind"]: one["id"] for one in api.get("lead-stages").body["data"]}
    assert api.post(f"{path}/move", {"stage": stages["won"]}).body["stage"]["kind"] == "won"
    assert api.post(f"{path}/move", {"stage": stages["lost"]}).body["code"] == "lead.lost_needs_reason"
    assert api.post(f"{path}/lose", {"reason": "price"}).body["lost_reason"] == "price"
    assert [one["text"] for one in api.post(f"{path}/notes", {"text": "Nice"}).body["notes"]] == ["Nice"]
    assert api.post(f"{path}/steps", {"title": "Call", "due_on": "2026-03-12"}).status_code == 201
    assert api.patch(path, {"phone": "030 1234567"}).body["phone"] == "030 1234567"
    assert [one["id"] for one in api.get("leads?kind=lost").body["data"]] == [made.body["id"]]


def test_a_lead_needs_a_name_and_an_external_id_of_its_own(api: Caller, company: Company) -> None:
    assert api.post("leads", {"email": "a@example.com"}).body["code"] == "lead.nameless"
    api.post("leads", ADA | {"external_id": "x-1"})
    assert api.post("leads", ADA | {"external_id": "x-1"}).body["code"] == "lead.external_id_taken"


def test_duplicates_are_listed_merged_and_converted(api: Caller, company: Company) -> None:
    first, second = (api.post("leads", ADA).body["id"] for _ in range(2))
    (found,) = api.get(f"leads/{second}/duplicates").body["data"]
    assert (found["id"], found["reasons"]) == (first, ["email", "domain", "organization"])
    assert api.post(f"leads/{second}/merge", {"into": first}).body["id"] == first
    assert api.get(f"leads/{second}").body["merged_into"] == first
    address = {"lines": ["Hafen 1"], "city": "Kiel", "country": "DE"}
    customer = api.post(f"leads/{first}/convert", {"address": address}).body["customer"]
    assert api.get(f"customers/{customer}").body["name"] == "Windpark GmbH"


def test_a_quote_is_written_sent_previewed_and_accepted(api: Caller, company: Company) -> None:
    plan = plan_with_options(company)
    lead = api.post("leads", ADA).body["id"]
    made = api.post("quotes", {"plan": plan.ref, "lead": lead})
    assert (made.status_code, made.body["state"], len(made.body["lines"])) == (201, "draft", 3)
    path, support = f"quotes/{made.body['id']}", made.body["lines"][1]["id"]
    lines: list[dict[str, Any]] = [
        {"product": one["product"], "quantity": one["quantity"], "is_optional": one["is_optional"],
         "is_chosen": one["is_chosen"]}
        for one in made.body["lines"]
    ]  # fmt: skip
    lines[0]["unit_amount"] = "8.00"
    changed = api.patch(path, {"lines": lines, "title": "For you"}).body
    assert (changed["title"], changed["lines"][0]["unit_amount"]) == ("For you", "8.00")
    support = changed["lines"][1]["id"]
    sent = api.post(f"{path}/send").body
    assert sent["state"] == "sent" and sent["link"].endswith("/")
    seen = api.post(f"{path}/accept/preview", {"options": [support]}).body
    assert seen["money_now"] == "74.97"
    done = api.post(
        f"{path}/accept", {"name": "Ada", "options": [support], "preview_token": seen["preview_token"]}
    ).body  # fmt: skip
    assert (done["state"], done["answer"]["name"]) == ("accepted", "Ada")
    invoice = api.get(f"invoices/{done['invoice']}").body
    assert invoice["gross"] == "74.97"
    assert api.patch(path, {"title": "x"}).body["code"] == "quote.frozen"


def test_versions_are_made_and_withdrawn_and_drafts_deleted(api: Caller, company: Company) -> None:
    plan, customer = plan_with_options(company), a_customer(company)
    made = api.post("quotes", {"plan": plan.ref, "customer": customer.ref}).body["id"]
    api.post(f"quotes/{made}/send")
    second = api.post(f"quotes/{made}/revise")
    assert (second.status_code, second.body["version"]) == (201, 2)
    assert api.get(f"quotes/{made}").body["state"] == "replaced"
    assert api.delete(f"quotes/{second.body['id']}").status_code == 204
    third = api.post("quotes", {"plan": plan.ref, "customer": customer.ref}).body["id"]
    api.post(f"quotes/{third}/send")
    assert api.post(f"quotes/{third}/decline", {"reason": "No"}).body["answer"]["reason"] == "No"
    assert api.post(f"quotes/{third}/withdraw").body["code"] == "quote.state"
    assert [one["id"] for one in api.get("quotes?state=declined").body["data"]] == [third]
