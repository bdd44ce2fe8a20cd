"""An offer code of the customer's own: what it will do to the next invoices, then the button."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.services import acts_discounting, previews
from billing.services.acting import ActResult
from core.refusal import Refused
from portal import standing
from portal.access import Visitor, found, needs
from portal.forms import OfferForm, show_refusal
from portal.pages import crumbs, page
from subscriptions.models import Subscription
from subscriptions.services import discounted
from subscriptions.services.discount_words import how_long, taken_off


def discounts_of(row: Subscription) -> list[dict[str, str]]:
    """The discounts that hold, in words."""
    return [
        {"name": one.name, "off": taken_off(one), "lasts": how_long(one)}
        for one in discounted.live(row)
        if one.until_on is None
    ]


@needs("edit")
def redeem(request: HttpRequest, ref: str) -> HttpResponse:
    """The code, then what it means and the button. Both are this address; the second carries the code."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = found(visitor.subscriptions.select_related("company", "plan"), ref)
    if row.state in standing.OVER:
        messages.info(request, _("This subscription is over."))
        return redirect("portal:subscription", row.ref)
    sent = request.POST if request.method == "POST" else request.GET if "code" in request.GET else None
    form = OfferForm(sent)
    shown: previews.Preview | None = None
    if sent is not None and form.is_valid():
        code = form.cleaned_data["code"]
        try:
            if request.method == "POST":
                _redeem(visitor, row, code, request.POST.get("preview_token", ""))
                messages.success(request, _("The offer is yours: it lowers your next invoices."))
                return redirect("portal:subscription", row.ref)
            shown = previews.preview(lambda: _redeem(visitor, row, code, None))
        except Refused as refused:
            show_refusal(form, refused)
    context: dict[str, Any] = {
        "row": row,
        "crumbs": crumbs(
            (_("Subscriptions"), reverse("portal:subscriptions")),
            (row.name, reverse("portal:subscription", args=[row.ref])),
            (_("Offer code"), ""),
        ),
        "form": form,
        "preview": shown,
        "coming": _coming(shown) if shown else [],
        "back": reverse("portal:subscription", args=[row.ref]),
    }
    return page(request, "offer", context, status=422 if form.is_bound and form.errors else 200)


def _redeem(visitor: Visitor, row: Subscription, code: str, token: str | None) -> ActResult:
    return acts_discounting.redeem(subscription=row, code=code, by=visitor.actor, at=visitor.now, preview_token=token)


def _coming(shown: previews.Preview) -> list[dict[str, Any]]:
    return [
        {"on": one.on, "gross": one.gross, "lines": [standing.line_in_words(line, one.currency) for line in one.lines]}
        for one in shown.next
    ]
