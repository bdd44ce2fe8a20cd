"""Secrets and bank accounts at rest: sealed with the key ring, found again by a keyed fingerprint.

The rule that matters: what is sealed can be opened with any key of the ring and is sealed with its first one, so that
keys are changed without a stop; a fingerprint can't be turned back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models
from django.db.models.query_utils import DeferredAttribute

_SEALED = "s1:"


class CannotOpen(ValueError):
    """No key of the ring opens it: TURNUS_KEY_RING lacks the key it was sealed with."""


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"turnus.seal:" + key.encode()).digest())) for key in keys]
    )


def _keys() -> tuple[str, ...]:
    return tuple(settings.KEY_RING) or (settings.SECRET_KEY,)


def seal(text: str) -> str:
    """The text, sealed; empty stays empty."""
    return _SEALED + _ring(_keys()).encrypt(text.encode()).decode() if text else ""


def unseal(sealed: str) -> str:
    """The text again; raises `CannotOpen`."""
    if not sealed:
        return ""
    if not sealed.startswith(_SEALED):
        raise CannotOpen("this is not sealed")
    try:
        return _ring(_keys()).decrypt(sealed.removeprefix(_SEALED).encode()).decode()
    except InvalidToken as error:
        raise CannotOpen("no key of the ring opens it") from error


def opens(sealed: str) -> bool:
    """Whether a key of the ring opens it."""
    try:
        unseal(sealed)
    except CannotOpen:
        return False
    return True


def seal_bytes(content: bytes) -> bytes:
    """The content, sealed; 57 bytes and the padding longer."""
    return base64.urlsafe_b64decode(_ring(_keys()).encrypt(content))


def unseal_bytes(sealed: bytes) -> bytes:
    """The content again; raises `CannotOpen`."""
    try:
        return _ring(_keys()).decrypt(base64.urlsafe_b64encode(sealed))
    except InvalidToken as error:
        raise CannotOpen("no key of the ring opens it") from error


def fingerprint(text: str) -> str:
    """64 hexadecimal digits that are the same for the same text; made with the ring's last, oldest key."""
    key = hashlib.sha256(b"turnus.fingerprint:" + _keys()[-1].encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Sealed(str):
    """A sealed text as it stands in the database, not opened yet."""

    __slots__ = ()


class _Opening(DeferredAttribute):
    """Opens the text when it is asked for, not when its row is read: a row that no key opens still is one of a list."""

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Sealed) and instance is not None:
            value = instance.__dict__[self.field.attname] = unseal(str(value))
        return value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class SealedField(models.TextField):  # type: ignore[type-arg]
    """A text that stands sealed in the database and open in Python. It can't be searched: keep a fingerprint beside.

    Asking a row for it raises `CannotOpen` where the key ring lacks its key; reading the row doesn't.
    """

    descriptor_class = _Opening

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return None if value is None else Sealed(value)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Sealed):
            return value if value is None else str(value)
        return seal(str(value))
