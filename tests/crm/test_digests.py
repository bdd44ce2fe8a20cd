"""The mail of the morning: once a day, at the company's morning, in the reader's language, never empty."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.crm.causes import AT, TODAY, a_member, a_parked, look
from tests.factories import BY, a_company

if TYPE_CHECKING:
    from core.models import Company

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return a_company(today=TODAY)


def morning(company: Company, at: datetime = AT) -> int:
    from crm.services import alert_mails

    return alert_mails.morning(company=company, at=at)


def mails(company: Company) -> list[Any]:
    from customers.models import Message

    return list(Message.objects.filter(company=company, template="staff_digest").order_by("pk"))


def test_nothing_to_say_is_no_mail(company: Company) -> None:
    a_member(company, "accounting")
    assert morning(company) == 0
    assert mails(company) == []


def test_each_gets_what_they_hear_of_once_a_day_in_their_language(company: Company) -> None:
    german, viewer = a_member(company, "accounting", language="de"), a_member(company, "viewer")
    a_parked(company)
    a_parked(company)
    look(company)
    assert [morning(company) for _ in range(2)] == [1, 0]
    (mail,) = mails(company)
    assert (mail.recipients, mail.language) == ([german.email], "de")
    assert ": 2\n" in mail.body
    assert "/office/alerts/?kind=parked" in mail.body
    assert viewer.email not in mail.recipients
    assert morning(company, AT + timedelta(days=1)) == 1


def test_it_is_written_in_the_companys_morning(company: Company) -> None:
    a_member(company, "accounting")
    a_parked(company)
    look(company)
    # Berlin is one hour ahead of UTC in March.
    assert morning(company, datetime(2026, 3, 17, 5, 59, tzinfo=UTC)) == 0
    assert morning(company, datetime(2026, 3, 17, 6, 0, tzinfo=UTC)) == 1


def test_tasks_that_are_due_are_counted_for_their_owner_and_their_team(company: Company) -> None:
    from core.models import Membership
    from crm.services import tasks

    owner = a_member(company, "sales")
    team = Membership.objects.get(company=company, user=owner).role
    common: dict[str, Any] = {"company": company, "title": "x", "by": BY, "at": AT}
    tasks.create(**common, due_on=TODAY, owner=owner)
    tasks.create(**common, due_on=TODAY - timedelta(days=2), owner=owner)
    tasks.create(**common, due_on=TODAY, team=team)
    tasks.create(**common, due_on=date(2026, 5, 1), owner=owner)
    away = tasks.create(**common, due_on=TODAY, owner=owner)
    tasks.postpone(task=away, to=TODAY + timedelta(days=1), today=TODAY, by=BY, at=AT)
    assert morning(company) == 1
    (mail,) = mails(company)
    assert "1 of yours is due today" in mail.body
    assert "1 of yours is overdue" in mail.body
    assert "1 of your team's is due and belongs to nobody" in mail.body


def test_what_somebody_took_note_of_is_not_told_again(company: Company) -> None:
    from crm.models import AlertRule
    from crm.services import alert_inbox, alert_rules
    from tests.crm.causes import alerts

    a_member(company, "accounting")
    rule = alert_rules.of_company(company)["parked"]
    alert_rules.save(rule=AlertRule.objects.get(pk=rule.pk), makes_task=False, by=BY, at=AT)
    a_parked(company)
    look(company)
    alert_inbox.acknowledge(company=company, alerts=alerts(company), by=BY, at=AT)
    assert morning(company) == 0
