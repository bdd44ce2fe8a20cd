"""SEPA direct debit behind the one interface: nothing is sent, a file goes to the bank (`services/debit_files`).

The rule that matters: what is in a file can't be called back here; the bank's statement has the last word.
"""

from __future__ import annotations

from typing import ClassVar

from billing.gateways import registry
from billing.gateways.base import Answer, Charge, Gateway, Outcome
from billing.models import Gateway as Account


@registry.connection(Account.Kind.SEPA)
class Sepa(Gateway):
    """Direct debits of one creditor. It asks no network; every answer is what can be said without the bank."""

    kind = "sepa"
    can: ClassVar[frozenset[str]] = frozenset({"debit"})

    def charge(self, order: Charge) -> Answer:
        """Not sent: the debit waits for its file."""
        return Answer(Outcome.NOT_SENT)

    def look_up(self, order: Charge) -> Answer:
        """Under way: only the bank's statement tells."""
        return Answer(Outcome.PENDING)

    def cancel(self, order: Charge) -> Answer:
        """Under way all the same: cancel its file while the bank has it not, or wait for the bank."""
        return Answer(Outcome.PENDING)
