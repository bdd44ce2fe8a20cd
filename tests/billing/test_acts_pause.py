"""Pauses and suspensions as they are billed. A month costs 31.00: in January a day is worth 1.00."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing.models import CreditNote, Invoice
from billing.services import acts, acts_pausing, tiling
from billing.services.acting import ActResult
from billing.services.previews import preview
from core.models import Company
from core.refusal import Refused
from subscriptions.models import Subscription
from tests.billing.test_settling import bill, lines_of
from tests.factories import BY, a_company, a_plan, a_subscription, set_clock

pytestmark = pytest.mark.django_db


def a_monthly(
    company: Company, amount: str = "31.00", rules: dict[str, Any] | None = None, **price: Any
) -> Subscription:
    plan = a_plan(company, amount=amount, price=price, rules=rules or {})
    return a_subscription(company, plan=plan, on=date(2026, 1, 1))


def billed(**price: Any) -> Subscription:
    """Monthly since 1 January, its first month billed."""
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, amount="31.00", price=price), on=date(2026, 1, 1))
    run(company, date(2026, 1, 1))
    return subscription


def run(company: Company, on: date) -> None:
    """The day's work: moves, then billing."""
    acts.move_due(company=company, at=set_clock(company, on), by=BY)
    bill(company, on)


def act(verb: Any, subscription: Subscription, on: date, **more: Any) -> ActResult:
    at = set_clock(subscription.company, on)
    return verb(subscription=subscription, on=on, by=BY, at=at, **more)


def pause(subscription: Subscription, on: date, **more: Any) -> ActResult:
    return act(acts_pausing.pause, subscription, on, **more)


def resume(subscription: Subscription, on: date, **more: Any) -> ActResult:
    return act(acts_pausing.resume, subscription, on, **more)


def suspend(subscription: Subscription, on: date, **more: Any) -> ActResult:
    return act(acts_pausing.suspend, subscription, on, **more)


def reinstate(subscription: Subscription, on: date, **more: Any) -> ActResult:
    return act(acts_pausing.reinstate, subscription, on, **more)


def cancel(subscription: Subscription, on: date, timing: str = "period_end", **more: Any) -> ActResult:
    return act(acts.cancel, subscription, on, timing=timing, **more)


def notes(subscription: Subscription) -> list[tuple[str, int, str]]:
    rows = CreditNote.objects.filter(customer=subscription.customer).order_by("pk")
    return [(str(row.issued_on), row.net_minor, row.cause) for row in rows]


def movements(subscription: Subscription) -> list[tuple[str, int, str, str]]:
    rows = subscription.movements.order_by("pk")
    return [(row.kind, row.amount_minor, str(row.effective_on), row.cause) for row in rows]


def now(subscription: Subscription) -> Subscription:
    return Subscription.objects.get(pk=subscription.pk)


@pytest.fixture(autouse=True)
def every_day_is_accounted_for() -> Any:
    yield
    for company in Company.objects.all():
        last = Invoice.objects.filter(company=company).order_by("-charge_due_on").values_list("charge_due_on").first()
        assert tiling.check(company, last[0] if last else None) == []


JANUARY = ("2026-01-01", "2026-02-01", 3100)


def test_a_pause_gives_back_its_billed_days() -> None:
    subscription = billed()
    result = pause(subscription, date(2026, 1, 10))
    # 10 to 31 January are 22 of 31 days.
    assert notes(subscription) == [("2026-01-10", 2200, "pause")]
    held = result.subscription
    assert (held.state, held.paused_from_on, held.next_bill_on) == ("paused", date(2026, 1, 10), None)
    assert (result.mrr_before, result.mrr_after) == (3100, 0)


def test_a_pause_over_a_renewal_bills_nothing_and_resumes_with_a_new_anchor() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10))
    run(subscription.company, date(2026, 2, 1))
    result = resume(subscription, date(2026, 2, 20))
    assert lines_of(subscription) == [JANUARY, ("2026-02-20", "2026-03-20", 3100)]
    held = result.subscription
    assert (held.state, held.anchor_on, held.paused_from_on) == ("active", date(2026, 2, 20), None)
    run(subscription.company, date(2026, 3, 20))
    assert lines_of(subscription)[2:] == [("2026-03-20", "2026-04-20", 3100)]


def test_a_pause_over_a_renewal_can_keep_the_anchor() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10))
    resume(subscription, date(2026, 2, 20), keep_anchor=True)
    # 20 to 28 February are 9 of 28 days: 31.00 x 9 / 28 = 9.964.
    assert lines_of(subscription)[1:] == [("2026-02-20", "2026-03-01", 996)]
    assert now(subscription).next_bill_on == date(2026, 3, 1)


def test_pause_and_resume_on_one_day_bring_the_morning_back() -> None:
    subscription = billed()
    before = now(subscription)
    pause(subscription, date(2026, 1, 10))
    resume(subscription, date(2026, 1, 10))
    assert notes(subscription) == [("2026-01-10", 2200, "pause")]
    assert lines_of(subscription) == [JANUARY, ("2026-01-10", "2026-02-01", 2200)]
    held = now(subscription)
    assert (held.anchor_on, held.next_bill_on, held.state) == (before.anchor_on, before.next_bill_on, "active")
    [row] = held.slots.get().terms.all()
    assert (row.standing, row.from_on, row.until_on) == ("agreed", date(2026, 1, 1), None)
    assert list(held.changes.order_by("pk").values_list("kind", "status")) == [("pause", "undone"), ("resume", "done")]
    assert movements(subscription) == [
        ("new", 3100, "2026-01-01", "subscription.start"),
        ("contraction", -3100, "2026-01-10", "subscription.pause"),
        ("expansion", 3100, "2026-01-10", "subscription.resume"),
    ]


def test_a_planned_pause_with_an_end_credits_on_its_day_and_bills_anew_on_the_day_after() -> None:
    subscription = billed()
    company = subscription.company
    result = pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 10), until=date(2026, 1, 20))
    assert (result.subscription.state, result.mrr_after, notes(subscription)) == ("active", 3100, [])
    run(company, date(2026, 1, 9))
    assert (now(subscription).state, notes(subscription)) == ("active", [])
    run(company, date(2026, 1, 10))
    assert (now(subscription).state, notes(subscription)) == ("paused", [("2026-01-10", 2200, "pause")])
    run(company, date(2026, 1, 20))
    assert lines_of(subscription) == [JANUARY, ("2026-01-20", "2026-02-20", 3100)]
    assert (now(subscription).state, now(subscription).anchor_on) == ("active", date(2026, 1, 20))


def test_a_run_long_after_a_planned_pause_catches_up() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 10), until=date(2026, 1, 20), keep_anchor=True)
    run(subscription.company, date(2026, 4, 15))
    assert notes(subscription) == [("2026-04-15", 2200, "pause")]
    # 20 to 31 January are 12 of 31 days.
    assert lines_of(subscription) == [
        JANUARY,
        ("2026-01-20", "2026-02-01", 1200),
        ("2026-02-01", "2026-03-01", 3100),
        ("2026-03-01", "2026-04-01", 3100),
        ("2026-04-01", "2026-05-01", 3100),
    ]
    assert movements(subscription)[1:] == [
        ("contraction", -3100, "2026-01-10", "subscription.pause"),
        ("expansion", 3100, "2026-01-20", "subscription.resume"),
    ]


def test_a_period_known_to_be_paused_is_billed_up_to_the_pause() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 15), from_on=date(2026, 2, 11))
    run(subscription.company, date(2026, 2, 1))
    # 10 of 28 days: 31.00 x 10 / 28 = 11.071.
    assert lines_of(subscription)[1:] == [("2026-02-01", "2026-02-11", 1107)]
    run(subscription.company, date(2026, 3, 1))
    assert (notes(subscription), len(lines_of(subscription))) == ([], 2)


def test_a_planned_pause_taken_back_cuts_no_period() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 2, 10), until=date(2026, 2, 20), keep_anchor=True)
    act(acts_pausing.undo_pause, subscription, date(2026, 1, 6))
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription) == [JANUARY, ("2026-02-01", "2026-03-01", 3100)]


def test_a_planned_pause_taken_back_leaves_the_terms_as_they_were() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 10), until=date(2026, 1, 20))
    act(acts_pausing.undo_pause, subscription, date(2026, 1, 6))
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription) == [JANUARY, ("2026-02-01", "2026-03-01", 3100)]
    assert notes(subscription) == []
    assert {row.standing for row in now(subscription).slots.get().terms.all()} == {"agreed"}


def test_another_plan_replaces_the_planned_pause() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 10), until=date(2026, 1, 20))
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 20))
    run(subscription.company, date(2026, 2, 1))
    # 20 to 31 January: 12 days.
    assert notes(subscription) == [("2026-02-01", 1200, "pause")]
    assert list(subscription.changes.order_by("pk").values_list("status", flat=True)) == ["replaced", "done"]


def test_the_end_of_a_running_pause_can_be_planned_moved_and_dropped() -> None:
    subscription = billed()
    company = subscription.company
    pause(subscription, date(2026, 1, 10))
    resume(subscription, date(2026, 1, 11), from_on=date(2026, 2, 10))
    resume(subscription, date(2026, 1, 12), from_on=date(2026, 3, 5))
    assert now(subscription).next_bill_on == date(2026, 3, 5)
    act(acts_pausing.undo_pause, subscription, date(2026, 1, 13))
    assert (now(subscription).next_bill_on, now(subscription).resumes_on) == (None, None)
    resume(subscription, date(2026, 1, 14), from_on=date(2026, 2, 10))
    run(company, date(2026, 2, 10))
    assert lines_of(subscription) == [JANUARY, ("2026-02-10", "2026-03-10", 3100)]


def test_a_pause_closes_running_arrears() -> None:
    subscription = billed(billed="arrears")
    pause(subscription, date(2026, 1, 11))
    # 1 to 10 January.
    assert lines_of(subscription) == [("2026-01-01", "2026-01-11", 1000)]
    resume(subscription, date(2026, 2, 1), keep_anchor=True)
    run(subscription.company, date(2026, 3, 1))
    assert lines_of(subscription)[1:] == [("2026-02-01", "2026-03-01", 3100)]


def test_an_unprorated_price_gives_nothing_back_and_its_paid_period_goes_on() -> None:
    subscription = billed(is_prorated=False)
    pause(subscription, date(2026, 1, 10))
    resume(subscription, date(2026, 1, 20))
    assert (notes(subscription), lines_of(subscription)) == ([], [JANUARY])
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription)[1:] == [("2026-02-01", "2026-03-01", 3100)]


def test_a_pause_dated_back_credits_every_invoice_it_reaches() -> None:
    subscription = billed()
    run(subscription.company, date(2026, 2, 1))
    with pytest.raises(Refused, match=r"subscription\.act_in_the_past"):
        pause(subscription, date(2026, 2, 5), from_on=date(2026, 1, 10))
    pause(
        subscription, date(2026, 2, 5), from_on=date(2026, 1, 10), override=True, override_reason="was in hospital"
    )  # fmt: skip
    assert notes(subscription) == [("2026-02-05", 2200, "pause"), ("2026-02-05", 3100, "pause")]
    assert movements(subscription)[1:] == [("contraction", -3100, "2026-01-10", "subscription.pause")]


def test_a_resumption_dated_back_is_billed_on_one_document_of_today() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10))
    back = {"from_on": date(2026, 1, 20), "override": True, "override_reason": "told"}
    result = resume(subscription, date(2026, 3, 5), keep_anchor=True, **back)
    [invoice_id] = result.settlement.invoice_ids
    assert Invoice.objects.get(pk=invoice_id).charge_due_on == date(2026, 3, 5)
    assert lines_of(subscription)[1:] == [
        ("2026-01-20", "2026-02-01", 1200),
        ("2026-02-01", "2026-03-01", 3100),
        ("2026-03-01", "2026-04-01", 3100),
    ]


def test_a_trial_that_ends_in_a_pause_is_resumed_and_paid_from_then_on() -> None:
    company = a_company()
    plan = a_plan(company, amount="31.00", trial_days=14, trial_end="pause")
    subscription = a_subscription(company, plan=plan)
    run(company, date(2026, 2, 1))
    held = now(subscription)
    assert (held.state, held.paused_from_on, held.next_bill_on) == ("paused", date(2026, 1, 15), None)
    resume(subscription, date(2026, 2, 10))
    assert lines_of(subscription) == [("2026-02-10", "2026-03-10", 3100)]
    assert movements(subscription) == [("new", 3100, "2026-02-10", "subscription.resume")]


def test_stop_leaves_the_issued_invoice_and_bills_nothing_new() -> None:
    subscription = billed()
    result = suspend(subscription, date(2026, 1, 10))
    held = result.subscription
    assert (held.state, held.suspended_from_on, notes(subscription)) == ("suspended", date(2026, 1, 10), [])
    assert (result.mrr_before, result.mrr_after) == (3100, 3100)
    run(subscription.company, date(2026, 3, 1))
    assert lines_of(subscription) == [JANUARY]


def test_a_stop_ended_before_the_boundary_bills_nothing_twice() -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10))
    reinstate(subscription, date(2026, 1, 20))
    assert lines_of(subscription) == [JANUARY]
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription)[1:] == [("2026-02-01", "2026-03-01", 3100)]
    assert movements(subscription) == [("new", 3100, "2026-01-01", "subscription.start")]


def test_a_stop_ended_after_the_boundary_bills_the_rest_to_the_next() -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10))
    run(subscription.company, date(2026, 2, 1))
    reinstate(subscription, date(2026, 2, 20))
    assert lines_of(subscription)[1:] == [("2026-02-20", "2026-03-01", 996)]
    run(subscription.company, date(2026, 3, 1))
    assert lines_of(subscription)[2:] == [("2026-03-01", "2026-04-01", 3100)]


def test_a_stop_closes_running_arrears_on_its_day() -> None:
    subscription = billed(billed="arrears")
    suspend(subscription, date(2026, 1, 11))
    assert lines_of(subscription) == [("2026-01-01", "2026-01-11", 1000)]
    reinstate(subscription, date(2026, 1, 21))
    run(subscription.company, date(2026, 2, 1))
    # 21 to 31 January are 11 days.
    assert lines_of(subscription)[1:] == [("2026-01-21", "2026-02-01", 1100)]


def test_a_suspension_may_credit_as_a_pause_does() -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10), suspended_billing="credit")
    assert notes(subscription) == [("2026-01-10", 2200, "pause")]
    reinstate(subscription, date(2026, 1, 20))
    assert lines_of(subscription)[1:] == [("2026-01-20", "2026-02-01", 1200)]
    assert now(subscription).next_bill_on == date(2026, 2, 1)


def test_billing_may_go_on_while_suspended() -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10), suspended_billing="continue")
    run(subscription.company, date(2026, 2, 1))
    reinstate(subscription, date(2026, 2, 10))
    assert lines_of(subscription) == [JANUARY, ("2026-02-01", "2026-03-01", 3100)]


@pytest.mark.parametrize("billing", ["stop", "credit", "continue"])
def test_suspended_and_reinstated_on_one_day_stands_as_that_morning(billing: str) -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10), suspended_billing=billing)
    reinstate(subscription, date(2026, 1, 10))
    run(subscription.company, date(2026, 2, 1))
    net = sum(row[2] for row in lines_of(subscription)) - sum(row[1] for row in notes(subscription))
    assert (net, now(subscription).state) == (6200, "active")
    assert {row.standing for row in now(subscription).slots.get().terms.all()} == {"agreed"}


def test_a_paused_subscription_ends_on_the_day_before_its_pause() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10), until=date(2026, 3, 1))
    cancel(subscription, date(2026, 1, 20))
    held = now(subscription)
    assert (held.state, held.ends_on, held.next_bill_on) == ("canceled", date(2026, 1, 9), None)
    run(subscription.company, date(2026, 5, 1))
    assert (lines_of(subscription), notes(subscription)) == ([JANUARY], [("2026-01-10", 2200, "pause")])


def test_an_end_in_a_pause_can_be_taken_back_that_day() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10), until=date(2026, 3, 1))
    cancel(subscription, date(2026, 1, 20))
    act(acts.undo_cancel, subscription, date(2026, 1, 20))
    assert now(subscription).state == "paused"
    run(subscription.company, date(2026, 3, 1))
    assert lines_of(subscription)[1:] == [("2026-03-01", "2026-04-01", 3100)]


def test_a_suspended_subscription_ends_on_the_day_before_its_suspension() -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10))
    run(subscription.company, date(2026, 2, 5))
    cancel(subscription, date(2026, 2, 5))
    held = now(subscription)
    assert (held.state, held.ends_on) == ("canceled", date(2026, 1, 9))
    assert notes(subscription) == [("2026-02-05", 2200, "cancel")]
    assert movements(subscription)[1:] == [("churn", -3100, "2026-01-10", "subscription.end")]
    run(subscription.company, date(2026, 5, 1))
    assert lines_of(subscription) == [JANUARY]


def test_an_end_in_a_suspension_taken_back_that_day_bills_its_paid_days_again() -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10))
    cancel(subscription, date(2026, 1, 20))
    act(acts.undo_cancel, subscription, date(2026, 1, 20))
    held = now(subscription)
    assert (held.state, held.slots.get().mrr_minor) == ("suspended", 3100)
    assert lines_of(subscription) == [JANUARY, ("2026-01-10", "2026-02-01", 2200)]


def test_an_end_wins_over_a_pause_planned_for_later_and_gives_it_back_when_undone() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 20))
    cancel(subscription, date(2026, 1, 6))
    assert (now(subscription).ends_on, now(subscription).paused_from_on) == (date(2026, 1, 31), None)
    act(acts.undo_cancel, subscription, date(2026, 1, 7))
    assert now(subscription).paused_from_on == date(2026, 1, 20)
    run(subscription.company, date(2026, 1, 20))
    assert notes(subscription) == [("2026-01-20", 1200, "pause")]


def test_a_canceled_subscription_runs_out_whatever_was_planned() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 20))
    cancel(subscription, date(2026, 1, 6))
    run(subscription.company, date(2026, 4, 1))
    assert (lines_of(subscription), notes(subscription)) == ([JANUARY], [])


def test_a_pause_in_a_chain_of_acts_keeps_every_day_in_its_place() -> None:
    subscription = billed()
    company = subscription.company
    pause(subscription, date(2026, 1, 10))
    resume(subscription, date(2026, 1, 15))
    suspend(subscription, date(2026, 2, 1))
    reinstate(subscription, date(2026, 2, 20))
    pause(subscription, date(2026, 3, 1), from_on=date(2026, 3, 20), until=date(2026, 4, 1))
    run(company, date(2026, 6, 15))
    # 15 January starts anew: to 15 February, billed before the suspension of 1 February, which stops the next one.
    # 20 February to 15 March: 31.00 x 23 / 28 = 25.464. 15 to 20 March: 31.00 x 5 / 31 = 5.00.
    assert lines_of(subscription) == [
        JANUARY,
        ("2026-01-15", "2026-02-15", 3100),
        ("2026-02-20", "2026-03-15", 2546),
        ("2026-03-15", "2026-03-20", 500),
        ("2026-04-01", "2026-05-01", 3100),
        ("2026-05-01", "2026-06-01", 3100),
        ("2026-06-01", "2026-07-01", 3100),
    ]
    assert notes(subscription) == [("2026-01-10", 2200, "pause")]


@pytest.mark.parametrize("keep_anchor", [False, True])
def test_what_a_preview_shows_is_what_the_act_does(keep_anchor: bool) -> None:
    subscription = billed()
    on = date(2026, 1, 10)
    given = {"from_on": on, "until": date(2026, 1, 25), "keep_anchor": keep_anchor}
    seen = preview(lambda: pause(subscription, on, **given))
    assert (seen.money_now, now(subscription).state) == (-2618, "active")  # 22.00 and 19 %.
    result = pause(subscription, on, **given, preview_token=seen.token)
    assert result.subscription.state == "paused"
    with pytest.raises(Refused, match=r"preview\.differs"):
        resume(subscription, date(2026, 1, 12), preview_token=seen.token)
    assert now(subscription).state == "paused"


def test_the_books_and_the_first_paid_day_bound_what_is_dated_back() -> None:
    subscription = billed()
    subscription.company.books_closed_on = date(2026, 1, 5)
    subscription.company.save()
    back = {"override": True, "override_reason": "told on the phone"}
    with pytest.raises(Refused, match=r"subscription\.books_closed"):
        pause(subscription, date(2026, 1, 10), from_on=date(2026, 1, 5), **back)
    with pytest.raises(Refused, match=r"subscription\.act_before_paid"):
        pause(subscription, date(2026, 1, 10), from_on=date(2025, 12, 31), **back)


def move_day(subscription: Subscription, on: date, day: int) -> ActResult:
    return act(acts_pausing.move_billing_day, subscription, on, day=day)


def a_start(on: date, amount: str, **more: Any) -> Subscription:
    company = a_company(today=on)
    subscription = a_subscription(company, plan=a_plan(company, amount=amount, **more), on=on)
    run(company, on)
    return subscription


def test_a_moved_billing_day_makes_a_stub_after_the_paid_period() -> None:
    subscription = a_start(date(2025, 5, 1), "10.00")
    result = move_day(subscription, date(2025, 5, 1), 15)
    assert (result.settlement.invoice_ids, now(subscription).anchor_month_day) == ([], 1)
    run(subscription.company, date(2025, 7, 15))
    # 1 to 14 June are 14 days of 15 May to 14 June, 31 days: 10.00 x 14 / 31 = 4.516.
    assert lines_of(subscription) == [
        ("2025-05-01", "2025-06-01", 1000),
        ("2025-06-01", "2025-06-15", 452),
        ("2025-06-15", "2025-07-15", 1000),
        ("2025-07-15", "2025-08-15", 1000),
    ]
    held = now(subscription)
    assert (held.anchor_on, held.anchor_month_day, held.anchor_rule) == (date(2025, 6, 15), 15, "day")
    assert list(held.changes.values_list("kind", "status")) == [("day", "done")]


def test_a_planned_move_of_the_day_can_be_replaced_and_taken_back() -> None:
    subscription = billed()
    move_day(subscription, date(2026, 1, 5), 15)
    move_day(subscription, date(2026, 1, 6), 20)
    assert now(subscription).changes.filter(status="planned").get().summary["day"] == 20
    act(acts_pausing.undo_move_billing_day, subscription, date(2026, 1, 7))
    run(subscription.company, date(2026, 2, 15))
    assert lines_of(subscription) == [JANUARY, ("2026-02-01", "2026-03-01", 3100)]
    assert now(subscription).slots.get().terms.count() == 1


def test_arrears_move_at_the_end_of_the_running_period() -> None:
    subscription = billed(billed="arrears")
    move_day(subscription, date(2026, 1, 10), 11)
    run(subscription.company, date(2026, 3, 11))
    # 1 to 10 February are 10 days of 11 January to 10 February, 31 days.
    assert lines_of(subscription) == [
        JANUARY,
        ("2026-02-01", "2026-02-11", 1000),
        ("2026-02-11", "2026-03-11", 3100),
    ]


def test_a_move_to_the_31st_aims_at_it_in_every_month() -> None:
    subscription = billed()
    move_day(subscription, date(2026, 1, 10), 31)
    run(subscription.company, date(2026, 4, 30))
    # 1 to 27 February are 27 days of 31 January to 27 February, 28 days: 31.00 x 27 / 28 = 29.893.
    assert lines_of(subscription)[1:] == [
        ("2026-02-01", "2026-02-28", 2989),
        ("2026-02-28", "2026-03-31", 3100),
        ("2026-03-31", "2026-04-30", 3100),
        ("2026-04-30", "2026-05-31", 3100),
    ]


def test_weeks_have_no_billing_day() -> None:
    subscription = a_start(date(2026, 1, 1), "7.00", rules={"interval_unit": "week"})
    with pytest.raises(Refused, match=r"subscription\.day_without_months"):
        move_day(subscription, date(2026, 1, 2), 15)


def test_a_change_of_price_leaves_a_planned_move_of_the_day_alone() -> None:
    from decimal import Decimal

    from billing.services import acts_changing
    from subscriptions.services.changing import ItemChange

    subscription = a_start(date(2016, 5, 1), "249.95")
    move_day(subscription, date(2016, 5, 1), 10)
    dearer = [ItemChange(slot=subscription.slots.get(), unit_amount=Decimal("599.95"))]
    act(acts_changing.change, subscription, date(2016, 5, 5), items=dearer, timing="now")
    run(subscription.company, date(2016, 6, 10))
    # 249.95 x 27 / 31 = 217.698 comes back; 599.95 x 27 / 31 = 522.537; the stub 599.95 x 9 / 31 = 174.179.
    assert notes(subscription) == [("2016-05-05", 21770, "change")]
    assert lines_of(subscription) == [
        ("2016-05-01", "2016-06-01", 24995),
        ("2016-05-05", "2016-06-01", 52254),
        ("2016-06-01", "2016-06-10", 17418),
        ("2016-06-10", "2016-07-10", 59995),
    ]


@pytest.mark.parametrize("stop", ["pause", "suspend"])
def test_usage_is_closed_where_service_stops_and_counts_again_where_it_goes_on(stop: str) -> None:
    from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in

    company = a_company()
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "1.00"))
    set_clock(company, date(2026, 1, 10))
    take_in(company, sent(meter, subscription, "2026-01-05T12:00:00Z", 7))
    act(getattr(acts_pausing, stop), subscription, date(2026, 1, 10))
    assert lines_of(subscription) == [("2026-01-01", "2026-01-10", 700)]
    begins = resume if stop == "pause" else reinstate
    begins(subscription, date(2026, 1, 20), **({"keep_anchor": True} if stop == "pause" else {}))
    set_clock(company, date(2026, 1, 31))
    take_in(company, sent(meter, subscription, "2026-01-15T12:00:00Z", 50), sent(
        meter, subscription, "2026-01-25T12:00:00Z", 5
    ))  # fmt: skip
    run(company, date(2026, 2, 1))
    # What was used while service stood is of no window.
    assert lines_of(subscription)[1:] == [("2026-01-20", "2026-02-01", 500)]


def change(subscription: Subscription, on: date, **more: Any) -> ActResult:
    from billing.services import acts_changing
    from subscriptions.services.changing import ItemChange

    timing = {name: more.pop(name) for name in ("timing", "effective_on") if name in more}
    items = [ItemChange(slot=subscription.slots.get(), **more)]
    return act(acts_changing.change, subscription, on, items=items, **timing)


def test_a_change_that_counts_anew_takes_the_place_of_a_planned_move() -> None:
    from decimal import Decimal

    subscription = billed()
    move_day(subscription, date(2026, 1, 5), 15)
    change(
        subscription, date(2026, 1, 10), unit_amount=Decimal(310), interval_unit="year", interval_count=1, timing="now"
    )  # fmt: skip
    run(subscription.company, date(2026, 6, 1))
    assert lines_of(subscription) == [JANUARY, ("2026-01-10", "2027-01-10", 31000)]
    assert list(now(subscription).changes.filter(kind="day").values_list("status", flat=True)) == ["replaced"]
    assert now(subscription).anchor_on == date(2026, 1, 10)


def test_a_change_planned_for_a_day_of_the_pause_holds_after_it() -> None:
    from decimal import Decimal

    subscription = billed()
    change(subscription, date(2026, 1, 5), quantity=Decimal(2), timing="date", effective_on=date(2026, 2, 1))
    pause(subscription, date(2026, 1, 10), until=date(2026, 2, 20), keep_anchor=True)
    run(subscription.company, date(2026, 2, 20))
    # Two units for 20 to 28 February: 62.00 x 9 / 28 = 19.929.
    assert lines_of(subscription) == [JANUARY, ("2026-02-20", "2026-03-01", 1993)]
    assert movements(subscription)[1:] == [
        ("contraction", -3100, "2026-01-10", "subscription.pause"),
        ("expansion", 6200, "2026-02-20", "subscription.resume"),
    ]


def test_a_change_in_a_pause_is_billed_from_its_end() -> None:
    from decimal import Decimal

    subscription = billed()
    pause(subscription, date(2026, 1, 10))
    change(subscription, date(2026, 1, 15), quantity=Decimal(2), timing="now")
    assert lines_of(subscription) == [JANUARY]
    resume(subscription, date(2026, 2, 20))
    assert lines_of(subscription)[1:] == [("2026-02-20", "2026-03-20", 6200)]


def test_a_change_in_a_planned_pause_s_wait_leaves_the_pause_alone() -> None:
    from decimal import Decimal

    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 20), until=date(2026, 2, 1))
    change(subscription, date(2026, 1, 10), unit_amount=Decimal(62), timing="now")
    run(subscription.company, date(2026, 2, 1))
    # 10 to 19 January at the new price: 10 of 31 days of 62.00.
    assert lines_of(subscription) == [
        JANUARY,
        ("2026-01-10", "2026-01-20", 2000),
        ("2026-02-01", "2026-03-01", 6200),
    ]
    assert [row[1] for row in notes(subscription)] == [2200]


def test_a_suspension_on_the_last_day_takes_forfeited_days_with_it() -> None:
    company = a_company()
    subscription = a_monthly(company, rules={"notice_to": "any_day"})
    run(company, date(2026, 1, 1))
    cancel(subscription, date(2026, 1, 10), "now", unused="none")
    suspend(subscription, date(2026, 1, 10), suspended_billing="credit")
    run(company, date(2026, 2, 2))
    # 22 of 31 days at 1.00: the last day itself, and the 21 that were forfeited before.
    assert notes(subscription)[0][1] == 2200
    assert tiling.check(company) == []
