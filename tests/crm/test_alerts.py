"""Alerts: raised once, closed when their cause is gone, told to those who are to hear of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.crm.causes import AT, TODAY, a_member, a_parked, alerts, look, mend
from tests.factories import BY, a_company, a_customer, a_subscription, at_noon

if TYPE_CHECKING:
    from core.models import Company

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return a_company(today=TODAY)


def test_a_cause_raises_one_alert_however_often_it_is_looked_at(company: Company) -> None:
    subscription = a_parked(company)
    assert [look(company).raised for _ in range(3)] == [1, 0, 0]
    (alert,) = alerts(company)
    assert (alert.state, alert.occurrence, alert.subscription_id) == ("open", 1, subscription.pk)
    assert (alert.customer_id, alert.facts) == (subscription.customer_id, {"code": "x", "detail": "No price."})


def test_a_cause_that_is_gone_closes_its_alert_and_its_task(company: Company) -> None:
    subscription = a_parked(company)
    look(company)
    mend(subscription)
    assert look(company).resolved == 1
    (alert,) = alerts(company)
    task = alert.tasks.get()
    assert (alert.state, alert.resolved_at) == ("resolved", AT)
    assert (task.state, task.ending, task.ended_at) == ("done", "itself", AT)
    assert look(company).resolved == 0


def test_a_cause_that_comes_back_is_a_new_occurrence_with_a_new_task(company: Company) -> None:
    from subscriptions.models import Subscription

    subscription = a_parked(company)
    look(company)
    mend(subscription)
    look(company)
    Subscription.objects.filter(pk=subscription.pk).update(parked_at=AT)
    look(company)
    assert [(alert.occurrence, alert.state) for alert in alerts(company)] == [(1, "resolved"), (2, "open")]
    assert [alert.tasks.get().state for alert in alerts(company)] == ["done", "open"]


def test_an_alert_becomes_a_task_of_the_customers_owner_else_of_the_team(company: Company) -> None:
    from core.models import Role
    from core.rights import ROLES
    from customers.models import Customer

    owner = a_member(company, "sales")
    with_owner, without = a_parked(company), a_parked(company)
    Customer.objects.filter(pk=with_owner.customer_id).update(owner=owner)
    look(company)
    first, second = (alert.tasks.get() for alert in alerts(company))
    accounting = Role.objects.get(company=company, rights=sorted(ROLES["accounting"][1]))
    assert (first.owner, first.team, first.due_on) == (owner, accounting, TODAY + timedelta(days=1))
    assert (second.owner, second.team) == (None, accounting)
    assert first.title == f"Subscription parked: {with_owner.customer.name}"
    assert second.text == f"{without} of {without.customer.name} can't be billed: No price."


def test_an_owner_who_left_gets_no_task(company: Company) -> None:
    from core.models import User
    from customers.models import Customer

    gone = User.objects.create_user("gone@example.com")
    subscription = a_parked(company)
    Customer.objects.filter(pk=subscription.customer_id).update(owner=gone)
    look(company)
    assert alerts(company)[0].tasks.get().owner is None


def test_each_alert_and_its_task_are_told_as_events(company: Company) -> None:
    from core.models import Event

    subscription = a_parked(company)
    look(company)
    (alert,) = alerts(company)
    told = Event.objects.filter(company=company, type__in=["alert.raised", "task.created"]).order_by("pk")
    raised, made = (event.data for event in told)
    assert raised == {
        "id": alert.ref, "kind": "parked", "occurrence": 1, "customer": subscription.customer.ref,
        "subscription": subscription.ref, "facts": {"code": "x", "detail": "No price."},
    }  # fmt: skip
    assert (made["alert"], made["state"], made["due_on"]) == (alert.ref, "open", "2026-03-17")


def test_a_quiet_look_costs_one_statement_a_kind_and_one_for_the_rules(company: Company) -> None:
    from crm.services import alert_kinds

    for _ in range(3):
        a_parked(company)
    look(company)
    quick = [kind for kind in alert_kinds.all_kinds() if not kind.slow]
    with CaptureQueriesContext(
        connection,
    ) as asked:
        look(company, slow=False)
    statements = [query["sql"] for query in asked if "SAVEPOINT" not in query["sql"]]
    assert len(statements) == len(quick) + 1
    assert len(quick) < 18


def test_the_number_of_statements_does_not_grow_with_the_number_of_causes(company: Company) -> None:
    def cost(count: int) -> int:
        for _ in range(count):
            a_parked(company)
        with CaptureQueriesContext(connection) as asked:
            assert look(company, slow=False).raised == count
        return len(asked)

    look(company)
    assert cost(2) == cost(12)


def test_a_flood_is_worked_off_in_several_looks(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    from crm.services import alerting

    monkeypatch.setattr(alerting, "MOST", 2)
    for _ in range(3):
        a_parked(company)
    assert [look(company).raised for _ in range(3)] == [2, 1, 0]


def test_a_kind_that_fails_holds_up_no_other(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from crm.services import alert_kinds, alerting

    def broken(look: Any) -> Any:
        raise ZeroDivisionError

    first = alert_kinds.all_kinds()[0]
    monkeypatch.setitem(alert_kinds._kinds, first.name, replace(first, find=broken))
    a_parked(company)
    looked = alerting.look(company=company, at=AT)
    assert (looked.failed, looked.raised) == ([first.name], 1)


def test_a_rule_that_is_switched_off_raises_nothing_and_closes_what_is_open(company: Company) -> None:
    from crm.models import AlertRule
    from crm.services import alert_rules

    a_parked(company)
    look(company)
    rule = AlertRule.objects.get(company=company, kind="parked")
    alert_rules.save(rule=rule, is_active=False, by=BY, at=AT)
    assert [alert.state for alert in alerts(company)] == ["resolved"]
    assert look(company).raised == 0


def test_a_new_company_hears_of_every_kind_by_the_usual_rules(company: Company) -> None:
    from crm.models import AlertRule
    from crm.services import alert_kinds, alert_rules

    rules = alert_rules.of_company(company)
    assert set(rules) == {kind.name for kind in alert_kinds.all_kinds()}
    assert all(rule.audience.exists() for rule in rules.values())
    assert alert_rules.of_company(company).keys() == rules.keys()
    big = AlertRule.objects.get(company=company, kind="big_renewal")
    assert (big.days, big.amount_minor, big.audience.get().role.name) == (45, 1_000_000, "Sales")


def test_rules_refuse_what_a_kind_does_not_ask(company: Company) -> None:
    from core.models import User
    from core.refusal import Refused
    from crm.services import alert_rules

    rule = alert_rules.of_company(company)["parked"]
    with pytest.raises(Refused, match=r"alert_rule\.no_use"):
        alert_rules.save(rule=rule, days=3, by=BY, at=AT)
    with pytest.raises(Refused, match=r"alert_rule\.stranger"):
        alert_rules.save(rule=rule, users=[User.objects.create_user("x@example.com")], by=BY, at=AT)


def test_who_hears_at_once_gets_one_mail_a_tick_in_their_language(company: Company) -> None:
    from crm.models import AlertRule
    from crm.services import alert_mails, alert_rules
    from customers.models import Message

    accountant, other = a_member(company, "accounting", language="de"), a_member(company, "viewer")
    alert_rules.of_company(company)
    AlertRule.objects.filter(company=company).update(mail="at_once")
    a_parked(company)
    a_parked(company)
    look(company)
    assert alert_mails.mail_waiting(company=company, at=AT) == 1
    message = Message.objects.get(company=company, template="staff_alerts")
    assert (message.recipients, message.language) == ([accountant.email], "de")
    assert message.body.count("No price.") == 2
    assert other.email not in message.recipients
    assert alert_mails.mail_waiting(company=company, at=AT) == 0


def test_an_alert_is_unseen_by_those_who_hear_of_it_until_somebody_takes_note(company: Company) -> None:
    from core.models import AuditEntry
    from crm.services import alert_inbox

    accountant, viewer = a_member(company, "accounting"), a_member(company, "viewer")
    a_parked(company)
    look(company)
    assert (alert_inbox.count(company, accountant), alert_inbox.count(company, viewer)) == (1, 0)
    assert alert_inbox.acknowledge(company=company, alerts=alerts(company), by=BY, at=AT) == 1
    assert alert_inbox.acknowledge(company=company, alerts=alerts(company), by=BY, at=AT) == 0
    assert alert_inbox.count(company, accountant) == 0
    assert AuditEntry.objects.filter(company=company, verb="alert.acknowledge").count() == 1


def test_the_same_open_alert_cannot_be_written_twice(company: Company) -> None:
    from django.db import IntegrityError, transaction

    from crm.models import Alert

    a_parked(company)
    look(company)
    (alert,) = alerts(company)
    with pytest.raises(IntegrityError, match="alert_open_once"), transaction.atomic():
        Alert.objects.create(company=company, rule=alert.rule, kind="parked", key=alert.key, occurrence=2, raised_at=AT)


def test_two_looks_at_once_raise_it_once(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second compares before the first has written, and writes after it."""
    from crm.services import alerting

    a_parked(company)
    compare = alerting._differences

    def late(kind: Any, asked: Any) -> Any:
        found = compare(kind, asked)
        if kind.name == "parked" and not alerts(company):
            monkeypatch.setattr(alerting, "_differences", compare)
            assert look(company).raised == 1
        return found

    monkeypatch.setattr(alerting, "_differences", late)
    assert look(company).raised == 0
    assert [alert.tasks.count() for alert in alerts(company)] == [1]


def test_a_cancellation_is_told_until_it_is_taken_back(company: Company) -> None:
    from billing.services import acts

    subscription = a_subscription(company, on=TODAY)
    acts.cancel(subscription=subscription, timing="period_end", on=TODAY, by=BY, at=AT)
    look(company)
    (alert,) = alerts(company, "cancellation")
    assert alert.facts["ends_on"] == "2026-04-15"
    subscription.refresh_from_db()
    acts.undo_cancel(subscription=subscription, by=BY, at=AT)
    look(company)
    assert [row.state for row in alerts(company, "cancellation")] == ["resolved"]


def test_effects_that_failed_are_one_alert_for_each_kind(company: Company) -> None:
    from core.models import Outbox

    rows = [Outbox(company=company, kind="mail", key=str(n), state="dead", due_at=AT) for n in range(3)]
    Outbox.objects.bulk_create(rows)
    look(company)
    (alert,) = alerts(company, "outbox_dead")
    assert (alert.key, alert.facts["count"], alert.facts["kind"]) == ("mail", 3, "mail")
    Outbox.objects.filter(company=company).update(state="done")
    look(company)
    assert [row.state for row in alerts(company, "outbox_dead")] == ["resolved"]


def test_subscriptions_that_billing_forgot_are_one_alert(company: Company) -> None:
    a_subscription(company, on=TODAY - timedelta(days=5))
    a_subscription(company, on=TODAY)
    look(company)
    (alert,) = alerts(company, "billing_behind")
    assert alert.facts == {"count": 1, "since_on": "2026-03-11"}


def test_a_risk_needs_two_reasons_and_names_them(company: Company) -> None:
    from core.models import User
    from customers.models import Contact, Customer
    from subscriptions.models import Subscription

    one = a_customer(company, contacts=[{"name": "Ada", "email": "ada@example.com"}])
    other = a_customer(company, contacts=[{"name": "Bo", "email": "bo@example.com"}])
    for number, customer in enumerate((one, other)):
        a_subscription(company, customer, on=TODAY)
        user = User.objects.create_user(f"c{number}@example.com", last_login=AT - timedelta(days=90))
        Contact.objects.filter(customer=customer).update(user=user)
    Subscription.objects.filter(customer=one).update(state="paused", paused_from_on=TODAY)
    look(company)
    (alert,) = alerts(company, "churn_risk")
    assert Customer.objects.get(pk=alert.customer_id) == one
    assert sorted(alert.facts["reasons"]) == ["paused", "silent"]


def test_a_big_renewal_is_told_from_its_amount_and_day_on(company: Company) -> None:
    from crm.models import AlertRule
    from crm.services import alert_kinds, alert_rules
    from tests.factories import a_plan

    rules = {"minimum_count": 12, "minimum_unit": "month", "renewal_rule": "renew", "renewal_count": 12}
    plan = a_plan(company, amount="1000.00", rules=rules)
    begun = TODAY.replace(year=2025) + timedelta(days=30)
    from billing.services import acts

    started = acts.start(
        company=company, customer=a_customer(company), plan=plan, start_on=begun, on=begun, by=BY, at=at_noon(begun)
    )
    look(company)
    (alert,) = alerts(company, "big_renewal")
    assert alert.subscription_id == started.subscription.pk
    assert (alert.facts["amount_minor"], alert.facts["term_ends_on"]) == (1_200_000, "2026-04-14")
    assert "€12,000.00" in alert_kinds.in_words(alert)
    alert_rules.save(
        rule=AlertRule.objects.get(company=company, kind="big_renewal"), amount_minor=1_200_001, by=BY, at=AT
    )
    look(company)
    assert [row.state for row in alerts(company, "big_renewal")] == ["resolved"]


def test_a_tick_that_was_missed_or_fails_again_and_again_is_told_to_live_companies(company: Company) -> None:
    from core import clock
    from core.models import Company as Row
    from core.models import TickRun

    Row.objects.filter(pk=company.pk).update(is_live=True, clock_at=None)
    company.refresh_from_db()
    now = clock.machine_now()
    for name, ended, failures in (
        ("billing.run", now - timedelta(minutes=50), 0),
        ("billing.dunning", now - timedelta(minutes=40), 0),
        ("billing.collect", now, 3),
    ):
        TickRun.objects.create(
            company=company, name=name, ran_at=ended, ended_at=ended, milliseconds=1, failures=failures
        )
    look(company, at=now, slow=False)
    assert [alert.key for alert in alerts(company, "tick_missed")] == ["billing.collect", "billing.run"]


def test_every_kind_can_say_what_it_found_with_nothing_to_go_by(company: Company) -> None:
    from crm.models import Alert
    from crm.services import alert_kinds

    for kind in alert_kinds.all_kinds():
        assert alert_kinds.in_words(Alert(company=company, kind=kind.name, key="1", facts={}))
