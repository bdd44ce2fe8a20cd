"""Which acts a subscription is open to on a day, and which of its changes can still be taken back.

The rule that matters: doors offer what stands here and verbs refuse the rest; a door adds only who has the right.
"""

from __future__ import annotations

from datetime import date

from core.refusal import Refused
from subscriptions.models import Change, Subscription
from subscriptions.services import moves, unchanging

State, Kind, Status = Subscription.State, Change.Kind, Change.Status


def is_paused(subscription: Subscription, on: date) -> bool:
    """Whether its pause runs, also on the first day before any tick came."""
    first = subscription.paused_from_on
    return subscription.state == State.PAUSED or (
        subscription.state == State.ACTIVE and first is not None and first <= on
    )


def acts(subscription: Subscription, on: date) -> frozenset[str]:
    """Names of the acts it is open to: change, pause, resume, open_pause, suspend, reinstate, leave, terminate."""
    state = subscription.state
    if state in moves.ENDED:
        return frozenset()
    paused = is_paused(subscription, on)
    suspended = state == State.SUSPENDED
    holds = {
        "pause": not paused and not suspended,
        "resume": paused,
        "open_pause": state == State.PAUSED and subscription.resumes_on is not None,
        "suspend": state == State.ACTIVE and not paused,
        "reinstate": suspended,
    }
    return frozenset({"change", "leave", "terminate", *(name for name, open_ in holds.items() if open_)})


#: What is said where an act that ends something finds nothing to end.
_NOTHING = {
    "resume": "subscription.not_paused",
    "open_pause": "subscription.no_pause_end",
    "reinstate": "subscription.not_suspended",
}


def check(subscription: Subscription, act: str, on: date) -> None:
    """Refuses to resume what isn't paused, to open a pause without an end, to reinstate what isn't suspended."""
    if act not in acts(subscription, on):
        raise Refused(_NOTHING[act])


def can_undo(change: Change, on: date) -> bool:
    """Planned ones until their day, but for suspensions; changes of terms on it, too."""
    if change.status == Status.PLANNED:
        return change.kind not in (Kind.SUSPEND, Kind.REINSTATE)
    return change.kind in unchanging.OF_TERMS and change.status == Status.DONE and change.effective_on == on
