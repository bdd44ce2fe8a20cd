"""Customers' payment methods: seen, made the default, removed, and the link with which one is added."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import Filter
from api.shapes import Computed, Id, PlainShape, Shape
from api.views import ResourceView, operation
from billing.models import PaymentMethod
from billing.services import pay_links, payment_methods
from customers.models import Customer

READ, WRITE = "payment.read", "payment.write"


class PaymentMethodShape(Shape):
    """What a customer lets the company charge. Numbers of cards and accounts are not kept here, or not shown."""

    id = Id("pm")
    customer = Id("cus", via="customer")
    gateway = Id("gwy", via="gateway")

    class Meta:
        model = PaymentMethod
        fields = (
            "id", "customer", "gateway", "kind", "status", "is_default", "label", "expires_on", "reason",
            "consented_at", "created_at", "removed_at",
        )  # fmt: skip


class SetUpLinkShape(PlainShape):
    """A page for the customer, without signing in. Good for 30 days."""

    url = Computed({"type": "string", "format": "uri"}, lambda row, reading: row)


class MethodView(ResourceView):
    tag = "Payment methods"
    places: ClassVar[dict[str, Any]] = {"payment_method": "pm", "customer": "cus"}
    model, shape = PaymentMethod, PaymentMethodShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("customer__company", "gateway")


class PaymentMethods(MethodView):
    @operation(
        "List payment methods",
        right=READ,
        answer=PaymentMethodShape,
        paged=True,
        filters=[
            Filter("customer", "ref", model=Customer, help="Whose."),
            Filter("status", "choice", choices=tuple(PaymentMethod.Status.values), help="Where it stands."),
            Filter("kind", "choice", choices=tuple(PaymentMethod.Kind.values), help="What it is."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OnePaymentMethod(MethodView):
    @operation("Get a payment method", right=READ, answer=PaymentMethodShape)
    def get(self, request: Request, payment_method: str) -> HttpResponse:
        return self.one(self.find(payment_method))


class MakeDefault(MethodView):
    @operation(
        "Make a payment method the default",
        right=WRITE,
        answer=PaymentMethodShape,
        description="It is charged for everything that names no other method.",
        refusals=["method.not_usable"],
    )
    def post(self, request: Request, payment_method: str) -> HttpResponse:
        row = self.find(payment_method)
        return self.fresh(payment_methods.make_default(method=row, by=self.by, at=self.at))


class Remove(MethodView):
    @operation(
        "Remove a payment method",
        right=WRITE,
        answer=PaymentMethodShape,
        description="It is never charged again; the provider forgets it, too.",
        refusals=["method.in_use"],
    )
    def post(self, request: Request, payment_method: str) -> HttpResponse:
        return self.fresh(payment_methods.remove(method=self.find(payment_method), by=self.by, at=self.at))


class SetUpLink(MethodView):
    @operation(
        "Make a link to add a payment method",
        right=WRITE,
        answer=SetUpLinkShape,
        status=201,
        description="The customer adds a card, a wallet or a mandate there, without signing in.",
    )
    def post(self, request: Request, customer: str) -> HttpResponse:
        row = self.of(Customer, customer)
        return self.shaped(SetUpLinkShape, pay_links.method_link(row, on=self.today), 201)


urlpatterns = [
    path("payment-methods", PaymentMethods.as_view()),
    path("payment-methods/<str:payment_method>", OnePaymentMethod.as_view()),
    path("payment-methods/<str:payment_method>/make-default", MakeDefault.as_view()),
    path("payment-methods/<str:payment_method>/remove", Remove.as_view()),
    path("customers/<str:customer>/set-up-link", SetUpLink.as_view()),
]
