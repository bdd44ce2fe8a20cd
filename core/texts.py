"""Texts as they come in, and the key they are sorted by.

A text is kept exactly as it was given, tabs, backslashes and formulas included; what PostgreSQL can't hold is refused.
"""

from __future__ import annotations

import unicodedata

from core.models.bases import NAME_LENGTH
from core.refusal import Refused

# Letters that have no decomposition, and what they are sorted as.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i", "ŧ": "t"}
)


def checked(text: object, *, field: str, limit: int, required: bool = False) -> str:
    """The text itself, or `Refused`: `text.form`, `text.nul`, `text.not_unicode`, `text.too_long`, `text.required`.

    `limit` counts characters. Nothing is stripped or replaced.
    """
    if not isinstance(text, str):
        raise Refused("text.form", field=field)
    if len(text) > limit:
        raise Refused("text.too_long", field=field, limit=limit, length=len(text))
    if "\0" in text:
        raise Refused("text.nul", field=field)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("text.not_unicode", field=field) from None
    if required and not text.strip():
        raise Refused("text.required", field=field)
    return text


def sort_key(name: str) -> str:
    """The name folded for sorting: without case and accents, at most as long as a name.

    >>> sort_key("  Ångström & Søn"), sort_key("Straße")
    ('angstrom & son', 'strasse')
    """
    letters = unicodedata.normalize("NFKD", name.casefold().translate(_PLAIN))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(bare.split())[:NAME_LENGTH]
