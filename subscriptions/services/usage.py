"""Taking usage in: one event or a hundred thousand, through one function.

The rule that matters: an event counts once per meter and event id, whatever the order and however often it comes; what
does not count is named with its reason. While events come in, their customers can't be billed, and the other way
round, so none falls between two periods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import connection, transaction

from catalog.models import Meter
from core.ids import BadId, decode
from core.models import Company
from subscriptions.models import Subscription
from subscriptions.services import usage_marks
from subscriptions.services.usage_rows import Bad, Row, read

#: So far ahead of the company's clock the clocks of senders may be.
AHEAD: Final = timedelta(days=1)
_BELOW_ZERO: Final = (Meter.Aggregation.SUM, Meter.Aggregation.WEIGHTED_SUM)
_WITHOUT_VALUE: Final = (Meter.Aggregation.COUNT, Meter.Aggregation.UNIQUE_COUNT)
_ONE: Final = Decimal(1)


@dataclass(slots=True)
class Ingested:
    """What came of a batch. `duplicates`: places of rows that were known already (or stood in the batch before);
    `refused`: rows that don't count, in their order; `due`: customers, with the zone of their day,
    whose usage may have to be billed at once.
    """

    accepted: int = 0
    duplicates: list[int] = field(default_factory=list)
    refused: list[Bad] = field(default_factory=list)
    due: set[tuple[int, str]] = field(default_factory=set)


class _Event(NamedTuple):
    """A row that counts, unless it is known already. `late`: its period is closed."""

    place: int
    meter_id: int
    subscription: usage_marks.Subscriber
    event_id: str
    at: datetime
    value: Decimal
    key: str
    day: date
    late: bool


def ingest(*, company: Company, events: Sequence[Mapping[str, Any]], at: datetime, dry_run: bool = False) -> Ingested:
    """Counts events: mappings of `meter` (code), `event_id`, `subscription` (id or external id), `at`, `value`, `key`.

    One transaction, a constant number of statements. Refused rows whose meter and subscription are known are listed
    (`UsageRefusal`). `dry_run` answers what would be, and changes nothing.
    """
    with transaction.atomic():
        outcome = _ingest(company, events, at)
        if dry_run:
            transaction.set_rollback(True)
    return outcome


def _ingest(company: Company, sent: Sequence[Mapping[str, Any]], at: datetime) -> Ingested:
    outcome = Ingested()
    rows: list[Row] = []
    for place, one in enumerate(sent):
        row = read(place, one)
        if isinstance(row, Bad):
            outcome.refused.append(row)
        else:
            rows.append(row)
    meters = _meters(company, {row.meter for row in rows})
    subscribers = _subscribers(company, {row.subscription for row in rows})
    taken: dict[tuple[int, str], _Event] = {}
    listed: list[tuple[Row, Meter, usage_marks.Subscriber, str]] = []
    limit = at + AHEAD
    for row in rows:
        meter, subscriber = meters.get(row.meter), subscribers.get(row.subscription)
        if meter is None:
            outcome.refused.append(Bad(row.place, "meter", "usage.meter_unknown"))
            continue
        if subscriber is None:
            outcome.refused.append(Bad(row.place, "subscription", "usage.subscription_unknown"))
            continue
        event = _event(row, meter, subscriber, at, limit)
        if isinstance(event, Bad):
            outcome.refused.append(event)
            if event.field != "value":
                listed.append((row, meter, subscriber, event.code))
        elif (event.meter_id, event.event_id) in taken:
            outcome.duplicates.append(row.place)
        else:
            taken[event.meter_id, event.event_id] = event
    known = _write(company, taken.values(), at)
    fresh = [event for event in taken.values() if event.place not in known]
    outcome.accepted = len(fresh)
    outcome.duplicates = sorted([*outcome.duplicates, *known])
    outcome.refused.sort(key=lambda bad: bad.place)
    _list(company, listed, at)
    touched = [usage_marks.Touched(event.subscription, event.meter_id, event.day, event.late) for event in fresh]
    outcome.due = usage_marks.mark(company, touched, at)
    return outcome


def _meters(company: Company, codes: Iterable[str]) -> dict[str, Meter]:
    return {meter.code: meter for meter in Meter.objects.filter(company=company, code__in=set(codes))}


_FIND: Final = """
SELECT id, customer_id FROM subscriptions_subscription WHERE company_id = %s AND public_id = ANY(%s::uuid[])
UNION SELECT id, customer_id FROM subscriptions_subscription WHERE company_id = %s AND external_id = ANY(%s::text[])
"""
#: Held until the events are in: billing takes the same rows for itself.
_HOLD: Final = (
    "SELECT id FROM customers_customer WHERE company_id = %s AND id = ANY(%s::bigint[]) ORDER BY id FOR SHARE"
)


def _subscribers(company: Company, named: Iterable[str]) -> dict[str, usage_marks.Subscriber]:
    """The subscriptions by what they are called in the batch, their customers held."""
    ids, others = [], []
    for name in set(named):
        try:
            ids.append((name, decode(Subscription.PREFIX, name)))
        except BadId:
            others.append(name)
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [company.pk, [found for _, found in ids], company.pk, others])
        rows = cursor.fetchall()
        if not rows:
            return {}
        cursor.execute(_HOLD, [company.pk, sorted({customer_id for _, customer_id in rows})])
    by_name: dict[str, usage_marks.Subscriber] = {}
    outside = {found: name for name, found in ids}
    wanted = set(others)
    for subscriber in usage_marks.read(company, [id_ for id_, _ in rows]):
        if subscriber.public_id in outside:
            by_name[outside[subscriber.public_id]] = subscriber
        if subscriber.external_id in wanted:
            by_name[subscriber.external_id] = subscriber
    return by_name


def _event(row: Row, meter: Meter, subscriber: usage_marks.Subscriber, at: datetime, limit: datetime) -> _Event | Bad:
    """The event as it counts, or why it does not."""
    if meter.archived_at is not None:
        return Bad(row.place, "meter", "usage.meter_archived")
    value = row.value
    if value is None:
        if meter.aggregation not in _WITHOUT_VALUE:
            return Bad(row.place, "value", "usage.value_missing")
        value = _ONE
    if value < 0 and meter.aggregation not in _BELOW_ZERO:
        return Bad(row.place, "value", "usage.value_below_zero")
    if row.at > limit:
        return Bad(row.place, "at", "usage.in_future")
    day = row.at.astimezone(subscriber.zone).date()
    if day < subscriber.start_on:
        return Bad(row.place, "at", "usage.before_start")
    if subscriber.ends_on is not None and day > subscriber.ends_on:
        return Bad(row.place, "at", "usage.after_end")
    closed_on = subscriber.closed_on(meter.pk, day)
    if closed_on is not None and subscriber.today(at) > closed_on + timedelta(days=meter.late_days):
        return Bad(row.place, "at", "usage.too_late")
    return _Event(
        row.place, meter.pk, subscriber, row.event_id, row.at, value, row.key, day, late=closed_on is not None
    )


_INCOMING: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS usage_incoming (
    place int, meter_id bigint, subscription_id bigint, event_id text, at timestamptz, value numeric(30, 10), key text,
    day date
) ON COMMIT DELETE ROWS
"""
# Events and days are written in one order by everybody, so that two batches wait for each other instead of locking up.
_LAND: Final = """
WITH fresh AS (
    INSERT INTO subscriptions_usageevent (company_id, meter_id, subscription_id, event_id, at, value, key, received_at)
    SELECT %(company)s, meter_id, subscription_id, event_id, at, value, key, %(at)s
    FROM usage_incoming ORDER BY meter_id, event_id
    ON CONFLICT (meter_id, event_id) DO NOTHING
    RETURNING meter_id, event_id
), landed AS (
    SELECT i.* FROM usage_incoming i JOIN fresh USING (meter_id, event_id)
), by_day AS (
    SELECT subscription_id, meter_id, day, count(*) AS event_count, sum(value) AS value_sum, max(value) AS value_max,
           max(at) AS latest_at, (array_agg(value ORDER BY at DESC, value DESC))[1] AS latest_value
    FROM landed GROUP BY subscription_id, meter_id, day
), rolled AS (
    INSERT INTO subscriptions_usageday AS d (
        company_id, subscription_id, meter_id, day, event_count, value_sum, value_max, latest_at, latest_value
    )
    SELECT %(company)s, subscription_id, meter_id, day, event_count, value_sum, value_max, latest_at, latest_value
    FROM by_day ORDER BY subscription_id, meter_id, day
    ON CONFLICT (subscription_id, meter_id, day) DO UPDATE SET
        event_count = d.event_count + excluded.event_count,
        value_sum = d.value_sum + excluded.value_sum,
        value_max = greatest(d.value_max, excluded.value_max),
        latest_value = CASE WHEN (excluded.latest_at, excluded.latest_value) > (d.latest_at, d.latest_value)
                            THEN excluded.latest_value ELSE d.latest_value END,
        latest_at = greatest(d.latest_at, excluded.latest_at)
)
SELECT i.place FROM usage_incoming i LEFT JOIN fresh f USING (meter_id, event_id) WHERE f.event_id IS NULL
"""
_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
)


def _text(value: str) -> str:
    return value if value.isalnum() else value.translate(_ESCAPES)


def _write(company: Company, events: Iterable[_Event], at: datetime) -> set[int]:
    """Stores those that are new and adds them to their days; places of those known already."""
    lines = [
        f"{event.place}\t{event.meter_id}\t{event.subscription.id}\t{_text(event.event_id)}\t{event.at.isoformat()}\t"
        f"{event.value:f}\t{_text(event.key)}\t{event.day}\n"
        for event in events
    ]
    if not lines:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_INCOMING)
        cursor.execute("TRUNCATE usage_incoming")
        with connection.wrap_database_errors, cursor.copy("COPY usage_incoming FROM STDIN") as sink:
            sink.write("".join(lines))
        cursor.execute(_LAND, {"company": company.pk, "at": at})
        return {place for (place,) in cursor.fetchall()}


_REFUSED: Final = """
INSERT INTO subscriptions_usagerefusal (
    company_id, meter_id, subscription_id, event_id, at, value, key, code, received_at
)
SELECT %s, v.meter_id, v.subscription_id, v.event_id, v.at, v.value, v.key, v.code, %s
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[], %s::numeric[], %s::text[], %s::text[])
     v(meter_id, subscription_id, event_id, at, value, key, code)
ORDER BY v.meter_id, v.event_id, v.code
ON CONFLICT DO NOTHING
"""


def _list(company: Company, refused: Sequence[tuple[Row, Meter, usage_marks.Subscriber, str]], at: datetime) -> None:
    """Keeps what does not count where people can see it; the same event is listed once a reason."""
    if not refused:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _REFUSED,
            [
                company.pk,
                at,
                [meter.pk for _, meter, _, _ in refused],
                [subscriber.id for _, _, subscriber, _ in refused],
                [row.event_id for row, _, _, _ in refused],
                [row.at for row, _, _, _ in refused],
                [_ONE if row.value is None else row.value for row, _, _, _ in refused],
                [row.key for row, _, _, _ in refused],
                [code for _, _, _, code in refused],
            ],
        )
