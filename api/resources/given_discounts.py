"""Discounts on a subscription: given, redeemed by code, ended, each with its preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from rest_framework.request import Request

from api.fields import Day, Ref, Text
from api.query import Filter, Order
from api.resources.acting import on_subscription, twins
from api.resources.discounts import amount_off, percent_text
from api.resources.previews import TokenInput
from api.resources.subscriptions import READ as READ_SUBSCRIPTION
from api.resources.subscriptions import SubscriptionView
from api.shapes import Computed, Id, Shape, Sum, amount_text
from api.views import operation
from billing.services import acts_discounting
from billing.services.acting import ActResult
from catalog.models import Discount
from subscriptions.models import AgreedDiscount

GIVE = "subscription.change"


def _left(row: AgreedDiscount) -> str | None:
    return None if row.left_minor is None else amount_text(row.left_minor, row.currency)


class AgreedDiscountShape(Shape):
    """A discount given to a subscription, with what is left of it."""

    id = Id("agd")
    subscription = Id("sub", via="subscription", help_text="Whose charges.")
    discount = Id("dsc", via="discount", allow_null=True, help_text="Its template.")
    code = Computed(
        {"type": "string"},
        lambda row, reading: row.code.code if row.code is not None else None,
        allow_null=True,
        help_text="The code entered.",
    )
    percent = Computed(Sum.SCHEMA, lambda row, reading: percent_text(row), allow_null=True, help_text="Percent off.")
    amount = Computed(Sum.SCHEMA, lambda row, reading: amount_off(row), allow_null=True, help_text="Off a period.")
    left = Computed(
        Sum.SCHEMA, lambda row, reading: _left(row), allow_null=True, help_text="What is left of an amount given once."
    )

    class Meta:
        model = AgreedDiscount
        fields = (
            "id", "subscription", "discount", "code", "name", "percent", "amount", "currency", "duration", "periods",
            "periods_left", "left", "scope", "from_on", "until_on", "ended_at", "created_at",
        )  # fmt: skip


class GiveInput(TokenInput):
    """Which discount."""

    discount = Ref(Discount, help_text="Which.")
    from_on = Day(required=False, help_text="Periods from this day on take it; today when left out.")


class RedeemInput(TokenInput):
    """The code, in any case."""

    code = Text(max_length=40, help_text="What the customer was given.")


def _ended(view: SubscriptionView, ids: dict[str, str], given: dict[str, Any]) -> Callable[[], ActResult]:
    rows = AgreedDiscount.objects.filter(company=view.company, subscription=view.find(ids["subscription"]))
    row = AgreedDiscount.by_ref(rows.select_related("subscription", "code"), ids["agreed_discount"])
    return lambda: acts_discounting.end(agreed=row, by=view.by, at=view.at, **given)


class GivenDiscounts(SubscriptionView):
    @operation(
        "List a subscription's discounts",
        right=READ_SUBSCRIPTION,
        answer=AgreedDiscountShape,
        paged=True,
        filters=[
            Filter("live", "yes", build=lambda _, value: Q(ended_at__isnull=value), help="Neither used up nor ended."),
        ],
    )
    def get(self, request: Request, subscription: str) -> HttpResponse:
        rows = AgreedDiscount.objects.filter(company=self.company, subscription=self.find(subscription))
        return self.listed(rows.select_related("subscription", "discount", "code"), AgreedDiscountShape, Order())


GIVEN = "subscriptions/<str:subscription>/discounts"
urlpatterns = [
    *twins(
        GIVEN, on_subscription(acts_discounting.give), "Give a discount to a subscription", GiveInput, right=GIVE,
        description="Periods from today on take it; what is billed stands.", base=GivenDiscounts,
        refusals=("discount.given_already", "discount.covers_nothing", "discount.currency"),
    ),
    *twins(
        f"{GIVEN}/<str:agreed_discount>/end", _ended, "End a subscription's discount", TokenInput, right=GIVE,
        description="Periods that begin from today on no longer take it; what is billed stands.",
        refusals=("discount.over",),
    ),
    *twins(
        "subscriptions/<str:subscription>/redeem", on_subscription(acts_discounting.redeem), "Redeem an offer code",
        RedeemInput, right=GIVE, description="Gives the subscription what the code stands for, and counts the use.",
        refusals=("offer_code.unknown", "offer_code.expired", "offer_code.used_up"),
    ),
]  # fmt: skip
