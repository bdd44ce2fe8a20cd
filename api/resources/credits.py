"""Credit of customers: granted, sold in packs, from money; what is left of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Coded, Currency, Day, Ref, Text, Whole, minor_of
from api.query import Filter
from api.resources.invoices import InvoiceShape, InvoiceView
from api.resources.previews import TokenInput
from api.resources.trials import MoneyAct, Plan, act
from api.shapes import Computed, Id, Shape, Sum
from api.views import ResourceView, operation
from billing.models import Credit, Invoice
from billing.services import granting, selling
from catalog.models import Product, TaxCategory
from customers.models import Customer

READ, CREDIT, ISSUE = "payment.read", "invoice.credit", "invoice.issue"


class CreditShape(Shape):
    """Credit of a customer. Money pays invoices; granted and prepaid credit lower them before tax."""

    id = Id("crd")
    customer = Id("cus", via="customer")
    amount = Sum("amount_minor", help_text="Given; prepaid credit without tax.")
    used = Sum("balance.used_minor", help_text="Used by invoices.")
    refunded = Sum("balance.refunded_minor", help_text="Paid out.")
    lapsed = Sum("balance.lapsed_minor", help_text="Expired or taken back unused.")
    left = Sum("balance.left_minor", help_text="Still there.")
    invoice = Id("inv", via="invoice", allow_null=True, help_text="The invoice that sold it.")
    tax_rate = Computed(
        {"type": "string"},
        lambda row, reading: None if row.tax_rate is None else format(row.tax_rate.normalize(), "f"),
        allow_null=True,
        help_text="Percent at which prepaid credit was taxed.",
    )

    class Meta:
        model = Credit
        fields = (
            "id", "customer", "source", "currency", "amount", "used", "refunded", "lapsed", "left", "expires_on",
            "reason", "invoice", "tax_category", "tax_rate", "created_on",
        )  # fmt: skip


class GrantInput(TokenInput):
    """Credit as a goodwill."""

    amount = Amount(help_text="How much; it lowers invoices before tax.")
    currency = Currency(help_text="ISO 4217.")
    expires_on = Day(required=False, help_text="Last day it can be used.")
    reason = Text(max_length=500, help_text="Why.")


class ReverseInput(TokenInput):
    """Why it is taken back."""

    reason = Text(max_length=500, help_text="For the books.")


class PackInput(TokenInput):
    """Prepaid credit, sold with tax. Product or tax category say at which rate."""

    amount = Amount(help_text="Credit, without tax.")
    price = Amount(required=False, help_text="Price without tax; the amount when left out. What lies above is granted.")
    currency = Currency(help_text="ISO 4217.")
    expires_on = Day(required=False, help_text="Last day it can be used.")
    product = Ref(Product, required=False, help_text="What is sold.")
    tax_category = Coded(TaxCategory, required=False, help_text="Code of a tax category.")
    description = Text(required=False, allow_blank=True, max_length=400, help_text="Words on the invoice.")
    payment_terms_days = Whole(required=False, min_value=0, max_value=365, help_text="Days until due.")
    po_reference = Text(required=False, allow_blank=True, max_length=80, help_text="The customer's order reference.")


class CreditView(ResourceView):
    tag = "Payments"
    places: ClassVar[dict[str, Any]] = {"credit": "crd", "customer": "cus"}
    model, shape = Credit, CreditShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("customer", "balance", "invoice")


class Credits(CreditView):
    @operation(
        "List credit",
        right=READ,
        answer=CreditShape,
        paged=True,
        filters=[
            Filter("customer", "ref", model=Customer, help="Whose credit."),
            Filter("source", "choice", choices=tuple(Credit.Source.values), help="Where it came from."),
            Filter("currency", "text", help="ISO 4217."),
            Filter("expires_on", "day", help="Last day it can be used."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneCredit(CreditView):
    @operation("Get credit", right=READ, answer=CreditShape)
    def get(self, request: Request, credit: str) -> HttpResponse:
        return self.one(self.find(credit))


class Grant(CreditView, MoneyAct):
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row, currency = self.of(Customer, ids["customer"]), given["currency"]
        values = {**given, "amount_minor": minor_of(given["amount"], currency)}
        del values["amount"]
        return lambda: granting.grant(customer=row, by=self.by, at=self.at, **values), row, currency

    def shown(self, result: Credit) -> HttpResponse:
        response = self.fresh(result, 201)
        response["Location"] = f"/api/v1/credits/{result.ref}"
        return response


class Reverse(CreditView, MoneyAct):
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.find(ids["credit"])
        step = lambda: granting.reverse(credit=row, by=self.by, at=self.at, **given)  # noqa: E731
        return step, row.customer, row.currency


class SellPack(InvoiceView, MoneyAct):
    tag = "Payments"
    places: ClassVar[dict[str, Any]] = {"customer": "cus", "invoice": "inv"}

    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row, currency = self.of(Customer, ids["customer"]), given["currency"]
        values = {**given, "amount_minor": minor_of(given["amount"], currency)}
        del values["amount"]
        if "price" in values:
            values["price_minor"] = minor_of(values.pop("price"), currency, field="price")
        return lambda: selling.sell_credit_pack(customer=row, by=self.by, at=self.at, **values), row, currency

    def shown(self, result: Invoice) -> HttpResponse:
        response = self.fresh(result, 201)
        response["Location"] = f"/api/v1/invoices/{result.ref}"
        return response


urlpatterns = [
    path("credits", Credits.as_view()),
    path("credits/<str:credit>", OneCredit.as_view()),
    *act(
        "credits/<str:credit>/reverse",
        Reverse,
        "Reverse granted credit",
        right=CREDIT,
        body=ReverseInput,
        answer=CreditShape,
        description="Takes back what is unused of it; what was used stays used.",
        refusals=["credit.not_granted", "credit.nothing_unused"],
    ),
    *act(
        "customers/<str:customer>/credits",
        Grant,
        "Grant credit",
        right=CREDIT,
        body=GrantInput,
        answer=CreditShape,
        status=201,
        description="It lowers the next invoices before tax, until it is used up or expires.",
        refusals=["credit.expired"],
    ),
    *act(
        "customers/<str:customer>/credit-packs",
        SellPack,
        "Sell prepaid credit",
        right=ISSUE,
        body=PackInput,
        answer=InvoiceShape,
        status=201,
        description="Issues an invoice with tax; the credit lowers later invoices of the same rate.",
        refusals=["credit.pack_price", "draft.product"],
    ),
]
