"""Columns that a change moves on its day, on the subscription and on its positions, from what was kept as JSON.

The rule that matters: they move on the first day of the new terms, never before; terms that relied on the anchor keep
the one they were counted from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.db.models import Field

from catalog.models import Unused
from core.refusal import Refused
from subscriptions.models import Slot, Subscription
from subscriptions.services import retiming, terms

ONE_DAY = timedelta(days=1)
EndKind = Subscription.EndKind
#: The key under which a change keeps columns of positions: by slot id, the product and the plan's item.
SLOTS = "slots"


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as JSON keeps them."""
    return {name: retiming.plain(value) for name, value in values.items()}


def moves_anchor(held: Subscription, values: Mapping[str, Any]) -> bool:
    """Whether these columns count the subscription from another day. Terms that rely on the old one name it before."""
    anchor = (values.get("anchor_on"), values.get("anchor_month_day"))
    return anchor[0] is not None and anchor != (held.anchor_on.isoformat(), held.anchor_month_day)


def put(held: Subscription, values: Mapping[str, Any], day: date) -> list[Slot]:
    """Moves the columns in memory and reckons term and end anew; the slots that changed, to be saved.

    Refuses `change.term_over` when the contract would have ended before that day.
    """
    columns = {name: value for name, value in values.items() if name != SLOTS}
    for name, value in columns.items():
        setattr(held, name, value if name.endswith("_id") else _column(name, value))
    if columns:
        reckon(held, day)
    moved = []
    for slot in held.slots.all():
        new = values.get(SLOTS, {}).get(str(slot.pk))
        if new is not None and (slot.product_id, slot.item_id) != (new["product_id"], new["item_id"]):
            slot.product_id, slot.item_id = new["product_id"], new["item_id"]
            moved.append(slot)
    return moved


def reckon(held: Subscription, day: date) -> None:
    """The running term of that day, and the end of a contract that ends by itself, under the columns as they are."""
    held.term_start_on, held.term_ends_on = terms.running_term(held, day)
    if held.end_kind == EndKind.CANCEL and held.ends_on is not None:
        return
    runs_out = terms.end_by_itself(held)
    if runs_out is not None and runs_out < day:
        raise Refused("change.term_over", field="plan", day=runs_out)
    held.ends_on = runs_out
    held.end_kind = EndKind.EXPIRE if runs_out is not None else ""
    held.end_unused = Unused.CREDIT if runs_out is not None else ""


def of_slots(held: Subscription) -> dict[str, dict[str, Any]]:
    """Product and plan's item of each position, as they are."""
    return {str(slot.pk): {"product_id": slot.product_id, "item_id": slot.item_id} for slot in held.slots.all()}


def _column(name: str, value: Any) -> Any:
    field = Subscription._meta.get_field(name)
    assert isinstance(field, Field)
    return field.to_python(value)
