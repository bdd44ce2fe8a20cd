"""The one root of everything this room refuses.

A refusal carries a reason code and never a sentence: the doors find the words in the reader's language.
"""

from __future__ import annotations


class PricingError(ValueError):
    """A value that may not exist. `code` is the reason; `params` are the figures a sentence may name."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params
