"""How every act on a subscription is carried out: drafts taken back, a verb of the agreement, `settle`, the token.

The rule that matters: all of it happens in one transaction or not at all, and an act that carries a preview's token
does what the preview showed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from billing.services import previews, windows
from billing.services.settling import Settlement, settle
from core import clock
from core.actors import Actor
from core.refusal import Refused
from subscriptions.models import Change, Subscription
from subscriptions.services import holding, moves


@dataclass(frozen=True, slots=True)
class ActResult:
    """The subscription as it is now, what was billed and credited, and its monthly revenue (minor units) before the
    act and once the act has taken full effect; of a change of terms, the change and planned ones it replaced.

    `shown`: of an act that was looked at and not done, what it would bring; the subscription is in memory then."""

    subscription: Subscription
    settlement: Settlement
    mrr_before: int
    mrr_after: int
    change: Change | None = None
    replaced: tuple[Change, ...] = ()
    shown: previews.Shown | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What a verb did. Dated back, its days fall due today. `credit_note_ids`: notes it issued itself; `worth_on`: the
    day on whose revenue the act is judged, if not once all is planned."""

    subscription: Subscription
    is_backdated: bool = False
    change: Change | None = None
    replaced: Sequence[Change] = ()
    credit_note_ids: Sequence[int] = ()
    worth_on: date | None = None


def carry_out(
    subscription: Subscription,
    verb: Callable[[date], Done],
    *,
    on: date | None,
    by: Actor,
    at: datetime,
    preview_token: str | None,
) -> ActResult:
    """Does the verb on a running subscription and settles its customer. `on`: today in its zone, unless given.

    Drafts of the customer are taken back first and written anew. Raises what the verb refuses, and `preview.differs`.
    """
    today = on or clock.day_in(at, subscription.time_zone)
    with transaction.atomic():
        before = sum(subscription.slots.values_list("mrr_minor", flat=True))
        how = windows.recompute(subscription)
        done = verb(today)
        result = close(done, today, before=before, how=how, by=by, at=at)
        check_token(result, preview_token)
    return result


def close(
    done: Done, today: date, *, before: int, how: windows.Issuing | None = None, by: Actor, at: datetime
) -> ActResult:
    """Settles the customer after a verb, and says what came of both."""
    held = done.subscription
    # `today` is that of where this subscription lives; what lives elsewhere has a day of its own.
    settlement = settle(
        company=held.company, customer_ids=[held.customer_id], on=today, at=at, by=by, zones=[held.time_zone],
        on_one_document=done.is_backdated, how=how,
    )  # fmt: skip
    settlement.credit_note_ids = [*done.credit_note_ids, *settlement.credit_note_ids]
    held.refresh_from_db(fields=list(holding.CHANGED))
    after = mrr_to_come(held, today)
    if after and done.worth_on is not None:
        after = sum(holding.worth([holding.read(held)], done.worth_on).values())
    return ActResult(held, settlement, before, after, done.change, tuple(done.replaced))


def mrr_to_come(subscription: Subscription, on: date | None = None) -> int:
    """Monthly revenue once everything planned has happened: nothing when an end by cancellation stands.

    With the discounts of that day, which is no earlier than `on`.
    """
    if is_over(subscription):
        return 0
    held = holding.read(subscription)
    return sum(holding.worth([held], full_effect_on(held, on)).values())


def is_over(subscription: Subscription) -> bool:
    """Whether it has ended, or an end by cancellation stands."""
    return subscription.state in moves.ENDED or subscription.end_kind == Subscription.EndKind.CANCEL


def full_effect_on(held: Subscription, on: date | None = None) -> date | None:
    """The day, no earlier than `on`, on which all that is planned has happened, of a subscription read with its
    terms."""
    days = [terms.from_on for slot in held.slots.all() for terms in slot.terms.all()]
    return max(days if on is None else [*days, on], default=None)


def check_token(result: ActResult, token: str | None) -> None:
    """Refuses, and so takes back, an act that came out otherwise than its preview (`preview.differs`)."""
    if token is not None and token != previews.token_of(result.subscription, result.settlement):
        raise Refused("preview.differs")
