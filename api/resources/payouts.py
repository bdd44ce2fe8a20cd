"""Files of bank transfers that pay refunds out: made, fetched again, taken apart.

The rule that matters: a refund stands in one file at most; it is paid out when the bank's statement says so.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Refs
from api.query import Order
from api.resources.bank import BankFileShape
from api.resources.payments import RefundShape
from api.shapes import Computed, Id, Part, Shape
from api.views import ResourceView, operation
from billing.models import Refund
from billing.services import payouts
from core.models import StoredFile
from core.refusal import Refused

READ, WRITE = "payment.read", "payment.write"


class PayoutFileShape(Shape):
    """Transfers that pay refunds out, in one file for the bank, in euro (pain.001)."""

    id = Id("fil")
    message_id = Computed({"type": "string"}, lambda row, reading: payouts.message_id_of(row))
    refunds = Part(
        RefundShape,
        lambda row: payouts.refunds_in(row),
        many=True,
        name="refunds",
        only_expanded=True,
        help_text="What it pays out; none: taken apart. Null in lists.",
    )

    class Meta:
        model = StoredFile
        fields = ("id", "message_id", "refunds", "created_at")


class PayoutFileInput(Body):
    """Which refunds."""

    refunds = Refs(Refund, required=False, help_text="Left out: all that wait to be paid out by hand, in euro.")


class PayoutView(ResourceView):
    tag = "Bank"
    places: ClassVar[dict[str, Any]] = {"file": "fil"}
    model, shape, order = StoredFile, PayoutFileShape, Order("created_at")
    shown_alone = frozenset({"refunds"})

    def rows(self) -> QuerySet[Any]:
        return payouts.files_of(self.company)


class PayoutFiles(PayoutView):
    @operation("List pay-out files", right=READ, answer=PayoutFileShape, paged=True)
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Make a pay-out file", right=WRITE, body=PayoutFileInput, answer=PayoutFileShape, status=201,
        description="Transfers that pay refunds out on the first banking day; from then on they are sent.",
        refusals=["refund.not_payable", "refund.no_account", "gateway.account_missing"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        refunds = given["refunds"] if "refunds" in given else payouts.waiting(self.company)
        if not refunds:
            raise Refused("refund.not_payable", field="refunds")
        made = payouts.payout_file(company=self.company, refunds=refunds, on=self.today, by=self.by, at=self.at)
        return self.fresh(made, 201)


class OnePayoutFile(PayoutView):
    @operation("Get a pay-out file", right=READ, answer=PayoutFileShape)
    def get(self, request: Request, file: str) -> HttpResponse:
        return self.one(self.find(file))


class PayoutFileContent(PayoutView):
    @operation("Get the content of a pay-out file", right=WRITE, answer=BankFileShape)
    def get(self, request: Request, file: str) -> HttpResponse:
        return self.shaped(BankFileShape, self.find(file))


class TakeApart(PayoutView):
    @operation(
        "Take a pay-out file apart", right=WRITE, answer=PayoutFileShape,
        description="It was not given to the bank: what of it isn't paid out waits again.",
    )  # fmt: skip
    def post(self, request: Request, file: str) -> HttpResponse:
        row = self.find(file)
        payouts.take_out(company=self.company, message_id=payouts.message_id_of(row), by=self.by, at=self.at)
        return self.fresh(row)


urlpatterns = [
    path("payout-files", PayoutFiles.as_view()),
    path("payout-files/<str:file>", OnePayoutFile.as_view()),
    path("payout-files/<str:file>/file", PayoutFileContent.as_view()),
    path("payout-files/<str:file>/take-apart", TakeApart.as_view()),
]
