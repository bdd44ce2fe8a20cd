"""Plans, their items and the versions of their prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Choice, Currency, Day, ModelBody, Quantity, Ref, Texts, Yes
from api.query import Filter, Order
from api.resources.details import AMOUNTS, Amounts, DetailsInput, DetailsOut, Least
from api.resources.products import READ, TEXTS, WRITE, ProductShape
from api.shapes import Computed, Id, Link, Number, Part, Shape, UnitAmount
from api.views import ResourceView, operation
from catalog.models import Meter, Plan, PlanItem, Price, Product, TermRules
from catalog.services import plans

RULES = tuple(field.name for field in TermRules._meta.get_fields())


def _selling(operator: str, value: Any) -> Q:
    products = value if operator == "in" else [value]
    return Q(pk__in=PlanItem.objects.filter(product__in=products, archived_at__isnull=True).values("plan"))


class PriceShape(Shape):
    """A version of a price in one currency. Amounts are per cycle of the plan."""

    id = Id("prc")
    unit_amount = UnitAmount(help_text="Price of one unit, or the flat price.")
    details = DetailsOut()
    minimum_amount = Least(lambda row, reading: row.currency, help_text="Least charge per cycle; null without one.")

    class Meta:
        model = Price
        fields = (
            "id",
            "version",
            "valid_from",
            "currency",
            "model",
            "unit_amount",
            "details",
            "minimum_amount",
            "tax_behavior",
            "billed",
            "is_prorated",
            "created_at",
        )


class PlanItemShape(Shape):
    """A product in a plan."""

    id = Id("pli")
    product = Link("prd", lambda: ProductShape, name="product")
    meter = Id("mtr", via="meter", allow_null=True, help_text="What counts usage.")
    quantity = Number("quantity", help_text="Usual number of units.")
    prices = Part(PriceShape, lambda row: row.prices.all(), many=True, help_text="Newest versions first.")

    class Meta:
        model = PlanItem
        fields = (
            "id", "product", "position", "kind", "meter", "is_optional", "quantity", "prices", "archived_at",
        )  # fmt: skip


class PlanShape(Shape):
    """A standard template that subscriptions are agreed from."""

    id = Id("pln")
    name = Computed(TEXTS, lambda row, reading: row.name, help_text="Name by language.")
    description = Computed(TEXTS, lambda row, reading: row.description, help_text="Text by language.")
    terms_text = Computed(TEXTS, lambda row, reading: row.terms_text, help_text="Contract terms by language.")
    items = Part(PlanItemShape, lambda row: row.items.all(), many=True)
    minimum_amounts = Computed(
        AMOUNTS, lambda row, reading: row.minimum_amounts, help_text="Least charge per cycle in all, by currency."
    )

    class Meta:
        model = Plan
        fields = (
            "id",
            "code",
            "status",
            "name",
            "description",
            "terms_text",
            "items",
            "trial_days",
            "trial_end",
            "trial_usage",
            "suspended_billing",
            "minimum_amounts",
            "customer_may_change",
            "customer_may_pause",
            "customer_may_cancel",
            "payment_terms_days",
            "payment_terms_from",
            *RULES,
            "external_id",
            "created_at",
        )


class PriceInput(ModelBody):
    """A version of a price."""

    currency = Currency(help_text="ISO 4217.")
    unit_amount = Amount(
        required=False, help_text="Price of one unit, or the flat price, per cycle; not needed with tiers or a rate."
    )
    valid_from = Day(required=False, help_text="First day new sales get it; today when left out.")
    details = DetailsInput(required=False, help_text="What the model needs beside the amount.")
    minimum_amount = Amount(required=False, allow_null=True, help_text="Least charge per cycle.")

    class Meta:
        model = Price
        fields = (
            "currency", "unit_amount", "valid_from", "model", "details", "minimum_amount", "billed", "is_prorated",
            "tax_behavior",
        )  # fmt: skip


class PlanItemInput(Body):
    """A product of a plan with its first prices, one per currency."""

    product = Ref(Product, help_text="What is sold.")
    kind = Choice(PlanItem.Kind.choices, required=False, help_text="recurring when left out; usage needs a meter.")
    meter = Ref(Meter, required=False, help_text="What counts the usage.")
    is_optional = Yes(required=False, help_text="An add-on: part of a subscription only when chosen.")
    quantity = Quantity(required=False, help_text="Usual number of units; 1 when left out.")
    prices = PriceInput(many=True, required=False, help_text="One per currency.")


class PlanChange(ModelBody):
    """What can be changed of a plan. It touches new sales only; what runs keeps what was agreed."""

    name = Texts(help_text="Name by language; the company's language is required.")
    description = Texts(required=False, help_text="Text by language.")
    terms_text = Texts(required=False, help_text="Contract terms by language.")
    minimum_amounts = Amounts(required=False, help_text="Least charge per cycle in all, by currency.")

    class Meta:
        model = Plan
        fields = (
            "code",
            "name",
            "description",
            "terms_text",
            "trial_days",
            "trial_end",
            "trial_usage",
            "suspended_billing",
            "minimum_amounts",
            "customer_may_change",
            "customer_may_pause",
            "customer_may_cancel",
            "payment_terms_days",
            "payment_terms_from",
            *RULES,
            "external_id",
        )


class PlanInput(PlanChange):
    """A new plan, in draft until it is published."""

    items = PlanItemInput(many=True, help_text="At least one.")

    class Meta(PlanChange.Meta):
        fields = (*PlanChange.Meta.fields, "items")


class PlanView(ResourceView):
    tag = "Catalog"
    places: ClassVar[dict[str, Any]] = {"plan": "pln", "item": "pli"}
    model, shape, order = Plan, PlanShape, Order()

    def rows(self) -> QuerySet[Any]:
        return super().rows().prefetch_related("items__product__tax_category", "items__meter", "items__prices")

    def price_spec(self, given: dict[str, Any]) -> plans.PriceSpec:
        return plans.PriceSpec(**{"valid_from": self.today, "unit_amount": Decimal(0), **given})

    def item_spec(self, given: dict[str, Any]) -> plans.PlanItemSpec:
        prices = [self.price_spec(price) for price in given.pop("prices", [])]
        return plans.PlanItemSpec(prices=prices, **given)

    def item(self, ref: str) -> PlanItem:
        found: PlanItem = self.of(PlanItem, ref)
        return found


class Plans(PlanView):
    @operation(
        "List plans",
        right=READ,
        answer=PlanShape,
        paged=True,
        expand=("product",),
        filters=[
            Filter("code", "text", help="Short name."),
            Filter("external_id", "text", help="Your own id."),
            Filter("status", "choice", choices=tuple(Plan.Status.values), help="Draft, on sale or retired."),
            Filter("product", "ref", model=Product, build=_selling, help="Plans that sell it."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a plan",
        right=WRITE,
        body=PlanInput,
        answer=PlanShape,
        status=201,
        refusals=["catalog.code_taken", "plan.tax_behavior_mixed"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        items = [self.item_spec(item) for item in given.pop("items")]
        rules = {name: given.pop(name) for name in RULES if name in given}
        made = plans.create_plan(company=self.company, items=items, rules=rules, by=self.by, at=self.at, **given)
        return self.fresh(made, 201)


class OnePlan(PlanView):
    @operation("Get a plan", right=READ, answer=PlanShape, expand=("product",))
    def get(self, request: Request, plan: str) -> HttpResponse:
        return self.one(self.find(plan))

    @operation("Change a plan", right=WRITE, body=PlanChange, answer=PlanShape)
    def patch(self, request: Request, given: dict[str, Any], plan: str) -> HttpResponse:
        return self.fresh(plans.update_plan(plan=self.find(plan), changes=given, by=self.by, at=self.at))


class PublishPlan(PlanView):
    @operation(
        "Publish a plan",
        right=WRITE,
        answer=PlanShape,
        description="Puts it on sale. Every item needs a price in at least one common currency.",
        refusals=["plan.without_price"],
    )
    def post(self, request: Request, plan: str) -> HttpResponse:
        return self.fresh(plans.publish_plan(plan=self.find(plan), by=self.by, at=self.at))


class RetirePlan(PlanView):
    @operation("Retire a plan", right=WRITE, answer=PlanShape, description="Takes it off sale; what runs goes on.")
    def post(self, request: Request, plan: str) -> HttpResponse:
        return self.fresh(plans.retire_plan(plan=self.find(plan), by=self.by, at=self.at))


class PlanItems(PlanView):
    @operation("Add an item to a plan", right=WRITE, body=PlanItemInput, answer=PlanShape)
    def post(self, request: Request, given: dict[str, Any], plan: str) -> HttpResponse:
        row = self.find(plan)
        plans.add_item(plan=row, spec=self.item_spec(given), by=self.by, at=self.at)
        return self.fresh(row)


class ArchivePlanItem(PlanView):
    @operation(
        "Archive an item of a plan",
        right=WRITE,
        answer=PlanShape,
        description="Takes the product out of new sales of the plan.",
    )
    def post(self, request: Request, item: str) -> HttpResponse:
        return self.fresh(plans.archive_item(item=self.item(item), by=self.by, at=self.at).plan)


class PlanItemPrices(PlanView):
    @operation(
        "Add a price version",
        right=WRITE,
        body=PriceInput,
        answer=PlanShape,
        description="The next version in that currency. A sold price never changes; new sales get this one.",
        refusals=["plan.tax_behavior_mixed"],
    )
    def post(self, request: Request, given: dict[str, Any], item: str) -> HttpResponse:
        row = self.item(item)
        plans.add_price_version(item=row, spec=self.price_spec(given), by=self.by, at=self.at)
        return self.fresh(row.plan)


urlpatterns = [
    path("plans", Plans.as_view()),
    path("plans/<str:plan>", OnePlan.as_view()),
    path("plans/<str:plan>/publish", PublishPlan.as_view()),
    path("plans/<str:plan>/retire", RetirePlan.as_view()),
    path("plans/<str:plan>/items", PlanItems.as_view()),
    path("plan-items/<str:item>/archive", ArchivePlanItem.as_view()),
    path("plan-items/<str:item>/prices", PlanItemPrices.as_view()),
]
