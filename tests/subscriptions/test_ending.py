"""Planning an end, overriding the contract, and taking it back."""

from __future__ import annotations

from datetime import date

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_subscription, at_noon

pytestmark = pytest.mark.django_db

YEAR = {
    "minimum_count": 12,
    "notice_count": 1,
    "notice_unit": "month",
    "notice_to": "term_end",
    "renewal_rule": "renew",
}


#: May end on any day, so that today can be the last.
FREE = {"notice_to": "any_day"}


def a_free_subscription():
    company = a_company()
    return a_subscription(company, plan=a_plan(company, rules=FREE))


def end(subscription, timing="period_end", on=TODAY, **more):
    from subscriptions.services.ending import plan_end

    return plan_end(subscription=subscription, timing=timing, on=on, by=BY, at=at_noon(on), **more)


def undo(subscription, on=TODAY):
    from subscriptions.services.ending import undo_end

    return undo_end(subscription=subscription, on=on, by=BY, at=at_noon(on))


def refused(call, code):
    from core.refusal import Refused

    with pytest.raises(Refused) as raised:
        call()
    assert raised.value.code == code
    return raised.value


def audits(subscription, verb):
    from core.models import AuditEntry

    return AuditEntry.objects.filter(subject_kind="subscription", subject_id=subscription.pk, verb=verb)


def test_period_end_is_the_last_day_of_the_period():
    ended = end(a_subscription(a_company()), on=date(2026, 1, 10))
    assert (ended.ends_on, ended.state, ended.next_move_on) == (date(2026, 1, 31), "active", date(2026, 2, 1))
    assert (ended.end_kind, ended.end_unused) == ("cancel", "credit")


def test_now_makes_today_the_last_day():
    ended = end(a_free_subscription(), "now", on=date(2026, 1, 10))
    assert (ended.ends_on, ended.state) == (date(2026, 1, 10), "active")


def test_a_date_is_taken_as_it_is():
    ended = end(a_subscription(a_company()), "date", ends_on=date(2026, 2, 17))
    assert ended.ends_on == date(2026, 2, 17)


def test_a_date_needs_a_day():
    refused(lambda: end(a_subscription(a_company()), "date"), "subscription.end_missing")


def test_a_minimum_term_moves_the_end_to_the_term_end():
    company = a_company()
    ended = end(a_subscription(company, plan=a_plan(company, rules=YEAR)), "now", on=date(2026, 3, 1))
    assert ended.ends_on == date(2026, 12, 31)


def test_notice_too_late_reaches_the_next_term():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules=YEAR))
    assert end(subscription, on=date(2026, 11, 30)).ends_on == date(2026, 12, 31)
    other = a_subscription(company, plan=a_plan(company, rules=YEAR))
    assert end(other, on=date(2026, 12, 1)).ends_on == date(2027, 12, 31)


def test_a_date_before_the_earliest_end_is_refused():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules=YEAR))
    refusal = refused(lambda: end(subscription, "date", ends_on=date(2026, 6, 30)), "subscription.end_too_early")
    assert refusal.params == {"day": date(2026, 12, 31)}


def test_an_override_breaks_the_minimum_term_and_keeps_its_reason():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules=YEAR))
    ended = end(subscription, "date", ends_on=date(2026, 6, 30), override=True, override_reason="moved abroad")
    assert ended.ends_on == date(2026, 6, 30)
    entry = audits(subscription, "subscription.cancel").get()
    assert (entry.reason, entry.facts["override"]) == ("moved abroad", True)


def test_an_override_without_a_reason_is_refused():
    subscription = a_subscription(a_company())
    refused(lambda: end(subscription, "now", override=True), "subscription.override_needs_reason")


def test_a_date_in_the_past_ends_at_once_with_an_override():
    subscription = a_subscription(a_company())
    ended = end(
        subscription, "date", ends_on=date(2026, 1, 20), override=True, override_reason="agreed", on=date(2026, 2, 5)
    )
    assert ended.state == "canceled"
    churn = subscription.movements.get(kind="churn")
    assert (churn.amount_minor, churn.effective_on) == (-1000, date(2026, 1, 21))


def test_asking_again_for_the_same_end_changes_nothing():
    subscription = a_subscription(a_company())
    end(subscription)
    end(subscription)
    assert audits(subscription, "subscription.cancel").count() == 1


def test_asking_again_with_another_reason_keeps_the_new_one_and_is_audited():
    subscription = a_subscription(a_company())
    end(subscription, reason="price", comment="Too dear")
    again = end(subscription, reason="moved", comment="Moving away")
    again.refresh_from_db()
    assert (again.end_reason, again.end_comment) == ("moved", "Moving away")
    assert list(audits(subscription, "subscription.cancel").order_by("pk").values_list("reason", flat=True)) == [
        "price",
        "moved",
    ]


def test_asking_for_a_later_end_than_planned_changes_nothing():
    subscription = a_free_subscription()
    end(subscription, "now", on=date(2026, 1, 10))
    assert end(subscription, "period_end", on=date(2026, 1, 10)).ends_on == date(2026, 1, 10)


def test_an_earlier_end_replaces_the_planned_one():
    subscription = a_free_subscription()
    end(subscription, "period_end", on=date(2026, 1, 10))
    assert end(subscription, "now", on=date(2026, 1, 12)).ends_on == date(2026, 1, 12)
    assert audits(subscription, "subscription.cancel").last().facts["planned_before"] == "2026-01-31"


def test_an_end_taken_back_leaves_no_trace_on_the_row():
    subscription = a_subscription(a_company())
    end(subscription, reason="price", comment="too dear")
    back = undo(subscription)
    assert (back.ends_on, back.end_kind, back.end_unused, back.end_reason) == (None, "", "", "")
    assert (back.end_comment, back.cancel_asked_at, back.next_move_on) == ("", None, None)
    assert back.next_bill_on == TODAY


def test_undo_without_a_planned_end_does_nothing():
    subscription = a_subscription(a_company())
    undo(subscription)
    assert not audits(subscription, "subscription.undo_cancel").exists()


def test_undo_restores_the_end_of_a_contract_that_expires():
    company = a_company()
    rules = {"minimum_count": 6, "renewal_rule": "expire"}
    subscription = a_subscription(company, plan=a_plan(company, rules=rules))
    ended = end(subscription, "date", ends_on=date(2026, 3, 31), override=True, override_reason="agreed")
    assert ended.ends_on == date(2026, 3, 31)
    back = undo(subscription)
    assert (back.ends_on, back.end_kind) == (date(2026, 6, 30), "expire")


def test_undo_is_too_late_the_day_after_the_end():
    subscription = a_free_subscription()
    end(subscription, "now", on=date(2026, 1, 10))
    undo(subscription, on=date(2026, 1, 10))
    end(subscription, "now", on=date(2026, 1, 10))
    refused(lambda: undo(subscription, on=date(2026, 1, 11)), "subscription.undo_too_late")


def test_a_trial_ends_today_or_with_the_trial():
    company = a_company()
    plan = a_plan(company, trial_days=14)
    today = end(a_subscription(company, plan=plan), "now", on=date(2026, 1, 5))
    assert (today.ends_on, today.next_bill_on) == (date(2026, 1, 5), None)
    later = end(a_subscription(company, plan=plan), "period_end", on=date(2026, 1, 5))
    assert (later.ends_on, later.next_bill_on) == (date(2026, 1, 14), None)


def test_a_pending_subscription_can_be_called_off():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules=FREE), start_on=date(2026, 2, 1))
    ended = end(subscription, "now", on=date(2026, 1, 10))
    assert (ended.ends_on, ended.next_bill_on, ended.next_move_on) == (date(2026, 1, 31), None, date(2026, 2, 1))


def test_canceled_in_grace_it_ends_with_the_old_term():
    company = a_company(today=date(2026, 1, 1))
    rules = YEAR | {"grace_days": 14}
    subscription = a_subscription(
        company, plan=a_plan(company, rules=rules), start_on=date(2025, 1, 1), billed_through_on=date(2025, 12, 31)
    )
    assert subscription.next_bill_on == date(2026, 1, 15)
    ended = end(subscription, on=date(2026, 1, 14))
    assert (ended.ends_on, ended.state, ended.next_bill_on) == (date(2025, 12, 31), "canceled", None)
    assert subscription.movements.get(kind="churn").effective_on == date(2026, 1, 1)


def test_what_becomes_of_unused_days_is_the_plans_unless_said():
    company = a_company()
    plan = a_plan(company, rules={"cancel_unused": "none"})
    assert end(a_subscription(company, plan=plan)).end_unused == "none"
    assert end(a_subscription(company, plan=plan), unused="refund").end_unused == "refund"


def test_the_actor_stands_in_the_audit_row():
    from core.actors import Actor
    from subscriptions.services.ending import plan_end

    company = a_company()
    subscription = a_subscription(company, a_customer(company))
    actor = Actor.of_contact(7, "Ada", None)
    plan_end(subscription=subscription, timing="period_end", on=TODAY, by=actor, at=at_noon(TODAY))
    entry = audits(subscription, "subscription.cancel").get()
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("contact", 7, "Ada")
