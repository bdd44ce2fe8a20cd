"""The payers' wallets: who they are and how they will behave, now and once they are saved.

A wallet pays, declines, asks for its owner, pays by eCheck (pending for days) or lets its refunds wait. Which one is
chosen on the hosted page, by the e-mail's part before the `@` (`declined@...`), or later by the control door.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Any

Json = dict[str, Any]
PAYS = "pays"
PAYER_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # as in PayPal's ids of people: none that is easily misread
KINDS: dict[str, str] = {
    PAYS: "Pays at once",
    "declined": "Declined now (INSTRUMENT_DECLINED)",
    "later-declined": "Pays now; declined once it is saved",
    "later-funds": "Pays now; not enough funds once it is saved",
    "later-action": "Pays now; asks for its owner once it is saved",
    "echeck": "Pays by eCheck: pending until it is settled or denied",
    "later-echeck": "Pays now; by eCheck once it is saved",
    "slow-refund": "Pays at once; its refunds stay pending",
    "refused": "Taken, but the capture itself is declined",
}


@dataclass(frozen=True)
class Wallet:
    """A payer's way to pay.

    `declines` is the issue it is refused with ("" when it isn't), `action` asks for the payer, `captures` is the
    state its captures begin in, `refunds` that of its refunds. `saved` replaces fields from the first time it is saved.
    """

    email: str
    payer_id: str
    given_name: str
    surname: str
    declines: str = ""
    action: bool = False
    captures: str = "COMPLETED"
    refunds: str = "COMPLETED"
    saved: Json | None = None

    def as_json(self) -> Json:
        """As it is stored."""
        return asdict(self)

    def when_saved(self) -> Wallet:
        """The wallet as it is from now on in the vault."""
        return replace(self, **{**(self.saved or {}), "saved": None})

    def shown(self) -> Json:
        """What PayPal tells the merchant of it."""
        return {
            "email_address": self.email,
            "account_id": self.payer_id,
            "account_status": "VERIFIED",
            "name": {"given_name": self.given_name, "surname": self.surname},
            "address": {"country_code": "DE"},
        }


BEHAVIOURS: dict[str, Json] = {
    PAYS: {},
    "declined": {"declines": "INSTRUMENT_DECLINED"},
    "later-declined": {"saved": {"declines": "INSTRUMENT_DECLINED"}},
    "later-funds": {"saved": {"declines": "INSUFFICIENT_FUNDS"}},
    "later-action": {"saved": {"action": True}},
    "echeck": {"captures": "PENDING"},
    "later-echeck": {"saved": {"captures": "PENDING"}},
    "slow-refund": {"refunds": "PENDING"},
    "refused": {"captures": "DECLINED"},
}


def ready(email: str, kind: str = "") -> Wallet:
    """The wallet of an e-mail address. The same address is the same payer; the kind may stand in the address."""
    local = email.partition("@")[0].lower()
    chosen = kind if kind in BEHAVIOURS else (local if local in BEHAVIOURS else PAYS)
    names = [part.capitalize() for part in local.replace("_", ".").split(".") if part] or ["Payer"]
    digest = hashlib.sha256(email.lower().encode()).digest()
    payer_id = "".join(PAYER_LETTERS[byte % len(PAYER_LETTERS)] for byte in digest[:13])
    return Wallet(
        email=email,
        payer_id=payer_id,
        given_name=names[0],
        surname=" ".join(names[1:]) or "Payer",
        **BEHAVIOURS[chosen],
    )
