"""What the law lets a customer ask for: everything kept about them as one file, and to be erased."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Text
from api.schema import ZIP
from api.shapes import Computed, Part, PlainShape
from api.views import ResourceView, operation
from core import clock
from crm.services import erasing, taking_along
from customers.models import Customer

RIGHT = "settings.write"


DAY = {"type": "string", "format": "date"}
TEXT = {"type": "string"}


class KeptShape(PlainShape):
    """What stays when a customer is erased, as the law makes the company keep it."""

    kind = Computed(TEXT, lambda row, reading: row.name)
    count = Computed({"type": "integer"}, lambda row, reading: row.count, help_text="Number of rows.")
    until_on = Computed(DAY, lambda row, reading: row.until_on.isoformat(), help_text="Last day.")
    law = Computed(TEXT, lambda row, reading: row.law)
    source_url = Computed(TEXT, lambda row, reading: row.source_url)
    is_checked = Computed(
        {"type": "boolean"}, lambda row, reading: row.is_checked,
        help_text="Whether the years were compared with the words of the law.",
    )  # fmt: skip


class ErasureShape(PlainShape):
    """What erasing a customer would do."""

    is_erased = Computed({"type": "boolean"}, lambda row, reading: row.erased is not None)
    blocked = Computed(
        {"type": "array", "items": TEXT},
        lambda row, reading: [refused.code for refused in row.blocked],
        help_text="Codes of what is live and to be ended first.",
    )
    blanked = Computed(
        {"type": "object", "additionalProperties": {"type": "integer"}},
        lambda row, reading: row.blanked,
        help_text="Number of rows of each kind that are blanked.",
    )
    kept = Part(KeptShape, lambda row: row.kept, many=True)


class EraseInput(Body):
    """The confirmation."""

    confirm = Text(max_length=20, help_text="Number of the customer, such as CUS-000123.")


class PersonalDataView(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus"}
    model = Customer


class CustomerExport(PersonalDataView):
    @operation(
        "Export all data of a customer",
        right=RIGHT,
        answer=ZIP,
        description=(
            "Everything kept about the customer and its people: JSON for each kind, and the documents as PDF. It is "
            "written while it is sent, and never kept. That it was taken is noted in the audit."
        ),
    )
    def get(self, request: Request, customer: str) -> StreamingHttpResponse:
        row = self.find(customer)
        taking_along.told(customer=row, internal=True, by=self.by, at=self.at)
        pieces = taking_along.archive(row, internal=True)
        response = StreamingHttpResponse(pieces, content_type=ZIP)
        name = taking_along.file_name(row, clock.today(self.company))
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class CustomerErasure(PersonalDataView):
    @operation(
        "Preview the erasure of a customer",
        right=RIGHT,
        answer=ErasureShape,
        description="What would be blanked, what the law keeps and until when, and what is in the way.",
    )
    def get(self, request: Request, customer: str) -> HttpResponse:
        seen = erasing.plan(customer=self.find(customer), on=clock.today(self.company))
        return self.shaped(ErasureShape, seen)


class EraseCustomer(PersonalDataView):
    @operation(
        "Erase a customer",
        right=RIGHT,
        body=EraseInput,
        answer=ErasureShape,
        description="Blanks the personal data of the customer and its people for good. There is no way back.",
        refusals=["erasure.confirm", "erasure.subscription", "erasure.open_invoice", "erasure.credit"],
    )
    def post(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        row = self.find(customer)
        erasing.erase(customer=row, confirm=given["confirm"], by=self.by, at=self.at)
        return self.shaped(ErasureShape, erasing.plan(customer=row, on=clock.today(self.company)))


urlpatterns = [
    path("customers/<str:customer>/erasure", CustomerErasure.as_view()),
    path("customers/<str:customer>/erase", EraseCustomer.as_view()),
    path("customers/<str:customer>/export", CustomerExport.as_view()),
]
