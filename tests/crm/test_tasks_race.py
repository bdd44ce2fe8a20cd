"""Tasks and meetings from several sides at once: real threads, real transactions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.crm.causes import AT, TODAY, a_member
from tests.crm.test_reminders_race import at_once
from tests.crm.test_tasks import a_task
from tests.factories import BY, a_company

pytestmark = pytest.mark.django_db(transaction=True)


def mails(company: Any) -> int:
    from customers.models import Message

    return Message.objects.filter(company=company, template="staff_reminder").count()


def test_several_clockworks_at_once_write_one_reminder() -> None:
    from crm.services import activity_reminding

    company = a_company(today=TODAY)
    for _ in range(3):
        a_task(company, owner=a_member(company, "support"), remind_at=AT)
    found = at_once(*[lambda: activity_reminding.remind(company=company, at=AT + timedelta(minutes=1))] * 4)
    assert (sum(found), mails(company)) == (3, 3)


def test_a_task_finished_while_its_reminder_is_written_is_reminded_of_at_most_once_and_stays_finished() -> None:
    from crm.models import Task
    from crm.services import activity_reminding, tasks

    company = a_company(today=TODAY)
    task = a_task(company, owner=a_member(company, "support"), remind_at=AT)
    at_once(
        lambda: activity_reminding.remind(company=company, at=AT + timedelta(minutes=1)),
        lambda: tasks.finish(task=task, by=BY, at=AT),
        lambda: activity_reminding.remind(company=company, at=AT + timedelta(minutes=1)),
    )
    task.refresh_from_db()
    assert task.state == Task.State.DONE
    assert mails(company) <= 1


def test_a_finished_task_that_was_still_listed_is_not_reminded_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from crm.services import activity_reminding, tasks

    company = a_company(today=TODAY)
    task = a_task(company, owner=a_member(company, "support"), remind_at=AT)
    listed = activity_reminding.due(company, AT)
    tasks.finish(task=task, by=BY, at=AT)
    monkeypatch.setattr(activity_reminding, "due", lambda company, at: listed)
    assert listed == [("task", task.pk)]
    assert activity_reminding.remind(company=company, at=AT) == 0


def test_who_waited_for_a_task_sees_whose_it_is_now() -> None:
    from crm.services import tasks

    company = a_company(today=TODAY)
    people = [a_member(company, role) for role in ("support", "admin")]
    for _ in range(5):
        task = a_task(company, owner=people[0])
        seen = at_once(
            lambda task=task: tasks.assign(task=task, owner=people[1], by=BY, at=AT),
            lambda task=task: tasks.postpone(
                task=task, to=TODAY + timedelta(days=2), today=TODAY, by=BY, at=AT
            ),
            lambda task=task: tasks.comment(task=task, text="x", by=BY, at=AT).task,
        )  # fmt: skip
        assert all(one.owner is not None and one.owner.pk == one.owner_id for one in seen)
