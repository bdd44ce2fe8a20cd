"""Imports of running subscriptions: started as jobs, read line by line, taken back."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Bytes, Day, Plain, Text, Yes
from api.problems import Fault, Problem, words
from api.query import Filter, Order
from api.resources.runs import JobShape, accepted
from api.shapes import Computed, Id, Shape
from api.views import ResourceView, operation
from core.services import files, jobs
from subscriptions.models import Import, ImportLine
from subscriptions.services import importing
from subscriptions.services.importing import mapping as mappings
from subscriptions.services.importing.working import KIND

RIGHT = "import.run"
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class ImportShape(Shape):
    """An import: a row of its own, one row per line of the file."""

    id = Id("imp")
    mapping = Computed({"type": "object"}, lambda row, reading: row.mapping, help_text="How its columns are read.")

    class Meta:
        model = Import
        fields = (
            "id", "file_name", "file_sha256", "mapping", "on", "with_history", "state", "line_count", "done_count",
            "known_count", "failed_count", "created_at", "undone_at",
        )  # fmt: skip


class ImportLineShape(Shape):
    """What became of one line."""

    problems = Computed(
        {"type": "array", "items": {"type": "object"}},
        lambda row, reading: row.problems,
        help_text="Field and code.",
    )
    customer = Id("cus", via="customer", allow_null=True, help_text="Customer it made or met.")
    subscription = Id("sub", via="subscription", allow_null=True, help_text="Subscription it made.")

    class Meta:
        model = ImportLine
        fields = ("number", "state", "problems", "customer", "made_customer", "subscription")


class ImportInput(Body):
    """A list of running subscriptions."""

    file_name = Text(max_length=200, help_text="Name of the file.")
    content = Bytes(help_text="The file, CSV or XLSX, in base64; up to 15 MB.")
    mapping = Plain(required=False, help_text="How its columns are read, as an object.")
    mapping_toml = Text(required=False, max_length=100_000, help_text="The same as TOML.")
    on = Day(help_text="Day of the take-over.")
    with_history = Yes(required=False, help_text="Bill earlier periods here too.")
    dry_run = Yes(required=False, help_text="Check only; true when left out.")


class ByNumber(Order):
    """Lines of a file, the last one first."""

    def token(self, row: Any) -> str:
        return str(row.number)

    def seen(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        if not (after.isascii() and after.isdigit() and len(after) < 9):
            raise Problem.parameter("after", "invalid_ref")
        return rows.filter(number=int(after))


class ImportView(ResourceView):
    tag = "Imports"
    places: ClassVar[dict[str, Any]] = {"source": "imp"}
    model, shape = Import, ImportShape


class Imports(ImportView):
    body_limit = 20 * 1024 * 1024

    @operation(
        "List imports",
        right=RIGHT,
        answer=ImportShape,
        paged=True,
        filters=[Filter("state", "choice", choices=tuple(Import.State.values), help="Where it stands.")],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Start an import",
        right=RIGHT,
        body=ImportInput,
        answer=JobShape,
        status=202,
        description="Checks (`dry_run`) or takes over a list; the job says how far it is and names every bad line.",
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        if ("mapping" in given) == ("mapping_toml" in given):
            fault = Fault("/mapping", "mapping_once", words("mapping_once"))
            raise Problem(422, "invalid_input", faults=[fault])
        mapping = given.get("mapping")
        if mapping is None:
            mapping = importing.from_toml(given["mapping_toml"])
        mappings.parse(mapping)
        name = given["file_name"]
        kind = next((kind for ending, kind in MEDIA_TYPES.items() if name.lower().endswith(ending)), "text/csv")
        stored = files.store(company_id=self.company.pk, name=name, media_type=kind, content=given["content"])
        params = {
            "file": stored.pk,
            "mapping": mapping,
            "on": given["on"].isoformat(),
            "dry_run": given.get("dry_run", True),
            "with_history": given.get("with_history", False),
        }
        return accepted(self, jobs.start(company_id=self.company.pk, name=KIND, params=params, user=None))


class OneImport(ImportView):
    @operation("Get an import", right=RIGHT, answer=ImportShape)
    def get(self, request: Request, source: str) -> HttpResponse:
        return self.one(self.find(source))


class UndoImport(ImportView):
    @operation(
        "Undo an import",
        right=RIGHT,
        answer=ImportShape,
        description="Takes it back, whole or not at all, while nothing of it was billed.",
        refusals=["import.billed", "import.not_done"],
    )
    def post(self, request: Request, source: str) -> HttpResponse:
        return self.fresh(importing.undo(source=self.find(source), by=self.by, at=self.at))


class ImportLines(ResourceView):
    tag = "Imports"
    places: ClassVar[dict[str, Any]] = {"source": "imp"}
    model, shape, order = ImportLine, ImportLineShape, ByNumber("number")

    @operation(
        "List lines of an import",
        right=RIGHT,
        answer=ImportLineShape,
        paged=True,
        filters=[Filter("state", "choice", choices=tuple(ImportLine.State.values), help="What became of it.")],
    )
    def get(self, request: Request, source: str) -> HttpResponse:
        rows = self.rows().filter(source=self.of(Import, source))
        return self.page(rows.select_related("customer", "subscription"))


urlpatterns = [
    path("imports", Imports.as_view()),
    path("imports/<str:source>", OneImport.as_view()),
    path("imports/<str:source>/undo", UndoImport.as_view()),
    path("imports/<str:source>/lines", ImportLines.as_view()),
]
