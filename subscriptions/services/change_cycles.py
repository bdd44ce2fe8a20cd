"""A change on its way: which columns move with it, and what its periods are counted from.

The rule that matters: with the same cycle the anchor stays; another cycle is counted from the day, unless the anchor is
kept or the first paid day is still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalog.models import AnchorRule
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services import change_columns, change_days
from subscriptions.services.change_specs import Wanted, Wish
from subscriptions.services.retiming import content_of
from subscriptions.services.rewriting import Rewriting


@dataclass(slots=True)
class Act:
    """A change on its way: what is wanted, and what it came to."""

    held: Subscription
    wanted: Wanted
    day: date
    on: date
    waits: bool
    keep_anchor: bool
    now: Rewriting
    values: dict[str, Any]
    touched: dict[str, Any]
    told: list[dict[str, Any]]
    slots: dict[str, dict[str, Any]]
    counted_from: tuple[date, int] | None = None


def set_columns(act: Act, wishes: Sequence[Wish]) -> None:
    """Columns of the subscription that move on the day: those of the plan, the cycle and what it is counted from."""
    held, columns = act.held, act.wanted.columns()
    if act.wanted.plan is None:
        cycle = _common_cycle(act, wishes)
        if cycle is not None:
            columns |= cycle
    unit, count = columns.get("interval_unit", held.interval_unit), columns.get("interval_count", held.interval_count)
    is_other = (unit, count) != (held.interval_unit, held.interval_count)
    if is_other and act.day <= held.paid_from_on:
        if act.wanted.plan is not None:
            columns |= {"anchor_rule": act.wanted.plan.anchor_rule, "anchor_day": act.wanted.plan.anchor_day}
        act.counted_from = change_days.first_anchor(held, columns)
    elif is_other and not act.keep_anchor:
        leading = next((wish for wish in wishes if wish.is_recurring and wish.slot and wish.content), None)
        row = act.now.on(leading.slot, act.day) if leading is not None and leading.slot is not None else None
        act.counted_from = change_days.new_anchor(held, row, _first_day(act, leading))
        columns |= {"anchor_rule": AnchorRule.ANNIVERSARY, "anchor_day": None}
    if act.counted_from is not None:
        columns |= {"anchor_on": act.counted_from[0], "anchor_month_day": act.counted_from[1]}
    act.values = change_columns.plain(
        {name: value for name, value in columns.items() if value != getattr(held, name) or name == "anchor_on"}
    )


def _common_cycle(act: Act, wishes: Sequence[Wish]) -> dict[str, Any] | None:
    """The cycle that all positions of the subscription's own cycle change to; None: they keep theirs, or differ."""
    held = act.held
    own = (held.interval_unit, held.interval_count)
    new = {wish.slot.pk: wish.content for wish in wishes if wish.slot is not None and wish.content is not None}
    found = set()
    for slot in held.slots.all():
        row = act.now.on(slot, act.day)
        if row is None or row.standing == SlotTerms.Standing.REMOVED or slot.kind != Slot.Kind.RECURRING:
            continue
        if (row.interval_unit, row.interval_count) == own:
            content = new.get(slot.pk, content_of(row))
            found.add((content["interval_unit"], content["interval_count"]))
    if len(found) != 1 or own in found:
        return None
    unit, count = found.pop()
    return {"interval_unit": unit, "interval_count": count}


def _first_day(act: Act, wish: Wish | None) -> date:
    """The day from which the new terms of a position are charged."""
    if wish is None or wish.slot is None:
        return act.day
    found = steps(act, wish.slot, wish, is_counted_anew=True)
    return found[-1].from_on if found else act.day


def steps(act: Act, slot: Slot, wish: Wish, *, is_counted_anew: bool) -> list[change_days.Step]:
    return change_days.steps(
        act.held, act.now, slot, wish.content, act.day, waits=act.waits, is_counted_anew=is_counted_anew
    )


def is_counted_anew(act: Act, row: SlotTerms, wish: Wish) -> bool:
    if wish.content is None:
        return False
    cycle = (wish.content["interval_unit"], wish.content["interval_count"])
    if act.day <= act.held.paid_from_on:
        return act.counted_from is not None
    return cycle != (row.interval_unit, row.interval_count) and not act.keep_anchor
