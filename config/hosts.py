"""Hosts that vanish: how long each end of a connection believes in a peer that gives no sign of life.

A host whose cable is pulled says nothing: without these limits PostgreSQL would hold its locks, the number counter's
among them, for hours. TURNUS_SILENCE_SECONDS says how long; both ends of a connection count it for themselves.
Connections by unix sockets know no silence and ignore all this.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, Final

USUAL_SILENCE: Final = 30
#: Seconds a transaction may stand open with nothing asked, longer than any pause between two statements: so long a
#: process that stands still on a living host, whose kernel goes on answering for it, holds its locks.
IDLE_IN_TRANSACTION: Final = 300


def silence(environment: Mapping[str, str]) -> int:
    """Seconds, 6 at least. Raises ValueError for what is no number.

    >>> silence({}), silence({"TURNUS_SILENCE_SECONDS": "12"}), silence({"TURNUS_SILENCE_SECONDS": "1"})
    (30, 12, 6)
    """
    return max(int(environment.get("TURNUS_SILENCE_SECONDS") or USUAL_SILENCE), 6)


def _probes(seconds: int) -> tuple[int, int, int]:
    """When the first question goes out, how long between two, and how many stay unanswered.

    >>> _probes(30), _probes(6)
    ((10, 5, 4), (2, 1, 4))
    """
    return seconds // 3, seconds // 6, 4


def database_options(given: Mapping[str, Any], *, seconds: int, pooled: bool) -> dict[str, Any]:
    """What a connection to PostgreSQL is opened with; what the URL says comes before it.

    A pooler keeps connections of its own to the server, so what the server should do is for its configuration to say.

    >>> database_options({"sslmode": "require"}, seconds=30, pooled=True)["tcp_user_timeout"]
    30000
    >>> database_options({"options": "-c jit=off"}, seconds=30, pooled=False)["options"].split(" -c ")[-2:]
    ['idle_in_transaction_session_timeout=300s', 'jit=off']
    """
    idle, interval, count = _probes(seconds)
    ours: dict[str, Any] = {
        "connect_timeout": 10,
        "keepalives_idle": idle,
        "keepalives_interval": interval,
        "keepalives_count": count,
        "tcp_user_timeout": seconds * 1000,
    }
    if not pooled:
        asked = {
            "tcp_keepalives_idle": f"{idle}",
            "tcp_keepalives_interval": f"{interval}",
            "tcp_keepalives_count": f"{count}",
            "tcp_user_timeout": f"{seconds}s",
            "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION}s",
        }
        words = [f"-c {name}={value}" for name, value in asked.items()]
        ours["options"] = " ".join([*words, *([given["options"]] if given.get("options") else [])])
    return {**ours, **{name: value for name, value in given.items() if name != "options" or pooled}}


def broker_socket(seconds: int) -> dict[str, Any]:
    """What Celery's connections to the broker are opened with; what this system doesn't know is left out."""
    idle, interval, count = _probes(seconds)
    wanted = {
        "TCP_KEEPIDLE": idle,
        "TCP_KEEPINTVL": interval,
        "TCP_KEEPCNT": count,
        "TCP_USER_TIMEOUT": seconds * 1000,
    }
    known = {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": known}
