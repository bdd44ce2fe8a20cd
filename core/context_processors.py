"""What every page's frame needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """The company worked in, its siblings, the rights held there, the languages on offer."""
    return {
        "company": getattr(request, "company", None),
        "companies": getattr(request, "companies", []),
        "rights": getattr(request, "rights", frozenset()),
        "languages": settings.LANGUAGES,
    }
