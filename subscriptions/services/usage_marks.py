"""Who usage is for, whether its period is closed, and what billing is told to look at.

The rule that matters: usage that may have passed an amount brings the next due day forward; late usage waits for that
day, and has one of its own only where none is left. What becomes of it, billing decides.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from core import clock
from core.models import Company
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services import due, schedule, usage_thresholds
from subscriptions.services.schedule import ONE_DAY

State = Subscription.State


class Position(NamedTuple):
    """A position that a meter counts for."""

    id: int
    meter_id: int
    billed_through_on: date
    interim_minor: int | None
    has_thresholds: bool


@dataclass(eq=False)
class Subscriber:
    """A subscription as usage needs it."""

    id: int
    public_id: uuid.UUID
    external_id: str
    customer_id: int
    time_zone: str
    start_on: date
    paid_from_on: date
    ends_on: date | None
    state: str
    is_agreed: bool
    positions: list[Position] = field(default_factory=list)
    _closes: dict[tuple[int, date], date | None] = field(default_factory=dict)

    @cached_property
    def zone(self) -> ZoneInfo:
        return clock.zone(self.time_zone)

    @cached_property
    def _walked(self) -> tuple[schedule.Agreement, dict[int, list[schedule.TermsRow]]]:
        """The agreement and the terms of its positions, read when the first event is late."""
        agreement = due.agreement_of(Subscription.objects.get(pk=self.id))
        terms: dict[int, list[schedule.TermsRow]] = {}
        held = SlotTerms.objects.filter(slot__in=[position.id for position in self.positions])
        for row in held.order_by("slot_id", "from_on"):
            terms.setdefault(row.slot_id, []).append(due.terms_row(row))
        return agreement, terms

    def today(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def closed_on(self, meter_id: int, day: date) -> date | None:
        """The first day after the period that counted that day, once it is billed; None while one is running."""
        key = (meter_id, day)
        if key not in self._closes:
            counting = [position for position in self.positions if position.meter_id == meter_id]
            ends = [self._end(position, day) for position in counting if day <= position.billed_through_on]
            self._closes[key] = max(ends) if ends and len(ends) == len(counting) else None
        return self._closes[key]

    def _end(self, position: Position, day: date) -> date:
        agreement, terms = self._walked
        found = day + ONE_DAY
        for held in terms.get(position.id, ()):
            if held.from_on <= day and (held.until_on is None or day < held.until_on):
                _, found = schedule.period_of(agreement, held, day)
                if held.until_on is not None:
                    found = min(found, held.until_on)
        if self.ends_on is not None:
            found = min(found, self.ends_on + ONE_DAY)
        return min(found, self.paid_from_on) if day < self.paid_from_on else found

    @property
    def can_be_billed(self) -> bool:
        """Not before its trial has led anywhere."""
        return self.state not in (State.PENDING, State.TRIAL) and self.is_agreed


_READ: Final = """
SELECT s.id, s.public_id, s.external_id, s.customer_id, s.time_zone, s.start_on, s.paid_from_on, s.ends_on, s.state,
       NOT (s.state = 'paused' AND s.paused_from_on IS NULL),
       slot.id, slot.meter_id, slot.billed_through_on, slot.interim_minor,
       EXISTS (SELECT FROM subscriptions_usagethreshold t WHERE t.slot_id = slot.id)
FROM unnest(%s::bigint[]) v(id)
JOIN LATERAL (SELECT * FROM subscriptions_subscription WHERE id = v.id AND company_id = %s OFFSET 0) s ON true
LEFT JOIN LATERAL (
    SELECT * FROM subscriptions_slot WHERE subscription_id = s.id AND meter_id IS NOT NULL OFFSET 0
) slot ON true
ORDER BY s.id, slot.id
"""


def read(company: Company, ids: Sequence[int]) -> list[Subscriber]:
    """The subscriptions with the positions that meters count for. Call it with their customers held."""
    found: list[Subscriber] = []
    with connection.cursor() as cursor:
        cursor.execute(_READ, [list(ids), company.pk])
        for row in cursor.fetchall():
            if not found or found[-1].id != row[0]:
                found.append(Subscriber(*row[:10]))
            if row[10] is not None:
                found[-1].positions.append(Position(*row[10:]))
    return found


class Touched(NamedTuple):
    """A day of a meter that a new event fell on. `is_late`: in a period that is closed."""

    subscriber: Subscriber
    meter_id: int
    day: date
    is_late: bool


_MARK: Final = """
WITH held AS MATERIALIZED (
    SELECT s.id FROM subscriptions_subscription s
    WHERE s.id IN (SELECT subscription_id FROM subscriptions_slot WHERE id = ANY(%(slots)s::bigint[]))
    ORDER BY s.id FOR NO KEY UPDATE
), marked AS (
    UPDATE subscriptions_slot slot
    SET usage_due_on = least(slot.usage_due_on, v.due_on), late_from_on = least(slot.late_from_on, v.late_from_on)
    FROM unnest(%(slots)s::bigint[], %(due)s::date[], %(late)s::date[], %(waits)s::boolean[])
         v(id, due_on, late_from_on, waits), held
    WHERE slot.id = v.id AND held.id = slot.subscription_id
    RETURNING slot.subscription_id, v.due_on, v.waits
)
UPDATE subscriptions_subscription s
SET next_bill_on = CASE WHEN m.waits AND s.next_bill_on IS NOT NULL THEN s.next_bill_on
                        ELSE least(s.next_bill_on, m.due_on) END
FROM (
    SELECT subscription_id, min(due_on) AS due_on, bool_and(waits) AS waits FROM marked GROUP BY subscription_id
) m
WHERE s.id = m.subscription_id
"""


def mark(company: Company, touched: Iterable[Touched], at: datetime) -> set[tuple[int, str]]:
    """Has billing look at positions billed before the close, and at late usage with the next invoice.

    Tells of thresholds. Customers, with the zone, whose usage may have to be billed at once. No statement where there
    is nothing to look at.
    """
    late: dict[int, date] = {}
    looked_at: dict[int, date] = {}
    at_once: set[int] = set()
    watched: set[int] = set()
    due_customers: set[tuple[int, str]] = set()
    for subscriber, meter_id, day, is_late in set(touched):
        for position in subscriber.positions:
            if position.meter_id != meter_id:
                continue
            if is_late and subscriber.can_be_billed and day <= position.billed_through_on:
                late[position.id] = min(late.get(position.id, day), day)
                looked_at[position.id] = subscriber.today(at)
            elif not is_late and position.interim_minor is not None and subscriber.can_be_billed:
                looked_at[position.id] = subscriber.today(at)
                at_once.add(position.id)
                due_customers.add((subscriber.customer_id, subscriber.time_zone))
            if position.has_thresholds:
                watched.add(position.id)
    if looked_at:
        slots = sorted(looked_at)
        params: dict[str, Any] = {
            "slots": slots,
            "due": [looked_at[slot] for slot in slots],
            "late": [late.get(slot) for slot in slots],
            "waits": [slot not in at_once for slot in slots],
        }
        with connection.cursor() as cursor:
            cursor.execute(_MARK, params)
    if watched:
        usage_thresholds.tell_passed(company, Slot.objects.filter(pk__in=watched), at)
    return due_customers
