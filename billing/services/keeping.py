"""What settling moves on beside documents: slots, subscriptions, terms; what is parked; in one statement.

The rule that matters: these columns move in the transaction of the documents they speak of, or not at all.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import connection

from billing.services import crediting, issuing, snapshots
from billing.services.copying import array
from billing.services.owing import Due
from core import clock
from core.models import Company
from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY


def close_changes(dues: list[Due], on: date) -> None:
    """Terms whose effect on billed days is settled by now say so. No statement without any."""
    done = [terms.id for entry in dues for slot in entry.agreement.slots for terms in schedule.pending(slot, on)]
    if done:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE subscriptions_slotterms SET settles = '', settles_until = NULL WHERE id = ANY(%s::bigint[])",
                [done],
            )


_STATE = f"""
WITH moved AS (
    UPDATE subscriptions_slot slot SET billed_through_on = v.day
    FROM unnest(%(slots)s::bigint[], %(through)s::date[]) v(id, day) WHERE slot.id = v.id
), halted AS (
    UPDATE subscriptions_subscription s
    SET parked_at = %(at)s, parked_code = v.code, parked_detail = v.detail
    FROM unnest(%(parked)s::bigint[], %(codes)s::text[], %(details)s::text[]) v(id, code, detail) WHERE s.id = v.id
), part AS (
    INSERT INTO billing_snapshotpart (company_id, sha256, body)
    SELECT %(company)s, %(seller_hash)s, %(seller)s WHERE %(seller)s::text IS NOT NULL
    ON CONFLICT DO NOTHING
), noted AS (
    INSERT INTO core_auditentry (company_id, at, written_at, actor_kind, actor_id, actor_label, verb, subject_kind,
                                 subject_id, customer_id, reason, facts)
    SELECT %(company)s, %(at)s, %(now)s, %(actor_kind)s, %(actor_id)s, %(actor_label)s, 'billing.settle',
           %(subject_kind)s, %(subject_id)s, %(customer)s, '', %(facts)s::jsonb
    WHERE %(facts)s::jsonb IS NOT NULL
), {issuing.BESIDE}
UPDATE subscriptions_subscription s SET next_bill_on = v.day
FROM unnest(%(agreements)s::bigint[], %(next)s::date[]) v(id, day)
WHERE s.id = v.id
"""  # noqa: S608  put together of this room's own texts


def write_state(
    company: Company,
    dues: list[Due],
    parked: list[tuple[int, str, str]],
    given_back: crediting.GivenBack,
    *,
    seller: bytes | None,
    beside: dict[str, Any],
    at: datetime,
) -> None:
    """Moves slots and subscriptions on, parks what could not be billed, keeps the seller's part and what stands beside
    (audit row, balances, mails): in one statement (one more for each slot whose days wait to be billed again)."""
    through = dict(given_back.ended)
    through |= {
        slot.id: due.billed_through_on
        for entry in dues
        for slot, due in zip(entry.agreement.slots, entry.slots, strict=True)
        if due.billed_through_on != through.get(slot.id, slot.billed_through_on)
    }
    agreements = [(entry.agreement.id, next_bill_on(entry, given_back)) for entry in dues]
    params: dict[str, Any] = {
        "company": company.pk,
        "at": at,
        "now": clock.machine_now(),
        "slots": array(through),
        "through": array(through.values()),
        "parked": [row[0] for row in parked],
        "codes": [row[1] for row in parked],
        "details": [row[2].replace("\0", "") for row in parked],
        "seller": seller.decode() if seller else None,
        "seller_hash": snapshots.sha256(seller) if seller else None,
        "agreements": array(id_ for id_, _ in agreements),
        "next": array(day for _, day in agreements),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STATE, params | beside)
        for entry in dues:
            for slot, due in zip(entry.agreement.slots, entry.slots, strict=True):
                if slot.reopened != due.reopened:
                    ranges = [f"[{start},{end})" for start, end in due.reopened]
                    cursor.execute(
                        "UPDATE subscriptions_slot SET reopened_days = %s::text[]::daterange[] WHERE id = %s",
                        [ranges, slot.id],
                    )


def next_bill_on(entry: Due, given_back: crediting.GivenBack) -> date | None:
    """When something falls due next: a period, or the day after a planned end that leaves billed days unused."""
    days = [due.next_due_on for due in entry.slots if due.next_due_on is not None]
    ends_on = entry.agreement.ends_on
    gave_back = entry.agreement.id in given_back.agreements
    if ends_on is not None and not gave_back and any(due.billed_through_on > ends_on for due in entry.slots):
        days.append(ends_on + ONE_DAY)
    days += entry.more_days
    return min((day for day in days if entry.before is None or day < entry.before), default=None)


def park(*, subscription_id: int, code: str, detail: str, at: datetime) -> None:
    """Takes a subscription out of billing until a person has looked at it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE subscriptions_subscription SET parked_at = %s, parked_code = %s, parked_detail = %s WHERE id = %s",
            [at, code[:60], detail.replace("\0", "")[:500], subscription_id],
        )
