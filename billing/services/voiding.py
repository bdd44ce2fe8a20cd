"""Voiding an issued invoice: a credit note of all that is left, and a word on what becomes of its days.

The rule that matters: a document is never taken back, it is corrected by another; account credit it used and money it
got come back as account credit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from django.db import connection, transaction

from billing.models import BilledDays, CreditNote, Invoice, InvoiceBalance
from billing.services import one_offs
from billing.services.crediting import audit_note, calculation_of, issue_notes, load_invoices
from billing.services.discounting import lowered, return_uses
from billing.services.loading import lock_customers
from billing.services.noting import NoteLine, note_of
from core import checks, clock
from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from subscriptions.models import Slot

ONE_DAY = timedelta(days=1)
Days = tuple[date, date]


@transaction.atomic
def void(
    *, invoice: Invoice, days: Literal["bill_again", "free"] = "bill_again", reason: str, at: datetime, by: Actor
) -> CreditNote:
    """Voids an open or paid invoice; its credit note, which gives back all that is left.

    `bill_again`: its days fall due again, on their old due days, and the next settling bills them anew. `free`: they
    stay unbilled for good. Refuses `credit.not_issued`, `void.not_open`, `credit.nothing_left`.
    """
    company = invoice.company
    checks.choice(days, ("bill_again", "free"), field="days")
    checked(reason, field="reason", limit=500)
    if invoice.sequence is None:
        raise Refused("credit.not_issued")
    customers = lock_customers(company, [invoice.customer_id])
    known = load_invoices(company, [invoice.pk])[invoice.pk]
    if known.status not in ("open", "paid"):
        raise Refused("void.not_open", state=InvoiceBalance.Status(known.status).label)
    lines = [
        NoteLine(line, line.left_minor, line.period_start, line.period_end, calculation_of(line, None))
        for line in known.lines.values()
        if line.left_minor
    ]
    note = note_of(known, customers[invoice.customer_id], lines, cause="void", reason=reason) if lines else None
    if note is None:
        raise Refused("credit.nothing_left", number=known.number)
    issue_notes(company, [note], at=at, by=by)
    released = _release_all(list(known.lines), note.id, at)
    return_uses(company, lowered(known.lines))
    if days == "free":
        _leave_free(company.pk, released)
    else:
        reopen(released)
        one_offs.due_again(list(known.lines), clock.day_in(at, company.time_zone))
    audit_note(company, note, at=at, by=by)
    return CreditNote.objects.get(pk=note.id)


def _release_all(line_ids: Sequence[int], note_id: int, at: datetime) -> list[tuple[int, date, date, str]]:
    """Releases every billed and forfeited day of these lines: (slot id, start, end, kind)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_billeddays SET released_at = %s, released_by = %s "
            "WHERE line_id = ANY(%s) AND released_at IS NULL RETURNING slot_id, lower(days), upper(days), kind",
            [at, note_id, list(line_ids)],
        )
        return sorted(cursor.fetchall())


def _leave_free(company_id: int, released: Sequence[tuple[int, date, date, str]]) -> None:
    """Free days count as billed, without a line."""
    BilledDays.objects.bulk_create(
        BilledDays(company_id=company_id, slot_id=slot_id, days=(start, end), kind=kind)
        for slot_id, start, end, kind in released
    )


def reopen(released: Sequence[tuple[int, date, date, str]]) -> None:
    """Has the days fall due again: at the end of what is billed by moving that end back, in between as open days."""
    by_slot: dict[int, list[Days]] = {}
    for slot_id, start, end, _ in released:
        by_slot.setdefault(slot_id, []).append((start, end))
    for slot in Slot.objects.select_related("subscription").filter(pk__in=by_slot).select_for_update().order_by("pk"):
        reopened = merged([*((days.lower, days.upper) for days in slot.reopened_days), *by_slot[slot.pk]])
        first = min(start for start, _ in by_slot[slot.pk])
        if reopened and reopened[-1][1] > slot.billed_through_on:
            slot.billed_through_on = reopened.pop()[0] - ONE_DAY
        slot.reopened_days = reopened
        slot.save(update_fields=["billed_through_on", "reopened_days"])
        subscription = slot.subscription
        if subscription.next_bill_on is None or subscription.next_bill_on > first:
            type(subscription).objects.filter(pk=subscription.pk).update(next_bill_on=first)


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
