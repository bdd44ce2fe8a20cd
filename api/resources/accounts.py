"""A customer's account as paper: opening, every document and payment, closing."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import Filter
from api.resources.customers import CustomerShape
from api.schema import PDF
from api.views import ResourceView, operation
from billing.services import account_papers
from core import checks
from customers.models import Customer
from customers.services.customers import currency_of


class CustomerAccount(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus"}
    model, shape = Customer, CustomerShape

    @operation(
        "Get the statement of account of a customer",
        right="invoice.read",
        answer=PDF,
        filters=[
            Filter("first", "day", is_value=True, help="First day; 1 January of this year when left out."),
            Filter("last", "day", is_value=True, help="Last day; today when left out."),
            Filter("currency", "text", is_value=True, help="ISO 4217; the customer's own when left out."),
        ],
        description="A PDF in the customer's language: balance before, each document and payment, balance at the end.",
    )
    def get(self, request: Request, customer: str) -> HttpResponse:
        whose = self.of(Customer, customer)
        asked = self.asked.values
        first, last = asked.get("first", self.today.replace(month=1, day=1)), asked.get("last", self.today)
        currency = checks.currency(asked.get("currency") or currency_of(whose))
        content = account_papers.pdf_of(customer=whose, currency=currency, first=first, last=last, on=self.today)
        response = HttpResponse(content, content_type="application/pdf")
        name = account_papers.file_name(whose, first, last)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


urlpatterns = [path("customers/<str:customer>/account", CustomerAccount.as_view())]
