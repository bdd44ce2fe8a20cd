"""Dunning: cases with what a person may do about them, and the policies that new cases follow."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Choice, Day, Text, Whole, Yes, minor_of
from api.query import Filter
from api.shapes import Id, Part, Shape, Sum
from api.views import ResourceView, operation
from billing.models import DunningCase, DunningEntry, DunningPolicy, DunningStep, PaymentMethod
from billing.services import dunning, dunning_policies
from catalog.models import SuspendedBilling, Unused
from customers.models import Customer

READ, WRITE = "payment.read", "payment.write"
SEES, CHANGES = "settings.read", "settings.write"


class DunningEntryShape(Shape):
    """Something that happened in a case."""

    amount = Sum("amount_minor", currency="case.currency", help_text="Money it is about.")

    class Meta:
        model = DunningEntry
        fields = ("action", "result", "reason", "amount", "on", "at")


class DunningCaseShape(Shape):
    """What a customer owes late in one currency, until it is paid or given up."""

    id = Id("dun")
    customer = Id("cus", via="customer")
    policy = Id("dup", via="policy")
    overdue = Sum("overdue_minor", help_text="Overdue when it was last looked at.")
    recovered = Sum("recovered_minor", help_text="Paid since.")
    entries = Part(
        DunningEntryShape, lambda row: row.entries.all(), many=True, name="entries", only_expanded=True,
        help_text="What happened; null in lists unless expanded.",
    )  # fmt: skip

    class Meta:
        model = DunningCase
        fields = (
            "id", "customer", "policy", "state", "currency", "overdue", "recovered", "counts_from_on", "next_step_on",
            "promised_on", "paused_until_on", "note", "entries", "opened_at", "closed_at",
        )  # fmt: skip


class DunningStepShape(Shape):
    """So many days after the oldest due date, this is done. The fee is in the company's currency."""

    fee = Sum("fee_minor", currency="company.currency", help_text="Fee claimed.")

    class Meta:
        model = DunningStep
        fields = ("days", "action", "level", "fee", "has_interest", "suspended_billing", "end_unused")


class DunningPolicyShape(Shape):
    """What happens when money doesn't come, step by step."""

    id = Id("dup")
    smallest_amount = Sum("grace_minor", currency="company.currency", help_text="Less than this is not dunned.")
    steps = Part(DunningStepShape, lambda row: row.steps.all(), many=True)

    class Meta:
        model = DunningPolicy
        fields = (
            "id", "name", "is_active", "method_kind", "customer_kind", "customer_group", "smallest_amount", "steps",
            "created_at",
        )  # fmt: skip


class CasePromiseInput(Body):
    """Until when the customer wants to pay."""

    until = Day(help_text="Until this day is over nothing goes out.")
    reason = Text(required=False, allow_blank=True, max_length=500, help_text="For colleagues.")


class CasePauseInput(Body):
    """Why, and until when."""

    until = Day(required=False, help_text="Last day; left out: until somebody ends it.")
    reason = Text(max_length=500, help_text="For colleagues.")


class SkipStepInput(Body):
    """Why."""

    reason = Text(max_length=500, help_text="For colleagues.")


class DunningStepInput(Body):
    """One step."""

    days = Whole(min_value=0, max_value=dunning_policies.LAST_DAY, help_text="Days after the oldest due date.")
    action = Choice(DunningStep.Action.choices, help_text="What is done.")
    level = Whole(required=False, min_value=0, max_value=3, help_text="Which reminder: 0 friendly, 3 last.")
    fee = Amount(required=False, help_text="Fee claimed, in the company's currency.")
    has_interest = Yes(required=False, help_text="Whether statutory interest is claimed.")
    suspended_billing = Choice(SuspendedBilling.choices, required=False, help_text="Billing while suspended.")
    end_unused = Choice(Unused.choices, required=False, help_text="What becomes of unused days.")


class DunningPolicyInput(Body):
    """A policy with all its steps. A policy that cases have followed is replaced by a new one."""

    name = Text(max_length=dunning_policies.NAME_MOST, help_text="Name shown to staff.")
    method_kind = Choice(PaymentMethod.Kind.choices, required=False, help_text="Only for who pays this way.")
    customer_kind = Choice(Customer.Kind.choices, required=False, help_text="Only for companies, or for persons.")
    customer_group = Text(required=False, allow_blank=True, max_length=40, help_text="Only for this dunning group.")
    smallest_amount = Amount(required=False, help_text="Less than this is not dunned; in the company's currency.")
    steps = DunningStepInput(many=True, help_text="In any order.")


class CaseView(ResourceView):
    tag = "Dunning"
    places: ClassVar[dict[str, Any]] = {"case": "dun", "policy": "dup"}
    model, shape = DunningCase, DunningCaseShape
    shown_alone = frozenset({"entries"})

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("customer__company", "policy")
        wanted = "entries" in self.asked.expand or self.request.method != "GET" or "case" in self.kwargs
        return rows.prefetch_related("entries__case") if wanted else rows


class Cases(CaseView):
    @operation(
        "List dunning cases",
        right=READ,
        answer=DunningCaseShape,
        paged=True,
        expand=("entries",),
        filters=[
            Filter("customer", "ref", model=Customer, help="Who owes."),
            Filter("state", "choice", choices=tuple(DunningCase.State.values), help="Where it stands."),
            Filter("currency", "text", help="ISO 4217."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneCase(CaseView):
    @operation("Get a dunning case", right=READ, answer=DunningCaseShape)
    def get(self, request: Request, case: str) -> HttpResponse:
        return self.one(self.find(case))


class PromiseCase(CaseView):
    @operation(
        "Note a promise to pay", right=WRITE, body=CasePromiseInput, answer=DunningCaseShape,
        description="Until that day is over nothing goes out.", refusals=["dunning.not_open", "dunning.day_range"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], case: str) -> HttpResponse:
        return self.fresh(dunning.promise(case=self.find(case), by=self.by, at=self.at, **given))


class PauseCase(CaseView):
    @operation(
        "Pause a dunning case", right=WRITE, body=CasePauseInput, answer=DunningCaseShape,
        refusals=["dunning.not_open", "dunning.day_range"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], case: str) -> HttpResponse:
        return self.fresh(dunning.pause(case=self.find(case), by=self.by, at=self.at, **given))


class ResumeCase(CaseView):
    @operation(
        "Resume a dunning case", right=WRITE, answer=DunningCaseShape,
        description="Ends a pause or drops a promise; the next step follows.", refusals=["dunning.not_open"],
    )  # fmt: skip
    def post(self, request: Request, case: str) -> HttpResponse:
        return self.fresh(dunning.resume_case(case=self.find(case), by=self.by, at=self.at))


class SkipStep(CaseView):
    @operation(
        "Skip the next step of a dunning case", right=WRITE, body=SkipStepInput, answer=DunningCaseShape,
        refusals=["dunning.not_open", "dunning.no_step"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], case: str) -> HttpResponse:
        row = self.find(case)
        dunning.skip_step(case=row, by=self.by, at=self.at, **given)
        return self.fresh(row)


class PolicyView(ResourceView):
    tag = "Dunning"
    places: ClassVar[dict[str, Any]] = {"policy": "dup"}
    model, shape = DunningPolicy, DunningPolicyShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().prefetch_related("steps__company")

    def values(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the verb takes."""
        currency = self.company.currency
        smallest = given.pop("smallest_amount", None)
        steps = []
        for number, step in enumerate(given.pop("steps")):
            fee = step.pop("fee", None)
            minor = minor_of(fee, currency, field=f"steps.{number}.fee") if fee is not None else 0
            steps.append(dunning_policies.Step(**step, fee_minor=minor))
        grace = minor_of(smallest, currency, field="smallest_amount") if smallest is not None else 0
        return {**given, "steps": steps, "grace_minor": grace, "company": self.company, "by": self.by, "at": self.at}


class Policies(PolicyView):
    @operation(
        "List dunning policies", right=SEES, answer=DunningPolicyShape, paged=True,
        filters=[Filter("is_active", "yes", help="Whether new cases may follow it.")],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation("Create a dunning policy", right=CHANGES, body=DunningPolicyInput, answer=DunningPolicyShape, status=201,
               refusals=["dunning.policy_taken"])  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(dunning_policies.save(**self.values(given)), 201)


class OnePolicy(PolicyView):
    @operation("Get a dunning policy", right=SEES, answer=DunningPolicyShape)
    def get(self, request: Request, policy: str) -> HttpResponse:
        return self.one(self.find(policy))


class ReplacePolicy(PolicyView):
    @operation(
        "Replace a dunning policy", right=CHANGES, body=DunningPolicyInput, answer=DunningPolicyShape,
        description="Cases that follow it keep its steps: then a new policy takes its place and is the answer.",
        refusals=["dunning.policy_taken", "dunning.general_stays"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], policy: str) -> HttpResponse:
        return self.fresh(dunning_policies.save(policy=self.find(policy), **self.values(given)))


class SwitchOff(PolicyView):
    @operation(
        "Switch a dunning policy off", right=CHANGES, answer=DunningPolicyShape,
        description="No new case follows it; those that do go on.", refusals=["dunning.general_stays"],
    )  # fmt: skip
    def post(self, request: Request, policy: str) -> HttpResponse:
        return self.fresh(dunning_policies.switch_off(policy=self.find(policy), by=self.by, at=self.at))


urlpatterns = [
    path("dunning-cases", Cases.as_view()),
    path("dunning-cases/<str:case>", OneCase.as_view()),
    path("dunning-cases/<str:case>/promise", PromiseCase.as_view()),
    path("dunning-cases/<str:case>/pause", PauseCase.as_view()),
    path("dunning-cases/<str:case>/resume", ResumeCase.as_view()),
    path("dunning-cases/<str:case>/skip", SkipStep.as_view()),
    path("dunning-policies", Policies.as_view()),
    path("dunning-policies/<str:policy>", OnePolicy.as_view()),
    path("dunning-policies/<str:policy>/replace", ReplacePolicy.as_view()),
    path("dunning-policies/<str:policy>/switch-off", SwitchOff.as_view()),
]
