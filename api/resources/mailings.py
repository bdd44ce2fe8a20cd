"""Mailings of campaigns: written, scheduled, paused, canceled, and what came of them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Instant, ModelBody, Ref, Texts
from api.query import ByPlace, Filter
from api.resources.reminders import MoneyShape
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ResourceView, operation
from catalog.models import Campaign, OfferCode
from crm.models import Mailing, MailingRecipient, Offer, Segment
from crm.services import mailing_results, mailings

READ, WRITE = "campaign.read", "campaign.write"
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
REFUSALS = [
    "mailing.state", "mailing.no_words", "mailing.offer_or_code", "mailing.link_not_named", "mailing.code_not_named",
    "segment.archived",
]  # fmt: skip


class MailingShape(Shape):
    """Mails of a campaign to the customers of a segment."""

    id = Id("mlg")
    campaign = Id("cmp", via="campaign")
    segment = Id("seg", via="segment")
    subject = Computed(TEXTS, lambda row, reading: row.subject, help_text="Subject line by language.")
    body = Computed(TEXTS, lambda row, reading: row.body, help_text="Words by language, with placeholders.")
    offer = Id("rof", via="offer", allow_null=True, help_text="What is offered, taken by one click.")
    offer_code = Id("ofc", via="offer_code", allow_null=True, help_text="The code that the text names.")

    class Meta:
        model = Mailing
        fields = (
            "id", "name", "campaign", "segment", "subject", "body", "offer", "offer_code", "per_hour",
            "attribution_days", "state", "starts_at", "frozen_at", "done_at", "created_at",
        )  # fmt: skip


class MailingResultsShape(PlainShape):
    """What a mailing brought: numbers of customers, and monthly revenue of those who took the offer."""

    counts = Computed(
        COUNTS, lambda row, reading: row.counts,
        help_text="meant, planned, left_out and its reasons, waiting, sent, bounced, held, clicked, unsubscribed, "
        "accepted, renewed.",
    )  # fmt: skip
    mrr_gained = Part(MoneyShape, lambda row: sorted(row.gained.items()), many=True, help_text="New and expanded.")
    mrr_lost = Part(MoneyShape, lambda row: sorted(row.lost.items()), many=True, help_text="Lowered and ended.")
    mrr_net = Part(MoneyShape, lambda row: sorted(row.net.items()), many=True, help_text="The sum of both.")


class MailingRecipientShape(Shape):
    """A customer in a mailing, and what they did."""

    customer = Id("cus", via="customer")
    subscription = Id("sub", via="subscription", allow_null=True, help_text="The one the offer is for.")
    message = Id("msg", via="message", allow_null=True, help_text="The mail as it was written.")
    discount = Id("agd", via="agreed", allow_null=True, help_text="The discount that was given.")

    class Meta:
        model = MailingRecipient
        fields = (
            "customer", "subscription", "left_out", "message", "sent_at", "offer_until_on", "clicked_at",
            "accepted_at", "discount", "renewed_at",
        )  # fmt: skip


class MailingInput(ModelBody):
    """A mailing with everything it says."""

    campaign = Ref(Campaign, help_text="The campaign it counts towards.")
    segment = Ref(Segment, help_text="Who is meant; counted anew when it starts.")
    subject = Texts(help_text="Subject line by language; the company's is needed.")
    body = Texts(help_text="Words by language, with placeholders; the company's is needed.")
    offer = Ref(Offer, required=False, help_text="What is offered and taken by one click; or an offer code.")
    offer_code = Ref(OfferCode, required=False, help_text="The code that the text names; or an offer.")

    class Meta:
        model = Mailing
        fields = (
            "name", "campaign", "segment", "subject", "body", "offer", "offer_code", "per_hour", "attribution_days",
        )  # fmt: skip


class ScheduleInput(Body):
    """When it starts."""

    starts_at = Instant(required=False, help_text="Left out: at once.")


class MailingView(ResourceView):
    tag = "Mailings"
    places: ClassVar[dict[str, Any]] = {"mailing": "mlg"}
    model, shape = Mailing, MailingShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("campaign", "segment", "offer", "offer_code")

    def common(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at}


class Mailings(MailingView):
    @operation(
        "List mailings", right=READ, answer=MailingShape, paged=True,
        filters=[
            Filter("state", "choice", choices=tuple(Mailing.State.values), help="Where it stands."),
            Filter("campaign", "ref", model=Campaign, help="Of which campaign."),
            Filter("segment", "ref", model=Segment, help="To which segment."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation("Create a mailing", right=WRITE, body=MailingInput, answer=MailingShape, status=201, refusals=REFUSALS)
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(mailings.save(company=self.company, **given, **self.common()), 201)


class OneMailing(MailingView):
    @operation("Get a mailing", right=READ, answer=MailingShape)
    def get(self, request: Request, mailing: str) -> HttpResponse:
        return self.one(self.find(mailing))


class ReplaceMailing(MailingView):
    @operation(
        "Replace a mailing", right=WRITE, body=MailingInput, answer=MailingShape,
        description="As long as it has not started.", refusals=REFUSALS,
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], mailing: str) -> HttpResponse:
        row = self.find(mailing)
        return self.fresh(mailings.save(company=self.company, mailing=row, **given, **self.common()))


class Schedule(MailingView):
    @operation(
        "Schedule a mailing", right=WRITE, body=ScheduleInput, answer=MailingShape,
        description="Who is in the segment when it starts gets it.",
        refusals=["mailing.state", "mailing.starts_in_past"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], mailing: str) -> HttpResponse:
        return self.fresh(
            mailings.schedule(mailing=self.find(mailing), starts_at=given.get("starts_at"), **self.common())
        )


class Pause(MailingView):
    @operation("Pause a mailing", right=WRITE, answer=MailingShape, refusals=["mailing.state"])
    def post(self, request: Request, mailing: str) -> HttpResponse:
        return self.fresh(mailings.pause(mailing=self.find(mailing), **self.common()))


class Resume(MailingView):
    @operation("Resume a mailing", right=WRITE, answer=MailingShape, refusals=["mailing.state"])
    def post(self, request: Request, mailing: str) -> HttpResponse:
        return self.fresh(mailings.resume(mailing=self.find(mailing), **self.common()))


class Cancel(MailingView):
    @operation("Cancel a mailing", right=WRITE, answer=MailingShape, description="What was sent stays sent.",
               refusals=["mailing.state"])  # fmt: skip
    def post(self, request: Request, mailing: str) -> HttpResponse:
        return self.fresh(mailings.cancel(mailing=self.find(mailing), **self.common()))


class Results(MailingView):
    @operation("Get the results of a mailing", right=READ, answer=MailingResultsShape)
    def get(self, request: Request, mailing: str) -> HttpResponse:
        row = self.find(mailing)
        return self.shaped(MailingResultsShape, mailing_results.results([row])[row.pk])


class Recipients(MailingView):
    @operation(
        "List the recipients of a mailing", right=READ, answer=MailingRecipientShape, paged=True,
        filters=[
            Filter("left_out", "choice", choices=tuple(MailingRecipient.LeftOut.values), help="Why not written to."),
            Filter("sent_at", "instant", help="When it was written."),
        ],
    )  # fmt: skip
    def get(self, request: Request, mailing: str) -> HttpResponse:
        rows = self.find(mailing).recipients.select_related("customer", "subscription", "message", "agreed")
        return self.listed(rows, MailingRecipientShape, ByPlace())


urlpatterns = [
    path("mailings", Mailings.as_view()),
    path("mailings/<str:mailing>", OneMailing.as_view()),
    path("mailings/<str:mailing>/replace", ReplaceMailing.as_view()),
    path("mailings/<str:mailing>/schedule", Schedule.as_view()),
    path("mailings/<str:mailing>/pause", Pause.as_view()),
    path("mailings/<str:mailing>/resume", Resume.as_view()),
    path("mailings/<str:mailing>/cancel", Cancel.as_view()),
    path("mailings/<str:mailing>/results", Results.as_view()),
    path("mailings/<str:mailing>/recipients", Recipients.as_view()),
]
