"""Segments: saved rules over customers, counted as things stand, and who is in them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, ModelBody, Plain
from api.query import Filter, archived
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ApiView, ResourceView, operation
from crm.models import Segment
from crm.services import segment_rules, segment_words, segments
from crm.services.segment_fields import FIELDS
from customers.models import Customer

READ, WRITE = "segment.read", "segment.write"
RULES: dict[str, Any] = {
    "type": "object",
    "examples": [{
        "match": "all",
        "conditions": [
            {"field": "interval", "op": "in", "value": ["year"]},
            {"field": "renews_on", "op": "in_next", "value": 60},
            {"field": "payment_method", "op": "not_in", "value": ["card"]},
        ],
        "groups": [],
    }],
}  # fmt: skip
REFUSALS = [
    "segment.form", "segment.field", "segment.operator", "segment.value", "segment.many", "segment.name_taken",
]  # fmt: skip
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}


def _words(row: Segment, reading: Any) -> str:
    return segment_words.explanation(reading.company, segment_rules.read(row.rules))


class SegmentShape(Shape):
    """Which customers are meant, by rules."""

    id = Id("seg")
    rules = Computed(RULES, lambda row, reading: row.rules, help_text="Conditions in groups; see /segments/fields.")
    words = Computed(TEXT, _words, help_text="The rules in words.")

    class Meta:
        model = Segment
        fields = ("id", "name", "note", "rules", "words", "created_at", "changed_at", "archived_at")


class SegmentCountShape(PlainShape):
    """How many customers the rules mean now."""

    total = Computed({"type": "integer"}, lambda row, reading: row.total, help_text="How many.")
    is_about = Computed({"type": "boolean"}, lambda row, reading: row.is_about, help_text="Whether it is an estimate.")


class SegmentFieldShape(PlainShape):
    """Something a condition can ask about."""

    name = Computed(TEXT, lambda row, reading: row.name)
    label = Computed(TEXT, lambda row, reading: str(row.label), help_text="In words.")
    kind = Computed(TEXT, lambda row, reading: row.kind, help_text="Kind of its value.")
    about = Computed(
        TEXT, lambda row, reading: row.about,
        help_text="Conditions about subscriptions of one group are asked about one and the same subscription.",
    )  # fmt: skip
    operators = Computed(TEXTS, lambda row, reading: list(row.operators), help_text="What it can be asked.")
    choices = Computed(TEXTS, lambda row, reading: list(row.choices), help_text="Its values, where they are known.")


class SegmentFieldsShape(PlainShape):
    """Everything a condition can ask about."""

    data = Part(SegmentFieldShape, lambda rows: rows, many=True)


class SegmentInput(ModelBody):
    """A segment with its rules."""

    rules = Plain(help_text="match, conditions, groups.")

    class Meta:
        model = Segment
        fields = ("name", "note", "rules")


class RulesInput(Body):
    """Rules that are tried out."""

    rules = Plain(help_text="match, conditions, groups.")


class SegmentView(ResourceView):
    tag = "Segments"
    places: ClassVar[dict[str, Any]] = {"segment": "seg"}
    model, shape = Segment, SegmentShape


class Segments(SegmentView):
    @operation("List segments", right=READ, answer=SegmentShape, paged=True,
               filters=[Filter("archived", "yes", build=archived, help="Hidden or not.")])  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation("Create a segment", right=WRITE, body=SegmentInput, answer=SegmentShape, status=201, refusals=REFUSALS)
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(segments.save(company=self.company, by=self.by, at=self.at, **given), 201)


class Fields(ApiView):
    tag = "Segments"

    @operation("List the fields of segments", right=READ, answer=SegmentFieldsShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(SegmentFieldsShape, list(FIELDS.values()))


class TryCount(ApiView):
    tag = "Segments"

    @operation("Count customers by rules", right=READ, body=RulesInput, answer=SegmentCountShape,
               description="Nothing is saved.", refusals=REFUSALS[:-1])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        rules = segment_rules.checked(self.company, given["rules"])
        rows = segments.matching(company=self.company, rules=rules, on=self.today)
        return self.shaped(SegmentCountShape, segments.count(rows))


class OneSegment(SegmentView):
    @operation("Get a segment", right=READ, answer=SegmentShape)
    def get(self, request: Request, segment: str) -> HttpResponse:
        return self.one(self.find(segment))


class ReplaceSegment(SegmentView):
    @operation("Replace a segment", right=WRITE, body=SegmentInput, answer=SegmentShape, refusals=REFUSALS)
    def post(self, request: Request, given: dict[str, Any], segment: str) -> HttpResponse:
        row = self.find(segment)
        return self.fresh(segments.save(company=self.company, segment=row, by=self.by, at=self.at, **given))


class ArchiveSegment(SegmentView):
    @operation("Archive a segment", right=WRITE, answer=SegmentShape,
               description="Mailings and reminder rules that name it go on.")  # fmt: skip
    def post(self, request: Request, segment: str) -> HttpResponse:
        return self.fresh(segments.archive(segment=self.find(segment), by=self.by, at=self.at))


class CountSegment(SegmentView):
    @operation("Count the customers of a segment", right=READ, answer=SegmentCountShape)
    def get(self, request: Request, segment: str) -> HttpResponse:
        rows = segments.members(segment=self.find(segment), on=self.today)
        return self.shaped(SegmentCountShape, segments.count(rows))


class MemberShape(Shape):
    """A customer of a segment."""

    id = Id("cus")
    number = Computed({"type": "string", "examples": ["CUS-000123"]}, lambda row, reading: row.number)

    class Meta:
        model = Customer
        fields = ("id", "number", "kind", "name", "email", "language", "external_id", "created_at")


class Members(SegmentView):
    @operation("List the customers of a segment", right=READ, answer=MemberShape, paged=True)
    def get(self, request: Request, segment: str) -> HttpResponse:
        rows = segments.members(segment=self.find(segment), on=self.today)
        return self.listed(rows, MemberShape, self.order)


urlpatterns = [
    path("segments", Segments.as_view()),
    path("segments/fields", Fields.as_view()),
    path("segments/count", TryCount.as_view()),
    path("segments/<str:segment>", OneSegment.as_view()),
    path("segments/<str:segment>/replace", ReplaceSegment.as_view()),
    path("segments/<str:segment>/archive", ArchiveSegment.as_view()),
    path("segments/<str:segment>/count", CountSegment.as_view()),
    path("segments/<str:segment>/members", Members.as_view()),
]
