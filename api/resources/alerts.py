"""Alerts, the rules that say what becomes of them, and the timetable."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Choice, Text, Whole, Yes, minor_of
from api.query import Filter
from api.resources.runs import JobShape
from api.shapes import Computed, Id, Part, PlainShape, Shape, amount_text
from api.views import ApiView, ResourceView, operation
from core.models import Company, Role
from core.refusal import Refused
from core.services import timetable
from crm.models import Alert, AlertAudience, AlertRule, Priority
from crm.services import alert_inbox, alert_kinds, alert_rules
from customers.models import Customer
from subscriptions.models import Subscription

READ, WRITE = "task.read", "task.write"
SEES, CHANGES = "settings.read", "settings.write"
TEXT = {"type": "string"}
INSTANT = {"type": "string", "format": "date-time"}


class AlertShape(Shape):
    """Something that needs attention; it closes by itself when its cause is gone."""

    id = Id("alt")
    title = Computed(TEXT, lambda row, reading: alert_kinds.title_of(row.kind), help_text="The kind in words.")
    text = Computed(TEXT, lambda row, reading: alert_kinds.in_words(row), help_text="What was seen, in words.")
    customer = Id("cus", via="customer", allow_null=True)
    subscription = Id("sub", via="subscription", allow_null=True)
    invoice = Id("inv", via="invoice", allow_null=True)
    facts = Computed({"type": "object"}, lambda row, reading: row.facts, help_text="What was seen.")
    task = Computed(
        {"type": "string"}, lambda row, reading: next((task.ref for task in row.tasks.all()), None),
        allow_null=True, help_text="Id of the task made of it.",
    )  # fmt: skip

    class Meta:
        model = Alert
        fields = (
            "id", "kind", "title", "text", "occurrence", "state", "customer", "subscription", "invoice", "facts",
            "task", "raised_at", "resolved_at", "acknowledged_at", "acknowledged_by",
        )  # fmt: skip


class AlertRuleShape(Shape):
    """What becomes of alerts of one kind. Numbers that the kind doesn't ask are null."""

    id = Id("alr")
    title = Computed(TEXT, lambda row, reading: alert_kinds.title_of(row.kind), help_text="The kind in words.")
    amount = Computed(
        {"type": "string"},
        lambda row, reading: (
            None if row.amount_minor is None else amount_text(row.amount_minor, reading.company.currency)
        ),
        allow_null=True, help_text="Least amount, in the company's currency.",
    )  # fmt: skip
    teams = Computed(
        {"type": "array", "items": TEXT},
        lambda row, reading: [one.role.name for one in row.audience.all() if one.role is not None],
        help_text="Names of the roles whose people hear of it.",
    )
    users = Computed(
        {"type": "array", "items": TEXT},
        lambda row, reading: [one.user.ref for one in row.audience.all() if one.user is not None],
        help_text="Ids of the people who hear of it besides.",
    )

    class Meta:
        model = AlertRule
        fields = (
            "id", "kind", "title", "is_active", "days", "hours", "amount", "teams", "users", "mail", "makes_task",
            "task_days", "priority",
        )  # fmt: skip


class AlertRuleInput(Body):
    """What is to change; what is left out stays."""

    is_active = Yes(required=False, help_text="Whether alerts of this kind are raised.")
    days = Whole(required=False, min_value=0, max_value=365, help_text="Days it waits or looks ahead.")
    hours = Whole(required=False, min_value=0, max_value=720, help_text="Hours it waits.")
    amount = Amount(required=False, help_text="Least amount, in the company's currency.")
    teams = Text(required=False, allow_blank=True, max_length=1000, help_text="Names of roles, with commas between.")
    mail = Choice(AlertRule.Mail.choices, required=False, help_text="Whether and when it is mailed.")
    makes_task = Yes(required=False, help_text="Whether each becomes a task.")
    task_days = Whole(required=False, min_value=0, max_value=365, help_text="Days until the task is due.")
    priority = Choice(Priority.choices, required=False, help_text="Of its tasks.")


class TickShape(PlainShape):
    """Something the timetable does, and its last run for this company."""

    name = Computed(TEXT, lambda row, reading: row.tick.name)
    title = Computed(TEXT, lambda row, reading: str(row.tick.title or row.tick.name))
    text = Computed(TEXT, lambda row, reading: str(row.tick.text), help_text="What it does, in words.")
    order = Computed({"type": "integer"}, lambda row, reading: row.tick.order, help_text="Its place among the others.")
    every_seconds = Computed({"type": "integer"}, lambda row, reading: int(row.tick.every.total_seconds()))
    state = Computed(
        {"type": "string", "enum": ["waiting", "done", "failed", "missed"]}, lambda row, reading: row.state,
        help_text="`missed`: three turns went by without it.",
    )  # fmt: skip
    last_at = Computed(INSTANT, lambda row, reading: row.run.ended_at if row.run else None, allow_null=True)
    next_at = Computed(INSTANT, lambda row, reading: row.next_at, allow_null=True,
                       help_text="Null where the clock moves by hand.")  # fmt: skip
    milliseconds = Computed(
        {"type": "integer"}, lambda row, reading: row.run.milliseconds if row.run else None, allow_null=True,
        help_text="How long the last run took.",
    )  # fmt: skip
    outcome = Computed(TEXT, lambda row, reading: timetable.words(row.run.outcome) if row.run else "",
                       help_text="What the last run did, in words.")  # fmt: skip


class TimetableShape(PlainShape):
    """What is done by itself, in order."""

    ticks = Part(TickShape, lambda row: row, many=True)


class AlertView(ResourceView):
    tag = "Alerts"
    places: ClassVar[dict[str, Any]] = {"alert": "alt", "alert_rule": "alr"}
    model, shape = Alert, AlertShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("customer", "subscription", "invoice").prefetch_related("tasks")


class Alerts(AlertView):
    @operation(
        "List alerts", right=READ, answer=AlertShape, paged=True,
        filters=[
            Filter("state", "choice", choices=tuple(Alert.State.values), help="Where it stands."),
            Filter("kind", "text", help="Kind of alert."),
            Filter("customer", "ref", model=Customer, help="About whom."),
            Filter("subscription", "ref", model=Subscription, help="About which subscription."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneAlert(AlertView):
    @operation("Get an alert", right=READ, answer=AlertShape)
    def get(self, request: Request, alert: str) -> HttpResponse:
        return self.one(self.find(alert))


class AcknowledgeAlert(AlertView):
    @operation(
        "Take note of an alert", right=WRITE, answer=AlertShape,
        description="It leaves the inbox; it stays open until its cause is gone.",
    )  # fmt: skip
    def post(self, request: Request, alert: str) -> HttpResponse:
        row = self.find(alert)
        alert_inbox.acknowledge(company=self.company, alerts=[row], by=self.by, at=self.at)
        return self.fresh(row)


class RuleView(ResourceView):
    tag = "Alerts"
    places: ClassVar[dict[str, Any]] = {"alert_rule": "alr"}
    model, shape = AlertRule, AlertRuleShape

    def rows(self) -> QuerySet[Any]:
        heard = AlertAudience.objects.select_related("role", "user").order_by("pk")
        return super().rows().prefetch_related(Prefetch("audience", heard))


class Rules(RuleView):
    @operation("List alert rules", right=SEES, answer=AlertRuleShape, paged=True)
    def get(self, request: Request) -> HttpResponse:
        alert_rules.of_company(self.company)
        return self.page()


class OneRule(RuleView):
    @operation("Get an alert rule", right=SEES, answer=AlertRuleShape)
    def get(self, request: Request, alert_rule: str) -> HttpResponse:
        return self.one(self.find(alert_rule))

    @operation(
        "Change an alert rule", right=CHANGES, body=AlertRuleInput, answer=AlertRuleShape,
        description="Switched off, its open alerts are closed with their tasks.", refusals=["alert_rule.no_use"],
    )  # fmt: skip
    def patch(self, request: Request, given: dict[str, Any], alert_rule: str) -> HttpResponse:
        if "amount" in given:
            given["amount_minor"] = minor_of(given.pop("amount"), self.company.currency)
        roles = _roles(self.company, given.pop("teams")) if "teams" in given else None
        rule = self.find(alert_rule)
        return self.fresh(alert_rules.save(rule=rule, roles=roles, by=self.by, at=self.at, **given))


def _roles(company: Company, names: str) -> list[Role]:
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {role.name: role for role in Role.objects.filter(company=company)}
    for name in wanted:
        if name not in known:
            raise Refused("field.choice", field="teams", value=name[:80], choices=", ".join(sorted(known)))
    return [known[name] for name in wanted]


class Timetable(ApiView):
    tag = "Timetable"

    @operation("Read the timetable", right=SEES, answer=TimetableShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(TimetableShape, timetable.entries(self.company))


class RunTickInput(Body):
    """Which."""

    name = Text(max_length=40, help_text="Name of the tick, such as `billing.run`.")


class RunTick(ApiView):
    tag = "Timetable"

    @operation(
        "Do something of the timetable now", right=CHANGES, body=RunTickInput, answer=JobShape, status=202,
        description="For this company; answers with the job. Asking again joins the one under way.",
        refusals=["field.choice"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        job = timetable.run_now(company=self.company, name=given["name"], user=None, by=self.by, at=self.at)
        response = self.shaped(JobShape, job, 202)
        response["Location"] = f"/api/v1/jobs/{job.ref}"
        return response


urlpatterns = [
    path("alerts", Alerts.as_view()),
    path("alerts/<str:alert>", OneAlert.as_view()),
    path("alerts/<str:alert>/acknowledge", AcknowledgeAlert.as_view()),
    path("alert-rules", Rules.as_view()),
    path("alert-rules/<str:alert_rule>", OneRule.as_view()),
    path("timetable", Timetable.as_view()),
    path("timetable/run", RunTick.as_view()),
]
