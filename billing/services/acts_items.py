"""Acts on what is charged once: a verb of the agreement, then `settle`, in one transaction.

The rule that matters: as for every act, what is agreed and what is billed never part, and a preview's token binds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.db import transaction

from billing.services import acts, windows
from billing.services.acts import ActResult
from core import clock
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
    """Adds a single charge and bills it when it is due; keywords as in `subscriptions.services.one_offs.add`.

    `bill_now` invoices it today, before its service day. `on` is today in the subscription's zone unless given.
    """
    today = on or clock.day_in(at, subscription.time_zone)

    def verb() -> OneOff:
        added = one_offs.add(subscription=subscription, on=today, by=by, at=at, **item)
        return one_offs.make_due(one_off=added, on=today, by=by, at=at) if bill_now else added

    return _act(subscription, verb, today, by=by, at=at, preview_token=preview_token)


def cancel_one_off(
    *, one_off: OneOff, on: date | None = None, by: Actor, at: datetime, preview_token: str | None = None
) -> ActResult:
    """Takes a single charge back before it is billed."""
    today = on or clock.day_in(at, one_off.subscription.time_zone)
    return _act(
        one_off.subscription, lambda: one_offs.cancel(one_off=one_off, by=by, at=at), today, by=by, at=at,
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
    """Gives a single charge another service day; it is billed at once when that day has come."""
    today = on or clock.day_in(at, one_off.subscription.time_zone)
    return _act(
        one_off.subscription,
        lambda: one_offs.move(one_off=one_off, service_on=service_on, on=today, by=by, at=at),
        today,
        by=by,
        at=at,
        preview_token=preview_token,
    )


def bill_one_off(
    *, one_off: OneOff, on: date | None = None, by: Actor, at: datetime, preview_token: str | None = None
) -> ActResult:
    """Invoices a single charge today, before its service day."""
    today = on or clock.day_in(at, one_off.subscription.time_zone)
    return _act(
        one_off.subscription, lambda: one_offs.make_due(one_off=one_off, on=today, by=by, at=at), today, by=by, at=at,
        preview_token=preview_token,
    )  # fmt: skip


def _act(
    subscription: Subscription,
    verb: Callable[[], OneOff],
    on: date,
    *,
    by: Actor,
    at: datetime,
    preview_token: str | None,
) -> ActResult:
    with transaction.atomic():
        before = acts.mrr_now(subscription)
        how = windows.recompute(subscription)
        held = verb().subscription
        result = acts.settled(held, on, at, by, before=before, how=how)
        acts.check_token(result, preview_token)
    return result
