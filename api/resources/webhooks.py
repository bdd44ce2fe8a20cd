"""Webhook endpoints and what they were sent. A secret is answered once, by the request that makes it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Body, Instant, Text, Whole, Yes
from api.query import Filter
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ResourceView, operation
from core.models import Event, WebhookDelivery, WebhookEndpoint, WebhookTry
from core.models.webhooks import URL_LENGTH
from core.services import webhook_endpoints, webhook_resending

READ, WRITE = "webhook.read", "webhook.write"
TEXT = {"type": "string"}
URL_REFUSALS = [
    "webhook.url_form", "webhook.url_https", "webhook.url_port", "webhook.url_unknown", "webhook.url_private",
    "webhook.type_unknown", "webhook.too_many",
]  # fmt: skip


class WebhookEndpointShape(Shape):
    """An address that is told what happens."""

    id = Id("whe")
    types = Computed({"type": "array", "items": TEXT}, lambda row, reading: row.types, help_text="What it hears of.")

    class Meta:
        model = WebhookEndpoint
        fields = (
            "id", "url", "description", "types", "is_active", "stopped", "stopped_at", "failures", "failing_since",
            "paused_until", "previous_until", "created_at",
        )  # fmt: skip


class WebhookSecretShape(PlainShape):
    """An endpoint with its new secret, which is shown this once."""

    endpoint = Part(WebhookEndpointShape, lambda row: row[0])
    secret = Computed(TEXT, lambda row, reading: row[1], help_text="Verifies signatures; begins with whsec_.")


class WebhookTryShape(Shape):
    """One request and what came back."""

    headers = Computed({"type": "object"}, lambda row, reading: row.headers, help_text="Headers that were sent.")

    class Meta:
        model = WebhookTry
        fields = ("at", "url", "address", "headers", "status", "answer", "milliseconds", "error")


class WebhookDeliveryShape(Shape):
    """One event owed to one endpoint."""

    id = Id("whd")
    endpoint = Id("whe", via="endpoint")
    event = Id("evt", via="event")
    type = Computed(TEXT, lambda row, reading: row.event.type, help_text="Type of the event.")
    log = Part(
        WebhookTryShape, lambda row: row.log.all(), many=True, name="log", only_expanded=True,
        help_text="Every try, the first one first; null in lists unless expanded.",
    )  # fmt: skip

    class Meta:
        model = WebhookDelivery
        fields = (
            "id", "endpoint", "event", "type", "state", "tries", "due_at", "last_status", "last_error", "log",
            "created_at", "closed_at",
        )  # fmt: skip


class ResentShape(PlainShape):
    """How many deliveries are on their way again."""

    deliveries = Computed({"type": "integer"}, lambda row, reading: row)


def _types(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(
        child=Text(max_length=62), max_length=200, allow_empty=False,
        help_text="Types such as invoice.issued, all of a noun as invoice.*, or everything as *.", **kwargs,
    )  # fmt: skip


class WebhookEndpointInput(Body):
    """Where to send which events."""

    url = Text(max_length=URL_LENGTH, help_text="With https://; its addresses have to be public.")
    types = _types()
    description = Text(required=False, allow_blank=True, max_length=200, help_text="What it is for.")


class WebhookEndpointChanges(Body):
    """What is to change."""

    url = Text(required=False, max_length=URL_LENGTH, help_text="With https://; its addresses have to be public.")
    types = _types(required=False)
    description = Text(required=False, allow_blank=True, max_length=200, help_text="What it is for.")


class RotationInput(Body):
    """How long the previous secret goes on."""

    overlap_hours = Whole(
        required=False, min_value=0, max_value=webhook_endpoints.MOST_OVERLAP,
        help_text="Hours that the previous secret signs beside the new one; 24 when left out.",
    )  # fmt: skip


class ResendInput(Body):
    """From when on."""

    since = Instant(help_text="What failed for good since then.")
    with_missed = Yes(required=False, help_text="Also events since then that it was never owed.")


class EndpointView(ResourceView):
    tag = "Webhooks"
    places: ClassVar[dict[str, Any]] = {"endpoint": "whe", "delivery": "whd"}
    model, shape = WebhookEndpoint, WebhookEndpointShape


class Endpoints(EndpointView):
    @operation(
        "List webhook endpoints", right=READ, answer=WebhookEndpointShape, paged=True,
        filters=[Filter("is_active", "yes", help="Whether it is told what happens.")],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a webhook endpoint", right=WRITE, body=WebhookEndpointInput, answer=WebhookSecretShape, status=201,
        description="It hears of what happens from now on. The secret is answered this once.", refusals=URL_REFUSALS,
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        made = webhook_endpoints.create(company=self.company, by=self.by, at=self.at, **given)
        return self.shaped(WebhookSecretShape, made, 201)


class OneEndpoint(EndpointView):
    @operation("Get a webhook endpoint", right=READ, answer=WebhookEndpointShape)
    def get(self, request: Request, endpoint: str) -> HttpResponse:
        return self.one(self.find(endpoint))

    @operation(
        "Change a webhook endpoint", right=WRITE, body=WebhookEndpointChanges, answer=WebhookEndpointShape,
        refusals=URL_REFUSALS,
    )  # fmt: skip
    def patch(self, request: Request, given: dict[str, Any], endpoint: str) -> HttpResponse:
        return self.fresh(webhook_endpoints.update(endpoint=self.find(endpoint), by=self.by, at=self.at, **given))

    @operation(
        "Switch a webhook endpoint off", right=WRITE, answer=None, status=204,
        description="Nothing is sent to it any more; what waits is given up. It stays, with what it was sent.",
    )  # fmt: skip
    def delete(self, request: Request, endpoint: str) -> HttpResponse:
        webhook_endpoints.disable(endpoint=self.find(endpoint), by=self.by, at=self.at)
        return HttpResponse(status=204)


class Enable(EndpointView):
    @operation(
        "Use a webhook endpoint again", right=WRITE, answer=WebhookEndpointShape, refusals=URL_REFUSALS,
        description="For what happens from now on; what it missed can be sent with resend.",
    )  # fmt: skip
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        return self.fresh(webhook_endpoints.enable(endpoint=self.find(endpoint), by=self.by, at=self.at))


class Rotate(EndpointView):
    @operation(
        "Give a webhook endpoint a new secret", right=WRITE, body=RotationInput, answer=WebhookSecretShape,
        description="The secret is answered this once. Until the previous one ends, both sign.",
        refusals=["webhook.overlap"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], endpoint: str) -> HttpResponse:
        made = webhook_endpoints.rotate(endpoint=self.find(endpoint), by=self.by, at=self.at, **given)
        return self.shaped(WebhookSecretShape, made)


class ResendSince(EndpointView):
    @operation(
        "Send again what a webhook endpoint missed", right=WRITE, body=ResendInput, answer=ResentShape,
        description="Under the same ids as before.", refusals=["webhook.not_active", "webhook.too_long_ago"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], endpoint: str) -> HttpResponse:
        count = webhook_resending.resend_since(endpoint=self.find(endpoint), by=self.by, at=self.at, **given)
        return self.shaped(ResentShape, count)


class DeliveryView(EndpointView):
    model, shape = WebhookDelivery, WebhookDeliveryShape
    shown_alone = frozenset({"log"})

    def rows(self) -> QuerySet[Any]:
        rows = self.model._default_manager.filter(company=self.company).select_related("endpoint", "event")
        wanted = "log" in self.asked.expand or self.request.method != "GET" or "delivery" in self.kwargs
        return rows.prefetch_related("log") if wanted else rows


class TestEndpoint(DeliveryView):
    @operation(
        "Test a webhook endpoint", right=WRITE, answer=WebhookDeliveryShape, refusals=["webhook.not_active"],
        description="Sends an event webhook_endpoint.tested to it alone. Answers with the delivery to look at.",
    )  # fmt: skip
    def post(self, request: Request, endpoint: str) -> HttpResponse:
        row = self.of(WebhookEndpoint, endpoint)
        return self.fresh(webhook_endpoints.test(endpoint=row, by=self.by, at=self.at))


class Deliveries(DeliveryView):
    @operation(
        "List webhook deliveries", right=READ, answer=WebhookDeliveryShape, paged=True, expand=("log",),
        filters=[
            Filter("endpoint", "ref", model=WebhookEndpoint, help="To whom."),
            Filter("event", "ref", model=Event, help="What happened."),
            Filter("type", "text", path="event__type", help="Type of the event."),
            Filter("state", "choice", choices=tuple(WebhookDelivery.State.values), help="Where it stands."),
            Filter("created", "instant", path="created_at", help="When it was written."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneDelivery(DeliveryView):
    @operation("Get a webhook delivery", right=READ, answer=WebhookDeliveryShape)
    def get(self, request: Request, delivery: str) -> HttpResponse:
        return self.one(self.find(delivery))


class Resend(DeliveryView):
    @operation(
        "Send a webhook delivery again", right=WRITE, answer=WebhookDeliveryShape, refusals=["webhook.not_active"],
        description="Under the same id, also one that was delivered.",
    )  # fmt: skip
    def post(self, request: Request, delivery: str) -> HttpResponse:
        return self.fresh(webhook_resending.resend(delivery=self.find(delivery), by=self.by, at=self.at))


urlpatterns = [
    path("webhook-endpoints", Endpoints.as_view()),
    path("webhook-endpoints/<str:endpoint>", OneEndpoint.as_view()),
    path("webhook-endpoints/<str:endpoint>/enable", Enable.as_view()),
    path("webhook-endpoints/<str:endpoint>/rotate-secret", Rotate.as_view()),
    path("webhook-endpoints/<str:endpoint>/test", TestEndpoint.as_view()),
    path("webhook-endpoints/<str:endpoint>/resend", ResendSince.as_view()),
    path("webhook-deliveries", Deliveries.as_view()),
    path("webhook-deliveries/<str:delivery>", OneDelivery.as_view()),
    path("webhook-deliveries/<str:delivery>/resend", Resend.as_view()),
]
