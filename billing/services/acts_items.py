"""Acts on what is charged once: a verb of the agreement, then `settle`, in one transaction.

The rule that matters: as for every act, what is agreed and what is billed never part, and a preview's token binds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from billing.services.acting import ActResult, Done, carry_out
from core.actors import Actor
from subscriptions.models import OneOff, Subscription
from subscriptions.services import one_offs


def add_one_off(
    *,
    subscription: Subscription,
    bill_now: bool = False,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
    **item: Any,
) -> ActResult:
    """Adds a one-off charge and bills it when it is due; keywords as in `subscriptions.services.one_offs.add`.

    `bill_now` invoices it today, before its service day. `on` is today in the subscription's zone unless given.
    """

    def verb(today: date) -> OneOff:
        added = one_offs.add(subscription=subscription, on=today, by=by, at=at, **item)
        return one_offs.make_due(one_off=added, on=today, by=by, at=at) if bill_now else added

    return _act(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def cancel_one_off(
    *, one_off: OneOff, on: date | None = None, by: Actor, at: datetime, preview_token: str | None = None
) -> ActResult:
    """Takes a one-off charge back before it is billed."""
    return _act(
        one_off.subscription, lambda _: one_offs.cancel(one_off=one_off, by=by, at=at), on=on, by=by, at=at,
        preview_token=preview_token,
    )  # fmt: skip


def move_one_off(
    *,
    one_off: OneOff,
    service_on: date,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Gives a one-off charge another service day; it is billed at once when that day has come."""
    return _act(
        one_off.subscription,
        lambda today: one_offs.move(one_off=one_off, service_on=service_on, on=today, by=by, at=at),
        on=on,
        by=by,
        at=at,
        preview_token=preview_token,
    )


def bill_one_off(
    *, one_off: OneOff, on: date | None = None, by: Actor, at: datetime, preview_token: str | None = None
) -> ActResult:
    """Invoices a one-off charge today, before its service day."""
    return _act(
        one_off.subscription, lambda today: one_offs.make_due(one_off=one_off, on=today, by=by, at=at), on=on, by=by,
        at=at,
        preview_token=preview_token,
    )  # fmt: skip


def _act(
    subscription: Subscription,
    verb: Callable[[date], OneOff],
    *,
    on: date | None,
    by: Actor,
    at: datetime,
    preview_token: str | None,
) -> ActResult:
    def done(today: date) -> Done:
        return Done(verb(today).subscription)

    return carry_out(subscription, done, on=on, by=by, at=at, preview_token=preview_token)
