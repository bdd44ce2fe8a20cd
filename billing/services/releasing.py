"""Billed days taken back, wholly or in part.

The rule that matters: a run of days is only ever cut, never widened; what is cut off stays as a row of its own,
released by a credit note or forfeited.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from django.db import connection


class Cut(NamedTuple):
    """A row of billed days that loses its days from `day` on: to a credit note, or (`forfeits`) to nobody."""

    days_id: int
    day: date
    forfeits: bool
    note_id: int | None


_CUT: Final = """
WITH v AS MATERIALIZED (
    SELECT v.*, upper(d.days) AS until, CASE WHEN v.forfeits THEN 'forfeited' ELSE 'billed' END AS kind
    FROM unnest(%(ids)s::bigint[], %(days)s::date[], %(forfeits)s::boolean[], %(notes)s::bigint[])
         v(id, day, forfeits, note)
    JOIN billing_billeddays d ON d.id = v.id
), whole AS (
    UPDATE billing_billeddays d
    SET kind = v.kind, released_at = CASE WHEN NOT v.forfeits THEN %(at)s::timestamptz END, released_by = v.note
    FROM v WHERE d.id = v.id AND lower(d.days) >= v.day
), kept AS (
    UPDATE billing_billeddays d SET days = daterange(lower(d.days), v.day)
    FROM v WHERE d.id = v.id AND lower(d.days) < v.day
    RETURNING d.company_id, d.slot_id, d.component, d.line_id, v.day, v.until, v.kind, v.forfeits, v.note
)
INSERT INTO billing_billeddays (company_id, slot_id, component, days, line_id, kind, released_at, released_by)
SELECT company_id, slot_id, component, daterange(day, until), line_id, kind,
       CASE WHEN NOT forfeits THEN %(at)s::timestamptz END, note
FROM kept
"""


def cut_days(cuts: Sequence[Cut], *, at: datetime) -> None:
    """Takes days off rows of billed days, in one statement for all of them; none without any."""
    if not cuts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _CUT,
            {
                "ids": [one.days_id for one in cuts],
                "days": [one.day for one in cuts],
                "forfeits": [one.forfeits for one in cuts],
                "notes": [one.note_id for one in cuts],
                "at": at,
            },
        )


def take_up_again(subscription_id: int) -> None:
    """Days forfeited for an end that was moved or taken back are billed days again, up to the last day of service.

    All of them are where the end that stands now forfeits none: they are given back with it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE billing_billeddays days SET kind = 'billed'
            FROM subscriptions_slot slot JOIN subscriptions_subscription sub ON sub.id = slot.subscription_id
            WHERE sub.id = %s AND days.slot_id = slot.id AND days.kind = 'forfeited' AND days.released_at IS NULL
              AND (sub.ends_on IS NULL OR lower(days.days) <= sub.ends_on OR sub.end_unused <> 'none')
            """,
            [subscription_id],
        )


def release(line_id: int, days: tuple[date, date], note_id: int, at: datetime) -> None:
    """Releases [start, end) of a line's billed days; what lies before and after stays billed."""
    start, end = days
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, lower(days), upper(days) FROM billing_billeddays WHERE line_id = %s AND released_at IS NULL "
            "AND days && daterange(%s, %s)",
            [line_id, start, end],
        )
        for days_id, lower, upper in cursor.fetchall():
            if upper > end:
                cursor.execute(
                    """
                    WITH cut AS (
                        UPDATE billing_billeddays SET days = daterange(lower(days), %(end)s) WHERE id = %(id)s
                        RETURNING company_id, slot_id, component, line_id, kind
                    )
                    INSERT INTO billing_billeddays (company_id, slot_id, component, line_id, kind, days)
                    SELECT company_id, slot_id, component, line_id, kind, daterange(%(end)s, %(upper)s) FROM cut
                    """,
                    {"id": days_id, "end": end, "upper": upper},
                )
            cut_days([Cut(days_id, max(lower, start), False, note_id)], at=at)
