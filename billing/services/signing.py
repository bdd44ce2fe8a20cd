"""The token of a preview of many at once: a signature over every figure and day it showed.

The rule that matters: who sends it with the act gets what was shown, or nothing (`preview.differs`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from django.conf import settings

from core.refusal import Refused


def signed(kind: str, figures: Any) -> str:
    """The token of these figures (lists, texts, numbers) of an act of that kind."""
    body = f"turnus.{kind}:{json.dumps(figures, separators=(',', ':'))}"
    return hmac.new(settings.SECRET_KEY.encode(), body.encode(), hashlib.sha256).hexdigest()


def check(token: str | None, now: str) -> None:
    """Refuses `preview.differs` where a token was given and it isn't that of `now`."""
    if token is not None and not hmac.compare_digest(token.encode(), now.encode()):
        raise Refused("preview.differs")
