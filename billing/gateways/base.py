"""The one interface of all gateways: save a method, charge, refund, look up, read a message.

The rule that matters: a gateway only talks to its provider. It writes no row, decides no date and moves no state; what
the provider said comes back as an `Answer`, and what can't be known is `unknown`, never `declined`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar

from billing.models import Gateway as Account


class Outcome(StrEnum):
    """What a provider says of a charge or refund."""

    SETTLED = "settled"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    #: The customer agreed on the provider's page; the money is ours once we ask for it.
    APPROVED = "approved"
    DECLINED = "declined"
    CANCELED = "canceled"
    #: The provider may have done it: only a look-up tells.
    UNKNOWN = "unknown"
    #: It certainly never reached the provider, or the provider refused to begin: send it again with its key.
    NOT_SENT = "not_sent"
    #: Asked about, and the provider knows nothing of it.
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """A method the provider keeps for us. `fingerprint`: the provider's, to recognise the same card."""

    external_id: str
    external_customer: str
    kind: str
    label: str
    expires_on: date | None = None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says. Amounts in minor units of `currency`; `fee_minor` in that of the charge.

    `money_id`: the provider's id of the money itself, where it differs from that of the order (a capture).
    `reason` is a code of `billing.gateways.reasons`, `detail` the provider's own words, without personal data.
    `settled_currency` and `settled_minor`: what was paid out, where that is another currency.
    """

    outcome: Outcome
    external_id: str = ""
    money_id: str = ""
    amount_minor: int | None = None
    currency: str = ""
    fee_minor: int = 0
    settled_currency: str = ""
    settled_minor: int | None = None
    settled_at: datetime | None = None
    reason: str = ""
    detail: str = ""
    action_url: str = ""
    method: SavedMethod | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be collected. `key`: sent with every try of it. `number`: the invoice's, shown to the payer.

    With `method` the saved one is charged without the customer; without it the customer pays on the provider's page,
    which leads back to `return_url` or `cancel_url`. `saves`: the method used there is kept for later. `may_take`: a
    look-up asks for the money that the customer agreed to.
    """

    key: str
    attempt: str
    invoice: str
    number: str
    customer: str
    customer_name: str
    customer_email: str
    language: str
    amount_minor: int
    currency: str
    method: SavedMethod | None = None
    external_customer: str = ""
    external_id: str = ""
    return_url: str = ""
    cancel_url: str = ""
    saves: bool = False
    may_take: bool = False


@dataclass(frozen=True, slots=True)
class SetUp:
    """A method to be saved without paying, on the provider's page."""

    key: str
    customer: str
    customer_name: str
    customer_email: str
    language: str
    currency: str
    return_url: str
    cancel_url: str
    external_customer: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the provider for the customer; `external_id` names what it makes."""

    url: str
    external_id: str
    external_customer: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Money to be given back; `money_id` is the provider's id of the settled money."""

    key: str
    refund: str
    money_id: str
    amount_minor: int
    currency: str
    reason: str = ""
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A provider's message whose signature is right. `about`: the provider's id of the object it is about."""

    external_id: str
    type: str
    occurred_at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class ChargeFact:
    """How a charge stands now; `key` leads to the attempt where the provider's id does not yet."""

    external_id: str
    key: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class RefundFact:
    """How a refund stands now; one we never asked for has no key of ours (made at the provider by hand)."""

    external_id: str
    money_id: str
    key: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class DisputeFact:
    """How a dispute stands now: `open`, `won` or `lost`."""

    external_id: str
    money_id: str
    state: str
    amount_minor: int
    currency: str
    fee_minor: int
    reason: str
    detail: str
    opened_at: datetime
    answer_by: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MethodFact:
    """How a saved method stands now; `gone`: removed at the provider or by the payer."""

    external_id: str
    gone: bool
    method: SavedMethod | None = None
    setup_id: str = ""


Fact = ChargeFact | RefundFact | DisputeFact | MethodFact


class BadSignature(ValueError):
    """The message isn't the provider's, is too old, or no secret is set."""


class Unreachable(RuntimeError):
    """The provider can't be asked just now whether a message is its own: the message is to come again."""


class NotSupported(RuntimeError):
    """This gateway has no such thing; the caller should have asked `can`."""


class Gateway(ABC):
    """One account at one provider. Methods may take as long as `TIMEOUT`; none is called inside a transaction."""

    kind: ClassVar[str]
    #: What it is able to do: "page", "save", "charge", "refund", "messages", "disputes"; "leave": what waits on its
    #: page takes no money unless we ask for it.
    can: ClassVar[frozenset[str]]
    #: Hours for which the provider certainly remembers the key of a charge.
    key_hours: ClassVar[int] = 23

    def __init__(self, account: Account, *, address: str) -> None:
        self.account = account
        self.address = address

    @abstractmethod
    def charge(self, order: Charge) -> Answer:
        """Charges the saved method, or opens the provider's page for it (`requires_action` with its address)."""

    @abstractmethod
    def look_up(self, order: Charge) -> Answer:
        """How the charge stands, by its id or, where none is known, by its key. `absent`: never arrived."""

    @abstractmethod
    def cancel(self, order: Charge) -> Answer:
        """Has the provider confirm that no money will come; `settled` when it was too late."""

    def set_up(self, order: SetUp) -> Page:
        """The provider's page that saves a method."""
        raise NotSupported(self.kind)

    def set_up_done(self, setup_id: str) -> SavedMethod | None:
        """The method that the page saved; None: not yet, or not at all."""
        raise NotSupported(self.kind)

    def forget(self, method: SavedMethod) -> None:
        """Removes the method at the provider; one that is gone is no error."""
        raise NotSupported(self.kind)

    def refund(self, order: GiveBack) -> Answer:
        """Gives money back."""
        raise NotSupported(self.kind)

    def look_up_refund(self, order: GiveBack) -> Answer:
        """How the refund stands, by its id or its key."""
        raise NotSupported(self.kind)

    def read(self, body: bytes, headers: Mapping[str, str]) -> Message:
        """The message, once its signature over the raw bytes holds; raises `BadSignature`."""
        raise NotSupported(self.kind)

    def messages_since(self, since: datetime) -> Iterable[Message]:
        """All messages from that instant of the provider's clock on, oldest first, fetched from the provider."""
        raise NotSupported(self.kind)

    def facts(self, message: Message) -> list[Fact]:
        """What the message is about, as it stands now: fetched anew, so that order doesn't matter."""
        raise NotSupported(self.kind)
