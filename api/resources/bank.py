"""The bank: statements read in, their lines confirmed or set aside, files of direct debits."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Bytes, Choice, Ref, Text, Whole, Yes
from api.query import Filter
from api.shapes import Computed, Id, Part, PlainShape, Shape, Sum, amount_text
from api.views import ResourceView, operation
from billing.models import BankLine, BankStatement, DebitBatch, Gateway
from billing.services import bank_lines, debit_files, gateway_accounts, matching, statement_jobs, statements
from core.models import Job
from core.refusal import Refused

READ, WRITE = "payment.read", "payment.write"
TEXT = {"type": "string"}
COUNT = {"type": "integer"}


def _balance(name: str) -> Computed:
    def read(row: Any, reading: Any) -> str | None:
        minor = getattr(row, name)
        return amount_text(minor, row.currency) if minor is not None and row.currency else None

    return Computed({"type": ["string", "null"], "examples": ["12.50"]}, read)


class BankStatementShape(Shape):
    """A file of the bank, read once."""

    id = Id("bst")
    opening = _balance("opening_minor")
    closing = _balance("closing_minor")

    class Meta:
        model = BankStatement
        fields = (
            "id", "format", "number", "iban_end", "currency", "opening", "closing", "from_on", "until_on", "line_count",
            "new_count", "imported_by", "imported_at",
        )  # fmt: skip


class BankProblemShape(PlainShape):
    """Something in the file that couldn't be read, or doesn't add up."""

    place = Computed(TEXT, lambda row, reading: row.place)
    code = Computed(TEXT, lambda row, reading: row.code)
    message = Computed(TEXT, lambda row, reading: Refused(row.code, **row.params).message)


class BankImportShape(PlainShape):
    """What came of a file."""

    statements = Part(BankStatementShape, lambda row: row.statements, many=True)
    new = Computed(COUNT, lambda row, reading: row.new, help_text="Lines not seen before.")
    known = Computed(COUNT, lambda row, reading: row.known, help_text="Lines seen before; they add nothing.")
    problems = Part(BankProblemShape, lambda row: row.problems, many=True)
    job = Computed(
        {"type": ["string", "null"]}, lambda row, reading: row.job,
        help_text="The job that reads a file of over 2,000 lines in; its result says what came of it.",
    )  # fmt: skip


class SuggestionShape(PlainShape):
    """What a line may be; the surest first."""

    kind = Computed(TEXT, lambda row, reading: row["kind"])
    percent = Computed(COUNT, lambda row, reading: row["percent"], help_text="Confidence.")
    reasons = Computed(
        {"type": "array", "items": TEXT}, lambda row, reading: matching.words(matching.of_json(row)), help_text="Why."
    )


class BankLineShape(Shape):
    """One booking on the company's account; money out is below zero."""

    id = Id("bln")
    statement = Id("bst", via="statement")
    amount = Sum("amount_minor")
    customer = Id("cus", via="customer", allow_null=True)
    invoice = Id("inv", via="invoice", allow_null=True)
    payment = Id("pay", via="payment", allow_null=True)
    suggestions = Part(SuggestionShape, lambda row: row.suggestions, many=True)

    class Meta:
        model = BankLine
        fields = (
            "id", "statement", "booked_on", "value_on", "currency", "amount", "name", "text", "end_to_end_id",
            "return_code", "state", "suggestions", "customer", "invoice", "payment", "settled_by", "note",
        )  # fmt: skip


class DebitBatchShape(Shape):
    """Direct debits of one collection day in one file for the bank, in euro."""

    id = Id("ddb")
    gateway = Id("gwy", via="gateway")
    total = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row.total_minor, "EUR"))

    class Meta:
        model = DebitBatch
        fields = (
            "id", "gateway", "message_id", "collection_on", "scheme", "sequence", "state", "count", "total",
            "created_at", "sent_at",
        )  # fmt: skip


class BankFileShape(PlainShape):
    """A file for the bank."""

    OF_A_FILE = True

    name = Computed(TEXT, lambda row, reading: row.name)
    media_type = Computed(TEXT, lambda row, reading: row.media_type)
    content = Computed(
        {"type": "string", "contentEncoding": "base64"},
        lambda row, reading: base64.b64encode(bytes(row.content)).decode(),
    )


class BankStatementInput(Body):
    """A file of the bank: camt.053, camt.054, MT940 or CSV."""

    content = Bytes(help_text="The file.")
    name = Text(max_length=200, help_text="Its name.")
    format = Choice(BankStatement.Format.choices, required=False, help_text="Left out: recognized.")
    account = Text(required=False, allow_blank=True, max_length=34, help_text="IBAN, where the file doesn't say it.")
    currency = Text(required=False, allow_blank=True, max_length=3, help_text="Where the file doesn't say it.")


class ConfirmLineInput(Body):
    """Which suggestion."""

    suggestion = Whole(
        required=False, min_value=0, max_value=50, help_text="Its place in the list; left out: the first."
    )


class SettleLineInput(Body):
    """Why."""

    reason = Text(max_length=300, help_text="For colleagues.")


class DebitFilesInput(Body):
    """Of which gateway; left out: the company's."""

    gateway = Ref(Gateway, required=False, help_text="A SEPA gateway.")


class SentInput(Body):
    """That the file was given to the bank."""

    is_at_bank = Yes(required=False, help_text="The bank has it already, whatever was paid meanwhile.")


class CancelBatchInput(Body):
    """That the file isn't given to the bank."""

    drops = Yes(required=False, help_text="Its debits are canceled, too; otherwise they wait for another file.")


class StatementView(ResourceView):
    tag = "Bank"
    places: ClassVar[dict[str, Any]] = {"statement": "bst"}
    model, shape = BankStatement, BankStatementShape


class Statements(StatementView):
    @operation("List bank statements", right=READ, answer=BankStatementShape, paged=True)
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Read a bank statement in", right=WRITE, body=BankStatementInput, answer=BankImportShape, status=201,
        description="Lines seen before add nothing. What is certain is matched at once, the rest suggested.",
        refusals=["bank.unknown"], apart=True,
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        result = statement_jobs.take_in(
            company=self.company, data=given.pop("content"), by=self.by, at=self.at, **given
        )
        if isinstance(result, Job):
            result = statements.Imported(job=result.ref)
        return self.shaped(BankImportShape, result, 201)


class OneStatement(StatementView):
    @operation("Get a bank statement", right=READ, answer=BankStatementShape)
    def get(self, request: Request, statement: str) -> HttpResponse:
        return self.one(self.find(statement))


class LineView(ResourceView):
    tag = "Bank"
    places: ClassVar[dict[str, Any]] = {"line": "bln"}
    model, shape = BankLine, BankLineShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("statement", "customer", "invoice", "payment")


class Lines(LineView):
    @operation(
        "List bank lines", right=READ, answer=BankLineShape, paged=True,
        filters=[
            Filter("statement", "ref", model=BankStatement, help="In this statement."),
            Filter("state", "choice", choices=tuple(BankLine.State.values), help="Where it stands."),
            Filter("booked_on", "day", help="Day of the booking."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneLine(LineView):
    @operation("Get a bank line", right=READ, answer=BankLineShape)
    def get(self, request: Request, line: str) -> HttpResponse:
        return self.one(self.find(line))


class ConfirmLine(LineView):
    @operation("Confirm a suggestion of a bank line", right=WRITE, body=ConfirmLineInput, answer=BankLineShape,
               refusals=["bank_line.choice", "bank_line.settled"], apart=True)  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], line: str) -> HttpResponse:
        row, place = self.find(line), given.get("suggestion", 0)
        if place >= len(row.suggestions):
            raise Refused("bank_line.choice", field="suggestion")
        return self.fresh(bank_lines.confirm(line=row, suggestion=row.suggestions[place], by=self.by, at=self.at))


class SetLineAside(LineView):
    @operation("Set a bank line aside", right=WRITE, body=SettleLineInput, answer=BankLineShape,
               refusals=["bank_line.settled"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], line: str) -> HttpResponse:
        return self.fresh(bank_lines.set_aside(line=self.find(line), by=self.by, at=self.at, **given))


class UndoLine(LineView):
    @operation("Undo a bank line", right=WRITE, body=SettleLineInput, answer=BankLineShape,
               description="Takes back what it did; only a person settles it again.",
               refusals=["bank_line.final"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], line: str) -> HttpResponse:
        return self.fresh(bank_lines.undo(line=self.find(line), by=self.by, at=self.at, **given))


class BatchView(ResourceView):
    tag = "Bank"
    places: ClassVar[dict[str, Any]] = {"batch": "ddb"}
    model, shape = DebitBatch, DebitBatchShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("gateway")


class Batches(BatchView):
    @operation(
        "List direct debit files", right=READ, answer=DebitBatchShape, paged=True,
        filters=[
            Filter("state", "choice", choices=tuple(DebitBatch.State.values), help="Where it stands."),
            Filter("collection_on", "day", help="Day the accounts are debited."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class MadeShape(PlainShape):
    """The files that were made."""

    data = Part(DebitBatchShape, lambda row: row, many=True)


class MakeBatches(BatchView):
    @operation(
        "Make direct debit files", right=WRITE, body=DebitFilesInput, answer=MadeShape, status=201,
        description="One per collection day, scheme and sequence, for every debit whose day comes. None due: none.",
        refusals=["gateway.account_missing", "attempt.no_way"], apart=True,
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        gateway = given.get("gateway") or gateway_accounts.of_kind(self.company, Gateway.Kind.SEPA)
        if gateway is None or gateway.kind != Gateway.Kind.SEPA:
            name = gateway.name if gateway is not None else str(Gateway.Kind.SEPA.label)
            raise Refused("attempt.no_way", field="gateway", gateway=name)
        made = debit_files.make_batches(company=self.company, gateway=gateway, on=self.today, by=self.by, at=self.at)
        rows = self.rows().filter(pk__in=[batch.pk for batch in made]).order_by("pk")
        return self.shaped(MadeShape, rows, 201)


class OneBatch(BatchView):
    @operation("Get a direct debit file", right=READ, answer=DebitBatchShape)
    def get(self, request: Request, batch: str) -> HttpResponse:
        return self.one(self.find(batch))


class BatchFile(BatchView):
    @operation("Get the content of a direct debit file", right=WRITE, answer=BankFileShape)
    def get(self, request: Request, batch: str) -> HttpResponse:
        return self.shaped(BankFileShape, self.find(batch).file)


class MarkSent(BatchView):
    @operation("Mark a direct debit file as sent", right=WRITE, body=SentInput, answer=DebitBatchShape,
               refusals=["debit_batch.stale", "debit_batch.move"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], batch: str) -> HttpResponse:
        return self.fresh(debit_files.mark_sent(batch=self.find(batch), by=self.by, at=self.at, **given))


class CancelBatch(BatchView):
    @operation("Cancel a direct debit file", right=WRITE, body=CancelBatchInput, answer=DebitBatchShape,
               refusals=["debit_batch.move"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], batch: str) -> HttpResponse:
        return self.fresh(debit_files.cancel_batch(batch=self.find(batch), by=self.by, at=self.at, **given))


urlpatterns = [
    path("bank-statements", Statements.as_view()),
    path("bank-statements/<str:statement>", OneStatement.as_view()),
    path("bank-lines", Lines.as_view()),
    path("bank-lines/<str:line>", OneLine.as_view()),
    path("bank-lines/<str:line>/confirm", ConfirmLine.as_view()),
    path("bank-lines/<str:line>/set-aside", SetLineAside.as_view()),
    path("bank-lines/<str:line>/undo", UndoLine.as_view()),
    path("debit-batches", Batches.as_view()),
    path("debit-batches/make", MakeBatches.as_view()),
    path("debit-batches/<str:batch>", OneBatch.as_view()),
    path("debit-batches/<str:batch>/file", BatchFile.as_view()),
    path("debit-batches/<str:batch>/sent", MarkSent.as_view()),
    path("debit-batches/<str:batch>/cancel", CancelBatch.as_view()),
]
