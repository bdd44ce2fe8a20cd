"""Acts that stop and take up service, and that move the billing day: a verb of the agreement, then `settle`.

The rule that matters: as for every act, what is agreed and what is billed never part, and a preview's token binds.
`on` is today in the subscription's zone unless given; an act dated back is billed on one document of today.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from billing.services.acting import ActResult, Done, carry_out
from billing.services.releasing import take_up_again
from core.actors import Actor
from subscriptions.models import Subscription
from subscriptions.services import anchoring, pausing, suspending


def pause(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    until: date | None = None,
    keep_anchor: bool = False,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Pauses from a day on, with `until` to the day before that; see `subscriptions.services.pausing.pause`."""
    return _act(
        subscription, pausing.pause, from_on=from_on, until=until, keep_anchor=keep_anchor, reason=reason,
        override=override, override_reason=override_reason, on=on, by=by, at=at, preview_token=preview_token,
    )  # fmt: skip


def resume(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    keep_anchor: bool = False,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Ends a pause and bills from that day on; see `subscriptions.services.pausing.resume`."""
    return _act(
        subscription, pausing.resume, from_on=from_on, keep_anchor=keep_anchor, reason=reason, override=override,
        override_reason=override_reason, on=on, by=by, at=at, preview_token=preview_token,
    )  # fmt: skip


def undo_pause(
    *,
    subscription: Subscription,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Takes back a planned pause, or the planned end of one; see `subscriptions.services.pausing.undo_pause`."""
    return _act(subscription, pausing.undo_pause, on=on, by=by, at=at, preview_token=preview_token)


def suspend(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    suspended_billing: str | None = None,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Stops service for non-payment; see `subscriptions.services.suspending.suspend`."""
    return _act(
        subscription, suspending.suspend, from_on=from_on, suspended_billing=suspended_billing, reason=reason,
        override=override, override_reason=override_reason, on=on, by=by, at=at, preview_token=preview_token,
    )  # fmt: skip


def reinstate(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Ends a suspension and bills the rest of the period; see `subscriptions.services.suspending.reinstate`."""
    return _act(
        subscription, suspending.reinstate, from_on=from_on, reason=reason, override=override,
        override_reason=override_reason, on=on, by=by, at=at, preview_token=preview_token,
    )  # fmt: skip


def move_billing_day(
    *,
    subscription: Subscription,
    day: int,
    reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Moves the billing day from the end of the paid period on; see `subscriptions.services.anchoring.move_day`."""
    return _act(
        subscription, anchoring.move_day, day=day, reason=reason, on=on, by=by, at=at, preview_token=preview_token
    )  # fmt: skip


def undo_move_billing_day(
    *,
    subscription: Subscription,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Takes a planned move of the billing day back; see `subscriptions.services.anchoring.undo_move`."""
    return _act(subscription, anchoring.undo_move, on=on, by=by, at=at, preview_token=preview_token)


def _act(
    subscription: Subscription,
    verb: Callable[..., Subscription],
    *,
    on: date | None,
    by: Actor,
    at: datetime,
    preview_token: str | None,
    **given: Any,
) -> ActResult:
    def done(today: date) -> Done:
        held = verb(subscription=subscription, on=today, by=by, at=at, **given)
        if held.state == Subscription.State.ACTIVE:
            take_up_again(held.pk)
        return Done(held, is_backdated=given.get("override", False))

    return carry_out(subscription, done, on=on, by=by, at=at, preview_token=preview_token)
