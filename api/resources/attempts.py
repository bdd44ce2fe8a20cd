"""Tries to collect invoices: asked for, looked up, canceled. The provider is called outside our transactions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Ref
from api.query import Filter
from api.resources.invoices import InvoiceView
from api.shapes import Computed, Id, PlainShape, Shape, Sum, amount_text
from api.views import ResourceView, operation
from billing.gateways import reasons
from billing.models import Attempt, Gateway, Invoice, PaymentMethod
from billing.services import attempts, collecting, receivables, sending
from core.refusal import Refused
from customers.models import Customer

READ, WRITE = "payment.read", "payment.write"
TEXT = {"type": "string"}


class AttemptShape(Shape):
    """A try to collect an invoice through a gateway. `reason` is a code, `reason_text` the same in words."""

    id = Id("att")
    invoice = Id("inv", via="invoice")
    customer = Id("cus", via="customer")
    gateway = Id("gwy", via="gateway")
    payment_method = Id("pm", via="method", allow_null=True, help_text="Null: chosen on the provider's page.")
    amount = Sum("amount_minor")
    reason_text = Computed(TEXT, lambda row, reading: reasons.words_of(row.reason) if row.reason else "")

    class Meta:
        model = Attempt
        fields = (
            "id", "invoice", "customer", "gateway", "payment_method", "state", "origin", "currency", "amount",
            "action_url", "reason", "reason_text", "collect_on", "expires_at", "created_at", "closed_at",
        )  # fmt: skip


class PayPreviewShape(PlainShape):
    """What would be collected, and by which method. Nothing was asked for."""

    currency = Computed(TEXT, lambda row, reading: row[0].currency)
    amount = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[1], row[0].currency), help_text="Still due.")
    payment_method = Computed({"type": ["string", "null"]}, lambda row, reading: row[2].ref if row[2] else None)
    label = Computed(TEXT, lambda row, reading: row[2].label if row[2] else "", help_text="Such as Visa •••• 4242.")
    collect_on = Computed(
        {"type": ["string", "null"], "format": "date"},
        lambda row, reading: row[3],
        help_text="Collection day of a direct debit.",
    )


class PayInput(Body):
    """By which method; left out: the one that pays this invoice usually. With a gateway alone its page is opened."""

    payment_method = Ref(PaymentMethod, required=False, help_text="One of the customer's.")
    gateway = Ref(Gateway, required=False, help_text="The customer pays on its page: see `action_url`.")


class AttemptView(ResourceView):
    tag = "Collection"
    places: ClassVar[dict[str, Any]] = {"attempt": "att"}
    model, shape = Attempt, AttemptShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("invoice", "customer", "gateway", "method")


class Attempts(AttemptView):
    @operation(
        "List attempts",
        right=READ,
        answer=AttemptShape,
        paged=True,
        filters=[
            Filter("customer", "ref", model=Customer, help="From whom."),
            Filter("invoice", "ref", model=Invoice, help="What is collected."),
            Filter("gateway", "ref", model=Gateway, help="Through which gateway."),
            Filter("state", "choice", choices=tuple(Attempt.State.values), help="Where it stands."),
            Filter("created", "instant", path="created_at", help="When it was written."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneAttempt(AttemptView):
    @operation("Get an attempt", right=READ, answer=AttemptShape)
    def get(self, request: Request, attempt: str) -> HttpResponse:
        return self.one(self.find(attempt))


class LookUpAttempt(AttemptView):
    @operation(
        "Look an attempt up",
        right=WRITE,
        answer=AttemptShape,
        description="Asks the provider how it stands, and follows what it says.",
        apart=True,
    )
    def post(self, request: Request, attempt: str) -> HttpResponse:
        return self.fresh(sending.look_up(attempt_id=self.find(attempt).pk, at=self.at))


class CancelAttempt(AttemptView):
    @operation(
        "Cancel an attempt",
        right=WRITE,
        answer=AttemptShape,
        description="Has the provider confirm that no money will come. It may have settled meanwhile: read the state.",
        refusals=["debit_batch.move"],
        apart=True,
    )
    def post(self, request: Request, attempt: str) -> HttpResponse:
        row = self.find(attempt)
        if row.batch_id is not None and row.state in Attempt.LIVE:
            state = Attempt.State.CANCELED.label
            raise Refused("debit_batch.move", state=row.batch.get_state_display(), to=state)
        return self.fresh(sending.cancel(attempt_id=row.pk, at=self.at))


class PayView(InvoiceView):
    def chosen(self, row: Invoice, given: dict[str, Any]) -> tuple[Gateway, PaymentMethod | None]:
        """By which gateway and method. Refuses `method.none`."""
        method = given.get("payment_method")
        if method is None and given.get("gateway") is not None:
            return given["gateway"], None
        method = method or collecting.method_for(row)
        if method is None:
            raise Refused("method.none", field="payment_method")
        return method.gateway, method


class Pay(PayView):
    @operation(
        "Collect an invoice",
        right=WRITE,
        body=PayInput,
        answer=AttemptShape,
        status=201,
        description="Charges a saved method at once, or opens a page on which the customer pays. While a payment of "
        "the invoice is under way that one is the answer: an invoice is never collected twice.",
        refusals=["attempt.nothing_due", "method.not_usable", "method.none", "attempt.no_way"],
        apart=True,
    )
    def post(self, request: Request, given: dict[str, Any], invoice: str) -> HttpResponse:
        row = self.find(invoice)
        gateway, method = self.chosen(row, given)
        made = collecting.pay_now(
            invoice=row, gateway=gateway, method=method, origin=Attempt.Origin.STAFF, by=self.by, at=self.at
        )
        shown = Attempt.objects.select_related("invoice", "customer", "gateway", "method").get(pk=made.pk)
        response = self.shaped(AttemptShape, shown, 201)
        response["Location"] = f"/api/v1/attempts/{shown.ref}"
        return response


class PreviewPay(PayView):
    @operation("Preview: collect an invoice", right=WRITE, body=PayInput, answer=PayPreviewShape,
               refusals=["attempt.nothing_due", "attempt.one_alive", "method.none"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], invoice: str) -> HttpResponse:
        row = self.find(invoice)
        gateway, method = self.chosen(row, given)
        balance = row.balance
        if balance.status not in receivables.PAYABLE or balance.open_minor <= 0:
            raise Refused("attempt.nothing_due", number=row.number)
        if attempts.live_of(row.pk) is not None:
            raise Refused("attempt.one_alive", number=row.number)
        is_debit = gateway.kind == Gateway.Kind.SEPA
        day = collecting.debit_day(row, gateway, self.today) if is_debit else None
        return self.shaped(PayPreviewShape, (row, balance.open_minor, method, day))


urlpatterns = [
    path("attempts", Attempts.as_view()),
    path("attempts/<str:attempt>", OneAttempt.as_view()),
    path("attempts/<str:attempt>/look-up", LookUpAttempt.as_view()),
    path("attempts/<str:attempt>/cancel", CancelAttempt.as_view()),
    path("invoices/<str:invoice>/pay", Pay.as_view()),
    path("invoices/<str:invoice>/pay/preview", PreviewPay.as_view()),
]
