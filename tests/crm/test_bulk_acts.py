"""Acts on everybody in a segment: who is meant is fixed first, each row is done once, and a bad row stops no other."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from tests.crm.mailing import (
    BY,
    NOW,
    START,
    a_house,
    a_segment,
    only,
    subscribers,
)
from tests.factories import a_customer, a_plan

pytestmark = pytest.mark.django_db
OWN: dict[str, Any] = {"by": BY, "at": NOW}


def prepared(company: Any, kind: str, segment: Any = None, **params: Any) -> Any:
    """An act on everybody, looked at with each."""
    from crm.services import bulk_acts

    act = bulk_acts.prepare(
        segment=segment or a_segment(company), kind=kind, params=params, language="en", user=None, on=START, **OWN
    )
    return worked(act)


def worked(act: Any) -> Any:
    """After its job was done."""
    from core.models import Job
    from core.services import jobs

    jobs.work(Job.by_ref(Job.objects.all(), act.job_ref).pk)
    act.refresh_from_db()
    return act


def begun(act: Any) -> Any:
    from crm.services import bulk_acts

    return worked(bulk_acts.start(act=act, user=None, **OWN))


def states(act: Any) -> list[str]:
    return list(act.rows.order_by("customer_id", "pk").values_list("state", flat=True))


def counted(act: Any) -> dict[str, int]:
    from crm.services import bulk_acts

    return {name: count for name, count in bulk_acts.counts(act).items() if count}


def test_a_task_is_added_for_each_customer_once() -> None:
    from crm.models import Task

    company = a_house()
    subscribers(company, 3)
    act = prepared(company, "task", title="Call", due_on="2026-04-01")
    assert (act.state, counted(act), Task.objects.count()) == ("checked", {"ready": 3}, 0)
    act = begun(act)
    assert (act.state, counted(act)) == ("done", {"done": 3})
    assert Task.objects.filter(company=company, title="Call").values("customer").distinct().count() == 3
    assert begun(act).state == "done"
    assert Task.objects.count() == 3


def test_an_owner_is_changed_and_who_has_it_already_is_passed_over() -> None:
    from core.models import Membership, Role, User
    from customers.models import Customer

    company = a_house()
    subscribers(company, 2)
    ada = User.objects.create(email="ada@office.example", name="Ada")
    Membership.objects.create(company=company, user=ada, role=Role.objects.filter(company=company).first())
    first = Customer.objects.filter(company=company).order_by("pk")[0]
    Customer.objects.filter(pk=first.pk).update(owner=ada)
    act = prepared(company, "owner", owner=ada.ref)
    assert states(act) == ["refused", "ready"]
    begun(act)
    assert set(Customer.objects.filter(company=company).values_list("owner", flat=True)) == {ada.pk}


def test_subscriptions_are_canceled_at_their_periods_end_and_the_refused_ones_say_why() -> None:
    from billing.services import acts
    from crm.services import bulk_acts
    from subscriptions.models import Subscription

    company = a_house()
    one, two = subscribers(company, 2)
    acts.cancel(subscription=one, timing="period_end", **OWN)
    act = prepared(company, "cancel", reason="closing")
    assert counted(act) == {"ready": 1, "refused": 1}
    ((why, count),) = bulk_acts.reasons(act)
    assert (count, bool(why)) == (1, True)
    assert Subscription.objects.get(pk=two.pk).end_kind != "cancel"
    begun(act)
    canceled = Subscription.objects.get(pk=two.pk)
    assert (canceled.end_kind, canceled.end_reason) == ("cancel", "closing")
    assert counted(act) == {"done": 1, "refused": 1}


def test_the_preview_tells_the_revenue_before_and_after() -> None:
    from crm.services import bulk_acts

    company = a_house()
    subscribers(company, 2)
    dear = a_plan(company, amount="15.00")
    act = prepared(company, "change_plan", plan=dear.ref, timing="period_end")
    assert bulk_acts.money(act) == [{"currency": "EUR", "money": 2380, "before": 2000, "after": 3000}]
    begun(act)
    assert counted(act) == {"done": 2}


def test_a_discount_is_given_and_taken_back() -> None:
    from catalog.services.discounts import create_discount
    from subscriptions.models import AgreedDiscount

    company = a_house()
    subscribers(company, 2)
    discount = create_discount(
        company=company, code="loyal", name={"en": "Loyal"}, percent=Decimal(10), duration="forever", **OWN
    )
    given = begun(prepared(company, "give_discount", discount=discount.ref))
    assert counted(given) == {"done": 2}, list(given.rows.values_list("why"))
    assert AgreedDiscount.objects.filter(company=company, discount=discount, until_on=None).count() == 2
    again = prepared(company, "give_discount", a_segment(company, name="Again"), discount=discount.ref)
    assert counted(again) == {"refused": 2}
    back = begun(prepared(company, "end_discount", a_segment(company, name="Back"), discount=discount.ref))
    assert counted(back) == {"done": 2}
    assert not AgreedDiscount.objects.filter(company=company, until_on=None, ended_at=None).exists()


def test_subscriptions_are_paused_and_resumed() -> None:
    from subscriptions.models import Subscription

    company = a_house()
    subscribers(company, 2)
    begun(prepared(company, "pause"))
    assert set(Subscription.objects.filter(company=company).values_list("state", flat=True)) == {"paused"}
    begun(prepared(company, "resume", a_segment(company, name="Paused")))
    assert set(Subscription.objects.filter(company=company).values_list("state", flat=True)) == {"active"}


def test_who_is_meant_is_fixed_and_what_changed_since_is_told() -> None:
    from crm.models import Task
    from crm.services import bulk_acts
    from customers.models import Customer
    from customers.services.customers import update_customer

    company = a_house()
    subscribers(company, 2)
    for customer in Customer.objects.filter(company=company):
        update_customer(customer=customer, changes={"language": "de"}, **OWN)
    german = a_segment(company, only({"field": "language", "op": "in", "value": ["de"]}))
    act = prepared(company, "task", german, title="Call", due_on="2026-04-01")
    left = Customer.objects.filter(company=company).order_by("pk")[0]
    update_customer(customer=left, changes={"language": "fr"}, **OWN)
    a_customer(company, language="de")
    a_customer(company, language="de")
    assert bulk_acts.since(act, on=START) == bulk_acts.Since(left=1, came=2)
    begun(act)
    assert (Task.objects.filter(customer=left).count(), Task.objects.count()) == (1, 2)


def test_a_row_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    from crm.models import Task
    from crm.services import tasks

    company = a_house()
    first, *_others = subscribers(company, 3)
    act = prepared(company, "task", title="Call", due_on="2026-04-01")
    create = tasks.create

    def falling_over(**given: Any) -> Any:
        made = create(**given)
        if given["customer"].pk == first.customer_id:
            raise ZeroDivisionError("no luck")
        return made

    monkeypatch.setattr(tasks, "create", falling_over)
    begun(act)
    assert states(act) == ["failed", "done", "done"]
    assert act.rows.get(state="failed").why == "ZeroDivisionError: no luck"
    assert Task.objects.count() == 2


def test_work_that_was_cut_off_goes_on_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine dies within the third row: two are done, the third is as if never begun; then the rest follows."""
    from core.models import Job
    from core.services import jobs
    from crm.models import Task
    from crm.services import bulk_acts

    company = a_house()
    subscribers(company, 5)
    act = prepared(company, "task", title="Call", due_on="2026-04-01")
    bulk_acts.start(act=act, user=None, **OWN)
    act.refresh_from_db()
    job = Job.by_ref(Job.objects.all(), act.job_ref)
    seen = []

    def dying(name: str) -> None:
        seen.append(name)
        if seen.count("bulk_act.row_done") == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bulk_acts, "point", dying)
        with pytest.raises(KeyboardInterrupt):
            jobs.work(job.pk)
    assert (Task.objects.count(), counted(act)) == (2, {"done": 2, "ready": 3})
    Job.objects.filter(pk=job.pk).update(beat_at="2020-01-01T00:00Z")
    assert jobs.work(job.pk).state == "done"
    act.refresh_from_db()
    assert (act.state, Task.objects.count(), counted(act)) == ("done", 5, {"done": 5})


def test_after_its_job_failed_another_goes_on_with_what_is_left() -> None:
    from core.models import Job
    from crm.models import Task
    from crm.services import bulk_acts

    company = a_house()
    subscribers(company, 2)
    act = prepared(company, "task", title="Call", due_on="2026-04-01")
    bulk_acts.start(act=act, user=None, **OWN)
    Job.objects.filter(company=company).update(state="failed")
    act.refresh_from_db()
    assert begun(act).state == "done"
    assert Task.objects.count() == 2


def test_a_row_that_would_cost_otherwise_than_it_was_shown_is_refused() -> None:
    from billing.services import acts_changing
    from subscriptions.models import Subscription

    company = a_house()
    one, two = subscribers(company, 2)
    act = prepared(company, "cancel")
    other = a_plan(company, amount="99.00")
    acts_changing.change(subscription=one, plan=other, timing="now", **OWN)
    begun(act)
    assert list(act.rows.order_by("pk").values_list("state", "code")) == [("refused", "preview.differs"), ("done", "")]
    assert Subscription.objects.get(pk=one.pk).end_kind != "cancel"
    assert Subscription.objects.get(pk=two.pk).end_kind == "cancel"


def test_stopped_is_stopped_and_what_was_done_stays() -> None:
    from core.refusal import Refused
    from crm.models import Task
    from crm.services import bulk_acts

    company = a_house()
    subscribers(company, 2)
    act = prepared(company, "task", title="Call", due_on="2026-04-01")
    bulk_acts.start(act=act, user=None, **OWN)
    bulk_acts.stop(act=act, **OWN)
    act.refresh_from_db()
    assert (worked(act).state, Task.objects.count()) == ("stopped", 0)
    with pytest.raises(Refused) as refused:
        bulk_acts.start(act=act, user=None, **OWN)
    assert refused.value.code == "bulk_act.state"


@pytest.mark.parametrize(
    ("kind", "params", "code"),
    [
        ("task", {"due_on": "2026-04-01"}, "text.required"),
        ("task", {"title": "Call"}, "text.required"),
        ("task", {"title": "Call", "due_on": "soon"}, "day.form"),
        ("task", {"title": "Call", "due_on": "2026-04-01", "owner": "usr_x"}, "task.owner_works_elsewhere"),
        ("task", {"title": "Call", "due_on": "2026-04-01", "priority": "asap"}, "field.choice"),
        ("note", {}, "text.required"),
        ("note", {"text": "x", "color": "red"}, "field.unknown"),
        ("give_discount", {"discount": "dsc_x"}, "not_found"),
        ("change_plan", {"plan": "pln_x"}, "not_found"),
        ("cancel", {"reason": "bored"}, "field.choice"),
        ("explode", {}, "field.choice"),
    ],
)
def test_what_an_act_lacks_is_said_before_anybody_is_meant(kind: str, params: dict[str, Any], code: str) -> None:
    from core.refusal import Refused
    from crm.models import BulkAct

    company = a_house()
    subscribers(company, 1)
    with pytest.raises(Refused) as refused:
        prepared(company, kind, **params)
    assert refused.value.code == code
    assert not BulkAct.objects.exists()


def test_an_empty_segment_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.refusal import Refused
    from crm.models import BulkAct
    from crm.services import bulk_acts

    company = a_house()
    subscribers(company, 2)
    nobody = a_segment(company, only({"field": "language", "op": "in", "value": ["it"]}), name="Nobody")
    with pytest.raises(Refused) as refused:
        prepared(company, "note", nobody, text="x")
    assert refused.value.code == "bulk_act.nobody"
    monkeypatch.setattr(bulk_acts, "MOST", 1)
    with pytest.raises(Refused) as refused:
        prepared(company, "note", text="x")
    assert refused.value.code == "bulk_act.too_many"
    assert not BulkAct.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_do_each_row_once() -> None:
    from django.db import connection

    from core.models import Job
    from core.services.jobs import Progress
    from crm.models import Task
    from crm.services import bulk_acts

    company = a_house()
    subscribers(company, 8)
    act = prepared(company, "task", title="Call", due_on="2026-04-01")
    bulk_acts.start(act=act, user=None, **OWN)
    act.refresh_from_db()
    job = Job.by_ref(Job.objects.all(), act.job_ref)
    barrier = threading.Barrier(2)

    def work() -> None:
        barrier.wait()
        try:
            bulk_acts.do(job, Progress(job))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    bulk_acts.do(job, Progress(job))
    act.refresh_from_db()
    assert (act.state, Task.objects.filter(company=company).count()) == ("done", 8)
