"""Changes taken back: planned ones until their day, those of today until it is over, and those that others replace.

The rule that matters: only what the change itself moved goes back; pauses, other positions and other columns stay.
What is past is corrected by a change dated back, never removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction

from core.actors import Actor
from core.refusal import Refused
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import change_columns, change_days, change_story, holding, renewals, retiming, standing
from subscriptions.services.change_columns import SLOTS
from subscriptions.services.change_specs import Wanted, Wish
from subscriptions.services.items import PRICED
from subscriptions.services.retiming import CONTENT, content_of, says
from subscriptions.services.rewriting import Rewriting, rows_of

Kind, Status = Change.Kind, Change.Status
#: Changes of what is supplied and what it costs.
OF_TERMS = (Kind.PLAN, Kind.PRICE, Kind.QUANTITY, Kind.ITEMS, Kind.VERSION)
#: The key of `Change.before` that names the positions it touched: by slot id what became of each, and from when.
TOUCHED = "touched"


@dataclass(frozen=True, slots=True)
class Changed:
    """What came of an act: the subscription, the change, planned ones it replaced, whether it took today's changes
    back instead (`change` is then the first of them), and whether it is dated back."""

    subscription: Subscription
    change: Change
    replaced: tuple[Change, ...] = ()
    is_taken_back: bool = False
    is_backdated: bool = False


@dataclass(frozen=True, slots=True)
class Worked:
    """What an act comes to, on the subscription in memory, whose new positions are numbered below 0; `write` writes it,
    and gives them their ids."""

    changed: Changed
    write: Callable[[], None]


def undo(*, change: Change, on: date, by: Actor, at: datetime) -> Changed:
    """Takes a planned change back, or one of today: the terms of the morning hold again, anchor and price version
    included. Undone already: nothing happens.

    Refuses `change.undo_too_late`, `change.is_replaced`, and `change.later_first` while a later one builds on it.
    """
    with transaction.atomic():
        held = holding.lock(change.subscription)
        renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
        made = Change.objects.get(pk=change.pk)
        if made.status == Status.UNDONE:
            return Changed(held, made)
        if made.kind not in OF_TERMS:
            raise Refused("change.other_kind", kind=made.get_kind_display())
        if made.status == Status.REPLACED:
            raise Refused("change.is_replaced")
        if made.status == Status.DONE:
            return _take_back_today(held, made, on=on, by=by, at=at)
        own = set(made.before.get(TOUCHED, {}))
        for later in standing.planned_changes(held):
            if later.pk > made.pk and own & set(later.before.get(TOUCHED, {})):
                raise Refused("change.later_first", day=later.effective_on)
        now = Rewriting()
        unplan(held, now, made)
        now.flush()
        standing.close(held, [made], Status.UNDONE, at=at)
        write_closed([made])
        holding.plan_ahead(held, on)
        renewals.keep_waiting(held)
        holding.save([held])
        change_story.tell_undone(held, made, by=by, at=at)
    return Changed(held, made)


def _take_back_today(held: Subscription, made: Change, *, on: date, by: Actor, at: datetime) -> Changed:
    if made.status != Status.DONE or made.effective_on != on or made.kind not in OF_TERMS:
        raise Refused("change.undo_too_late", day=made.effective_on)
    own = set(made.before.get(TOUCHED, {}))
    for later in _of_today(held, on):
        if later.pk > made.pk and (own & set(later.before.get(TOUCHED, {})) or (made.values and later.values)):
            raise Refused("change.later_first", day=later.effective_on)
    worked = _put_back(held, [made], on=on, by=by, at=at)
    worked.write()
    return worked.changed


def back(held: Subscription, wanted: Wanted, now: Rewriting, *, on: date, by: Actor, at: datetime) -> Worked | None:
    """Today's changes taken back when the wanted terms are those of the morning; None: they are others."""
    today = _of_today(held, on)
    if not today:
        return None
    wishes = wanted.wishes(now, on)
    asked = {str(wish.slot.pk) for wish in wishes if wish.slot is not None}
    since = [made for made in today if wanted.plan is not None or asked & set(made.before.get(TOUCHED, {}))]
    if not since or not _is_morning(held, wanted, now, wishes, since, on):
        return None
    return _put_back(held, since, on=on, by=by, at=at)


def replace_planned(
    held: Subscription, now: Rewriting, slots: Iterable[Slot], day: date, *, on: date, at: datetime
) -> list[Change]:
    """Takes out, in `now`, planned changes of that day, and later ones of these positions; they are marked replaced in
    memory, the caller writes them."""
    asked = {str(slot.pk) for slot in slots}
    planned = standing.planned_changes(held)
    if day > on and any(made.effective_on == day and made.kind not in OF_TERMS for made in planned):
        raise Refused("change.day_taken", field="effective_on", day=day)
    dropped = [
        made
        for made in planned
        if made.kind in OF_TERMS
        and (made.effective_on == day or (made.effective_on > day and asked & set(made.before.get(TOUCHED, {}))))
    ]
    # What was planned last goes first: it may stand on what was planned before.
    for made in sorted(dropped, key=lambda made: -made.pk):
        unplan(held, now, made)
    standing.close(held, dropped, Status.REPLACED, at=at)
    return dropped


def unplan(held: Subscription, now: Rewriting, made: Change) -> None:
    """Takes the terms of a planned change out, in memory."""
    slots = {str(slot.pk): slot for slot in held.slots.all()}
    for key, facts in made.before.get(TOUCHED, {}).items():
        slot, day = slots[key], date.fromisoformat(facts["from_on"])
        prior = now.before(slot, day)
        if facts["was"] == "added":
            now.drop(held, slot)
        elif facts["was"] == "removed" or prior is None:
            now.restore(slot, day, _rows_before(slot, made))
        else:
            row, anchor = now.on(slot, day), (prior.anchor_on, prior.anchor_month_day)
            is_counted_so = row is None or anchor == (row.anchor_on, row.anchor_month_day)
            now.lay(slot, day, content_of(prior), anchor=None if is_counted_so else anchor)


def _of_today(held: Subscription, on: date) -> list[Change]:
    """The changes of terms that took effect that day; no query for one that was never changed."""
    if not getattr(held, "has_changes", True):
        return []
    rows = Change.objects.filter(subscription=held, status=Status.DONE, effective_on=on, kind__in=OF_TERMS)
    return list(rows.order_by("pk"))


def _is_morning(
    held: Subscription, wanted: Wanted, now: Rewriting, wishes: Sequence[Wish], since: Sequence[Change], day: date
) -> bool:
    """Whether these wishes come to exactly what stood there before today's changes."""
    plan_ids = [made.before["columns"]["plan_id"] for made in since if made.kind == Kind.PLAN]
    if (plan_ids[:1] != [wanted.plan.pk]) if wanted.plan is not None else plan_ids:
        return False
    by_slot = {str(wish.slot.pk): wish for wish in wishes if wish.slot is not None}
    added = {wish.fresh.product.pk: wish for wish in wishes if wish.slot is None and wish.fresh is not None}
    first: dict[str, Change] = {}
    for made in since:
        for key in made.before.get(TOUCHED, {}):
            first.setdefault(key, made)
    slots = {str(slot.pk): slot for slot in held.slots.all()}
    for key, wish in by_slot.items():
        row = now.on(slots[key], day)
        if key not in first and (row is None or wish.content is None or not says(slots[key], row, wish.content)):
            return False
    for key, made in first.items():
        slot, facts = slots[key], made.before[TOUCHED][key]
        asked = by_slot.get(key)
        if facts["was"] == "added":
            if asked is None or asked.content is not None:
                return False
            continue
        morning = next((row for row in _rows_before(slot, made) if row.until_on is None or row.until_on > day), None)
        row = now.on(slot, day)
        product_id = made.before[SLOTS][key]["product_id"]
        if asked is None and row is not None and row.standing == SlotTerms.Standing.REMOVED:
            asked = added.pop(product_id, None)
        content = asked.content if asked is not None else content_of(row) if row is not None else None
        if asked is not None and asked.item is not None:
            product_id = product_id if asked.item.product_id == product_id else None
        if morning is None or content is None or product_id is None or not _same(morning, content, wanted):
            return False
    return not added


def _same(morning: SlotTerms, content: Mapping[str, Any], wanted: Wanted) -> bool:
    """A plan says which prices hold; without one the prices themselves must be those of the morning."""
    apart = {"product_id", "price_id"} | (set(PRICED) if wanted.plan is not None else set())
    return all(getattr(morning, name) == content[name] for name in CONTENT if name not in apart)


def _put_back(held: Subscription, since: Sequence[Change], *, on: date, by: Actor, at: datetime) -> Worked:
    """The latest first, each to what stood there before it."""
    values: dict[str, Any] = {}
    now = Rewriting()
    for made in sorted(since, key=lambda made: -made.pk):
        columns = {name: made.before["columns"][name] for name in made.values if name in retiming.COLUMNS}
        values |= columns
        if SLOTS in made.values:
            values.setdefault(SLOTS, {}).update({key: made.before[SLOTS][key] for key in made.values[SLOTS]})
    moved = change_columns.put(held, values, on)
    slots = {str(slot.pk): slot for slot in held.slots.all()}
    restored = set()
    for made in sorted(since, key=lambda made: made.pk):
        for key, facts in made.before.get(TOUCHED, {}).items():
            if key in restored:
                continue
            restored.add(key)
            days = [one.before[TOUCHED][key]["from_on"] for one in since if key in one.before.get(TOUCHED, {})]
            slot, day = slots[key], date.fromisoformat(min(days))
            rows = [] if facts["was"] == "added" else _rows_before(slot, made)
            now.restore(slot, day, rows, settles=change_days.settles_back(held, now, slot, day))
    now.show()
    standing.close(held, since, Status.UNDONE, at=at)
    holding.plan_ahead(held, on)
    renewals.keep_waiting(held)

    def write() -> None:
        if moved:
            Slot.objects.bulk_update(moved, ["product", "item"])
        now.flush()
        write_closed(since)
        renewals.recount(held, on, on)
        holding.save([held])
        for made in since:
            change_story.tell_undone(held, made, by=by, at=at)

    return Worked(Changed(held, since[0], is_taken_back=True), write)


def _rows_before(slot: Slot, made: Change) -> list[SlotTerms]:
    return rows_of(slot, made.before["terms"].get(str(slot.pk), []))


def write_closed(made: Sequence[Change]) -> None:
    """Writes that changes are planned or done no more, all in the same way. No statement without any."""
    if made:
        first = made[0]
        rows = Change.objects.filter(pk__in=[one.pk for one in made])
        rows.update(status=first.status, closed_at=first.closed_at)
