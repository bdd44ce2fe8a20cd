"""Reminder rules, the offers they carry, what was sent with its effect, and the law's notices of renewals."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db.models import QuerySet, UUIDField
from django.db.models.expressions import RawSQL
from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Amount, ModelBody, Ref, Refs, Text, Texts, minor_of
from api.query import Filter, archived
from api.shapes import Computed, Id, Part, PlainShape, Shape, Sum, amount_text
from api.views import ApiView, ResourceView, operation
from catalog.models import Discount, Plan, Product
from core.ids import encode
from crm.models import Offer, Reminder, ReminderRule, Segment
from crm.services import offers, reminder_rules
from crm.services.effects import Effect, Group, effects
from customers.models import Customer
from subscriptions.models import RenewalNotice, Subscription

READ, WRITE = "reminder.read", "reminder.write"
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
REFS = {"type": "array", "items": {"type": "string"}}
COUNT = {"type": "integer"}


def _refs(prefix: str, name: str) -> Any:
    return lambda row, reading: [encode(prefix, one) for one in getattr(row, name)]


class ReminderRuleShape(Shape):
    """When customers are reminded of what, which of them, and what they are offered."""

    id = Id("rrl")
    subject = Computed(TEXTS, lambda row, reading: row.subject, help_text="Own subject by language.")
    body = Computed(TEXTS, lambda row, reading: row.body, help_text="Own words by language.")
    offer = Id("rof", via="offer", allow_null=True, help_text="What is offered with it.")
    segment = Id("seg", via="segment", allow_null=True, help_text="Only customers of this segment.")
    countries = Computed(REFS, lambda row, reading: list(row.countries), help_text="Of billing addresses; none: all.")
    plans = Computed(REFS, _refs("pln", "plan_refs"), help_text="Only for these plans; none: all.")
    products = Computed(REFS, _refs("prd", "product_refs"), help_text="Only with one of these products; none: all.")
    smallest_amount = Sum("minimum_minor", currency="company.currency", help_text="Of monthly revenue or the sum open.")

    class Meta:
        model = ReminderRule
        fields = (
            "id", "name", "occasion", "days", "late_days", "category", "channel", "text", "subject", "body", "offer",
            "segment", "customer_kind", "language", "countries", "plans", "products", "cycle_unit",
            "shortest_term_months", "smallest_amount", "only_stale_method", "is_active", "created_at",
        )  # fmt: skip


class OfferShape(Shape):
    """A discount with words of its own that a reminder can carry."""

    id = Id("rof")
    discount = Id("dsc", via="discount", help_text="What it gives.")
    words = Computed(TEXTS, lambda row, reading: row.words, help_text="What the customer reads, by language.")

    class Meta:
        model = Offer
        fields = ("id", "name", "discount", "words", "valid_days", "customer_limit", "created_at", "archived_at")


class ReminderShape(Shape):
    """A customer was reminded of something, and what came of it."""

    id = Id("rem")
    rule = Id("rrl", via="rule")
    customer = Id("cus", via="customer")
    subscription = Id("sub", via="subscription", allow_null=True, help_text="About which subscription.")
    offer = Id("rof", via="offer", allow_null=True, help_text="What was offered.")
    message = Id("msg", via="message", allow_null=True, help_text="The mail as it was sent.")
    discount = Id("agd", via="agreed", allow_null=True, help_text="The discount that was given.")

    class Meta:
        model = Reminder
        fields = (
            "id", "rule", "customer", "subscription", "occasion_on", "offer", "offer_until_on", "message", "sent_at",
            "opened_at", "accepted_at", "discount", "taken_back_at", "renewed_at", "canceled_at",
        )  # fmt: skip


class RenewalNoticeShape(Shape):
    """A notice that the law wants before a renewal: when it was due, sent or missed."""

    id = Id("rnn")
    subscription = Id("sub", via="subscription")
    message = Id("msg", via="message", allow_null=True, help_text="The notice as it was sent.")

    class Meta:
        model = RenewalNotice
        fields = (
            "id", "subscription", "law", "term_ends_on", "cancel_by_on", "due_from_on", "due_until_on", "effect",
            "refund_days", "message", "body_hash", "sent_at", "missed_on",
        )  # fmt: skip


class MoneyShape(PlainShape):
    """An amount in one currency."""

    currency = Computed({"type": "string"}, lambda row, reading: row[0], help_text="ISO 4217.")
    amount = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[1], row[0]), help_text="In whole units.")


class ReminderEffectShape(PlainShape):
    """What a rule or an offer brought."""

    id = Computed({"type": "string"}, lambda row, reading: row.of.ref, help_text="The rule's or the offer's id.")
    name = Computed({"type": "string"}, lambda row, reading: row.of.name, help_text="Its name.")
    sent = Computed(COUNT, lambda row, reading: row.sent, help_text="Reminders made.")
    opened = Computed(COUNT, lambda row, reading: row.opened, help_text="Of these with the link opened.")
    accepted = Computed(COUNT, lambda row, reading: row.accepted, help_text="Of these with the offer taken.")
    renewed = Computed(COUNT, lambda row, reading: row.renewed, help_text="Of these that stayed.")
    canceled = Computed(COUNT, lambda row, reading: row.canceled, help_text="Of these that ended.")
    discount_cost = Part(
        MoneyShape, lambda row: sorted(row.cost.items()), many=True,
        help_text="Taken off invoices by the discounts given.",
    )  # fmt: skip
    revenue_kept = Part(
        MoneyShape, lambda row: sorted(row.kept.items()), many=True,
        help_text="Net of the first year of those who stayed.",
    )  # fmt: skip


class ReminderEffectsShape(PlainShape):
    """Effects of every rule, or of every offer."""

    data = Part(ReminderEffectShape, lambda rows: rows, many=True, help_text="One for each.")


class ReminderRuleInput(ModelBody):
    """A rule with everything it says; what is left out takes its usual value."""

    text = Text(required=False, allow_blank=True, max_length=60, help_text="Mail text; left out: the occasion's own.")
    subject = Texts(required=False, help_text="Own subject by language.")
    body = Texts(required=False, help_text="Own words by language, with placeholders in curly braces.")
    offer = Ref(Offer, required=False, help_text="What is offered; only in advertising.")
    segment = Ref(Segment, required=False, help_text="Only customers of this segment.")
    countries = serializers.ListField(
        child=Text(max_length=2), required=False, max_length=250, help_text="ISO 3166 codes; left out: everywhere."
    )
    plans = Refs(Plan, required=False, max_length=100, help_text="Only for these plans.")
    products = Refs(Product, required=False, max_length=100, help_text="Only with one of these products.")
    smallest_amount = Amount(required=False, help_text="In the company's currency.")

    class Meta:
        model = ReminderRule
        fields = (
            "name", "occasion", "days", "late_days", "category", "channel", "text", "subject", "body", "offer",
            "segment", "customer_kind", "language", "countries", "plans", "products", "cycle_unit",
            "shortest_term_months", "smallest_amount", "only_stale_method", "is_active",
        )  # fmt: skip


class OfferInput(ModelBody):
    """An offer."""

    discount = Ref(Discount, help_text="What it gives.")
    words = Texts(required=False, help_text="What the customer reads, by language.")

    class Meta:
        model = Offer
        fields = ("name", "discount", "words", "valid_days", "customer_limit")


class OfferChange(OfferInput):
    """An offer as it is from now on; without a discount the one it gives."""

    discount = Ref(Discount, required=False, help_text="What it gives; left out: as before.")


class RuleView(ResourceView):
    tag = "Reminders"
    places: ClassVar[dict[str, Any]] = {"rule": "rrl"}
    model, shape = ReminderRule, ReminderRuleShape

    def rows(self) -> QuerySet[Any]:
        plans, products = _public_ids("catalog_plan", "plan_ids"), _public_ids("catalog_product", "product_ids")
        rows = super().rows().select_related("offer", "segment")
        return rows.annotate(plan_refs=plans, product_refs=products)

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the verb takes."""
        values = dict(given)
        smallest = values.pop("smallest_amount", None)
        if smallest is not None:
            values["minimum_minor"] = minor_of(smallest, self.company.currency, field="smallest_amount")
        return {"days": 30, **values, "company": self.company, "by": self.by, "at": self.at}


def _public_ids(table: str, column: str) -> RawSQL:
    sql = f"ARRAY(SELECT x.public_id FROM {table} x WHERE x.id = ANY(crm_reminderrule.{column}) ORDER BY x.id)"  # noqa: S608
    return RawSQL(sql, [], output_field=ArrayField(UUIDField()))  # noqa: S611  constants of this module


REFUSALS = ["reminder.offer_is_advertising", "reminder.no_offer_here", "reminder.text_unknown"]


class Rules(RuleView):
    @operation(
        "List reminder rules", right=READ, answer=ReminderRuleShape, paged=True,
        filters=[
            Filter("occasion", "choice", choices=tuple(ReminderRule.Occasion.values), help="What is reminded of."),
            Filter("is_active", "yes", help="Whether it reminds."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation("Create a reminder rule", right=WRITE, body=ReminderRuleInput, answer=ReminderRuleShape, status=201,
               refusals=REFUSALS)  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(reminder_rules.save(**self.values(given)), 201)


class OneRule(RuleView):
    @operation("Get a reminder rule", right=READ, answer=ReminderRuleShape)
    def get(self, request: Request, rule: str) -> HttpResponse:
        return self.one(self.find(rule))


class ReplaceRule(RuleView):
    @operation(
        "Replace a reminder rule", right=WRITE, body=ReminderRuleInput, answer=ReminderRuleShape,
        description="What was sent stays as it was sent.", refusals=REFUSALS,
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], rule: str) -> HttpResponse:
        return self.fresh(reminder_rules.save(rule=self.find(rule), **self.values(given)))


class SwitchOn(RuleView):
    @operation("Switch a reminder rule on", right=WRITE, answer=ReminderRuleShape)
    def post(self, request: Request, rule: str) -> HttpResponse:
        return self.fresh(reminder_rules.switch(rule=self.find(rule), is_active=True, by=self.by, at=self.at))


class SwitchOff(RuleView):
    @operation("Switch a reminder rule off", right=WRITE, answer=ReminderRuleShape)
    def post(self, request: Request, rule: str) -> HttpResponse:
        return self.fresh(reminder_rules.switch(rule=self.find(rule), is_active=False, by=self.by, at=self.at))


class OfferView(ResourceView):
    tag = "Reminders"
    places: ClassVar[dict[str, Any]] = {"offer": "rof"}
    model, shape = Offer, OfferShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("discount")


class Offers(OfferView):
    @operation("List offers", right=READ, answer=OfferShape, paged=True,
               filters=[Filter("archived", "yes", build=archived, help="No longer made or not.")])  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation("Create an offer", right=WRITE, body=OfferInput, answer=OfferShape, status=201,
               refusals=["discount.archived"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(offers.save(company=self.company, by=self.by, at=self.at, **given), 201)


class OneOffer(OfferView):
    @operation("Get an offer", right=READ, answer=OfferShape)
    def get(self, request: Request, offer: str) -> HttpResponse:
        return self.one(self.find(offer))


class ReplaceOffer(OfferView):
    @operation("Replace an offer", right=WRITE, body=OfferChange, answer=OfferShape,
               description="What was offered before keeps its last day.", refusals=["discount.archived"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], offer: str) -> HttpResponse:
        row = self.find(offer)
        values = {"discount": row.discount, **given}
        return self.fresh(offers.save(company=self.company, offer=row, by=self.by, at=self.at, **values))


class ArchiveOffer(OfferView):
    @operation("Archive an offer", right=WRITE, answer=OfferShape,
               description="It is no longer made, and what was offered can't be taken any more.")  # fmt: skip
    def post(self, request: Request, offer: str) -> HttpResponse:
        return self.fresh(offers.archive(offer=self.find(offer), by=self.by, at=self.at))


class ReminderView(ResourceView):
    tag = "Reminders"
    places: ClassVar[dict[str, Any]] = {"reminder": "rem"}
    model, shape = Reminder, ReminderShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("rule", "customer", "subscription", "offer", "message", "agreed")


class Reminders(ReminderView):
    @operation(
        "List reminders", right=READ, answer=ReminderShape, paged=True,
        filters=[
            Filter("rule", "ref", model=ReminderRule, help="By which rule."),
            Filter("customer", "ref", model=Customer, help="Who was reminded."),
            Filter("subscription", "ref", model=Subscription, help="About which subscription."),
            Filter("offer", "ref", model=Offer, help="What was offered."),
            Filter("sent_at", "instant", help="When it was made."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneReminder(ReminderView):
    @operation("Get a reminder", right=READ, answer=ReminderShape)
    def get(self, request: Request, reminder: str) -> HttpResponse:
        return self.one(self.find(reminder))


class TakeBack(ReminderView):
    @operation(
        "Take an accepted offer back", right="subscription.change", answer=ReminderShape,
        description="Its discount no longer lowers periods that begin from then on.", refusals=["offer.not_taken"],
    )  # fmt: skip
    def post(self, request: Request, reminder: str) -> HttpResponse:
        return self.fresh(offers.take_back(reminder=self.find(reminder), by=self.by, at=self.at))


class EffectView(ApiView):
    tag = "Reminders"
    group: ClassVar[Group]

    def found(self) -> list[Effect]:
        return effects(self.company, self.group)


class RuleEffects(EffectView):
    group = "rule"

    @operation("Get the effect of reminder rules", right=READ, answer=ReminderEffectsShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(ReminderEffectsShape, self.found())


class OfferEffects(EffectView):
    group = "offer"

    @operation("Get the effect of offers", right=READ, answer=ReminderEffectsShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(ReminderEffectsShape, self.found())


class RenewalNotices(ResourceView):
    tag = "Reminders"
    places: ClassVar[dict[str, Any]] = {"notice": "rnn"}
    model, shape = RenewalNotice, RenewalNoticeShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("subscription", "message")

    @operation(
        "List renewal notices", right=READ, answer=RenewalNoticeShape, paged=True,
        filters=[
            Filter("subscription", "ref", model=Subscription, help="Whose renewal."),
            Filter("law", "text", help="Which rule of the law."),
            Filter("due_until_on", "day", help="Last day on which it may be sent."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()


urlpatterns = [
    path("reminder-rules", Rules.as_view()),
    path("reminder-rules/effects", RuleEffects.as_view()),
    path("reminder-rules/<str:rule>", OneRule.as_view()),
    path("reminder-rules/<str:rule>/replace", ReplaceRule.as_view()),
    path("reminder-rules/<str:rule>/switch-on", SwitchOn.as_view()),
    path("reminder-rules/<str:rule>/switch-off", SwitchOff.as_view()),
    path("offers", Offers.as_view()),
    path("offers/effects", OfferEffects.as_view()),
    path("offers/<str:offer>", OneOffer.as_view()),
    path("offers/<str:offer>/replace", ReplaceOffer.as_view()),
    path("offers/<str:offer>/archive", ArchiveOffer.as_view()),
    path("reminders", Reminders.as_view()),
    path("reminders/<str:reminder>", OneReminder.as_view()),
    path("reminders/<str:reminder>/take-back", TakeBack.as_view()),
    path("renewal-notices", RenewalNotices.as_view()),
]
