"""Acts that give discounts and take them back: a verb of the agreement, then `settle`.

The rule that matters: as for every act, what is agreed and what is billed never part, and a preview's token binds.
`on` is today in the subscription's zone unless given.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from billing.services.acting import ActResult, Done, carry_out
from catalog.models import Discount
from core.actors import Actor
from subscriptions.models import AgreedDiscount, Subscription
from subscriptions.services import discounting, holding


def give(
    *,
    subscription: Subscription,
    discount: Discount,
    from_on: date | None = None,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Gives a discount; see `subscriptions.services.discounting.give`."""

    def verb(today: date) -> AgreedDiscount:
        return discounting.give(subscription=subscription, discount=discount, from_on=from_on, on=today, by=by, at=at)

    return _act(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def redeem(
    *,
    subscription: Subscription,
    code: str,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Gives what a code stands for and counts its use; see `subscriptions.services.discounting.redeem`."""

    def verb(today: date) -> AgreedDiscount:
        return discounting.redeem(subscription=subscription, code=code, on=today, by=by, at=at)

    return _act(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def end(
    *,
    agreed: AgreedDiscount,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Takes a discount back from the next period on; see `subscriptions.services.discounting.end`."""

    def verb(today: date) -> AgreedDiscount:
        return discounting.end(agreed=agreed, on=today, by=by, at=at)

    return _act(agreed.subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def _act(
    subscription: Subscription,
    verb: Callable[[date], AgreedDiscount],
    *,
    on: date | None,
    by: Actor,
    at: datetime,
    preview_token: str | None,
) -> ActResult:
    def done(today: date) -> Done:
        agreed = verb(today)
        subscription.refresh_from_db(fields=list(holding.CHANGED))
        # The revenue to come is that of the first day on which the discount holds, or holds no longer.
        return Done(subscription, worth_on=max(today, agreed.next_change_on or today))

    return carry_out(subscription, done, on=on, by=by, at=at, preview_token=preview_token)
