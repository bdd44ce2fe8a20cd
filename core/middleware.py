"""What a request carries besides its user: the language, the company staff work in, their rights there."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone, translation

from core import clock
from core.bucket import BucketError
from core.models import Company
from core.rights import rights_of

logger = logging.getLogger(__name__)
LANGUAGE_COOKIE = "language"
COMPANY_KEY = "company"
Next = Callable[[HttpRequest], HttpResponse]


class LanguageMiddleware:
    """Picks the language: the cookie, else the person's own, else what the browser asks for."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        language = _language_of(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
        response.setdefault("Content-Language", language)
        return response


def _language_of(request: HttpRequest) -> str:
    chosen = request.COOKIES.get(LANGUAGE_COOKIE, "")
    if chosen and translation.check_for_language(chosen):
        return chosen
    own = getattr(request.user, "language", "") if request.user.is_authenticated else ""
    return own or translation.get_language_from_request(request)


class CompanyMiddleware:
    """Sets `request.company` and `request.rights` for staff: the company in their session, else their first.

    Instants on their pages are shown in that company's time zone.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.company = None  # type: ignore[attr-defined]
        request.rights = frozenset()  # type: ignore[attr-defined]
        if not (request.path.startswith("/office/") and request.user.is_authenticated):
            return self.get_response(request)
        companies = companies_of(request.user)
        chosen = request.session.get(COMPANY_KEY)
        company = next((c for c in companies if c.pk == chosen), companies[0] if companies else None)
        request.company = company  # type: ignore[attr-defined]
        request.companies = companies  # type: ignore[attr-defined]
        if company is None:
            return self.get_response(request)
        request.rights = rights_of(request.user, company)  # type: ignore[attr-defined]
        with timezone.override(clock.zone(company.time_zone)):
            return self.get_response(request)


class FilesMiddleware:
    """Says so where a page needs a file whose store doesn't answer; the API has words of its own."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, BucketError) or not error.passes:
            return None
        logger.warning("A file could not be read for a page", exc_info=error)
        response = render(request, "503.html", status=503)
        response["Retry-After"] = "30"
        return response


def companies_of(user: object) -> list[Company]:
    """The companies a person works for, by name, sandboxes last; operators work for all."""
    rows = Company.objects.annotate(is_sandbox=Q(sandbox_of__isnull=False)).order_by("is_sandbox", "name")
    if not getattr(user, "is_superuser", False):
        rows = rows.filter(pk__in=user.memberships.values("company_id"))  # type: ignore[attr-defined]
    return list(rows)
