"""Credit notes: what was given back of issued invoices."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import Filter
from api.resources.customers import CustomerShape, with_addresses
from api.resources.documents import TaxRowShape, explanation, pdf_answer
from api.schema import PDF
from api.shapes import Computed, Id, Link, Number, Part, Shape, Sum
from api.views import ResourceView, operation
from billing.models import CreditNote, CreditNoteLine, Invoice
from customers.models import Customer

READ = "invoice.read"


class CreditNoteLineShape(Shape):
    """What is given back of one invoice line."""

    invoice_line = Computed(
        {"type": "integer"}, lambda row, reading: row.invoice_line.position, help_text="Its position."
    )
    amount = Sum("amount_minor", currency="credit_note.currency", help_text="Net or gross, as the note's prices.")
    net = Sum("net_minor", currency="credit_note.currency", help_text="Without tax.")
    tax_rate = Number("tax_rate", help_text="Percent.")
    calculation = Computed({"type": "object"}, lambda row, reading: row.calculation, help_text="What explains it.")
    explanation = Computed(
        {"type": "array", "items": {"type": "string"}}, explanation, allow_null=True, help_text="Only when expanded."
    )

    class Meta:
        model = CreditNoteLine
        fields = (
            "position", "invoice_line", "description", "period_start", "period_end", "amount", "net", "tax_category",
            "tax_rate", "calculation", "explanation",
        )  # fmt: skip


class CreditNoteShape(Shape):
    """Gives back what one invoice charged, wholly or in part. Amounts are positive."""

    id = Id("crn")
    customer = Link("cus", lambda: CustomerShape, name="customer")
    invoice = Id("inv", via="invoice", help_text="What it corrects.")
    net = Sum("net_minor", help_text="Sum without tax.")
    tax = Sum("tax_minor", help_text="Sum of taxes.")
    gross = Sum("gross_minor", help_text="Sum with tax.")
    settled = Sum("settled_minor", help_text="Part that lowered what was due on the invoice.")
    to_account = Sum("to_account_minor", help_text="Part that became account credit or was refunded.")
    tax_rows = Part(TaxRowShape, lambda row: [(entry, row.currency) for entry in row.tax_rows], many=True)
    lines = Part(
        CreditNoteLineShape, lambda row: row.lines.all(), many=True, name="lines", only_expanded=True,
        help_text="Null in lists unless expanded.",
    )  # fmt: skip

    class Meta:
        model = CreditNote
        fields = (
            "id", "number", "customer", "invoice", "cause", "reason", "currency", "language", "tax_behavior",
            "issued_on", "net", "tax", "gross", "tax_rows", "settled", "to_account", "snapshot_hash", "lines",
            "created_at",
        )  # fmt: skip


class CreditNoteView(ResourceView):
    tag = "Invoices"
    places: ClassVar[dict[str, Any]] = {"credit_note": "crn"}
    model, shape = CreditNote, CreditNoteShape
    shown_alone = frozenset({"lines"})
    links = ("customer", "invoice")

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("customer", "invoice")
        if "customer" in self.asked.expand:
            rows = rows.prefetch_related(with_addresses("customer__"))
        lines = CreditNoteLine.objects.order_by("position").select_related("invoice_line")
        wanted = "lines" in self.asked.expand or "credit_note" in self.kwargs
        return rows.prefetch_related(Prefetch("lines", lines)) if wanted else rows


class CreditNotes(CreditNoteView):
    @operation(
        "List credit notes",
        right=READ,
        answer=CreditNoteShape,
        paged=True,
        expand=("customer", "lines", "explanation"),
        filters=[
            Filter("customer", "ref", model=Customer, help="Addressee."),
            Filter("invoice", "ref", model=Invoice, help="What it corrects."),
            Filter("cause", "choice", choices=tuple(CreditNote.Cause.values), help="What led to it."),
            Filter("number", "text", help="Printed number."),
            Filter("issued_on", "day", help="Document date."),
            Filter("created", "instant", path="created_at", help="When it was made."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneCreditNote(CreditNoteView):
    @operation("Get a credit note", right=READ, answer=CreditNoteShape, expand=("customer", "explanation"))
    def get(self, request: Request, credit_note: str) -> HttpResponse:
        return self.one(self.find(credit_note))


class CreditNotePdf(CreditNoteView):
    @operation("Get the PDF of a credit note", right=READ, answer=PDF)
    def get(self, request: Request, credit_note: str) -> HttpResponse:
        return pdf_answer(self.find(credit_note))


urlpatterns = [
    path("credit-notes", CreditNotes.as_view()),
    path("credit-notes/<str:credit_note>", OneCreditNote.as_view()),
    path("credit-notes/<str:credit_note>/pdf", CreditNotePdf.as_view()),
]
