"""Changes over the API. The plan costs 10.00 a unit and month; today is 10 March 2026. The running period, from
27 February to 26 March, has 28 days."""

from __future__ import annotations

from datetime import date

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(api, company):
    from tests.factories import a_customer, a_plan

    body = {"customer": a_customer(company).ref, "plan": a_plan(company).ref, "start_on": "2026-02-27"}
    return api.post("subscriptions", body).body


@pytest.fixture
def more(running):
    return {"items": [{"item": running["items"][0]["id"], "quantity": "3"}]}


def test_a_change_does_what_its_preview_showed(api, running, more):
    from billing.models import InvoiceLine

    seen = api.post(f"subscriptions/{running['id']}/change/preview", more).body
    # The period is 27 February to 26 March, 28 days; from 10 March on 17 are left: 20.00 x 17/28 = 12.14, gross 14.45.
    assert (seen["money_now"], seen["effective_on"], seen["replaces"]) == ("14.45", "2026-03-10", [])
    assert (seen["mrr_before"], seen["mrr_after"]) == ("10.00", "30.00")
    assert InvoiceLine.objects.count() == 1
    made = api.post(f"subscriptions/{running['id']}/change", {**more, "preview_token": seen["preview_token"]})
    assert made.status_code == 200
    assert [(row["kind"], row["gross"]) for row in made.body["issued"]] == [("invoice", "14.45")]
    assert [line["amount"] for line in seen["documents"][0]["lines"]] == ["12.14"]
    assert InvoiceLine.objects.latest("pk").net_minor == 1214


def test_a_planned_change_is_listed_and_taken_back(api, running):
    fewer = {"items": [{"item": running["items"][0]["id"], "unit_amount": "5.00"}]}
    api.post(f"subscriptions/{running['id']}/change", fewer)
    [listed] = api.get(f"subscriptions/{running['id']}/changes").body["data"]
    assert (listed["kind"], listed["status"], listed["effective_on"]) == ("price", "planned", "2026-03-27")
    assert listed["summary"]["items"][0]["after"]["unit_amount"] == "5"
    assert api.post(f"changes/{listed['id']}/undo/preview", {}).body["money_now"] == "0.00"
    assert api.post(f"changes/{listed['id']}/undo", {}).status_code == 200
    [listed] = api.get(f"subscriptions/{running['id']}/changes", status="undone").body["data"]
    assert listed["status"] == "undone"


def test_a_preview_names_what_would_no_longer_happen(api, running, more):
    fewer = {"items": [{"item": running["items"][0]["id"], "unit_amount": "5.00"}]}
    api.post(f"subscriptions/{running['id']}/change", fewer)
    seen = api.post(f"subscriptions/{running['id']}/change/preview", more).body
    assert seen["replaces"] == [{"kind": "price", "effective_on": "2026-03-27"}]


def test_a_plan_is_changed(api, company, running):
    from tests.factories import a_plan

    other = a_plan(company, amount="38.00")
    made = api.post(f"subscriptions/{running['id']}/change", {"plan": other.ref}).body
    # 10.00 x 17/28 = 6.07 back, gross 7.22; 38.00 x 17/28 = 23.07, gross 27.45.
    assert [(row["kind"], row["gross"]) for row in made["issued"]] == [("credit_note", "7.22"), ("invoice", "27.45")]
    assert (made["plan"], made["mrr"]) == (other.ref, "38.00")
    assert made["items"][0]["id"] == running["items"][0]["id"]


def test_a_change_dated_back_needs_its_scope(api, caller, running, more):
    back = {**more, "effective_on": "2026-03-01", "override": True, "override_reason": "counted late"}
    assert caller("subscriptions:write").post(f"subscriptions/{running['id']}/change", back).status_code == 403
    assert api.post(f"subscriptions/{running['id']}/change", back).status_code == 200


def test_nothing_to_change_is_refused_in_words(api, running):
    answer = api.post(f"subscriptions/{running['id']}/change", {})
    assert (answer.status_code, answer.body["code"]) == (422, "change.nothing")


def test_another_companys_change_is_not_there(api, running, more):
    from subscriptions.models import Change
    from tests.billing.changes import agreed, change, item
    from tests.factories import a_company

    other = agreed(a_company(), on="2026-01-01")
    made: Change = change(other, "2026-01-02", items=[item(other, quantity="2")]).change
    assert made.effective_on == date(2026, 1, 2)
    assert api.post(f"changes/{made.ref}/undo", {}).status_code == 404


def test_a_removed_position_says_that_it_is_removed(api, company):
    from tests.factories import a_customer, a_plan, a_product

    start = {"customer": a_customer(company).ref, "plan": a_plan(company).ref, "start_on": "2026-03-01"}
    sub = api.post("subscriptions", start).body["id"]
    more = {"product": a_product(company).ref, "unit_amount": "5.00"}
    seats, added = api.post(f"subscriptions/{sub}/change", {"items": [more], "timing": "now"}).body["items"]
    assert (seats["terms"]["standing"], added["terms"]["standing"]) == ("agreed", "agreed")
    gone = {"items": [{"item": seats["id"], "remove": True}], "timing": "now"}
    seats, added = api.post(f"subscriptions/{sub}/change", gone).body["items"]
    assert (seats["terms"]["standing"], added["terms"]["standing"]) == ("removed", "agreed")
