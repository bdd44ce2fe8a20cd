"""Pauses: service and billing stop from a day on, until it is resumed or a planned day comes.

The rule that matters: days billed from the first day of the pause on are given back; resuming on that very day brings
the morning back, anchor, price version and quantity included.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction

from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from subscriptions.models import Change, SlotTerms, Subscription
from subscriptions.services import dating, holding, renewals, resting

State = Subscription.State
PAUSED = SlotTerms.Standing.PAUSED
Kind, Status = Change.Kind, Change.Status


def pause(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    until: date | None = None,
    keep_anchor: bool = False,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """Pauses from that day on (today unless named), with `until`, the first day after it, if its end is planned.

    `keep_anchor` counts periods after `until` as before the pause. A pause planned before is replaced; for one that
    runs, only `until` can still be set. Asking again for the same changes nothing. A day of the past needs `override`
    and a reason. Billed days are given back by `billing.services.acts_pausing.pause`.
    """
    checked(reason, field="reason", limit=500)
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state == State.PAUSED:
            if until is None or until == held.resumes_on:
                return held
            return _plan_end(held, until, keep_anchor, reason, on=on, by=by, at=at)
        first = dating.checked_day(held, from_on, on=on, override=override, override_reason=override_reason)
        if held.state == State.SUSPENDED:
            raise Refused("subscription.move", state=held.get_state_display(), to=State.PAUSED.label)
        if until is not None and until <= first:
            raise Refused("subscription.pause_empty", field="until")
        if held.paused_from_on is not None:
            if _is_planned(held, first, until, keep_anchor):
                return held
            drop_planned(held, Status.REPLACED, at=at)
        _write(
            held, Kind.PAUSE, first, reason or override_reason, at=at,
            summary={"until": until and until.isoformat(), "keep_anchor": keep_anchor},
        )  # fmt: skip
        resting.lay(held, PAUSED, first, until=until, keep_anchor=keep_anchor)
        held.paused_from_on, held.resumes_on = first, until
        facts = {"from_on": first, "until": until, "keep_anchor": keep_anchor, "override": override}
        _done(
            held, "pause", "pause_planned", facts, override_reason or reason, is_planned=first > on, on=on, by=by, at=at
        )
        renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
    return held


def resume(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    keep_anchor: bool = False,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """Ends a running pause on that day (today unless named): it is in service, and billed, from that day on.

    Periods are counted from that day; with `keep_anchor`, or on the first day of the pause, as before the pause. A
    later day plans the end. Not paused: nothing happens. A day of the past needs `override` and a reason.
    """
    checked(reason, field="reason", limit=500)
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state == State.ACTIVE and (held.paused_from_on is None or held.paused_from_on > on):
            return held
        if held.state == State.ACTIVE:
            # Its pause begins today and no tick came yet.
            renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
        if held.state != State.PAUSED or held.paused_from_on is None:
            raise Refused("subscription.not_paused")
        first = dating.checked_day(held, from_on, on=on, override=override, override_reason=override_reason)
        if first < held.paused_from_on:
            raise Refused("subscription.resume_before_pause", field="from_on", day=held.paused_from_on)
        if first > on:
            return _plan_end(held, first, keep_anchor, reason, on=on, by=by, at=at)
        _drop_planned_end(held, at=at)
        _write(held, Kind.RESUME, first, reason or override_reason, at=at, summary={"keep_anchor": keep_anchor})
        if first == held.paused_from_on:
            resting.lift(held, PAUSED, first, None)
            keep_anchor = True
            _undone(held, first, at=at)
        else:
            resting.take_up(held, PAUSED, first, anchor_on=None if keep_anchor else first)
        facts = {"from_on": first, "keep_anchor": keep_anchor, "override": override}
        dating.audit(held, "resume", facts, override_reason or reason, by=by, at=at)
        renewals.resume_now(held, first, on=on, at=at, by=by)
    return held


def undo_pause(*, subscription: Subscription, on: date, by: Actor, at: datetime) -> Subscription:
    """Takes back a pause that has not begun, or the planned end of one that runs. None planned: nothing happens."""
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state == State.PAUSED and held.resumes_on is not None and held.resumes_on > on:
            _drop_planned_end(held, at=at)
        elif held.state in (State.PENDING, State.TRIAL, State.ACTIVE) and held.paused_from_on is not None:
            if held.paused_from_on <= on:
                raise Refused("subscription.pause_begun", day=held.paused_from_on)
            drop_planned(held, Status.UNDONE, at=at)
        else:
            return held
        _done(held, "undo_pause", "pause_undone", {}, "", is_planned=True, on=on, by=by, at=at)
    return held


def drop_planned(held: Subscription, status: Change.Status, *, at: datetime, note: str = "") -> None:
    """Takes a pause that has not begun out of the locked subscription and its terms; the caller saves it."""
    if held.paused_from_on is None:
        return
    resting.lift(held, PAUSED, held.paused_from_on, held.resumes_on)
    for change in held.changes.filter(kind__in=(Kind.PAUSE, Kind.RESUME), status=Status.PLANNED):
        change.status, change.closed_at = status, at
        if note:
            change.summary = change.summary | {"dropped_by": note}
        change.save(update_fields=["status", "closed_at", "summary"])
    held.paused_from_on = held.resumes_on = None


def plan_again(held: Subscription, *, on: date, note: str) -> None:
    """Plans the pause again that was dropped with that note, if its day is still to come; the caller saves."""
    dropped = held.changes.filter(kind=Kind.PAUSE, status=Status.REPLACED, summary__dropped_by=note).order_by("-id")
    change = dropped.first()
    if change is None or change.effective_on <= on or held.paused_from_on is not None:
        return
    until = change.summary.get("until")
    last = None if until is None else date.fromisoformat(until)
    keep_anchor = bool(change.summary.get("keep_anchor"))
    resting.lay(held, PAUSED, change.effective_on, until=last, keep_anchor=keep_anchor)
    held.paused_from_on, held.resumes_on = change.effective_on, last
    change.status, change.closed_at = Status.PLANNED, None
    change.summary = {name: value for name, value in change.summary.items() if name != "dropped_by"}
    change.save(update_fields=["status", "closed_at", "summary"])


def _plan_end(
    held: Subscription, until: date, keep_anchor: bool, reason: str, *, on: date, by: Actor, at: datetime
) -> Subscription:
    """A pause that runs ends on a day to come."""
    if until <= on:
        raise Refused("subscription.act_in_the_past", field="until", day=until)
    dating.checked_day(held, until, on=on, override=False, override_reason="", field="until")
    _drop_planned_end(held, at=at)
    _write(held, Kind.RESUME, until, reason, at=at, summary={"keep_anchor": keep_anchor})
    resting.take_up(held, PAUSED, until, anchor_on=None if keep_anchor else until)
    held.resumes_on = until
    facts = {"until": until, "keep_anchor": keep_anchor}
    _done(held, "plan_resume", "resume_planned", facts, reason, is_planned=True, on=on, by=by, at=at)
    return held


def _drop_planned_end(held: Subscription, *, at: datetime) -> None:
    """The pause that runs has no planned end any more: days after it rest again."""
    if held.resumes_on is None:
        return
    resting.lay_on(held, PAUSED, held.resumes_on)
    held.resumes_on = None
    planned = held.changes.filter(kind=Kind.RESUME, status=Status.PLANNED)
    planned.update(status=Status.REPLACED, closed_at=at)


def _is_planned(held: Subscription, first: date, until: date | None, keep_anchor: bool) -> bool:
    if (held.paused_from_on, held.resumes_on) != (first, until):
        return False
    change = held.changes.filter(kind=Kind.PAUSE, status=Status.PLANNED).last()
    return until is None or change is None or bool(change.summary.get("keep_anchor")) == keep_anchor


def _write(
    held: Subscription, kind: Change.Kind, day: date, reason: str, *, at: datetime, summary: dict[str, Any]
) -> None:
    Change.objects.create(
        company_id=held.company_id, subscription=held, kind=kind, status=Status.PLANNED, effective_on=day,
        summary=summary, reason=reason, asked_at=at,
    )  # fmt: skip


def _undone(held: Subscription, day: date, *, at: datetime) -> None:
    """What was done that day and is taken back on it says so."""
    done = held.changes.filter(kind=Kind.PAUSE, effective_on=day, status__in=(Status.PLANNED, Status.DONE))
    done.update(status=Status.UNDONE, closed_at=at)


def _done(
    held: Subscription,
    verb: str,
    past: str,
    facts: dict[str, Any],
    reason: str,
    *,
    is_planned: bool,
    on: date,
    by: Actor,
    at: datetime,
) -> None:
    holding.plan_ahead(held, on)
    renewals.keep_waiting(held)
    holding.save([held])
    dating.audit(held, verb, facts, reason, by=by, at=at)
    if is_planned:
        dating.emit(held, past, facts, at=at)
