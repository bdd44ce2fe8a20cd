"""Taking back a change of any kind; then `settle`.

The rule that matters: every door takes a change back by this one function, whatever the change does.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from billing.services import acts_changing, acts_pausing
from billing.services.acting import ActResult
from core.actors import Actor
from core.refusal import Refused
from subscriptions.models import Change
from subscriptions.services import unchanging

Kind = Change.Kind


def undo(
    *, change: Change, on: date | None = None, by: Actor, at: datetime, preview_token: str | None = None
) -> ActResult:
    """Takes back what is planned, or a change of terms of today with what it billed.

    Refuses `change.undo_too_late`, `change.is_replaced`, `change.later_first`, and as the acts it stands for.
    """
    given: dict[str, Any] = {"on": on, "by": by, "at": at, "preview_token": preview_token}
    if change.kind in unchanging.OF_TERMS:
        return acts_changing.undo_change(change=change, **given)
    if change.status == Change.Status.PLANNED and change.kind == Kind.DAY:
        return acts_pausing.undo_move_billing_day(subscription=change.subscription, **given)
    if change.status == Change.Status.PLANNED and change.kind in (Kind.PAUSE, Kind.RESUME):
        return acts_pausing.undo_pause(subscription=change.subscription, **given)
    raise Refused("change.undo_too_late", day=change.effective_on)
