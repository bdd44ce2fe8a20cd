"""Meters: how usage is counted."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import ModelBody, Texts, Whole
from api.query import Filter, archived
from api.resources.products import TEXTS
from api.shapes import Computed, Id, Shape
from api.views import ResourceView, operation
from catalog.models import Meter
from catalog.services import meters

CATALOG, CATALOG_WRITE = "catalog.read", "catalog.write"


class MeterShape(Shape):
    """How usage is counted. Events name a meter by its code."""

    id = Id("mtr")
    name = Computed(TEXTS, lambda row, reading: row.name, help_text="Name by language.")
    unit_name = Computed(TEXTS, lambda row, reading: row.unit_name, help_text="What one is called, by language.")

    class Meta:
        model = Meter
        fields = ("id", "code", "name", "aggregation", "unit_name", "late_days", "archived_at")


class MeterInput(ModelBody):
    """A meter. How it counts can't be changed later."""

    name = Texts(help_text="Name by language; the company's language is required.")
    unit_name = Texts(required=False, help_text="What one is called, by language, such as call.")
    late_days = Whole(
        required=False, min_value=0, max_value=meters.MOST_LATE_DAYS, help_text="Days for late events; 90 if left out."
    )

    class Meta:
        model = Meter
        fields = ("code", "name", "aggregation", "unit_name", "late_days")


class MeterChanges(ModelBody):
    """What of a meter can change."""

    name = Texts(required=False, help_text="Name by language; the company's language is required.")
    unit_name = Texts(required=False, help_text="What one is called, by language, such as call.")
    late_days = Whole(required=False, min_value=0, max_value=meters.MOST_LATE_DAYS, help_text="Days for late events.")

    class Meta:
        model = Meter
        fields = ("name", "unit_name", "late_days")


class MeterView(ResourceView):
    tag = "Usage"
    places: ClassVar[dict[str, Any]] = {"meter": "mtr"}
    model, shape = Meter, MeterShape


class Meters(MeterView):
    @operation(
        "List meters",
        right=CATALOG,
        answer=MeterShape,
        paged=True,
        filters=[
            Filter("code", "text", help="Short name."),
            Filter("archived", "yes", build=archived, help="Takes no new events or does."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a meter",
        right=CATALOG_WRITE,
        body=MeterInput,
        answer=MeterShape,
        status=201,
        refusals=["catalog.code_taken"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(meters.create_meter(company=self.company, by=self.by, at=self.at, **given), 201)


class OneMeter(MeterView):
    @operation("Get a meter", right=CATALOG, answer=MeterShape)
    def get(self, request: Request, meter: str) -> HttpResponse:
        return self.one(self.find(meter))

    @operation("Change a meter", right=CATALOG_WRITE, body=MeterChanges, answer=MeterShape)
    def patch(self, request: Request, given: dict[str, Any], meter: str) -> HttpResponse:
        row = self.find(meter)
        return self.fresh(meters.update_meter(meter=row, changes=given, by=self.by, at=self.at))


class ArchiveMeter(MeterView):
    @operation(
        "Archive a meter",
        right=CATALOG_WRITE,
        answer=MeterShape,
        description="It takes no new events. What came in is billed.",
        refusals=["meter.on_sale"],
    )
    def post(self, request: Request, meter: str) -> HttpResponse:
        return self.fresh(meters.archive_meter(meter=self.find(meter), by=self.by, at=self.at))


class RestoreMeter(MeterView):
    @operation("Restore a meter", right=CATALOG_WRITE, answer=MeterShape)
    def post(self, request: Request, meter: str) -> HttpResponse:
        return self.fresh(meters.restore_meter(meter=self.find(meter), by=self.by, at=self.at))


urlpatterns = [
    path("meters", Meters.as_view()),
    path("meters/<str:meter>", OneMeter.as_view()),
    path("meters/<str:meter>/archive", ArchiveMeter.as_view()),
    path("meters/<str:meter>/restore", RestoreMeter.as_view()),
]
