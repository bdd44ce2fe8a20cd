"""Pauses, suspensions and exits over the API. 31.00 from 10 March to 9 April: 1.00 a day, and 19 % VAT.

Today is 10 March 2026.
"""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(api, company):
    from tests.factories import a_customer, a_plan

    body = {"customer": a_customer(company, kind="person").ref, "plan": a_plan(company, amount="31.00").ref}
    return api.post("subscriptions", {**body, "start_on": "2026-03-10"}).body


@pytest.fixture
def act(api, running):
    return lambda name, body=None: api.post(f"subscriptions/{running['id']}/{name}", body or {})


def test_a_pause_does_what_its_preview_showed(act):
    body = {"from_on": "2026-03-20", "until": "2026-05-01"}
    seen = act("pause/preview", body).body
    # Nothing comes back before its day; then 21 days do, and on 1 May a new period begins.
    assert (seen["money_now"], seen["mrr_after"]) == ("0.00", "31.00")
    assert [(row["on"], row["gross"]) for row in seen["next"]] == [
        ("2026-05-01", "36.89"), ("2026-06-01", "36.89"), ("2026-07-01", "36.89"),
    ]  # fmt: skip
    done = act("pause", {**body, "preview_token": seen["preview_token"]}).body
    assert (done["state"], done["paused_from_on"], done["resumes_on"]) == ("active", "2026-03-20", "2026-05-01")
    assert act("undo-pause").body["paused_from_on"] is None


def test_a_pause_of_today_credits_and_its_end_bills_anew(act):
    done = act("pause").body
    assert (done["state"], done["mrr"]) == ("paused", "0.00")
    assert [(row["kind"], row["gross"]) for row in done["issued"]] == [("credit_note", "36.89")]
    back = act("resume").body
    assert (back["state"], [(row["kind"], row["gross"]) for row in back["issued"]]) == (
        "active", [("invoice", "36.89")],
    )  # fmt: skip


def test_dating_back_needs_the_scope(caller, running):
    staff = caller("subscriptions:write", "subscriptions:read")
    body = {"from_on": "2026-03-10", "override": True, "override_reason": "told"}
    assert staff.post(f"subscriptions/{running['id']}/pause", body).status_code == 403


def test_suspended_and_reinstated(act):
    held = act("suspend", {"suspended_billing": "credit"}).body
    assert (held["state"], held["suspended_from_on"], held["mrr"]) == ("suspended", "2026-03-10", "31.00")
    assert act("reinstate").body["state"] == "active"


def test_a_refusal_names_its_code(act):
    act("suspend")
    refused = act("pause")
    assert (refused.status_code, refused.body["code"]) == (409, "subscription.move")


def test_a_consumer_withdraws(act):
    assert act("withdraw/preview").body["money_now"] == "-36.89"
    done = act("withdraw").body
    assert (done["state"], done["end_reason"], done["ends_on"]) == ("canceled", "withdrawal", "2026-03-09")


def test_an_end_for_good_cause_and_a_switch(act):
    assert act("switch/preview").body["ends_on"] == "2026-04-09"
    assert act("terminate", {"reason": "no service"}).body["ends_on"] == "2026-03-10"
