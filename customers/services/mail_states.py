"""Where a mail stands for each address and as a whole, whatever order the news comes in.

The rule that matters: of two things that are known of an address, the later stage holds: taken, delivered, came back,
called spam.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from customers.models import Message

State = Message.State
_STAGES: Final = {
    State.WAITING: 0, State.FAILED: 1, State.HELD: 1, State.SENT: 2, State.DELIVERED: 3, State.BOUNCED: 4,
    State.COMPLAINED: 5,
}  # fmt: skip
#: Addresses the mail server has not taken it for.
OPEN: Final = frozenset({State.WAITING, State.FAILED, State.HELD})
UNSENT: Final = frozenset(str(state) for state in OPEN)


def of(message: Message, address: str) -> State:
    """Where it stands for an address."""
    return State(message.results.get(address, {}).get("state", State.WAITING))


def is_out(message: Message) -> bool:
    """Whether the mail server took it for any address."""
    return any(of(message, address) not in OPEN for address in message.recipients)


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Of each address, the later stage of two; of the same stage, the other. Ids are kept.

    >>> merged({"a": {"state": "bounced"}}, {"a": {"state": "sent", "id": "1"}})
    {'a': {'state': 'bounced', 'id': '1'}}
    """
    kept = dict(one)
    for address, known in other.items():
        first = kept.get(address, {"state": State.WAITING})
        later = first if _STAGES[State(first["state"])] > _STAGES[State(known["state"])] else known
        ids = {"id": first.get("id") or known.get("id")}
        kept[address] = {**later, **(ids if ids["id"] else {})}
    return kept


def summary(message: Message, *, is_last: bool) -> State:
    """Where the mail stands as a whole: what needs somebody most. `is_last`: nothing is tried again."""
    states = {of(message, address) for address in message.recipients}
    order = [State.COMPLAINED, State.BOUNCED, State.SENT, State.DELIVERED, State.FAILED, State.HELD]
    if State.WAITING in states and not is_last:
        return State.WAITING
    return next((state for state in order if state in states), State.FAILED)
