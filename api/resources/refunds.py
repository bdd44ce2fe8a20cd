"""Giving a payment back, whole or in part: through the gateway that took it, or by hand."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse

from api.fields import Amount, Text, Yes, minor_of
from api.resources.payments import RefundShape, RefundView
from api.resources.previews import TokenInput
from api.resources.trials import MoneyAct, Plan, act
from billing.models import Payment, Refund
from billing.services import refunding


class GiveBackInput(TokenInput):
    """How much and why."""

    amount = Amount(help_text="How much.")
    reason = Text(max_length=500, help_text="Why.")
    by_hand = Yes(required=False, help_text="Paid out by hand, although its gateway could.")


class GiveBack(RefundView, MoneyAct):
    places: ClassVar[dict[str, Any]] = {"payment": "pay"}

    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        rows = Payment.objects.filter(company=self.company).select_related("customer__company", "company", "gateway")
        row = Payment.by_ref(rows, ids["payment"])
        minor = minor_of(given["amount"], row.currency)
        values = {"reason": given["reason"], "by_hand": given.get("by_hand", False)}

        def give_back() -> Refund:
            return refunding.give_back(payment=row, amount_minor=minor, by=self.by, at=self.at, **values)

        return give_back, row.customer, row.currency

    def shown(self, result: Refund) -> HttpResponse:
        response = self.fresh(result, 201)
        response["Location"] = f"/api/v1/refunds/{result.ref}"
        return response


urlpatterns = act(
    "payments/<str:payment>/refund",
    GiveBack,
    "Refund a payment",
    right="payment.write",
    body=GiveBackInput,
    answer=RefundShape,
    status=201,
    description="Out of the payer's account credit; what the payment paid is credited first. The provider is asked in "
    "a moment: read the refund's status.",
    refusals=["refund.above_payment", "payment.not_settled", "credit.too_little"],
)
