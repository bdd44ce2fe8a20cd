"""The switches of the shell (language, colour scheme) and the gallery of parts for whoever writes pages."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from core.design.brand import stylesheet
from core.design.context import THEME_COOKIE, THEMES
from core.design.gallery import samples
from core.middleware import LANGUAGE_COOKIE

YEAR = 365 * 24 * 3600


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """To the page the switch stood on, never to another site."""
    goal = request.POST.get("next") or request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(goal, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(goal if safe else "/")


def _remember(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        name, value, max_age=YEAR, samesite="Lax", httponly=True, secure=bool(settings.SESSION_COOKIE_SECURE)
    )


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Remembers auto, light or dark for this browser."""
    response = _back(request)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        _remember(response, THEME_COOKIE, theme)
    return response


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Remembers the language of the pages for this browser, and for the person if signed in."""
    response = _back(request)
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES):
        _remember(response, LANGUAGE_COOKIE, language)
        user = request.user
        if user.is_authenticated and getattr(user, "language", language) != language:
            user.language = language
            user.save(update_fields=["language"])
    return response


def gallery(request: HttpRequest) -> HttpResponse:
    """Every part with example values; a workshop page that exists in development only."""
    if not settings.DEBUG:
        raise Http404
    with translation.override(request.GET.get("language") or translation.get_language()):
        context = samples()
        if request.GET.get("door") != "portal":
            return render(request, "gallery.html", context)
        context |= {"nav": context["portal_nav"], "theme_url": request.GET.get("brand") and reverse("design:brand")}
        return render(request, "gallery_portal.html", context)


def brand(request: HttpRequest) -> HttpResponse:
    """A strange company colour for the gallery, to see that the portal survives it."""
    if not settings.DEBUG:
        raise Http404
    return HttpResponse(stylesheet("#ffd400"), content_type="text/css; charset=utf-8")
