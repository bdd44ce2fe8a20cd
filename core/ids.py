"""Ids that leave the house: UUID version 7, shown as a prefix and 26 letters of Crockford base32.

Inside, rows are joined by `bigint`; only a `public_id` may appear in an address or an answer.
"""

from __future__ import annotations

import os
import time
import uuid

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Two letters at a time, ten bits each: documents are written by the hundred thousand.
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_SHIFTS = range(120, -10, -10)
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_VERSION_AND_VARIANT = (0x7 << 76) | (0x2 << 62)
_RANDOM_MASK = (0xFFF << 64) | ((1 << 62) - 1)


class BadId(ValueError):
    """The text is no id of the expected kind."""


def new_id() -> uuid.UUID:
    """A fresh UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then random bits.

    >>> new_id().version
    7
    """
    millis = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big") & _RANDOM_MASK
    return uuid.UUID(int=(millis << 80) | _VERSION_AND_VARIANT | random)


def encode(prefix: str, value: uuid.UUID) -> str:
    """The outside form of an id.

    >>> encode("sub", uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
    'sub_01h455vb4pex5vsknk084sn02q'
    """
    number = value.int
    return f"{prefix}_{''.join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])}"


def decode(prefix: str, text: str) -> uuid.UUID:
    """The UUID behind an outside id; `BadId` when the prefix or a letter is wrong.

    >>> decode("sub", "sub_01h455vb4pex5vsknk084sn02q").version
    7
    """
    head, _, body = text.partition("_")
    if head != prefix or len(body) != 26:
        raise BadId(text)
    number = 0
    for letter in body:
        if letter not in _VALUES:
            raise BadId(text)
        number = (number << 5) | _VALUES[letter]
    if number >> 128:
        raise BadId(text)
    return uuid.UUID(int=number)
