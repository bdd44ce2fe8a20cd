"""Subscriptions: how they are shown, their start with its preview, what comes next, the contract clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Currency, Day, Metadata, ModelBody, Ref, Text, Whole
from api.query import Filter, Order
from api.resources.customers import CustomerShape, with_addresses
from api.resources.details import Least
from api.resources.plans import RULES, PlanShape
from api.resources.positions import ItemInput, OneOffShape, SubscriptionItemShape, item_of
from api.resources.previews import PreviewShape, UpcomingListShape
from api.shapes import Computed, Id, Link, Part, PlainShape, Reading, Shape, amount_text, compiled
from api.views import ResourceView, operation
from billing.models import CreditNote, Invoice
from billing.services import acts, previews
from billing.services.acting import ActResult
from catalog.models import Plan
from core import clock
from customers.models import Customer
from customers.services.customers import currency_of, zone_of
from subscriptions.models import OneOff, Slot, SlotTerms, Subscription
from subscriptions.services import terms
from subscriptions.services.moves import ENDED

READ, START, CANCEL, OVERRIDE = (
    "subscription.read", "subscription.start", "subscription.cancel", "subscription.override",
)  # fmt: skip
DAY = {"type": "string", "format": "date"}


class ContractClockShape(PlainShape):
    """What notice given today can reach, and what happens without one. Days are last days of service."""

    cancel_by = Computed(DAY, lambda row, reading: row[0].cancel_by, allow_null=True)
    earliest_end = Computed(DAY, lambda row, reading: row[0].earliest_end)
    renews_on = Computed(DAY, lambda row, reading: row[0].renews_on, allow_null=True)
    term_start = Computed(DAY, lambda row, reading: row[0].term_start)
    term_end = Computed(DAY, lambda row, reading: row[0].term_end, allow_null=True)
    reasons = Computed({"type": "array", "items": {"type": "string"}}, lambda row, reading: list(row[0].reasons))
    in_words = Computed({"type": "array", "items": {"type": "string"}}, lambda row, reading: row[1])


def _clock(subscription: Subscription, reading: Reading) -> dict[str, Any] | None:
    if "contract_clock" not in reading.expand or subscription.state in ENDED:
        return None
    found = terms.contract_clock_of(subscription, on=clock.day_in(reading.at, subscription.time_zone))
    return compiled(ContractClockShape)((found, terms.in_words(found, reading.language)), reading)


class ParkedShape(PlainShape):
    """Why billing gave up on it."""

    at = Computed({"type": "string", "format": "date-time"}, lambda row, reading: row.parked_at)
    code = Computed({"type": "string"}, lambda row, reading: row.parked_code)
    detail = Computed({"type": "string"}, lambda row, reading: row.parked_detail)


class IssuedShape(PlainShape):
    """A document that an act issued."""

    kind = Computed({"type": "string", "enum": ["invoice", "credit_note"]}, lambda row, reading: _kind(row))
    id = Computed({"type": "string"}, lambda row, reading: row.ref)
    number = Computed({"type": "string"}, lambda row, reading: row.number)
    currency = Computed({"type": "string"}, lambda row, reading: row.currency)
    gross = Computed({"type": "string"}, lambda row, reading: amount_text(row.gross_minor, row.currency))


def _kind(row: Invoice | CreditNote) -> str:
    return "invoice" if isinstance(row, Invoice) else "credit_note"


class SubscriptionShape(Shape):
    """What is agreed with a customer."""

    id = Id("sub")
    number = Computed({"type": "string", "examples": ["SUB-000123"]}, lambda row, reading: row.number)
    customer = Link("cus", lambda: CustomerShape, name="customer")
    plan = Link("pln", lambda: PlanShape, name="plan", allow_null=True)
    items = Part(SubscriptionItemShape, lambda row: row.slots.all(), many=True)
    one_offs = Part(OneOffShape, lambda row: row.one_offs.all(), many=True, help_text="One-off charges, oldest first.")
    minimum_amount = Least(
        lambda row, reading: row.currency, help_text="Least charge per cycle over all items; null without one."
    )
    metadata = Computed({"type": "object"}, lambda row, reading: row.metadata)
    mrr = Computed(
        {"type": "string", "examples": ["12.50"]},
        lambda row, reading: amount_text(sum(slot.mrr_minor for slot in row.slots.all()), row.currency),
        help_text="Monthly recurring revenue now.",
    )
    parked = Part(ParkedShape, lambda row: row if row.parked_at else None, allow_null=True, help_text="Billing stands.")
    contract_clock = Computed(
        ContractClockShape, _clock, allow_null=True, help_text="Null in lists unless expanded, and once it has ended."
    )
    issued = Computed(
        [IssuedShape], lambda row, reading: _issued(row, reading), allow_null=True, help_text="Only in answers to acts."
    )

    class Meta:
        model = Subscription
        fields = (
            "id", "number", "customer", "plan", "name", "description", "state", "currency", "tax_behavior", "time_zone",
            "start_on", "paid_from_on", "term_start_on", "term_ends_on", "ends_on", "end_kind", "end_unused",
            "end_reason", "end_comment", "cancel_asked_at", "paused_from_on", "resumes_on", "suspended_from_on",
            "suspended_billing", "trial_usage", "next_bill_on", "next_move_on", "items", "one_offs",
            "minimum_amount", "mrr", "parked",
            "contract_clock", "issued", *RULES, "payment_terms_days", "payment_terms_from", "po_reference",
            "external_id", "metadata", "created_at",
        )  # fmt: skip


def _issued(row: Subscription, reading: Reading) -> list[dict[str, Any]] | None:
    documents = getattr(row, "issued_documents", None)
    return None if documents is None else [compiled(IssuedShape)(document, reading) for document in documents]


class OverridesInput(ModelBody):
    """What differs from the plan."""

    trial_days = Whole(required=False, min_value=0, max_value=3660, help_text="Free days at the start.")
    minimum_amount = Amount(required=False, help_text="Least charge per cycle over all items; 0: none.")

    class Meta:
        model = Subscription
        fields = (
            *RULES, "trial_days", "trial_usage", "suspended_billing", "minimum_amount", "description",
            "payment_terms_days", "payment_terms_from", "tax_behavior", "time_zone",
        )  # fmt: skip
        extra_kwargs: ClassVar[dict[str, Any]] = {"time_zone": {"required": False}}


class StartInput(ModelBody):
    """A subscription to be agreed: from a plan, from items, or from a plan with items in place of its own."""

    customer = Ref(Customer, help_text="Who pays.")
    plan = Ref(Plan, required=False, help_text="Template.")
    items = ItemInput(many=True, required=False, help_text="Positions, in place of the plan's.")
    add_ons = ItemInput(many=True, required=False, help_text="Add-ons of the plan that were chosen, on top.")
    start_on = Day(help_text="First day of service, in the past or to come.")
    currency = Currency(required=False, help_text="When left out, the customer's.")
    overrides = OverridesInput(required=False, help_text="What differs from the plan.")
    metadata = Metadata(required=False, help_text="Keys and values of your own.")
    billed_through_on = Day(required=False, help_text="Earlier days were billed elsewhere.")
    offer_code = Text(required=False, allow_blank=True, max_length=40, help_text="A code that gives a discount.")
    preview_token = Text(required=False, max_length=100, help_text="Of the preview; refused when figures differ now.")

    class Meta:
        model = Subscription
        fields = (
            "customer", "plan", "items", "add_ons", "start_on", "currency", "name", "overrides", "po_reference",
            "external_id", "metadata", "billed_through_on", "offer_code", "preview_token",
        )  # fmt: skip
        extra_kwargs: ClassVar[dict[str, Any]] = {"name": {"required": False}}


class SubscriptionView(ResourceView):
    tag = "Subscriptions"
    places: ClassVar[dict[str, Any]] = {
        "subscription": "sub", "change": "chg", "one_off": "oof", "agreed_discount": "agd",
    }  # fmt: skip
    model, shape, order = Subscription, SubscriptionShape, Order("created_at")
    shown_alone = frozenset({"contract_clock"})
    links = ("customer",)

    def rows(self) -> QuerySet[Any]:
        slots = Slot.objects.order_by("position", "id")
        slots = slots.select_related("product__tax_category", "subscription", "meter")
        held = SlotTerms.objects.order_by("from_on").select_related("price")
        one_offs = OneOff.objects.order_by("id").select_related("product__tax_category", "price")
        rows = super().rows().select_related("customer", "plan")
        rows = rows.prefetch_related(
            Prefetch("slots", slots), Prefetch("slots__terms", held), Prefetch("one_offs", one_offs)
        )
        if "customer" in self.asked.expand:
            rows = rows.prefetch_related(with_addresses("customer__"))
        if "plan" in self.asked.expand:
            parts = ("product__tax_category", "meter", "prices")
            rows = rows.prefetch_related(*(f"plan__items__{part}" for part in parts))
        return rows

    def start(self, given: dict[str, Any]) -> ActResult:
        values = dict(given)
        currency = values.get("currency") or currency_of(values["customer"])
        for name in ("items", "add_ons"):
            if values.get(name) is not None:
                values[name] = [item_of(item, currency) for item in values[name]]
        zone = values.get("overrides", {}).get("time_zone") or zone_of(values["customer"])
        day = clock.day_in(self.at, zone)
        return acts.start(company=self.company, on=day, by=self.by, at=self.at, **values)

    def done(self, result: ActResult, status: int = 200) -> HttpResponse:
        row = self.rows().get(pk=result.subscription.pk)
        notes = CreditNote.objects.filter(pk__in=result.settlement.credit_note_ids).order_by("pk")
        invoices = Invoice.objects.filter(pk__in=result.settlement.invoice_ids).order_by("pk")
        row.issued_documents = [*notes, *invoices]
        return self.one(row, status)

    def seen(self, act: Callable[[], ActResult]) -> HttpResponse:
        return self.shaped(PreviewShape, previews.preview(act))


class Subscriptions(SubscriptionView):
    @operation(
        "List subscriptions",
        right=READ,
        answer=SubscriptionShape,
        paged=True,
        expand=("customer", "plan", "product", "price", "contract_clock"),
        filters=[
            Filter("state", "choice", choices=tuple(Subscription.State.values), help="Where it stands."),
            Filter("customer", "ref", model=Customer, help="Who pays."),
            Filter("plan", "ref", model=Plan, help="Template it was agreed from."),
            Filter("external_id", "text", help="Your own id."),
            Filter("ends_on", "day", help="Last day of service."),
            Filter("next_bill_on", "day", help="Next due day."),
            Filter("created", "instant", path="created_at", help="When it was agreed."),
            Filter(
                "parked", "yes", build=lambda _, value: Q(parked_at__isnull=not value), help="Billing gave up on it."
            ),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Start a subscription",
        right=START,
        body=StartInput,
        answer=SubscriptionShape,
        status=201,
        description="Agrees it and bills what is due today; `issued` names the documents.",
        refusals=["preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.done(self.start(given), 201)


class PreviewStart(SubscriptionView):
    @operation(
        "Preview the start of a subscription",
        right=START,
        body=StartInput,
        answer=PreviewShape,
        description="Does everything starting would do, shows it and takes it back.",
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        given.pop("preview_token", None)
        return self.seen(lambda: self.start(given))


class OneSubscription(SubscriptionView):
    @operation(
        "Get a subscription", right=READ, answer=SubscriptionShape, expand=("customer", "plan", "product", "price")
    )
    def get(self, request: Request, subscription: str) -> HttpResponse:
        return self.one(self.find(subscription))


class UpcomingInvoices(SubscriptionView):
    @operation(
        "List upcoming invoices of a subscription",
        right=READ,
        answer=UpcomingListShape,
        filters=[Filter("count", "whole", is_value=True, most=24, help="How many; 3 when left out.")],
        description="The next invoices if nothing changes. They can't know later changes of rates or prices.",
    )
    def get(self, request: Request, subscription: str) -> HttpResponse:
        found = previews.upcoming(self.find(subscription), self.asked.values.get("count", 3))
        return self.shaped(UpcomingListShape, found)


urlpatterns = [
    path("subscriptions", Subscriptions.as_view()),
    path("subscriptions/preview", PreviewStart.as_view()),
    path("subscriptions/<str:subscription>", OneSubscription.as_view()),
    path("subscriptions/<str:subscription>/upcoming", UpcomingInvoices.as_view()),
]
