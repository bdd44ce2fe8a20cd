"""Mails to customers, as they were sent."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import Filter
from api.shapes import Computed, Id, Shape
from api.views import ResourceView, operation
from customers.models import Customer, Message

READ = "customer.read"
ADDRESSES = {"type": "array", "items": {"type": "string"}}


class MessageShape(Shape):
    """A mail to a customer."""

    id = Id("msg")
    customer = Id("cus", via="customer", allow_null=True)
    recipients = Computed(ADDRESSES, lambda row, reading: row.recipients, help_text="Addresses it goes to.")

    class Meta:
        model = Message
        fields = (
            "id",
            "customer",
            "template",
            "language",
            "sender",
            "recipients",
            "subject",
            "body",
            "state",
            "error",
            "created_at",
            "sent_at",
        )


class MessageView(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus", "message": "msg"}
    model, shape = Message, MessageShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().filter(customer__isnull=False).select_related("customer")


class Messages(MessageView):
    @operation(
        "List mails to a customer",
        right=READ,
        answer=MessageShape,
        paged=True,
        filters=[Filter("state", "choice", choices=tuple(Message.State.values), help="Where it stands.")],
    )
    def get(self, request: Request, customer: str) -> HttpResponse:
        return self.page(self.rows().filter(customer=self.of(Customer, customer)))


class OneMessage(MessageView):
    @operation("Get a mail", right=READ, answer=MessageShape)
    def get(self, request: Request, message: str) -> HttpResponse:
        return self.one(self.find(message))


urlpatterns = [
    path("customers/<str:customer>/messages", Messages.as_view()),
    path("messages/<str:message>", OneMessage.as_view()),
]
