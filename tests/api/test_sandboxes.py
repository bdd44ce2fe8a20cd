"""Sandboxes over the API: opened with a copy of the catalog, advanced by their own clock, strangers to the rest."""

from __future__ import annotations

from typing import Any

import pytest

from core.models import Company, Job
from core.services import jobs

from .caller import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def sandbox(api: Caller, company: Company) -> tuple[Caller, Any]:
    from tests.factories import a_plan

    a_plan(company, code="pro", amount="29.90")
    opened = api.post("sandboxes", {"name": "Trial run", "clock_at": "2026-01-31T10:00:00Z"})
    assert opened.status_code == 201
    return Caller(opened.body["key"]), opened.body["sandbox"]


def advance(caller: Caller, to: str) -> None:
    answer = caller.post("clock/advance", {"to": to})
    assert answer.status_code == 202
    jobs.work(Job.objects.get(public_id=Job.public_id_of(answer.body["id"])).pk)
    assert caller.get(f"jobs/{answer.body['id']}").body["state"] == "done"


def test_a_sandbox_has_the_catalog_and_settings_of_its_company(sandbox: tuple[Caller, Any], company: Company) -> None:
    caller, opened = sandbox
    assert opened["slug"] == f"{company.slug}-sandbox-1"
    [plan] = caller.get("plans").body["data"]
    assert (plan["code"], plan["items"][0]["prices"][0]["unit_amount"]) == ("pro", "29.90")
    about = caller.get("company").body
    assert (about["is_live"], about["country"], about["legal_name"]) == (False, "DE", company.legal_name)


def test_its_clock_bills_what_falls_due_on_the_way(sandbox: tuple[Caller, Any]) -> None:
    caller, _ = sandbox
    customer = caller.post(
        "customers", {"name": "Ada", "address": {"lines": ["Weg 1"], "city": "Berlin", "country": "DE"}}
    ).body
    [plan] = caller.get("plans").body["data"]
    started = caller.post("subscriptions", {"customer": customer["id"], "plan": plan["id"], "start_on": "2026-01-31"})
    assert started.status_code == 201
    advance(caller, "2026-04-30T10:00:00Z")
    assert caller.get("clock").body["today"] == "2026-04-30"
    invoices = caller.get("invoices").body["data"]
    assert [(one["charge_due_on"], one["net"]) for one in reversed(invoices)] == [
        ("2026-01-31", "29.90"), ("2026-02-28", "29.90"), ("2026-03-31", "29.90"), ("2026-04-30", "29.90"),
    ]  # fmt: skip


def test_its_clock_never_goes_back(sandbox: tuple[Caller, Any]) -> None:
    caller, _ = sandbox
    answer = caller.post("clock/advance", {"to": "2026-01-30T10:00:00Z"})
    assert (answer.status_code, answer.body["code"]) == (422, "company.clock_goes_forward")


def test_an_instant_without_an_offset_is_refused(sandbox: tuple[Caller, Any]) -> None:
    caller, _ = sandbox
    assert caller.post("clock/advance", {"to": "2026-02-01T10:00:00"}).status_code == 422


def test_nothing_passes_between_a_company_and_its_sandbox(api: Caller, sandbox: tuple[Caller, Any]) -> None:
    caller, _ = sandbox
    customer = caller.post(
        "customers", {"name": "Ada", "address": {"lines": ["Weg 1"], "city": "Berlin", "country": "DE"}}
    ).body
    assert api.get(f"customers/{customer['id']}").status_code == 404
    assert [row["id"] for row in api.get("sandboxes").body["data"]] == [sandbox[1]["id"]]
    assert caller.get("sandboxes").body["data"] == []


def test_a_copy_stays_when_the_original_changes(sandbox: tuple[Caller, Any], company: Company) -> None:
    from catalog.models import Product

    Product.objects.filter(company=company).update(name={"en": "Another name"})
    caller, _ = sandbox
    assert "Another name" not in str(caller.get("products").body)
