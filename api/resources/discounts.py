"""Discounts, offer codes and campaigns; what is given to a subscription, each act with its preview."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Currency, Day, ModelBody, Ref, Text, Texts, minor_of
from api.query import Filter, Order, archived
from api.resources.previews import PreviewShape
from api.resources.subscriptions import READ as READ_SUBSCRIPTION
from api.resources.subscriptions import SubscriptionShape, SubscriptionView
from api.shapes import Computed, Id, Shape, Sum, amount_text, compiled, number_text
from api.views import ResourceView, operation
from billing.services import acts_discounting
from billing.services.acts import ActResult
from catalog.models import Campaign, Discount, OfferCode, Price, Product
from catalog.services import discounts
from subscriptions.models import AgreedDiscount, Subscription

READ, WRITE, GIVE = "catalog.read", "catalog.write", "subscription.change"
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
TOKEN = "Of the preview; refused when figures differ now."  # noqa: S105  words about it


def _percent(row: Discount | AgreedDiscount) -> str | None:
    return None if row.percent is None else number_text(row.percent)


def _amount(row: Discount | AgreedDiscount) -> str | None:
    return None if row.amount_minor is None else amount_text(row.amount_minor, row.currency)


def _left(row: AgreedDiscount) -> str | None:
    return None if row.left_minor is None else amount_text(row.left_minor, row.currency)


class CampaignShape(Shape):
    """A name under which the effect of discounts is watched."""

    id = Id("cmp")

    class Meta:
        model = Campaign
        fields = ("id", "code", "name", "archived_at")


class DiscountShape(Shape):
    """A discount that can be given to subscriptions. Only its name changes."""

    id = Id("dsc")
    name = Computed(TEXTS, lambda row, reading: row.name, help_text="Name by language, printed on documents.")
    percent = Computed(Sum.SCHEMA, lambda row, reading: _percent(row), allow_null=True, help_text="Percent off.")
    amount = Computed(Sum.SCHEMA, lambda row, reading: _amount(row), allow_null=True, help_text="Off a period.")
    product = Id("prd", via="product", allow_null=True, help_text="The product it covers.")
    price = Id("prc", via="price", allow_null=True, help_text="The price it covers.")
    campaign = Id("cmp", via="campaign", allow_null=True, help_text="Whose effect it shows.")

    class Meta:
        model = Discount
        fields = (
            "id", "code", "name", "percent", "amount", "currency", "duration", "periods", "scope", "product", "price",
            "campaign", "archived_at",
        )  # fmt: skip


class OfferCodeShape(Shape):
    """A code that gives a discount, within its limits."""

    id = Id("ofc")
    discount = Id("dsc", via="discount", help_text="What it gives.")

    class Meta:
        model = OfferCode
        fields = (
            "id", "discount", "code", "valid_from", "valid_until", "total_limit", "customer_limit", "first_time_only",
            "use_count", "archived_at",
        )  # fmt: skip


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
    percent = Computed(Sum.SCHEMA, lambda row, reading: _percent(row), allow_null=True, help_text="Percent off.")
    amount = Computed(Sum.SCHEMA, lambda row, reading: _amount(row), allow_null=True, help_text="Off a period.")
    left = Computed(
        Sum.SCHEMA, lambda row, reading: _left(row), allow_null=True, help_text="What is left of an amount given once."
    )

    class Meta:
        model = AgreedDiscount
        fields = (
            "id", "subscription", "discount", "code", "name", "percent", "amount", "currency", "duration", "periods",
            "periods_left", "left", "scope", "from_on", "until_on", "ended_at", "created_at",
        )  # fmt: skip


class CampaignInput(ModelBody):
    """A campaign."""

    class Meta:
        model = Campaign
        fields = ("code", "name")


class DiscountInput(ModelBody):
    """A discount: a percent, or an amount with its currency."""

    name = Texts(help_text="Name by language; the company's language is required.")
    percent = Amount(required=False, help_text="Percent off, above 0 and up to 100; or an amount.")
    amount = Amount(required=False, help_text="Amount off a period; or a percent.")
    currency = Currency(required=False, help_text="Of the amount.")
    product = Ref(Product, required=False, help_text="With scope product: which.")
    price = Ref(Price, required=False, help_text="With scope price: which.")
    campaign = Ref(Campaign, required=False, help_text="Whose effect it shows.")

    class Meta:
        model = Discount
        fields = (
            "code", "name", "percent", "amount", "currency", "duration", "periods", "scope", "product", "price",
            "campaign",
        )  # fmt: skip


class DiscountChange(Body):
    """What may change of a discount: its name."""

    name = Texts(help_text="Name by language; the company's language is required.")


class OfferCodeInput(ModelBody):
    """A code for a discount."""

    discount = Ref(Discount, help_text="What it gives.")

    class Meta:
        model = OfferCode
        fields = (
            "discount", "code", "valid_from", "valid_until", "total_limit", "customer_limit", "first_time_only",
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


# Campaigns ------------------------------------------------------------------------------------------------------------


class CampaignView(ResourceView):
    tag = "Catalog"
    places: ClassVar[dict[str, Any]] = {"campaign": "cmp"}
    model, shape = Campaign, CampaignShape


class Campaigns(CampaignView):
    @operation(
        "List campaigns",
        right=READ,
        answer=CampaignShape,
        paged=True,
        filters=[
            Filter("code", "text", help="Short name."),
            Filter("archived", "yes", build=archived, help="Hidden or not."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a campaign",
        right=WRITE,
        body=CampaignInput,
        answer=CampaignShape,
        status=201,
        refusals=["catalog.code_taken"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(discounts.create_campaign(company=self.company, by=self.by, at=self.at, **given), 201)


class OneCampaign(CampaignView):
    @operation("Get a campaign", right=READ, answer=CampaignShape)
    def get(self, request: Request, campaign: str) -> HttpResponse:
        return self.one(self.find(campaign))


class ArchiveCampaign(CampaignView):
    @operation("Archive a campaign", right=WRITE, answer=CampaignShape, description="Its discounts stay as they are.")
    def post(self, request: Request, campaign: str) -> HttpResponse:
        return self.fresh(discounts.archive_campaign(campaign=self.find(campaign), by=self.by, at=self.at))


# Discounts ------------------------------------------------------------------------------------------------------------


class DiscountView(ResourceView):
    tag = "Catalog"
    places: ClassVar[dict[str, Any]] = {"discount": "dsc"}
    model, shape = Discount, DiscountShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("product", "price", "campaign")


class Discounts(DiscountView):
    @operation(
        "List discounts",
        right=READ,
        answer=DiscountShape,
        paged=True,
        filters=[
            Filter("code", "text", help="Short name."),
            Filter("campaign", "ref", model=Campaign, help="Whose effect it shows."),
            Filter("archived", "yes", build=archived, help="No longer given or not."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a discount",
        right=WRITE,
        body=DiscountInput,
        answer=DiscountShape,
        status=201,
        refusals=["discount.percent_or_amount", "discount.periods", "discount.target", "catalog.code_taken"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        values = dict(given)
        amount: Decimal | None = values.pop("amount", None)
        if amount is not None:
            values["amount_minor"] = minor_of(amount, values.get("currency") or self.company.currency)
            values.setdefault("currency", self.company.currency)
        return self.fresh(discounts.create_discount(company=self.company, by=self.by, at=self.at, **values), 201)


class OneDiscount(DiscountView):
    @operation("Get a discount", right=READ, answer=DiscountShape)
    def get(self, request: Request, discount: str) -> HttpResponse:
        return self.one(self.find(discount))

    @operation(
        "Rename a discount",
        right=WRITE,
        body=DiscountChange,
        answer=DiscountShape,
        description="For what is given from now on; what was given keeps its name.",
    )
    def patch(self, request: Request, given: dict[str, Any], discount: str) -> HttpResponse:
        row = self.find(discount)
        if "name" not in given:
            return self.fresh(row)
        return self.fresh(discounts.rename_discount(discount=row, name=given["name"], by=self.by, at=self.at))


class ArchiveDiscount(DiscountView):
    @operation(
        "Archive a discount",
        right=WRITE,
        answer=DiscountShape,
        description="It is no longer given, by hand or by code; what was given runs on.",
    )
    def post(self, request: Request, discount: str) -> HttpResponse:
        return self.fresh(discounts.archive_discount(discount=self.find(discount), by=self.by, at=self.at))


# Codes ----------------------------------------------------------------------------------------------------------------


class OfferCodeView(ResourceView):
    tag = "Catalog"
    places: ClassVar[dict[str, Any]] = {"offer_code": "ofc"}
    model, shape = OfferCode, OfferCodeShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("discount")


class OfferCodes(OfferCodeView):
    @operation(
        "List offer codes",
        right=READ,
        answer=OfferCodeShape,
        paged=True,
        filters=[
            Filter("code", "text", help="As customers enter it, in upper case."),
            Filter("discount", "ref", model=Discount, help="What it gives."),
            Filter("archived", "yes", build=archived, help="Refused or not."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create an offer code",
        right=WRITE,
        body=OfferCodeInput,
        answer=OfferCodeShape,
        status=201,
        refusals=["discount.archived", "offer_code.days", "catalog.code_taken"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(discounts.create_code(by=self.by, at=self.at, **given), 201)


class OneOfferCode(OfferCodeView):
    @operation("Get an offer code", right=READ, answer=OfferCodeShape)
    def get(self, request: Request, offer_code: str) -> HttpResponse:
        return self.one(self.find(offer_code))


class ArchiveOfferCode(OfferCodeView):
    @operation(
        "Archive an offer code", right=WRITE, answer=OfferCodeShape, description="Refused from now on; uses run on."
    )
    def post(self, request: Request, offer_code: str) -> HttpResponse:
        return self.fresh(discounts.archive_code(code=self.find(offer_code), by=self.by, at=self.at))


# On a subscription ----------------------------------------------------------------------------------------------------


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
    path("campaigns", Campaigns.as_view()),
    path("campaigns/<str:campaign>", OneCampaign.as_view()),
    path("campaigns/<str:campaign>/archive", ArchiveCampaign.as_view()),
    path("discounts", Discounts.as_view()),
    path("discounts/<str:discount>", OneDiscount.as_view()),
    path("discounts/<str:discount>/archive", ArchiveDiscount.as_view()),
    path("offer-codes", OfferCodes.as_view()),
    path("offer-codes/<str:offer_code>", OneOfferCode.as_view()),
    path("offer-codes/<str:offer_code>/archive", ArchiveOfferCode.as_view()),
    path(GIVEN, GivenDiscounts.as_view()),
    path(f"{GIVEN}/preview", PreviewGive.as_view()),
    path(f"{GIVEN}/<str:agreed_discount>/end", EndDiscount.as_view()),
    path(f"{GIVEN}/<str:agreed_discount>/end/preview", PreviewEnd.as_view()),
    path("subscriptions/<str:subscription>/redeem", RedeemCode.as_view()),
    path("subscriptions/<str:subscription>/redeem/preview", PreviewRedeem.as_view()),
]
