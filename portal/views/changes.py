"""Plan, seats and pauses by the customer: what is possible, what it means, then the button; and taking it back.

The rule that matters: what a plan doesn't let its customers do isn't there; asked for directly, it isn't found.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from billing.services import previews
from core.refusal import Refused
from portal import changing, standing
from portal.access import Visitor, found, needs
from portal.cancelling import today_of
from portal.forms import PauseForm, SeatsForm, show_refusal
from portal.pages import crumbs, page
from subscriptions.models import Change, Subscription

KINDS = {"credit_note": gettext_lazy("Credited to you now"), "invoice": gettext_lazy("Invoiced now")}


@needs("change")
def change_plan(request: HttpRequest, ref: str) -> HttpResponse:
    """The plans on offer; with one chosen, what it means. Both are this address; the second carries the plan."""
    visitor, row = _row(request, ref)
    if not changing.may_change(visitor, row):
        raise Http404
    plans = changing.plans_for(visitor, row, today_of(visitor, row))
    refused = ""
    if "plan" in request.GET:
        chosen = next((one for one in plans if one.plan.ref == request.GET["plan"]), None)
        if chosen is None:
            raise Http404
        act = changing.change_plan(visitor, row, chosen.plan)
        try:
            return _confirm(request, row, act, _("Change the plan"), _("Confirm the change"), lead=chosen.name)
        except Refused as refusal:
            refused = refusal.message
    context = {
        "row": row,
        "crumbs": _crumbs(row, _("Change the plan")),
        "plans": [(one, f"{request.path}?plan={one.plan.ref}") for one in plans],
        "refused": refused,
        "back": reverse("portal:subscription", args=[row.ref]),
    }
    return page(request, "change_plan", context, status=422 if refused else 200)


@needs("change")
def change_seats(request: HttpRequest, ref: str) -> HttpResponse:
    visitor, row = _row(request, ref)
    seats = {f"seats_{one.slot.ref}": one for one in changing.seats_of(row, today_of(visitor, row))}
    if not changing.may_change(visitor, row) or not seats:
        raise Http404
    asked = bool(set(seats) & set(request.GET))
    listed = [(name, one.name, one.quantity, one.price) for name, one in seats.items()]
    form = SeatsForm(request.GET if asked else None, seats=listed, most=changing.MOST)
    title = _("Change the number")
    if asked and form.is_valid():
        wanted = {seats[name].slot: count for name, count in form.wanted().items()}
        try:
            return _confirm(request, row, changing.change_seats(visitor, row, wanted), title, _("Confirm the change"))
        except Refused as refusal:
            show_refusal(form, refusal)
    return _asking(request, row, form, title)


@needs("change")
def pause(request: HttpRequest, ref: str) -> HttpResponse:
    visitor, row = _row(request, ref)
    if not changing.may_pause(visitor, row):
        raise Http404
    asked = "from_on" in request.GET
    form = PauseForm(request.GET if asked else None, initial={"from_on": today_of(visitor, row)})
    if asked and form.is_valid():
        act = changing.pause(visitor, row, form.cleaned_data["from_on"], form.cleaned_data["until"])
        try:
            return _confirm(request, row, act, _("Pause"), _("Confirm the pause"))
        except Refused as refusal:
            show_refusal(form, refusal)
    return _asking(request, row, form, _("Pause"))


@needs("change")
def resume(request: HttpRequest, ref: str) -> HttpResponse:
    visitor, row = _row(request, ref)
    if not changing.may_resume(visitor, row):
        raise Http404
    try:
        return _confirm(request, row, changing.resume(visitor, row), _("Resume"), _("Resume it today"))
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("portal:subscription", row.ref)


@require_POST
@needs("change")
def take_back(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    changes = Change.objects.filter(company=visitor.company, subscription__customer=visitor.customer)
    change = found(changes.select_related("subscription__plan", "subscription__company"), ref)
    row = change.subscription
    if not changing.may_undo(visitor, change):
        raise Http404
    try:
        changing.take_back(visitor, row, change)
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("The planned change is taken back."))
    return redirect("portal:subscription", row.ref)


def _row(request: HttpRequest, ref: str) -> tuple[Visitor, Subscription]:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    return visitor, found(standing.with_positions(visitor), ref)


def _asking(request: HttpRequest, row: Subscription, form: Any, title: str) -> HttpResponse:
    """Step one: what shall be."""
    context = {
        "row": row,
        "title": title,
        "crumbs": _crumbs(row, title),
        "form": form,
        "back": reverse("portal:subscription", args=[row.ref]),
    }
    return page(request, "change_ask", context, status=422 if form.is_bound and form.errors else 200)


def _confirm(
    request: HttpRequest, row: Subscription, act: changing.Act, title: str, button: str, *, lead: str = ""
) -> HttpResponse:
    """Step two: what it means, and the button; the button does what was shown, or shows what it means now."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    differs = ""
    if request.method == "POST":
        try:
            receipt = changing.do(visitor, row, act, request.POST.get("preview_token", ""))
        except Refused as refusal:
            if refusal.code != "preview.differs":
                raise
            differs = refusal.message
        else:
            messages.success(request, _("Your change has been received."))
            return redirect("portal:receipt", receipt.ref)
    shown = previews.preview(lambda: act(None))
    change = shown.change
    context = {
        "row": row,
        "title": title,
        "lead": lead or row.name,
        "button": button,
        "crumbs": _crumbs(row, title),
        "preview": shown,
        "is_planned": change is not None and change.status == Change.Status.PLANNED,
        "told": changing.in_words(row, change) if change is not None else [],
        "replaced": [changing.in_words(row, one) for one in shown.replaced],
        "differs": differs,
        "documents": [{"words": KINDS[one.kind], "minor": one.gross, "to_pay": one.to_pay} for one in shown.documents],
        "coming": [
            {
                "on": one.on,
                "gross": one.gross,
                "lines": [standing.line_in_words(line, row.currency) for line in one.lines],
            }
            for one in shown.next
        ],
        "back": reverse("portal:subscription", args=[row.ref]),
    }
    return page(request, "change_confirm", context, status=422 if differs else 200)


def _crumbs(row: Subscription, title: str) -> list[dict[str, str]]:
    return crumbs(
        (_("Subscriptions"), reverse("portal:subscriptions")),
        (row.name, reverse("portal:subscription", args=[row.ref])),
        (title, ""),
    )
