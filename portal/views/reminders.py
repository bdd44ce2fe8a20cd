"""The page behind a reminder's link: what renews at which price, and the offer, taken by one click without signing in.

The rule that matters: looking changes nothing but the note that the link was opened; what is taken is what was shown.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from billing.services import pay_links, previews
from catalog.models import TaxBehavior
from core import clock
from core.refusal import Refused
from crm.models import Reminder
from crm.services import offer_links, offers, reminder_facts
from portal import standing
from portal.limits import too_many
from portal.pages import face
from portal.views.paying import public
from subscriptions.models import Subscription
from subscriptions.services.terms import contract_clock_of, in_words

#: In an hour: looks at one reminder's page, and clicks on its button.
LOOKS, CLICKS = 240, 30
#: What programs that look at links without a reader call themselves.
SCANNERS = (
    "bot", "crawler", "spider", "scanner", "preview", "safelinks", "proofpoint", "mimecast", "barracuda", "curl/",
    "python-", "wget/", "go-http-client",
)  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@public
def reminder(request: HttpRequest, token: str) -> HttpResponse:
    """The subscription and the offer; a POST takes the offer."""
    row = offer_links.read(token)
    at = clock.now(row.company)
    if row.subscription is None:
        return redirect("portal:home")
    if too_many("reminder-look", row.ref, LOOKS):
        return render(request, "429.html", status=429)
    if request.method != "POST":
        if request.method == "GET" and not is_machine(request):
            offers.note_opened(row, at=at)
        return _page(request, row, token)
    if too_many("reminder-take", row.ref, CLICKS):
        return _page(request, row, token, _("Too many tries. Please wait an hour."), status=429)
    try:
        offers.accept(
            reminder=row, preview_token=request.POST.get("preview_token") or None, by=offers.READER, at=at
        )  # fmt: skip
    except Refused as refused:
        return _page(request, row, token, refused.message, status=422)
    return redirect("reminder", token=token)


def is_machine(request: HttpRequest) -> bool:
    """Whether nobody looks: a browser that fetches ahead, or a program that checks links in mails and says so.

    Programs that pose as browsers can't be told apart; they count as a look, and change nothing else.
    """
    purposes = (request.headers.get(name, "").lower() for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    if any(word in purpose for purpose in purposes for word in ("prefetch", "prerender", "preview")):
        return True
    agent = request.headers.get("User-Agent", "").lower()
    return any(word in agent for word in SCANNERS)


def _page(request: HttpRequest, row: Reminder, token: str, problem: str = "", *, status: int = 200) -> HttpResponse:
    """The page as things stand now."""
    row.refresh_from_db(fields=["accepted_at", "taken_back_at", "agreed"])
    subscription, company = row.subscription, row.company
    assert subscription is not None
    today = clock.today(company, subscription.time_zone)
    is_over = subscription.state in standing.OVER
    is_back = offers.is_to_win_back(row)
    shown, refusal = (None, "") if row.accepted_at is not None else _offer(row)
    before = None if is_over else _renewal(previews.upcoming(subscription, previews.SHOWN_NEXT), row, today)
    price = reminder_facts.prices([(subscription.pk, max(today, row.occasion_on))])
    language = getattr(request, "LANGUAGE_CODE", "") or company.language
    context: dict[str, Any] = {
        **face(company),
        "row": row,
        "subscription": subscription,
        "token": token,
        "problem": problem,
        "is_over": is_over,
        "price": reminder_facts.price_in_words(
            next(iter(price.values()), {}), subscription.currency, language,
            is_net=subscription.tax_behavior == TaxBehavior.EXCLUSIVE,
        ),
        "clock": [] if is_over else in_words(contract_clock_of(subscription, on=today)),
        "before": before,
        "is_back": is_back,
        "now": shown.documents if shown is not None and is_back else [],
        "with_offer": _renewal(shown.next, row, today) if shown is not None else None,
        "preview_token": shown.token if shown is not None else "",
        "offer": _words(row, language) if row.offer is not None else "",
        "refusal": refusal if row.offer is not None else "",
        "is_taken": row.accepted_at is not None and row.taken_back_at is None,
        "method_url": reverse("pay-methods", args=[pay_links.method_token(row.customer)]),
        "portal_home": reverse("portal:subscriptions"),
        "portal_url": reverse("portal:subscription", args=[_lives(row, subscription).ref]),
    }  # fmt: skip
    return render(request, "portal/reminder.html", context, status=status)


def _offer(row: Reminder) -> tuple[previews.Preview | None, str]:
    """What the offer would do, or why it can't be taken."""
    try:
        return offers.preview(row, by=offers.READER, at=clock.now(row.company)), ""
    except Refused as refused:
        return None, refused.message


def _lives(row: Reminder, subscription: Subscription) -> Subscription:
    """The subscription that goes on: of who came back the new one."""
    return row.agreed.subscription if row.agreed is not None else subscription


def _words(row: Reminder, language: str) -> str:
    assert row.offer is not None
    return reminder_facts.offer_words(row.offer, language, row.company)


def _renewal(coming: list[previews.Upcoming], row: Reminder, today: Any) -> previews.Upcoming | None:
    """Of the invoices to come the first of the days that the offer is about."""
    first = offers.from_on(row, today)
    return next((one for one in coming if one.on >= first), coming[0] if coming else None)
