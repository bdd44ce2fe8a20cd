"""What is said with customers and what happened with them: mails as they were sent, and the timeline."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import Filter
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ApiView, ResourceView, operation
from customers.models import Customer, Message
from customers.services import messages
from customers.services.timeline import timeline

READ = "customer.read"
ADDRESSES = {"type": "array", "items": {"type": "string"}}


class RecipientShape(PlainShape):
    """What became of a mail for one address."""

    address = Computed({"type": "string"}, lambda row, reading: row[0])
    state = Computed(
        {"type": "string", "enum": list(Message.State.values)}, lambda row, reading: row[1].get("state", "waiting")
    )
    words = Computed({"type": "string"}, lambda row, reading: row[1].get("words", ""), help_text="What servers said.")


class MessageShape(Shape):
    """A mail to a customer."""

    id = Id("msg")
    customer = Id("cus", via="customer", allow_null=True)
    recipients = Computed(ADDRESSES, lambda row, reading: row.recipients, help_text="Addresses it goes to.")
    results = Part(
        RecipientShape, lambda row: [(one, row.results.get(one, {})) for one in row.recipients], many=True,
        help_text="What became of it for each address.",
    )  # fmt: skip

    class Meta:
        model = Message
        fields = (
            "id",
            "customer",
            "template",
            "category",
            "language",
            "sender",
            "reply_to",
            "recipients",
            "subject",
            "body",
            "state",
            "results",
            "error",
            "created_at",
            "sent_at",
            "delivered_at",
            "bounced_at",
        )


class MessageView(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus", "message": "msg"}
    model, shape = Message, MessageShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().filter(customer__isnull=False).select_related("customer")


class LinkedShape(PlainShape):
    """The row an entry is about."""

    kind = Computed({"type": "string"}, lambda row, reading: row.link_kind)
    id = Computed({"type": "string"}, lambda row, reading: row.link_id)


class TimelineEntryShape(PlainShape):
    """One thing that happened."""

    at = Computed({"type": "string", "format": "date-time"}, lambda row, reading: row.at)
    kind = Computed({"type": "string", "enum": ["event", "message", "note", "audit"]}, lambda row, reading: row.kind)
    title = Computed({"type": "string"}, lambda row, reading: row.title, help_text="In the language asked for.")
    text = Computed({"type": "string"}, lambda row, reading: row.text)
    actor = Computed({"type": "string"}, lambda row, reading: row.actor, help_text="Who or what did it.")
    about = Part(
        LinkedShape, lambda row: row if row.link_id else None, allow_null=True, help_text="The row it is about."
    )


class TimelineShape(PlainShape):
    """Events, acts, mails and notes in one list, newest first. For more, send the last `at` as `before`."""

    data = Part(TimelineEntryShape, lambda row: row, many=True)


class Timeline(ApiView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus"}

    @operation(
        "Get the timeline of a customer",
        right=READ,
        answer=TimelineShape,
        filters=[
            Filter("before", "instant", is_value=True, help="Only earlier entries."),
            Filter("count", "whole", is_value=True, most=100, help="At least so many; 30 when left out."),
        ],
        description="Entries of one instant are never parted, so a page may be a little longer than `count`.",
    )
    def get(self, request: Request, customer: str) -> HttpResponse:
        found = timeline(
            customer=self.of(Customer, customer),
            before=self.asked.values.get("before"),
            limit=self.asked.values.get("count", 30),
        )
        return self.shaped(TimelineShape, found)


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


class AllMessages(MessageView):
    @operation(
        "List mails",
        right=READ,
        answer=MessageShape,
        paged=True,
        filters=[
            Filter("state", "choice", choices=tuple(Message.State.values), help="Where it stands."),
            Filter("category", "choice", choices=tuple(Message.Category.values), help="What kind of mail it is."),
            Filter("template", "text", help="Which text it is made from."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class ResendMessage(MessageView):
    @operation(
        "Send a mail again",
        right="customer.write",
        answer=MessageShape,
        status=201,
        description="As a new mail with the same words, attachments and addresses.",
    )
    def post(self, request: Request, message: str) -> HttpResponse:
        return self.fresh(messages.resend(message=self.find(message), by=self.by, at=self.at), 201)


class OneMessage(MessageView):
    @operation("Get a mail", right=READ, answer=MessageShape)
    def get(self, request: Request, message: str) -> HttpResponse:
        return self.one(self.find(message))


urlpatterns = [
    path("customers/<str:customer>/messages", Messages.as_view()),
    path("customers/<str:customer>/timeline", Timeline.as_view()),
    path("messages", AllMessages.as_view()),
    path("messages/<str:message>/resend", ResendMessage.as_view()),
    path("messages/<str:message>", OneMessage.as_view()),
]
