"""How a page of the portal is drawn: the company's face around it, the few ways on at the top."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from core.models import Company
from portal.access import Visitor


def page(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """The page `portal/{template}.html` for the visitor set by `access.needs`."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    values = {
        **face(visitor.company),
        "visitor": visitor,
        "nav": navigation(request),
        "portal_home_url": reverse("portal:home"),
        **(context or {}),
    }
    return render(request, f"portal/{template}.html", values, status=status)


def face(company: Company) -> dict[str, Any]:
    """What the frame needs to wear the company's colours, signed in or not."""
    return {
        "company": company,
        "theme_url": f"{reverse('portal:theme', args=[company.slug])}?v={company.accent[1:]}",
        "logo_url": f"{reverse('portal:logo', args=[company.slug])}?v={company.logo_id}" if company.logo_id else "",
    }


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    names = [
        ("home", _("Overview")),
        ("subscriptions", _("Subscriptions")),
        ("invoices", _("Invoices")),
        ("methods", _("Payment methods")),
        ("data", _("My data")),
        ("colleagues", _("Colleagues")),
    ]
    items = []
    for name, label in names:
        url = reverse(f"portal:{name}")
        current = request.path == url if name == "home" else request.path.startswith(url)
        items.append({"label": label, "url": url, "current": current})
    return items


def crumbs(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    """Where a page stands: (label, address) pairs from the top; the last may lack its address."""
    return [{"label": label, "url": url} if url else {"label": label} for label, url in pairs]
