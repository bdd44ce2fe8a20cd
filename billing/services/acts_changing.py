"""Acts that change a running agreement: plan, price, quantity, positions; then `settle`.

The rule that matters: as for every act, what is agreed and what is billed never part, and a preview's token binds.
`on` is today in the subscription's zone unless given; an act dated back is billed on one document of today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from billing.services import looking, previews
from billing.services.acting import ActResult, Done, carry_out
from catalog.models import Plan
from core.actors import Actor
from subscriptions.models import Change, Subscription
from subscriptions.services import changing, unchanging
from subscriptions.services.change_specs import ItemChange
from subscriptions.services.unchanging import Changed


def change(
    *,
    subscription: Subscription,
    plan: Plan | None = None,
    items: Sequence[ItemChange] = (),
    timing: str | None = None,
    effective_on: date | None = None,
    proration: str = "prorate",
    keep_anchor: bool = False,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Changes plan, prices, quantities or positions, and settles billed days; see `subscriptions.services.changing`.

    `ActResult.change` is the change (undone, when it brought back the terms of the morning), `ActResult.replaced`
    names planned changes that it took the place of.
    """

    if previews.is_looking():
        asked = changing.Asked(
            plan, items, timing, effective_on, proration, keep_anchor, reason, override, override_reason
        )  # fmt: skip
        seen = looking.look(subscription, asked, on=on, by=by, at=at)
        if seen is not None:
            return seen
        # What can't be told in memory is done, and taken back by who looks.

    def verb(today: date) -> Changed:
        return changing.change(
            subscription=subscription, plan=plan, items=items, timing=timing, effective_on=effective_on,
            proration=proration, keep_anchor=keep_anchor, reason=reason, override=override,
            override_reason=override_reason, on=today, by=by, at=at,
        )  # fmt: skip

    return _act(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def undo_change(
    *,
    change: Change,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Takes back a planned change, or one of today with what it billed; see `subscriptions.services.unchanging.undo`.
    Refuses `change.undo_too_late`, `change.is_replaced`, `change.later_first`."""

    def verb(today: date) -> Changed:
        return unchanging.undo(change=change, on=today, by=by, at=at)

    return _act(change.subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def _act(
    subscription: Subscription,
    verb: Callable[[date], Changed],
    *,
    on: date | None,
    by: Actor,
    at: datetime,
    preview_token: str | None,
) -> ActResult:
    def done(today: date) -> Done:
        made = verb(today)
        return Done(made.subscription, made.is_backdated, made.change, made.replaced)

    return carry_out(subscription, done, on=on, by=by, at=at, preview_token=preview_token)
