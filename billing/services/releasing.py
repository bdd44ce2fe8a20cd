"""Billed days taken back, wholly or in part.

The rule that matters: a run of days is only ever cut, never widened; what is cut off stays as a row of its own,
released by a credit note or forfeited.
"""

from __future__ import annotations

from datetime import date, datetime

from django.db import connection


def cut_days(days_id: int, cut: date, *, at: datetime, forfeit: bool, note_id: int | None) -> None:
    """Takes the days from `cut` on off a row of billed days: released, or kept as forfeited."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH kept AS (
                UPDATE billing_billeddays SET days = daterange(lower(days), %(cut)s)
                WHERE id = %(id)s AND lower(days) < %(cut)s
                RETURNING id
            )
            SELECT company_id, slot_id, component, line_id, lower(days), upper(days), (SELECT count(*) FROM kept)
            FROM billing_billeddays WHERE id = %(id)s
            """,
            {"id": days_id, "cut": cut},
        )
        company_id, slot_id, component, line_id, _start, end, kept = cursor.fetchone()
        kind, released_at = ("forfeited", None) if forfeit else ("billed", at)
        if kept:
            cursor.execute(
                "INSERT INTO billing_billeddays (company_id, slot_id, component, days, line_id, kind, released_at, "
                "released_by) VALUES (%s, %s, %s, daterange(%s, %s), %s, %s, %s, %s)",
                [company_id, slot_id, component, cut, end, line_id, kind, released_at, note_id],
            )
        else:
            cursor.execute(
                "UPDATE billing_billeddays SET kind = %s, released_at = %s, released_by = %s WHERE id = %s",
                [kind, released_at, note_id, days_id],
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
            cut_days(days_id, max(lower, start), at=at, forfeit=False, note_id=note_id)
