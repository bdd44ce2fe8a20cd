"""Credit notes: list, paper, PDF, send again."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backoffice import exports, finding, papers
from backoffice.acting import found, own
from backoffice.forms.billing import InvoiceFilter
from backoffice.lists import listing
from backoffice.pages import Crumb, crumbs, page
from backoffice.views.invoices import pdf_response, send_page
from billing.models import CreditNote
from core.rights import needs
from customers.models import Message


@needs("invoice.read")
def index(request: HttpRequest) -> HttpResponse:
    form, q = InvoiceFilter(request.GET), request.GET.get("q", "")
    del form.fields["due_to"]
    rows = finding.credit_notes(request.company, q)
    chosen = form.cleaned_data if form.is_valid() else {}
    for name, lookup in (("currency", "currency"), ("issued_from", "issued_on__gte"), ("issued_to", "issued_on__lte")):
        if chosen.get(name):
            rows = rows.filter(**{lookup: chosen[name]})
    rows = rows.select_related("customer", "invoice")
    if exports.is_asked(request):
        head = ["id", "number", "customer", "invoice", "cause", "issued_on", "currency", "net", "tax", "gross"]
        cells = (
            [row.ref, row.number, row.customer.name, row.invoice.number, row.cause, row.issued_on, row.currency,
             exports.amount(row.net_minor, row.currency), exports.amount(row.tax_minor, row.currency),
             exports.amount(row.gross_minor, row.currency)]
            for row in rows.order_by("-pk").iterator(chunk_size=1000)
        )  # fmt: skip
        return exports.response(request, "credit-notes", _("Credit notes"), head, cells)  # type: ignore[return-value]
    listed = listing(request, rows, sorts={"issued": "pk"}, default="-issued", form=form, q=q)
    return page(request, "credit_notes/list", {"title": _("Credit notes"), "list": listed, "exports": True})


def _note(request: HttpRequest, ref: str) -> CreditNote:
    return found(own(request, CreditNote).select_related("customer__company", "company", "invoice", "pdf"), ref)


def _above(note: CreditNote, title: str = "") -> list[Crumb]:
    steps = [
        (_("Credit notes"), reverse("backoffice:credit-notes")),
        (note.customer.name, reverse("backoffice:customer", args=[note.customer.ref])),
    ]
    if not title:
        return crumbs(*steps, (note.number, ""))
    return crumbs(*steps, (note.number, reverse("backoffice:credit-note", args=[note.ref])), (title, ""))


@needs("invoice.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    note = _note(request, ref)
    mails = Message.objects.filter(company=request.company, subject_kind="credit_note", subject_id=note.pk)
    context = {
        "title": note.number,
        "crumbs": _above(note),
        "note": note,
        "paper": papers.of_issued(note, get_language() or "en"),
        "mails": mails.order_by("-pk")[:20],
    }
    return page(request, "credit_notes/detail", context)


@needs("invoice.read")
def pdf(request: HttpRequest, ref: str) -> HttpResponse:
    return pdf_response(request, _note(request, ref))


@needs("invoice.issue")
def send(request: HttpRequest, ref: str) -> HttpResponse:
    note = _note(request, ref)
    return send_page(request, note, _above(note, _("Send again")), reverse("backoffice:credit-note", args=[ref]))
