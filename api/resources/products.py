"""Products and services that can be sold."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Coded, ModelBody, Texts
from api.query import Filter, archived
from api.shapes import Computed, Id, Shape
from api.views import ResourceView, operation
from catalog.models import Product, TaxCategory
from catalog.services import products

READ, WRITE = "catalog.read", "catalog.write"
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


class ProductShape(Shape):
    """A product or service."""

    id = Id("prd")
    name = Computed(TEXTS, lambda row, reading: row.name, help_text="Name by language.")
    description = Computed(TEXTS, lambda row, reading: row.description, help_text="Text by language.")
    unit_name = Computed(TEXTS, lambda row, reading: row.unit_name, help_text="What one is called, by language.")
    tax_category = Computed({"type": "string"}, lambda row, reading: row.tax_category.code, help_text="Code.")

    class Meta:
        model = Product
        fields = (
            "id",
            "code",
            "kind",
            "name",
            "description",
            "unit_name",
            "tax_category",
            "revenue_account",
            "external_id",
            "archived_at",
        )


class ProductInput(ModelBody):
    """A product or service."""

    name = Texts(help_text="Name by language; the company's language is required.")
    description = Texts(required=False, help_text="Text by language.")
    unit_name = Texts(required=False, help_text="What one is called, by language, such as seat.")
    tax_category = Coded(TaxCategory, help_text="Code of a tax category, such as standard-electronic.")

    class Meta:
        model = Product
        fields = (
            "code",
            "kind",
            "name",
            "description",
            "unit_name",
            "tax_category",
            "revenue_account",
            "external_id",
        )


class ProductView(ResourceView):
    tag = "Catalog"
    places: ClassVar[dict[str, Any]] = {"product": "prd"}
    model, shape = Product, ProductShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("tax_category")


class Products(ProductView):
    @operation(
        "List products",
        right=READ,
        answer=ProductShape,
        paged=True,
        filters=[
            Filter("code", "text", help="Short name."),
            Filter("external_id", "text", help="Your own id."),
            Filter("kind", "choice", choices=tuple(Product.Kind.values), help="Service or goods."),
            Filter("archived", "yes", build=archived, help="Hidden from new sales or not."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a product",
        right=WRITE,
        body=ProductInput,
        answer=ProductShape,
        status=201,
        refusals=["catalog.code_taken", "catalog.external_id_taken"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(products.create_product(company=self.company, by=self.by, at=self.at, **given), 201)


class OneProduct(ProductView):
    @operation("Get a product", right=READ, answer=ProductShape)
    def get(self, request: Request, product: str) -> HttpResponse:
        return self.one(self.find(product))

    @operation("Change a product", right=WRITE, body=ProductInput, answer=ProductShape)
    def patch(self, request: Request, given: dict[str, Any], product: str) -> HttpResponse:
        row = self.find(product)
        return self.fresh(products.update_product(product=row, changes=given, by=self.by, at=self.at))


class ArchiveProduct(ProductView):
    @operation(
        "Archive a product",
        right=WRITE,
        answer=ProductShape,
        description="Hides it from new sales. Running subscriptions keep it.",
        refusals=["product.on_sale"],
    )
    def post(self, request: Request, product: str) -> HttpResponse:
        return self.fresh(products.archive_product(product=self.find(product), by=self.by, at=self.at))


class RestoreProduct(ProductView):
    @operation("Restore a product", right=WRITE, answer=ProductShape)
    def post(self, request: Request, product: str) -> HttpResponse:
        return self.fresh(products.restore_product(product=self.find(product), by=self.by, at=self.at))


urlpatterns = [
    path("products", Products.as_view()),
    path("products/<str:product>", OneProduct.as_view()),
    path("products/<str:product>/archive", ArchiveProduct.as_view()),
    path("products/<str:product>/restore", RestoreProduct.as_view()),
]
