"""Quotes: offers from plan templates, what accepting them costs, and their answers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Choice, Currency, Day, Quantity, Ref, Refs, Text, Yes
from api.query import Filter
from api.resources.customers import AddressInput
from api.resources.previews import PreviewShape
from api.resources.products import ProductShape
from api.resources.tasks import NAME
from api.shapes import Computed, Id, Link, Number, Part, Shape, number_text
from api.views import ResourceView, operation
from catalog.models import Discount, Plan, Product
from core.models import LANGUAGE_CHOICES
from crm.models import Lead, Quote, QuoteAnswer, QuoteLine
from crm.services import quote_agreeing, quote_answering, quote_links, quote_sending, quotes
from crm.services.quote_answering import Signature
from crm.services.quotes import LineSpec
from customers.models import Customer
from pricing.money import places

READ, WRITE, SEND = "quote.read", "quote.write", "quote.send"


class QuoteLineShape(Shape):
    """A position of a quote."""

    id = Id("qli")
    product = Link("prd", lambda: ProductShape, name="product")
    price = Id("prc", via="price", allow_null=True, help_text="The catalog's price; null: agreed apart from it.")
    quantity = Number("quantity", help_text="Number of units.")
    unit_amount = Computed(
        {"type": ["string", "null"]},
        lambda row, reading: None if row.unit_amount is None
        else number_text(row.unit_amount, places(row.quote.currency)),
        help_text="The agreed price of one unit; null: the catalog's.",
    )  # fmt: skip

    class Meta:
        model = QuoteLine
        fields = (
            "id", "product", "price", "kind", "quantity", "unit_amount", "description", "is_optional", "is_chosen",
        )  # fmt: skip


class QuoteAnswerShape(Shape):
    """How a quote was answered."""

    class Meta:
        model = QuoteAnswer
        fields = ("kind", "name", "place", "by", "reason", "content_hash", "at")


class QuoteShape(Shape):
    """One version of an offer."""

    id = Id("quo")
    label = Computed(NAME, lambda row, reading: row.label, help_text="Number and version as on the paper.")
    lead = Id("led", via="lead", allow_null=True, help_text="The lead it is for.")
    customer = Id("cus", via="customer", allow_null=True, help_text="The customer it is for, or who accepted it.")
    owner = Id("usr", via="owner", allow_null=True, help_text="Who follows it up.")
    plan = Id("pln", via="plan", help_text="The template.")
    address = Computed({"type": "object"}, lambda row, reading: row.address, help_text="Of the recipient.")
    lines = Part(QuoteLineShape, lambda row: row.lines.all(), many=True, help_text="Positions in order.")
    discounts = Computed(
        {"type": "array", "items": NAME}, lambda row, reading: [one.discount.ref for one in row.discounts.all()],
        help_text="Discounts given at the start.",
    )  # fmt: skip
    subscription = Id("sub", via="subscription", allow_null=True, help_text="What was agreed by accepting it.")
    invoice = Id("inv", via="invoice", allow_null=True, help_text="The first invoice.")
    answer = Part(
        QuoteAnswerShape, lambda row: next(iter(row.answers.all()), None), allow_null=True,
        help_text="How it was answered; null: not yet.",
    )  # fmt: skip
    link = Computed(
        {"type": ["string", "null"]},
        lambda row, reading: quote_links.link_of(row) if row.state == Quote.State.SENT else None,
        help_text="Its page, which opens without signing in; null unless it is open.",
    )

    class Meta:
        model = Quote
        fields = (
            "id", "number", "version", "label", "state", "lead", "customer", "owner", "recipient", "kind", "person",
            "email", "address", "vat_id", "language", "currency", "plan", "title", "intro", "closing", "start_on",
            "valid_until", "offer_code", "lines", "discounts", "content_hash", "subscription", "invoice", "answer",
            "link", "created_at", "created_by", "sent_at", "opened_at", "ended_at",
        )  # fmt: skip


class QuoteLineInput(Body):
    """A position to be offered. Without a price at the plan's."""

    product = Ref(Product, help_text="What is sold.")
    quantity = Quantity(required=False, help_text="Number of units; 1 when left out.")
    unit_amount = Amount(required=False, help_text="Agreed price of one unit; the plan's when left out.")
    kind = Text(required=False, max_length=9, help_text="recurring, usage or one_off; the plan's when left out.")
    description = Text(required=False, allow_blank=True, max_length=500, help_text="Said below the name.")
    is_optional = Yes(required=False, help_text="The recipient may choose it.")
    is_chosen = Yes(required=False, help_text="Whether it is ticked to begin with.")


class QuoteChanges(Body):
    """What a draft says. What is left out stays; lines and discounts take the place of those there are."""

    recipient = Text(required=False, max_length=200, help_text="Name of the company or person.")
    kind = Choice(Customer.Kind.choices, required=False, help_text="Business or consumer.")
    person = Text(required=False, allow_blank=True, max_length=200, help_text="The person to talk to there.")
    email = Text(required=False, allow_blank=True, max_length=254, help_text="Where it is sent.")
    address = AddressInput(required=False, help_text="Where the recipient is.")
    vat_id = Text(required=False, allow_blank=True, max_length=40, help_text="With country letters.")
    language = Choice(LANGUAGE_CHOICES, required=False, help_text="Of the quote and its mails.")
    title = Text(required=False, max_length=200, help_text="What it is about.")
    intro = Text(required=False, allow_blank=True, max_length=10_000, help_text="Printed above the positions.")
    closing = Text(required=False, allow_blank=True, max_length=10_000, help_text="Printed below the sums.")
    start_on = Day(required=False, help_text="First day of service; the day of acceptance when left out.")
    valid_until = Day(required=False, help_text="Last day to accept it.")
    offer_code = Text(required=False, allow_blank=True, max_length=40, help_text="A code that gives a discount.")
    lines = QuoteLineInput(many=True, required=False, help_text="Positions, in place of the plan's.")
    discounts = Refs(Discount, required=False, help_text="Discounts given at the start.")


class NewQuoteInput(QuoteChanges):
    """A draft for a lead or a customer."""

    plan = Ref(Plan, help_text="The template.")
    lead = Ref(Lead, required=False, help_text="The lead it is for; or a customer.")
    customer = Ref(Customer, required=False, help_text="The customer it is for; or a lead.")
    currency = Currency(required=False, help_text="Of all its amounts; the customer's when left out.")


class AcceptQuoteInput(Body):
    """Who accepted it, with which options."""

    name = Text(max_length=200, help_text="The name it was signed with.")
    options = Refs(QuoteLine, required=False, help_text="Options that were chosen; those ticked when left out.")
    preview_token = Text(required=False, max_length=100, help_text="Of the preview; refused when figures differ now.")


class QuoteOptionsInput(Body):
    """With which options."""

    options = Refs(QuoteLine, required=False, help_text="Options that are chosen; those ticked when left out.")


class DeclineQuoteInput(Body):
    """Why it isn't wanted."""

    reason = Text(required=False, allow_blank=True, max_length=2000, help_text="In the recipient's words.")


class QuoteView(ResourceView):
    tag = "Quotes"
    places: ClassVar[dict[str, Any]] = {"quote": "quo"}
    model, shape = Quote, QuoteShape

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().defer("content").select_related(
            "company", "lead__stage", "lead__company", "customer__company", "owner", "plan", "subscription", "invoice"
        )  # fmt: skip
        return rows.prefetch_related("lines__product__tax_category", "lines__price", "discounts__discount", "answers")

    @property
    def common(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at}

    def parts(self, given: dict[str, Any]) -> dict[str, Any]:
        """A body's lines as the verbs take them; the rest as it is."""
        values = dict(given)
        if values.get("lines") is not None:
            values["lines"] = [LineSpec(**line) for line in values["lines"]]
        return values


def _open(_: str, value: bool) -> Q:
    return Q(state=Quote.State.SENT) if value else ~Q(state=Quote.State.SENT)


class Quotes(QuoteView):
    @operation(
        "List quotes", right=READ, answer=QuoteShape, paged=True, expand=("product",),
        filters=[
            Filter("state", "choice", choices=tuple(Quote.State.values), help="Where it stands."),
            Filter("number", "text", help="The same for every version."),
            Filter("lead", "ref", model=Lead, help="The lead it is for."),
            Filter("customer", "ref", model=Customer, help="The customer it is for."),
            Filter("valid_until", "day", help="Last day to accept it."),
            Filter("open", "yes", build=_open, help="Whether it waits for an answer."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a quote", right=WRITE, body=NewQuoteInput, answer=QuoteShape, status=201,
        description="A draft with the plan's positions, its add-ons as options, unless lines are given.",
        refusals=["quote.for_whom", "subscription.plan_not_on_sale", "subscription.no_price",
                  "quote.without_positions", "quote.product_twice"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(quotes.create(company=self.company, **self.parts(given), **self.common), 201)


class OneQuote(QuoteView):
    @operation("Get a quote", right=READ, answer=QuoteShape)
    def get(self, request: Request, quote: str) -> HttpResponse:
        return self.one(self.find(quote))

    @operation(
        "Change a draft of a quote", right=WRITE, body=QuoteChanges, answer=QuoteShape,
        refusals=["quote.frozen", "subscription.no_price", "quote.without_positions", "quote.product_twice"],
    )  # fmt: skip
    def patch(self, request: Request, given: dict[str, Any], quote: str) -> HttpResponse:
        values = self.parts(given)
        more = {name: values.pop(name) for name in ("lines", "discounts") if name in values}
        return self.fresh(quotes.update(quote=self.find(quote), changes=values, **more, **self.common))

    @operation("Delete a draft of a quote", right=WRITE, answer=None, status=204, refusals=["quote.frozen"])
    def delete(self, request: Request, quote: str) -> HttpResponse:
        quotes.delete(quote=self.find(quote), **self.common)
        return HttpResponse(status=204)


class SendQuote(QuoteView):
    @operation(
        "Send a quote", right=SEND, answer=QuoteShape, description="It is frozen and mailed with its paper and link.",
        refusals=["quote.no_email", "quote.over", "quote.state", "lead.country_needed"],
    )  # fmt: skip
    def post(self, request: Request, quote: str) -> HttpResponse:
        return self.fresh(quote_sending.send(quote=self.find(quote), **self.common))


class ReviseQuote(QuoteView):
    @operation(
        "Make a new version of a quote", right=WRITE, answer=QuoteShape, status=201,
        description="Answers the new draft; the version before can't be accepted any more.",
        refusals=["quote.state", "quote.not_the_last"],
    )  # fmt: skip
    def post(self, request: Request, quote: str) -> HttpResponse:
        return self.fresh(quotes.revise(quote=self.find(quote), **self.common), 201)


class WithdrawQuote(QuoteView):
    @operation("Withdraw a quote", right=WRITE, answer=QuoteShape, refusals=["quote.state"])
    def post(self, request: Request, quote: str) -> HttpResponse:
        return self.fresh(quotes.withdraw(quote=self.find(quote), **self.common))


class AcceptQuote(QuoteView):
    @operation(
        "Accept a quote for its recipient", right=SEND, body=AcceptQuoteInput, answer=QuoteShape,
        description="Customer, subscription and first invoice in one act. Repeated: the quote as it was accepted.",
        refusals=["quote.state", "quote.over", "preview.differs"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], quote: str) -> HttpResponse:
        row = quote_answering.accept(
            quote=self.find(quote), signature=Signature(given["name"]), chosen=given.get("options"),
            preview_token=given.get("preview_token"), **self.common,
        )  # fmt: skip
        return self.fresh(row)


class PreviewAcceptQuote(QuoteView):
    @operation(
        "Preview accepting a quote", right=READ, body=QuoteOptionsInput, answer=PreviewShape,
        refusals=["lead.country_needed"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], quote: str) -> HttpResponse:
        row = self.find(quote)
        chosen = given.get("options")
        picked = quote_agreeing.chosen_of(row, None if chosen is None else [line.ref for line in chosen])
        cost = quote_agreeing.cost(row, picked, at=self.at)
        return self.shaped(PreviewShape, cost.signed)


class DeclineQuote(QuoteView):
    @operation(
        "Decline a quote for its recipient", right=SEND, body=DeclineQuoteInput, answer=QuoteShape,
        refusals=["quote.state"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], quote: str) -> HttpResponse:
        return self.fresh(quote_answering.decline(quote=self.find(quote), **given, **self.common))


urlpatterns = [
    path("quotes", Quotes.as_view()),
    path("quotes/<str:quote>", OneQuote.as_view()),
    path("quotes/<str:quote>/send", SendQuote.as_view()),
    path("quotes/<str:quote>/revise", ReviseQuote.as_view()),
    path("quotes/<str:quote>/withdraw", WithdrawQuote.as_view()),
    path("quotes/<str:quote>/accept", AcceptQuote.as_view()),
    path("quotes/<str:quote>/accept/preview", PreviewAcceptQuote.as_view()),
    path("quotes/<str:quote>/decline", DeclineQuote.as_view()),
]
