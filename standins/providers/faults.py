"""What goes wrong, by a seeded plan with quotas. What was done stands in the ledger whatever the client saw.

A plan is {"seed": 1, "rules": [RULE, ...]}; a RULE is
  {"kind": KIND, "quota": 25, "rate": 0.1, "operation": "payment_intents.*", "provider": "stripe", "reason": "...",
   "seconds": 30, "contains": "in_123", "skip": 0}
where only `kind` must be there. For each API request the rules are asked in order; one that matches (provider and
operation by glob, `contains` somewhere in the path or body), has quota left and has let `skip` matches pass is chosen
with probability `rate`. Two runs with the same seed and the same order of requests meet the same faults.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from standins.providers.store import Store, Tx

BEFORE = {
    "hang_before": "nothing is done and nothing is answered for `seconds`, then the connection is closed",
    "reset_before": "nothing is done, the connection is reset",
    "error_500_before": "nothing is done, 500",
    "unavailable": "nothing is done, 503",
    "rate_limited": "nothing is done, 429",
    "slow": "waits `seconds` (its idempotency key being in use), then does and answers as usual",
}
AFTER = {
    "hang_after": "all is done, nothing is answered for `seconds`, then the connection is closed",
    "reset_after": "all is done, the connection is reset",
    "error_500_after": "all is done, 500 is answered, and at Stripe kept under the idempotency key",
    "malformed": "all is done, the body of the answer is cut in the middle",
    "empty": "all is done, 200 without a body",
}
OUTCOME = {
    "decline": "the payment is declined for `reason`",
    "authentication_required": "the payment needs the customer's authentication",
}
KINDS = {**BEFORE, **AFTER, **OUTCOME}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that was chosen for a request. `kind` is a key of KINDS; `reason` the decline's reason."""

    kind: str
    reason: str = ""
    seconds: float = 30.0


@dataclass(slots=True)
class Rule:
    """One line of the plan and how much of it was spent."""

    kind: str
    provider: str = "*"
    operation: str = "*"
    quota: int | None = None
    rate: float = 1.0
    reason: str = ""
    seconds: float = 30.0
    contains: str = ""
    skip: int = 0
    seen: int = 0
    spent: int = 0

    def matches(self, provider: str, operation: str, charges: bool, text: bytes) -> bool:
        """Whether a request is one this rule is about."""
        return (
            (charges or self.kind not in OUTCOME)
            and fnmatchcase(provider, self.provider)
            and fnmatchcase(operation, self.operation)
            and (not self.contains or self.contains.encode() in text)
        )


class FaultPlan:
    """The plan in force, kept in the store with what was spent of it, so that it outlives the process."""

    def __init__(self, store: Store, seed: int = 0) -> None:
        self._store = store
        self._lock = threading.Lock()
        with store.transaction() as tx:
            kept = tx.setting("faults") or {"seed": seed, "draws": 0, "rules": []}
        self.seed: int = kept["seed"]
        self.draws: int = kept["draws"]
        self.rules = [Rule(**rule) for rule in kept["rules"]]

    def replace(self, plan: Mapping[str, Any]) -> None:
        """Put another plan in force; counts begin at nought. Raises ValueError for a rule that makes no sense."""
        rules = []
        for given in plan.get("rules", []):
            unknown = set(given) - set(Rule.__dataclass_fields__) | ({"seen", "spent"} & set(given))
            if unknown or given.get("kind") not in KINDS:
                raise ValueError(f"not a fault: {given}; kinds are {', '.join(KINDS)}")
            rules.append(Rule(**given))
        with self._lock, self._store.transaction() as tx:
            self.seed, self.draws, self.rules = int(plan.get("seed", self.seed)), 0, rules
            self._keep(tx)

    def choose(self, provider: str, operation: str, *, charges: bool, text: bytes) -> Fault | None:
        """The fault of one API request, spent at once; None when it goes well."""
        if not self.rules:
            return None
        with self._lock:
            for rule in self.rules:
                if (rule.quota is not None and rule.spent >= rule.quota) or not rule.matches(
                    provider, operation, charges, text
                ):
                    continue
                rule.seen += 1
                if rule.seen <= rule.skip or self._draw() >= rule.rate:
                    continue
                rule.spent += 1
                with self._store.transaction() as tx:
                    self._keep(tx)
                return Fault(rule.kind, rule.reason, rule.seconds)
        return None

    def report(self) -> dict[str, Any]:
        """The plan and what was spent: `spent` by kind (every kind is named) and `left` by kind (None: no limit)."""
        with self._lock:
            spent, left = dict.fromkeys(KINDS, 0), dict[str, int | None]()
            for rule in self.rules:
                spent[rule.kind] += rule.spent
                before = left.get(rule.kind, 0)
                left[rule.kind] = None if rule.quota is None or before is None else before + rule.quota - rule.spent
            return {"seed": self.seed, "spent": spent, "left": left, "rules": [asdict(rule) for rule in self.rules]}

    def _draw(self) -> float:
        self.draws += 1
        digest = hashlib.blake2b(f"{self.seed}:{self.draws}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64

    def _keep(self, tx: Tx) -> None:
        tx.set("faults", {"seed": self.seed, "draws": self.draws, "rules": [asdict(rule) for rule in self.rules]})
