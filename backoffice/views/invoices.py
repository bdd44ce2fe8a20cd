"""Invoices: list, the paper with its state beside it, sending, giving back, voiding, giving up."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from backoffice import exports, figures, finding, papers, previewing
from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals, today
from backoffice.forms.billing import CreditForm, InvoiceFilter, ReasonForm, SendForm, VoidForm
from backoffice.lists import listing, tabs_of
from backoffice.pages import crumbs, page
from billing.documents import rendering
from billing.models import Allocation, CreditNote, Invoice, InvoiceBalance
from billing.services import crediting, mailing, payments, trying, voiding
from core.refusal import Refused
from core.rights import needs
from customers.models import Message

VIEWS = (
    ("", gettext_lazy("All")),
    ("open", gettext_lazy("Open")),
    ("overdue", gettext_lazy("Overdue")),
    ("paid", gettext_lazy("Paid")),
    ("draft", gettext_lazy("Drafts")),
    ("void", gettext_lazy("Void")),
    ("uncollectible", gettext_lazy("Written off")),
)


@needs("invoice.read")
def index(request: HttpRequest) -> HttpResponse:
    form, q, state = InvoiceFilter(request.GET), request.GET.get("q", ""), request.GET.get("state", "")
    if state not in dict(VIEWS):
        state = ""
    rows, on = finding.invoices(request.company, q), today(request)
    rows = rows.filter(issued_on__isnull=state == "draft")
    if state == "overdue":
        rows = rows.filter(balance__status="open", balance__payment_due_on__lt=on)
    elif state in ("open", "paid", "void", "uncollectible"):
        rows = rows.filter(balance__status=state)
    chosen = form.cleaned_data if form.is_valid() else {}
    lookups = {
        "currency": "currency",
        "issued_from": "issued_on__gte",
        "issued_to": "issued_on__lte",
        "due_to": "balance__payment_due_on__lte",
    }
    for name, lookup in lookups.items():
        if chosen.get(name):
            rows = rows.filter(**{lookup: chosen[name]})
    if exports.is_asked(request):
        return _file(request, rows, on)
    # Only what an index sorts: due days are indexed for open invoices.
    by_due = state in ("open", "overdue")
    if state == "draft":
        sorts, default = {"created": "created_at"}, "-created"
    else:
        sorts = {"issued": "issued_on", **({"due": "balance__payment_due_on"} if by_due else {})}
        default = "due" if state == "overdue" else "-issued"
    listed = listing(request, rows.select_related("customer", "balance"), sorts=sorts, default=default, form=form, q=q)
    listed.tabs = tabs_of(request, "state", VIEWS, state)
    for row in listed.rows:
        row.state = figures.shown_state(row, on)
    context = {
        "title": _("Invoices"),
        "list": listed,
        "exports": state != "draft",
        "drafts": state == "draft",
        "by_due": by_due,
    }
    return page(request, "invoices/list", context)


def _file(request: HttpRequest, rows: QuerySet[Invoice], on: Any) -> HttpResponse:
    head = ["id", "number", "customer_id", "customer", "state", "issued_on", "due_on", "currency", "net", "tax",
            "gross", "open"]  # fmt: skip
    found_rows = rows.filter(sequence__isnull=False).select_related("customer", "balance")
    cells = (
        [row.ref, row.number, row.customer.ref, row.customer.name, figures.shown_state(row, on), row.issued_on,
         row.balance.payment_due_on, row.currency, exports.amount(row.net_minor, row.currency),
         exports.amount(row.tax_minor, row.currency), exports.amount(row.gross_minor, row.currency),
         exports.amount(row.balance.open_minor if row.balance.status == "open" else 0, row.currency)]
        for row in found_rows.order_by("-issued_on", "-pk").iterator(chunk_size=1000)
    )  # fmt: skip
    return exports.response(request, "invoices", _("Invoices"), head, cells)  # type: ignore[return-value]


def an_invoice(request: HttpRequest, ref: str) -> Invoice:
    rows = own(request, Invoice).select_related("customer__company", "company", "balance", "pdf", "replaces")
    return found(rows, ref)


def above(invoice: Invoice, title: str = "") -> Any:
    name = invoice.number or _("Draft")
    steps = [
        (_("Invoices"), reverse("backoffice:invoices")),
        (invoice.customer.name, reverse("backoffice:customer", args=[invoice.customer.ref])),
    ]
    if not title:
        return crumbs(*steps, (name, ""))
    return crumbs(*steps, (name, reverse("backoffice:invoice", args=[invoice.ref])), (title, ""))


@needs("invoice.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = an_invoice(request, ref)
    balance = invoice.balance
    allocations = (
        Allocation.objects.filter(company=request.company, invoice=invoice)
        .select_related("payment", "credit__credit_note")
        .order_by("pk")
    )
    notes = list(CreditNote.objects.filter(company=request.company, invoice=invoice).order_by("pk"))
    messages_sent = Message.objects.filter(
        company=request.company, subject_kind__in=["invoice", "pay_link"], subject_id=invoice.pk
    ).order_by("-pk")[:20]
    from backoffice.views.collecting import attempts_of  # it needs an invoice's address from here

    is_draft = invoice.sequence is None
    open_minor = balance.open_minor if balance.status == InvoiceBalance.Status.OPEN else 0
    context = {
        "title": invoice.number or _("Draft invoice"),
        "heading": _("Draft invoice") if is_draft else _("Invoice"),
        "crumbs": above(invoice),
        "invoice": invoice,
        "balance": balance,
        "state": figures.shown_state(invoice, today(request)),
        "is_draft": is_draft,
        "paper": papers.of_draft(invoice) if is_draft else papers.of_issued(invoice, get_language() or "en"),
        "allocations": allocations,
        "notes": notes,
        "attempts": attempts_of(invoice.pk) if "payment.read" in request.rights and not is_draft else [],
        "replaced_by": list(invoice.replaced_by.order_by("pk")),
        "mails": messages_sent,
        "open_minor": open_minor,
        "left_minor": invoice.gross_minor - balance.credited_minor,
        "may_void": balance.status in ("open", "paid") and balance.credited_minor < invoice.gross_minor,
    }
    return page(request, "invoices/detail", context)


@needs("invoice.read")
def pdf(request: HttpRequest, ref: str) -> HttpResponse:
    return pdf_response(request, an_invoice(request, ref))


def pdf_response(request: HttpRequest, document: Invoice | CreditNote) -> HttpResponse:
    """The document as it was issued, in the browser or (`?download`) as a file."""
    kind = "invoice" if isinstance(document, Invoice) else "credit-note"

    @tells_refusals(lambda: reverse(f"backoffice:{kind}", args=[document.ref]))
    def answer(request: HttpRequest) -> HttpResponse:
        stored = rendering.pdf_of(document)
        response = HttpResponse(bytes(stored.content), content_type=stored.media_type)
        how = "attachment" if "download" in request.GET else "inline"
        response["Content-Disposition"] = f'{how}; filename="{stored.name}"'
        response["Cache-Control"] = "private, max-age=3600"
        return response

    return answer(request)


@needs("invoice.issue")
def send(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = an_invoice(request, ref)
    return send_page(request, invoice, above(invoice, _("Send again")), reverse("backoffice:invoice", args=[ref]))


def send_page(request: HttpRequest, document: Invoice | CreditNote, trail: Any, back: str) -> HttpResponse:
    """Mails a document again, to the usual addresses or to others."""
    usual = mailing.recipients_of(document.customer)
    form = SendForm(request.POST or None, initial={"recipients": "\n".join(usual)})
    if request.method == "POST" and form.is_valid():
        try:
            mailing.send(
                document=document, recipients=form.cleaned_data["recipients"], by=actor(request), at=now(request)
            )
        except Refused as refused:
            show_refusal(form, refused)
        else:
            return done(request, _("%(number)s is on its way.") % {"number": document.number}, back)
    title = _("Send %(number)s again") % {"number": document.number}
    context = {"title": title, "crumbs": trail, "form": form, "back": back, "submit": _("Send")}
    return page(request, "form", context, status=422 if form.errors else 200)


@needs("invoice.credit")
def credit(request: HttpRequest, ref: str) -> HttpResponse:
    """A credit note by hand: whole, by line, or by amount."""
    invoice = an_invoice(request, ref)
    back = reverse("backoffice:invoice", args=[ref])
    lines = list(invoice.lines.select_related("credit"))
    for line in lines:
        given = line.credit.credited_minor if hasattr(line, "credit") else 0
        line.left_minor = line.amount_minor - given  # type: ignore[attr-defined]
    form = CreditForm(request.POST or None, invoice=invoice, lines=lines)

    def act(values: dict[str, Any]) -> CreditNote:
        return crediting.credit_invoice(
            invoice=invoice,
            lines=values["credit_lines"],
            gross_minor=values["gross_minor"],
            reason=values["reason"],
            at=now(request),
            by=actor(request),
        )

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        note = trying.done(lambda: act(values), customer=invoice.customer, currency=invoice.currency, token=token)
        return done(request, _("%(number)s is issued.") % {"number": note.number}, "credit-note", note.ref)

    return _try(request, invoice, form, act, do, _("Credit note for %(number)s"), _("Issue the credit note"), back)


@needs("invoice.credit")
def void(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = an_invoice(request, ref)
    back = reverse("backoffice:invoice", args=[ref])
    form = VoidForm(request.POST or None)

    def act(values: dict[str, Any]) -> CreditNote:
        return voiding.void(
            invoice=invoice, days=values["days"], reason=values["reason"], at=now(request), by=actor(request)
        )

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        note = trying.done(lambda: act(values), customer=invoice.customer, currency=invoice.currency, token=token)
        text = _("%(number)s is void; %(note)s gives it back.") % {"number": invoice.number, "note": note.number}
        return done(request, text, back)

    return _try(request, invoice, form, act, do, _("Void %(number)s"), _("Void the invoice"), back, "danger")


@needs("invoice.credit")
def write_off(request: HttpRequest, ref: str) -> HttpResponse:
    invoice = an_invoice(request, ref)
    back = reverse("backoffice:invoice", args=[ref])
    form = ReasonForm(request.POST or None)
    open_minor = invoice.balance.open_minor

    def act(values: dict[str, Any]) -> Any:
        return payments.write_off(invoice=invoice, reason=values["reason"], by=actor(request), at=now(request))

    def do(values: dict[str, Any], token: str) -> HttpResponse:
        trying.done(lambda: act(values), customer=invoice.customer, currency=invoice.currency, token=token)
        return done(request, _("What was open on %(number)s is written off.") % {"number": invoice.number}, back)

    return _try(request, invoice, form, act, do, _("Write off %(number)s"), _("Write off"), back, "danger", -open_minor)


def _try(
    request: HttpRequest,
    invoice: Invoice,
    form: Any,
    act: Any,
    do: Any,
    title: str,
    words: str,
    back: str,
    tone: str = "",
    sum_minor: int | None = None,
) -> HttpResponse:
    title = title % {"number": invoice.number}

    def preview(values: dict[str, Any]) -> previewing.Shown:
        trial = trying.tried(lambda: act(values), customer=invoice.customer, currency=invoice.currency)
        return previewing.of_trial(trial, sum_minor=sum_minor)

    context = {
        "title": title,
        "crumbs": above(invoice, title),
        "lead": invoice.customer.name,
        "act": words,
        "tone": tone,
        "back": back,
    }
    return previewing.act_page(request, form=form, preview=preview, do=do, context=context)
