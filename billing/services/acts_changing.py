"""Acts that change a running agreement: plan, price, quantity, positions, price versions; then `settle`.

The rule that matters: as for every act, what is agreed and what is billed never part, and a preview's token binds.
`on` is today in the subscription's zone unless given; an act dated back is billed on one document of today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction

from billing.services.acting import ActResult, Done, carry_out
from billing.services.settling import settle
from catalog.models import Plan, Price
from core import clock
from core.actors import Actor
from core.models import Company
from subscriptions.models import Change, Subscription
from subscriptions.services import changing, unchanging, versions
from subscriptions.services.change_specs import ItemChange
from subscriptions.services.unchanging import Changed
from subscriptions.services.versions import VersionMoves


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


def move_versions(
    *,
    company: Company,
    price: Price,
    subscriptions: Sequence[Subscription],
    effective_on: date | None = None,
    reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
) -> VersionMoves:
    """Moves many subscriptions to `price`, a version of what they hold, and settles those that move today; see
    `subscriptions.services.versions.move_versions`. One alone that can't be moved is refused."""
    zones = [one.time_zone for one in subscriptions]
    with transaction.atomic():
        found = VersionMoves()
        for zone in sorted(set(zones)):
            today = on or clock.day_in(at, zone)
            batch = [one for one in subscriptions if one.time_zone == zone]
            part = versions.move_versions(
                company=company, price=price, subscriptions=batch, effective_on=effective_on, reason=reason,
                on=today, by=by, at=at,
            )  # fmt: skip
            if len(subscriptions) == 1 and part.skipped:
                raise part.skipped[0][1]
            moved = {one.subscription.customer_id for one in part.changed if one.change.effective_on <= today}
            if moved:
                settle(company=company, customer_ids=sorted(moved), on=today, at=at, by=by, zones=[zone])
            found.changed += part.changed
            found.skipped += part.skipped
    return found


def preview_versions(**given: Any) -> VersionMoves:
    """What `move_versions` with these keywords would do; nothing is changed."""
    with transaction.atomic():
        try:
            return move_versions(**given)
        finally:
            transaction.set_rollback(True)


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
