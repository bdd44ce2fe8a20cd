"""What all requests of the process share: the store, the plans, the clock and the addresses of the hosted pages."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from standins.providers.deliveries import Deliverer
    from standins.providers.faults import FaultPlan
    from standins.providers.store import Store
    from standins.providers.wire import Provider


class Clock:
    """The machine's clock plus what the control door added. Whole seconds since 1970; it only moves forward."""

    def __init__(self, ahead: int = 0) -> None:
        self.ahead = ahead

    def now(self) -> int:
        """The stand-in's instant."""
        return int(time.time()) + self.ahead


@dataclass
class World:
    """One per process. `pages` is the public address of each provider's port, like `http://127.0.0.1:12111`."""

    store: Store
    clock: Clock
    faults: FaultPlan
    deliverer: Deliverer
    halves: dict[str, Provider] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
