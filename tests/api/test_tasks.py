"""Tasks, alerts, their rules and the timetable over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import BY, a_customer

from .caller import NOW

if TYPE_CHECKING:
    from core.models import Company

    from .caller import Caller

pytestmark = pytest.mark.django_db


def test_a_task_is_made_given_postponed_commented_and_done(api: Caller, company: Company) -> None:
    from core.models import Membership, Role, User

    customer = a_customer(company)
    role = Role.objects.get(company=company, name="Sales")
    user = User.objects.create_user("ada@example.com", name="Ada")
    Membership.objects.create(company=company, user=user, role=role)
    made = api.post("tasks", {"title": "Call", "due_on": "2026-03-12", "customer": customer.ref, "team": "Sales"})
    assert made.status_code == 201
    assert (made.body["customer"], made.body["team"], made.body["owner"]) == (customer.ref, "Sales", None)
    path = f"tasks/{made.body['id']}"
    assert api.post(f"{path}/assign", {"owner": user.ref}).body["owner"] == user.ref
    assert api.post(f"{path}/postpone", {"to": "2026-03-14"}).body["due_on"] == "2026-03-14"
    assert api.patch(path, {"priority": "high"}).body["priority"] == "high"
    said = api.post(f"{path}/comments", {"text": "Nobody answered."})
    assert [one["text"] for one in said.body["comments"]] == ["Nobody answered."]
    done = api.post(f"{path}/finish").body
    assert (done["state"], done["ending"]) == ("done", "person")
    assert api.post(f"{path}/drop").body["code"] == "task.not_open"
    assert [one["id"] for one in api.get("tasks?state=done").body["data"]] == [made.body["id"]]
    assert api.get("tasks?state=open").body["data"] == []


def test_a_stranger_owns_no_task(api: Caller, company: Company) -> None:
    from core.models import User

    stranger = User.objects.create_user("x@example.com")
    answer = api.post("tasks", {"title": "Call", "due_on": "2026-03-12", "owner": stranger.ref})
    assert (answer.status_code, answer.body["code"]) == (422, "task.owner_works_elsewhere")


def test_alerts_are_listed_and_noted(api: Caller, company: Company) -> None:
    from core.models import Outbox
    from crm.services import alerting

    Outbox.objects.create(company=company, kind="mail", key="1", state="dead", due_at=NOW)
    assert alerting.look(company=company, at=NOW).failed == []
    (alert,) = api.get("alerts?kind=outbox_dead").body["data"]
    assert (alert["title"], alert["state"]) == ("Mails and effects that failed", "open")
    assert alert["text"].startswith("1 effects of the kind mail failed for good")
    noted = api.post(f"alerts/{alert['id']}/acknowledge").body
    assert noted["acknowledged_by"]
    assert noted["task"] == alert["task"] != None  # noqa: E711
    assert api.get(f"tasks/{alert['task']}").body["alert"] == alert["id"]


def test_a_rule_is_changed_in_what_its_kind_asks(api: Caller, company: Company) -> None:
    rules = {rule["kind"]: rule for rule in api.get("alert-rules?limit=100").body["data"]}
    assert (rules["big_renewal"]["amount"], rules["big_renewal"]["teams"]) == ("10000.00", ["Sales"])
    changed = api.patch(f"alert-rules/{rules['big_renewal']['id']}", {"amount": "50.00", "teams": "Sales, Support"})
    assert (changed.body["amount"], changed.body["teams"]) == ("50.00", ["Sales", "Support"])
    refused = api.patch(f"alert-rules/{rules['parked']['id']}", {"hours": 3})
    assert refused.body["code"] == "alert_rule.no_use"


def test_the_timetable_is_read_and_run(api: Caller, company: Company) -> None:
    from core.models import Job
    from core.services import jobs

    read: dict[str, Any] = {tick["name"]: tick for tick in api.get("timetable").body["ticks"]}
    assert read["billing.run"]["state"] == "waiting"
    answer = api.post("timetable/run", {"name": "core.upkeep"})
    assert answer.status_code == 202
    jobs.work(Job.objects.get(public_id=Job.public_id_of(answer.body["id"])).pk)
    read = {tick["name"]: tick for tick in api.get("timetable").body["ticks"]}
    assert read["core.upkeep"]["state"] == "done"
    assert api.post("timetable/run", {"name": "no.such"}).body["code"] == "field.choice"


def test_who_may_not_see_tasks_sees_none(company: Company) -> None:
    from core.services import keys

    from .caller import Caller

    _key, text = keys.issue_key(company=company, name="x", scopes=["customers:read"], by=BY, at=NOW)
    assert Caller(text).get("tasks").status_code == 403
    assert Caller(text).get("alerts").status_code == 403
