"""Acts on everybody in a segment, by hand: chosen, filled in, looked at, done, and read as a file."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from core.design import formats
from tests.backoffice.conftest import Office
from tests.backoffice.test_lists import read_csv
from tests.crm.test_bulk_acts import worked
from tests.factories import BY, a_customer, a_plan

EVERYBODY = {"match": "all", "conditions": [], "groups": []}


@pytest.fixture
def segment(office: Office) -> Any:
    from crm.services import segments

    office.start()
    a_customer(office.company, name="Ostwind")
    return segments.save(company=office.company, name="All", rules=EVERYBODY, by=BY, at=office.at)


def act_of(office: Office) -> Any:
    from crm.models import BulkAct

    return BulkAct.objects.get(company=office.company)


def test_staff_add_a_task_for_everybody_after_a_preview(office: Office, segment: Any) -> None:
    from crm.models import Task

    client = office.client()
    url = reverse("backoffice:segment-act-prepare", args=[segment.ref, "task"])
    assert client.post(url, {"title": "", "due_on": "2026-04-01", "priority": "normal"}).status_code == 422
    page = client.post(url, {"title": "Call", "due_on": "2026-04-01", "priority": "normal"})["Location"]
    worked(act_of(office))
    seen = client.get(page)
    assert (seen.context["counts"]["ready"], Task.objects.count()) == (2, 0)
    assert "Do it with 2 rows" in seen.content.decode()
    client.post(f"{page}do/", {"act": "do"})
    worked(act_of(office))
    assert Task.objects.filter(title="Call").count() == 2
    head, *rows = read_csv(client.get(f"{page}?format=csv"))
    assert [dict(zip(head, row, strict=True))["state"] for row in rows] == ["done", "done"]


def test_a_row_that_is_refused_says_why_on_the_page_and_in_the_file(office: Office, segment: Any) -> None:
    from billing.services import acts
    from subscriptions.models import Subscription

    subscription = Subscription.objects.get(company=office.company)
    acts.cancel(subscription=subscription, timing="period_end", by=BY, at=office.at)
    client = office.client()
    page = client.post(reverse("backoffice:segment-act-prepare", args=[segment.ref, "cancel"]), {"reason": ""})
    act = worked(act_of(office))
    why = act.rows.get().why
    seen = client.get(page["Location"])
    assert why in seen.content.decode()
    assert "Do it with" not in seen.content.decode()
    assert why in read_csv(client.get(page["Location"] + "?format=csv"))[1]


def test_who_may_not_do_it_with_one_may_not_do_it_with_many(office: Office, segment: Any) -> None:
    client = office.client("viewer")
    assert client.get(reverse("backoffice:segment-act-prepare", args=[segment.ref, "cancel"])).status_code == 403
    assert client.get(reverse("backoffice:segment-act", args=[segment.ref])).context["groups"][1][1] == []


def test_the_list_and_a_page_of_rows_ask_few_questions(
    office: Office, segment: Any, django_assert_max_num_queries: Any
) -> None:
    client = office.client()
    for _ in range(30):
        a_customer(office.company)
    client.post(reverse("backoffice:segment-act-prepare", args=[segment.ref, "note"]), {"text": "Hello"})
    act = worked(act_of(office))
    with django_assert_max_num_queries(20):
        client.get(reverse("backoffice:bulk-act", args=[act.ref]))
    with django_assert_max_num_queries(12):
        client.get(reverse("backoffice:bulk-acts"))


def test_the_sum_billed_at_once_stands_on_the_button(office: Office, segment: Any) -> None:
    plan = a_plan(office.company, amount="150.00")
    url = reverse("backoffice:segment-act-prepare", args=[segment.ref, "change_plan"])
    client = office.client()
    page = client.post(url, {"plan": plan.ref, "timing": "now"})["Location"]
    act = worked(act_of(office))
    (row,) = act.rows.filter(state="ready")
    button = client.get(page).content.decode().partition('name="act" value="do"')[2].partition("</button>")[0]
    assert row.money_minor > 0
    assert formats.money(row.money_minor, "EUR", language="en") in button


def test_an_act_is_still_shown_when_somebody_it_names_works_here_no_longer(office: Office, segment: Any) -> None:
    from core.models import Membership

    client = office.client()
    owner = office.user("viewer")
    client.post(reverse("backoffice:segment-act-prepare", args=[segment.ref, "owner"]), {"owner": owner.ref})
    act = worked(act_of(office))
    Membership.objects.filter(company=office.company, user=owner).delete()
    assert client.get(reverse("backoffice:bulk-act", args=[act.ref])).status_code == 200
