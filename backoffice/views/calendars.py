"""One's calendar: the page where its secret link is made and switched off, and the calendar itself behind the link."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice.acting import actor, done, now
from backoffice.forms.activities import CalendarForm
from backoffice.pages import crumbs, page
from core.refusal import Refused
from core.rights import needs
from crm.services import calendars


@needs("task.read")
def link(request: HttpRequest) -> HttpResponse:
    """Makes a new link; it is shown this once."""
    form, token = CalendarForm(request.POST if request.method == "POST" else None), ""
    if request.method == "POST" and form.is_valid():
        _row, token = calendars.create(
            company=request.company, user=request.user, has_terms=form.cleaned_data["has_terms"], by=actor(request),
            at=now(request),
        )  # fmt: skip
    context = {
        "title": _("Your calendar"), "form": form,
        "crumbs": crumbs((_("Activities"), reverse("backoffice:activities")), (_("Your calendar"), "")),
        "link": calendars.of(company=request.company, user=request.user),
        "url": f"{settings.SITE_URL}{reverse('calendar-feed', args=[token])}" if token else "",
    }  # fmt: skip
    response = page(request, "activities/calendar", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@needs("task.read")
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    if not calendars.revoke(company=request.company, user=request.user, by=actor(request), at=now(request)):
        messages.info(request, _("There is no link."))
        return redirect("backoffice:calendar")
    return done(request, _("The link is switched off."), "calendar")


@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """The calendar behind a secret link, without a session; 304 where the reader has it already."""
    try:
        content = calendars.read(token)
    except Refused as refused:
        return HttpResponse(refused.message, status=404, content_type="text/plain; charset=utf-8")
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")}
    is_known = etag in known or "*" in known
    response = HttpResponse(b"" if is_known else content, status=304 if is_known else 200)
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers["Content-Disposition"] = 'inline; filename="calendar.ics"'
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["ETag"] = etag
    return response
