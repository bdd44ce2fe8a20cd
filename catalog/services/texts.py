"""Texts of the catalog by language. The company's language is always there, so every reader finds words."""

from __future__ import annotations

from collections.abc import Mapping

from core import checks
from core.models import Company
from core.refusal import Refused
from core.texts import checked


def in_language(texts: Mapping[str, str], language: str, fallback: str) -> str:
    """The text in that language, else in the fallback, else the first there is; empty without any.

    >>> in_language({"de": "Haus", "en": "House"}, "fr", "en")
    'House'
    """
    return texts.get(language) or texts.get(fallback) or next(iter(texts.values()), "")


def checked_texts(texts: object, *, company: Company, field: str, limit: int, required: bool = False) -> dict[str, str]:
    """Texts by language, empty ones left out; refuses unknown languages and, if required, a missing main one."""
    if not isinstance(texts, Mapping):
        raise Refused("text.form", field=field)
    kept: dict[str, str] = {}
    for language, text in texts.items():
        checks.language(language, field=field)
        if checked(text, field=field, limit=limit).strip():
            kept[language] = text
    if (required or kept) and company.language not in kept:
        raise Refused("catalog.text_missing", field=field, language=company.get_language_display())
    return kept
