"""Where people arrive before a door is chosen."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from core.middleware import companies_of


def front_door(request: HttpRequest) -> HttpResponse:
    """Sends staff to the back office, customers to the portal, strangers to the sign-in page."""
    if not request.user.is_authenticated:
        return redirect("account_login")
    return redirect("backoffice:home" if companies_of(request.user) else "portal:home")
