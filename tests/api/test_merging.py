"""Customers that may be one, over the API: the list, the preview, the act, and what the merged one answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import BY, TODAY, a_customer, a_plan, a_subscription, at_noon

pytestmark = pytest.mark.django_db


def two(company: Any) -> tuple[Any, Any]:
    older = a_customer(company, name="Alder Timber", email="ada@b.example")
    return older, a_customer(company, name="Zephyr Sails", email="ada@b.example", phone="+49 30 123")


def test_pairs_that_may_be_one_are_listed_until_somebody_says_that_they_are_two(api, company):
    older, younger = two(company)
    pair = {"younger": younger.ref, "older": older.ref, "reasons": ["email"]}
    listed = api.get("customers/duplicates").body
    assert (listed["data"], listed["looked_at"], listed["has_more"], listed["next"]) == ([pair], 2, False, None)
    assert api.get(f"customers/duplicates?before={younger.ref}").body["data"] == []
    assert api.get(f"customers/{older.ref}/duplicates").body["data"] == [pair]
    assert api.post(f"customers/{older.ref}/keep-apart", {"other": younger.ref}).status_code == 200
    assert api.get("customers/duplicates").body["data"] == []


def test_a_merge_is_previewed_and_done_and_the_one_that_went_names_the_one_that_stays(api, company):
    older, younger = two(company)
    seen = api.post(f"customers/{younger.ref}/merge/preview", {"into": older.ref}).body
    assert (seen["blocked"], seen["doubles"]) == ([], 0)
    assert {one["field"]: one["is_taken"] for one in seen["differs"]} == {"name": False, "phone": True}
    body = {"into": older.ref, "confirm": younger.number, "take": ["name"]}
    answer = api.post(f"customers/{younger.ref}/merge", body)
    assert (answer.status_code, answer.body["id"], answer.body["name"]) == (200, older.ref, "Zephyr Sails")
    gone = api.get(f"customers/{younger.ref}").body
    assert (gone["merged_into"], gone["phone"]) == (older.ref, "+49 30 123")
    assert [row["id"] for row in api.get(f"customers?merged_into={older.ref}").body["data"]] == [younger.ref]
    assert api.get(f"events?type=customer.merged&customer={older.ref}").body["data"][0]["data"]["into"] == older.ref


def test_what_is_in_the_way_is_named_and_refused(api, company):
    older, younger = two(company)
    a_subscription(company, younger)
    assert api.post(f"customers/{younger.ref}/merge/preview", {"into": older.ref}).body["blocked"] == [
        "erasure.subscription"
    ]
    answer = api.post(f"customers/{younger.ref}/merge", {"into": older.ref, "confirm": younger.number})
    assert (answer.status_code, answer.body["code"]) == (409, "erasure.subscription")


def test_one_that_was_merged_is_not_changed_any_more(api, company):
    from crm.services import merging

    older, younger = two(company)
    merging.merge(customer=younger, into=older, confirm=younger.number, by=BY, at=at_noon(TODAY))
    answer = api.patch(f"customers/{younger.ref}", {"name": "x"})
    assert (answer.status_code, answer.body["code"]) == (422, "customer.merged")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tasks", {"title": "Call", "due_on": "2026-01-02"}),
        ("activities", {"kind": "call", "subject": "x", "begins_at": "2026-01-01T12:00:00Z"}),
        ("quotes", {"plan": ""}),
        ("subscriptions", {"plan": "", "start_on": "2026-01-01"}),
        ("customers/{}/credits", {"amount": "1.00", "currency": "EUR", "reason": "x"}),
        ("customers/{}/notes", {"text": "x"}),
        ("customers/{}/contacts", {"name": "Ada"}),
        ("customers/{}/allow-marketing", {"source": "form"}),
    ],
)
def test_nothing_is_hung_on_one_that_was_merged_and_the_refusal_names_the_other(api, company, path, body):
    from crm.services import merging

    older, younger = two(company)
    merging.merge(customer=younger, into=older, confirm=younger.number, by=BY, at=at_noon(TODAY))
    given = {name: value or a_plan(company).ref for name, value in body.items()}
    if "{}" not in path:
        given["customer"] = younger.ref
    answer = api.post(path.format(younger.ref), given)
    assert (answer.status_code, answer.body["code"]) == (422, "customer.merged")
    assert older.number in answer.body["detail"]
