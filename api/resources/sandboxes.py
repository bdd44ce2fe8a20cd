"""Sandboxes: test companies opened beside this one, and the clock of the one the key belongs to."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Instant, Text, Yes
from api.resources.runs import JobShape, accepted
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ApiView, ResourceView, operation
from billing.services import sandboxes
from core.models import NAME_LENGTH, Company
from core.services import advancing, keys

OPEN, ADVANCE = "sandbox.open", "clock.advance"


class SandboxShape(Shape):
    """A test company opened with this company's catalog and settings."""

    id = Id("com")
    clock_at = Computed(
        {"type": "string", "format": "date-time"}, lambda row, reading: row.clock_at, help_text="Its own time."
    )

    class Meta:
        model = Company
        fields = ("id", "name", "slug", "clock_at", "created_at")


class OpenedShape(PlainShape):
    """A new sandbox with the key to it, which is shown this once."""

    sandbox = Part(SandboxShape, lambda row: row["sandbox"])
    key = Computed({"type": "string"}, lambda row, reading: row["key"], help_text="Its API key, for everything.")


class SandboxInput(Body):
    """A test company with a clock of its own."""

    name = Text(max_length=NAME_LENGTH, help_text="Name shown to staff and customers.")
    clock_at = Instant(required=False, help_text="Where its clock starts; this company's now when left out.")
    copies_catalog = Yes(required=False, help_text="With the catalog and the tax rates; yes when left out.")


class Sandboxes(ResourceView):
    tag = "Sandboxes"
    model, shape = Company, SandboxShape

    def rows(self) -> QuerySet[Any]:
        return Company.objects.filter(sandbox_of=self.company)

    @operation("List sandboxes", right=OPEN, answer=SandboxShape, paged=True)
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Open a sandbox",
        right=OPEN,
        body=SandboxInput,
        answer=OpenedShape,
        status=201,
        description="A test company with a copy of this one's catalog, tax rates and settings, its own clock, numbers, "
        "ledger and customers. Answers with a key for it; a repeated request with the same Idempotency-Key answers "
        "with the same key.",
        refusals=["sandbox.too_many"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        sandbox = sandboxes.open_sandbox(source=self.company, owner=None, by=self.by, at=self.at, **given)
        _key, text = keys.issue_key(company=sandbox, name="API", scopes=[keys.EVERYTHING], by=self.by, at=self.at)
        return self.shaped(OpenedShape, {"sandbox": sandbox, "key": text}, 201)


class ClockShape(PlainShape):
    """A company's time."""

    now = Computed({"type": "string", "format": "date-time"}, lambda row, reading: reading.at)
    today = Computed({"type": "string", "format": "date"}, lambda row, reading: reading.today)
    is_own = Computed({"type": "boolean"}, lambda row, reading: not row.is_live, help_text="It can be advanced.")


class AdvanceInput(Body):
    """How far the clock moves."""

    to = Instant(help_text="The clock stands there afterwards.")


class Clock(ApiView):
    tag = "Sandboxes"

    @operation("Get the clock", right="settings.read", answer=ClockShape)
    def get(self, request: Request) -> HttpResponse:
        return self.shaped(ClockShape, self.company)


class AdvanceClock(ApiView):
    tag = "Sandboxes"

    @operation(
        "Advance the clock",
        right=ADVANCE,
        body=AdvanceInput,
        answer=JobShape,
        status=202,
        description="Moves a test company's clock forward, day by day, doing everything that falls due on the way: "
        "starts, renewals, billing, ends. Answers with the job that does it; while one is under way, with that one.",
        refusals=["company.clock_is_real", "company.clock_goes_forward", "company.clock_too_far"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return accepted(self, advancing.start(company=self.company, to=given["to"], user=None))


urlpatterns = [
    path("sandboxes", Sandboxes.as_view()),
    path("clock", Clock.as_view()),
    path("clock/advance", AdvanceClock.as_view()),
]
