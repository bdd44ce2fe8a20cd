"""Planning an end and taking it back. The end itself happens on its day, by itself.

The rule that matters: without an override no end lies before the first one the contract allows, and a cancellation
wins over everything planned for later.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from catalog.models import CancelTiming, Unused
from core import checks, clock
from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from pricing.periods import period_at
from pricing.terms import BadTerms, EndTooEarly, effective_end
from subscriptions.models import Change, Subscription
from subscriptions.services import dating, holding, moved, movements, moves, pausing, renewals, standing, terms

State = Subscription.State
EndKind = Subscription.EndKind
ONE_DAY = timedelta(days=1)


def plan_end(
    *,
    subscription: Subscription,
    timing: str,
    ends_on: date | None = None,
    unused: str | None = None,
    reason: str = "",
    comment: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """Plans the last day of service: `now` (today), `period_end`, or the `date` in `ends_on`.

    `unused` (credit, refund, none; None: as agreed) says what becomes of paid days after it. `now` and `period_end`
    mean the later of that day and the contract's earliest end; an earlier date is refused. With `override` and a
    reason the contract's terms don't bind, and a day of the past may be named. A customer who leaves freely, because
    the law's notice of the renewal was missed, ends it on any day and gets back what is paid ahead. A paused or
    suspended one ends at once, on the day before that began; it can be taken back that day. A planned pause that would
    outlast the end is dropped. Asking again for what is planned, or for what ends later anyway, changes nothing. Paid
    days are given back by
    `billing.services.acts.cancel`.
    """
    checks.choice(timing, CancelTiming.values, field="timing")
    if unused is not None:
        checks.choice(unused, Unused.values, field="unused")
    checked(reason, field="reason", limit=40)
    checked(comment, field="comment", limit=5_000)
    checked(override_reason, field="override_reason", limit=500)
    if timing == CancelTiming.DATE and ends_on is None:
        raise Refused("subscription.end_missing", field="ends_on")
    if ends_on is not None and ends_on > checks.LATEST:
        raise Refused("subscription.day_range", field="ends_on", day=ends_on)
    if override and not override_reason.strip():
        raise Refused("subscription.override_needs_reason", field="override_reason")
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state in moves.ENDED:
            return held
        if standing.pauses_on(held, on):
            # Its pause begins today and no tick came yet.
            renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
        end = _last_day(held, timing, ends_on, on, override=override)
        if not override and terms.leaves_freely(held, on):
            unused = Unused.REFUND  # What is paid ahead goes back by law, whatever was agreed.
        unused = unused or held.cancel_unused
        planned = held.ends_on if held.end_kind == EndKind.CANCEL else None
        if planned is not None:
            same = planned == end and held.end_unused == unused
            if same:
                return _told_again(held, reason, comment, by=by, at=at)
            if planned < end and timing != CancelTiming.DATE:
                return held
        facts = {"timing": timing, "override": override}
        set_end(held, end, unused, reason, comment, facts, override_reason or reason, on=on, by=by, at=at)
    return held


def set_end(
    held: Subscription,
    end: date,
    unused: str,
    reason: str,
    comment: str,
    facts: dict[str, Any],
    told: str,
    *,
    verb: str = "cancel",
    on: date,
    by: Actor,
    at: datetime,
) -> None:
    """Gives the locked subscription its last day of service, in place of one planned before, and makes what is due.

    `reason` is a code, `told` what the audit keeps as the reason; `facts` are told beside the end.
    """
    facts = {"ends_on": end.isoformat(), "unused": unused, **facts}
    if held.end_kind == EndKind.CANCEL and held.ends_on is not None:
        facts["planned_before"] = held.ends_on.isoformat()
    held.ends_on, held.end_kind, held.end_unused = end, EndKind.CANCEL, unused
    held.end_reason, held.end_comment, held.cancel_asked_at = reason, comment, at
    if _pauses_over(held, end):
        pausing.drop_planned(held, Change.Status.REPLACED, at=at, note="cancel")
    holding.plan_ahead(held, on)
    renewals.keep_waiting(held)
    holding.save([held])
    _tell(held, verb, "end_planned", facts, told, by=by, at=at)
    renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)


def _told_again(held: Subscription, reason: str, comment: str, *, by: Actor, at: datetime) -> Subscription:
    """Keeps what asking again says anew; what it leaves out stays as it was told before."""
    told = (reason or held.end_reason, comment or held.end_comment)
    if told != (held.end_reason, held.end_comment):
        facts = {"ends_on": held.ends_on and held.ends_on.isoformat(), "reason_before": held.end_reason}
        held.end_reason, held.end_comment = told
        holding.save([held])
        dating.audit(held, "cancel", facts, reason, by=by, at=at)
    return held


def undo_end(*, subscription: Subscription, on: date, by: Actor, at: datetime) -> Subscription:
    """Takes a planned cancellation back, until its last day is over. With none planned, nothing happens."""
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.end_kind != EndKind.CANCEL or held.ends_on is None:
            return held
        rested = _ended_at_rest(held, on)
        if rested is None and (held.state in moves.ENDED or on > held.ends_on):
            raise Refused("subscription.undo_too_late", day=held.ends_on)
        before = held.ends_on
        if rested is not None:
            held.state = rested
            moved.plan_again(held)
        held.ends_on = terms.end_by_itself(held)
        held.end_kind = EndKind.EXPIRE if held.ends_on is not None else ""
        held.end_unused = Unused.CREDIT if held.ends_on is not None else ""
        held.end_reason, held.end_comment, held.cancel_asked_at = "", "", None
        held.term_start_on, held.term_ends_on = terms.running_term(held, on)
        pausing.plan_again(held, on=on, note="cancel")
        holding.plan_ahead(held)
        renewals.keep_waiting(held)
        holding.save([held])
        if rested == State.SUSPENDED:
            first = before + ONE_DAY
            worth = holding.worth([held], first)
            earned = [(held, slot, worth[slot.pk]) for slot in held.slots.all()]
            movements.reprice(company=held.company, worth=earned, effective_on=first, cause="subscription.undo_end")
        _tell(held, "undo_cancel", "end_undone", {"ended_on": before.isoformat()}, "", by=by, at=at)
    return held


def _pauses_over(held: Subscription, end: date) -> bool:
    """Whether a planned pause would still run on the last day of service: then the end wins over it."""
    if standing.stopped_on(held) is not None or held.paused_from_on is None:
        return False
    return held.paused_from_on <= end and (held.resumes_on is None or held.resumes_on > end)


def _ended_at_rest(held: Subscription, on: date) -> State | None:
    """The state that an end asked for today, on the day before a pause or suspension that ran, took; else None."""
    asked_at = held.cancel_asked_at
    if held.state != State.CANCELED or asked_at is None or clock.day_in(asked_at, held.time_zone) != on:
        return None
    for first, state in ((held.suspended_from_on, State.SUSPENDED), (held.paused_from_on, State.PAUSED)):
        if first is not None and held.ends_on == first - ONE_DAY:
            return state
    return None


def _last_day(held: Subscription, timing: str, ends_on: date | None, on: date, *, override: bool) -> date:
    stopped_on = standing.stopped_on(held)
    if stopped_on is not None:
        return stopped_on - ONE_DAY
    if override:
        return _overridden(held, timing, ends_on, on)
    requested: Any = ends_on if timing == CancelTiming.DATE else timing
    try:
        end, _ = effective_end(terms.terms_of(held, with_planned_end=False, on=on), requested, on)
    except EndTooEarly as error:
        raise Refused("subscription.end_too_early", field="ends_on", day=error.earliest_end) from error
    except BadTerms as error:
        raise Refused("subscription.end_in_the_past", field="ends_on") from error
    return end


def _overridden(held: Subscription, timing: str, ends_on: date | None, on: date) -> date:
    if timing == CancelTiming.NOW:
        end = on
    elif timing == CancelTiming.PERIOD_END:
        day = max(on, held.paid_from_on)
        end = period_at(terms.anchor_of(held), terms.interval_of(held), day).end - ONE_DAY
    else:
        assert ends_on is not None
        end = ends_on
    earliest = held.start_on if on >= held.start_on else held.start_on - ONE_DAY
    if end < earliest and timing == CancelTiming.DATE:
        raise Refused("subscription.end_before_start", field="ends_on", start=held.start_on)
    closed = held.company.books_closed_on
    if closed is not None and end < closed:
        raise Refused("subscription.books_closed", field="ends_on", day=closed)
    by_itself = terms.end_by_itself(held)
    return end if by_itself is None else min(end, by_itself)


def _tell(
    held: Subscription, verb: str, past: str, facts: dict[str, Any], reason: str, *, by: Actor, at: datetime
) -> None:
    dating.audit(held, verb, facts, reason, by=by, at=at)
    dating.emit(held, past, {**facts, "ends_on": held.ends_on}, at=at)
