"""Suspension for non-payment: service stops on a day, and what is billed meanwhile follows what was agreed.

The rule that matters: the anchor and the term run on, revenue counts on; with `stop` issued invoices stand and nothing
new is billed, with `credit` billed days are given back as in a pause, with `continue` billing goes on.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction

from catalog.models import SuspendedBilling
from core import checks
from core.actors import Actor
from core.refusal import Refused
from core.texts import checked
from subscriptions.models import Change, SlotTerms, Subscription
from subscriptions.services import dating, holding, moves, pausing, renewals, resting

State = Subscription.State
SUSPENDED = SlotTerms.Standing.SUSPENDED
Kind, Status = Change.Kind, Change.Status


def suspend(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    suspended_billing: str | None = None,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """Stops service from that day on (today unless named) because something is not paid.

    `suspended_billing` (stop, credit, continue; None: as agreed) says what is billed meanwhile. A planned pause is
    dropped. Suspended already: nothing happens. A day of the past needs `override` and a reason. Billed days are given
    back by `billing.services.acts_pausing.suspend`.
    """
    checked(reason, field="reason", limit=500)
    if suspended_billing is not None:
        checks.choice(suspended_billing, SuspendedBilling.values, field="suspended_billing")
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state == State.SUSPENDED:
            return held
        first = dating.checked_day(held, from_on, on=on, override=override, override_reason=override_reason)
        if first > on:
            raise Refused("subscription.suspend_later", field="from_on")
        moves.move(held, State.SUSPENDED)
        pausing.drop_planned(held, Status.REPLACED, at=at)
        held.suspended_from_on = first
        held.suspended_billing = suspended_billing or held.suspended_billing
        if held.suspended_billing == SuspendedBilling.STOP:
            resting.lay_unbilled(held, SUSPENDED, first)
        elif held.suspended_billing == SuspendedBilling.CREDIT:
            resting.lay(held, SUSPENDED, first, until=None, keep_anchor=True)
        _write(held, Kind.SUSPEND, first, reason or override_reason, at=at)
        facts = {"from_on": first, "billing": held.suspended_billing, "override": override}
        _done(held, "suspend", "suspended", facts, override_reason or reason, on=on, by=by, at=at)
    return held


def reinstate(
    *,
    subscription: Subscription,
    from_on: date | None = None,
    reason: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> Subscription:
    """Ends the suspension on that day (today unless named): the anchor stands, days to the next boundary are billed
    unless they are already. On its first day everything stands as that morning. Not suspended: nothing happens.
    """
    checked(reason, field="reason", limit=500)
    with transaction.atomic():
        held = holding.lock(subscription)
        if held.state != State.SUSPENDED or held.suspended_from_on is None:
            return held
        first = dating.checked_day(
            held, from_on, on=on, override=override, override_reason=override_reason, earliest=held.suspended_from_on
        )
        if first > on:
            raise Refused("subscription.suspend_later", field="from_on")
        moves.move(held, State.ACTIVE)
        if first == held.suspended_from_on:
            resting.lift(held, SUSPENDED, first, None)
            done = held.changes.filter(kind=Kind.SUSPEND, effective_on=first, status=Status.DONE)
            done.update(status=Status.UNDONE, closed_at=at)
        else:
            resting.take_up(held, SUSPENDED, first, anchor_on=None)
        suspended_from_on, held.suspended_from_on = held.suspended_from_on, None
        _write(held, Kind.REINSTATE, first, reason or override_reason, at=at)
        facts = {"from_on": first, "suspended_from_on": suspended_from_on, "override": override}
        _done(held, "reinstate", "reinstated", facts, override_reason or reason, on=on, by=by, at=at)
    return held


def _write(held: Subscription, kind: Change.Kind, day: date, reason: str, *, at: datetime) -> None:
    Change.objects.create(
        company_id=held.company_id, subscription=held, kind=kind, status=Status.DONE, effective_on=day,
        summary={"billing": held.suspended_billing}, reason=reason, asked_at=at, closed_at=at,
    )  # fmt: skip


def _done(
    held: Subscription, verb: str, past: str, facts: dict[str, Any], reason: str, *, on: date, by: Actor, at: datetime
) -> None:
    holding.plan_ahead(held, on)
    holding.save([held])
    dating.audit(held, verb, facts, reason, by=by, at=at)
    dating.emit(held, past, facts, at=at)
    # What fell due while it stood: a term that ran on, an end.
    renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
