"""Ways out beside the cancellation: withdrawal, good cause, and switching to another provider.

The rule that matters: they follow the law, not the contract; notice, minimum term and renewal don't bind them. What
becomes of money paid is `billing.services.acts_exits`'s part.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from django.db import transaction

from catalog.models import CancelTiming, Unused
from core import clock
from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from customers.models import Customer
from pricing.periods import add_months
from subscriptions.models import Subscription
from subscriptions.services import ending, exit_rules, holding, moves, standing, terms

ONE_DAY = timedelta(days=1)
WITHDRAWAL: Final = "withdrawal"
EXTRAORDINARY: Final = "extraordinary"
SWITCHING: Final = "switching"
SATURDAY: Final = 6


def withdrawable_until(subscription: Subscription) -> date | None:
    """The last day on which a consumer may withdraw; None for a business, or where there was no such right.

    The days are counted from the day after the conclusion; where the last one is a Saturday or Sunday, they end with
    the Monday after it (Regulation (EEC, Euratom) 1182/71, Art. 3(1) and (4)). Public holidays, which move the end in
    the same way, are not known here: what comes a day late because of one is accepted with an override.
    """
    if subscription.customer.kind != Customer.Kind.PERSON:
        return None
    concluded_on = clock.day_in(subscription.created_at, subscription.time_zone)
    rule = exit_rules.rule_on("withdrawal", concluded_on)
    if rule is None:
        return None
    last = concluded_on + timedelta(days=rule.number)
    return last if last.isoweekday() < SATURDAY else last + timedelta(days=8 - last.isoweekday())


def switchable_on(subscription: Subscription, on: date) -> date | None:
    """The last day of service of a customer who asks on that day to switch; None before there was that right.

    The contract's own earliest end, if it comes first.
    """
    rule = exit_rules.rule_on("switching", on)
    if rule is None:
        return None
    by_law = add_months(on + ONE_DAY, rule.number) - ONE_DAY
    return min(by_law, max(on, terms.contract_clock_of(subscription, on=on).earliest_end))


def withdraw(
    *,
    subscription: Subscription,
    start_requested: bool = False,
    comment: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """A consumer withdraws: the contract ends at once, as if it had never begun.

    `start_requested`: the customer had asked for service before the time to withdraw was over; then today is the last
    day and what was used stays paid. `override`, with a reason, accepts what comes late or from a business. Withdrawn
    already: nothing happens.
    """
    checked(comment, field="comment", limit=5_000)
    checked(override_reason, field="override_reason", limit=500)
    if override and not override_reason.strip():
        raise Refused("subscription.override_needs_reason", field="override_reason")
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state in moves.ENDED:
            return held
        until = withdrawable_until(held)
        if not override and until is None:
            raise Refused("exit.consumers_only")
        if not override and until is not None and on > until:
            raise Refused("exit.too_late", day=until)
        stopped_on = standing.stopped_on(held)
        end = min(held.start_on, on) - ONE_DAY
        if start_requested and on >= held.start_on:
            end = on if stopped_on is None else stopped_on - ONE_DAY
        facts = {"start_requested": start_requested, "override": override}
        ending.set_end(
            held, end, Unused.REFUND, WITHDRAWAL, comment, facts, override_reason, verb="withdraw", on=on, by=by, at=at
        )
    return held


def terminate(
    *,
    subscription: Subscription,
    reason: str,
    ends_on: date | None = None,
    unused: str | None = None,
    override: bool = False,
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """Ends for good cause on that day (today unless named), whatever the term. `reason` says what the cause is.

    `unused` as in a cancellation, credit unless said. A day of the past needs `override`.
    """
    checked(reason, field="reason", limit=500)
    if not reason.strip():
        raise Refused("exit.reason_missing", field="reason")
    if ends_on is not None and ends_on < on and not override:
        raise Refused("subscription.act_in_the_past", field="ends_on", day=ends_on)
    return ending.plan_end(
        subscription=subscription, timing=CancelTiming.DATE, ends_on=ends_on or on, unused=unused or Unused.CREDIT,
        reason=EXTRAORDINARY, override=True, override_reason=reason, on=on, by=by, at=at,
    )  # fmt: skip


def switch(
    *,
    subscription: Subscription,
    ends_on: date | None = None,
    comment: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """The customer switches to another provider: it ends after two months at the latest, whatever the term.

    `ends_on`: a later last day, if the customer wants one. An end planned before that one stands.
    """
    checked(comment, field="comment", limit=5_000)
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state in moves.ENDED:
            return held
        earliest = switchable_on(held, on)
        if earliest is None:
            raise Refused("exit.no_right_yet")
        end = earliest if ends_on is None else ends_on
        if end < earliest:
            raise Refused("subscription.end_too_early", field="ends_on", day=earliest)
        if held.ends_on is not None and held.ends_on <= end:
            return held
        return ending.plan_end(
            subscription=held, timing=CancelTiming.DATE, ends_on=end, unused=Unused.CREDIT, reason=SWITCHING,
            comment=comment, override=True, override_reason=SWITCHING, on=on, by=by, at=at,
        )  # fmt: skip
