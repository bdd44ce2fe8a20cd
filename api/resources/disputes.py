"""Money taken back by a bank or provider: returned debits and disputes, read only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import Filter
from api.shapes import Computed, Id, Shape, Sum
from api.views import ResourceView, operation
from billing.gateways import reasons
from billing.models import Payment, Reversal

READ = "payment.read"


class DisputeShape(Shape):
    """A returned debit, a dispute or a chargeback of a payment."""

    id = Id("rvs")
    payment = Id("pay", via="payment")
    gateway = Id("gwy", via="gateway")
    amount = Sum("amount_minor", help_text="Taken back.")
    fee = Sum("fee_minor", help_text="Fee of the provider or bank.")
    reason_text = Computed({"type": "string"}, lambda row, reading: reasons.words_of(row.reason) if row.reason else "")

    class Meta:
        model = Reversal
        fields = (
            "id", "payment", "gateway", "kind", "state", "currency", "amount", "fee", "reason", "reason_text",
            "taken_on", "answer_by", "closed_on", "created_at",
        )  # fmt: skip


class DisputeView(ResourceView):
    tag = "Payments"
    places: ClassVar[dict[str, Any]] = {"dispute": "rvs"}
    model, shape = Reversal, DisputeShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("payment", "gateway")


class Disputes(DisputeView):
    @operation(
        "List disputes and returns",
        right=READ,
        answer=DisputeShape,
        paged=True,
        filters=[
            Filter("payment", "ref", model=Payment, help="Of this payment."),
            Filter("kind", "choice", choices=tuple(Reversal.Kind.values), help="What it is."),
            Filter("state", "choice", choices=tuple(Reversal.State.values), help="Where it stands."),
            Filter("taken_on", "day", help="Day the money was gone."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneDispute(DisputeView):
    @operation("Get a dispute or return", right=READ, answer=DisputeShape)
    def get(self, request: Request, dispute: str) -> HttpResponse:
        return self.one(self.find(dispute))


urlpatterns = [
    path("disputes", Disputes.as_view()),
    path("disputes/<str:dispute>", OneDispute.as_view()),
]
