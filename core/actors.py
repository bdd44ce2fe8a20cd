"""Who does something. Every verb is told, every audit row says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from django.utils.translation import gettext, gettext_noop

if TYPE_CHECKING:
    from core.models import ApiKey, User

ActorKind = Literal["user", "contact", "key", "rule", "run", "system"]
#: What the machine calls itself in what it writes down.
SYSTEM_NAMES: Final = frozenset({
    gettext_noop("Alerts"), gettext_noop("Approval window"), gettext_noop("Bank statements"),
    gettext_noop("Collection"), gettext_noop("Contract clock"), gettext_noop("Daily billing run"),
    gettext_noop("Direct debits"), gettext_noop("Dunning"), gettext_noop("Expiry"), gettext_noop("link in a mail"),
    gettext_noop("link in a mailing"), gettext_noop("link in a reminder"), gettext_noop("mail provider"),
    gettext_noop("mail server"), gettext_noop("Mailings"), gettext_noop("Mandates"),
    gettext_noop("Parked subscriptions"), gettext_noop("Pay page"), gettext_noop("Payment method link"),
    gettext_noop("Payment methods"), gettext_noop("Payment provider"), gettext_noop("Quote page"),
    gettext_noop("Quotes"), gettext_noop("Reminders"), gettext_noop("Renewal law"), gettext_noop("VAT check"),
    gettext_noop("Test bank"), gettext_noop("Web form"), gettext_noop("Webhooks"),
})  # fmt: skip


def actor_words(label: str) -> str:
    """The name of an actor as it was written down, in the reader's language where it is the machine's own.

    >>> actor_words("Ada Wind")
    'Ada Wind'
    """
    return gettext(label) if label in SYSTEM_NAMES else label


@dataclass(frozen=True, slots=True)
class Actor:
    """An actor: its kind, the id of its row (if any) and a name people recognize."""

    kind: ActorKind
    id: int | None
    label: str
    user_id: int | None = None

    @classmethod
    def of_user(cls, user: User) -> Actor:
        return cls("user", user.pk, str(user)[:120], user.pk)

    @classmethod
    def of_contact(cls, contact_id: int, name: str, user_id: int | None) -> Actor:
        return cls("contact", contact_id, name[:120], user_id)

    @classmethod
    def of_key(cls, key: ApiKey) -> Actor:
        return cls("key", key.pk, key.name[:120])

    @classmethod
    def system(cls, label: str) -> Actor:
        return cls("system", None, label[:120])

    @classmethod
    def run(cls, run_id: int, label: str) -> Actor:
        return cls("run", run_id, label[:120])
