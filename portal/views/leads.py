"""Get in touch: the company's public form, for everybody, without signing in.

The rule that matters: one sending makes one lead; machines that fill in what people don't see make none.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from django.core.signing import BadSignature, TimestampSigner
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core import clock
from core.models import Company
from core.refusal import Refused
from crm.models import LeadForm
from crm.services import lead_capture
from portal.forms import show_refusal
from portal.forms_sales import LeadCaptureForm
from portal.limits import place_of, too_many
from portal.pages import face

SALT: Final = "turnus.lead-form"
#: Sendings an hour from one place.
HOURLY: Final = 10
#: A form that is answered later than this is begun again.
GOOD_SECONDS: Final = 24 * 3600


def _form_of(slug: str) -> LeadForm:
    """The company's form while it is open."""
    company = Company.objects.filter(slug=slug).first()
    held = lead_capture.of_company(company) if company is not None else None
    if held is None or not held.is_active:
        raise Http404
    return held


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def lead(request: HttpRequest, slug: str) -> HttpResponse:
    """The form; a sending goes on to thanks. `campaign` and `source` of the link go along."""
    held = _form_of(slug)
    language = get_language() or held.company.language
    words = lead_capture.said(held, language)
    form = LeadCaptureForm(
        request.POST or None, consent=words.consent if held.asks_consent else "", country=held.company.country
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            if form.is_trapped():
                # A machine is told what people are told, and nothing is kept.
                return redirect("portal:public-lead-thanks", slug)
            status, answer = _submit(request, held, form, language)
            if answer is not None:
                return answer
    context = {
        **face(held.company), "form": form, "words": words, "held": held, "key": _key(request),
        "query": request.GET.urlencode(),
    }  # fmt: skip
    return render(request, "portal/lead_form.html", context, status=status)


def _submit(
    request: HttpRequest, held: LeadForm, form: LeadCaptureForm, language: str
) -> tuple[int, HttpResponse | None]:
    """The answer to a sending, or the status of the page that says why there is none."""
    try:
        key = TimestampSigner(salt=SALT).unsign(request.POST.get("key", ""), max_age=GOOD_SECONDS)
    except BadSignature:
        form.add_error(None, _("This page was open for too long. Please send it again."))
        return 422, None
    if too_many("lead", place_of(request), HOURLY):
        form.add_error(None, _("Too many messages came from here. Please try again in an hour."))
        return 429, None
    given: dict[str, Any] = form.cleaned_data
    try:
        lead_capture.submit(
            form=held, key=key, given=given, language=language, consents=bool(given.get("consent")),
            campaign=request.GET.get("campaign", "")[:60], source=request.GET.get("source", "")[:80],
            at=clock.now(held.company),
        )  # fmt: skip
    except Refused as refused:
        show_refusal(form, refused)
        return 422, None
    return 303, redirect(reverse("portal:public-lead-thanks", args=[held.company.slug]))


def _key(request: HttpRequest) -> str:
    """What names this sending: kept when the form comes back with errors, made anew when it ran out."""
    sent = request.POST.get("key", "")
    try:
        TimestampSigner(salt=SALT).unsign(sent, max_age=GOOD_SECONDS)
    except BadSignature:
        return TimestampSigner(salt=SALT).sign(secrets.token_urlsafe(16))
    return sent


@never_cache
@require_safe
def thanks(request: HttpRequest, slug: str) -> HttpResponse:
    held = _form_of(slug)
    return render(request, "portal/lead_thanks.html", face(held.company))
