"""How a verb says no: a code with parameters, turned into words by the door that shows it.

Each room registers the words of its codes in its `refusals.py`; a code without words can't be raised.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise

from core.design import formats
from pricing.errors import PricingError
from pricing.money import Money

_words: dict[str, str | Promise] = {}


class Refused(Exception):
    """The business says no. Nothing was changed. `code` names the reason, `params` fill its words.

    `field` names the input at fault, where one is.
    """

    def __init__(self, code: str, /, *, field: str = "", **params: object) -> None:
        if code not in _words:
            raise LookupError(f"refusal code {code!r} has no words")
        super().__init__(code)
        self.code = code
        self.field = field
        self.params = params

    @property
    def message(self) -> str:
        """The reason in the active language, its days and amounts (`Money`) as that language writes them."""
        text: Any = _words[self.code]
        # A lazy plural knows its form only once it is filled: it is not turned into a text before.
        return str(text % {name: _shown(value) for name, value in self.params.items()} if self.params else text)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def _shown(value: object) -> object:
    match value:
        case dt.datetime():
            return formats.instant(value)
        case dt.date():
            return formats.day(value)
        case Money():
            return formats.money(value.minor, value.currency)
    return value


def words_of(error: PricingError) -> str:
    """Why the arithmetic refused, in the active language; its bare figures where its code has no words."""
    try:
        refusal = Refused(error.code)
        refusal.params = error.params
        return refusal.message
    except (LookupError, TypeError, ValueError):
        return ", ".join(f"{name}: {value}" for name, value in error.params.items())


def reason_of(error: PricingError) -> str:
    """`words_of` as the end of a sentence."""
    return words_of(error).rstrip(".")


def register(words: Mapping[str, str | Promise]) -> None:
    """Gives codes their words: lazy translations with `%(name)s` placeholders, plurals as `ngettext_lazy` with the name
    of the number. A code is registered once."""
    for code, text in words.items():
        if code in _words and _words[code] is not text:
            raise LookupError(f"refusal code {code!r} is registered twice")
        _words[code] = text


def codes() -> list[str]:
    return sorted(_words)
