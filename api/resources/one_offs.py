"""Single charges of a subscription: added, moved, billed early, canceled in time; each with its preview."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Day, Quantity, Ref, Text, Yes
from api.resources.details import DetailsInput
from api.resources.previews import PreviewShape
from api.resources.subscriptions import SubscriptionShape, SubscriptionView, UndoInput
from api.views import operation
from billing.services import acts_items
from billing.services.acting import ActResult
from catalog.models import Price, Product
from subscriptions.models import OneOff, Subscription

CHANGE = "subscription.change"


class OneOffInput(Body):
    """A single charge. What is left out comes from `price`, else from the plan's single charge of the product."""

    product = Ref(Product, help_text="What is supplied.")
    quantity = Quantity(required=False, help_text="Number of units; 1 when left out.")
    unit_amount = Amount(required=False, help_text="Price of one unit, or in all.")
    price = Ref(Price, required=False, help_text="A price version.")
    model = Text(required=False, max_length=20, help_text="How quantity counts; per_unit when left out.")
    details = DetailsInput(required=False, help_text="What the model needs beside the amount.")
    description = Text(required=False, allow_blank=True, max_length=400, help_text="Words on the document.")
    service_on = Day(required=False, help_text="Day of the supply; today when left out. It falls due then.")
    bill_now = Yes(required=False, help_text="Invoices it today, before its service day.")
    preview_token = Text(required=False, max_length=100, help_text="Of the preview; refused when figures differ now.")


class OneOffMoveInput(Body):
    """Another service day."""

    service_on = Day(help_text="Day of the supply; it falls due then.")
    preview_token = Text(required=False, max_length=100, help_text="Of the preview; refused when figures differ now.")


class OneOffView(SubscriptionView):
    places: ClassVar[dict[str, Any]] = {"subscription": "sub", "one_off": "oof"}

    def add(self, row: Subscription, given: dict[str, Any]) -> ActResult:
        return acts_items.add_one_off(subscription=row, by=self.by, at=self.at, **given)

    def one_off(self, ref: str) -> OneOff:
        found: OneOff = self.of(OneOff, ref)
        return found

    def take_back(self, ref: str, given: dict[str, Any]) -> ActResult:
        return acts_items.cancel_one_off(one_off=self.one_off(ref), by=self.by, at=self.at, **given)

    def move(self, ref: str, given: dict[str, Any]) -> ActResult:
        return acts_items.move_one_off(one_off=self.one_off(ref), by=self.by, at=self.at, **given)

    def bill(self, ref: str, given: dict[str, Any]) -> ActResult:
        return acts_items.bill_one_off(one_off=self.one_off(ref), by=self.by, at=self.at, **given)


class OneOffs(OneOffView):
    @operation(
        "Add a single charge to a subscription",
        right=CHANGE,
        body=OneOffInput,
        answer=SubscriptionShape,
        description="Due on its service day, today at the earliest; `issued` names the documents.",
        refusals=["subscription.ended", "subscription.no_price", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], subscription: str) -> HttpResponse:
        return self.done(self.add(self.find(subscription), given))


class PreviewOneOff(OneOffView):
    @operation("Preview a single charge", right=CHANGE, body=OneOffInput, answer=PreviewShape)
    def post(self, request: Request, given: dict[str, Any], subscription: str) -> HttpResponse:
        row = self.find(subscription)
        return self.seen(lambda: self.add(row, given))


class CancelOneOff(OneOffView):
    @operation(
        "Cancel a single charge",
        right=CHANGE,
        body=UndoInput,
        answer=SubscriptionShape,
        description="Before it is billed; afterwards a credit note on its line takes it back.",
        refusals=["one_off.billed", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], one_off: str) -> HttpResponse:
        return self.done(self.take_back(one_off, given))


class PreviewCancelOneOff(OneOffView):
    @operation("Preview the cancellation of a single charge", right=CHANGE, body=UndoInput, answer=PreviewShape)
    def post(self, request: Request, given: dict[str, Any], one_off: str) -> HttpResponse:
        return self.seen(lambda: self.take_back(one_off, given))


class MoveOneOff(OneOffView):
    @operation(
        "Move a single charge to another service day",
        right=CHANGE,
        body=OneOffMoveInput,
        answer=SubscriptionShape,
        refusals=["one_off.billed", "subscription.service_after_end", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], one_off: str) -> HttpResponse:
        return self.done(self.move(one_off, given))


class PreviewMoveOneOff(OneOffView):
    @operation("Preview moving a single charge", right=CHANGE, body=OneOffMoveInput, answer=PreviewShape)
    def post(self, request: Request, given: dict[str, Any], one_off: str) -> HttpResponse:
        return self.seen(lambda: self.move(one_off, given))


class BillOneOff(OneOffView):
    @operation(
        "Bill a single charge now",
        right=CHANGE,
        body=UndoInput,
        answer=SubscriptionShape,
        description="Invoices it today, before its service day.",
        refusals=["one_off.billed", "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], one_off: str) -> HttpResponse:
        return self.done(self.bill(one_off, given))


class PreviewBillOneOff(OneOffView):
    @operation("Preview billing a single charge now", right=CHANGE, body=UndoInput, answer=PreviewShape)
    def post(self, request: Request, given: dict[str, Any], one_off: str) -> HttpResponse:
        return self.seen(lambda: self.bill(one_off, given))


urlpatterns = [
    path("subscriptions/<str:subscription>/one-offs", OneOffs.as_view()),
    path("subscriptions/<str:subscription>/one-offs/preview", PreviewOneOff.as_view()),
    path("one-offs/<str:one_off>/cancel", CancelOneOff.as_view()),
    path("one-offs/<str:one_off>/cancel/preview", PreviewCancelOneOff.as_view()),
    path("one-offs/<str:one_off>/move", MoveOneOff.as_view()),
    path("one-offs/<str:one_off>/move/preview", PreviewMoveOneOff.as_view()),
    path("one-offs/<str:one_off>/bill", BillOneOff.as_view()),
    path("one-offs/<str:one_off>/bill/preview", PreviewBillOneOff.as_view()),
]
