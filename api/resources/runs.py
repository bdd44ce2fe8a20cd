"""Billing runs and long work: started as jobs, read while they go on."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Day, Yes
from api.problems import Problem
from api.query import Filter
from api.schema import XLSX
from api.shapes import Computed, Id, Part, PlainShape, Shape, Sum, amount_text
from api.views import ApiView, ResourceView, operation
from billing import tasks
from billing.models import BillingRun
from billing.services import running, statement_jobs
from core.models import Job
from core.services import advancing
from crm.services import bulk_acts
from reporting import long_reports, registry

READ, START = "run.read", "run.start"
#: Who may see which long work; other kinds are for those who see the settings.
JOB_RIGHTS = {
    tasks.KIND: "run.read", "import_subscriptions": "import.run", advancing.KIND: "clock.advance",
    statement_jobs.KIND: "payment.read", long_reports.KIND: "report.read",
    bulk_acts.CHECK: "segment.read", bulk_acts.DO: "segment.read",
}  # fmt: skip
OTHER_JOBS = "settings.read"


class TotalsShape(PlainShape):
    """Sums of the invoices in one currency."""

    currency = Computed({"type": "string"}, lambda row, reading: row[0])
    net = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[1]["net"], row[0]))
    tax = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[1]["tax"], row[0]))
    gross = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[1]["gross"], row[0]))


class RunProgressShape(PlainShape):
    """What a run has done so far."""

    chunks = Computed({"type": "integer"}, lambda row, reading: row.chunks)
    chunks_done = Computed({"type": "integer"}, lambda row, reading: row.chunks_done)
    due_done = Computed({"type": "integer"}, lambda row, reading: row.due_done, help_text="Of `due_count`.")
    invoice_count = Computed({"type": "integer"}, lambda row, reading: row.invoice_count)
    credit_note_count = Computed({"type": "integer"}, lambda row, reading: row.credit_note_count)
    line_count = Computed({"type": "integer"}, lambda row, reading: row.line_count)
    parked_count = Computed({"type": "integer"}, lambda row, reading: row.parked_count)
    totals = Part(TotalsShape, lambda row: sorted(row.totals.items()), many=True)


class BillingRunShape(Shape):
    """A billing run. Its counts are final once it has ended; `progress` counts while it goes on."""

    id = Id("run")
    totals = Part(TotalsShape, lambda row: sorted(row.totals.items()), many=True, help_text="By currency.")
    zones = Computed({"type": "array", "items": {"type": "string"}}, lambda row, reading: row.zones)
    progress = Part(
        RunProgressShape,
        running.figures,
        name="progress",
        only_expanded=True,
        help_text="Null in lists unless expanded.",
    )

    class Meta:
        model = BillingRun
        fields = (
            "id", "on", "notify_since", "zones", "state", "forecast_lines", "due_count", "invoice_count", "quiet_count",
            "credit_note_count", "line_count", "parked_count", "totals", "progress", "actor_label", "started_at",
            "released_at", "ended_at",
        )  # fmt: skip


class JobShape(Shape):
    """Long work. `result` depends on the kind."""

    id = Id("job")
    params = Computed({"type": "object"}, lambda row, reading: _public(row.params), help_text="What was asked for.")
    result = Computed({"type": "object"}, lambda row, reading: _public(row.result), help_text="What came out.")

    class Meta:
        model = Job
        fields = (
            "id", "kind", "state", "params", "total", "done", "skipped", "failed", "result", "log", "created_at",
            "started_at", "ended_at",
        )  # fmt: skip


def _public(facts: dict[str, Any]) -> dict[str, Any]:
    """Without the ids that only this house knows."""
    return {name: value for name, value in facts.items() if name not in ("file", "import_id")}


class RunInput(Body):
    """Everything due by a day is billed."""

    on = Day(help_text="Everything due up to this day is billed.")
    notify_since = Day(required=False, help_text="Older charges go without mail; seven days before when left out.")
    dry_run = Yes(required=False, help_text="Shows what it would do and changes nothing.")


class RunView(ResourceView):
    tag = "Billing runs"
    places: ClassVar[dict[str, Any]] = {"run": "run"}
    model, shape = BillingRun, BillingRunShape
    shown_alone = frozenset({"progress"})


class Runs(RunView):
    @operation(
        "List billing runs",
        right=READ,
        answer=BillingRunShape,
        paged=True,
        expand=("progress",),
        filters=[
            Filter("state", "choice", choices=tuple(BillingRun.State.values), help="Where it stands."),
            Filter("on", "day", help="Everything due up to this day is billed."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Start a billing run",
        right=START,
        body=RunInput,
        answer=JobShape,
        status=202,
        description="Asks for a run and answers with the job that works it off. For one company and day there is one "
        "unfinished run; asking again joins it.",
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return accepted(self, tasks.ask_for_run(company=self.company, user=None, **given))


class OneRun(RunView):
    @operation("Get a billing run", right=READ, answer=BillingRunShape)
    def get(self, request: Request, run: str) -> HttpResponse:
        return self.one(self.find(run))


class ReleaseRun(RunView):
    @operation(
        "Release a held billing run",
        right=START,
        answer=BillingRunShape,
        description="Lets a run go on that wrote more lines than expected.",
        refusals=["run.not_held"],
    )
    def post(self, request: Request, run: str) -> HttpResponse:
        return self.fresh(running.release(run=self.find(run), by=self.by, at=self.at))


class JobView(ResourceView):
    tag = "Jobs"
    places: ClassVar[dict[str, Any]] = {"job": "job"}
    model, shape = Job, JobShape

    def rows(self) -> QuerySet[Any]:
        seen = Q(kind__in=[kind for kind, right in JOB_RIGHTS.items() if right in self.rights])
        if OTHER_JOBS in self.rights:
            seen |= ~Q(kind__in=JOB_RIGHTS)
        return super().rows().filter(seen)


def accepted(view: ApiView, job: Job) -> HttpResponse:
    """202 with the job and where to follow it."""
    job.refresh_from_db()
    response = view.shaped(JobShape, job, 202)
    response["Location"] = f"/api/v1/jobs/{job.ref}"
    return response


class Jobs(JobView):
    @operation(
        "List jobs",
        right=(*JOB_RIGHTS.values(), OTHER_JOBS),
        answer=JobShape,
        paged=True,
        description="Long work the key may know of.",
        filters=[
            Filter("kind", "text", help="Which work."),
            Filter("state", "choice", choices=tuple(Job.State.values), help="Where it stands."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneJob(JobView):
    @operation("Get a job", right=(*JOB_RIGHTS.values(), OTHER_JOBS), answer=JobShape)
    def get(self, request: Request, job: str) -> HttpResponse:
        return self.one(self.find(job))


class JobFile(JobView):
    @operation(
        "Download the file of a job",
        right="report.read",
        answer=XLSX,
        description="The spreadsheet that a report was written to, once the job is done; 404 before, and for others.",
    )
    def get(self, request: Request, job: str) -> HttpResponse:
        row = self.find(job)
        stored = long_reports.file_of(row)
        if stored is None or registry.named(row.params["report"]).right not in self.rights:
            raise Problem(404, "not_found")
        response = HttpResponse(stored.content, content_type=stored.media_type)
        response["Content-Disposition"] = f'attachment; filename="{stored.name}"'
        return response


urlpatterns = [
    path("billing-runs", Runs.as_view()),
    path("billing-runs/<str:run>", OneRun.as_view()),
    path("billing-runs/<str:run>/release", ReleaseRun.as_view()),
    path("jobs", Jobs.as_view()),
    path("jobs/<str:job>", OneJob.as_view()),
    path("jobs/<str:job>/file", JobFile.as_view()),
]
