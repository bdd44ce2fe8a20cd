"""Terms from a day on put in place of those that stood there, and the terms of a morning kept and restored.

The rule that matters: what lies before the day is never touched; the rows of a slot follow each other without a gap.
Every verb that changes a running agreement writes its terms through this module, with the customer's row locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db.models import Field

from subscriptions.models import Slot, SlotTerms, Subscription

#: Columns of a row of terms that a snapshot keeps, beside its days.
KEPT: Final = (
    "standing", "anchor_on", "anchor_month_day", "product_id", "price_id", "model", "unit_amount", "details",
    "minimum_amount", "quantity", "billed", "is_prorated", "interval_unit", "interval_count",
)  # fmt: skip
#: Columns of a subscription that changes may move and a snapshot keeps.
COLUMNS: Final = (
    "plan_id", "name", "description", "state", "interval_unit", "interval_count", "anchor_rule", "anchor_day",
    "anchor_on", "anchor_month_day", "minimum_count", "minimum_unit", "notice_count", "notice_unit", "notice_to",
    "renewal_rule", "renewal_count", "renewal_unit", "grace_days", "cancel_timing", "cancel_unused", "term_start_on",
    "term_ends_on", "ends_on", "end_kind", "end_unused", "payment_terms_days", "minimum_amount", "paused_from_on",
    "resumes_on", "suspended_from_on", "suspended_billing", "trial_usage",
)  # fmt: skip
_DATES: Final = ("from_on", "until_on", "anchor_on")
_FIGURES: Final = ("unit_amount", "minimum_amount", "quantity")


def terms_on(terms: Iterable[SlotTerms], day: date) -> SlotTerms | None:
    """The row that holds on that day; None before the first and after the last."""
    for held in terms:
        if held.from_on <= day and (held.until_on is None or held.until_on > day):
            return held
    return None


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
    """Everything a change may move, as JSON that `restore` reads. No queries where slots and terms were read."""
    return {
        "columns": {name: _plain(getattr(subscription, name)) for name in COLUMNS},
        "terms": {
            str(slot.pk): [
                {name: _plain(getattr(held, name)) for name in (*KEPT, "from_on", "until_on", "settles")}
                for held in sorted(slot.terms.all(), key=lambda held: held.from_on)
            ]
            for slot in subscription.slots.all()
        },
    }


def restore(subscription: Subscription, morning: dict[str, Any], day: date) -> None:
    """Puts back, from that day on, the columns (in memory) and the terms of a morning.

    Days billed since under other terms are given back and billed anew; positions added since are removed.
    """
    for name, value in morning["columns"].items():
        setattr(subscription, name, value if name.endswith("_id") else _column(name, value))
    for slot in subscription.slots.all():
        kept = [row_of(slot, values) for values in morning["terms"].get(str(slot.pk), [])]
        rows = [held for held in kept if held.until_on is None or held.until_on > day]
        if rows:
            rows[0].from_on = max(day, rows[0].from_on)
        else:
            last = sorted(slot.terms.all(), key=lambda held: held.from_on)[-1]
            rows = [copy_of(last, from_on=day, until_on=None, standing=SlotTerms.Standing.REMOVED)]
        if not _same(slot, rows, day):
            rows[0].settles = SlotTerms.Settles.REBILL
            replace(slot, day, rows)


def _column(name: str, value: Any) -> Any:
    field = Subscription._meta.get_field(name)
    assert isinstance(field, Field)
    return field.to_python(value)


def _same(slot: Slot, rows: Sequence[SlotTerms], day: date) -> bool:
    now = [held for held in sorted(slot.terms.all(), key=lambda held: held.from_on) if held.from_on >= day]
    if len(now) != len(rows):
        held = terms_on(slot.terms.all(), day)
        return not now and len(rows) == 1 and held is not None and _alike(held, rows[0])
    return all(_alike(one, two) and one.from_on == two.from_on for one, two in zip(now, rows, strict=True))


def _alike(one: SlotTerms, two: SlotTerms) -> bool:
    return one.until_on == two.until_on and all(getattr(one, name) == getattr(two, name) for name in KEPT)


def row_of(slot: Slot, values: Mapping[str, Any]) -> SlotTerms:
    """An unsaved row from what `morning_of` kept of it."""
    row = dict(values)
    for name in _DATES:
        row[name] = None if row[name] is None else date.fromisoformat(row[name])
    for name in _FIGURES:
        row[name] = None if row[name] is None else Decimal(row[name])
    return SlotTerms(company_id=slot.company_id, slot_id=slot.pk, **row)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return format(value, "f") if isinstance(value, Decimal) else value
