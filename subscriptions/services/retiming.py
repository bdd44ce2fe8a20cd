"""Terms from a day on put in place of those that stood there, and the terms of a morning kept as JSON.

The rule that matters: what lies before the day is never touched; the rows of a slot follow each other without a gap.
Every verb that changes a running agreement writes its terms through this module, with the customer's row locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from subscriptions.models import Slot, SlotTerms, Subscription

#: Columns of a subscription that changes may move and a snapshot keeps, with the type of each.
COLUMNS: Final = {
    "plan_id": "bigint", "name": "text", "description": "text", "state": "text", "interval_unit": "text",
    "interval_count": "int", "anchor_rule": "text", "anchor_day": "int", "anchor_on": "date",
    "anchor_month_day": "int", "minimum_count": "int", "minimum_unit": "text", "notice_count": "int",
    "notice_unit": "text", "notice_to": "text", "renewal_rule": "text", "renewal_count": "int",
    "renewal_unit": "text", "grace_days": "int", "cancel_timing": "text", "cancel_unused": "text",
    "term_start_on": "date", "term_ends_on": "date", "ends_on": "date", "end_kind": "text", "end_unused": "text",
    "payment_terms_days": "int", "minimum_amount": "numeric", "paused_from_on": "date", "resumes_on": "date",
    "suspended_from_on": "date", "suspended_billing": "text", "trial_usage": "text",
}  # fmt: skip
#: Columns of terms that say what is supplied and what it costs.
CONTENT: Final = (
    "product_id", "price_id", "model", "unit_amount", "details", "minimum_amount", "quantity", "billed",
    "is_prorated", "interval_unit", "interval_count",
)  # fmt: skip
#: Columns of a row of terms that a snapshot keeps, beside its days.
KEPT: Final = ("standing", "anchor_on", "anchor_month_day", *CONTENT)
_DATES: Final = ("from_on", "until_on", "anchor_on")
_FIGURES: Final = ("unit_amount", "minimum_amount", "quantity")


def terms_on(terms: Iterable[SlotTerms], day: date) -> SlotTerms | None:
    """The row that holds on that day; None before the first and after the last."""
    for held in terms:
        if held.from_on <= day and (held.until_on is None or held.until_on > day):
            return held
    return None


def content_of(row: SlotTerms) -> dict[str, Any]:
    """What a row says is supplied and what it costs."""
    return {name: getattr(row, name) for name in CONTENT}


def says(slot: Slot, row: SlotTerms, content: Mapping[str, Any]) -> bool:
    """Whether the row says exactly that; a product left out is the slot's."""
    same = all(getattr(row, name) == content[name] for name in CONTENT if name != "product_id")
    return same and (row.product_id or slot.product_id) == (content["product_id"] or slot.product_id)


def anchor_of(subscription: Subscription, row: SlotTerms) -> tuple[date, int]:
    """What the periods of a row are counted from: its own anchor, or the subscription's."""
    if row.anchor_on is None:
        return subscription.anchor_on, subscription.anchor_month_day
    return row.anchor_on, row.anchor_month_day or row.anchor_on.day


def goes_on(slot: Slot, before: SlotTerms, row: SlotTerms) -> bool:
    """Whether a row only says on what the one it follows says; then it is no row of its own, for its first day would
    end a period."""
    if row.settles or before.standing != row.standing:
        return False
    is_counted_so = anchor_of(slot.subscription, before) == anchor_of(slot.subscription, row)
    return is_counted_so and says(slot, before, content_of(row))


def copy_of(terms: SlotTerms, **changes: Any) -> SlotTerms:
    """An unsaved row like that one, with changes; it settles nothing unless told to."""
    values = {name: getattr(terms, name) for name in KEPT} | {
        "company_id": terms.company_id,
        "slot_id": terms.slot_id,
        "from_on": terms.from_on,
        "until_on": terms.until_on,
    }
    return SlotTerms(**(values | changes))


def replace(slot: Slot, from_on: date, rows: Sequence[SlotTerms]) -> None:
    """Puts `rows`, in order, in place of all terms of the slot from that day on; the row before is cut there.

    The first row begins on that day, each next one where the one before ends; without rows the slot's terms end.
    Two or three statements; what was read with the slot is brought up to date.
    """
    before = sorted(slot.terms.all(), key=lambda held: held.from_on)
    kept = [held for held in before if held.from_on < from_on]
    dropped = [held.pk for held in before if held.from_on >= from_on]
    if dropped:
        SlotTerms.objects.filter(pk__in=dropped).delete()
    if kept and (kept[-1].until_on is None or kept[-1].until_on > from_on):
        kept[-1].until_on = from_on
        SlotTerms.objects.filter(pk=kept[-1].pk).update(until_on=from_on)
    fresh = SlotTerms.objects.bulk_create(rows)
    cache = getattr(slot, "_prefetched_objects_cache", None)
    if cache is not None and "terms" in cache:
        found = slot.terms.all()
        found._result_cache = [*kept, *fresh]


def pin_anchor(subscription: Subscription) -> list[SlotTerms]:
    """Names the subscription's anchor, in memory, in the terms that rely on it, before it moves elsewhere; the rows
    that say more than is stored."""
    relying = [held for slot in subscription.slots.all() for held in slot.terms.all() if held.anchor_on is None]
    for held in relying:
        held.anchor_on, held.anchor_month_day = subscription.anchor_on, subscription.anchor_month_day
    return relying


def morning_of(subscription: Subscription) -> dict[str, Any]:
    """Everything a change may move, as JSON; `row_of` reads its terms. No queries where slots and terms were read."""
    return {
        "columns": {name: plain(getattr(subscription, name)) for name in COLUMNS},
        "terms": {
            str(slot.pk): [
                {name: plain(getattr(held, name)) for name in (*KEPT, "from_on", "until_on", "settles")}
                for held in sorted(slot.terms.all(), key=lambda held: held.from_on)
            ]
            for slot in subscription.slots.all()
        },
    }


def row_of(slot: Slot, values: Mapping[str, Any]) -> SlotTerms:
    """An unsaved row from what `morning_of` kept of it."""
    row = dict(values)
    for name in _DATES:
        row[name] = None if row[name] is None else date.fromisoformat(row[name])
    for name in _FIGURES:
        row[name] = None if row[name] is None else Decimal(row[name])
    return SlotTerms(company_id=slot.company_id, slot_id=slot.pk, **row)


def plain(value: Any) -> Any:
    """A column's value as JSON keeps it."""
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else value
