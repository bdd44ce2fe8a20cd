"""How often a key may call: a count per span of time, kept in PostgreSQL in an unlogged table."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from api.problems import Problem
from core import clock
from core.models import ApiKey


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a key's calls: `quota` in `window` seconds, `left` for the next `resets_in` seconds."""

    quota: int
    window: int
    left: int
    resets_in: int

    def headers(self) -> dict[str, str]:
        """The RateLimit fields of the IETF's draft."""
        return {
            "RateLimit-Policy": f'"default";q={self.quota};w={self.window}',
            "RateLimit": f'"default";r={self.left};t={self.resets_in}',
        }


def count(key: ApiKey) -> Allowance:
    """Counts a call; raises 429 once the quota of the running span is used up.

    One small statement of its own: two calls at the same moment are both counted.
    """
    quota, window = settings.API_RATE
    now = int(clock.machine_now().timestamp())
    span, into = divmod(now, window)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO api_callcount (api_key_id, span, calls) VALUES (%s, %s, 1)
            ON CONFLICT (api_key_id) DO UPDATE
            SET calls = CASE WHEN api_callcount.span = excluded.span THEN api_callcount.calls + 1 ELSE 1 END,
                span = excluded.span
            RETURNING calls
            """,
            [key.pk, span],
        )
        calls = cursor.fetchone()[0]
    allowance = Allowance(quota, window, max(0, quota - calls), window - into)
    if calls > quota:
        wait = {"Retry-After": str(allowance.resets_in), **allowance.headers()}
        raise Problem(429, "rate_limited", seconds=allowance.resets_in, headers=wait)
    return allowance
