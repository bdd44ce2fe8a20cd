"""Billing runs, imports and jobs over the API. The plan costs 10.00 a month, gross 11.90."""

from __future__ import annotations

import base64

import pytest

pytestmark = pytest.mark.django_db

CSV = b"id,name,price,start\n1,Beck,12.50,2026-03-01\n2,Ada,-1,2026-03-01\n"
TOML = """
[customer]
external_id = { column = "id" }
name = { column = "name" }

[subscription]
start = { column = "start" }
"""


@pytest.fixture
def subscription(company):
    from tests.factories import TODAY, a_subscription

    assert TODAY.isoformat() == "2026-01-01"
    return a_subscription(company)


def done(ref):
    """Does the job as a worker would."""
    from core.models import Job
    from core.services import jobs

    jobs.work(Job.by_ref(Job.objects.all(), ref).pk)


def test_a_run_is_asked_for_and_followed(api, subscription):
    asked = api.post("billing-runs", {"on": "2026-03-10"})
    assert (asked.status_code, asked.body["state"], asked.body["kind"]) == (202, "waiting", "billing_run")
    path = asked["Location"].removeprefix("/api/v1/")
    done(asked.body["id"])
    job = api.get(path).body
    assert (job["state"], job["result"]["invoices"]) == ("done", 3)
    run = api.get(f"billing-runs/{job['result']['run']}").body
    assert (run["state"], run["invoice_count"], run["parked_count"]) == ("done", 3, 0)
    assert run["totals"] == [{"currency": "EUR", "net": "30.00", "tax": "5.70", "gross": "35.70"}]
    assert run["progress"]["invoice_count"] == 3
    assert api.get("billing-runs?on=2026-03-10&state=done").body["data"][0]["progress"] is None
    assert len(api.get(f"invoices?run={run['id']}").body["data"]) == 3


def test_a_dry_run_changes_nothing(api, subscription):
    asked = api.post("billing-runs", {"on": "2026-03-10", "dry_run": True})
    done(asked.body["id"])
    assert api.get(f"jobs/{asked.body['id']}").body["result"]["invoices"] == 3
    assert api.get("invoices").body["data"] == []
    assert api.get("billing-runs").body["data"] == []


def test_only_a_held_run_is_released(api, subscription):
    job = api.post("billing-runs", {"on": "2026-03-10"}).body["id"]
    done(job)
    run = api.get("billing-runs").body["data"][0]["id"]
    answer = api.post(f"billing-runs/{run}/release")
    assert (answer.status_code, answer.body["code"]) == (409, "run.not_held")


def test_jobs_show_only_work_the_key_may_know_of(api, caller, subscription):
    job = api.post("billing-runs", {"on": "2026-03-10"}).body["id"]
    assert caller("imports:write").get("jobs").body["data"] == []
    assert caller("imports:write").get(f"jobs/{job}").status_code == 404
    assert caller("runs:read").get(f"jobs/{job}").status_code == 200
    assert caller("customers:read").get("jobs").status_code == 403


def test_a_mapping_is_sent_once(api):
    sent = {"file_name": "x.csv", "content": base64.b64encode(CSV).decode(), "on": "2026-03-10"}
    assert api.post("imports", sent).body["errors"][0]["code"] == "mapping_once"
    both = {**sent, "mapping": {}, "mapping_toml": "a = 1"}
    assert api.post("imports", both).body["errors"][0]["code"] == "mapping_once"


@pytest.mark.parametrize("content", ["%%%", "ü", 5, "YQ"])
def test_a_file_is_sent_in_base64(api, content):
    sent = {"file_name": "x.csv", "content": content, "on": "2026-03-10", "mapping_toml": TOML}
    assert api.post("imports", sent).body["errors"][0]["pointer"] == "/content"


def test_a_mapping_that_cannot_be_read_is_refused_at_once(api):
    sent = {"file_name": "x.csv", "content": "eA==", "on": "2026-03-10", "mapping_toml": "= ="}
    answer = api.post("imports", sent)
    assert answer.status_code in (409, 422)
    assert answer.body["code"].startswith("import.")
    assert api.get("jobs").body["data"] == []


def test_a_list_is_checked_taken_over_and_taken_back(api, company):
    """Line 2 comes in; line 3 has a price below zero."""
    from tests.factories import a_plan

    plan = a_plan(company)
    mapping = {
        "customer": {"external_id": "id", "name": "name", "address": {"country": {"value": "DE"}}},
        "plan": {"code": {"value": plan.code}},
        "items": [{"price": "price"}],
        "subscription": {"start": "start"},
    }
    sent = {"file_name": "x.csv", "content": base64.b64encode(CSV).decode(), "on": "2026-03-10", "mapping": mapping}
    checked = api.post("imports", sent).body["id"]
    done(checked)
    result = api.get(f"jobs/{checked}").body["result"]
    assert (result["done"], result["failed"], result["import"]) == (1, 1, None)
    assert api.get("imports").body["data"] == []

    taken = api.post("imports", {**sent, "dry_run": False}).body["id"]
    done(taken)
    source = api.get(f"jobs/{taken}").body["result"]["import"]
    shown = api.get(f"imports/{source}").body
    assert (shown["state"], shown["line_count"], shown["done_count"], shown["failed_count"]) == ("done", 2, 1, 1)
    lines = api.get(f"imports/{source}/lines").body["data"]
    assert [(line["number"], line["state"]) for line in lines] == [(3, "failed"), (2, "done")]
    assert api.get(f"subscriptions/{lines[1]['subscription']}").body["items"][0]["terms"]["unit_amount"] == "12.50"
    first = api.get(f"imports/{source}/lines?limit=1").body
    assert api.get(f"imports/{source}/lines?limit=1&after={first['next']}").body["data"][0]["number"] == 2

    assert api.post(f"imports/{source}/undo").body["state"] == "undone"
    assert api.get("subscriptions?state=active").body["data"] == []
