"""Pages of alerts, tasks and the timetable: what needs somebody, worked off by hand and in bulk."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from tests.backoffice.conftest import TODAY
from tests.factories import BY

if TYPE_CHECKING:
    from tests.backoffice.conftest import Office


def a_task(office: Office, **changes: Any) -> Any:
    from crm.services import tasks

    values: dict[str, Any] = {"company": office.company, "title": "Call Ada", "due_on": TODAY}
    return tasks.create(**(values | changes), by=BY, at=office.at)


def an_alert(office: Office) -> Any:
    """A subscription that billing gave up on, looked at."""
    from crm.models import Alert
    from crm.services import alerting
    from subscriptions.models import Subscription

    subscription = office.start()
    Subscription.objects.filter(pk=subscription.pk).update(parked_at=office.at, parked_detail="No price.")
    assert alerting.look(company=office.company, at=office.at).failed == []
    return Alert.objects.get(company=office.company, kind="parked")


def test_a_task_is_made_about_a_customer_and_stands_on_its_page(office: Office) -> None:
    from crm.models import Task

    client = office.client("sales")
    url = f"{reverse('backoffice:task-create')}?customer={office.customer.ref}"
    sent = {"title": "Call Ada", "text": "About the renewal", "due_on": "2026-03-20", "priority": "high"}
    answer = client.post(url, sent | {"owner": office.user("sales").ref, "team": ""})
    task = Task.objects.get(company=office.company)
    assert answer["Location"] == reverse("backoffice:task", args=[task.ref])
    assert (task.customer, task.owner, task.priority) == (office.customer, office.user("sales"), "high")
    customer = reverse("backoffice:customer", args=[office.customer.ref])
    page = client.get(customer).content.decode()
    assert reverse("backoffice:task", args=[task.ref]) in page
    client.post(reverse("backoffice:task-act", args=[task.ref]), {"act": "finish"})
    timeline = client.get(customer + "?tab=timeline").content.decode()
    assert "Task done" in timeline
    assert timeline.count("Call Ada") == 2


def test_the_list_shows_mine_and_what_nobody_of_my_team_has_taken(office: Office) -> None:
    from core.models import Membership

    sales, other = office.user("sales"), office.user("support")
    team = Membership.objects.get(company=office.company, user=sales).role
    a_task(office, title="mine-1", owner=sales)
    a_task(office, title="team-1", team=team)
    a_task(office, title="theirs-1", owner=other, team=team)
    a_task(office, title="late-1", owner=sales, due_on=TODAY - timedelta(days=1))
    client, url = office.client("sales"), reverse("backoffice:tasks")

    def titles(view: str) -> set[str]:
        page = client.get(url, {"view": view} if view else {}).content.decode()
        return {name for name in ("mine-1", "team-1", "theirs-1", "late-1") if f">{name}</a>" in page}

    assert titles("") == {"mine-1", "team-1", "late-1"}
    assert titles("team") == {"team-1", "theirs-1"}
    assert titles("overdue") == {"late-1"}
    assert titles("all") == {"mine-1", "team-1", "theirs-1", "late-1"}
    assert titles("done") == set()


def test_many_tasks_are_done_assigned_and_postponed_at_once(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:tasks-bulk")
    tasks = [a_task(office) for _ in range(3)]
    rows = [task.ref for task in tasks]
    client.post(url, {"act": "assign", "row": rows, "owner": office.user("support").ref})
    client.post(url, {"act": "postpone", "row": rows[:2], "to": "2026-03-22", "owner": ""})
    client.post(url, {"act": "finish", "row": rows[2:], "owner": ""})
    for task in tasks:
        task.refresh_from_db()
    assert {task.owner for task in tasks} == {office.user("support")}
    assert [str(task.due_on) for task in tasks] == ["2026-03-22", "2026-03-22", "2026-03-15"]
    assert [task.state for task in tasks] == ["open", "open", "done"]


def test_a_task_is_worked_off_on_its_page(office: Office) -> None:
    client, task = office.client("support"), a_task(office)
    client.post(reverse("backoffice:task-comment", args=[task.ref]), {"text": "Nobody answered."})
    client.post(reverse("backoffice:task-act", args=[task.ref]), {"act": "finish"})
    page = client.get(reverse("backoffice:task", args=[task.ref])).content.decode()
    assert "Nobody answered." in page
    task.refresh_from_db()
    assert (task.state, task.ended_by) == ("done", "support")


def test_the_bell_counts_what_is_new_for_me_in_one_statement(office: Office) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    an_alert(office)
    client, url = office.client("accounting"), reverse("backoffice:alerts")
    with CaptureQueriesContext(connection) as asked:
        page = client.get(url).content.decode()
    assert sum("LIMIT 100)" in query["sql"] for query in asked) == 1
    assert len(asked) <= 12
    assert "1 new alert" in page
    assert "No price." in page
    assert "1 new alert" not in office.client("support").get(url).content.decode()


def test_an_alert_that_is_noted_leaves_the_inbox_and_stays_open(office: Office) -> None:
    alert, client = an_alert(office), office.client("accounting")
    client.post(reverse("backoffice:alerts-note"), {"row": [alert.ref]})
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.state) == ("accounting", "open")
    url = reverse("backoffice:alerts")
    assert "No price." not in client.get(url).content.decode()
    assert "No price." in client.get(url + "?view=noted").content.decode()


def test_home_counts_tasks_and_alerts(office: Office) -> None:
    an_alert(office)
    a_task(office, owner=office.user("accounting"))
    a_task(office, owner=office.user("accounting"), due_on=TODAY - timedelta(days=1))
    page = office.client("accounting").get(reverse("backoffice:home")).content.decode()
    for words in ("Tasks due today", "Overdue tasks", "New alerts"):
        assert words in page


def test_a_list_of_tasks_takes_at_most_twelve_statements(office: Office) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for _ in range(30):
        a_task(office, customer=office.customer, owner=office.user())
    client = office.client()
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("backoffice:tasks"))
    assert len(asked) <= 12


def test_a_rule_is_changed_on_its_page(office: Office) -> None:
    from crm.services import alert_rules

    rule = alert_rules.of_company(office.company)["big_renewal"]
    url = reverse("backoffice:alert-rule-edit", args=[rule.ref])
    page = office.client().get(url).content.decode()
    assert 'name="amount"' in page
    assert 'name="hours"' not in page
    sent = {"is_active": "on", "days": "30", "amount": "2500.50", "mail": "at_once", "makes_task": "on",
            "task_days": "4", "priority": "high", "roles": [], "users": [office.user("support").ref]}  # fmt: skip
    assert office.client().post(url, sent).status_code == 302
    rule.refresh_from_db()
    assert (rule.days, rule.amount_minor, rule.mail, rule.task_days) == (30, 250_050, "at_once", 4)
    assert [one.user for one in rule.audience.all()] == [office.user("support")]
    assert office.client().post(url, sent | {"days": ""}).status_code == 422


def test_the_timetable_says_in_words_what_is_done_and_does_it_now(office: Office) -> None:
    from core.models import Job, TickRun
    from core.services import jobs

    client = office.client()
    page = client.get(reverse("backoffice:timetable")).content.decode()
    assert "Daily billing run" in page
    assert "One day ahead" in page
    answer = client.post(reverse("backoffice:tick-run", args=["billing.run"]))
    job = Job.objects.get(company=office.company, kind="run_tick")
    assert answer["Location"] == reverse("backoffice:job", args=[job.ref])
    jobs.work(job.pk)
    assert TickRun.objects.filter(company=office.company, name="billing.run").exists()
    assert "Daily billing run" in client.get(answer["Location"]).content.decode()
    assert client.post(reverse("backoffice:tick-run", args=["no.such"])).status_code == 404
