"""Quotes: the list, one quote with what it costs, writing, sending, new versions, and acceptance on paper."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals, today
from backoffice.exports import is_asked, response
from backoffice.finding import cleaned
from backoffice.forms.quotes import AcceptForm, PlanForm, QuoteFilter, QuoteForm, SendForm
from backoffice.forms.tasks import person
from backoffice.lists import listing
from backoffice.pages import crumbs, page
from backoffice.previewing import Shown, act_page, of_agreement
from core.refusal import Refused
from core.rights import needs
from crm.models import Lead, Quote
from crm.services import quote_agreeing, quote_answering, quote_links, quote_papers, quote_sending
from crm.services import quotes as verbs
from crm.services.quote_answering import Signature
from crm.services.quote_content import of_quote
from customers.models import Customer

State = Quote.State
BACK: Final = "backoffice:quotes"


def _quotes(request: HttpRequest) -> QuerySet[Quote]:
    rows = own(request, Quote).defer("content")
    return rows.select_related("company", "customer__company", "lead__stage", "lead__company", "plan", "owner")


@needs("quote.read")
def index(request: HttpRequest) -> HttpResponseBase:
    form, q = QuoteFilter(request.GET, company=request.company), request.GET.get("q", "")
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = _quotes(request)
    if chosen.get("state"):
        rows = rows.filter(state=chosen["state"])
    if chosen.get("owner"):
        rows = rows.filter(owner=person(request.company, chosen["owner"]))
    if text := cleaned(q):
        rows = rows.filter(Q(number__icontains=text) | Q(recipient__icontains=text) | Q(title__icontains=text))
    if is_asked(request):
        return _file(request, rows)
    listed = listing(
        request, rows, sorts={"id": "pk", "valid": "valid_until"}, default="-id", form=form, q=q
    )  # fmt: skip
    context = {"title": _("Quotes"), "list": listed, "search_name": "q", "exports": True, "today": today(request)}
    return page(request, "quotes/list", context)


def _file(request: HttpRequest, rows: QuerySet[Quote]) -> HttpResponseBase:
    head = [
        "id",
        "number",
        "version",
        "status",
        "recipient",
        "plan",
        "currency",
        "valid_until",
        "created_at",
        "sent_at",
    ]
    body = (
        [
            row.ref, row.number, row.version, row.state, row.recipient, row.plan.code, row.currency,
            row.valid_until, row.created_at, row.sent_at,
        ]
        for row in rows.order_by("-pk").iterator(chunk_size=2000)
    )  # fmt: skip
    return response(request, "quotes", _("Quotes"), head, body)


@needs("quote.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    quote = found(_quotes(request).select_related("subscription", "invoice", "follow_up"), ref)
    content, problem = quote.content, ""
    if quote.state == State.DRAFT:
        try:
            cost = quote_agreeing.cost(quote, quote_agreeing.chosen_of(quote), at=now(request))
            content = of_quote(quote, cost, on=today(request))
        except Refused as refused:
            problem = refused.message
    context = {
        "title": quote.label, "crumbs": crumbs((_("Quotes"), reverse(BACK)), (quote.label, "")), "quote": quote,
        "content": content, "sheet": _sheet(content) if content else None, "problem": problem,
        "answer": quote.answers.first(),
        "versions": own(request, Quote).filter(number=quote.number).defer("content").order_by("-version"),
        "link": quote_links.link_of(quote) if quote.state == State.SENT else "",
    }  # fmt: skip
    return page(request, "quotes/detail", context)


def _sheet(content: dict[str, Any]) -> dict[str, Any]:
    """The paper as the customer reads it, in the quote's language."""
    with override(content["language"]):
        return quote_papers.sheet(content, has_logo=False)


@needs("quote.write")
def create(request: HttpRequest) -> HttpResponse:
    """For the lead or customer that the address names: which plan, then the draft."""
    customer = lead = None
    if request.GET.get("customer"):
        customer = found(own(request, Customer).select_related("company"), request.GET["customer"])
    elif request.GET.get("lead"):
        rows = own(request, Lead).select_related("company", "customer__company", "stage", "owner")
        lead = found(rows, request.GET["lead"])
    else:
        return page(
            request, "quotes/whom", {"title": _("Write a quote"), "crumbs": crumbs((_("Quotes"), reverse(BACK)))}
        )
    form = PlanForm(
        request.POST or None, company=request.company, customer=customer, lead=lead, language=get_language() or "en"
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            quote = verbs.create(
                company=request.company, plan=form.plans[given["plan"]], customer=customer, lead=lead,
                currency=given["currency"], by=actor(request), at=now(request),
            )  # fmt: skip
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return redirect("backoffice:quote-edit", quote.ref)
    name = customer.name if customer is not None else lead.title if lead is not None else ""
    title = _("Write a quote")
    context = {
        "title": title, "crumbs": crumbs((_("Quotes"), reverse(BACK)), (title, "")), "form": form,
        "submit": _("Go on"), "back": reverse(BACK), "lead": _("For %(customer)s") % {"customer": name},
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


def _address(ref: str) -> str:
    return reverse("backoffice:quote", args=[ref])


@needs("quote.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    quote = found(_quotes(request), ref)
    if quote.state != State.DRAFT:
        return redirect("backoffice:quote", ref)
    form = QuoteForm(request.POST or None, quote=quote, language=get_language() or "en")
    if request.method == "POST" and form.is_valid():
        try:
            verbs.update(quote=quote, **form.values(), by=actor(request), at=now(request))
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("The quote is saved."), "quote", ref)
    context = {
        "title": _("Edit %(name)s") % {"name": quote.label},
        "crumbs": crumbs((_("Quotes"), reverse(BACK)), (quote.label, _address(ref)), (_("Edit"), "")),
        "form": form, "back": _address(ref),
    }  # fmt: skip
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("quote.send")
def send(request: HttpRequest, ref: str) -> HttpResponse:
    """What accepting will cost and who gets the mail, then the button."""
    quote = found(_quotes(request), ref)
    if quote.state != State.DRAFT:
        return redirect("backoffice:quote", ref)

    def preview(given: dict[str, Any]) -> Shown:
        if not quote.email:
            raise Refused("quote.no_email", field="email")
        cost = quote_agreeing.cost(quote, quote_agreeing.chosen_of(quote), at=now(request))
        shown = of_agreement(cost.seen)
        shown.mails = [_("To %(address)s, with the quote") % {"address": quote.email}]
        # Nothing is paid by sending: no sum stands on the button.
        shown.sum_minor, shown.token = None, cost.token
        return shown

    def do(given: dict[str, Any], token: str) -> HttpResponse:
        quote_sending.send(quote=quote, by=actor(request), at=now(request))
        return done(request, _("The quote is sent. It can no longer be changed; make a new version."), "quote", ref)

    context = {
        "title": _("Send %(number)s") % {"number": quote.label}, "act": _("Send the quote"), "back": _address(ref),
        "crumbs": crumbs((_("Quotes"), reverse(BACK)), (quote.label, _address(ref)), (_("Send"), "")),
        "lead": _("What follows when it is accepted; the quote is frozen as it is."),
    }  # fmt: skip
    form = SendForm(request.POST if request.method == "POST" else {})
    return act_page(request, form=form, preview=preview, do=do, context=context)


@needs("quote.send")
def accept(request: HttpRequest, ref: str) -> HttpResponse:
    """For a customer who signed on paper: the subscription starts and its first invoice is issued."""
    quote = found(_quotes(request), ref)
    if quote.state != State.SENT:
        return redirect("backoffice:quote", ref)
    options = [line for line in quote_agreeing.lines_of(quote) if line.is_optional]
    names = {one["ref"]: one["name"] for one in (quote.content or {}).get("positions", ())}
    form = AcceptForm(
        request.POST if request.method == "POST" else None,
        options=[(line.ref, names.get(line.ref, line.ref)) for line in options],
        ticked=[line.ref for line in options if line.is_chosen],
    )

    def chosen(given: dict[str, Any]) -> list[Any]:
        return quote_agreeing.chosen_of(quote, given.get("options", []))

    def preview(given: dict[str, Any]) -> Shown:
        cost = quote_agreeing.cost(quote, chosen(given), at=now(request))
        shown = of_agreement(cost.seen)
        shown.token = cost.token
        return shown

    def do(given: dict[str, Any], token: str) -> HttpResponse:
        quote_answering.accept(
            quote=quote, signature=Signature(given["name"]), chosen=chosen(given), preview_token=token,
            by=actor(request), at=now(request),
        )  # fmt: skip
        return done(request, _("The quote is accepted: the subscription has started."), "quote", ref)

    context = {
        "title": _("Accept %(number)s") % {"number": quote.label}, "act": _("Accept and invoice"),
        "back": _address(ref),
        "crumbs": crumbs((_("Quotes"), reverse(BACK)), (quote.label, _address(ref)), (_("Accept"), "")),
        "lead": _("For a customer who signed on paper. The answer keeps your name beside theirs."),
    }  # fmt: skip
    return act_page(request, form=form, preview=preview, do=do, context=context)


@needs("quote.write")
@require_POST
@tells_refusals(_address)
def act(request: HttpRequest, ref: str) -> HttpResponse:
    """A new version, taken back, or a draft thrown away."""
    quote, common = found(_quotes(request), ref), {"by": actor(request), "at": now(request)}
    match request.POST.get("act", ""):
        case "revise":
            new = verbs.revise(quote=quote, **common)
            return done(request, _("This is the new version; the old one is no longer good."), "quote-edit", new.ref)
        case "withdraw":
            verbs.withdraw(quote=quote, **common)
            return done(request, _("The quote is withdrawn."), "quote", ref)
        case "delete":
            verbs.delete(quote=quote, **common)
            return done(request, _("The draft is deleted."), "quotes")
    raise Http404


@needs("quote.read")
@require_safe
def pdf(request: HttpRequest, ref: str) -> HttpResponse:
    quote = found(own(request, Quote).select_related("company", "pdf").exclude(state=State.DRAFT), ref)
    stored = quote_papers.pdf_of(quote)
    response = HttpResponse(bytes(stored.content), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{quote_papers.file_name(quote)}"'
    return response
