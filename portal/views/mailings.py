"""The page behind a mailing's link: what is offered, taken by one click without signing in.

The rule that matters: looking changes nothing but the note that the link was opened; what is taken is what was shown.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.services import previews
from core import clock
from core.refusal import Refused
from crm.models import MailingRecipient
from crm.services import mailing_links, mailing_offers, reminder_facts
from portal.limits import too_many
from portal.pages import face
from portal.views.paying import public
from portal.views.reminders import is_machine

#: In an hour: looks at one recipient's page, and clicks on its button.
LOOKS, CLICKS = 240, 30


@require_http_methods(["GET", "HEAD", "POST"])
@public
def mailing(request: HttpRequest, token: str) -> HttpResponse:
    """The offer; a POST takes it. A mailing without one leads on to the portal."""
    row = mailing_links.read(token)
    at, key = clock.now(row.company), f"{row.mailing.ref}-{row.customer.ref}"
    if too_many("mailing-look", key, LOOKS):
        return render(request, "429.html", status=429)
    if request.method != "POST":
        if request.method == "GET" and not is_machine(request):
            mailing_offers.note_clicked(row, at=at)
        if row.mailing.offer is None and row.mailing.offer_code is None:
            return redirect("portal:home")
        return _page(request, row, token)
    if too_many("mailing-take", key, CLICKS):
        return _page(request, row, token, _("Too many tries. Please wait an hour."), status=429)
    try:
        mailing_offers.accept(
            recipient=row, preview_token=request.POST.get("preview_token") or None, by=mailing_offers.READER, at=at
        )
    except Refused as refused:
        return _page(request, row, token, refused.message, status=422)
    return redirect("mailing", token=token)


def _page(
    request: HttpRequest, row: MailingRecipient, token: str, problem: str = "", *, status: int = 200
) -> HttpResponse:
    """The page as things stand now."""
    row.refresh_from_db(fields=["accepted_at", "agreed"])
    company, offer = row.company, row.mailing.offer
    language = getattr(request, "LANGUAGE_CODE", "") or company.language
    shown, refusal = (None, "") if row.accepted_at is not None or offer is None else _offer(row)
    context: dict[str, Any] = {
        **face(company),
        "row": row,
        "subscription": row.subscription,
        "problem": problem,
        "offer": reminder_facts.offer_words(offer, language, company) if offer is not None else "",
        "code": row.mailing.offer_code.code if row.mailing.offer_code is not None else "",
        "refusal": refusal,
        "is_taken": row.accepted_at is not None,
        "next": shown.next[0] if shown is not None and shown.next else None,
        "preview_token": shown.token if shown is not None else "",
        "portal_url": reverse("portal:home"),
    }
    return render(request, "portal/mailing.html", context, status=status)


def _offer(row: MailingRecipient) -> tuple[previews.Preview | None, str]:
    """What the offer would do, or why it can't be taken."""
    try:
        return mailing_offers.preview(row, by=mailing_offers.READER, at=clock.now(row.company)), ""
    except Refused as refused:
        return None, refused.message
