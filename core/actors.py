"""Who does something. Every verb is told, every audit row says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from core.models import ApiKey, User

ActorKind = Literal["user", "contact", "key", "rule", "run", "system"]


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
