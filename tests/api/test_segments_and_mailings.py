"""Segments and mailings through the API: rules in, counts and members out, and what a mailing brought."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.caller import Caller
from tests.crm.mailing import START, a_campaign, a_house, an_offer, at_noon, subscribers, tick
from tests.factories import BY

pytestmark = pytest.mark.django_db
MONTHLY = {"match": "all", "conditions": [{"field": "interval", "op": "in", "value": ["month"]}], "groups": []}


@pytest.fixture
def company() -> Any:
    return a_house()


def caller(company: Any, *scopes: str) -> Caller:
    from core.services.keys import issue_key

    _key, text = issue_key(company=company, name="Test", scopes=scopes or ["*"], by=BY, at=at_noon(START))
    return Caller(text)


def test_a_segment_is_made_counted_and_listed(company: Any) -> None:
    api = caller(company)
    members = subscribers(company, 2)
    made = api.post("segments", {"name": "Monthly", "rules": MONTHLY})
    assert made.status_code == 201, made.json()
    segment = made.json()
    assert segment["words"] == "Billing interval is monthly."
    assert api.get(f"segments/{segment['id']}/count").json() == {"total": 2, "is_about": False}
    assert api.post("segments/count", {"rules": {"match": "all"}}).json()["total"] == 2
    listed = api.get(f"segments/{segment['id']}/members").json()["data"]
    assert {row["id"] for row in listed} == {row.customer.ref for row in members}


@pytest.mark.parametrize(("rules", "code"), [
    ({"match": "some"}, "segment.form"),
    ({"conditions": [{"field": "password"}]}, "segment.field"),
    ({"conditions": [{"field": "interval", "op": "at_least", "value": 1}]}, "segment.operator"),
    ({"conditions": [{"field": "renews_on", "op": "in_next", "value": "1 OR 1=1"}]}, "segment.value"),
    ({"conditions": [{"field": "plan", "op": "in", "value": ["pln_01h455vb4pex5vsknk084sn02q"]}]}, "segment.value"),
    ({"groups": [{"match": "all", "conditions": [], "groups": []}]}, "segment.form"),
])  # fmt: skip
def test_rules_that_are_none_are_refused(company: Any, rules: dict[str, Any], code: str) -> None:
    answer = caller(company).post("segments/count", {"rules": rules})
    assert answer.status_code == 422
    assert code in (answer.json()["code"], *(error["code"] for error in answer.json()["errors"]))


def test_a_mailing_is_scheduled_sent_and_told_of(company: Any) -> None:
    api = caller(company)
    subscribers(company, 2)
    segment = api.post("segments", {"name": "Monthly", "rules": MONTHLY}).json()
    mailing = api.post("mailings", {
        "name": "Stay", "campaign": a_campaign(company).ref, "segment": segment["id"], "subject": {"en": "Hello"},
        "body": {"en": "{offer}: {link}"}, "offer": an_offer(company).ref,
    }).json()  # fmt: skip
    assert mailing["state"] == "draft"
    assert api.post(f"mailings/{mailing['id']}/schedule", {}).json()["state"] == "scheduled"
    assert tick(company)["sent"] == 2
    results = api.get(f"mailings/{mailing['id']}/results").json()
    assert (results["counts"]["sent"], results["counts"]["left_out"]) == (2, 0)
    assert (results["mrr_gained"], results["mrr_net"]) == ([], [])
    rows = api.get(f"mailings/{mailing['id']}/recipients?limit=1").json()
    assert rows["has_more"] is True
    assert rows["data"][0]["sent_at"] is not None
    assert api.post(f"mailings/{mailing['id']}/pause", {}).status_code == 409


def test_a_key_that_may_not_write_sends_nothing(company: Any) -> None:
    api = caller(company, "segments:read", "campaigns:read")
    assert api.get("mailings").status_code == 200
    assert api.post("segments", {"name": "x", "rules": MONTHLY}).status_code == 403


def test_an_act_on_a_segment_is_prepared_begun_and_read(api, company, caller):
    from core.models import Job
    from core.services import jobs
    from tests.factories import a_customer

    a_customer(company)
    segment = api.post("segments", {"name": "All", "rules": {"match": "all", "conditions": [], "groups": []}}).body
    sent = {"kind": "note", "params": {"text": "Hello"}}
    act = api.post(f"segments/{segment['id']}/bulk-acts", sent).body
    assert (act["state"], act["rows"]["waiting"]) == ("checking", 1)
    assert api.post(f"bulk-acts/{act['id']}/start", {}).body["code"] == "bulk_act.state"
    jobs.work(Job.objects.latest("pk").pk)
    assert api.get(f"bulk-acts/{act['id']}").body["state"] == "checked"
    assert api.post(f"bulk-acts/{act['id']}/start", {}).body["state"] == "running"
    jobs.work(Job.objects.latest("pk").pk)
    (row,) = api.get(f"bulk-acts/{act['id']}/rows?state=done").body["data"]
    assert (row["why"], row["subscription"]) == ("", None)
    few = caller("tasks:write", "segments:read")
    assert few.post(f"segments/{segment['id']}/bulk-acts", sent).status_code == 403
