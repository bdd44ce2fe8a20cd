"""Tasks: made, given, put off, worked off; each step leaves its trace."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.crm.causes import AT, TODAY, a_member, a_parked, alerts, look
from tests.factories import BY, a_company, a_customer, a_subscription

if TYPE_CHECKING:
    from core.models import Company

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return a_company(today=TODAY)


def a_task(company: Company, **changes: Any) -> Any:
    from crm.services import tasks

    values = {"company": company, "title": "Call them", "due_on": TODAY}
    return tasks.create(**(values | changes), by=BY, at=AT)


def verbs(task: Any) -> list[str]:
    from core.models import AuditEntry

    rows = AuditEntry.objects.filter(company_id=task.company_id, subject_kind="task", subject_id=task.pk)
    return list(rows.order_by("pk").values_list("verb", flat=True))


def test_a_task_about_a_subscription_is_about_its_customer(company: Company) -> None:
    subscription = a_subscription(company)
    task = a_task(company, subscription=subscription)
    assert task.customer == subscription.customer
    assert verbs(task) == ["task.create"]


def test_what_a_task_names_belongs_together(company: Company) -> None:
    from core.refusal import Refused

    with pytest.raises(Refused, match=r"task\.other_customer"):
        a_task(company, subscription=a_subscription(company), customer=a_customer(company))
    with pytest.raises(Refused, match="not_found"):
        a_task(company, customer=a_customer(a_company()))
    with pytest.raises(Refused, match=r"text\.required"):
        a_task(company, title=" ")


def test_only_who_works_here_owns_a_task(company: Company) -> None:
    from core.refusal import Refused
    from crm.services import tasks

    task, stranger = a_task(company), a_member(a_company(), "sales")
    with pytest.raises(Refused, match=r"task\.owner_works_elsewhere"):
        tasks.assign(task=task, owner=stranger, by=BY, at=AT)
    owner = a_member(company, "sales")
    assert tasks.assign(task=task, owner=owner, by=BY, at=AT).owner == owner
    tasks.assign(task=task, owner=owner, by=BY, at=AT)
    assert verbs(task) == ["task.create", "task.assign"]


def test_a_task_is_done_once_and_can_be_opened_again(company: Company) -> None:
    from core.refusal import Refused
    from crm.services import tasks

    task = a_task(company)
    done = tasks.finish(task=task, by=BY, at=AT)
    assert (done.state, done.ended_at, done.ended_by, done.ending) == ("done", AT, "test", "person")
    tasks.finish(task=task, by=BY, at=AT)
    with pytest.raises(Refused, match=r"task\.not_open"):
        tasks.drop(task=task, by=BY, at=AT)
    assert tasks.reopen(task=task, by=BY, at=AT).ended_at is None
    assert tasks.drop(task=task, by=BY, at=AT).state == "dropped"
    assert verbs(task) == ["task.create", "task.finish", "task.reopen", "task.drop"]


def test_a_postponed_task_is_due_on_its_new_day_at_the_earliest(company: Company) -> None:
    from core.refusal import Refused
    from crm.services import tasks

    later = TODAY + timedelta(days=7)
    task = tasks.postpone(task=a_task(company), to=later, today=TODAY, by=BY, at=AT)
    assert (task.postponed_to_on, task.due_on) == (later, later)
    with pytest.raises(Refused, match=r"task\.postpone_ahead"):
        tasks.postpone(task=task, to=TODAY, today=TODAY, by=BY, at=AT)


def test_a_task_that_is_done_takes_note_of_its_alert(company: Company) -> None:
    from crm.services import tasks

    a_parked(company)
    look(company)
    (alert,) = alerts(company)
    tasks.finish(task=alert.tasks.get(), by=BY, at=AT)
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("open", "test")


def test_remarks_and_acts_stand_in_the_customers_timeline(company: Company) -> None:
    from crm.services import tasks
    from customers.services.timeline import timeline

    task = a_task(company, customer=a_customer(company))
    tasks.comment(task=task, text="Nobody answered.", by=BY, at=AT)
    titles = [(entry.title, entry.link_kind, entry.link_id) for entry in timeline(customer=task.customer)]
    assert ("Remark on a task", "task", task.ref) in titles
    assert ("Task made", "task", task.ref) in titles
    assert [said.text for said in task.comments.all()] == ["Nobody answered."]


def test_a_change_is_told_with_its_fields_alone(company: Company) -> None:
    from core.models import AuditEntry
    from crm.services import tasks

    task = tasks.update(task=a_task(company), title="Write to them", priority="high", by=BY, at=AT)
    assert (task.title, task.priority) == ("Write to them", "high")
    facts = AuditEntry.objects.get(verb="task.update", subject_id=task.pk, company=company).facts
    assert facts == {"fields": ["priority", "title"]}
