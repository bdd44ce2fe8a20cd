"""Positions that come or come back while others rest. A month of each costs 31.00: in January a day is worth 1.00."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.services import acts_changing
from core.refusal import Refused
from subscriptions.models import SlotTerms, Subscription
from subscriptions.services import pausing
from subscriptions.services.change_specs import ItemChange
from tests.billing.test_acts_pause import (
    JANUARY,
    act,
    billed,
    cancel,
    every_day_is_accounted_for,
    movements,
    notes,
    now,
    pause,
    reinstate,
    resume,
    run,
    suspend,
)
from tests.billing.test_settling import lines_of
from tests.factories import BY, a_product, set_clock

pytestmark = pytest.mark.django_db

__all__ = ["every_day_is_accounted_for"]


def added(subscription: Subscription, on: date, **more: Any) -> Any:
    given = {name: more.pop(name) for name in ("ends_on", "interval_unit") if name in more}
    item = ItemChange(product=a_product(subscription.company), unit_amount=Decimal("31.00"), **given)
    return changed(subscription, on, item, **({"timing": "now"} | more))


def changed(subscription: Subscription, on: date, *items: ItemChange, **more: Any) -> Any:
    return act(acts_changing.change, subscription, on, items=items, **more).change


def undone(made: Any, on: date) -> Any:
    at = set_clock(made.subscription.company, on)
    return acts_changing.undo_change(change=made, on=on, by=BY, at=at)


def second(subscription: Subscription) -> Any:
    return subscription.slots.order_by("position")[1]


def test_a_position_added_in_a_pause_is_billed_from_its_end() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10))
    added(subscription, date(2026, 1, 15))
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription) == [JANUARY]
    resume(subscription, date(2026, 2, 20))
    assert lines_of(subscription)[1:] == [("2026-02-20", "2026-03-20", 3100)] * 2
    assert [row[1:3] for row in movements(subscription)[2:]] == [(3100, "2026-02-20")] * 2


@pytest.mark.parametrize(
    ("keep_anchor", "line"),
    [
        (False, ("2026-02-20", "2026-03-20", 3100)),
        # 20 to 28 February: 31.00 x 9 / 28 = 9.964.
        (True, ("2026-02-20", "2026-03-01", 996)),
    ],
)
def test_a_position_added_in_a_pause_with_an_end_is_counted_as_the_others(
    keep_anchor: bool, line: tuple[str, str, int]
) -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10), until=date(2026, 2, 20), keep_anchor=keep_anchor)
    added(subscription, date(2026, 1, 15))
    run(subscription.company, date(2026, 2, 20))
    assert lines_of(subscription) == [JANUARY, line, line]


def test_a_position_added_in_a_pause_is_counted_as_its_end_was_planned_last() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10), until=date(2026, 2, 10))
    resume(subscription, date(2026, 1, 12), from_on=date(2026, 2, 20), keep_anchor=True)
    added(subscription, date(2026, 1, 15))
    run(subscription.company, date(2026, 2, 20))
    assert lines_of(subscription)[1:] == [("2026-02-20", "2026-03-01", 996)] * 2


def test_a_position_added_before_a_planned_pause_is_billed_up_to_it() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 5), from_on=date(2026, 1, 20), until=date(2026, 2, 1))
    added(subscription, date(2026, 1, 10))
    assert lines_of(subscription) == [JANUARY, ("2026-01-10", "2026-01-20", 1000)]
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription)[2:] == [("2026-02-01", "2026-03-01", 3100)] * 2


@pytest.mark.parametrize("billing", ["stop", "credit"])
def test_a_position_added_in_a_suspension_is_billed_from_its_end(billing: str) -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10), suspended_billing=billing)
    added(subscription, date(2026, 1, 15))
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription) == [JANUARY]
    reinstate(subscription, date(2026, 2, 20))
    assert lines_of(subscription)[1:] == [("2026-02-20", "2026-03-01", 996)] * 2


def test_a_position_added_in_a_suspension_that_bills_on_is_billed_at_once() -> None:
    subscription = billed()
    suspend(subscription, date(2026, 1, 10), suspended_billing="continue")
    added(subscription, date(2026, 1, 15))
    # 15 to 31 January: 17 of 31 days.
    assert lines_of(subscription)[1:] == [("2026-01-15", "2026-02-01", 1700)]


def test_a_position_added_in_a_pause_for_the_next_period_is_billed_from_the_end_of_the_pause() -> None:
    subscription = billed()
    pause(subscription, date(2026, 1, 10))
    added(subscription, date(2026, 1, 15), proration="none")
    resume(subscription, date(2026, 1, 20))
    assert lines_of(subscription)[1:] == [("2026-01-20", "2026-02-20", 3100)] * 2


def test_a_position_that_comes_back_keeps_to_the_pause_and_its_anchor() -> None:
    subscription = billed()
    added(subscription, date(2026, 1, 1))
    removal = changed(
        subscription, date(2026, 1, 5), ItemChange(slot=second(subscription), remove=True),
        timing="date", effective_on=date(2026, 2, 1),
    )  # fmt: skip
    pause(subscription, date(2026, 1, 6), from_on=date(2026, 1, 20), until=date(2026, 2, 20), keep_anchor=True)
    undone(removal, date(2026, 1, 7))
    run(subscription.company, date(2026, 1, 20))
    run(subscription.company, date(2026, 2, 20))
    # 20 to 28 February: 31.00 x 9 / 28 = 9.964.
    assert lines_of(subscription)[2:] == [("2026-02-20", "2026-03-01", 996)] * 2
    assert now(subscription).anchor_on == date(2026, 1, 1)


def test_a_position_that_comes_back_in_a_pause_rests_with_the_others() -> None:
    subscription = billed()
    added(subscription, date(2026, 1, 1))
    removal = changed(
        subscription, date(2026, 1, 5), ItemChange(slot=second(subscription), remove=True),
        timing="date", effective_on=date(2026, 2, 1),
    )  # fmt: skip
    pause(subscription, date(2026, 1, 10))
    undone(removal, date(2026, 1, 15))
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription) == [JANUARY, JANUARY]
    resume(subscription, date(2026, 2, 20))
    assert lines_of(subscription)[2:] == [("2026-02-20", "2026-03-20", 3100)] * 2


def test_a_position_that_comes_back_after_a_dropped_pause_does_not_rest() -> None:
    subscription = billed()
    added(subscription, date(2026, 1, 1))
    pause(subscription, date(2026, 1, 4), from_on=date(2026, 1, 20), until=date(2026, 2, 20))
    removal = changed(
        subscription, date(2026, 1, 5), ItemChange(slot=second(subscription), remove=True),
        timing="date", effective_on=date(2026, 2, 1),
    )  # fmt: skip
    on = date(2026, 1, 6)
    pausing.undo_pause(subscription=subscription, on=on, by=BY, at=set_clock(subscription.company, on))
    undone(removal, date(2026, 1, 7))
    run(subscription.company, date(2026, 2, 1))
    assert lines_of(subscription)[2:] == [("2026-02-01", "2026-03-01", 3100)] * 2
    assert notes(subscription) == []


def test_a_new_position_is_not_counted_as_one_that_is_gone() -> None:
    subscription = billed()
    # A year from 10 January, of its own cycle; removed in March, when the subscription's anchor is the first.
    added(subscription, date(2026, 1, 10), interval_unit="year")
    gone = second(subscription)
    SlotTerms.objects.filter(slot=gone).update(anchor_on=date(2026, 1, 10), anchor_month_day=10)
    changed(subscription, date(2026, 3, 5), ItemChange(slot=gone, remove=True), timing="now")
    run(subscription.company, date(2026, 3, 6))
    added(subscription, date(2026, 4, 1), interval_unit="year")
    # Counted from 1 January: 275 of 365 days of 31.00 = 23.356.
    assert lines_of(subscription)[-1] == ("2026-04-01", "2027-01-01", 2336)


def test_a_change_that_waits_until_after_the_end_is_refused() -> None:
    subscription = billed()
    cancel(subscription, date(2026, 1, 5))
    with pytest.raises(Refused) as refused:
        changed(
            subscription, date(2026, 1, 10), ItemChange(slot=subscription.slots.get(), quantity=Decimal(2)),
            timing="now", proration="none",
        )  # fmt: skip
    assert (refused.value.code, refused.value.params["day"]) == ("subscription.act_after_end", date(2026, 1, 31))


def test_a_change_that_waits_until_after_a_positions_own_end_is_refused() -> None:
    subscription = billed()
    added(subscription, date(2026, 1, 1), interval_unit="year", ends_on=date(2026, 3, 15))
    run(subscription.company, date(2026, 1, 1))
    with pytest.raises(Refused) as refused:
        changed(
            subscription, date(2026, 1, 10),
            ItemChange(slot=subscription.slots.order_by("position")[0], quantity=Decimal(2)),
            ItemChange(slot=second(subscription), quantity=Decimal(2)),
            timing="now", proration="none",
        )  # fmt: skip
    assert refused.value.code == "change.item_not_there"


def test_a_position_can_not_end_before_the_terms_it_is_changed_to() -> None:
    subscription = billed()
    added(subscription, date(2026, 1, 1), interval_unit="year")
    with pytest.raises(Refused) as refused:
        changed(
            subscription, date(2026, 1, 10),
            ItemChange(slot=subscription.slots.order_by("position")[0], quantity=Decimal(2)),
            ItemChange(slot=second(subscription), quantity=Decimal(2), ends_on=date(2026, 3, 15)),
            timing="now", proration="none",
        )  # fmt: skip
    assert (refused.value.code, refused.value.params["day"]) == ("change.item_ends_before", date(2027, 1, 1))
