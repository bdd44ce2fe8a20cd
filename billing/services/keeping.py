"""What settling moves on beside documents: slots, subscriptions, terms; what is parked; what was used.

The rule that matters: all of it moves in one statement, in the transaction of the documents it speaks of, or not at
all. Whatever else settling has to keep joins that statement as a clause, where there is something to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from billing.services import giving_back, issuing, snapshots
from billing.services.clauses import Clause, joined, params_of
from billing.services.copying import array
from billing.services.owing import Due
from core import clock
from core.models import Company
from subscriptions.services import schedule
from subscriptions.services.schedule import ONE_DAY

_SETTLED: Final = """
    UPDATE subscriptions_slotterms SET settles = '', settles_until = NULL WHERE id = ANY(%(settled)s::bigint[])
"""


def settled_clauses(dues: list[Due], on: date) -> list[Clause]:
    """Terms whose effect on billed days is settled by now say so; none without any."""
    done = [terms.id for entry in dues for slot in entry.agreement.slots for terms in schedule.pending(slot, on)]
    return [Clause("settled", _SETTLED, {"settled": array(done)})] if done else []


@dataclass(slots=True)
class Moves:
    """What else moves on. By slot: the day up to which its minimum is closed, and the marks of usage that were seen
    to; by subscription: the day up to which its minimum is closed, and one on which its revenue changes."""

    slot_minimums: Mapping[int, date] = field(default_factory=dict)
    marks: Mapping[int, tuple[date | None, date | None]] = field(default_factory=dict)
    minimums: Mapping[int, date] = field(default_factory=dict)
    revenue: Mapping[int, date] = field(default_factory=dict)


_STATE = f"""
WITH moved AS (
    UPDATE subscriptions_slot slot
    SET billed_through_on = coalesce(v.day, slot.billed_through_on),
        reopened_days = coalesce(v.reopened::daterange[], slot.reopened_days),
        minimum_through_on = coalesce(v.minimum, slot.minimum_through_on),
        late_from_on = CASE WHEN slot.usage_due_on = v.seen AND slot.late_from_on IS NOT DISTINCT FROM v.late THEN NULL
                            ELSE slot.late_from_on END,
        usage_due_on = CASE WHEN slot.usage_due_on = v.seen THEN NULL ELSE slot.usage_due_on END
    FROM unnest(%(slots)s::bigint[], %(through)s::date[], %(reopened)s::text[], %(slot_minimums)s::date[],
                %(seen)s::date[], %(late)s::date[]) v(id, day, reopened, minimum, seen, late)
    WHERE slot.id = v.id
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
), {issuing.BESIDE}"""  # noqa: S608  put together of this room's own texts
# Arrays of different lengths are filled up with NULL: what nothing moves costs nothing.
_SUBSCRIPTIONS: Final = """
UPDATE subscriptions_subscription s
SET next_bill_on = v.day, minimum_through_on = coalesce(v.minimum, s.minimum_through_on),
    next_move_on = CASE WHEN v.move_on IS NULL OR s.state IN ('canceled', 'expired') THEN s.next_move_on
                        ELSE least(s.next_move_on, v.move_on) END
FROM unnest(%(agreements)s::bigint[], %(next)s::date[], %(minimums)s::date[], %(revenue)s::date[])
     v(id, day, minimum, move_on)
WHERE s.id = v.id
"""


def write_state(
    company: Company,
    dues: list[Due],
    parked: list[tuple[int, str, str]],
    given_back: giving_back.GivenBack,
    *,
    seller: bytes | None,
    beside: dict[str, Any],
    moves: Moves,
    clauses: Sequence[Clause] = (),
    at: datetime,
) -> None:
    """Moves slots and subscriptions on, parks what could not be billed, keeps the seller's part and what stands beside
    (audit row, balances, mails), and carries out further clauses: in one statement."""
    due_slots = [pair for entry in dues for pair in zip(entry.agreement.slots, entry.slots, strict=True)]
    through = dict(given_back.ended)
    through |= {
        slot.id: due.billed_through_on
        for slot, due in due_slots
        if due.billed_through_on != through.get(slot.id, slot.billed_through_on)
    }
    reopened = {slot.id: due.reopened for slot, due in due_slots if slot.reopened != due.reopened}
    slots = list(dict.fromkeys((*through, *reopened, *moves.slot_minimums, *moves.marks)))
    agreements = {entry.agreement.id: next_bill_on(entry, given_back) for entry in dues}
    params: dict[str, Any] = {
        "company": company.pk,
        "at": at,
        "now": clock.machine_now(),
        "slots": array(slots),
        "through": array(map(through.get, slots)),
        "reopened": [_ranges(reopened.get(id_)) for id_ in slots] if reopened else [],
        "slot_minimums": _beside(slots, moves.slot_minimums),
        "seen": _beside(slots, {id_: due for id_, (due, _) in moves.marks.items()}),
        "late": _beside(slots, {id_: late for id_, (_, late) in moves.marks.items()}),
        "parked": [row[0] for row in parked],
        "codes": [row[1] for row in parked],
        "details": [row[2].replace("\0", "") for row in parked],
        "seller": seller.decode() if seller else None,
        "seller_hash": snapshots.sha256(seller) if seller else None,
        "agreements": array(agreements),
        "next": array(agreements.values()),
        "minimums": _beside(agreements, moves.minimums),
        "revenue": _beside(agreements, moves.revenue),
    }
    further = f", {joined(clauses)}" if clauses else ""
    with connection.cursor() as cursor:
        cursor.execute(_STATE + further + _SUBSCRIPTIONS, params | beside | params_of(clauses))


def _beside(ids: Iterable[int], values: Mapping[int, date | None]) -> str:
    """A column beside these ids; an empty one where there is nothing to say."""
    return array(map(values.get, ids)) if values else "{}"


def _ranges(days: tuple[tuple[date, date], ...] | None) -> str | None:
    return None if days is None else "{" + ",".join(f'"[{start},{end})"' for start, end in days) + "}"


def next_bill_on(entry: Due, given_back: giving_back.GivenBack) -> date | None:
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
