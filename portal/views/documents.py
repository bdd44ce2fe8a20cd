"""Invoices and credit notes: what they say line by line, what is open and how to pay it, the PDF."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.documents import explaining, rendering
from billing.models import Allocation, CreditNote, Invoice, InvoiceBalance
from billing.services import pay_links
from core.ids import BadId
from portal import standing
from portal.access import Visitor, found, needs
from portal.pages import crumbs, page

PAGE = 25


@require_safe
@needs("see")
def invoices(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    on = visitor.today
    rows = visitor.invoices.order_by("-id")
    only_open = request.GET.get("status") == "open"
    if only_open:
        rows = rows.filter(balance__status=InvoiceBalance.Status.OPEN)
    shown, next_url = _page_of(request, rows, Invoice)
    here = reverse("portal:invoices")
    context = {
        "rows": [(row, standing.invoice_state(row.balance, on)) for row in shown],
        "next_url": next_url,
        "paged": bool(next_url or request.GET.get("after")),
        "only_open": only_open,
        "tabs": [
            {"label": _("All"), "url": here, "current": not only_open},
            {"label": _("To be paid"), "url": f"{here}?status=open", "current": only_open},
            {"label": _("Credit notes"), "url": reverse("portal:credit-notes"), "current": False},
        ],
    }
    return page(request, "invoices", context)


@require_safe
@needs("see")
def credit_notes(request: HttpRequest) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    shown, next_url = _page_of(request, visitor.credit_notes.order_by("-id"), CreditNote)
    here = reverse("portal:invoices")
    context = {
        "rows": shown,
        "refunds": [] if request.GET.get("after") else list(standing.refunds(visitor)[:PAGE]),
        "next_url": next_url,
        "paged": bool(next_url or request.GET.get("after")),
        "tabs": [
            {"label": _("All"), "url": here, "current": False},
            {"label": _("To be paid"), "url": f"{here}?status=open", "current": False},
            {"label": _("Credit notes"), "url": reverse("portal:credit-notes"), "current": True},
        ],
    }
    return page(request, "credit_notes", context)


@require_safe
@needs("see")
def invoice(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = found(visitor.invoices, ref)
    balance, iban = row.balance, visitor.company.iban
    paid = Allocation.objects.filter(company_id=row.company_id, invoice=row).select_related("payment", "credit")
    context = {
        "row": row,
        "balance": balance,
        "state": standing.invoice_state(balance, visitor.today),
        "crumbs": _crumbs(row.number),
        "lines": _lines(row),
        "paid": list(paid.order_by("id")),
        "notes": list(row.credit_notes.order_by("id")),
        "pay_token": pay_links.token_of(row, on=visitor.today) if "pay" in visitor.rights else "",
        "iban": " ".join(iban[place : place + 4] for place in range(0, len(iban), 4)),
    }
    return page(request, "invoice", context)


@require_safe
@needs("see")
def credit_note(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    row = found(visitor.credit_notes, ref)
    refunds = list(standing.refunds(visitor).filter(credit__credit_note=row))
    context = {"row": row, "crumbs": _crumbs(row.number), "lines": _lines(row), "refunds": refunds}
    return page(request, "credit_note", context)


@require_safe
@needs("see")
def invoice_pdf(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    return _pdf(request, found(visitor.invoices, ref))


@require_safe
@needs("see")
def credit_note_pdf(request: HttpRequest, ref: str) -> HttpResponse:
    visitor: Visitor = request.visitor  # type: ignore[attr-defined]
    return _pdf(request, found(visitor.credit_notes, ref))


def _pdf(request: HttpRequest, document: Invoice | CreditNote) -> HttpResponse:
    """The stored PDF; opened in the browser unless `?download=1`."""
    file = rendering.pdf_of(document)
    response = HttpResponse(bytes(file.content), content_type=file.media_type)
    kind = "attachment" if request.GET.get("download") else "inline"
    response["Content-Disposition"] = f'{kind}; filename="{file.name}"'
    return response


def _lines(document: Invoice | CreditNote) -> list[dict[str, Any]]:
    language = get_language() or document.language
    lines = list(document.lines.order_by("position"))
    for line in lines:  # the sentences name the document's currency
        setattr(line, "credit_note" if isinstance(document, CreditNote) else "invoice", document)
    return [
        {
            "row": line,
            "period": standing.period(line.period_start, line.period_end, document.currency),
            "why": explaining.explain(line, language),
        }
        for line in lines
    ]


def _page_of(request: HttpRequest, rows: Any, model: type[Invoice] | type[CreditNote]) -> tuple[list[Any], str]:
    """A page of documents, newest first, after the one named in the address; and where the next page is."""
    after = request.GET.get("after", "")
    if after:
        try:
            place = rows.model.by_ref(rows.order_by(), after)
        except (BadId, model.DoesNotExist):
            place = None
        if place is not None:
            rows = rows.filter(pk__lt=place.pk)
    shown = list(rows[: PAGE + 1])
    if len(shown) <= PAGE:
        return shown, ""
    query = request.GET.copy()
    query["after"] = shown[PAGE - 1].ref
    return shown[:PAGE], f"?{query.urlencode()}"


def _crumbs(number: str) -> list[dict[str, str]]:
    return crumbs((_("Invoices"), reverse("portal:invoices")), (number, ""))
