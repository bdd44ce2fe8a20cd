"""What becomes of usage whose line was taken back: rated again, or never billed.

The rule that matters: what was rated is only ever added to; whether a row still stands, its line says.
"""

from __future__ import annotations

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
SELECT r.company_id, r.slot_id, 'late', r.start_at, r.end_at, r.period_start, r.period_end, r.quantity, r.cost_minor,
       r.billed_minor, NULL, NULL, r.rated_at
FROM billing_ratedusage r
JOIN billing_invoiceline l ON l.id = r.line_id JOIN billing_invoicebalance b ON b.invoice_id = l.invoice_id
WHERE r.slot_id = %s AND r.period_start = %s AND b.status IN ('void', 'draft') AND r.billed_minor <> 0
ORDER BY r.id
"""


def rate_again(slot_id: int, start: date, end: date) -> None:
    """Has a closed period rated again: the line of its late usage was taken back."""
    with connection.cursor() as cursor:
        cursor.execute(_AGAIN, [start, end, slot_id])


def give_away(slot_id: int, start: date) -> None:
    """Usage from that day on whose line was taken back is never billed."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN, [slot_id, start])
