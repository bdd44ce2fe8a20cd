"""The acts that doors call: a verb of the agreement, then `settle`, in one transaction.

The rule that matters: what is agreed and what is billed never part; an act that carries a preview's token does what
the preview showed, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from billing.services import previews, windows
from billing.services.releasing import take_up_again
from billing.services.settling import Settlement, settle
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from subscriptions.models import Change, Subscription
from subscriptions.services import ending, holding, moves, renewals, starting

MOVES_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class ActResult:
    """The subscription as it is now, what was billed and credited, and its monthly revenue (minor units) before the
    act and once the act has taken full effect; of a change of terms, the change and planned ones it replaced."""

    subscription: Subscription
    settlement: Settlement
    mrr_before: int
    mrr_after: int
    change: Change | None = None
    replaced: tuple[Change, ...] = ()


def start(*, preview_token: str | None = None, **agreement: Any) -> ActResult:
    """Agrees a subscription and bills what is due by `on`. Keywords as in `subscriptions.services.starting.agree`."""
    with transaction.atomic():
        subscription = starting.agree(**agreement)
        result = settled(subscription, agreement["on"], agreement["at"], agreement["by"], before=0)
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
    today = on or clock.day_in(at, subscription.time_zone)
    with transaction.atomic():
        before = mrr_now(subscription)
        how = windows.recompute(subscription)
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
        result = settled(ended, today, at, by, before=before, how=how)
        check_token(result, preview_token)
    return result


def undo_cancel(
    *,
    subscription: Subscription,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Takes a planned end back, until its last day is over; days given back already are billed again when due."""
    today = on or clock.day_in(at, subscription.time_zone)
    with transaction.atomic():
        before = mrr_now(subscription)
        how = windows.recompute(subscription)
        undone = ending.undo_end(subscription=subscription, on=today, by=by, at=at)
        take_up_again(undone.pk)
        result = settled(undone, today, at, by, before=before, how=how)
        check_token(result, preview_token)
    return result


def move_due(*, company: Company, at: datetime, by: Actor, customer_ids: Sequence[int] | None = None) -> dict[str, int]:
    """Makes every move due at that instant and gives back, with an end, the paid days after it. Counts of moves."""

    def give_back(ended: Sequence[Subscription], day: date) -> None:
        customer_ids, zones = sorted({sub.customer_id for sub in ended}), sorted({sub.time_zone for sub in ended})
        settle(company=company, customer_ids=customer_ids, on=day, at=at, by=by, zones=zones)

    return renewals.move_due(company=company, at=at, by=by, customer_ids=customer_ids, after_ends=give_back)


@ticks.tick("subscriptions.moves", order=10, every=MOVES_EVERY)
def moves_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Starts, ends of trials, renewals and ends that are due."""
    return dict(move_due(company=company, at=at, by=Actor.system("Contract clock")))


def settled(
    subscription: Subscription,
    on: date,
    at: datetime,
    by: Actor,
    *,
    before: int,
    how: windows.Issuing | None = None,
    on_one_document: bool = False,
    change: Change | None = None,
    replaced: Sequence[Change] = (),
) -> ActResult:
    """Settles the subscription's customer after a verb, the last step of every act; see `settle`."""
    # `on` is today where this subscription lives; what lives elsewhere has a day of its own.
    settlement = settle(
        company=subscription.company, customer_ids=[subscription.customer_id], on=on, at=at, by=by,
        zones=[subscription.time_zone], on_one_document=on_one_document, how=how,
    )  # fmt: skip
    subscription.refresh_from_db(fields=list(holding.CHANGED))
    return ActResult(subscription, settlement, before, mrr_to_come(subscription, on), change, tuple(replaced))


def mrr_now(subscription: Subscription) -> int:
    """Monthly revenue as it stands, in minor units: read it before the verb of an act."""
    return sum(subscription.slots.values_list("mrr_minor", flat=True))


def mrr_to_come(subscription: Subscription, on: date | None = None) -> int:
    """Monthly revenue once everything planned has happened: nothing when an end by cancellation stands.

    With the discounts of that day, which is no earlier than `on`.
    """
    if subscription.state in moves.ENDED or subscription.end_kind == Subscription.EndKind.CANCEL:
        return 0
    held = holding.read(subscription)
    days = [terms.from_on for slot in held.slots.all() for terms in slot.terms.all()]
    return sum(holding.worth([held], max(days if on is None else [*days, on], default=None)).values())


def check_token(result: ActResult, token: str | None) -> None:
    """Refuses, and so takes back, an act that came out otherwise than its preview (`preview.differs`)."""
    if token is not None and token != previews.token_of(result.subscription, result.settlement):
        raise Refused("preview.differs")
