"""Usage events in batches, and what subscriptions have used so far."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Amount, Body, Quantity, Ref, minor_of
from api.query import ByPlace, Filter
from api.shapes import Computed, Id, Number, Part, PlainShape, Shape, Sum, amount_text, number_text
from api.views import ApiView, ResourceView, operation
from billing.services import current_usage, using
from billing.services.current_usage import CurrentUsage
from billing.services.using import TakenIn
from catalog.models import Meter
from core.refusal import Refused
from subscriptions.models import Slot, Subscription, UsageEvent, UsageRefusal
from subscriptions.services.usage_thresholds import set_thresholds

READ, WRITE = "usage.read", "usage.write"
MOST_EVENTS = 10_000
TEXT, COUNT = {"type": "string"}, {"type": "integer"}
DAY, INSTANT = {"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}
NUMBER = Sum.SCHEMA


# Events ---------------------------------------------------------------------------------------------------------------


@extend_schema_field(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_EVENTS,
        "items": {
            "type": "object",
            "required": ["meter", "event_id", "subscription", "at"],
            "properties": {
                "meter": TEXT | {"maxLength": 60, "description": "Code of the meter."},
                "event_id": TEXT | {"maxLength": 120, "description": "Your id; counted once per meter."},
                "subscription": TEXT | {"maxLength": 120, "description": "Its id, or the external id you gave it."},
                "at": INSTANT | {"description": "When it happened."},
                "value": {
                    "type": ["string", "integer", "null"],
                    "description": "Number as text, or an integer; may be left out where events are counted.",
                },
                "key": TEXT | {"maxLength": 200, "description": "What is counted once, where different ones count."},
            },
        },
    }
)
class SentEvents(serializers.Field):
    """Events as they are sent. A bad one is named in the answer and stops no other."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list) or not 1 <= len(data) <= MOST_EVENTS:
            raise serializers.ValidationError(
                Refused(
                    "number.range", value=len(data) if isinstance(data, list) else 0, least=1, most=MOST_EVENTS
                ).message,
                code="number.range",
            )
        return data


class EventsInput(Body):
    """A batch of usage events."""

    events = SentEvents(help_text=f"Up to {MOST_EVENTS:,} events.")


class EventResultShape(PlainShape):
    """What became of one event of a batch."""

    index = Computed(COUNT, lambda row, reading: row["index"], help_text="Its place in the batch, from 0.")
    status = Computed(
        {"type": "string", "enum": ["accepted", "duplicate", "refused"]}, lambda row, reading: row["status"]
    )
    field = Computed(TEXT, lambda row, reading: row["field"], allow_null=True, help_text="The member at fault.")
    code = Computed(TEXT, lambda row, reading: row["code"], allow_null=True, help_text="Why it does not count.")
    message = Computed(TEXT, lambda row, reading: row["message"], allow_null=True, help_text="The same in words.")


def _results(taken: TakenIn, count: int) -> list[dict[str, Any]]:
    nothing = {"field": None, "code": None, "message": None}
    results = [{"index": index, "status": "accepted", **nothing} for index in range(count)]
    for index in taken.ingested.duplicates:
        results[index]["status"] = "duplicate"
    for bad in taken.ingested.refused:
        message = Refused(bad.code).message
        results[bad.place] |= {"status": "refused", "field": bad.field, "code": bad.code, "message": message}
    return results


class TakenInShape(PlainShape):
    """What became of a batch. Sending it again is harmless."""

    accepted = Computed(COUNT, lambda row, reading: row[0].ingested.accepted, help_text="New, and counted.")
    duplicates = Computed(COUNT, lambda row, reading: len(row[0].ingested.duplicates), help_text="Known already.")
    refused = Computed(COUNT, lambda row, reading: len(row[0].ingested.refused), help_text="Not counted.")
    results = Part(EventResultShape, lambda row: _results(*row), many=True, help_text="In the order they were sent.")


class UsageEventShape(Shape):
    """An event that counts."""

    meter = Computed(TEXT, lambda row, reading: row.meter.code, help_text="Code of the meter.")
    subscription = Id("sub", via="subscription")
    value = Number("value", help_text="Quantity, level or amount; 1 where events are counted.")

    class Meta:
        model = UsageEvent
        fields = ("meter", "event_id", "subscription", "at", "value", "key", "received_at")


class UsageRefusalShape(Shape):
    """An event that was known by its meter and subscription, and does not count."""

    meter = Computed(TEXT, lambda row, reading: row.meter.code, help_text="Code of the meter.")
    subscription = Id("sub", via="subscription")
    value = Number("value", help_text="As it was sent.")
    message = Computed(TEXT, lambda row, reading: Refused(row.code).message, help_text="Why, in words.")

    class Meta:
        model = UsageRefusal
        fields = ("meter", "event_id", "subscription", "at", "value", "key", "code", "message", "received_at")


FILTERS = [
    Filter("meter", "ref", model=Meter, help="What counts it."),
    Filter("subscription", "ref", model=Subscription, help="Whose usage."),
    Filter("event_id", "text", help="Your id."),
    Filter("at", "instant", help="When it happened."),
    Filter("received", "instant", path="received_at", help="When it came in."),
]


class EventView(ResourceView):
    tag = "Usage"
    places: ClassVar[dict[str, Any]] = {}
    order = ByPlace()
    body_limit = 8 * 1024 * 1024

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("meter", "subscription")


class UsageEvents(EventView):
    model, shape = UsageEvent, UsageEventShape

    @operation("List usage events", right=READ, answer=UsageEventShape, paged=True, filters=FILTERS)
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Send usage events",
        right=WRITE,
        body=EventsInput,
        answer=TakenInShape,
        description="An event counts once per meter and event id, whatever the order and however often it is sent. "
        "A bad event is named in `results` and stops no other.",
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        taken = using.take_in(company=self.company, events=given["events"], at=self.at, by=self.by)
        return self.shaped(TakenInShape, (taken, len(given["events"])))


class UsageRefusals(EventView):
    model, shape = UsageRefusal, UsageRefusalShape

    @operation(
        "List events that don't count",
        right=READ,
        answer=UsageRefusalShape,
        paged=True,
        filters=[*FILTERS, Filter("code", "text", help="Why it does not count.")],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


# What was used so far -------------------------------------------------------------------------------------------------


class UsedDayShape(PlainShape):
    """A day with events, in the subscription's zone."""

    day = Computed(DAY, lambda row, reading: row.day)
    events = Computed(COUNT, lambda row, reading: row.event_count)
    quantity = Computed(
        NUMBER, lambda row, reading: number_text(row.quantity), help_text="Of that day alone; of levels, the change."
    )


class ThresholdShape(PlainShape):
    """A quantity or a cost whose passing is told."""

    quantity = Computed(
        NUMBER, lambda row, reading: None if row[0].quantity is None else number_text(row[0].quantity), allow_null=True
    )
    cost = Computed(
        NUMBER,
        lambda row, reading: None if row[0].cost_minor is None else amount_text(row[0].cost_minor, row[1]),
        allow_null=True,
    )
    told = Computed(
        {"type": "boolean"},
        lambda row, reading: row[0].told_for_on is not None and row[0].told_for_on >= row[2],
        help_text="Passed in this period.",
    )


class CurrentUsageShape(PlainShape):
    """What one item has used in its running period. `period_end` is the first day it doesn't cover."""

    item = Computed(TEXT | {"examples": ["sit_01h455vb4pex5vsknk084sn02q"]}, lambda row, reading: row.slot.ref)
    product = Computed(
        TEXT | {"examples": ["prd_01h455vb4pex5vsknk084sn02q"]}, lambda row, reading: row.slot.product.ref
    )
    meter = Computed(TEXT, lambda row, reading: row.slot.meter.code, help_text="Code of the meter.")
    period_start = Computed(DAY, lambda row, reading: row.start)
    period_end = Computed(DAY, lambda row, reading: row.end)
    start_at = Computed(INSTANT, lambda row, reading: row.start_at)
    end_at = Computed(INSTANT, lambda row, reading: row.end_at)
    quantity = Computed(NUMBER, lambda row, reading: number_text(row.quantity))
    events = Computed(COUNT, lambda row, reading: row.event_count)
    currency = Computed(TEXT, lambda row, reading: row.currency)
    cost = Computed(
        NUMBER,
        lambda row, reading: amount_text(row.cost_minor, row.currency),
        help_text="So far, before discounts; net or gross as the subscription's prices.",
    )
    billed = Computed(
        NUMBER, lambda row, reading: amount_text(row.billed_minor, row.currency), help_text="Of it, billed already."
    )
    is_free = Computed({"type": "boolean"}, lambda row, reading: row.is_free, help_text="Usage of a trial.")
    days = Part(UsedDayShape, lambda row: row.days, many=True, help_text="Days with events.")
    thresholds = Part(ThresholdShape, lambda row: [(one, row.currency, row.start) for one in row.thresholds], many=True)


class CurrentUsageListShape(PlainShape):
    """What a subscription has used so far, item by item."""

    data = Part(CurrentUsageShape, lambda row: row, many=True)


class ThresholdInput(Body):
    """A quantity, or a cost in the subscription's currency."""

    quantity = Quantity(required=False, help_text="Quantity of the period.")
    cost = Amount(required=False, help_text="Cost of the period so far.")


class ThresholdsInput(Body):
    """The thresholds of an item, in place of those it has."""

    item = Ref(Slot, help_text="An item of this subscription that is charged by usage.")
    thresholds = ThresholdInput(many=True, help_text="None takes them all away.")


class UsageView(ApiView):
    tag = "Usage"
    places: ClassVar[dict[str, Any]] = {"subscription": "sub"}

    def shown(self, subscription: Subscription) -> HttpResponse:
        found: list[CurrentUsage] = current_usage.current(subscription, self.at)
        return self.shaped(CurrentUsageListShape, found)


class SubscriptionUsage(UsageView):
    @operation(
        "Get the current usage of a subscription",
        right=READ,
        answer=CurrentUsageListShape,
        description="Each item that is charged by usage: quantity and cost of its running period so far, by day.",
    )
    def get(self, request: Request, subscription: str) -> HttpResponse:
        return self.shown(self.of(Subscription, subscription))


class UsageThresholds(UsageView):
    @operation(
        "Set usage thresholds",
        right="subscription.change",
        body=ThresholdsInput,
        answer=CurrentUsageListShape,
        description="Passing one is told once a period, by an event of the type usage.threshold_passed.",
        refusals=["usage.position_only", "usage.threshold_form"],
    )
    def post(self, request: Request, given: dict[str, Any], subscription: str) -> HttpResponse:
        row = self.of(Subscription, subscription)
        slot: Slot = given["item"]
        if slot.subscription_id != row.pk:
            raise Refused("usage.position_only", field="item")
        wanted = [
            (
                one.get("quantity"),
                minor_of(one["cost"], row.currency, field="thresholds") if "cost" in one else None,
            )
            for one in given["thresholds"]
        ]
        set_thresholds(slot=slot, thresholds=wanted, by=self.by, at=self.at)
        return self.shown(row)


urlpatterns = [
    path("usage-events", UsageEvents.as_view()),
    path("usage-refusals", UsageRefusals.as_view()),
    path("subscriptions/<str:subscription>/usage", SubscriptionUsage.as_view()),
    path("subscriptions/<str:subscription>/usage-thresholds", UsageThresholds.as_view()),
]
