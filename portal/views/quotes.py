"""The page behind a quote's link: read, choose options, accept by one's name, or decline; without signing in.

The rule that matters: what is accepted is what the page showed; the button carries the token of its amounts.
"""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_safe

from billing.documents.figures import Figures
from billing.services import pay_links
from core import clock
from core.refusal import Refused
from crm.models import Quote
from crm.services import quote_agreeing, quote_answering, quote_content, quote_links, quote_papers
from crm.services.quote_agreeing import READER, Cost
from crm.services.quote_answering import Signature
from portal.forms_sales import DeclineForm, SignForm
from portal.limits import place_of, too_many
from portal.pages import face
from portal.views.paying import public

State = Quote.State
#: In an hour: looks at one quote's page, and clicks on its buttons.
LOOKS: Final = 240
CLICKS: Final = 60


@require_http_methods(["GET", "HEAD", "POST"])
@public
def quote(request: HttpRequest, token: str) -> HttpResponse:
    """The quote with what it costs; a POST looks with other options, accepts or declines."""
    row = quote_links.read(token)
    at = clock.now(row.company)
    if too_many("quote-look", row.ref, LOOKS):
        return render(request, "429.html", status=429)
    if request.method == "GET":
        quote_answering.note_opened(row, at=at)
    if request.method != "POST":
        return _page(request, row, token)
    act = request.POST.get("act", "")
    if act not in ("accept", "decline"):
        return _page(request, row, token)
    if too_many("quote-answer", row.ref, CLICKS):
        return _page(request, row, token, problem=_("Too many tries. Please wait an hour."), status=429)
    return _accept(request, row, token) if act == "accept" else _decline(request, row, token)


def _signature(request: HttpRequest, name: str) -> Signature:
    return Signature(name, place_of(request), request.headers.get("User-Agent", ""))


def _accept(request: HttpRequest, row: Quote, token: str) -> HttpResponse:
    form = SignForm(request.POST)
    if not form.is_valid():
        return _page(request, row, token, sign=form, status=422)
    try:
        quote_answering.accept(
            quote=row, signature=_signature(request, form.cleaned_data["name"]), chosen=_chosen(request, row),
            preview_token=request.POST.get("preview_token", ""), by=READER, at=clock.now(row.company),
        )  # fmt: skip
    except Refused as refused:
        return _page(request, row, token, problem=refused.message, sign=form, status=422)
    return redirect("quote", token=token)


def _decline(request: HttpRequest, row: Quote, token: str) -> HttpResponse:
    form = DeclineForm(request.POST)
    if not form.is_valid():
        return _page(request, row, token, decline=form, status=422)
    try:
        quote_answering.decline(
            quote=row, reason=form.cleaned_data["reason"], signature=_signature(request, ""), by=READER,
            at=clock.now(row.company),
        )  # fmt: skip
    except Refused as refused:
        return _page(request, row, token, problem=refused.message, status=422)
    return redirect("quote", token=token)


def _chosen(request: HttpRequest, row: Quote) -> list[Any]:
    """The options that are ticked: as sent, else as they were to begin with."""
    return quote_agreeing.chosen_of(row, request.POST.getlist("option") if request.method == "POST" else None)


def _page(
    request: HttpRequest, row: Quote, token: str, *, problem: str = "", sign: forms.Form | None = None,
    decline: forms.Form | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    """The page as things stand now, in the quote's language where nobody chose another."""
    row.refresh_from_db(fields=["state", "ended_at", "subscription", "invoice"])
    content = quote_papers.checked_content(row)
    at = clock.now(row.company)
    figures = Figures(content["language"], content["currency"])
    is_good = quote_answering.is_good(row, at)
    chosen = _chosen(request, row) if is_good else []
    cost, refusal = _cost(row, chosen, at) if is_good else (None, "")
    with override(content["language"]):
        sums = quote_papers.sums(quote_content.cost_body(cost, chosen) if cost else content["cost"], figures)
    context: dict[str, Any] = {
        **face(row.company), "row": row, "content": content, "token": token, "problem": problem or refusal,
        "positions": quote_papers.positions(content, figures), "sums": sums, "is_good": is_good,
        "picked": {line.ref for line in chosen} if is_good else set(_answered(row)),
        "preview_token": cost.token if cost else "",
        "money_now": cost.seen.money_now if cost else None,
        "sign": sign or SignForm(initial={"name": row.person}), "decline": decline or DeclineForm(),
        "answer": row.answers.first(), "is_over": row.state in (State.SENT, State.EXPIRED) and not is_good,
        "pay_url": _pay_url(row),
    }  # fmt: skip
    return render(request, "portal/quote.html", context, status=status)


def _cost(row: Quote, chosen: list[Any], at: Any) -> tuple[Cost | None, str]:
    """What accepting brings now, or why it can't be accepted."""
    try:
        return quote_agreeing.cost(row, chosen, at=at), ""
    except Refused as refused:
        return None, refused.message


def _answered(row: Quote) -> list[str]:
    answer = row.answers.first()
    return list(answer.content.get("chosen", ())) if answer is not None else []


def _pay_url(row: Quote) -> str:
    """Where the first invoice is paid, while it is open."""
    invoice = row.invoice
    if invoice is None or invoice.balance.open_minor <= 0:
        return ""
    return reverse("pay", args=[pay_links.token_of(invoice)])


@require_safe
@public
def pdf(request: HttpRequest, token: str) -> HttpResponse:
    """The paper as it was sent."""
    row = quote_links.read(token)
    if too_many("quote-look", row.ref, LOOKS):
        return render(request, "429.html", status=429)
    stored = quote_papers.pdf_of(row)
    response = HttpResponse(bytes(stored.content), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{quote_papers.file_name(row)}"'
    return response
