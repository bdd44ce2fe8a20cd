"""Drafts approved, many at once; issued invoices replaced."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Body, Choice, Ref, Text, Yes
from api.resources.credit_notes import CreditNoteShape
from api.resources.invoices import CREDIT, ISSUE, InvoiceAct, InvoiceShape, InvoiceView
from api.resources.trials import Token, act
from api.shapes import Part, PlainShape
from api.views import operation
from billing.models import CreditNote, Invoice
from billing.services import approving, replacing


class ApproveInput(Body):
    """Which drafts are issued now."""

    ids = serializers.ListField(child=Ref(Invoice), required=False, max_length=500, help_text="These drafts.")
    all = Yes(required=False, help_text="All that wait for the end of their approval window.")


class ApprovedShape(PlainShape):
    """The invoices issued; what could not be issued stays a draft."""

    data = Part(InvoiceShape, lambda row: row, many=True)


class ReplacementInput(Token):
    """How the new invoice comes, and why."""

    how = Choice(
        [("draft", "draft"), ("issue", "issue")],
        required=False,
        help_text="draft, to be changed (usual), or issue.",
    )
    po_reference = Text(required=False, allow_blank=True, max_length=80, help_text="The new one's order reference.")
    reason = Text(max_length=500, help_text="Printed on the credit note.")


class ReplacementShape(PlainShape):
    """The credit note over all that was left, and the invoice in its place."""

    credit_note = Part(CreditNoteShape, lambda row: row[0])
    invoice = Part(InvoiceShape, lambda row: row[1])


class Approve(InvoiceView):
    @operation(
        "Issue many drafts",
        right=ISSUE,
        body=ApproveInput,
        answer=ApprovedShape,
        description="Each customer's for itself: what can't be issued stays a draft and stops no other.",
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        ids = [row.pk for row in given.get("ids", [])]
        if given.get("all"):
            waiting = Invoice.objects.filter(company=self.company, sequence__isnull=True, waits_for="window")
            ids += waiting.order_by("pk").values_list("pk", flat=True)
        issued = approving.approve(company=self.company, invoice_ids=ids, at=self.at, by=self.by)
        return self.shaped(ApprovedShape, list(self.rows().filter(pk__in=issued).order_by("sequence")))


class Replace(InvoiceAct):
    def do(self, row: Invoice, given: dict[str, Any]) -> tuple[CreditNote, Invoice]:
        return replacing.replace(invoice=row, by=self.by, at=self.at, **given)

    def shown(self, result: tuple[CreditNote, Invoice]) -> HttpResponse:
        notes = CreditNote.objects.select_related("customer", "invoice").prefetch_related("lines__invoice_line")
        written = (notes.get(pk=result[0].pk), self.rows().get(pk=result[1].pk))
        response = self.shaped(ReplacementShape, written, 201)
        response["Location"] = f"/api/v1/invoices/{result[1].ref}"
        return response


urlpatterns = [
    path("invoices/approve", Approve.as_view()),
    *act(
        "invoices/<str:invoice>/replace",
        Replace,
        "Replace an invoice",
        right=CREDIT,
        body=ReplacementInput,
        answer=ReplacementShape,
        status=201,
        description="Credits all that is left of it; the new one names it and is taxed as its customer is today.",
        refusals=["void.not_open", "credit.nothing_left", "credit.pack_used"],
    ),
]
