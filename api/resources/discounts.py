"""Discounts as templates, the codes that give them, and campaigns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Currency, ModelBody, Ref, Texts, minor_of
from api.query import Filter, archived
from api.shapes import Computed, Id, Shape, Sum, amount_text, number_text
from api.views import ResourceView, operation
from catalog.models import Campaign, Discount, DiscountRules, OfferCode, Price, Product
from catalog.services import discounts

READ, WRITE = "catalog.read", "catalog.write"
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def percent_text(row: DiscountRules) -> str | None:
    """The percent off, or nothing where it is an amount."""
    return None if row.percent is None else number_text(row.percent)


def amount_off(row: DiscountRules) -> str | None:
    """The amount off, or nothing where it is a percent."""
    return None if row.amount_minor is None else amount_text(row.amount_minor, row.currency)


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
    percent = Computed(Sum.SCHEMA, lambda row, reading: percent_text(row), allow_null=True, help_text="Percent off.")
    amount = Computed(Sum.SCHEMA, lambda row, reading: amount_off(row), allow_null=True, help_text="Off a period.")
    product = Id("prd", via="product", allow_null=True, help_text="The product it covers.")
    price = Id("prc", via="price", allow_null=True, help_text="The price it covers.")
    campaign = Id("cmp", via="campaign", allow_null=True, help_text="The campaign it counts towards.")

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
    campaign = Ref(Campaign, required=False, help_text="The campaign it counts towards.")

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
            Filter("campaign", "ref", model=Campaign, help="The campaign it counts towards."),
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
]
