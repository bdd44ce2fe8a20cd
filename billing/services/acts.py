"""The acts that doors call: a verb of the agreement, then `settle`, in one transaction.

The rule that matters: what is agreed and what is billed never part; an act that carries a preview's token does what
the preview showed, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.services.acting import ActResult, Done, carry_out, check_token, close, mrr_to_come
from billing.services.releasing import take_up_again
from billing.services.settling import settle
from core.actors import Actor
from core.models import Company
from core.services import ticks
from subscriptions.models import Subscription
from subscriptions.services import ending, renewals, starting

__all__ = ["ActResult", "cancel", "move_due", "mrr_to_come", "start", "undo_cancel"]

MOVES_EVERY = timedelta(minutes=15)


def start(*, preview_token: str | None = None, **agreement: Any) -> ActResult:
    """Agrees a subscription and bills what is due by `on`. Keywords as in `subscriptions.services.starting.agree`."""
    with transaction.atomic():
        done = Done(starting.agree(**agreement))
        result = close(done, agreement["on"], before=0, by=agreement["by"], at=agreement["at"])
        check_token(result, preview_token)
    return result


def cancel(
    *,
    subscription: Subscription,
    timing: str,
    ends_on: date | None = None,
    unused: str | None = None,
    reason: str = "",
    comment: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Plans the end (see `subscriptions.services.ending.plan_end`); an end of today gives unused days back at once.

    `on` is today in the subscription's zone unless given.
    """

    def verb(today: date) -> Done:
        ended = ending.plan_end(
            subscription=subscription,
            timing=timing,
            ends_on=ends_on,
            unused=unused,
            reason=reason,
            comment=comment,
            override=override,
            override_reason=override_reason,
            on=today,
            by=by,
            at=at,
        )
        take_up_again(ended.pk)
        return Done(ended)

    return carry_out(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def undo_cancel(
    *,
    subscription: Subscription,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Takes a planned end back, until its last day is over; days given back already are billed again when due."""

    def verb(today: date) -> Done:
        undone = ending.undo_end(subscription=subscription, on=today, by=by, at=at)
        take_up_again(undone.pk)
        return Done(undone)

    return carry_out(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def move_due(*, company: Company, at: datetime, by: Actor, customer_ids: Sequence[int] | None = None) -> dict[str, int]:
    """Makes every move due at that instant and gives back, with an end, the paid days after it. Counts of moves."""

    def give_back(ended: Sequence[Subscription], day: date) -> None:
        customer_ids, zones = sorted({sub.customer_id for sub in ended}), sorted({sub.time_zone for sub in ended})
        settle(company=company, customer_ids=customer_ids, on=day, at=at, by=by, zones=zones)

    return renewals.move_due(company=company, at=at, by=by, customer_ids=customer_ids, after_ends=give_back)


@ticks.tick(
    "subscriptions.moves", order=10, every=MOVES_EVERY, title=_("Contract clock"),
    text=_("Starts, renews, converts and ends the subscriptions whose day has come."),
)  # fmt: skip
def moves_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Starts, ends of trials, renewals and ends that are due."""
    return dict(move_due(company=company, at=at, by=Actor.system("Contract clock")))
