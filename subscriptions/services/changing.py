"""Changes of a running agreement: of plan, price, quantity and positions; now, at a period's end, or on a day.

The rule that matters: the day of a change belongs to the new terms, and its terms are written at once, however far
ahead; what they do to billed days is settled by billing, and columns of the subscription move on the day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from catalog.models import Plan
from core import checks
from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import (
    anchoring,
    change_columns,
    change_cycles,
    change_days,
    change_story,
    dating,
    holding,
    moves,
    renewals,
    resting,
    retiming,
    standing,
    unchanging,
)
from subscriptions.services.change_days import DATE, NOW, PERIOD_END, TIMINGS
from subscriptions.services.change_specs import ItemChange, Wanted, Wish
from subscriptions.services.rewriting import Anchor, Rewriting
from subscriptions.services.unchanging import TOUCHED, Changed, Worked

__all__ = ["Asked", "Changed", "ItemChange", "change", "work_out"]

ONE_DAY = timedelta(days=1)
Kind, Status, Proration = Change.Kind, Change.Status, Change.Proration
State = Subscription.State


@dataclass(frozen=True, slots=True)
class Asked:
    """A change as it is asked for; see `change`."""

    plan: Plan | None = None
    items: Sequence[ItemChange] = ()
    timing: str | None = None
    effective_on: date | None = None
    proration: str = Proration.PRORATE
    keep_anchor: bool = False
    reason: str = ""
    override: bool = False
    override_reason: str = ""
    kind: str | None = None


def change(
    *,
    subscription: Subscription,
    plan: Plan | None = None,
    items: Sequence[ItemChange] = (),
    timing: str | None = None,
    effective_on: date | None = None,
    proration: str = Proration.PRORATE,
    keep_anchor: bool = False,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    kind: str | None = None,
    on: date,
    by: Actor,
    at: datetime,
) -> Changed:
    """Changes plan, prices, quantities or positions from a day on; that day belongs to the new terms.

    `plan`: another plan, at the prices on sale that day; `items` then say more about its positions. `timing`: `now`,
    `period_end` (the first day after the running paid period), `date` with `effective_on`, or None: `now` when the
    yearly value is equal or higher and no cycle shorter, else `period_end`. `proration` `none` leaves the running
    period as it is; the new terms are first charged at the next boundary, usage is rated by them from the day on.
    Another cycle is counted from the day unless `keep_anchor`. A day before today needs `override` and
    `override_reason`. Planned changes of the same positions, or of the same day, are replaced and named. A change that
    brings back the terms of the morning takes the day's changes back, anchor and price version included.
    Billed days are settled by `billing.services.acts_changing.change`.
    """
    asked = Asked(
        plan, items, timing, effective_on, proration, keep_anchor, reason, override, override_reason, kind
    )  # fmt: skip
    with transaction.atomic():
        held = holding.lock(subscription)
        renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
        worked = work_out(held, asked, on=on, by=by, at=at)
        worked.write()
    return worked.changed


def work_out(held: Subscription, asked: Asked, *, on: date, by: Actor, at: datetime) -> Worked:
    """What `change` comes to, on a subscription as from `holding.lock` whose moves are made. Nothing is written yet."""
    plan, timing = asked.plan, asked.timing
    checked(asked.reason, field="reason", limit=500)
    checks.choice(asked.proration, Proration.values, field="proration")
    if timing is not None:
        checks.choice(timing, TIMINGS, field="timing")
    if timing == DATE and asked.effective_on is None:
        raise Refused("change.day_missing", field="effective_on")
    if plan is None and not asked.items:
        raise Refused("change.nothing", field="items")
    wanted, now = Wanted(held, _checked_plan(held, plan), asked.items), Rewriting()
    timing = timing or (DATE if asked.effective_on is not None else None)
    is_today = timing in (None, NOW) or (timing == DATE and asked.effective_on == on)
    if is_today and held.state not in moves.ENDED:
        # Whatever it is worth, what goes back to the morning goes back now.
        taken_back = unchanging.back(held, wanted, now, on=on, by=by, at=at)
        if taken_back is not None:
            return taken_back
    day = _day(held, wanted, now, timing, asked.effective_on, on)
    day = dating.checked_day(
        held, day, on=on, override=asked.override, override_reason=asked.override_reason, field="effective_on",
        earliest=held.start_on,
    )  # fmt: skip
    waits = asked.proration == Proration.NONE
    day = max(day, _first_charged(held, wanted, now, day, waits=waits, keep_anchor=asked.keep_anchor))
    if held.ends_on is not None and day > held.ends_on:
        raise Refused("subscription.act_after_end", field="effective_on", day=held.ends_on)
    before = _morning(held)
    replaced = unchanging.replace_planned(held, now, _slots_of(wanted, now, day), day, on=on, at=at)
    act = change_cycles.Act(held, wanted, day, on, waits, asked.keep_anchor, now, {}, {}, [], {})
    _rewrite(act)
    moved_day = anchoring.superseded(held, at=at) if act.counted_from is not None else None
    made = Change(
        company_id=held.company_id,
        subscription=held,
        kind=asked.kind or _kind(wanted, act),
        status=Status.PLANNED if day > on else Status.DONE,
        effective_on=day,
        proration=asked.proration,
        plan=wanted.plan,
        values=act.values,
        before=before | {TOUCHED: act.touched},
        summary=change_story.summary(held, wanted.plan, act.told, replaced, timing, act.counted_from),
        reason=asked.reason or asked.override_reason,
        asked_at=at,
        closed_at=None if day > on else at,
    )
    moved = _finish(act, made)

    def write() -> None:
        unchanging.write_closed([*replaced, *([moved_day] if moved_day is not None else [])])
        _write(act, made, moved)
        change_story.tell(held, made, replaced, asked.override_reason or asked.reason, by=by, at=at)

    return Worked(Changed(held, made, tuple(replaced), is_backdated=day < on), write)


def _checked_plan(held: Subscription, plan: Plan | None) -> Plan | None:
    if plan is None:
        return None
    if plan.company_id != held.company_id:
        raise Refused("not_found", field="plan")
    if plan.status != Plan.Status.ON_SALE:
        raise Refused("subscription.plan_not_on_sale", field="plan", plan=plan.code, state=plan.get_status_display())
    if plan.pk == held.plan_id:
        raise Refused("change.same_plan", field="plan", plan=plan.code)
    return plan


def _day(
    held: Subscription, wanted: Wanted, now: Rewriting, timing: str | None, effective_on: date | None, on: date
) -> date:
    first = max(on, held.start_on)
    if timing is None:
        timing = change_days.usual_timing(held, now, wanted.wishes(now, first), first)
    if timing == NOW:
        return first
    if timing == PERIOD_END:
        slots = [] if wanted.plan is not None else _slots_of(wanted, now, first)
        return change_days.period_end(held, now, slots, first)
    assert effective_on is not None
    return effective_on


def _first_charged(
    held: Subscription, wanted: Wanted, now: Rewriting, day: date, *, waits: bool, keep_anchor: bool
) -> date:
    """The day on which a change of positions begins that waits for a boundary: it is a planned one then."""
    if wanted.plan is not None:
        return day
    first = []
    for wish in wanted.wishes(now, day):
        row = now.on(wish.slot, day) if wish.slot is not None else None
        if wish.slot is None or row is None:
            return day
        cycle = wish.content and (wish.content["interval_unit"], wish.content["interval_count"])
        is_anew = cycle is not None and cycle != (row.interval_unit, row.interval_count) and not keep_anchor
        steps = change_days.steps(held, now, wish.slot, wish.content, day, waits=waits, is_counted_anew=is_anew)
        first += [steps[0].from_on] if steps else []
    return min(first, default=day)


def _slots_of(wanted: Wanted, now: Rewriting, day: date) -> list[Slot]:
    """The positions a change touches; a change of plan touches all."""
    if wanted.plan is not None:
        return list(wanted.held.slots.all())
    return [wish.slot for wish in wanted.wishes(now, day) if wish.slot is not None]


def _kind(wanted: Wanted, act: change_cycles.Act) -> str:
    if wanted.plan is not None:
        return Kind.PLAN
    told = [entry["action"] for entry in act.told]
    if any(action in ("added", "removed") for action in told):
        return Kind.ITEMS
    return Kind.QUANTITY if all(action == "quantity" for action in told) else Kind.PRICE


def _morning(held: Subscription) -> dict[str, Any]:
    return retiming.morning_of(held) | {change_columns.SLOTS: change_columns.of_slots(held)}


def _rewrite(act: change_cycles.Act) -> None:
    """Lays the new terms."""
    held, now, day = act.held, act.now, act.day
    wishes = act.wanted.wishes(now, day)
    change_cycles.set_columns(act, wishes)
    if "anchor_on" in act.values and day <= act.on:
        # Before new rows are made of old ones: what relied on the anchor keeps it.
        now.pin(held)
    for wish in wishes:
        if wish.slot is None:
            _add(act, wish)
        else:
            _lay(act, wish.slot, wish)
    if not act.touched and not act.values and not act.slots:
        raise Refused("change.nothing", field="items")


def _lay(act: change_cycles.Act, slot: Slot, wish: Wish) -> None:
    held, now = act.held, act.now
    row = now.on(slot, act.day)
    assert row is not None
    is_anew = change_cycles.is_counted_anew(act, row, wish)
    steps = change_cycles.steps(act, slot, wish, is_counted_anew=is_anew)
    facts = {"product_id": wish.item.product_id, "item_id": wish.item.pk} if wish.item is not None else None
    if facts is not None and facts != {"product_id": slot.product_id, "item_id": slot.item_id}:
        act.values.setdefault(change_columns.SLOTS, {})[str(slot.pk)] = facts
        if facts["product_id"] != slot.product_id:
            now.name_product(slot)
    if not steps and wish.ends_on is None:
        return
    if act.wanted.plan is None and steps:
        _refuse_ended(act, slot, wish, steps[0].from_on)
    act.told.append(change_story.entry(slot, row, wish.content, wish.item))
    for step in steps:
        anchor: Anchor | None = None
        if is_anew:
            anchor = act.counted_from or change_days.new_anchor(held, row, step.from_on)
            if act.counted_from is not None and step.from_on > act.counted_from[0] and act.day > held.paid_from_on:
                anchor = change_days.new_anchor(held, row, step.from_on)
        now.lay(slot, step.from_on, step.content, settles=step.settles, anchor=anchor, again=wish.again)
    if wish.content is not None and wish.ends_on is not None:
        _end(act, slot, wish.ends_on)
    was = "removed" if wish.content is None or wish.ends_on is not None else "changed"
    first = steps[0].from_on if steps else act.day
    act.touched[str(slot.pk)] = {"was": was, "from_on": first.isoformat()}


def _refuse_ended(act: change_cycles.Act, slot: Slot, wish: Wish, first: date) -> None:
    """New terms that wait for a boundary after the position's own end would never hold."""
    row = act.now.on(slot, first)
    if row is None or row.standing == SlotTerms.Standing.REMOVED:
        raise Refused("change.item_not_there", field="items", day=first)
    if wish.ends_on is not None and wish.ends_on < first:
        raise Refused("change.item_ends_before", field="ends_on", day=first)


def _end(act: change_cycles.Act, slot: Slot, ends_on: date) -> None:
    """The position ends by itself after that day."""
    checks.day(ends_on, field="ends_on")
    if ends_on < act.day:
        raise Refused("change.item_ends_before", field="ends_on", day=act.day)
    after = ends_on + ONE_DAY
    settles = SlotTerms.Settles.REBILL if slot.pk and change_days.is_billed(act.held, slot, after) else ""
    act.now.lay(slot, after, None, settles=settles)


def _add(act: change_cycles.Act, wish: Wish) -> None:
    """A position that is new from the day on; in a trial it is charged after it, unless it is an add-on."""
    held, fresh, day = act.held, wish.fresh, act.day
    assert fresh is not None and wish.content is not None
    charged = day if fresh.is_add_on else max(day, held.paid_from_on)
    slot = Slot(
        company_id=held.company_id,
        subscription=held,
        product=fresh.product,
        kind=fresh.kind,
        meter=fresh.meter,
        item=fresh.item,
        interim_minor=fresh.spec.interim_minor,
        position=max((one.position for one in held.slots.all()), default=0) + 1 + len(act.slots),
        billed_through_on=charged - ONE_DAY,
    )
    anchor_on, month_day = _anchor_beside(act, wish)
    row = SlotTerms(
        company_id=held.company_id, slot=slot, from_on=day, until_on=None, anchor_on=anchor_on,
        anchor_month_day=month_day, **wish.content,
    )  # fmt: skip
    rows = [row]
    # Where it rests no period runs that could be free.
    is_in_period = day > held.paid_from_on and not resting.rests_on(held, day)
    if act.waits and fresh.kind == Slot.Kind.RECURRING and is_in_period:
        start, end = change_days.full_period(held, row, day)
        if start != day:
            rows = [
                retiming.copy_of(row, slot_id=None, standing=SlotTerms.Standing.FREE, until_on=end),
                retiming.copy_of(row, slot_id=None, from_on=end),
            ]
    act.now.add(held, slot, rows)
    if wish.ends_on is not None:
        _end(act, slot, wish.ends_on)
    act.slots[str(id(slot))] = {"slot": slot}
    act.told.append(change_story.entry(slot, None, wish.content, wish.item))


def _anchor_beside(act: change_cycles.Act, wish: Wish) -> Anchor:
    """A new position is counted as the first one of the same cycle that is there beside it."""
    if act.counted_from is not None:
        return act.counted_from
    assert wish.content is not None
    for slot in act.held.slots.all():
        row = act.now.on(slot, act.day)
        if row is None or row.standing == SlotTerms.Standing.REMOVED:
            continue
        if row.interval_unit == wish.content["interval_unit"]:
            return row.anchor_on, row.anchor_month_day
    return None, None


def _finish(act: change_cycles.Act, made: Change) -> list[Slot]:
    """Moves columns when the day has come, and plans ahead; in memory. The positions whose columns moved."""
    held, moved = act.held, list[Slot]()
    act.now.show()
    if made.status == Status.DONE:
        moved = change_columns.put(held, act.values, act.day)
        _name(act, moved)
    else:
        _refuse_term_over(held, act)
        standing.keep_planned(held, [*standing.planned_changes(held), made])
    holding.plan_ahead(held, act.on)
    renewals.keep_waiting(held)
    return moved


def _name(act: change_cycles.Act, moved: Sequence[Slot]) -> None:
    """Puts the plan, its items and their products, read already, beside the columns that name them."""
    if act.wanted.plan is None or act.wanted.offer is None:
        return
    act.held.plan = act.wanted.plan
    items = {item.pk: item for item in act.wanted.offer.items}
    for slot in moved:
        if slot.item_id in items:
            slot.item = items[slot.item_id]
            slot.product = slot.item.product


def _write(act: change_cycles.Act, made: Change, moved: Sequence[Slot]) -> None:
    """Writes the terms, columns that moved and revenue."""
    held = act.held
    act.now.flush()
    for entry in act.slots.values():
        act.touched[str(entry["slot"].pk)] = {"was": "added", "from_on": act.day.isoformat()}
    made.before[TOUCHED] = act.touched
    if moved:
        Slot.objects.bulk_update(moved, ["product", "item"])
    if made.status == Status.DONE:
        renewals.recount(held, act.day, act.on)
    made.save()
    holding.save([held])


def _refuse_term_over(held: Subscription, act: change_cycles.Act) -> None:
    """A planned change is tried on a copy, so that its day brings no surprise."""
    kept = {name: getattr(held, name) for name in retiming.COLUMNS} | {"plan": held.plan}
    slots = [(slot, slot.product, slot.item) for slot in held.slots.all()]
    change_columns.put(held, act.values, act.day)
    for name, value in kept.items():
        setattr(held, name, value)
    for slot, product, item in slots:
        slot.product, slot.item = product, item
