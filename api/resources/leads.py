"""Leads: who might buy, where they stand, and the customer they become."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Choice, Day, ModelBody, Ref, Text, minor_of
from api.query import Filter
from api.resources.customers import AddressInput
from api.resources.tasks import NAME
from api.shapes import Computed, Id, Part, PlainShape, Shape, amount_text
from api.views import ResourceView, operation
from catalog.models import Campaign
from core.ids import BadId
from core.models import User
from core.refusal import Refused
from crm.models import Lead, LeadNote, LeadStage, LostReason
from crm.services import converting, lead_duplicates, leads, pipeline
from crm.services.lead_duplicates import Likeness
from customers.models import Customer

READ, WRITE = "lead.read", "lead.write"
COUNT = {"type": "integer"}
TEXTS = {"type": "array", "items": {"type": "string"}}


class LeadStageShape(Shape):
    """A step of the pipeline."""

    id = Id("lst")

    class Meta:
        model = LeadStage
        fields = ("id", "name", "kind", "probability", "position", "archived_at")


class LeadNoteShape(Shape):
    """A remark on a lead."""

    class Meta:
        model = LeadNote
        fields = ("text", "by", "at")


class LeadShape(Shape):
    """Somebody who might buy."""

    id = Id("led")
    stage = Part(LeadStageShape, lambda row: row.stage, help_text="Where it stands.")
    owner = Id("usr", via="owner", allow_null=True, help_text="Who works on it.")
    campaign = Id("cmp", via="campaign", allow_null=True, help_text="The campaign that brought them.")
    customer = Id("cus", via="customer", allow_null=True, help_text="The customer it became.")
    merged_into = Id("led", via="merged_into", allow_null=True, help_text="The lead it was a duplicate of.")
    probability = Computed(COUNT, lambda row, reading: row.chance, help_text="Percent: its own, else the stage's.")
    value = Computed(
        {"type": ["string", "null"], "examples": ["149.00"]},
        lambda row, reading: None if row.value_minor is None else amount_text(row.value_minor, row.currency),
        help_text="What they would pay a month.",
    )
    notes = Part(
        LeadNoteShape, lambda row: row.notes.all(), many=True, name="notes", only_expanded=True,
        help_text="Remarks, oldest first; null in lists unless expanded.",
    )  # fmt: skip

    class Meta:
        model = Lead
        fields = (
            "id", "name", "organization", "email", "phone", "country", "language", "message", "stage", "stage_since",
            "owner", "probability", "value", "currency", "source", "campaign", "origin", "lost_reason", "lost_words",
            "customer", "merged_into", "consent_at", "external_id", "notes", "created_at", "created_by",
            "converted_at",
        )  # fmt: skip


class LikenessShape(PlainShape):
    """A lead or customer that may be the same."""

    id = Computed(NAME, lambda row, reading: row.row.ref, help_text="Of the lead or the customer.")
    name = Computed(NAME, lambda row, reading: getattr(row.row, "title", "") or getattr(row.row, "name", ""))
    reasons = Computed(TEXTS, lambda row, reading: list(row.reasons), help_text="email, phone, domain, organization.")


class LikenessListShape(PlainShape):
    """What may be the same, leads first."""

    data = Part(LikenessShape, lambda row: row, many=True)


class LeadStageListShape(PlainShape):
    """The stages from left to right."""

    data = Part(LeadStageShape, lambda row: row, many=True)


class LeadChanges(ModelBody):
    """What is known of somebody who might buy. What is left out of a change stays."""

    owner = Text(required=False, max_length=40, help_text="Id of the person who works on it, such as `usr_…`.")
    campaign = Ref(Campaign, required=False, help_text="The campaign that brought them.")
    value = Amount(required=False, help_text="What they would pay a month.")

    class Meta:
        model = Lead
        fields = (
            "name", "organization", "email", "phone", "country", "language", "message", "owner", "probability",
            "value", "currency", "source", "campaign", "external_id",
        )  # fmt: skip
        extra_kwargs: ClassVar[dict[str, Any]] = {"currency": {"required": False}}


class NewLeadInput(LeadChanges):
    """Somebody who might buy: a name or a company."""

    stage = Ref(LeadStage, required=False, help_text="Where it begins; the first stage when left out.")

    class Meta(LeadChanges.Meta):
        fields = (*LeadChanges.Meta.fields, "stage")  # type: ignore[assignment]


class MoveLeadInput(Body):
    """Into which stage."""

    stage = Ref(LeadStage, help_text="An open or a won one; a lost one needs a reason.")


class LoseLeadInput(Body):
    """Why it won't buy."""

    reason = Choice(LostReason.choices, help_text="Why.")
    words = Text(required=False, allow_blank=True, max_length=500, help_text="The reason in more words.")


class LeadNoteInput(Body):
    """A remark."""

    text = Text(max_length=leads.TEXT, help_text="What colleagues should know.")


class LeadStepInput(Body):
    """The next step, which becomes a task."""

    title = Text(max_length=200, help_text="What is to be done.")
    due_on = Day(help_text="Last day to do it.")
    owner = Text(required=False, max_length=40, help_text="Id of the person; the lead's owner when left out.")


class MergeLeadInput(Body):
    """Into which lead."""

    into = Ref(Lead, help_text="The lead that stays.")


class ConvertLeadInput(Body):
    """The customer it becomes: one that is there, or a new one."""

    customer = Ref(Customer, required=False, help_text="One that is there; left out: a new one is made.")
    name = Text(required=False, allow_blank=True, max_length=200, help_text="Name on documents; else the lead's.")
    vat_id = Text(required=False, allow_blank=True, max_length=40, help_text="With country letters.")
    address = AddressInput(required=False, help_text="Billing address; the lead's country when left out.")


class LeadView(ResourceView):
    tag = "Leads"
    places: ClassVar[dict[str, Any]] = {"lead": "led"}
    model, shape = Lead, LeadShape
    shown_alone = frozenset({"notes"})

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("stage", "owner", "campaign", "customer", "merged_into")
        return rows.prefetch_related("notes")

    @property
    def common(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at}

    def person(self, ref: str) -> User:
        try:
            return User.by_ref(User.objects.filter(memberships__company=self.company), ref)
        except (BadId, User.DoesNotExist):
            raise Refused("task.owner_works_elsewhere", field="owner") from None

    def values(self, given: dict[str, Any], currency: str) -> dict[str, Any]:
        """A body as the verbs take it."""
        values = dict(given)
        if values.get("owner"):
            values["owner"] = self.person(values["owner"])
        if "value" in values:
            amount = values.pop("value")
            values["value_minor"] = None if amount is None else minor_of(amount, values.get("currency") or currency)
        return values


def _merged(_: str, value: bool) -> Q:
    return Q(merged_into__isnull=not value)


class Leads(LeadView):
    @operation(
        "List leads", right=READ, answer=LeadShape, paged=True, expand=("notes",),
        filters=[
            Filter("stage", "ref", model=LeadStage, help="Where it stands."),
            Filter("kind", "choice", path="stage__kind", choices=tuple(LeadStage.Kind.values), help="Of its stage."),
            Filter("campaign", "ref", model=Campaign, help="The campaign that brought them."),
            Filter("customer", "ref", model=Customer, help="The customer it became."),
            Filter("email", "text", help="Where they are written to."),
            Filter("external_id", "text", help="Your own id."),
            Filter("merged", "yes", build=_merged, help="Whether it was merged into another one."),
            Filter("created", "instant", path="created_at", help="When it was made."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Capture a lead", right=WRITE, body=NewLeadInput, answer=LeadShape, status=201,
        description="It becomes a task of its owner. Likely duplicates are at `/leads/{lead}/duplicates`.",
        refusals=["lead.nameless", "lead.external_id_taken", "task.owner_works_elsewhere"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        values = self.values(given, self.company.currency)
        row = leads.create(company=self.company, origin=Lead.Origin.API, **values, **self.common)
        return self.fresh(row, 201)


class OneLead(LeadView):
    @operation("Get a lead", right=READ, answer=LeadShape)
    def get(self, request: Request, lead: str) -> HttpResponse:
        return self.one(self.find(lead))

    @operation(
        "Change a lead", right=WRITE, body=LeadChanges, answer=LeadShape,
        refusals=["lead.nameless", "lead.external_id_taken", "lead.merged_away"],
    )  # fmt: skip
    def patch(self, request: Request, given: dict[str, Any], lead: str) -> HttpResponse:
        row = self.find(lead)
        return self.fresh(leads.update(lead=row, changes=self.values(given, row.currency), **self.common))


class MoveLead(LeadView):
    @operation(
        "Move a lead", right=WRITE, body=MoveLeadInput, answer=LeadShape,
        refusals=["lead.lost_needs_reason", "lead.merged_away"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], lead: str) -> HttpResponse:
        return self.fresh(leads.move(lead=self.find(lead), **given, **self.common))


class LoseLead(LeadView):
    @operation("Lose a lead", right=WRITE, body=LoseLeadInput, answer=LeadShape, refusals=["lead.merged_away"])
    def post(self, request: Request, given: dict[str, Any], lead: str) -> HttpResponse:
        return self.fresh(leads.lose(lead=self.find(lead), **given, **self.common))


class NoteLead(LeadView):
    @operation(
        "Add a note to a lead", right=WRITE, body=LeadNoteInput, answer=LeadShape, status=201,
        refusals=["lead.merged_away"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], lead: str) -> HttpResponse:
        row = self.find(lead)
        leads.comment(lead=row, **given, **self.common)
        return self.fresh(row, 201)


class PlanLeadStep(LeadView):
    @operation(
        "Plan the next step of a lead", right=WRITE, body=LeadStepInput, answer=LeadShape, status=201,
        refusals=["lead.merged_away", "task.owner_works_elsewhere"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], lead: str) -> HttpResponse:
        row, values = self.find(lead), dict(given)
        if values.get("owner"):
            values["owner"] = self.person(values["owner"])
        leads.plan_step(lead=row, **values, **self.common)
        return self.fresh(row, 201)


class LeadDuplicates(LeadView):
    @operation("List likely duplicates of a lead", right=READ, answer=LikenessListShape)
    def get(self, request: Request, lead: str) -> HttpResponse:
        found: list[Likeness] = lead_duplicates.of_lead(self.find(lead))
        return self.shaped(LikenessListShape, found)


class MergeLead(LeadView):
    @operation(
        "Merge a lead into another", right=WRITE, body=MergeLeadInput, answer=LeadShape,
        description="Answers the lead that stays.",
        refusals=["lead.merge_itself", "lead.merge_two_customers", "lead.merged_away"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], lead: str) -> HttpResponse:
        return self.fresh(lead_duplicates.merge(lead=self.find(lead), **given, **self.common))


class ConvertLead(LeadView):
    @operation(
        "Convert a lead to a customer", right=WRITE, body=ConvertLeadInput, answer=LeadShape,
        refusals=["lead.converted_to_other", "lead.country_needed", "lead.merged_away"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], lead: str) -> HttpResponse:
        row = self.find(lead)
        converting.convert(lead=row, **given, **self.common)
        return self.fresh(row)


class LeadStages(LeadView):
    @operation("List the stages of the pipeline", right=READ, answer=LeadStageListShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(LeadStageListShape, pipeline.of_company(self.company))


urlpatterns = [
    path("lead-stages", LeadStages.as_view()),
    path("leads", Leads.as_view()),
    path("leads/<str:lead>", OneLead.as_view()),
    path("leads/<str:lead>/move", MoveLead.as_view()),
    path("leads/<str:lead>/lose", LoseLead.as_view()),
    path("leads/<str:lead>/notes", NoteLead.as_view()),
    path("leads/<str:lead>/steps", PlanLeadStep.as_view()),
    path("leads/<str:lead>/duplicates", LeadDuplicates.as_view()),
    path("leads/<str:lead>/merge", MergeLead.as_view()),
    path("leads/<str:lead>/convert", ConvertLead.as_view()),
]
