"""The customer's contracts: what they cost, what comes next and why, until when and how they end."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from billing.services import previews
from core.design import formats
from core.refusal import Refused
from portal import cancelling, changing, standing, using
from portal.access import Visitor, found, needs
from portal.forms import EndForm, ReasonForm, show_refusal
from portal.pages import crumbs, page
from portal.views import offers
from portal.views.overview import cards
from subscriptions.models import Subscription
from subscriptions.services import terms

KINDS = {"credit_note": gettext_lazy("Credited to you now"), "invoice": gettext_lazy("Invoiced now")}


@require_safe
@needs("see")
def subscriptions(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    rows = list(standing.with_positions(visitor).order_by("-id"))
    context = {
        "cards": cards(visitor, standing.running(rows)),
        "ended": standing.ended(rows),
    }
    return page(request, "subscriptions", context)


@require_safe
@needs("see")
def subscription(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = found(standing.with_positions(visitor), ref)
    on = cancelling.today_of(visitor, row)
    running = row.state not in standing.OVER
    receipt = visitor.messages.filter(
        template=cancelling.RECEIPT, subject_kind="subscription", subject_id=row.pk
    ).order_by("-id")
    context = {
        **cards(visitor, [row])[0],
        "crumbs": _crumbs(row),
        "running": running,
        "clock": standing.clock_lines(row, on) if running else [],
        "coming": _coming(row) if running else [],
        "used": using.used(row, visitor.now) if running else [],
        "receipt": receipt.first() if row.cancel_asked_at else None,
        "facts": _facts(row),
        "discounts": offers.discounts_of(row),
        "may_seats": changing.may_change(visitor, row) and bool(changing.seats_of(row, on)),
        "may_redeem": running and "edit" in visitor.rights,
    }
    return page(request, "subscription", context)


@needs("cancel")
def cancel(request: HttpRequest, ref: str) -> HttpResponse:
    """Step one: when. Step two: what that means, and the button. Both are this address; step two carries the choice."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = found(visitor.subscriptions.select_related("plan"), ref)
    if not standing.may_cancel(visitor, row):
        messages.info(request, _("This subscription can't be canceled here, or it is canceled already."))
        return redirect("portal:subscription", row.ref)
    on = cancelling.today_of(visitor, row)
    offered = cancelling.choices(row, on)
    labels = [(choice.timing, _label(choice)) for choice in offered]
    asked = "when" in request.GET
    form = EndForm(request.GET if asked else None, choices=labels, initial={"when": offered[0].timing})
    if not asked or not form.is_valid():
        return _when_page(request, row, form, status=422 if asked else 200)
    day = form.cleaned_data["ends_on"] if form.cleaned_data["when"] == "date" else None
    choice = cancelling.Choice(form.cleaned_data["when"], day)
    reasons = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and reasons.is_valid():
        try:
            receipt = cancelling.cancel(
                visitor,
                row,
                choice,
                reason=reasons.cleaned_data["reason"],
                comment=reasons.cleaned_data["comment"],
                token=request.POST.get("preview_token", ""),
            )
        except Refused as refused:
            show_refusal(reasons, refused)
        else:
            messages.success(request, _("Your cancellation has been received."))
            return redirect("portal:receipt", receipt.ref)
    try:
        shown = cancelling.preview(visitor, row, choice)
    except Refused as refused:
        show_refusal(form, refused)
        return _when_page(request, row, form, status=422)
    context = {
        "row": row,
        "crumbs": [*_crumbs(row), {"label": _("Cancel contract")}],
        "form": reasons,
        "preview": shown,
        "documents": [{"words": KINDS[one.kind], "minor": one.gross} for one in shown.documents],
        "coming": shown.next,
        "back": request.path,
    }
    return page(request, "cancel_confirm", context, status=422 if reasons.errors else 200)


@require_POST
@needs("cancel")
def undo_cancel(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = found(visitor.subscriptions, ref)
    try:
        cancelling.undo(visitor, row)
    except Refused as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("The cancellation is taken back; your subscription goes on."))
    return redirect("portal:subscription", row.ref)


@require_safe
@needs("see")
def receipt(request: HttpRequest, ref: str) -> HttpResponse:
    """A receipt as it was mailed, to be read again and printed."""
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    kinds = (cancelling.RECEIPT, cancelling.UNDONE, changing.RECEIPT, changing.UNDONE)
    message = found(visitor.messages.filter(template__in=kinds), ref)
    row = visitor.subscriptions.filter(pk=message.subject_id).first()
    if row is None:
        raise Http404
    context = {"message": message, "row": row, "crumbs": [*_crumbs(row), {"label": _("Receipt")}]}
    return page(request, "receipt", context)


def _when_page(request: HttpRequest, row: Subscription, form: EndForm, *, status: int) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    context = {
        "row": row,
        "crumbs": [*_crumbs(row), {"label": _("Cancel contract")}],
        "form": form,
        "has_date": any(value == "date" for value, _words in form.fields["when"].choices),  # type: ignore[attr-defined]
        "clock": standing.clock_lines(row, cancelling.today_of(visitor, row)),
    }
    return page(request, "cancel", context, status=status)


def _coming(row: Subscription) -> list[dict[str, Any]]:
    coming = previews.upcoming(row, count=3)
    return [
        {
            "on": one.on,
            "beside": beside,
            "gross": one.gross,
            "tax": one.tax,
            "added_tax": row.tax_behavior == "exclusive" and one.tax,
            "lines": [standing.line_in_words(line, one.currency) for line in one.lines],
        }
        for one, beside in zip(coming, previews.names_beside(coming), strict=True)
    ]


def _label(choice: cancelling.Choice) -> str:
    if choice.ends_on is None:
        return _("On a day of my choice")
    words = {"day": formats.day(choice.ends_on, style="long")}
    if choice.timing == "now":
        return _("As early as possible: %(day)s") % words
    return _("With the paid period: %(day)s") % words


def _crumbs(row: Subscription) -> list[dict[str, str]]:
    return crumbs(
        (_("Subscriptions"), reverse("portal:subscriptions")),
        (row.name, reverse("portal:subscription", args=[row.ref])),
    )


def _facts(row: Subscription) -> list[dict[str, Any]]:
    facts = [{"term": _("Number"), "value": row.number}, {"term": _("Start"), "value": formats.day(row.start_on)}]
    if row.paid_from_on > row.start_on:
        facts.append({"term": _("Free until"), "value": formats.day(row.paid_from_on - terms.ONE_DAY)})
    if row.state == Subscription.State.PAUSED and row.resumes_on:
        facts.append({"term": _("Service resumes on"), "value": formats.day(row.resumes_on)})
    if row.ends_on:
        facts.append({"term": _("Last day"), "value": formats.day(row.ends_on)})
    if row.po_reference:
        facts.append({"term": _("Order reference"), "value": row.po_reference})
    return facts
