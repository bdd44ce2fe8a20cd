"""What happened, and to whom: events and the company."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.query import Filter, Order
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ApiView, ResourceView, addressed, operation
from core.ids import BadId
from core.models import Company, Event
from core.services import event_types
from customers.models import Customer

#: Which right shows events of which kind, by the noun their type begins with.
EVENT_RIGHTS = {
    "customer.read": ("customer", "contact", "note", "message", "mail_address"),
    "catalog.read": ("product", "plan", "price", "tax_rate", "meter", "campaign", "offer_code"),
    "usage.read": ("usage",),
    "subscription.read": ("subscription", "discount"),
    "invoice.read": ("invoice", "credit_note"),
    "payment.read": (
        "payment", "refund", "credit", "attempt", "reversal", "payment_method", "mandate", "claim", "dunning",
        "debit_batch", "bank_statement", "bank_line",
    ),
    "run.read": ("billing_run",),
    "import.run": ("import",),
    "task.read": ("task", "alert", "activity"),
    "lead.read": ("lead",),
    "quote.read": ("quote",),
    "reminder.read": ("reminder", "offer"),
    "segment.read": ("segment", "bulk_act"),
    "campaign.read": ("mailing",),
    "webhook.read": ("webhook_endpoint",),
    "settings.read": ("company", "key"),
}  # fmt: skip
#: What events call their subject where it isn't the name of its model.
SUBJECT_KINDS = {"BillingRun": "run"}
TEXT = {"type": "string"}


class EventShape(Shape):
    """A business fact, frozen when it happened."""

    id = Id("evt")
    data = Computed(
        {"type": "object"}, lambda row, reading: row.data, help_text="The frozen facts; amounts in minor units."
    )

    class Meta:
        model = Event
        fields = ("id", "type", "occurred_at", "subject_kind", "data")


class CompanyShape(Shape):
    """The company the key belongs to."""

    id = Id("com")
    now = Computed({"type": "string", "format": "date-time"}, lambda row, reading: reading.at, help_text="Its clock.")
    today = Computed({"type": "string", "format": "date"}, lambda row, reading: reading.today, help_text="Its day.")
    address_lines = Computed({"type": "array", "items": TEXT}, lambda row, reading: row.address_lines)

    class Meta:
        model = Company
        fields = (
            "id", "name", "slug", "is_live", "now", "today", "legal_name", "address_lines", "postal_code", "city",
            "country", "email", "phone", "website", "vat_id", "tax_number", "currency", "tax_currency", "language",
            "time_zone", "books_start_on", "books_closed_on", "payment_terms_days", "payment_terms_from",
            "invoice_per_subscription", "issues_zero_invoices", "is_small_business", "charges_origin_vat", "created_at",
        )  # fmt: skip


def _of_type(operator: str, value: Any) -> Q:
    """A type, several, or all of a noun: `invoice.*`."""
    found = Q(pk__in=[])
    for text in value if operator == "in" else [value]:
        found |= Q(type__startswith=text[:-1]) if text.endswith(".*") else Q(type=text)
    return found


def _about(operator: str, value: Any) -> Q:
    """The row with an outside id; several, with commas. An id that is none is about nothing."""
    found = Q(pk__in=[])
    for ref in value if operator == "in" else [value]:
        model = addressed().get(ref.partition("_")[0])
        if model is None:
            continue
        try:
            pk = model._default_manager.filter(public_id=model.public_id_of(ref)).values_list("pk", flat=True).first()
        except BadId:
            continue
        kind = SUBJECT_KINDS.get(model.__name__) or re.sub(r"(?<!^)(?=[A-Z])", "_", model.__name__).lower()
        if pk is not None:
            found |= Q(subject_kind=kind, subject_id=pk)
    return found


class EventView(ResourceView):
    tag = "Events"
    places: ClassVar[dict[str, Any]] = {"event": "evt"}
    model, shape, order = Event, EventShape, Order()

    def rows(self) -> QuerySet[Any]:
        seen = Q(pk__in=[])
        for right in self.rights & EVENT_RIGHTS.keys():
            for noun in EVENT_RIGHTS[right]:
                seen |= Q(type__startswith=f"{noun}.")
        return super().rows().filter(seen)


class Events(EventView):
    @operation(
        "List events",
        right=tuple(EVENT_RIGHTS),
        answer=EventShape,
        paged=True,
        description="Those about things the key may read, newest first: what webhooks deliver, for looking up what "
        "was missed. Their types are listed at /event-types.",
        filters=[
            Filter("type", "text", build=_of_type, help="Such as invoice.issued, or all of a noun: invoice.*."),
            Filter("subject", "text", build=_about, help="Id of what it is about, such as inv_… or sub_…."),
            Filter("customer", "ref", model=Customer, path="customer_id", help="The customer concerned."),
            Filter("occurred", "instant", path="occurred_at", help="When, by the company's clock."),
            Filter("created", "instant", path="occurred_at", help="The same as occurred."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneEvent(EventView):
    @operation("Get an event", right=tuple(EVENT_RIGHTS), answer=EventShape)
    def get(self, request: Request, event: str) -> HttpResponse:
        return self.one(self.find(event))


class EventTypeShape(PlainShape):
    """A type of events."""

    type = Computed(TEXT, lambda row, reading: row.name)
    meaning = Computed(TEXT, lambda row, reading: str(row.meaning), help_text="What happened.")
    example = Computed({"type": "object"}, lambda row, reading: row.example, help_text="What its data looks like.")


class EventTypesShape(PlainShape):
    """Every type of events, by name."""

    data = Part(EventTypeShape, lambda row: row, many=True)


class EventTypes(ApiView):
    tag = "Events"

    @operation("List the types of events", right=tuple(EVENT_RIGHTS), answer=EventTypesShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(EventTypesShape, event_types.all_types())


class OneCompany(ApiView):
    tag = "Company"

    @operation("Get the company", right="settings.read", answer=CompanyShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(CompanyShape, self.company)


urlpatterns = [
    path("events", Events.as_view()),
    path("events/<str:event>", OneEvent.as_view()),
    path("event-types", EventTypes.as_view()),
    path("company", OneCompany.as_view()),
]
