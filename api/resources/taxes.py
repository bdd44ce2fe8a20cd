"""Tax categories of products and the dated table of rates."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Day, ModelBody
from api.problems import Problem
from api.query import Filter, Order
from api.shapes import Computed, Number, Shape
from api.views import ResourceView, operation
from catalog.models import TaxCategory, TaxRate
from catalog.services import taxes

READ, WRITE = "catalog.read", "catalog.write"


def rate_id(rate: TaxRate) -> str:
    """Rates have no id of their own; what they are for names them."""
    return f"{rate.country}.{rate.region}.{rate.level}.{rate.valid_from}"


class TaxCategoryShape(Shape):
    """What kind of supply a product is; decides where and at which level it is taxed."""

    id = Computed({"type": "string"}, lambda row, reading: row.code, help_text="Its code.")

    class Meta:
        model = TaxCategory
        fields = ("id", "code", "name", "supply", "level")


class TaxRateShape(Shape):
    """A country's or region's rate for one level, from a day on."""

    id = Computed({"type": "string"}, lambda row, reading: rate_id(row))
    percent = Number("percent", help_text="Such as 19 or 5.5.")

    class Meta:
        model = TaxRate
        fields = ("id", "country", "region", "level", "percent", "valid_from", "source")


class TaxRateInput(ModelBody):
    """A rate from a day on."""

    percent = Amount(help_text="Such as 19 or 5.5.")
    valid_from = Day(help_text="First day it holds.")

    class Meta:
        model = TaxRate
        fields = ("country", "region", "level", "percent", "valid_from", "source")


class ByCode(Order):
    """Pages of rows that are known by their code."""

    def token(self, row: Any) -> str:
        return str(row.code)

    def seen(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        return rows.filter(code=after[:200])


class ByNature(Order):
    """Pages of tax rates."""

    def token(self, row: Any) -> str:
        return rate_id(row)

    def seen(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        parts = after.split(".")
        try:
            country, region, level, day = parts
            valid_from = date.fromisoformat(day)
        except ValueError:
            raise Problem.parameter("after", "invalid_ref") from None
        return rows.filter(country=country[:9], region=region[:20], level=level[:20], valid_from=valid_from)


class TaxCategories(ResourceView):
    tag = "Catalog"
    model, shape, order = TaxCategory, TaxCategoryShape, ByCode()

    @operation("List tax categories", right=READ, answer=TaxCategoryShape, paged=True)
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class TaxRates(ResourceView):
    tag = "Catalog"
    model, shape, order = TaxRate, TaxRateShape, ByNature()

    @operation(
        "List tax rates",
        right=READ,
        answer=TaxRateShape,
        paged=True,
        filters=[
            Filter("country", "text", help="ISO 3166 code."),
            Filter("level", "choice", choices=tuple(TaxCategory.Level.values), help="Which kind of rate."),
            Filter("valid_from", "day", help="First day it holds."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Set a tax rate",
        right=WRITE,
        body=TaxRateInput,
        answer=TaxRateShape,
        status=201,
        description="A rate from a day on. A row of that very day is never rewritten.",
        refusals=["tax_rate.exists"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        values = {"region": "", "source": "", **given}
        return self.one(taxes.set_rate(company=self.company, by=self.by, at=self.at, **values), 201)


urlpatterns = [
    path("tax-categories", TaxCategories.as_view()),
    path("tax-rates", TaxRates.as_view()),
]
