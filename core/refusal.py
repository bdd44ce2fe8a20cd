"""How a verb says no: a code with parameters, turned into words by the door that shows it.

Each room registers the words of its codes in its `refusals.py`; a code without words can't be raised.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise

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
        """The reason in the active language."""
        return str(_words[self.code]) % self.params if self.params else str(_words[self.code])

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def register(words: Mapping[str, str | Promise]) -> None:
    """Gives codes their words: lazy translations with `%(name)s` placeholders. A code is registered once."""
    for code, text in words.items():
        if code in _words and _words[code] is not text:
            raise LookupError(f"refusal code {code!r} is registered twice")
        _words[code] = text


def codes() -> list[str]:
    return sorted(_words)
