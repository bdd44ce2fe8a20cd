"""What becomes of usage whose line was taken back: rated again, or never billed.

The rule that matters: what was rated is only ever added to; whether a row still stands, its line says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from django.db import connection

_AGAIN: Final = """
UPDATE subscriptions_slot SET late_from_on = least(late_from_on, %s), usage_due_on = least(usage_due_on, %s)
WHERE id = %s
"""
# What stays unbilled for good counts as billed, without a line.
_GIVEN: Final = """
INSERT INTO billing_ratedusage (company_id, slot_id, kind, start_at, end_at, period_start, period_end, quantity,
                                cost_minor, billed_minor, line_id, note_id, rated_at)
SELECT company_id, slot_id, 'late', start_at, end_at, period_start, period_end, quantity, cost_minor, billed_minor,
       NULL, NULL, rated_at
FROM billing_ratedusage WHERE line_id = ANY(%s) AND billed_minor <> 0
ORDER BY id
"""
# Usage billed before its close has no days; the position is looked at again on the day that made it due.
_BEFORE_THE_CLOSE: Final = """
UPDATE subscriptions_slot slot SET usage_due_on = least(slot.usage_due_on, v.day)
FROM (
    SELECT l.slot_id, min(i.charge_due_on) AS day
    FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
    WHERE l.id = ANY(%s) AND l.kind = 'interim' GROUP BY 1
) v
WHERE slot.id = v.slot_id RETURNING slot.subscription_id, v.day
"""


def rate_again(slot_id: int, start: date, end: date) -> None:
    """Has a closed period rated again: the line of its late usage was taken back."""
    with connection.cursor() as cursor:
        cursor.execute(_AGAIN, [start, end, slot_id])


def look_again(line_ids: Sequence[int]) -> list[tuple[int, date]]:
    """Has running periods looked at again that these lines billed in part: their subscriptions, with the day."""
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE_THE_CLOSE, [list(line_ids)])
        found: list[tuple[int, date]] = cursor.fetchall()
    return found


def give_away(line_ids: Sequence[int]) -> None:
    """Usage that these lines billed, and that was taken back with them, is never billed."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN, [list(line_ids)])
