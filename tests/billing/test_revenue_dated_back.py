"""Acts dated back tell revenue as it is known now, day by day. A seat costs 31.00 a month; dates are of 2026."""

from __future__ import annotations

from typing import Any

import pytest

from tests.billing.changes import agreed, change, day, item, movements, passes
from tests.factories import BY, a_company, set_clock

pytestmark = pytest.mark.django_db

BACK = {"timing": "date", "override": True, "override_reason": "counted late"}


def revenue(subscription: Any, *days: str) -> list[int]:
    """What it earned a month on those days, as its movements say."""
    rows = subscription.movements.values_list("effective_on", "amount_minor")
    return [sum(minor for on, minor in rows if on <= day(text)) for text in days]


def grown() -> Any:
    """One seat since 1 January, two since the 11th."""
    subscription = agreed(a_company())
    passes(subscription.company, "01-11")
    change(subscription, "01-11", items=[item(subscription, quantity="2")])
    return subscription


def acted(verb: Any, subscription: Any, on: str, **given: Any) -> None:
    passes(subscription.company, on)
    verb(subscription=subscription, on=day(on), by=BY, at=set_clock(subscription.company, day(on)), **given)
    subscription.refresh_from_db()


def test_a_change_dated_back_before_another_holds_from_its_day() -> None:
    subscription = grown()
    change(subscription, "01-21", items=[item(subscription, quantity="3")], effective_on="01-06", **BACK)
    assert revenue(subscription, "01-05", "01-06", "01-11", "01-21") == [3100, 9300, 9300, 9300]
    assert movements(subscription) == [
        ("new", "01-01", 3100), ("expansion", "01-11", 3100), ("expansion", "01-06", 6200),
        ("contraction", "01-11", -3100),
    ]  # fmt: skip
    assert subscription.slots.get().mrr_minor == 9300


def test_a_change_dated_back_is_corrected_by_another() -> None:
    subscription = grown()
    change(subscription, "01-21", items=[item(subscription, quantity="3")], effective_on="01-06", **BACK)
    change(subscription, "01-22", items=[item(subscription, quantity="2")], effective_on="01-08", **BACK)
    assert revenue(subscription, "01-05", "01-06", "01-08", "01-11", "01-22") == [3100, 9300, 6200, 6200, 6200]
    assert subscription.slots.get().mrr_minor == 6200


def test_one_dated_back_after_every_other_is_one_movement() -> None:
    subscription = grown()
    change(subscription, "01-21", items=[item(subscription, quantity="3")], effective_on="01-16", **BACK)
    assert movements(subscription)[2:] == [("expansion", "01-16", 3100)]


def test_a_pause_dated_back_before_a_change_leaves_nothing_from_its_day() -> None:
    from billing.services import acts_pausing

    subscription = grown()
    acted(
        acts_pausing.pause, subscription, "01-21", from_on=day("01-06"), override=True, override_reason="was away"
    )  # fmt: skip
    assert revenue(subscription, "01-05", "01-06", "01-11", "01-21") == [3100, 0, 0, 0]
    assert [row[0] for row in movements(subscription)[2:]] == ["contraction", "contraction"]


def test_an_end_dated_back_into_a_pause_that_is_over_never_earns_less_than_nothing() -> None:
    from billing.services import acts, acts_pausing

    subscription = agreed(a_company())
    acted(acts_pausing.pause, subscription, "01-11")
    acted(acts_pausing.resume, subscription, "02-01")
    acted(
        acts.cancel, subscription, "02-10", timing="date", ends_on=day("01-20"), override=True,
        override_reason="told so in January",
    )  # fmt: skip
    assert subscription.state == "canceled"
    assert revenue(subscription, "01-10", "01-11", "01-21", "02-01", "02-10") == [3100, 0, 0, 0, 0]
    assert movements(subscription)[-1] == ("churn", "02-01", -3100)


def test_an_end_on_its_day_asks_for_no_later_movements() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from billing.services import acts

    subscription = grown()
    acted(acts.cancel, subscription, "01-20", timing="now", override=True, override_reason="agreed")
    with CaptureQueriesContext(connection) as seen:
        passes(subscription.company, "01-21")
    assert movements(subscription)[-1] == ("churn", "01-21", -6200)
    asked = [query["sql"] for query in seen if 'FROM "subscriptions_movement"' in query["sql"]]
    assert len(asked) == 1
