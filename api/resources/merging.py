"""Customers that may be one: the list of pairs, the preview of a merge, and the act."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Body, Ref, Text
from api.query import Filter
from api.resources.customers import CustomerShape, with_addresses
from api.shapes import Computed, Part, PlainShape
from api.views import ResourceView, operation
from crm.services import customer_duplicates, merging
from crm.services.merging_fields import FIELDS
from customers.models import Customer

READ, WRITE = "customer.read", "customer.write"
TEXT = {"type": "string"}
COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}


class PairShape(PlainShape):
    """Two customers that may be one."""

    younger = Computed(TEXT, lambda row, reading: row.younger.ref, help_text="The one made later.")
    older = Computed(TEXT, lambda row, reading: row.older.ref, help_text="The one made earlier.")
    reasons = Computed(
        {"type": "array", "items": {"type": "string", "enum": list(customer_duplicates.REASONS)}},
        lambda row, reading: list(row.reasons),
        help_text="What they have in common, the surest first.",
    )


class PairListShape(PlainShape):
    """The pairs among so many customers, newest first."""

    data = Part(PairShape, lambda row: row.pairs, many=True)
    looked_at = Computed({"type": "integer"}, lambda row, reading: row.looked_at, help_text="Customers looked at.")
    has_more = Computed({"type": "boolean"}, lambda row, reading: row.next is not None)
    next = Computed(
        {"type": ["string", "null"]},
        lambda row, reading: None if row.next is None else row.next.ref,
        help_text="What to give as `before` to look further back.",
    )


class DifferenceShape(PlainShape):
    """A field in which the two differ."""

    field = Computed(TEXT, lambda row, reading: row.name, help_text="Its name in `take`.")
    goes = Computed(TEXT, lambda row, reading: row.goes, help_text="What the customer that goes says.")
    stays = Computed(TEXT, lambda row, reading: row.stays, help_text="What the customer that stays says.")
    is_taken = Computed(
        {"type": "boolean"}, lambda row, reading: row.is_taken, help_text="Taken over when `take` is left out."
    )


class MergePlanShape(PlainShape):
    """What merging would do."""

    blocked = Computed(
        {"type": "array", "items": TEXT},
        lambda row, reading: [refused.code for refused in row.blocked],
        help_text="Codes of what is in the way.",
    )
    moves = Computed(COUNTS, lambda row, reading: row.moves, help_text="Rows of each kind that move.")
    stays = Computed(COUNTS, lambda row, reading: row.stays, help_text="Rows of each kind that stay as they are.")
    doubles = Computed({"type": "integer"}, lambda row, reading: row.doubles, help_text="Contacts that both have.")
    differs = Part(DifferenceShape, lambda row: row.differs, many=True)


class MergePreviewInput(Body):
    """Into which customer."""

    into = Ref(Customer, help_text="The customer that stays.")


class MergeInput(MergePreviewInput):
    """Into which customer, and what it takes over."""

    confirm = Text(max_length=20, help_text="Number of the customer that goes, such as CUS-000123.")
    take = serializers.ListField(
        child=serializers.ChoiceField(list(FIELDS)), required=False,
        help_text="Fields taken over of the customer that goes; left out: those that the other one doesn't say.",
    )  # fmt: skip


class ApartInput(Body):
    """From which customer."""

    other = Ref(Customer, help_text="The customer that it is not.")


class MergingView(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus"}
    model, shape = Customer, CustomerShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("merged_into").prefetch_related(with_addresses())


class CustomerDuplicates(MergingView):
    @operation(
        "List customers that may be one", right=READ, answer=PairListShape,
        description=(
            "Each answer looks at 250 customers, newest first, and at everybody older: the same e-mail address or "
            "phone number, of theirs or of their people, the same VAT id, or a similar name at the same place."
        ),
        filters=[
            Filter("before", "ref", model=Customer, is_value=True, help="Look further back from here, as `next` said.")
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        found = customer_duplicates.find(company=self.company, before=self.asked.values.get("before"))
        return self.shaped(PairListShape, found)


class DuplicatesOfCustomer(MergingView):
    @operation("List whom a customer may be the same as", right=READ, answer=PairListShape)
    def get(self, request: Request, customer: str) -> HttpResponse:
        pairs = customer_duplicates.of_customer(self.find(customer))
        return self.shaped(PairListShape, customer_duplicates.Found(pairs, 1, None))


class KeepCustomersApart(MergingView):
    @operation(
        "Say that two customers are two", right=WRITE, body=ApartInput, answer=CustomerShape,
        description="They are not listed as duplicates again.", refusals=["merging.itself"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        row = self.find(customer)
        customer_duplicates.keep_apart(first=row, second=given["other"], by=self.by, at=self.at)
        return self.fresh(row)


class PreviewMerge(MergingView):
    @operation(
        "Preview a merge", right=READ, body=MergePreviewInput, answer=MergePlanShape,
        description="What moves, what stays, in what the two differ, and what is in the way.",
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        return self.shaped(MergePlanShape, merging.plan(customer=self.find(customer), into=given["into"]))


class MergeCustomer(MergingView):
    @operation(
        "Merge a customer into another", right=WRITE, body=MergeInput, answer=CustomerShape,
        description=(
            "Answers the customer that stays. What is living moves; documents and payments stay under the number of "
            "the one that goes, which from then on names it in `merged_into`. There is no way back."
        ),
        refusals=[
            "merging.itself", "merging.confirm", "customer.merged", "erasure.subscription", "erasure.open_invoice",
            "erasure.credit",
        ],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        return self.fresh(merging.merge(customer=self.find(customer), **given, by=self.by, at=self.at))


urlpatterns = [
    path("customers/duplicates", CustomerDuplicates.as_view()),
    path("customers/<str:customer>/duplicates", DuplicatesOfCustomer.as_view()),
    path("customers/<str:customer>/keep-apart", KeepCustomersApart.as_view()),
    path("customers/<str:customer>/merge", MergeCustomer.as_view()),
    path("customers/<str:customer>/merge/preview", PreviewMerge.as_view()),
]
