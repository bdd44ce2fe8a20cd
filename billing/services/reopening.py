"""What becomes of days whose line goes, by a void or because it was only drafted: billed again, or free for good.

The rule that matters: each component finds its own way back. Base and usage days fall due again, units added to days
that are still billed are charged again for those days alone, single items fall due again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple

from django.db import connection

from billing.models import BilledDays
from billing.services import usage_again
from core.models import Company
from subscriptions.models import Slot

ONE_DAY = timedelta(days=1)
Days = tuple[date, date]
Fate = Literal["bill_again", "free"]


class Released(NamedTuple):
    """Billed or forfeited days [start, end) of a slot that no line bills any more."""

    slot_id: int
    start: date
    end: date
    kind: str
    component: str


#: Single items on lines of drafts. What was billed before its service day falls due again as early with its draft.
_ITEMS = {
    "bill_again": """
        UPDATE subscriptions_oneoff o SET line_id = NULL, canceled_at = NULL,
            due_on = CASE WHEN i.waits_for = '' THEN o.service_on ELSE least(o.service_on, i.charge_due_on) END
        FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
        WHERE l.id = o.line_id AND l.id = ANY(%s) RETURNING o.subscription_id, o.due_on
    """,
    "free": """
        UPDATE subscriptions_oneoff o SET line_id = NULL, due_on = NULL, canceled_at = %s
        WHERE o.line_id = ANY(%s) RETURNING o.subscription_id, o.service_on
    """,
}


def let_go(
    company: Company, line_ids: Sequence[int], days: Fate, *, at: datetime | None = None
) -> list[tuple[int, date]]:
    """Frees what lines of drafts hold, so that they can be removed: their days and the single items they bill.

    `bill_again`: all of it falls due again; `free`: it is never billed. Answers the subscriptions of the items with the
    day they fall due (`free`: with their service day). `at`: when they are given up, needed with `free`.
    """
    ids = list(line_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM billing_billeddays d USING billing_invoiceline l "
            "JOIN billing_invoice i ON i.id = l.invoice_id "
            "WHERE l.id = d.line_id AND l.id = ANY(%s) AND i.sequence IS NULL "
            "RETURNING d.released_at IS NULL, d.slot_id, lower(d.days), upper(d.days), d.kind, d.component",
            [ids],
        )
        # Days that were taken off the line before went their way then.
        released = sorted(Released(*row) for is_live, *row in cursor.fetchall() if is_live)
        cursor.execute(_ITEMS[days], [ids] if days == "bill_again" else [at, ids])
        items: list[tuple[int, date]] = cursor.fetchall()
        if days == "bill_again":
            _due_from(cursor, items)
    if days == "free":
        leave_free(company, released, ids)
    else:
        bill_again(released, ids)
    return items


def _due_from(cursor: Any, days: Sequence[tuple[int, date]]) -> None:
    """Has subscriptions fall due on these days, if not earlier. One statement, however many."""
    if days:
        cursor.execute(
            "UPDATE subscriptions_subscription s SET next_bill_on = least(s.next_bill_on, v.day) FROM ("
            "  SELECT id, min(day) AS day FROM unnest(%s::bigint[], %s::date[]) one(id, day) GROUP BY id"
            ") v WHERE s.id = v.id",
            [[id_ for id_, _ in days], [day for _, day in days]],
        )


def leave_free(company: Company, released: Sequence[Released], line_ids: Sequence[int]) -> None:
    """Free days of these lines count as billed, without a line; so does usage without days, billed before its close."""
    usage_again.give_away(line_ids)
    BilledDays.objects.bulk_create(
        BilledDays(
            company_id=company.pk, slot_id=row.slot_id, days=(row.start, row.end), kind=row.kind,
            component=row.component,
        )
        for row in released
    )  # fmt: skip


def bill_again(released: Sequence[Released], line_ids: Sequence[int]) -> None:
    """Has what was released of these lines fall due again, on its old due days."""
    whole = [row for row in released if row.component in ("base", "usage")]
    reopen(whole)
    with connection.cursor() as cursor:
        _due_from(cursor, usage_again.look_again(line_ids))
        if whole:
            # Days billed anew are billed at all units agreed for them, added ones with them.
            cursor.execute(
                "UPDATE subscriptions_slotterms t SET settles = '', settles_until = NULL "
                "FROM unnest(%s::bigint[], %s::date[], %s::date[]) v(slot_id, first, after) "
                "WHERE t.slot_id = v.slot_id AND t.settles = 'add' AND t.from_on >= v.first AND t.from_on < v.after",
                [[row.slot_id for row in whole], [row.start for row in whole], [row.end for row in whole]],
            )
        added: dict[tuple[int, str], date] = {}
        for row in released:
            if row.component.startswith("added:"):
                key = (row.slot_id, row.component)
                added[key] = max(row.end, added.get(key, row.end))
        for row in released:
            if row.component.startswith("late:"):
                usage_again.rate_again(row.slot_id, row.start, row.end)
                _due_from(cursor, [(_subscription_of(cursor, row.slot_id), row.end)])
            mark = _MARKS.get(row.component.partition(":late:")[0])
            if mark is not None:
                cursor.execute(mark, [row.start - ONE_DAY, row.slot_id, row.start])
                _due_from(cursor, [(_subscription_of(cursor, row.slot_id), row.end)])
        for (slot_id, component), until in added.items():
            _add_again(cursor, slot_id, date.fromisoformat(component.removeprefix("added:")), until)


#: Moves back the day up to which a minimum is closed; windows after it that are still billed stay as they are.
_MARKS = {
    "minimum": "UPDATE subscriptions_slot SET minimum_through_on = %s WHERE id = %s AND minimum_through_on >= %s",
    "minimum:all": "UPDATE subscriptions_subscription s SET minimum_through_on = %s FROM subscriptions_slot slot "
    "WHERE slot.id = %s AND s.id = slot.subscription_id AND s.minimum_through_on >= %s",
}


def _subscription_of(cursor: Any, slot_id: int) -> int:
    cursor.execute("SELECT subscription_id FROM subscriptions_slot WHERE id = %s", [slot_id])
    return int(cursor.fetchone()[0])


def _add_again(cursor: Any, slot_id: int, from_on: date, until: date) -> None:
    """Units added to days that are still billed without them are charged again, up to, without, `until`."""
    cursor.execute(
        "SELECT max(upper(days)) FROM billing_billeddays WHERE slot_id = %s AND component = 'base' "
        "AND released_at IS NULL AND days && daterange(%s, %s)",
        [slot_id, from_on, until],
    )
    covered: date | None = cursor.fetchone()[0]
    if covered is None:
        return
    cursor.execute(
        "UPDATE subscriptions_slotterms SET settles = 'add', settles_until = %s WHERE slot_id = %s AND from_on = %s",
        [min(until, covered), slot_id, from_on],
    )
    _due_from(cursor, [(_subscription_of(cursor, slot_id), from_on)])


def reopen(released: Sequence[Released]) -> None:
    """Has whole days fall due again: at the end of what is billed by moving that end back, in between as open days."""
    by_slot: dict[int, list[Days]] = {}
    for row in released:
        by_slot.setdefault(row.slot_id, []).append((row.start, row.end))
    if not by_slot:
        return
    slots = list(Slot.objects.filter(pk__in=by_slot).select_for_update().order_by("pk"))
    for slot in slots:
        reopened = merged([*((days.lower, days.upper) for days in slot.reopened_days), *by_slot[slot.pk]])
        if reopened and reopened[-1][1] > slot.billed_through_on:
            slot.billed_through_on = reopened.pop()[0] - ONE_DAY
        slot.reopened_days = reopened
    Slot.objects.bulk_update(slots, ["billed_through_on", "reopened_days"], batch_size=500)
    with connection.cursor() as cursor:
        _due_from(cursor, [(slot.subscription_id, min(by_slot[slot.pk])[0]) for slot in slots])


def merged(ranges: Sequence[Days]) -> list[Days]:
    """Half open ranges in order, those that touch made one.

    >>> merged([(date(2026, 2, 1), date(2026, 3, 1)), (date(2026, 1, 1), date(2026, 2, 1))])
    [(datetime.date(2026, 1, 1), datetime.date(2026, 3, 1))]
    """
    result: list[Days] = []
    for start, end in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result
