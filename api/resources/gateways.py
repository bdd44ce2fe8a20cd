"""Gateways, read only, and their providers' messages with a replay. Secrets are written by staff and shown nowhere."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.problems import Problem
from api.query import Filter
from api.shapes import Computed, Id, Shape
from api.views import ResourceView, operation
from billing.models import Gateway, GatewayEvent
from billing.services import incoming
from core.refusal import Refused

READ, SETTINGS = "payment.read", "settings.write"


class GatewayShape(Shape):
    """A way the company takes money. Secrets are not shown."""

    id = Id("gwy")

    class Meta:
        model = Gateway
        fields = ("id", "kind", "name", "is_active", "synced_at", "created_at")


class GatewayEventShape(Shape):
    """A provider's message: what it is about, and what came of it. Its body holds personal data and is not shown."""

    gateway = Id("gwy", via="gateway")
    id = Computed(
        {"type": "string", "examples": ["evt_1PqS4o"]},
        lambda row, reading: row.external_id,
        help_text="The provider's id of the message.",
    )

    class Meta:
        model = GatewayEvent
        fields = ("id", "gateway", "type", "source", "state", "tries", "outcome", "received_at", "done_at")


class GatewayView(ResourceView):
    tag = "Gateways"
    places: ClassVar[dict[str, Any]] = {"gateway": "gwy", "provider_event": None}
    model, shape = Gateway, GatewayShape


class Gateways(GatewayView):
    @operation(
        "List gateways",
        right=READ,
        answer=GatewayShape,
        paged=True,
        filters=[Filter("kind", "choice", choices=tuple(Gateway.Kind.values), help="Which provider or bank way.")],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneGateway(GatewayView):
    @operation("Get a gateway", right=READ, answer=GatewayShape)
    def get(self, request: Request, gateway: str) -> HttpResponse:
        return self.one(self.find(gateway))


class EventView(GatewayView):
    model, shape = GatewayEvent, GatewayEventShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().defer("body", "headers").select_related("gateway")

    def event(self, gateway: str, external_id: str) -> GatewayEvent:
        wanted = external_id[:120].replace("\0", "")
        found: GatewayEvent | None = self.rows().filter(gateway=self.of(Gateway, gateway), external_id=wanted).first()
        if found is None:
            raise Problem(404, "not_found")
        return found


class GatewayEvents(EventView):
    @operation(
        "List a provider's messages",
        right=READ,
        answer=GatewayEventShape,
        paged=True,
        filters=[
            Filter("state", "choice", choices=tuple(GatewayEvent.State.values), help="Where it stands."),
            Filter("type", "text", help="The provider's name of what happened."),
        ],
    )
    def get(self, request: Request, gateway: str) -> HttpResponse:
        return self.page(self.rows().filter(gateway=self.of(Gateway, gateway)))


class ReplayEvent(EventView):
    @operation(
        "Replay a provider's message",
        right=SETTINGS,
        answer=GatewayEventShape,
        description="Applies it anew, also one that failed for good; what it already did isn't done twice.",
        refusals=["gateway.unreachable"],
        apart=True,
    )
    def post(self, request: Request, gateway: str, provider_event: str) -> HttpResponse:
        row = self.event(gateway, provider_event)
        full = GatewayEvent.objects.select_related("gateway__company").get(pk=row.pk)
        try:
            incoming.replay(event=full, by=self.by, at=self.at)
        except Refused:
            raise
        except Exception as error:
            # The provider may be down: the message stays, and says why.
            raise Refused("gateway.unreachable", gateway=full.gateway.name, error=type(error).__name__) from error
        return self.fresh(row)


urlpatterns = [
    path("gateways", Gateways.as_view()),
    path("gateways/<str:gateway>", OneGateway.as_view()),
    path("gateways/<str:gateway>/events", GatewayEvents.as_view()),
    path("gateways/<str:gateway>/events/<str:provider_event>/replay", ReplayEvent.as_view()),
]
