"""The day an act on a running agreement holds from: today, later, or earlier for staff with the right and a reason.

The rule that matters: no act reaches into closed books, before the first paid day or past the last day of service.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from core import checks
from core.actors import Actor
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from subscriptions.models import Subscription
from subscriptions.services import moves


def checked_day(
    held: Subscription,
    day: date | None,
    *,
    on: date,
    override: bool,
    override_reason: str,
    field: str = "from_on",
    earliest: date | None = None,
) -> date:
    """The day the act holds from, `on` (today) unless one is named. Refuses what the rule above says.

    `earliest`: the first day possible, in place of the first paid one.
    """
    checked(override_reason, field="override_reason", limit=500)
    if override and not override_reason.strip():
        raise Refused("subscription.override_needs_reason", field="override_reason")
    if held.state in moves.ENDED:
        assert held.ends_on is not None
        raise Refused("subscription.ended", day=held.ends_on)
    first = on if day is None else checks.day(day, field=field)
    if first < on and not override:
        raise Refused("subscription.act_in_the_past", field=field, day=first)
    earliest = held.paid_from_on if earliest is None else earliest
    if first < earliest:
        raise Refused("subscription.act_before_paid", field=field, day=earliest)
    closed = held.company.books_closed_on
    if closed is not None and first <= closed:
        raise Refused("subscription.books_closed", field=field, day=closed)
    if held.ends_on is not None and first > held.ends_on:
        raise Refused("subscription.act_after_end", field=field, day=held.ends_on)
    return first


def audit(
    held: Subscription, verb: str, facts: Mapping[str, Any], reason: str, *, by: Actor, at: datetime
) -> None:  # fmt: skip
    """One audit row `subscription.<verb>`; days in ISO form."""
    trail.audit(
        company_id=held.company_id,
        at=at,
        by=by,
        verb=f"subscription.{verb}",
        subject_kind="subscription",
        subject_id=held.pk,
        customer_id=held.customer_id,
        reason=reason,
        facts={name: _plain(value) for name, value in facts.items()},
    )


def emit(held: Subscription, what: str, facts: Mapping[str, Any], *, at: datetime) -> None:
    """One event `subscription.<what>` with the subscription's own figures and these facts."""
    trail.emit(
        company_id=held.company_id,
        type=f"subscription.{what}",
        at=at,
        subject_kind="subscription",
        subject_id=held.pk,
        customer_id=held.customer_id,
        data={
            "id": held.ref,
            "number": held.number,
            "customer": held.customer.ref,
            "currency": held.currency,
            "state": held.state,
            **{name: _plain(value) for name, value in facts.items()},
        },
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
