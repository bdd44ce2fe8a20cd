"""What the meters say for windows of usage: any number of windows in one query.

The rule that matters: a window is two instants, the local midnights of its first day and of the day after its last;
sums by day answer where they can, the events where they must. Both give the same figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
from django.db import connection

from catalog.services.price_specs import price_spec
from core import clock
from pricing.charge_models import CalcRow, PriceSpec
from pricing.money import round_half_up, to_minor
from pricing.usage import BY_EVENT, weighted, window_rows
from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY, Agreement, SlotRow, Stretch, TermsRow


class Window(NamedTuple):
    """Usage of a meter for a subscription on the days [start, end), and the full period those days are a part of.

    `by_event`: the values of the events are wanted one by one, in the order they happened.
    """

    subscription_id: int
    meter_id: int
    time_zone: str
    start: date
    end: date
    full_start: date
    full_end: date
    by_event: bool = False

    @property
    def start_at(self) -> datetime:
        return midnight(self.start, self.time_zone)

    @property
    def end_at(self) -> datetime:
        return midnight(self.end, self.time_zone)


class Counted(NamedTuple):
    """What the meter says: the quantity, how many events there were, and their values where they were asked for."""

    quantity: Fraction
    event_count: int
    values: tuple[Decimal, ...] = ()


@lru_cache(maxsize=4096)
def midnight(day: date, time_zone: str) -> datetime:
    """The first instant of a day in a zone, in UTC; where clocks skip midnight, the instant they skip it.

    >>> midnight(date(2018, 11, 4), "America/Sao_Paulo").isoformat()
    '2018-11-04T03:00:00+00:00'
    """
    return datetime.combine(day, time(), clock.zone(time_zone)).astimezone(UTC)


def window_of(agreement: Agreement, stretch: Stretch, end: date | None = None) -> Window:
    """The window of a stretch's days of service, or of those before `end`."""
    slot = stretch.slot
    assert slot.meter_id is not None
    return Window(
        agreement.id, slot.meter_id, agreement.time_zone, stretch.start, end or stretch.served_end,
        stretch.full_start, stretch.full_end, stretch.terms.model in BY_EVENT,
    )  # fmt: skip


def running(agreement: Agreement, slot: SlotRow, on: date) -> Stretch | None:
    """The stretch of usage that lies around a day and is not closed; None where the day is not charged."""
    for stretch in schedule.walk(agreement, slot, slot.billed_through_on + ONE_DAY):
        if stretch.start > on:
            return None
        if on < stretch.served_end:
            return stretch
    return None


def share_of(stretch: Stretch) -> Fraction:
    """The part of its full period that a stretch's days of service are; a whole one for an unprorated price."""
    if not stretch.terms.is_prorated:
        return Fraction(1)
    return Fraction((stretch.served_end - stretch.start).days, (stretch.full_end - stretch.full_start).days)


@lru_cache(maxsize=4096)
def _spec(unit_amount: Decimal, details: str) -> PriceSpec:
    return price_spec(unit_amount, orjson.loads(details))


def priced(terms: TermsRow, counted: Counted, share: Fraction, currency: str) -> tuple[int, list[CalcRow]]:
    """What the usage of a window costs, rounded once, in minor units, with the exact steps. Raises `BadPrice`."""
    spec = _spec(terms.unit_amount, terms.details)
    rows = window_rows(terms.model, spec, counted.quantity, share, counted.values)
    return to_minor(sum((row.amount for row in rows), Fraction(0)), currency), rows


def as_decimal(quantity: Fraction) -> Decimal:
    """A quantity with ten places, as it is kept and shown; it is priced exactly.

    >>> as_decimal(Fraction(1, 3))
    Decimal('0.3333333333')
    """
    return Decimal(f"{round_half_up(quantity, 10)}e-10")


#: One row a window. `LATERAL` looks each window's few rows up by key, so that many windows cost no more each than one.
READ: Final = """
WITH w AS MATERIALIZED (
    SELECT v.*, m.aggregation
    FROM unnest(%(places)s::int[], %(users)s::bigint[], %(meters)s::bigint[], %(first_days)s::date[],
                %(end_days)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(by_event)s::boolean[])
         v(place, subscription_id, meter_id, first_on, end_on, start_at, end_at, by_event)
    JOIN catalog_meter m ON m.id = v.meter_id
)
SELECT w.place, w.aggregation, d.events, d.total, d.highest, d.latest, NULL::numeric[] AS values
FROM w CROSS JOIN LATERAL (
    SELECT sum(event_count)::bigint AS events, sum(value_sum) AS total, max(value_max) AS highest,
           (array_agg(latest_value ORDER BY latest_at DESC, latest_value DESC))[1] AS latest
    FROM subscriptions_usageday
    WHERE subscription_id = w.subscription_id AND meter_id = w.meter_id AND day >= w.first_on AND day < w.end_on
) d
WHERE NOT w.by_event AND w.aggregation IN ('sum', 'count', 'max', 'latest')
UNION ALL
SELECT w.place, w.aggregation, d.events, d.total, NULL, NULL, NULL
FROM w CROSS JOIN LATERAL (
    SELECT count(*) AS events,
           count(DISTINCT CASE WHEN key <> '' THEN 'k' || key ELSE 'v' || trim_scale(value)::text END)::numeric AS total
    FROM subscriptions_usageevent
    WHERE subscription_id = w.subscription_id AND meter_id = w.meter_id AND at >= w.start_at AND at < w.end_at
) d
WHERE NOT w.by_event AND w.aggregation = 'unique_count'
UNION ALL
SELECT w.place, w.aggregation, d.events,
       d.total + coalesce(opening.level, 0) * extract(epoch FROM w.end_at - w.start_at), NULL, NULL, NULL
FROM w CROSS JOIN LATERAL (
    SELECT count(*) AS events, coalesce(sum(value * extract(epoch FROM w.end_at - at)), 0) AS total
    FROM subscriptions_usageevent
    WHERE subscription_id = w.subscription_id AND meter_id = w.meter_id AND at >= w.start_at AND at < w.end_at
) d CROSS JOIN LATERAL (
    SELECT sum(value_sum) AS level FROM subscriptions_usageday
    WHERE subscription_id = w.subscription_id AND meter_id = w.meter_id AND day < w.first_on
) opening
WHERE NOT w.by_event AND w.aggregation = 'weighted_sum'
UNION ALL
SELECT w.place, w.aggregation, d.events, d.total, NULL, NULL, d.values
FROM w CROSS JOIN LATERAL (
    SELECT count(*) AS events, sum(value) AS total, array_agg(value ORDER BY at, event_id) AS values
    FROM subscriptions_usageevent
    WHERE subscription_id = w.subscription_id AND meter_id = w.meter_id AND at >= w.start_at AND at < w.end_at
) d
WHERE w.by_event
"""


def read(windows: Sequence[Window]) -> list[Counted]:
    """What the meters say for each window, in their order. One query, none without windows."""
    if not windows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(READ, asking(windows))
        return answers(windows, cursor.fetchall())


def asking(windows: Sequence[Window]) -> dict[str, Any]:
    """The parameters of `READ` for these windows."""
    return {
        "places": list(range(len(windows))),
        "users": [window.subscription_id for window in windows],
        "meters": [window.meter_id for window in windows],
        "first_days": [window.start for window in windows],
        "end_days": [window.end for window in windows],
        "starts": [window.start_at for window in windows],
        "ends": [window.end_at for window in windows],
        "by_event": [window.by_event for window in windows],
    }


def answers(windows: Sequence[Window], rows: Iterable[Sequence[Any]]) -> list[Counted]:
    """What the rows of `READ` say for the windows it was asked for, in their order."""
    found = [Counted(Fraction(0), 0)] * len(windows)
    for place, aggregation, events, total, highest, latest, values in rows:
        if events or total:
            found[place] = _counted(windows[place], aggregation, events or 0, total, highest, latest, values)
    return found


def _counted(
    window: Window,
    aggregation: str,
    events: int,
    total: Decimal,
    highest: Decimal | None,
    latest: Decimal | None,
    values: Sequence[Decimal] | None,
) -> Counted:
    if window.by_event:
        return Counted(Fraction(total), events, tuple(values or ()))
    if aggregation == "weighted_sum":
        full_start, full_end = (midnight(day, window.time_zone) for day in (window.full_start, window.full_end))
        return Counted(weighted(total, full_start, full_end), events)
    figure = {"count": Decimal(events), "max": highest, "latest": latest}.get(aggregation, total)
    return Counted(Fraction(figure or 0), events)
