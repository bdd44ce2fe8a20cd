"""Moving the billing day of a running subscription.

The rule that matters: it takes effect at the end of the paid period of each position. The days up to the next such day
are a stub over the new cycle's full period, billed when they begin; nothing invoiced is given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from catalog.models import AnchorRule
from core import checks
from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from pricing.periods import Anchor, Interval
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import (
    change_columns,
    dating,
    due,
    holding,
    moves,
    renewals,
    resting,
    retiming,
    schedule,
    standing,
)

ONE_DAY = timedelta(days=1)
DAY = Change.Kind.DAY
Status = Change.Status
#: The key of a change's summary that names, by slot id, the first day counted anew and the anchors after and before.
COUNTED = "counted"
#: What a row of terms is counted from; empty: the subscription's anchor.
Count = tuple[date | None, int | None]


def move_day(
    *,
    subscription: Subscription,
    day: int,
    reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """Periods begin on that day of the month, 1 to 31, from the end of the paid period on; in months too short for it,
    on their last day.

    Months and years only. With arrears or usage alone, from the end of the running period. A move planned before is
    replaced; one to the day that holds anyway changes nothing.
    """
    checks.whole(day, field="day", least=1, most=31)
    checked(reason, field="reason", limit=500)
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state in moves.ENDED:
            assert held.ends_on is not None
            raise Refused("subscription.ended", day=held.ends_on)
        if held.interval_unit not in ("month", "year"):
            raise Refused("subscription.day_without_months", field="day")
        planned = planned_move(held)
        wanted = planned.summary["day"] if planned is not None else held.anchor_month_day
        if wanted == day:
            return held
        forget(held, Status.REPLACED, at=at)
        if day != held.anchor_month_day:
            _plan(held, day, reason, on=on, at=at)
        _done(held, "move_day", "day_move_planned", {"day": day}, reason, on=on, by=by, at=at)
    return held


def undo_move(*, subscription: Subscription, on: date, by: Actor, at: datetime) -> Subscription:
    """Takes a planned move of the billing day back. With none planned, nothing happens."""
    with transaction.atomic():
        held = holding.lock(subscription)
        renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
        planned = planned_move(held)
        if planned is not None:
            forget(held, Status.UNDONE, at=at)
            facts = {"day": planned.summary["day"]}
            _done(held, "undo_move_day", "day_move_undone", facts, "", on=on, by=by, at=at)
    return held


def planned_move(held: Subscription) -> Change | None:
    """The move of the billing day that is planned for the locked subscription, if any."""
    return next((change for change in standing.planned_changes(held) if change.kind == DAY), None)


def forget(held: Subscription, status: Change.Status, *, at: datetime) -> None:
    """Takes a planned move out of the locked subscription and of its terms; the caller saves."""
    planned = planned_move(held)
    if planned is None:
        return
    for slot in held.slots.all():
        told = planned.summary[COUNTED].get(str(slot.pk))
        if told is not None:
            _count(slot, date.fromisoformat(told["from_on"]), _anchor(told["anchor"]), _anchor(told["before"]))
    _close(held, planned, status, at=at)


def superseded(held: Subscription, *, at: datetime) -> Change | None:
    """A change that counts everything anew takes the place of a planned move, in memory; the caller writes it. Its
    terms are the caller's, too."""
    planned = planned_move(held)
    if planned is not None:
        standing.close(held, [planned], Status.REPLACED, at=at)
    return planned


def _close(held: Subscription, planned: Change, status: Change.Status, *, at: datetime) -> None:
    standing.close(held, [planned], status, at=at)
    planned.save(update_fields=["status", "closed_at"])


def _plan(held: Subscription, day: int, reason: str, *, on: date, at: datetime) -> None:
    firsts = {slot.pk: _first_day(held, slot, on) for slot in held.slots.all()}
    own = (held.interval_unit, held.interval_count)
    live = [(begins, row) for begins, row in firsts.values() if row is not None]
    leading = [begins for begins, row in live if (row.interval_unit, row.interval_count) == own]
    first = max(leading or [begins for begins, _ in live], default=None)
    if first is None:
        raise Refused("subscription.day_without_months", field="day")
    if held.ends_on is not None and first > held.ends_on:
        raise Refused("subscription.act_after_end", field="day", day=held.ends_on)
    if any(change.effective_on == first for change in standing.planned_changes(held)):
        raise Refused("change.day_taken", field="day", day=first)
    counted = {}
    for slot in held.slots.all():
        begins, row = firsts[slot.pk]
        if row is None or row.interval_unit not in ("month", "year"):
            continue
        new = Anchor.chosen_day(Interval(row.interval_unit, row.interval_count), day, begins)  # type: ignore[arg-type]
        before = (row.anchor_on, row.anchor_month_day)
        _count(slot, begins, before, (new.on, new.day))
        counted[str(slot.pk)] = {
            "from_on": begins.isoformat(), "anchor": _told(new.on, new.day), "before": _told(*before),
        }  # fmt: skip
    anchor = Anchor.chosen_day(Interval(held.interval_unit, held.interval_count), day, first)  # type: ignore[arg-type]
    columns = {
        "anchor_on": anchor.on, "anchor_month_day": anchor.day, "anchor_rule": AnchorRule.DAY, "anchor_day": day,
    }  # fmt: skip
    made = Change.objects.create(
        company_id=held.company_id, subscription=held, kind=DAY, status=Status.PLANNED, effective_on=first,
        values=change_columns.plain(columns), summary={"day": day, COUNTED: counted}, reason=reason,
        asked_at=at,
    )  # fmt: skip
    standing.keep_planned(held, [*standing.planned_changes(held), made])


def _first_day(held: Subscription, slot: Slot, on: date) -> tuple[date, SlotTerms | None]:
    """The first day of a position after its paid period, or after the running one, and the terms that hold on it."""
    first = slot.billed_through_on + ONE_DAY
    now = retiming.terms_on(slot.terms.all(), max(on, slot.billed_through_on))
    if now is not None and first <= on:
        terms = due.terms_row(now)
        first = schedule.period_of(due.agreement_of(held), terms, max(on, held.paid_from_on))[1]
    row = retiming.terms_on(slot.terms.all(), first)
    return first, None if row is None or row.standing == SlotTerms.Standing.REMOVED else row


def _count(slot: Slot, day: date, before: Count, after: Count) -> None:
    """Terms from that day on that are counted from one anchor are counted from the other."""
    rows = resting.rows_from(slot, day)
    for row in rows:
        if (row.anchor_on, row.anchor_month_day) == before:
            row.anchor_on, row.anchor_month_day = after
    resting.put(slot, day, rows)


def _told(anchor_on: date | None, month_day: int | None) -> list[Any]:
    return [None if anchor_on is None else anchor_on.isoformat(), month_day]


def _anchor(told: list[Any]) -> Count:
    return (None if told[0] is None else date.fromisoformat(told[0]), told[1])


def _done(
    held: Subscription,
    verb: str,
    past: str,
    facts: Mapping[str, Any],
    reason: str,
    *,
    on: date,
    by: Actor,
    at: datetime,
) -> None:
    holding.plan_ahead(held, on)
    renewals.keep_waiting(held)
    holding.save([held])
    planned = planned_move(held)
    facts = {**facts, "effective_on": None if planned is None else planned.effective_on}
    dating.audit(held, verb, facts, reason, by=by, at=at)
    dating.emit(held, past, facts, at=at)
