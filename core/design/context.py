"""What the frame around every page shows: the colour scheme chosen and the languages, named in themselves."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import get_language_info

THEME_COOKIE = "theme"
THEMES = ("auto", "light", "dark")


def look(request: HttpRequest) -> dict[str, Any]:
    """`theme` is auto, light or dark, from a cookie; `language_choices` are (code, own name) pairs."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "theme": theme if theme in THEMES else "auto",
        "language_choices": [
            (code, str(get_language_info(code)["name_local"]).capitalize()) for code, _name in settings.LANGUAGES
        ],
    }
