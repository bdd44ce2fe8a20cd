"""Discounts on a subscription: given, redeemed by code, ended, each with its preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Q
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Day, Ref, Text
from api.query import Filter, Order
from api.resources.discounts import amount_off, percent_text
from api.resources.previews import PreviewShape
from api.resources.subscriptions import READ as READ_SUBSCRIPTION
from api.resources.subscriptions import SubscriptionShape, SubscriptionView
from api.shapes import Computed, Id, Shape, Sum, amount_text, compiled
from api.views import operation
from billing.services import acts_discounting
from billing.services.acting import ActResult
from catalog.models import Discount
from subscriptions.models import AgreedDiscount, Subscription

GIVE = "subscription.change"
TOKEN = "Of the preview; refused when figures differ now."  # noqa: S105  words about it


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


class GiveInput(Body):
    """Which discount."""

    discount = Ref(Discount, help_text="Which.")
    from_on = Day(required=False, help_text="Periods from this day on take it; today when left out.")
    preview_token = Text(required=False, max_length=100, help_text=TOKEN)


class RedeemInput(Body):
    """The code, in any case."""

    code = Text(max_length=40, help_text="What the customer was given.")
    preview_token = Text(required=False, max_length=100, help_text=TOKEN)


class EndDiscountInput(Body):
    """Nothing is needed."""

    preview_token = Text(required=False, max_length=100, help_text=TOKEN)


class GivenView(SubscriptionView):
    """Acts on a subscription's discounts."""

    places: ClassVar[dict[str, Any]] = {"subscription": "sub", "agreed_discount": "agd"}

    def give(self, row: Subscription, given: dict[str, Any]) -> ActResult:
        return acts_discounting.give(subscription=row, by=self.by, at=self.at, **given)

    def redeem(self, row: Subscription, given: dict[str, Any]) -> ActResult:
        return acts_discounting.redeem(subscription=row, by=self.by, at=self.at, **given)

    def ending(self, subscription: str, agreed_discount: str, given: dict[str, Any]) -> Callable[[], ActResult]:
        rows = AgreedDiscount.objects.filter(company=self.company, subscription=self.find(subscription))
        row = AgreedDiscount.by_ref(rows.select_related("subscription", "code"), agreed_discount)
        return lambda: acts_discounting.end(agreed=row, by=self.by, at=self.at, **given)


class GivenDiscounts(GivenView):
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
        order, read, reading = Order(), compiled(AgreedDiscountShape), self.reading()
        found, more = order.page(rows.select_related("subscription", "discount", "code"), self.asked)
        data = [read(row, reading) for row in found]
        return self.answer({"data": data, "has_more": more, "next": order.token(found[-1]) if more else None})

    @operation(
        "Give a discount to a subscription",
        right=GIVE,
        body=GiveInput,
        answer=SubscriptionShape,
        description="Periods from today on take it; what is billed stands.",
        refusals=["discount.given_already", "discount.covers_nothing", "discount.currency", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], subscription: str) -> HttpResponse:
        return self.done(self.give(self.find(subscription), given))


class PreviewGive(GivenView):
    @operation("Preview giving a discount", right=GIVE, body=GiveInput, answer=PreviewShape)
    def post(self, request: Request, given: dict[str, Any], subscription: str) -> HttpResponse:
        row = self.find(subscription)
        given.pop("preview_token", None)
        return self.seen(lambda: self.give(row, given))


class RedeemCode(GivenView):
    @operation(
        "Redeem an offer code",
        right=GIVE,
        body=RedeemInput,
        answer=SubscriptionShape,
        description="Gives the subscription what the code stands for, and counts the use.",
        refusals=["offer_code.unknown", "offer_code.expired", "offer_code.used_up", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], subscription: str) -> HttpResponse:
        return self.done(self.redeem(self.find(subscription), given))


class PreviewRedeem(GivenView):
    @operation("Preview redeeming an offer code", right=GIVE, body=RedeemInput, answer=PreviewShape)
    def post(self, request: Request, given: dict[str, Any], subscription: str) -> HttpResponse:
        row = self.find(subscription)
        given.pop("preview_token", None)
        return self.seen(lambda: self.redeem(row, given))


class EndDiscount(GivenView):
    @operation(
        "End a subscription's discount",
        right=GIVE,
        body=EndDiscountInput,
        answer=SubscriptionShape,
        description="Periods that begin from today on no longer take it; what is billed stands.",
        refusals=["discount.over", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], subscription: str, agreed_discount: str) -> HttpResponse:
        return self.done(self.ending(subscription, agreed_discount, given)())


class PreviewEnd(GivenView):
    @operation("Preview ending a discount", right=GIVE, body=EndDiscountInput, answer=PreviewShape)
    def post(self, request: Request, given: dict[str, Any], subscription: str, agreed_discount: str) -> HttpResponse:
        given.pop("preview_token", None)
        return self.seen(self.ending(subscription, agreed_discount, given))


GIVEN = "subscriptions/<str:subscription>/discounts"
urlpatterns = [
    path(GIVEN, GivenDiscounts.as_view()),
    path(f"{GIVEN}/preview", PreviewGive.as_view()),
    path(f"{GIVEN}/<str:agreed_discount>/end", EndDiscount.as_view()),
    path(f"{GIVEN}/<str:agreed_discount>/end/preview", PreviewEnd.as_view()),
    path("subscriptions/<str:subscription>/redeem", RedeemCode.as_view()),
    path("subscriptions/<str:subscription>/redeem/preview", PreviewRedeem.as_view()),
]
