"""Named points at which a rehearsal of faults may strike: `point("billing.numbered")`.

The rule that matters: in production nothing is armed and a point is one look at a variable. Only a process that
`faults/` starts arms one: by `arm`, or by `TURNUS_FAULT_POINT` in its environment.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Final

#: Every name there is, and whether a transaction is open there.
POINTS: Final = {
    "billing.claimed": True,
    "billing.lines": True,
    "billing.numbered": True,
    "billing.linked": True,
    "billing.written": True,
    "billing.committed": False,
    "moves.moved": True,
    "attempt.opened": True,
    "attempt.intent": False,
    "attempt.called": False,
    "attempt.applied": True,
    "payment.recorded": True,
    "dunning.step": True,
    "reminder.written": True,
    "alert.raised": True,
    "mailing.started": True,
    "mailing.portion": True,
    "outbox.claiming": True,
    "outbox.claimed": False,
    "outbox.effected": False,
    "mail.composed": True,
    "mail.sent": False,
    "mail.keeping": True,
    "webhook.claimed": True,
    "webhook.sent": False,
    "webhook.recording": True,
    "job.begun": False,
    "sweep.dropped": False,
    "file.put": False,
    "file.back": True,
}
#: Seconds a process waits at a point for what is done to its surroundings.
PATIENCE: Final = 30.0

_armed: str = ""
_passes = 0
_deed = "kill"


def arm(spec: str) -> None:
    """`NAME@N!DEED`: what happens at the N-th pass of a point. Deeds: `kill`, or `wait:FILE`, which makes the file and
    waits until it is gone. An empty text disarms. Raises ValueError for a point that doesn't exist."""
    global _armed, _passes, _deed
    name, _at, rest = spec.partition("@")
    if name and name not in POINTS:
        raise ValueError(f"there is no point {name}")
    number, _mark, deed = rest.partition("!")
    _armed, _passes, _deed = name, int(number or 1), deed or "kill"


def point(name: str) -> None:
    """A place where a process may be struck; it does nothing unless this very point is armed."""
    if name == _armed:
        _strike()


def _strike() -> None:
    global _armed, _passes
    _passes -= 1
    if _passes > 0:
        return
    _armed = ""
    if _deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    _kind, _colon, file = _deed.partition(":")
    Path(file).touch()
    until = time.monotonic() + PATIENCE
    while Path(file).exists() and time.monotonic() < until:
        time.sleep(0.002)


arm(os.environ.get("TURNUS_FAULT_POINT", ""))
