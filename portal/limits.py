"""How often one may try: counted per door and place, in the cache that all processes share."""

from __future__ import annotations

from django.core.cache import cache
from django.http import HttpRequest

HOUR = 3600


def too_many(what: str, who: str, most: int, seconds: int = HOUR) -> bool:
    """Counts one more, and says whether that is more than allowed."""
    key = f"portal-{what}-{who}"
    cache.add(key, 0, timeout=seconds)
    try:
        return bool(cache.incr(key) > most)
    except ValueError:  # it ran out in between
        return False


def place_of(request: HttpRequest) -> str:
    """Where a request comes from, for counting."""
    return str(request.META.get("REMOTE_ADDR", ""))
