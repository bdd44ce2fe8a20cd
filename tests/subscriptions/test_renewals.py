"""What happens by itself, on its day, however late the tick comes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_subscription, at_noon

pytestmark = pytest.mark.django_db


def move(company, day):
    from subscriptions.services.renewals import move_due

    return move_due(company=company, at=at_noon(day), by=BY)


def told(subscription):
    from core.models import Event

    rows = Event.objects.filter(subject_kind="subscription", subject_id=subscription.pk).order_by("id")
    return list(rows.values_list("type", flat=True))


def test_a_pending_subscription_starts_on_its_day_and_earns():
    company = a_company()
    subscription = a_subscription(company, start_on=date(2026, 2, 1))
    assert move(company, date(2026, 1, 31)) == {}
    assert move(company, date(2026, 2, 1)) == {"started": 1}
    subscription.refresh_from_db()
    assert (subscription.state, subscription.slots.get().mrr_minor) == ("active", 1000)
    movement = subscription.movements.get()
    assert (movement.kind, movement.effective_on, movement.cause) == ("new", date(2026, 2, 1), "subscription.started")


def test_a_second_tick_on_the_day_adds_nothing():
    company = a_company()
    subscription = a_subscription(company, start_on=date(2026, 2, 1))
    move(company, date(2026, 2, 1))
    assert move(company, date(2026, 2, 1)) == {}
    assert subscription.movements.count() == 1


def test_a_trial_converts_on_the_day_after_it():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, trial_days=14))
    assert move(company, date(2026, 1, 14)) == {}
    assert move(company, date(2026, 1, 15)) == {"converted": 1}
    subscription.refresh_from_db()
    assert subscription.state == "active"
    assert subscription.movements.get().effective_on == date(2026, 1, 15)


def test_a_trial_without_a_way_to_pay_ends_when_the_plan_says_so():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, trial_days=14, trial_end="cancel"))
    assert move(company, date(2026, 1, 15)) == {"canceled": 1}
    subscription.refresh_from_db()
    assert (subscription.state, subscription.ends_on, subscription.next_bill_on) == (
        "canceled",
        date(2026, 1, 14),
        None,
    )
    assert not subscription.movements.exists()


def test_a_trial_with_a_way_to_pay_converts_whatever_the_plan_says():
    company = a_company()
    customer = a_customer(company, payment_method="bank transfer")
    subscription = a_subscription(company, customer, a_plan(company, trial_days=14, trial_end="cancel"))
    assert move(company, date(2026, 1, 15)) == {"converted": 1}
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 1, 15)


def test_a_way_to_pay_named_during_the_trial_counts():
    from customers.services.customers import update_customer

    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, trial_days=14, trial_end="pause"))
    update_customer(customer=subscription.customer, changes={"payment_method": "card"}, by=BY, at=at_noon(TODAY))
    move(company, date(2026, 1, 15))
    subscription.refresh_from_db()
    assert (subscription.state, subscription.next_bill_on) == ("active", date(2026, 1, 15))


def test_a_trial_pauses_when_the_plan_says_so():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, trial_days=14, trial_end="pause"))
    assert move(company, date(2026, 1, 15)) == {"paused": 1}
    subscription.refresh_from_db()
    assert (subscription.state, subscription.next_bill_on, subscription.next_move_on) == ("paused", None, None)


def test_a_term_renews_on_the_boundary():
    company = a_company()
    plan = a_plan(company, rules={"minimum_count": 12, "renewal_rule": "renew", "renewal_count": 6})
    subscription = a_subscription(company, plan=plan)
    assert move(company, date(2027, 1, 1)) == {"renewed": 1}
    subscription.refresh_from_db()
    assert (subscription.term_start_on, subscription.term_ends_on) == (date(2027, 1, 1), date(2027, 6, 30))


def test_a_late_tick_makes_every_move_in_its_order():
    company = a_company()
    plan = a_plan(company, rules={"minimum_count": 1, "renewal_rule": "renew"}, trial_days=10)
    subscription = a_subscription(company, plan=plan, start_on=date(2026, 1, 5))
    assert move(company, date(2026, 4, 20)) == {"trialing": 1, "converted": 1, "renewed": 3}
    subscription.refresh_from_db()
    assert (subscription.term_start_on, subscription.term_ends_on) == (date(2026, 4, 15), date(2026, 5, 14))
    assert told(subscription) == [
        "subscription.scheduled",
        "subscription.trialing",
        "subscription.converted",
        "subscription.renewed",
        "subscription.renewed",
        "subscription.renewed",
    ]


def test_after_its_minimum_an_open_contract_has_no_term():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules={"minimum_count": 3}))
    assert subscription.term_ends_on == date(2026, 3, 31)
    assert move(company, date(2026, 4, 1)) == {"term_over": 1}
    subscription.refresh_from_db()
    assert (subscription.term_start_on, subscription.term_ends_on) == (date(2026, 4, 1), None)
    assert subscription.next_move_on is None


def test_a_term_that_is_not_renewed_expires():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules={"minimum_count": 3, "renewal_rule": "expire"}))
    assert move(company, date(2026, 4, 1)) == {"expired": 1}
    subscription.refresh_from_db()
    assert subscription.state == "expired"
    churn = subscription.movements.get(kind="churn")
    assert (churn.amount_minor, churn.effective_on) == (-1000, date(2026, 4, 1))


def test_a_cancellation_wins_over_a_renewal():
    from subscriptions.services.ending import plan_end

    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules={"minimum_count": 3, "renewal_rule": "renew"}))
    plan_end(subscription=subscription, timing="period_end", on=date(2026, 2, 1), by=BY, at=at_noon(date(2026, 2, 1)))
    assert move(company, date(2026, 4, 1)) == {"canceled": 1}


def test_churn_counts_only_when_the_customer_has_nothing_left():
    from subscriptions.services.ending import plan_end

    company = a_company()
    customer, plan = a_customer(company), a_plan(company)
    first, second = a_subscription(company, customer, plan), a_subscription(company, customer, plan)
    assert second.movements.get().kind == "expansion"
    for subscription, on in ((first, date(2026, 1, 10)), (second, date(2026, 2, 10))):
        plan_end(subscription=subscription, timing="now", on=on, by=BY, at=at_noon(on))
    move(company, date(2026, 3, 1))
    assert first.movements.last().kind == "contraction"
    assert second.movements.last().kind == "churn"


def test_a_return_after_churn_is_a_reactivation():
    company = a_company()
    customer, plan = a_customer(company), a_plan(company)
    a_subscription(company, customer, plan, start_on=date(2025, 10, 1), ends_on=date(2025, 12, 31))
    assert a_subscription(company, customer, plan).movements.get().kind == "reactivation"


def test_a_movement_into_closed_books_is_booked_on_the_first_open_day():
    company = a_company()
    subscription = a_subscription(company, start_on=date(2026, 1, 20))
    company.books_closed_on = date(2026, 1, 31)
    company.save(update_fields=["books_closed_on"])
    move(company, date(2026, 2, 3))
    movement = subscription.movements.get()
    assert (movement.effective_on, movement.booked_on) == (date(2026, 1, 20), date(2026, 2, 1))


def test_each_zone_moves_by_its_own_day():
    company = a_company()
    plan = a_plan(company)
    west = a_subscription(company, a_customer(company, time_zone="America/New_York"), plan, start_on=date(2026, 2, 1))
    east = a_subscription(company, a_customer(company, time_zone="Asia/Tokyo"), plan, start_on=date(2026, 2, 1))
    from subscriptions.services.renewals import move_due

    assert move_due(company=company, at=datetime(2026, 1, 31, 16, 0, tzinfo=UTC), by=BY) == {"started": 1}
    east.refresh_from_db()
    west.refresh_from_db()
    assert (east.state, west.state) == ("active", "pending")


def test_one_that_cannot_move_is_parked_and_stops_nobody():
    from subscriptions.models import SlotTerms

    company = a_company()
    good = a_subscription(company, start_on=date(2026, 2, 1))
    bad = a_subscription(company, start_on=date(2026, 2, 1))
    SlotTerms.objects.filter(slot__subscription=bad).update(interval_unit="moon")
    assert move(company, date(2026, 2, 1)) == {"started": 1, "failed": 1}
    good.refresh_from_db()
    bad.refresh_from_db()
    assert good.state == "active"
    assert (bad.state, bad.parked_code) == ("pending", "subscription.move_failed")
    SlotTerms.objects.filter(slot__subscription=bad).update(interval_unit="month")
    assert move(company, date(2026, 2, 1)) == {"started": 1}
    bad.refresh_from_db()
    assert (bad.state, bad.parked_code, bad.parked_at) == ("active", "", None)
