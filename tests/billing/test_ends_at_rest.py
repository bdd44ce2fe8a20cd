"""Ends in a pause or suspension, asked for and taken back the same day. A month costs 31.00."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.services import acts, acts_changing
from subscriptions.models import SlotTerms, Subscription
from subscriptions.services.change_specs import ItemChange
from tests.billing.test_acts_pause import (
    act,
    billed,
    cancel,
    every_day_is_accounted_for,
    now,
    pause,
    resume,
    run,
    suspend,
)
from tests.billing.test_settling import lines_of
from tests.factories import BY, a_product, set_clock

pytestmark = pytest.mark.django_db

__all__ = ["every_day_is_accounted_for"]


def planned(subscription: Subscription, on: date, effective_on: date) -> None:
    items = [ItemChange(slot=subscription.slots.get(), quantity=Decimal(2))]
    act(acts_changing.change, subscription, on, items=items, timing="date", effective_on=effective_on)


def statuses(subscription: Subscription) -> list[tuple[str, str]]:
    return list(subscription.changes.order_by("pk").values_list("kind", "status"))


def test_an_end_taken_back_in_a_pause_gives_planned_changes_back() -> None:
    subscription = billed()
    planned(subscription, date(2026, 1, 5), date(2026, 3, 1))
    pause(subscription, date(2026, 1, 10))
    cancel(subscription, date(2026, 1, 20))
    assert statuses(subscription) == [("quantity", "replaced"), ("pause", "done")]
    act(acts.undo_cancel, subscription, date(2026, 1, 20))
    assert (statuses(subscription)[0], now(subscription).next_move_on) == (("quantity", "planned"), date(2026, 3, 1))
    resume(subscription, date(2026, 2, 1))
    run(subscription.company, date(2026, 3, 1))
    assert lines_of(subscription)[1:] == [("2026-02-01", "2026-03-01", 3100), ("2026-03-01", "2026-04-01", 6200)]
    assert statuses(subscription)[0] == ("quantity", "done")
    made = subscription.changes.get(kind="quantity")
    assert "dropped_by" not in made.summary


def test_an_end_taken_back_in_a_suspension_gives_planned_changes_back() -> None:
    subscription = billed()
    planned(subscription, date(2026, 1, 5), date(2026, 3, 1))
    suspend(subscription, date(2026, 1, 10))
    cancel(subscription, date(2026, 1, 20))
    act(acts.undo_cancel, subscription, date(2026, 1, 20))
    assert statuses(subscription)[0] == ("quantity", "planned")


def test_the_planned_end_of_a_pause_goes_and_comes_back_with_an_end() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10))
    resume(subscription, date(2026, 1, 11), from_on=date(2026, 2, 1))
    cancel(subscription, date(2026, 1, 20))
    assert statuses(subscription) == [("pause", "done"), ("resume", "replaced")]
    act(acts.undo_cancel, subscription, date(2026, 1, 20))
    assert statuses(subscription) == [("pause", "done"), ("resume", "planned")]
    run(subscription.company, date(2026, 2, 1))
    assert (now(subscription).state, statuses(subscription)[1]) == ("active", ("resume", "done"))


def test_what_was_replaced_before_the_end_stays_replaced() -> None:
    subscription = billed()
    planned(subscription, date(2026, 1, 5), date(2026, 3, 1))
    planned(subscription, date(2026, 1, 6), date(2026, 2, 1))
    pause(subscription, date(2026, 1, 10))
    cancel(subscription, date(2026, 1, 20))
    act(acts.undo_cancel, subscription, date(2026, 1, 20))
    assert statuses(subscription)[:2] == [("quantity", "replaced"), ("quantity", "planned")]


def test_a_change_taken_back_after_an_end_in_a_suspension_rests_when_the_end_is_taken_back() -> None:
    subscription = billed()
    items = [ItemChange(slot=subscription.slots.get(), remove=True)]
    added = [ItemChange(product=a_product(subscription.company), unit_amount=Decimal("31.00"))]
    made = act(acts_changing.change, subscription, date(2026, 1, 10), items=[*items, *added], timing="now").change
    suspend(subscription, date(2026, 1, 10), suspended_billing="credit")
    cancel(subscription, date(2026, 1, 10))
    acts_changing.undo_change(
        change=made, on=date(2026, 1, 10), by=BY, at=set_clock(subscription.company, date(2026, 1, 10))
    )
    act(acts.undo_cancel, subscription, date(2026, 1, 10))
    run(subscription.company, date(2026, 2, 1))
    assert (now(subscription).state, now(subscription).next_bill_on) == ("suspended", None)
    rows = SlotTerms.objects.filter(slot__subscription=subscription, until_on=None).order_by("slot__position")
    assert [row.standing for row in rows] == ["suspended", "removed"]
