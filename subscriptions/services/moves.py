"""Which state follows which. Every change of state goes through this one table."""

from __future__ import annotations

from core.refusal import Refused
from subscriptions.models import Subscription

State = Subscription.State

ALLOWED: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.TRIAL, State.ACTIVE, State.CANCELED, State.EXPIRED}),
    State.TRIAL: frozenset({State.ACTIVE, State.PAUSED, State.CANCELED, State.EXPIRED}),
    State.ACTIVE: frozenset({State.PAUSED, State.SUSPENDED, State.CANCELED, State.EXPIRED}),
    State.PAUSED: frozenset({State.ACTIVE, State.CANCELED, State.EXPIRED}),
    State.SUSPENDED: frozenset({State.ACTIVE, State.CANCELED, State.EXPIRED}),
    State.CANCELED: frozenset(),
    State.EXPIRED: frozenset(),
}
#: States after the last day of service.
ENDED = frozenset({State.CANCELED, State.EXPIRED})
#: States in which the recurring price counts as revenue.
EARNING = frozenset({State.ACTIVE, State.SUSPENDED})


def move(subscription: Subscription, to: State) -> bool:
    """Puts the row, in memory, into another state; False when it is there already. Refuses `subscription.move`."""
    if subscription.state == to:
        return False
    if to not in ALLOWED[State(subscription.state)]:
        raise Refused("subscription.move", state=subscription.get_state_display(), to=to.label)
    subscription.state = to
    return True
