"""What a subscription has used in its running period, what that costs so far, and on which days it was used.

The rule that matters: quantity and cost are those that settling would find if the period closed with what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import Exists, OuterRef, Sum

from billing.models import InvoiceBalance, InvoiceLine, RatedUsage
from billing.services.steps import plain_rows
from catalog.models import Meter
from core import clock
from pricing.charge_models import CalcRow
from subscriptions.models import Slot, Subscription, UsageDay, UsageThreshold
from subscriptions.services import due, usage_windows
from subscriptions.services.schedule import Agreement, SlotRow, Stretch
from subscriptions.services.usage_windows import Counted, Window, as_decimal

Aggregation = Meter.Aggregation


@dataclass(frozen=True, slots=True)
class UsedDay:
    """A day with events: how many, and what the meter says of that day alone (of a level held: its change)."""

    day: date
    event_count: int
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class CurrentUsage:
    """Usage of one position in [start, end), and in instants; amounts in minor units before tax and discounts.

    `billed_minor` was billed before the close. `is_free`: a trial whose usage costs nothing. `steps`: as on a line.
    """

    slot: Slot
    start: date
    end: date
    start_at: datetime
    end_at: datetime
    quantity: Decimal
    event_count: int
    cost_minor: int
    billed_minor: int
    currency: str
    is_free: bool
    model: str
    steps: list[dict[str, Any]] = field(default_factory=list)
    days: list[UsedDay] = field(default_factory=list)
    thresholds: list[UsageThreshold] = field(default_factory=list)


def current(subscription: Subscription, at: datetime) -> list[CurrentUsage]:
    """Each usage position whose period is running at that instant, in the order of positions. At most seven queries."""
    slots = list(
        Slot.objects.filter(subscription=subscription, kind=Slot.Kind.USAGE)
        .select_related("product", "meter", "subscription")
        .prefetch_related("terms", "thresholds")
        .order_by("position", "id")
    )
    agreement = due.agreement_of(subscription)
    today = clock.day_in(at, subscription.time_zone)
    found: list[tuple[Slot, Stretch, Window, bool]] = []
    for slot in slots:
        terms = sorted(slot.terms.all(), key=lambda held: held.from_on)
        stretch, is_free = _running(agreement, due.slot_row(slot, terms), subscription, today)
        if stretch is not None:
            found.append((slot, stretch, usage_windows.window_of(agreement, stretch), is_free))
    if not found:
        return []
    counted = usage_windows.read([window for _, _, window, _ in found])
    billed = _billed(found)
    days = _days(found)
    return [
        _shown(subscription, slot, stretch, window, is_free, said, billed.get(slot.pk, 0), days[place])
        for place, ((slot, stretch, window, is_free), said) in enumerate(zip(found, counted, strict=True))
    ]


def _running(
    agreement: Agreement, row: SlotRow, subscription: Subscription, today: date
) -> tuple[Stretch | None, bool]:
    """The running stretch, and whether it is a free trial."""
    running = usage_windows.running(agreement, row, today)
    paid_from_on = subscription.paid_from_on
    if running is None and subscription.start_on <= today < paid_from_on and row.terms:
        end = paid_from_on
        return Stretch(end, row, row.terms[0], subscription.start_on, end, end, subscription.start_on, end), True
    return running, False


def _shown(
    subscription: Subscription,
    slot: Slot,
    stretch: Stretch,
    window: Window,
    is_free: bool,
    said: Counted,
    billed_minor: int,
    days: list[UsedDay],
) -> CurrentUsage:
    cost_minor, steps = 0, list[CalcRow]()
    if not is_free:
        cost_minor, steps = usage_windows.priced(
            stretch.terms, said, usage_windows.share_of(stretch), subscription.currency
        )
    return CurrentUsage(
        slot=slot,
        start=window.start,
        end=window.end,
        start_at=window.start_at,
        end_at=window.end_at,
        quantity=as_decimal(said.quantity),
        event_count=said.event_count,
        cost_minor=cost_minor,
        billed_minor=billed_minor,
        currency=subscription.currency,
        is_free=is_free,
        model=stretch.terms.model,
        steps=plain_rows(steps),
        days=days,
        thresholds=sorted(slot.thresholds.all(), key=lambda one: one.pk),
    )


def _billed(found: Sequence[tuple[Slot, Stretch, Window, bool]]) -> dict[int, int]:
    """What was billed before the close, by slot, on lines that stand."""
    starts = {slot.pk: window.start_at for slot, _, window, _ in found}
    void = InvoiceLine.objects.filter(pk=OuterRef("line_id"), invoice__balance__status=InvoiceBalance.Status.VOID)
    rows = RatedUsage.objects.filter(~Exists(void), slot__in=starts, start_at__gte=min(starts.values()))
    sums = rows.values_list("slot_id", "start_at").annotate(total=Sum("billed_minor"))
    return {slot_id: total for slot_id, start_at, total in sums if starts[slot_id] == start_at}


_UNIQUE: Final = """
SELECT v.place, (e.at AT TIME ZONE %s)::date AS day,
       count(DISTINCT CASE WHEN e.key <> '' THEN 'k' || e.key ELSE 'v' || trim_scale(e.value)::text END)
FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[], %s::timestamptz[]) v(place, meter_id, start_at, end_at)
JOIN subscriptions_usageevent e ON e.subscription_id = %s AND e.meter_id = v.meter_id
 AND e.at >= v.start_at AND e.at < v.end_at
GROUP BY 1, 2
"""


def _days(found: Sequence[tuple[Slot, Stretch, Window, bool]]) -> list[list[UsedDay]]:
    """The days with events of each window, in order."""
    subscription_id = found[0][2].subscription_id
    first, end = min(window.start for _, _, window, _ in found), max(window.end for _, _, window, _ in found)
    meters = {window.meter_id for _, _, window, _ in found}
    rows = list(
        UsageDay.objects.filter(
            subscription_id=subscription_id, meter_id__in=meters, day__gte=first, day__lt=end
        ).order_by("day")
    )
    unique = _unique_by_day(found)
    shown: list[list[UsedDay]] = []
    for place, (slot, _, window, _) in enumerate(found):
        assert slot.meter is not None
        aggregation = slot.meter.aggregation
        shown.append(
            [
                UsedDay(row.day, row.event_count, _of_day(row, aggregation, unique.get((place, row.day), 0)))
                for row in rows
                if row.meter_id == window.meter_id and window.start <= row.day < window.end
            ]
        )
    return shown


def _of_day(row: UsageDay, aggregation: str, different: int) -> Decimal:
    match aggregation:
        case Aggregation.COUNT:
            return Decimal(row.event_count)
        case Aggregation.MAX:
            return row.value_max
        case Aggregation.LATEST:
            return row.latest_value
        case Aggregation.UNIQUE_COUNT:
            return Decimal(different)
    return row.value_sum


def _unique_by_day(found: Sequence[tuple[Slot, Stretch, Window, bool]]) -> dict[tuple[int, date], int]:
    """Different values a day, for the meters that count those. No query without any."""
    asked = [
        (place, window)
        for place, (slot, _, window, _) in enumerate(found)
        if slot.meter is not None and slot.meter.aggregation == Aggregation.UNIQUE_COUNT
    ]
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _UNIQUE,
            [
                asked[0][1].time_zone,
                [place for place, _ in asked],
                [window.meter_id for _, window in asked],
                [window.start_at for _, window in asked],
                [window.end_at for _, window in asked],
                asked[0][1].subscription_id,
            ],
        )
        return {(place, day): count for place, day, count in cursor.fetchall()}
