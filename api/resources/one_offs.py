"""One-off charges of a subscription: added, moved, billed early, canceled in time; each with its preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.fields import Amount, Day, Quantity, Ref, Text, Yes
from api.resources.acting import Plan, on_subscription, twins
from api.resources.details import DetailsInput
from api.resources.previews import TokenInput
from api.resources.subscriptions import SubscriptionView
from billing.services import acts_items
from billing.services.acting import ActResult
from catalog.models import Price, Product
from subscriptions.models import OneOff

CHANGE = "subscription.change"


class OneOffInput(TokenInput):
    """A one-off charge. What is left out comes from `price`, else from the plan's one-off charge of the product."""

    product = Ref(Product, help_text="What is supplied.")
    quantity = Quantity(required=False, help_text="Number of units; 1 when left out.")
    unit_amount = Amount(required=False, help_text="Price of one unit, or in all.")
    price = Ref(Price, required=False, help_text="A price version.")
    model = Text(required=False, max_length=20, help_text="How quantity counts; per_unit when left out.")
    details = DetailsInput(required=False, help_text="What the model needs beside the amount.")
    description = Text(required=False, allow_blank=True, max_length=400, help_text="Words on the document.")
    service_on = Day(required=False, help_text="Day of the supply; today when left out. It falls due then.")
    bill_now = Yes(required=False, help_text="Invoices it today, before its service day.")


class OneOffMoveInput(TokenInput):
    """Another service day."""

    service_on = Day(help_text="Day of the supply; it falls due then.")


def _planned(act: Callable[..., ActResult]) -> Plan:
    def plan(view: SubscriptionView, ids: dict[str, str], given: dict[str, Any]) -> Callable[[], ActResult]:
        row = view.of(OneOff, ids["one_off"])
        return lambda: act(one_off=row, by=view.by, at=view.at, **given)

    return plan


urlpatterns = [
    *twins(
        "subscriptions/<str:subscription>/one-offs", on_subscription(acts_items.add_one_off),
        "Add a one-off charge to a subscription", OneOffInput, right=CHANGE,
        description="Due on its service day, today at the earliest; `issued` names the documents.",
        refusals=("subscription.ended", "subscription.no_price"),
    ),
    *twins(
        "one-offs/<str:one_off>/cancel", _planned(acts_items.cancel_one_off), "Cancel a one-off charge", TokenInput,
        right=CHANGE, description="Before it is billed; afterwards a credit note on its line takes it back.",
        refusals=("one_off.billed",),
    ),
    *twins(
        "one-offs/<str:one_off>/move", _planned(acts_items.move_one_off),
        "Move a one-off charge to another service day", OneOffMoveInput, right=CHANGE,
        refusals=("one_off.billed", "subscription.service_after_end"),
    ),
    *twins(
        "one-offs/<str:one_off>/bill", _planned(acts_items.bill_one_off), "Bill a one-off charge now", TokenInput,
        right=CHANGE, description="Invoices it today, before its service day.", refusals=("one_off.billed",),
    ),
]  # fmt: skip
