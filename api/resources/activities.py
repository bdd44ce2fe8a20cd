"""Activities: calls, meetings, visits and mails with customers and leads."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Body, Bytes, Choice, Day, Instant, Ref, Text
from api.query import Filter
from api.shapes import Computed, Id, Shape
from api.views import ResourceView, operation
from core.ids import BadId
from core.models import User
from core.refusal import Refused
from crm.models import Activity, ActivityFile, ActivityPerson, Lead
from crm.services import activities, activity_mails
from crm.services.activities import Step
from customers.models import Contact, Customer

READ, WRITE = "task.read", "task.write"
IDS = {"type": "array", "items": {"type": "string"}}


class ActivityShape(Shape):
    """A call, a meeting, a visit or a mail, past or planned."""

    id = Id("acy")
    customer = Id("cus", via="customer", allow_null=True, help_text="With which customer.")
    lead = Id("led", via="lead", allow_null=True, help_text="With which lead.")
    contact = Id("con", via="contact", allow_null=True, help_text="With whom there.")
    owner = Id("usr", via="owner", allow_null=True, help_text="Whose it is.")
    people = Computed(
        IDS, lambda row, reading: [part.user.ref for part in row.parts.all()], help_text="Who else of us takes part."
    )
    next_step = Id("tsk", via="next_step", allow_null=True, help_text="The task that came of it.")
    attachments = Computed(
        IDS, lambda row, reading: [part.file.name for part in row.files.all()], help_text="Names of what was attached."
    )

    class Meta:
        model = Activity
        fields = (
            "id", "kind", "direction", "customer", "lead", "contact", "subject", "text", "begins_at", "ends_at",
            "place", "outcome", "owner", "people", "next_step", "mail_from", "mail_to", "attachments", "remind_at",
            "reminded_at", "created_at", "created_by", "changed_at", "archived_at",
        )  # fmt: skip


class StepInput(Body):
    """The next step, which becomes a task."""

    title = Text(max_length=200, help_text="What is to be done.")
    due_on = Day(help_text="Last day to do it.")
    owner = Text(required=False, max_length=40, help_text="Id of the person; the activity's owner when left out.")


class ActivityChanges(Body):
    """What is corrected. What is left out stays; a mail's own words can't be corrected."""

    kind = Choice(Activity.Kind.choices, required=False, help_text="What it was.")
    direction = Choice(
        [("", "–"), *Activity.Direction.choices], required=False, help_text="Of a call: from whom it came."
    )
    contact = Ref(Contact, required=False, allow_null=True, help_text="With whom there.")
    subject = Text(required=False, max_length=200, help_text="What it is about, in a few words.")
    text = Text(required=False, allow_blank=True, max_length=activities.TEXT, help_text="What was said.")
    begins_at = Instant(required=False, help_text="When it begins or began; in the future: it is planned.")
    ends_at = Instant(required=False, allow_null=True, help_text="When it ends; null: not known.")
    place = Text(required=False, allow_blank=True, max_length=300, help_text="Where, such as a room or a link.")
    outcome = Text(required=False, allow_blank=True, max_length=1000, help_text="What came of it.")
    owner = Text(required=False, max_length=40, help_text="Id of whose it is, such as `usr_…`.")
    people = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, max_length=50,
        help_text="Ids of colleagues who take part besides the owner.",
    )  # fmt: skip
    remind_at = Instant(
        required=False, allow_null=True, help_text="When everybody who takes part gets a mail, once; null: never."
    )
    next_step = StepInput(required=False, help_text="What is to be done next; becomes a task.")


class NewActivityInput(ActivityChanges):
    """What is written down or planned, with a customer or a lead."""

    kind = Choice(Activity.Kind.choices, help_text="What it was.")
    subject = Text(max_length=200, help_text="What it is about, in a few words.")
    begins_at = Instant(help_text="When it begins or began; in the future: it is planned.")
    customer = Ref(Customer, required=False, help_text="With which customer.")
    lead = Ref(Lead, required=False, help_text="With which lead.")


class MailInput(Body):
    """A mail that came or went outside this system."""

    content = Bytes(help_text="The mail as mail programs save it (.eml), in base64; up to 15 MB.")
    customer = Ref(Customer, required=False, help_text="With which customer; left out: its addresses say.")
    lead = Ref(Lead, required=False, help_text="With which lead; left out: its addresses say.")


class ActivityView(ResourceView):
    tag = "Activities"
    places: ClassVar[dict[str, Any]] = {"activity": "acy"}
    model, shape = Activity, ActivityShape

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("customer", "lead", "contact", "owner", "next_step")
        # Their names are told; their bytes would be read with each list.
        files = ActivityFile.objects.select_related("file").defer("file__kept").order_by("position")
        people = ActivityPerson.objects.select_related("user").order_by("pk")
        return rows.prefetch_related(Prefetch("parts", people), Prefetch("files", files))

    @property
    def common(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at}

    def person(self, ref: str, field: str) -> User:
        try:
            return User.by_ref(User.objects.filter(memberships__company=self.company), ref)
        except (BadId, User.DoesNotExist):
            raise Refused("task.owner_works_elsewhere", field=field) from None

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """A body as the verbs take it."""
        values = dict(given)
        if values.get("owner"):
            values["owner"] = self.person(values["owner"], "owner")
        if "people" in values:
            values["people"] = [self.person(ref, "people") for ref in values["people"]]
        if step := values.pop("next_step", None):
            owner = self.person(step["owner"], "next_step") if step.get("owner") else None
            values["step"] = Step(step["title"], step["due_on"], owner)
        return values


def _archived(_: str, value: bool) -> Q:
    return Q(archived_at__isnull=not value)


class Activities(ActivityView):
    @operation(
        "List activities", right=READ, answer=ActivityShape, paged=True,
        filters=[
            Filter("kind", "choice", choices=tuple(Activity.Kind.values), help="What it was."),
            Filter("customer", "ref", model=Customer, help="With which customer."),
            Filter("lead", "ref", model=Lead, help="With which lead."),
            Filter("begins", "instant", path="begins_at", help="When it begins or began."),
            Filter("archived", "yes", build=_archived, help="Whether it is out of sight."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Log or plan an activity", right=WRITE, body=NewActivityInput, answer=ActivityShape, status=201,
        refusals=[
            "activity.with_nobody", "activity.other_customer", "activity.other_contact", "activity.ends_before",
            "task.owner_works_elsewhere", "lead.merged_away",
        ],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        row = activities.log(company=self.company, **self.values(given), **self.common)
        return self.fresh(row, 201)


class Mails(ActivityView):
    @operation(
        "Bring a mail in", right=WRITE, body=MailInput, answer=ActivityShape, status=201,
        description="With whom it is say its addresses, or you. The same mail again (by its Message-ID) gives the "
        "activity it is already.",
        refusals=["mail.too_large", "mail.unreadable", "mail.from_nobody", "activity.other_customer"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        content = given.pop("content")
        row, _is_new = activity_mails.keep(company=self.company, raw=content, **given, **self.common)
        return self.fresh(row, 201)


class OneActivity(ActivityView):
    @operation("Get an activity", right=READ, answer=ActivityShape)
    def get(self, request: Request, activity: str) -> HttpResponse:
        return self.one(self.find(activity))

    @operation(
        "Correct an activity", right=WRITE, body=ActivityChanges, answer=ActivityShape,
        refusals=[
            "activity.mail_says", "activity.has_next_step", "activity.other_contact", "activity.ends_before",
            "task.owner_works_elsewhere",
        ],
    )  # fmt: skip
    def patch(self, request: Request, given: dict[str, Any], activity: str) -> HttpResponse:
        row = self.find(activity)
        return self.fresh(activities.change(activity=row, **self.values(given), **self.common))


class ArchiveActivity(ActivityView):
    @operation("Archive an activity", right=WRITE, answer=ActivityShape)
    def post(self, request: Request, activity: str) -> HttpResponse:
        return self.fresh(activities.archive(activity=self.find(activity), **self.common))


class RestoreActivity(ActivityView):
    @operation("Show an archived activity again", right=WRITE, answer=ActivityShape)
    def post(self, request: Request, activity: str) -> HttpResponse:
        return self.fresh(activities.archive(activity=self.find(activity), is_archived=False, **self.common))


urlpatterns = [
    path("activities", Activities.as_view()),
    path("activities/mails", Mails.as_view()),
    path("activities/<str:activity>", OneActivity.as_view()),
    path("activities/<str:activity>/archive", ArchiveActivity.as_view()),
    path("activities/<str:activity>/restore", RestoreActivity.as_view()),
]
