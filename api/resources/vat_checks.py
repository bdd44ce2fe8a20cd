"""Checks of customers' VAT ids: asking anew, and the proof that is kept."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import ByPlace, Filter
from api.resources.customers import CustomerShape, CustomerView
from api.shapes import Shape
from api.views import ResourceView, operation
from customers.models import Customer, VatCheck
from customers.services import vat_ids

READ, WRITE = "customer.read", "customer.write"


class VatCheckShape(Shape):
    """One question to the tax authorities' service about a VAT id, and its answer."""

    class Meta:
        model = VatCheck
        fields = ("vat_id", "answer", "name", "address", "proof", "detail", "asked_at")


class CheckVatId(CustomerView):
    @operation(
        "Check a customer's VAT id",
        right=WRITE,
        answer=CustomerShape,
        status=202,
        description="Has the tax authorities' service asked. The answer comes a moment later: see `vat_state` and the"
        " list of checks.",
        refusals=["vat_check.no_id", "vat_check.not_eu", "vat_check.no_service"],
    )
    def post(self, request: Request, customer: str) -> HttpResponse:
        return self.fresh(vat_ids.check(customer=self.find(customer), by=self.by, at=self.at), 202)


class VatChecks(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus"}
    model, shape, order = VatCheck, VatCheckShape, ByPlace()

    @operation(
        "List checks of a customer's VAT id",
        right=READ,
        answer=VatCheckShape,
        paged=True,
        description="The proof that is kept, newest first.",
        filters=[Filter("answer", "choice", choices=tuple(VatCheck.Answer.values), help="What the service said.")],
    )
    def get(self, request: Request, customer: str) -> HttpResponse:
        return self.page(self.rows().filter(customer=self.of(Customer, customer)))


urlpatterns = [
    path("customers/<str:customer>/check-vat-id", CheckVatId.as_view()),
    path("customers/<str:customer>/vat-checks", VatChecks.as_view()),
]
