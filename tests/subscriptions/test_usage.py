"""Usage comes in: counted once, in any order, and what does not count is named."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.services import meters
from core.models import Event
from core.refusal import Refused
from subscriptions.models import Slot, UsageDay, UsageEvent, UsageRefusal
from subscriptions.services import usage_windows
from subscriptions.services.usage import ingest
from subscriptions.services.usage_rows import Bad
from subscriptions.services.usage_thresholds import set_thresholds
from subscriptions.services.usage_windows import Window, midnight
from tests.factories import BY, a_company, at_noon
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in

pytestmark = pytest.mark.django_db
JAN, FEB = date(2026, 1, 1), date(2026, 2, 1)


def window(subscription: Any, meter: Any, start: date = JAN, end: date = FEB, **more: Any) -> Window:
    return Window(subscription.pk, meter.pk, subscription.time_zone, start, end, start, end, **more)


def counted(subscription: Any, meter: Any, **more: Any) -> Fraction:
    return usage_windows.read([window(subscription, meter, **more)])[0].quantity


@pytest.fixture
def company():
    return a_company(today=date(2026, 1, 20))


def test_an_event_counts_once(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    event = sent(meter, subscription, "2026-01-05T10:00:00Z", "2.5")
    first, second = take_in(company, event), take_in(company, event, event)
    assert (first.accepted, first.duplicates, first.refused) == (1, [], [])
    assert (second.accepted, second.duplicates, second.refused) == (0, [0, 1], [])
    assert counted(subscription, meter) == Fraction(5, 2)
    assert UsageEvent.objects.count() == 1


def test_the_same_event_twice_in_a_batch_counts_once_and_the_first_one_counts(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    event = sent(meter, subscription, "2026-01-05T10:00:00Z", "2")
    outcome = take_in(company, event, event | {"value": "7"})
    assert (outcome.accepted, outcome.duplicates) == (1, [1])
    assert counted(subscription, meter) == 2


def test_an_event_id_is_free_for_another_meter(company):
    one, other = a_meter(company), a_meter(company)
    subscription = a_user(company, a_usage_item(one))
    rows = [sent(meter, subscription, "2026-01-05T10:00:00Z", event_id="same") for meter in (one, other)]
    assert take_in(company, *rows).accepted == 2


def test_a_bad_row_is_named_and_stops_nobody(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    good = sent(meter, subscription, "2026-01-05T10:00:00Z", "1")
    bad = [
        (good | {"event_id": "a", "meter": "nothing"}, "meter", "usage.meter_unknown"),
        (good | {"event_id": "b", "subscription": "nobody"}, "subscription", "usage.subscription_unknown"),
        (good | {"event_id": "c", "at": "2026-01-05 10:00"}, "at", "usage.at_form"),
        (good | {"event_id": "d", "at": "2026-01-05T10:00:00"}, "at", "usage.at_form"),
        (good | {"event_id": "e", "value": "1e3"}, "value", "usage.value_form"),
        (good | {"event_id": "f", "value": "NaN"}, "value", "usage.value_form"),
        (good | {"event_id": "g", "value": 1.5}, "value", "usage.value_form"),
        (good | {"event_id": "h", "value": True}, "value", "usage.value_form"),
        (good | {"event_id": "i", "value": None}, "value", "usage.value_missing"),
        (good | {"event_id": ""}, "event_id", "usage.text_form"),
        (good | {"event_id": "x" * 121}, "event_id", "usage.text_form"),
        (good | {"event_id": "j", "key": "a\0b"}, "key", "usage.text_form"),
        (good | {"event_id": "k", "customer": "x"}, "customer", "usage.unknown_field"),
        ("nothing", "", "usage.row_form"),
    ]
    outcome = take_in(company, *[row for row, _, _ in bad], good)
    assert outcome.accepted == 1
    assert outcome.refused == [Bad(place, field, code) for place, (_, field, code) in enumerate(bad)]


def test_what_lies_outside_the_subscription_is_refused_and_listed(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter), on=date(2026, 1, 10), ends_on=date(2026, 1, 15))
    outcome = take_in(
        company,
        sent(meter, subscription, "2026-01-09T22:59:59Z"),
        sent(meter, subscription, "2026-01-09T23:00:00Z"),
        sent(meter, subscription, "2026-01-15T22:59:59Z"),
        sent(meter, subscription, "2026-01-15T23:00:00Z"),
        sent(meter, subscription, "2026-01-22T12:00:00Z"),
    )
    # The days are Berlin's: midnight is 23:00 UTC.
    assert outcome.refused == [
        Bad(0, "at", "usage.before_start"),
        Bad(3, "at", "usage.after_end"),
        Bad(4, "at", "usage.in_future"),
    ]
    assert list(UsageRefusal.objects.order_by("at").values_list("code", flat=True)) == [
        "usage.before_start", "usage.after_end", "usage.in_future",
    ]  # fmt: skip


def test_the_same_refused_event_is_listed_once(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter), on=date(2026, 1, 10))
    event = sent(meter, subscription, "2026-01-09T10:00:00Z")
    assert [len(take_in(company, event).refused) for _ in range(2)] == [1, 1]
    assert UsageRefusal.objects.count() == 1


def test_an_archived_meter_takes_no_events(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    meters.archive_meter(meter=meter, by=BY, at=at_noon(JAN))
    outcome = take_in(company, sent(meter, subscription, "2026-01-05T10:00:00Z"))
    assert outcome.refused == [Bad(0, "meter", "usage.meter_archived")]


def test_a_meter_of_another_company_is_unknown(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    stranger = a_company(today=date(2026, 1, 20))
    own = a_meter(stranger)
    outcome = take_in(
        stranger,
        sent(meter, subscription, "2026-01-05T10:00:00Z"),
        sent(own, subscription, "2026-01-05T10:00:00Z"),
    )
    assert [bad.code for bad in outcome.refused] == ["usage.meter_unknown", "usage.subscription_unknown"]


def test_a_subscription_is_named_by_its_external_id(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter), external_id="tower-7")
    event = sent(meter, subscription, "2026-01-05T10:00:00Z")
    assert take_in(company, event | {"subscription": "tower-7"}).accepted == 1


def test_a_dry_run_changes_nothing(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    rows = [sent(meter, subscription, "2026-01-05T10:00:00Z"), sent(meter, subscription, "2025-01-05T10:00:00Z")]
    outcome = ingest(company=company, events=rows, at=company.clock_at, dry_run=True)
    assert (outcome.accepted, len(outcome.refused)) == (1, 1)
    assert (UsageEvent.objects.count(), UsageDay.objects.count(), UsageRefusal.objects.count()) == (0, 0, 0)


def test_values_below_zero_are_corrections_of_sums_and_levels_only(company):
    found = {}
    for aggregation in ("sum", "count", "unique_count", "max", "latest", "weighted_sum"):
        meter = a_meter(company, aggregation)
        subscription = a_user(company, a_usage_item(meter))
        found[aggregation] = take_in(company, sent(meter, subscription, "2026-01-05T10:00:00Z", "-1")).accepted
    assert found == {"sum": 1, "count": 0, "unique_count": 0, "max": 0, "latest": 0, "weighted_sum": 1}


# Quantities -----------------------------------------------------------------------------------------------------------


EVENTS = [("2026-01-05T10:00:00Z", "3"), ("2026-01-05T11:00:00Z", "7.5"), ("2026-01-31T22:59:59Z", "2"),
          ("2026-01-31T23:00:00Z", "100"), ("2026-01-20T00:00:00Z", "3")]  # fmt: skip


@pytest.mark.parametrize(
    ("aggregation", "january"),
    # February begins at 23:00 UTC: the 100 belongs to it.
    [("sum", Fraction("15.5")), ("count", 4), ("unique_count", 3), ("max", Fraction("7.5")), ("latest", 2)],
)
def test_each_meter_counts_in_its_way(aggregation, january):
    company = a_company(today=date(2026, 2, 10))
    meter = a_meter(company, aggregation)
    subscription = a_user(company, a_usage_item(meter))
    assert take_in(company, *[sent(meter, subscription, at, value) for at, value in EVENTS]).accepted == 5
    assert counted(subscription, meter) == january
    assert counted(subscription, meter, start=FEB, end=date(2026, 3, 1)) == (1 if "count" in aggregation else 100)


def test_different_keys_count_where_events_carry_them(company):
    meter = a_meter(company, "unique_count")
    subscription = a_user(company, a_usage_item(meter))
    rows = [sent(meter, subscription, "2026-01-05T10:00:00Z", None, key=key) for key in ("a", "b", "a", "1")]
    # A value and a key that read alike are two things; 1 and 1.0 are one.
    rows += [sent(meter, subscription, "2026-01-05T10:00:00Z", value) for value in ("1", "1.0", "2")]
    assert take_in(company, *rows).accepted == 7
    assert counted(subscription, meter) == 5


def test_a_level_is_weighted_by_the_time_it_is_held_and_carried_on():
    """2500 from 5 March: 2500 x 27/31 = 2177.42. April: 2500 x 3/30 + 500 x 2/30 + 300 x 25/30 = 533.33."""
    company = a_company(today=date(2023, 4, 20), time_zone="UTC")
    meter = a_meter(company, "weighted_sum")
    subscription = a_user(company, a_usage_item(meter, "1.00"), on=date(2023, 3, 1), overrides={"time_zone": "UTC"})
    take_in(
        company,
        sent(meter, subscription, "2023-03-05T00:00:00Z", "2500"),
        sent(meter, subscription, "2023-04-04T00:00:00Z", "-2000"),
        sent(meter, subscription, "2023-04-06T00:00:00Z", "-200"),
    )
    days = [date(2023, 3, 1), date(2023, 4, 1), date(2023, 5, 1)]
    march, april = (counted(subscription, meter, start=days[n], end=days[n + 1]) for n in (0, 1))
    assert (round(float(march), 2), round(float(april), 2)) == (2177.42, 533.33)
    assert march == Fraction(2500 * 27, 31)
    # Two parts of April add up to it.
    middle = date(2023, 4, 5)
    parts = usage_windows.read(
        [
            window(subscription, meter, days[1], middle)._replace(full_start=days[1], full_end=days[2]),
            window(subscription, meter, middle, days[2])._replace(full_start=days[1], full_end=days[2]),
        ]
    )
    assert sum(part.quantity for part in parts) == april


def test_days_follow_the_clocks_of_the_subscription():
    """Lord Howe's clocks move by half an hour: 5 April 2026 has 24.5 hours, and each instant one day."""
    company = a_company(today=date(2026, 4, 20))
    meter = a_meter(company, "count")
    zone = {"time_zone": "Australia/Lord_Howe"}
    subscription = a_user(company, a_usage_item(meter), on=date(2026, 4, 1), overrides=zone)
    start, end = midnight(date(2026, 4, 5), zone["time_zone"]), midnight(date(2026, 4, 6), zone["time_zone"])
    assert end - start == timedelta(hours=24, minutes=30)
    moments = [start - timedelta(seconds=1), start, end - timedelta(seconds=1), end]
    take_in(company, *[sent(meter, subscription, moment) for moment in moments])
    found = UsageDay.objects.order_by("day").values_list("day", "event_count")
    assert list(found) == [(date(2026, 4, 4), 1), (date(2026, 4, 5), 2), (date(2026, 4, 6), 1)]


@st.composite
def batches(draw: Any) -> list[list[tuple[int, int, Decimal]]]:
    """The same events in two orders, cut into batches, some of them sent twice."""
    hours = st.integers(0, 24 * 31 - 1)
    values = st.decimals("-5", "50", places=2, allow_nan=False)
    rows = [(n, *draw(st.tuples(hours, values))) for n in range(draw(st.integers(1, 12)))]
    orders = []
    for _ in range(2):
        order = draw(st.permutations(rows + draw(st.lists(st.sampled_from(rows), max_size=4))))
        cut = draw(st.integers(0, len(order)))
        orders += [order[:cut], order[cut:]]
    return orders


@pytest.mark.parametrize("aggregation", ["sum", "count", "unique_count", "max", "latest", "weighted_sum"])
@settings(max_examples=12)
@given(orders=batches())
def test_the_order_of_arrival_never_changes_a_quantity(django_db_blocker, aggregation, orders):
    company = a_company(today=date(2026, 2, 10))
    meter, twin = a_meter(company, aggregation), a_meter(company, aggregation)
    subscription = a_user(company, a_usage_item(meter), a_usage_item(twin))
    start = midnight(JAN, subscription.time_zone)
    signed = aggregation in ("sum", "weighted_sum")

    def rows(which: Any, order: Any) -> list[dict[str, Any]]:
        return [
            sent(which, subscription, start + timedelta(hours=hour), value if signed else abs(value), event_id=f"n{n}")
            for n, hour, value in order
        ]

    for which, (first, second) in ((meter, orders[:2]), (twin, orders[2:])):
        take_in(company, *rows(which, first))
        take_in(company, *rows(which, second))
    windows = [window(subscription, which) for which in (meter, twin)]
    one, other = usage_windows.read(windows)
    assert one == other
    # Sums by day are only a shorter way to the figure that the events give.
    events = list(UsageEvent.objects.filter(meter=meter).order_by("at", "value"))
    by_hand = {
        "sum": sum(event.value for event in events),
        "count": len(events),
        "max": max(event.value for event in events),
        "latest": events[-1].value,
    }
    if aggregation in by_hand:
        assert one.quantity == Fraction(by_hand[aggregation])


def test_the_values_of_events_come_in_the_order_they_happened(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    for at, value in (("2026-01-09T10:00:00Z", "3"), ("2026-01-02T10:00:00Z", "1"), ("2026-01-05T10:00:00Z", "2")):
        take_in(company, sent(meter, subscription, at, value))
    [said] = usage_windows.read([window(subscription, meter, by_event=True)])
    assert said.values == (Decimal(1), Decimal(2), Decimal(3))


def test_many_windows_are_read_in_one_query(company, django_assert_num_queries):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    with django_assert_num_queries(1):
        usage_windows.read([window(subscription, meter) for _ in range(200)])
    with django_assert_num_queries(0):
        assert usage_windows.read([]) == []


# Thresholds -----------------------------------------------------------------------------------------------------------


def told() -> list[tuple[Any, ...]]:
    rows = Event.objects.filter(type="usage.threshold_passed").order_by("pk").values_list("data", flat=True)
    return [
        (row["threshold_quantity"], row["threshold_cost_minor"], row["quantity"], row["cost_minor"]) for row in rows
    ]


def test_a_threshold_is_told_once_a_period(company):
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter, "0.10"))
    slot = Slot.objects.get(subscription=subscription)
    set_thresholds(slot=slot, thresholds=[(Decimal(100), None), (None, 2000)], by=BY, at=company.clock_at)
    take_in(company, sent(meter, subscription, "2026-01-05T10:00:00Z", "99"))
    assert told() == []
    take_in(company, sent(meter, subscription, "2026-01-06T10:00:00Z", "1"))
    take_in(company, sent(meter, subscription, "2026-01-07T10:00:00Z", "1"))
    assert told() == [("100", None, "100", 1000)]
    take_in(company, sent(meter, subscription, "2026-01-07T11:00:00Z", "99"))
    # 200 x 0.10 = 20.00.
    assert told()[1:] == [(None, 2000, "200", 2000)]


def test_thresholds_belong_to_usage(company):
    from tests.factories import a_subscription

    slot = Slot.objects.get(subscription=a_subscription(company))
    with pytest.raises(Refused, match="position_only"):
        set_thresholds(slot=slot, thresholds=[(Decimal(1), None)], by=BY, at=company.clock_at)


# Crowds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_sent_by_many_at_once_counts_once():
    company = a_company(today=date(2026, 1, 20))
    meter = a_meter(company)
    subscription = a_user(company, a_usage_item(meter))
    rows = [sent(meter, subscription, datetime(2026, 1, 1 + n % 19, 10, tzinfo=UTC), "1") for n in range(300)]
    outcomes: list[Any] = []

    def send(order: list[dict[str, Any]]) -> None:
        try:
            outcomes.append(ingest(company=company, events=order, at=at_noon(date(2026, 1, 20))))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(order,)) for order in (rows, rows[::-1], rows[150:] + rows[:150])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome.accepted for outcome in outcomes) == 300
    assert sum(len(outcome.duplicates) for outcome in outcomes) == 600
    assert UsageEvent.objects.count() == 300
    assert counted(subscription, meter) == 300
