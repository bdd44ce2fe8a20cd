"""Bank transfer and cash behind the one interface: the customer pays by itself, nothing can be charged.

The rule that matters: money that comes this way is known from the bank's statement or from whoever took it.
"""

from __future__ import annotations

from typing import ClassVar

from billing.gateways import registry
from billing.gateways.base import Answer, Charge, Gateway, NotSupported
from billing.models import Gateway as Account


class Offline(Gateway):
    """No charge, no page, no message."""

    can: ClassVar[frozenset[str]] = frozenset()

    def charge(self, order: Charge) -> Answer:
        """Nothing to ask: raises `NotSupported`."""
        raise NotSupported(self.kind)

    def look_up(self, order: Charge) -> Answer:
        """Nothing to ask: raises `NotSupported`."""
        raise NotSupported(self.kind)

    def cancel(self, order: Charge) -> Answer:
        """Nothing to ask: raises `NotSupported`."""
        raise NotSupported(self.kind)


@registry.connection(Account.Kind.TRANSFER)
class Transfer(Offline):
    """The customer transfers the money."""

    kind = "transfer"


@registry.connection(Account.Kind.CASH)
class Cash(Offline):
    """The customer pays in cash."""

    kind = "cash"
