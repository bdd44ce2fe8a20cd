"""Pauses, suspensions and moves of the billing day in the agreement: states, terms, dates, revenue, refusals."""

from __future__ import annotations

from datetime import date

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db

YEAR = {
    "minimum_count": 12,
    "notice_count": 1,
    "notice_unit": "month",
    "notice_to": "term_end",
    "renewal_rule": "renew",
}


def do(verb, subscription, on=TODAY, **more):
    set_clock(subscription.company, on)
    return verb(subscription=subscription, on=on, by=BY, at=at_noon(on), **more)


def pause(subscription, on=TODAY, **more):
    from subscriptions.services.pausing import pause

    return do(pause, subscription, on, **more)


def resume(subscription, on=TODAY, **more):
    from subscriptions.services.pausing import resume

    return do(resume, subscription, on, **more)


def suspend(subscription, on=TODAY, **more):
    from subscriptions.services.suspending import suspend

    return do(suspend, subscription, on, **more)


def move(company, day):
    from subscriptions.services.renewals import move_due

    return move_due(company=company, at=set_clock(company, day), by=BY)


def refused(call, code):
    from core.refusal import Refused

    with pytest.raises(Refused) as raised:
        call()
    assert raised.value.code == code


def rows(subscription):
    found = subscription.slots.get().terms.order_by("from_on")
    return [(row.standing, str(row.from_on), str(row.until_on or ""), str(row.anchor_on or "")) for row in found]


def told(subscription):
    from core.models import Event

    found = Event.objects.filter(subject_kind="subscription", subject_id=subscription.pk).order_by("id")
    return list(found.values_list("type", flat=True))


def kinds(customer):
    return list(customer_movements(customer).values_list("kind", "amount_minor"))


def customer_movements(customer):
    from subscriptions.models import Movement

    return Movement.objects.filter(customer=customer).order_by("pk")


def test_a_planned_pause_writes_its_terms_at_once_and_moves_on_its_days():
    company = a_company()
    subscription = a_subscription(company)
    held = pause(subscription, from_on=date(2026, 1, 10), until=date(2026, 1, 20))
    assert (held.state, held.next_move_on) == ("active", date(2026, 1, 10))
    assert rows(subscription) == [
        ("agreed", "2026-01-01", "2026-01-10", ""),
        ("paused", "2026-01-10", "2026-01-20", ""),
        ("agreed", "2026-01-20", "", "2026-01-20"),
    ]
    assert move(company, date(2026, 1, 9)) == {}
    assert move(company, date(2026, 1, 10)) == {"paused": 1}
    assert move(company, date(2026, 1, 20)) == {"resumed": 1}
    assert told(subscription)[1:] == ["subscription.pause_planned", "subscription.paused", "subscription.resumed"]
    assert subscription.changes.get().status == "done"


def test_a_late_tick_makes_both_moves_on_their_own_days():
    company = a_company()
    subscription = a_subscription(company)
    pause(subscription, from_on=date(2026, 1, 10), until=date(2026, 1, 20))
    assert move(company, date(2026, 3, 1)) == {"paused": 1, "resumed": 1}
    found = customer_movements(subscription.customer)[1:]
    assert [(row.kind, row.amount_minor, str(row.effective_on)) for row in found] == [
        ("contraction", -1000, "2026-01-10"),
        ("expansion", 1000, "2026-01-20"),
    ]


def test_pausing_again_for_the_same_days_changes_nothing():
    subscription = a_subscription(a_company())
    pause(subscription, from_on=date(2026, 1, 10), until=date(2026, 1, 20))
    pause(subscription, from_on=date(2026, 1, 10), until=date(2026, 1, 20))
    assert subscription.changes.count() == 1


def test_a_paused_one_paused_again_stays_as_it_is():
    subscription = a_subscription(a_company())
    pause(subscription)
    pause(subscription, date(2026, 1, 5))
    assert subscription.changes.count() == 1
    assert told(subscription).count("subscription.paused") == 1


def test_what_is_not_paused_is_not_resumed():
    subscription = a_subscription(a_company())
    assert resume(subscription).state == "active"
    assert subscription.changes.count() == 0


def test_a_pause_can_not_end_before_it_begins_nor_outlast_the_contract():
    company = a_company()
    subscription = a_subscription(company)
    refused(lambda: pause(subscription, from_on=date(2026, 1, 10), until=date(2026, 1, 10)), "subscription.pause_empty")
    ending = a_subscription(company, ends_on=date(2026, 3, 31))
    refused(lambda: pause(ending, from_on=date(2026, 4, 1)), "subscription.act_after_end")


def test_a_trial_is_not_paused():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, trial_days=14))
    refused(lambda: pause(subscription), "subscription.act_before_paid")
    assert pause(subscription, from_on=date(2026, 1, 15)).state == "trial"
    assert move(company, date(2026, 1, 15)) == {"converted": 1, "paused": 1}


def test_a_suspended_one_is_not_paused():
    subscription = a_subscription(a_company())
    suspend(subscription)
    refused(lambda: pause(subscription), "subscription.move")


def test_a_suspension_takes_the_place_of_a_planned_pause():
    subscription = a_subscription(a_company())
    pause(subscription, from_on=date(2026, 2, 10))
    held = suspend(subscription, date(2026, 1, 5))
    assert (held.state, held.paused_from_on) == ("suspended", None)
    assert sorted(subscription.changes.values_list("kind", "status")) == [("pause", "replaced"), ("suspend", "done")]


def test_a_suspension_is_not_planned():
    subscription = a_subscription(a_company())
    refused(lambda: suspend(subscription, from_on=date(2026, 1, 2)), "subscription.suspend_later")


def test_suspended_revenue_counts_on():
    subscription = a_subscription(a_company())
    suspend(subscription, date(2026, 1, 5), suspended_billing="credit")
    assert subscription.slots.get().mrr_minor == 1000
    assert kinds(subscription.customer) == [("new", 1000)]


def test_the_term_runs_on_in_a_pause():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules=YEAR))
    pause(subscription, date(2026, 6, 1))
    assert move(company, date(2027, 1, 1)) == {"renewed": 1}
    subscription.refresh_from_db()
    assert (subscription.state, subscription.term_ends_on) == ("paused", date(2027, 12, 31))


def test_the_clock_says_that_a_paused_contract_ends_before_its_pause():
    from subscriptions.services.terms import contract_clock_of, in_words

    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules=YEAR))
    held = pause(subscription, date(2026, 6, 1))
    clock = contract_clock_of(held, on=date(2026, 6, 10))
    assert (clock.cancel_by, clock.earliest_end, clock.renews_on) == (None, date(2026, 5, 31), date(2027, 1, 1))
    assert in_words(clock, "en") == [
        "While it is paused it ends, once canceled, with the day before the pause.",
        "Without notice it renews on 1 Jan 2027.",
    ]


def test_a_contract_that_expires_in_a_pause_expires():
    company = a_company()
    plan = a_plan(company, rules={"minimum_count": 6, "renewal_rule": "expire"})
    subscription = a_subscription(company, plan=plan)
    pause(subscription, date(2026, 6, 1))
    assert move(company, date(2026, 7, 1)) == {"expired": 1}


def test_a_customer_who_only_pauses_is_not_lost():
    company = a_company()
    customer = a_customer(company)
    subscription = a_subscription(company, customer)
    pause(subscription, date(2026, 1, 5))
    a_subscription(company, customer, on=date(2026, 1, 6))
    resume(subscription, date(2026, 1, 7))
    assert kinds(customer) == [("new", 1000), ("contraction", -1000), ("expansion", 1000), ("expansion", 1000)]


def test_a_customer_who_left_in_a_pause_and_comes_back_is_a_reactivation():
    from subscriptions.services.ending import plan_end

    company = a_company()
    customer = a_customer(company)
    subscription = a_subscription(company, customer)
    pause(subscription, date(2026, 1, 5))
    do(plan_end, subscription, date(2026, 1, 6), timing="period_end")
    a_subscription(company, customer, on=date(2026, 1, 7))
    assert kinds(customer) == [("new", 1000), ("contraction", -1000), ("reactivation", 1000)]


def test_a_move_of_the_day_is_planned_for_the_end_of_the_paid_period():
    from subscriptions.services.anchoring import move_day

    company = a_company()
    subscription = a_subscription(company)
    subscription.slots.update(billed_through_on=date(2026, 1, 31))
    held = do(move_day, subscription, date(2026, 1, 10), day=15)
    [change] = held.planned_changes
    assert (change.kind, change.effective_on) == ("day", date(2026, 2, 1))
    assert rows(subscription) == [
        ("agreed", "2026-01-01", "2026-02-01", ""),
        ("agreed", "2026-02-01", "", "2026-02-15"),
    ]
    move(company, date(2026, 2, 1))
    subscription.refresh_from_db()
    assert (subscription.anchor_on, subscription.anchor_month_day) == (date(2026, 2, 15), 15)
