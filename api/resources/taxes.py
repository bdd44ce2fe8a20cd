"""Tax categories of products and the dated table of rates."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Amount, Body, Day, ModelBody, Text
from api.problems import Problem
from api.query import Filter, Order
from api.resources.previews import TokenInput
from api.shapes import Computed, Number, Part, PlainShape, Shape, amount_text, number_text
from api.views import ApiView, ResourceView, operation
from billing.models import Invoice
from billing.services import rate_corrections
from catalog.models import TaxCategory, TaxRate
from catalog.services import taxes

READ, WRITE = "catalog.read", "catalog.write"
#: Touched lines one answer names.
MOST_LINES = 1000


class TaxCategoryShape(Shape):
    """What kind of supply a product is; decides where and at which level it is taxed."""

    id = Computed({"type": "string"}, lambda row, reading: row.code, help_text="Its code.")

    class Meta:
        model = TaxCategory
        fields = ("id", "code", "name", "supply", "level")


class TaxRateShape(Shape):
    """A country's or region's rate for one level, from a day on."""

    id = Computed({"type": "string"}, lambda row, reading: row.ref)
    percent = Number("percent", help_text="Such as 19 or 5.5.")

    class Meta:
        model = TaxRate
        fields = (
            "id", "country", "region", "level", "percent", "valid_from", "tax_category", "origin", "is_checked",
            "source",
        )  # fmt: skip


class TaxRateInput(ModelBody):
    """A rate from a day on."""

    percent = Amount(help_text="Such as 19 or 5.5.")
    valid_from = Day(help_text="First day it holds.")

    class Meta:
        model = TaxRate
        fields = ("country", "region", "level", "percent", "valid_from", "tax_category", "source")


class TaxRateCorrection(Body):
    """The right figure of a rate that was wrong from the start."""

    percent = Amount(help_text="Such as 19 or 5.5.")
    source = Text(max_length=200, required=False, help_text="Where the figure comes from.")
    reason = Text(max_length=500, help_text="Kept with the change; issued documents stay.")


class CorrectionInput(TokenInput):
    """Which of the touched invoices are corrected, and what the credit notes say."""

    invoices = serializers.ListField(
        child=Text(max_length=40), max_length=200, required=False, help_text="Ids of invoices; left out: all."
    )
    reason = Text(max_length=500, help_text="Printed on the credit notes.")


class TouchedLineShape(PlainShape):
    """An issued line that bears another rate than the table says now."""

    invoice = Computed({"type": "string"}, lambda row, reading: row.line.invoice.ref, help_text="Its invoice.")
    number = Computed({"type": "string"}, lambda row, reading: row.line.invoice.number)
    position = Computed({"type": "integer"}, lambda row, reading: row.line.position)
    currency = Computed({"type": "string"}, lambda row, reading: row.line.invoice.currency)
    amount = Computed(
        {"type": "string"},
        lambda row, reading: amount_text(row.left_minor, row.line.invoice.currency),
        help_text="What was not given back yet.",
    )
    issued_percent = Computed({"type": "string"}, lambda row, reading: number_text(row.old_percent))
    percents = Computed(
        {"type": "array", "items": {"type": "string"}},
        lambda row, reading: [number_text(percent) for percent in row.new_percents],
        help_text="What its days bear by the table of now.",
    )


class TouchedLinesShape(PlainShape):
    """The issued lines a rate touches, oldest first; at most a thousand of them."""

    data = Part(TouchedLineShape, lambda row: row["data"], many=True)
    count = Computed({"type": "integer"}, lambda row, reading: row["count"], help_text="How many there are.")


class CorrectedShape(PlainShape):
    """What came of one invoice."""

    invoice = Computed({"type": "string"}, lambda row, reading: row.invoice.ref)
    credit_note = Computed(
        {"type": ["string", "null"]}, lambda row, reading: row.note.ref if row.note else None,
        help_text="Null: it could not be corrected; the reason says why.",
    )  # fmt: skip
    replaced_by = Computed({"type": ["string", "null"]}, lambda row, reading: row.fresh.ref if row.fresh else None)
    currency = Computed({"type": "string"}, lambda row, reading: row.invoice.currency)
    credited = Computed(
        {"type": "string"},
        lambda row, reading: amount_text(row.note.gross_minor if row.note else 0, row.invoice.currency),
    )
    billed = Computed(
        {"type": "string"},
        lambda row, reading: amount_text(row.fresh.gross_minor if row.fresh else 0, row.invoice.currency),
    )
    why = Computed({"type": "string"}, lambda row, reading: row.why)


class CorrectionShape(PlainShape):
    """A batch of corrections."""

    data = Part(CorrectedShape, lambda row: row["data"], many=True)
    preview_token = Computed(
        {"type": "string"},
        lambda row, reading: row["token"],
        allow_null=True,
        help_text="Of a preview: send it with the act.",
    )


class AddedRatesShape(PlainShape):
    """What an update of the table added."""

    added = Computed({"type": "integer"}, lambda row, reading: row["added"], help_text="Rates that were missing.")


class ByCode(Order):
    """Pages of rows that are known by their code."""

    def token(self, row: Any) -> str:
        return str(row.code)

    def seen(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        return rows.filter(code=after[:200])


class ByNature(Order):
    """Pages of tax rates."""

    def token(self, row: Any) -> str:
        return str(row.ref)

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


class UpdateTaxRates(ApiView):
    tag = "Catalog"

    @operation(
        "Bring the table of tax rates up to date",
        right=WRITE,
        answer=AddedRatesShape,
        description="Adds rates that ship with this version and are missing; changes nothing that is there.",
    )
    def post(self, request: Request) -> HttpResponse:
        added = taxes.bring_up_to_date(company=self.company, by=self.by, at=self.at)
        return self.shaped(AddedRatesShape, {"added": len(added)})


class RateView(ResourceView):
    tag = "Catalog"
    places: ClassVar[dict[str, Any]] = {
        "tax_rate": {
            "type": "string",
            "pattern": r"^[A-Z]{2}\.[^./]*\.[a-z]+\.\d{4}-\d{2}-\d{2}$",
            "examples": ["DE..standard.2021-01-01"],
        }
    }
    model, shape = TaxRate, TaxRateShape

    def find_places(self) -> None:
        self.rate(self.kwargs["tax_rate"])

    def rate(self, ref: str) -> TaxRate:
        found = taxes.by_ref(self.company, ref)
        if found is None:
            raise Problem(404, "not_found")
        return found


class OneTaxRate(RateView):
    @operation("Get a tax rate", right=READ, answer=TaxRateShape)
    def get(self, request: Request, tax_rate: str) -> HttpResponse:
        return self.one(self.rate(tax_rate))


class CorrectTaxRate(RateView):
    @operation(
        "Correct a tax rate",
        right=WRITE,
        body=TaxRateCorrection,
        answer=TaxRateShape,
        description="For a figure that was wrong from the start. A new rate of a country is a new row.",
        refusals=["tax_rate.outside"],
    )
    def post(self, request: Request, given: dict[str, Any], tax_rate: str) -> HttpResponse:
        row = self.rate(tax_rate)
        values = {"source": row.source, **given}
        return self.one(taxes.correct_rate(rate=row, by=self.by, at=self.at, **values))


class TouchedLines(RateView):
    @operation(
        "List the issued lines a tax rate touches",
        right=READ,
        answer=TouchedLinesShape,
        description="Those that bear another rate than the table says since that row was entered.",
    )
    def get(self, request: Request, tax_rate: str) -> HttpResponse:
        rate = self.rate(tax_rate)
        found = rate_corrections.touched(self.company, rate, MOST_LINES)
        full = len(found) == MOST_LINES
        count = rate_corrections.touched_lines(self.company, rate).count() if full else len(found)
        return self.shaped(TouchedLinesShape, {"data": found, "count": count})


class CorrectDocuments(RateView):
    @operation(
        "Correct the documents a tax rate touches",
        right="invoice.issue",
        body=CorrectionInput,
        answer=CorrectionShape,
        description="Each invoice gets a credit note and is billed anew with the table of now.",
        refusals=["rate_correction.nothing", "rate_correction.too_many", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], tax_rate: str) -> HttpResponse:
        return self.shaped(CorrectionShape, {"data": self.outcome(given, tax_rate), "token": None})

    def outcome(self, given: dict[str, Any], ref: str) -> list[rate_corrections.Corrected]:
        chosen = None
        if "invoices" in given:
            chosen = [self.of(Invoice, invoice).pk for invoice in given["invoices"]]
        return rate_corrections.correct(
            company=self.company, rate=self.rate(ref), invoice_ids=chosen, reason=given["reason"], by=self.by,
            at=self.at, preview_token=given.get("preview_token"),
        )  # fmt: skip


class PreviewCorrection(CorrectDocuments):
    @operation(
        "Preview the correction of the documents a tax rate touches",
        right="invoice.issue",
        body=CorrectionInput,
        answer=CorrectionShape,
        description="The very correction, taken back; ids and numbers in it stand for nothing that is kept.",
        refusals=["rate_correction.nothing", "rate_correction.too_many"],
    )
    def post(self, request: Request, given: dict[str, Any], tax_rate: str) -> HttpResponse:
        given.pop("preview_token", None)
        seen = rate_corrections.preview(lambda: self.outcome(given, tax_rate))
        return self.shaped(CorrectionShape, {"data": seen, "token": rate_corrections.token_of(seen)})


urlpatterns = [
    path("tax-categories", TaxCategories.as_view()),
    path("tax-rates", TaxRates.as_view()),
    path("tax-rates/update", UpdateTaxRates.as_view()),
    path("tax-rates/<str:tax_rate>", OneTaxRate.as_view()),
    path("tax-rates/<str:tax_rate>/correct", CorrectTaxRate.as_view()),
    path("tax-rates/<str:tax_rate>/touched-lines", TouchedLines.as_view()),
    path("tax-rates/<str:tax_rate>/correct-documents", CorrectDocuments.as_view()),
    path("tax-rates/<str:tax_rate>/correct-documents/preview", PreviewCorrection.as_view()),
]
