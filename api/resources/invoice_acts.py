"""Acts on issued invoices and drafts, each tried first: issue, void, credit, write off, send."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Amount, Body, Choice, Text, Whole, minor_of
from api.resources.credit_notes import CreditNoteShape
from api.resources.invoices import CREDIT, FATES, ISSUE, InvoiceShape, InvoiceView
from api.resources.messages import MessageShape
from api.resources.previews import TokenInput
from api.resources.trials import MoneyAct, Plan, act
from api.shapes import compiled
from api.views import operation
from billing.models import CreditNote, Invoice, InvoiceLine
from billing.services import approving, crediting, mailing, receivables, voiding
from core.refusal import Refused


class VoidInput(TokenInput):
    """Why, and what becomes of its days."""

    days = Choice(FATES, required=False, help_text="bill_again or free.")
    reason = Text(max_length=500, help_text="Printed on the credit note.")


class CreditLineInput(Body):
    """Part of a line."""

    position = Whole(min_value=1, max_value=32767, help_text="Which line.")
    amount = Amount(help_text="Given back, net or gross as the invoice's prices.")


class CreditInput(TokenInput):
    """By line, by gross amount, or (neither) all that is left."""

    lines = CreditLineInput(many=True, required=False, help_text="Amounts by line.")
    gross = Amount(required=False, help_text="Gross amount, spread over what is left of the lines.")
    reason = Text(max_length=500, help_text="Printed on the credit note.")


class WriteOffInput(TokenInput):
    """Why it is given up."""

    reason = Text(max_length=500, help_text="For the books.")


class SendInput(Body):
    """To whom; when left out, to those who get the customer's documents."""

    recipients = serializers.ListField(
        child=serializers.EmailField(), required=False, max_length=20, help_text="E-mail addresses."
    )


class InvoiceAct(InvoiceView, MoneyAct):
    """An act on one invoice, which `find` looks up."""

    @abstractmethod
    def do(self, row: Invoice, given: dict[str, Any]) -> Any:
        """Does it; what came of it."""

    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.find(ids["invoice"])
        return lambda: self.do(row, given), row.customer, row.currency


class Issue(InvoiceAct):
    def do(self, row: Invoice, given: dict[str, Any]) -> Invoice:
        return approving.issue(invoice=row, by=self.by, at=self.at)


class WriteOff(InvoiceAct):
    def do(self, row: Invoice, given: dict[str, Any]) -> Invoice:
        receivables.write_off(invoice=row, by=self.by, at=self.at, **given)
        return row


class NotingAct(InvoiceAct):
    """Acts that issue a credit note answer with it."""

    def shown(self, result: CreditNote) -> HttpResponse:
        rows = CreditNote.objects.select_related("customer", "invoice").prefetch_related("lines__invoice_line")
        note = rows.get(pk=result.pk)
        reading = self.reading(expand=frozenset({"lines"}))
        response = self.answer(compiled(CreditNoteShape)(note, reading), 201)
        response["Location"] = f"/api/v1/credit-notes/{note.ref}"
        return response


class Void(NotingAct):
    def do(self, row: Invoice, given: dict[str, Any]) -> CreditNote:
        return voiding.void(invoice=row, by=self.by, at=self.at, **given)


class Credit(NotingAct):
    def do(self, row: Invoice, given: dict[str, Any]) -> CreditNote:
        values: dict[str, Any] = {"reason": given["reason"]}
        if "gross" in given:
            values["gross_minor"] = minor_of(given["gross"], row.currency, field="gross")
        if "lines" in given:
            by_position = dict(InvoiceLine.objects.filter(invoice=row).values_list("position", "pk"))
            values["lines"] = {}
            for number, line in enumerate(given["lines"]):
                if line["position"] not in by_position:
                    raise Refused("credit.line_unknown", field=f"lines.{number}.position")
                minor = minor_of(line["amount"], row.currency, field=f"lines.{number}.amount")
                values["lines"][by_position[line["position"]]] = minor
        return crediting.credit_invoice(invoice=row, by=self.by, at=self.at, **values)


class SendInvoice(InvoiceView):
    @operation(
        "Send an invoice",
        right=ISSUE,
        body=SendInput,
        answer=MessageShape,
        status=202,
        refusals=["document.not_issued"],
    )
    def post(self, request: Request, given: dict[str, Any], invoice: str) -> HttpResponse:
        message = mailing.send(document=self.find(invoice), by=self.by, at=self.at, **given)
        return self.shaped(MessageShape, message, 202)


urlpatterns = [
    path("invoices/<str:invoice>/send", SendInvoice.as_view()),
    *act(
        "invoices/<str:invoice>/issue",
        Issue,
        "Issue an invoice",
        right=ISSUE,
        body=TokenInput,
        answer=InvoiceShape,
        description="A draft of billing is computed anew, one by hand taxed as of today; numbered, frozen, mailed.",
        refusals=["draft.zero", "draft.not_issued"],
    ),
    *act(
        "invoices/<str:invoice>/void",
        Void,
        "Void an invoice",
        right=CREDIT,
        body=VoidInput,
        answer=CreditNoteShape,
        status=201,
        description="Gives back all that is left of it. Its days fall due again, or stay free for good.",
        refusals=["void.not_open", "credit.nothing_left"],
    ),
    *act(
        "invoices/<str:invoice>/credit",
        Credit,
        "Credit an invoice",
        right=CREDIT,
        body=CreditInput,
        answer=CreditNoteShape,
        status=201,
        description="By line, by gross amount, or all that is left. No days are released.",
        refusals=["credit.above_left", "credit.nothing_left"],
    ),
    *act(
        "invoices/<str:invoice>/write-off",
        WriteOff,
        "Write off an invoice",
        right=CREDIT,
        body=WriteOffInput,
        answer=InvoiceShape,
        description="Gives up what is still due. Later money for it counts as recovered.",
        refusals=["invoice.move"],
    ),
]
