"""The company's face, to be seen before anybody signs in: its colour made readable, its logo."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from core.design.brand import stylesheet
from core.models import Company

SHOWN = {"image/png", "image/jpeg", "image/svg+xml", "image/webp"}


def _company(slug: str) -> Company:
    company = Company.objects.select_related("logo").filter(slug=slug).first()
    if company is None:
        raise Http404
    return company


@require_safe
@cache_control(public=True, max_age=3600)
def theme(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(stylesheet(_company(slug).accent), content_type="text/css; charset=utf-8")


@require_safe
@cache_control(public=True, max_age=3600)
def logo(request: HttpRequest, slug: str) -> HttpResponse:
    """The logo as an image and nothing else: what stands inside an SVG can't run."""
    file = _company(slug).logo
    if file is None or file.media_type not in SHOWN:
        raise Http404
    response = HttpResponse(bytes(file.content), content_type=file.media_type)
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response
