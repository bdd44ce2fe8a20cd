"""Moving subscriptions to a price version over the API. Today is 10 March 2026."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan(company):
    from tests.factories import a_plan

    return a_plan(company)


@pytest.fixture
def start(api, company, plan):
    """Starts a subscription to the plan; its id."""
    from tests.factories import a_customer

    def begin(**more):
        body = {"customer": a_customer(company).ref, "plan": plan.ref, "start_on": "2026-02-27", **more}
        return api.post("subscriptions", body).body["id"]

    return begin


@pytest.fixture
def version(company, plan):
    """The second version, at 12.00, on sale from tomorrow on."""
    from catalog.services.plans import PriceSpec, add_price_version
    from tests.factories import BY

    spec = PriceSpec(currency="EUR", unit_amount=Decimal(12), valid_from=date(2026, 3, 11))
    return add_price_version(item=plan.items.get(), spec=spec, by=BY, at=company.clock_at)


def test_those_named_move_at_their_next_period_start(api, start, version):
    one, other = start(), start(start_on="2026-03-05")
    answer = api.post(f"prices/{version.ref}/move-subscriptions", {"subscriptions": [one, other], "reason": "2026"})
    assert answer.status_code == 200
    assert [(row["subscription"], row["status"], row["effective_on"]) for row in answer.body["moved"]] == [
        (one, "planned", "2026-03-27"), (other, "planned", "2026-04-05"),
    ]  # fmt: skip
    assert answer.body["skipped"] == []
    [listed] = api.get(f"subscriptions/{one}/changes").body["data"]
    assert (listed["id"], listed["kind"], listed["reason"]) == (answer.body["moved"][0]["change"], "version", "2026")
    after = listed["summary"]["items"][0]["after"]
    assert after["unit_amount"] == "12"


def test_without_names_all_that_hold_another_version_move(api, company, start, version):
    from tests.factories import a_customer, a_plan

    one = start()
    foreign = {"customer": a_customer(company).ref, "plan": a_plan(company).ref, "start_on": "2026-02-27"}
    api.post("subscriptions", foreign)
    other = start()
    answer = api.post(f"prices/{version.ref}/move-subscriptions", {}).body
    assert [row["subscription"] for row in answer["moved"]] == [one, other]
    assert api.post(f"prices/{version.ref}/move-subscriptions", {}).body == {"moved": [], "skipped": []}


def test_what_can_not_move_that_day_is_skipped_with_the_reason(api, start, version):
    one, other = start(), start(start_on="2026-03-05")
    body = {"effective_on": "2026-03-27"}
    answer = api.post(f"prices/{version.ref}/move-subscriptions", body).body
    assert [row["subscription"] for row in answer["moved"]] == [one]
    [left] = answer["skipped"]
    assert (left["subscription"], left["code"]) == (other, "change.version_day")
    assert "5 Apr 2026" in left["reason"]
    # The one that is left is no error of a request that doesn't name it.
    again = api.post(f"prices/{version.ref}/move-subscriptions", body)
    assert (again.status_code, again.body["skipped"]) == (200, [left])
    named = api.post(f"prices/{version.ref}/move-subscriptions", {**body, "subscriptions": [other]})
    assert (named.status_code, named.body["code"]) == (422, "change.version_day")


def test_a_preview_moves_nothing(api, start, version):
    one = start()
    seen = api.post(f"prices/{version.ref}/move-subscriptions/preview", {}).body
    assert [(row["subscription"], row["status"], row["effective_on"]) for row in seen["moved"]] == [
        (one, "planned", "2026-03-27")
    ]
    assert seen["documents"] == []
    assert api.get(f"subscriptions/{one}/changes").body["data"] == []


def test_a_move_does_what_its_preview_showed_or_nothing(api, start, version):
    path, one = f"prices/{version.ref}/move-subscriptions", start()
    token = api.post(f"{path}/preview", {"preview_token": "of an earlier one"}).body["preview_token"]
    other = start(start_on="2026-03-05")
    refused = api.post(path, {"preview_token": token})
    assert (refused.status_code, refused.body["code"]) == (409, "preview.differs")
    assert api.get(f"subscriptions/{one}/changes").body["data"] == []
    token = api.post(f"{path}/preview", {}).body["preview_token"]
    assert [row["subscription"] for row in api.post(path, {"preview_token": token}).body["moved"]] == [one, other]


def test_a_preview_shows_what_is_billed_at_once(api, company, start, version, plan):
    """From 11 March the version is on sale; what begins that day has nothing billed yet: it moves and is billed."""
    from tests.factories import set_clock

    ref = start(start_on="2026-02-11")
    set_clock(company, date(2026, 3, 11))
    path = f"prices/{version.ref}/move-subscriptions"
    seen = api.post(f"{path}/preview", {}).body
    assert [(row["subscription"], row["status"]) for row in seen["moved"]] == [(ref, "done")]
    assert [(row["kind"], row["net"]) for row in seen["documents"]] == [("invoice", "12.00")]
    assert api.post(path, {"preview_token": seen["preview_token"]}).body["moved"][0]["status"] == "done"


def test_a_move_is_taken_back_like_any_change(api, start, version):
    one = start()
    [moved] = api.post(f"prices/{version.ref}/move-subscriptions", {"subscriptions": [one]}).body["moved"]
    assert api.post(f"changes/{moved['change']}/undo", {}).status_code == 200
    assert len(api.post(f"prices/{version.ref}/move-subscriptions", {}).body["moved"]) == 1


def test_ids_are_read_in_one_statement_and_each_fault_is_named(api, start, version):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    one = start()
    bad = ["sub_01h455vb4pex5vsknk084sn02q", "x", 7]
    with CaptureQueriesContext(connection) as seen:
        answer = api.post(f"prices/{version.ref}/move-subscriptions", {"subscriptions": [one, one, *bad]})
    assert answer.status_code == 422
    faults = [(fault["pointer"], fault["code"]) for fault in answer.body["errors"]]
    assert faults == [(f"/subscriptions/{place}", "invalid_ref") for place in (2, 3, 4)]
    assert sum('FROM "subscriptions_subscription"' in query["sql"] for query in seen) == 1
    twice = api.post(f"prices/{version.ref}/move-subscriptions", {"subscriptions": [one, one]})
    assert len(twice.body["moved"]) == 1
