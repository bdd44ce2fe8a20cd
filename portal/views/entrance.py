"""Coming in: people who belong to several customers choose one, and may choose again."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from portal.access import CONTACT_KEY, contacts_of


@never_cache
@login_required
def choose(request: HttpRequest) -> HttpResponse:
    """Which customer to look at; the choice lasts as long as the session."""
    contacts = contacts_of(request)
    goal = request.POST.get("next") or request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(goal, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        goal = ""
    if request.method == "POST":
        chosen = next((one for one in contacts if one.ref == request.POST.get("contact")), None)
        if chosen is not None:
            changes = CONTACT_KEY in request.session
            request.session[CONTACT_KEY] = chosen.pk
            # An address of the customer left behind would not be found.
            return redirect(goal if goal and not changes else "portal:home")
    return render(request, "portal/choose.html", {"contacts": contacts, "next": goal})
