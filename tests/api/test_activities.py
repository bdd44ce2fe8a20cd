"""Activities over the API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.crm.talking import a_mail
from tests.factories import a_customer

if TYPE_CHECKING:
    from core.models import Company

    from .caller import Caller

pytestmark = pytest.mark.django_db


def test_a_call_is_logged_corrected_archived_and_shown_again(api: Caller, company: Company) -> None:
    customer = a_customer(company)
    made = api.post(
        "activities",
        {
            "kind": "call", "direction": "in", "subject": "Prices", "begins_at": "2026-03-10T09:30:00+01:00",
            "customer": customer.ref, "next_step": {"title": "Send prices", "due_on": "2026-03-12"},
        },
    )  # fmt: skip
    assert made.status_code == 201, made.body
    assert (made.body["customer"], made.body["begins_at"]) == (customer.ref, "2026-03-10T08:30:00Z")
    assert api.get(f"tasks/{made.body['next_step']}").body["title"] == "Send prices"
    path = f"activities/{made.body['id']}"
    assert api.patch(path, {"outcome": "Wants it"}).body["outcome"] == "Wants it"
    assert api.post(f"{path}/archive").body["archived_at"] is not None
    assert api.get("activities?archived=false").body["data"] == []
    assert api.post(f"{path}/restore").body["archived_at"] is None
    assert [one["id"] for one in api.get(f"activities?customer={customer.ref}").body["data"]] == [made.body["id"]]
    types = [one["type"] for one in api.get("events").body["data"] if one["type"].startswith("activity.")]
    assert sorted(types) == ["activity.changed", "activity.changed", "activity.changed", "activity.logged"]


def test_a_mail_is_brought_in_once(api: Caller, company: Company) -> None:
    customer = a_customer(company, contacts=[{"name": "Ada", "email": "ada@windkraft.example"}])
    body = {"content": base64.b64encode(a_mail(attached={"plan.pdf": b"x"})).decode()}
    first = api.post("activities/mails", body)
    assert (first.status_code, first.body["customer"]) == (201, customer.ref)
    assert (first.body["contact"], first.body["attachments"]) == (customer.contacts.get().ref, ["plan.pdf"])
    assert api.post("activities/mails", body).body["id"] == first.body["id"]
    nobody = {"content": base64.b64encode(a_mail(sender="x@y.example", message_id="<2@y>")).decode()}
    assert api.post("activities/mails", nobody).body["code"] == "mail.from_nobody"


def test_a_list_names_what_was_attached_and_reads_none_of_it(api: Caller, company: Company) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    a_customer(company, contacts=[{"name": "Ada", "email": "ada@windkraft.example"}])
    mail = a_mail(attached={"plan.pdf": b"x", "map.png": b"y"})
    api.post("activities/mails", {"content": base64.b64encode(mail).decode()})
    with CaptureQueriesContext(connection) as asked:
        (row,) = api.get("activities").body["data"]
    assert row["attachments"] == ["plan.pdf", "map.png"]
    read = [one["sql"] for one in asked.captured_queries if "core_storedfile" in one["sql"]]
    assert [one for one in read if '"core_storedfile"."content"' in one] == []
    assert len(read) == 1


def test_an_activity_with_nobody_is_refused(api: Caller, company: Company) -> None:
    answer = api.post("activities", {"kind": "call", "subject": "x", "begins_at": "2026-03-10T09:30:00Z"})
    assert (answer.status_code, answer.body["code"]) == (422, "activity.with_nobody")
