"""Changes of a running subscription: of plan, price, quantity and positions; previewed, listed, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Day, Plain, Quantity, Ref, Text, Whole, Yes
from api.query import Filter
from api.resources.acting import twins
from api.resources.plans import PlanShape
from api.resources.previews import TokenInput
from api.resources.subscriptions import READ, SubscriptionShape, SubscriptionView
from api.shapes import Computed, Id, Link, Shape
from api.views import ResourceView, operation
from billing.services import acts_changing, acts_undoing
from billing.services.acting import ActResult
from catalog.models import Meter, Plan, Price, Product
from subscriptions.models import Change, Slot
from subscriptions.services.change_specs import ItemChange

CHANGE = "subscription.change"


class ItemChangeInput(Body):
    """What is to become of one position: of `item`, or of a new one that sells `product`. What is left out stays."""

    item = Ref(Slot, required=False, help_text="The position to change.")
    product = Ref(Product, required=False, help_text="What a new position sells; with a plan, which of its positions.")
    quantity = Quantity(required=False, help_text="Number of units.")
    unit_amount = Amount(required=False, help_text="Price of one unit, or the flat price, per interval.")
    price = Ref(Price, required=False, help_text="A price version.")
    model = Text(required=False, max_length=20, help_text="How quantity counts, such as per_unit or graduated.")
    details = Plain(required=False, help_text="What the model needs beside the amount, figures as text.")
    minimum_amount = Amount(required=False, help_text="Least charge per period.")
    billed = Text(required=False, max_length=7, help_text="advance or arrears.")
    is_prorated = Yes(required=False, help_text="Otherwise a started period costs the full price.")
    interval_unit = Text(required=False, max_length=5, help_text="Its cycle: day, week, month or year.")
    interval_count = Whole(required=False, min_value=1, max_value=366, help_text="How many units.")
    ends_on = Day(required=False, help_text="Its own last day of service.")
    remove = Yes(required=False, help_text="It ends with the day before the change.")
    kind = Text(required=False, max_length=9, help_text="Of a new one: recurring or usage.")
    meter = Ref(Meter, required=False, help_text="Of a new one by usage: what counts it.")


class ChangeInput(TokenInput):
    """Another plan, or what is to become of positions; from when, and how the running period counts."""

    plan = Ref(Plan, required=False, help_text="Another plan, at the prices on sale on the day of the change.")
    items = ItemChangeInput(many=True, required=False, help_text="Positions to change, to add or to remove.")
    timing = Text(
        required=False,
        max_length=10,
        help_text="now, period_end or date; when left out, now if it is worth as much or more, else period_end.",
    )
    effective_on = Day(required=False, help_text="First day of the new terms; with timing date.")
    proration = Text(
        required=False,
        max_length=7,
        help_text="prorate, or none: the running period stays as it is, and new terms are charged from the next one.",
    )
    keep_anchor = Yes(required=False, help_text="Another cycle is counted as before, not from the day of the change.")
    reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why.")
    override = Yes(required=False, help_text="Dates the change back; needs subscriptions:override.")
    override_reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why it is dated back.")


class ChangeShape(Shape):
    """One act on a running subscription, from the day it holds."""

    id = Id("chg")
    subscription = Link("sub", lambda: SubscriptionShape, name="subscription")
    plan = Link("pln", lambda: PlanShape, name="plan", allow_null=True)
    summary = Computed(
        {"type": "object"},
        lambda row, reading: row.summary,
        help_text="Positions with what stood there before and after, and planned changes it replaced.",
    )

    class Meta:
        model = Change
        fields = (
            "id", "subscription", "kind", "status", "effective_on", "proration", "plan", "summary", "reason",
            "asked_at", "closed_at",
        )  # fmt: skip


def _changed(view: SubscriptionView, ids: dict[str, str], given: dict[str, Any]) -> Callable[[], ActResult]:
    row = view.find(ids["subscription"])
    items = []
    for values in given.pop("items", ()):
        values = dict(values)
        items.append(ItemChange(slot=values.pop("item", None), **values))
    return lambda: acts_changing.change(subscription=row, items=items, by=view.by, at=view.at, **given)


def _undone(view: SubscriptionView, ids: dict[str, str], given: dict[str, Any]) -> Callable[[], ActResult]:
    rows = Change.objects.filter(company=view.company).select_related("subscription__company")
    row = Change.by_ref(rows, ids["change"])
    return lambda: acts_undoing.undo(change=row, by=view.by, at=view.at, **given)


class ChangeView(ResourceView):
    tag = "Subscriptions"
    places: ClassVar[dict[str, Any]] = {"subscription": "sub", "change": "chg"}
    model, shape = Change, ChangeShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("subscription", "plan")


class Changes(ChangeView):
    @operation(
        "List the changes of a subscription",
        right=READ,
        answer=ChangeShape,
        paged=True,
        filters=[
            Filter("status", "choice", choices=tuple(Change.Status.values), help="Where it stands."),
            Filter("kind", "choice", choices=tuple(Change.Kind.values), help="What it does."),
            Filter("effective_on", "day", help="First day of the new terms."),
        ],
        description="Planned ones and those that were made, newest first.",
    )
    def get(self, request: Request, subscription: str) -> HttpResponse:
        row = self.of_prefix("sub", subscription).get()
        return self.page(self.rows().filter(subscription=row))


urlpatterns = [
    *twins(
        "subscriptions/<str:subscription>/change", _changed, "Change a subscription", ChangeInput, right=CHANGE,
        description="Changes plan, prices, quantities or positions; the day of the change belongs to the new terms. "
        "Billed days are given back by a credit note and billed anew; `issued` names the documents.",
        refusals=("change.nothing", "subscription.act_in_the_past", "subscription.act_after_end"),
    ),
    path("subscriptions/<str:subscription>/changes", Changes.as_view()),
    *twins(
        "changes/<str:change>/undo", _undone, "Undo a change", TokenInput, right=CHANGE,
        description="Takes a planned change back, or one of today with what it billed.",
        refusals=("change.undo_too_late", "change.is_replaced", "change.later_first"),
    ),
]  # fmt: skip
