"""Drafts approved, many at once; issued invoices replaced."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Choice, Ref, Text, Yes
from api.resources.credit_notes import CreditNoteShape
from api.resources.invoice_acts import InvoiceAct
from api.resources.invoices import CREDIT, ISSUE, InvoiceShape, InvoiceView
from api.resources.previews import TEXT, TokenInput
from api.resources.trials import act
from api.shapes import Computed, Part, PlainShape, Sum, amount_text
from api.views import operation
from billing.models import CreditNote, Invoice
from billing.services import approving, replacing


class ApproveInput(TokenInput):
    """Which drafts are issued now."""

    ids = serializers.ListField(child=Ref(Invoice), required=False, max_length=500, help_text="These drafts.")
    all = Yes(required=False, help_text="All that wait for the end of their approval window.")


class LeftDraftShape(PlainShape):
    """A draft that can't be issued."""

    invoice = Computed(TEXT, lambda row, reading: row[0].ref)
    code = Computed(TEXT, lambda row, reading: row[1].code, help_text="A problem code.")
    reason = Computed(TEXT, lambda row, reading: row[1].message, help_text="The code in words.")


class ApprovedShape(PlainShape):
    """The invoices issued; what could not be issued stays a draft."""

    data = Part(InvoiceShape, lambda row: row[0], many=True)
    skipped = Part(LeftDraftShape, lambda row: row[1], many=True)


class ApprovalSumShape(PlainShape):
    """Invoices of one currency."""

    currency = Computed(TEXT, lambda row, reading: row[0])
    count = Computed({"type": "integer"}, lambda row, reading: row[1])
    gross = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[2], row[0]), help_text="Their sum.")


class ApprovalPreviewShape(PlainShape):
    """What would be issued. Nothing was changed."""

    totals = Part(ApprovalSumShape, lambda row: [(code, *sums) for code, sums in row.totals.items()], many=True)
    skipped = Part(LeftDraftShape, lambda row: row.skipped, many=True)
    preview_token = Computed(TEXT, lambda row, reading: row.token, help_text="Send it with the act.")


class ReplacementInput(TokenInput):
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
        refusals=["preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        outcome = approving.issue_many(**self.what(given), preview_token=given.get("preview_token"))
        issued = list(self.rows().filter(pk__in=outcome.invoice_ids).order_by("sequence"))
        return self.shaped(ApprovedShape, (issued, outcome.skipped))

    def what(self, given: dict[str, Any]) -> dict[str, Any]:
        ids = [row.pk for row in given.get("ids", [])]
        if given.get("all"):
            waiting = Invoice.objects.filter(company=self.company, sequence__isnull=True, waits_for="window")
            ids += waiting.order_by("pk").values_list("pk", flat=True)
        return {"company": self.company, "invoice_ids": ids, "at": self.at, "by": self.by}


class PreviewApprove(Approve):
    @operation(
        "Preview issuing many drafts",
        right=ISSUE,
        body=ApproveInput,
        answer=ApprovalPreviewShape,
        description="The very act, taken back: how many invoices over how much, and what is left and why.",
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.shaped(ApprovalPreviewShape, approving.preview_many(**self.what(given)))


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
    path("invoices/approve/preview", PreviewApprove.as_view()),
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
