"""Unsubscribing from advertising by the link below it: no sign-in, in the customer's language, undone as easily.

The rule that matters: programs that look at links change nothing; the button does, and the one click of a mail program
(RFC 8058).
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from core import clock
from core.refusal import Refused
from customers.services import unsubscribing
from portal.limits import place_of, too_many
from portal.pages import face

#: Unknown links from one place in an hour.
WRONG = 60


# A mail program presses the button without having seen the page: the signed link itself is what entitles it.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    try:
        message = unsubscribing.read(token)
    except Refused as refused:
        if too_many("unsubscribe-wrong", place_of(request), WRONG):
            return render(request, "429.html", status=429)
        return _kept_out(render(request, "portal/pay_bad_link.html", {"message": refused.message}, status=404))
    at = clock.now(message.company)
    if request.method == "POST":
        if request.POST.get("undo"):
            unsubscribing.undo(message=message, at=at)
        else:
            unsubscribing.unsubscribe(message=message, at=at)
        if request.POST.get("List-Unsubscribe") == "One-Click":
            return _kept_out(HttpResponse(status=200, content_type="text/plain; charset=utf-8"))
        return _kept_out(_again(token))
    chosen = request.COOKIES.get("language", "")
    language = chosen if chosen in dict(settings.LANGUAGES) else message.language
    with override(language):
        context = {
            **face(message.company),
            "address": unsubscribing.address_of(message),
            "is_unsubscribed": unsubscribing.is_unsubscribed(message),
        }
        response = render(request, "portal/unsubscribe.html", context)
    response["Content-Language"] = language
    return _kept_out(response)


def _again(token: str) -> HttpResponseRedirect:
    return redirect("unsubscribe", token)


def _kept_out(response: HttpResponse) -> HttpResponse:
    response["X-Robots-Tag"] = "noindex"
    return response
