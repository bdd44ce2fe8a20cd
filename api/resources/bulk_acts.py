"""Acts on everybody in a segment: prepared and looked at, then begun; both as jobs. What became of each row."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from django.utils.translation import get_language
from rest_framework.request import Request

from api.fields import Body, Choice, Plain
from api.problems import Problem
from api.query import Filter, Order
from api.shapes import Computed, Id, Shape
from api.views import ResourceView, operation
from core.services.keys import scopes_with
from crm.models import BulkAct, BulkRow, Segment
from crm.services import bulk_acts, bulk_kinds

READ = "segment.read"
WRITE = tuple(sorted({kind.right for kind in bulk_kinds.KINDS.values()}))
COUNTS: dict[str, Any] = {"type": ["object", "null"], "additionalProperties": {"type": "integer"}}
MINOR: dict[str, Any] = {"type": ["integer", "null"]}


class BulkActShape(Shape):
    """One act on many customers or subscriptions. Who is meant was fixed on the day `on`."""

    id = Id("blk")
    segment = Id("seg", via="segment", help_text="Whose customers are meant.")
    params = Computed({"type": "object"}, lambda row, reading: row.params, help_text="What the act was given.")
    rows = Computed(
        COUNTS, lambda row, reading: bulk_acts.counts(row) if "rows" in reading.expand else None,
        help_text="How many rows are in each state; null in lists unless expanded.",
    )  # fmt: skip
    job = Computed({"type": "string"}, lambda row, reading: row.job_ref, help_text="The job that works on it, or did.")

    class Meta:
        model = BulkAct
        fields = (
            "id", "segment", "kind", "params", "on", "state", "rows", "job", "created_at", "started_at", "ended_at",
        )  # fmt: skip


class BulkRowShape(Shape):
    """One row of an act on many, and what became of it. Amounts are those of the preview, in minor units."""

    customer = Id("cus", via="customer", help_text="Whose.")
    subscription = Id("sub", via="subscription", allow_null=True, help_text="Which subscription; null: the customer.")

    class Meta:
        model = BulkRow
        fields = (
            "customer", "subscription", "state", "code", "why", "currency", "money_minor", "mrr_before_minor",
            "mrr_after_minor", "tried_at",
        )  # fmt: skip


class BulkActInput(Body):
    """What is to be done with everybody."""

    kind = Choice(choices=tuple(bulk_kinds.KINDS), help_text="What is done with each.")
    params = Plain(
        required=False,
        help_text="What the act needs: title, text, due_on, owner and priority of a task; text of a note; owner; "
        "discount; plan, timing and reason; from_on, until and reason of a pause; reason and comment of an end.",
    )


class BulkActView(ResourceView):
    tag = "Acts on many"
    places: ClassVar[dict[str, Any]] = {"bulk_act": "blk", "segment": "seg"}
    model, shape = BulkAct, BulkActShape
    shown_alone = frozenset({"rows"})

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("segment")

    def needs_right_of(self, kind: str) -> None:
        """403 where the key may not do with one what it wants to do with many."""
        right = bulk_kinds.named(kind).right
        if right not in self.rights:
            raise Problem(403, "scope_missing", scope=", ".join(scopes_with(right)))


class BulkActs(BulkActView):
    @operation(
        "List acts on many", right=READ, answer=BulkActShape, paged=True, expand=["rows"],
        filters=[Filter("state", "choice", choices=tuple(BulkAct.State.values), help="Where it stands.")],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class PrepareBulkAct(BulkActView):
    @operation(
        "Prepare an act on a segment", right=WRITE, body=BulkActInput, answer=BulkActShape, status=201,
        description="Fixes who is meant and looks at the act with each, as a job; nothing is done yet. When the state "
        "is `checked`, its rows say who would be refused, and why.",
        refusals=["segment.archived", "bulk_act.nobody", "bulk_act.too_many", "field.choice"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], segment: str) -> HttpResponse:
        self.needs_right_of(given["kind"])
        act = bulk_acts.prepare(
            segment=self.of(Segment, segment), kind=given["kind"], params=given.get("params") or {},
            language=get_language() or "en", user=None, on=self.today, by=self.by, at=self.at,
        )  # fmt: skip
        return self.fresh(act, 201)


class OneBulkAct(BulkActView):
    @operation("Get an act on many", right=READ, answer=BulkActShape)
    def get(self, request: Request, bulk_act: str) -> HttpResponse:
        return self.one(self.find(bulk_act))


class StartBulkAct(BulkActView):
    @operation(
        "Begin an act on many", right=WRITE, answer=BulkActShape,
        description="Does it, as a job, with every row that was not refused. What would come out otherwise than it was "
        "shown is refused row by row.",
        refusals=["bulk_act.state", "bulk_act.nothing_to_do"],
    )  # fmt: skip
    def post(self, request: Request, bulk_act: str) -> HttpResponse:
        row = self.find(bulk_act)
        self.needs_right_of(row.kind)
        return self.fresh(bulk_acts.start(act=row, user=None, by=self.by, at=self.at))


class StopBulkAct(BulkActView):
    @operation(
        "Stop an act on many", right=WRITE, answer=BulkActShape, description="What was done stays done.",
        refusals=["bulk_act.state"],
    )  # fmt: skip
    def post(self, request: Request, bulk_act: str) -> HttpResponse:
        row = self.find(bulk_act)
        self.needs_right_of(row.kind)
        return self.fresh(bulk_acts.stop(act=row, by=self.by, at=self.at))


class ByRow(Order):
    """Rows in the order in which they are worked on."""

    def token(self, row: Any) -> str:
        return str(row.pk)

    def seen(self, rows: QuerySet[Any], after: str) -> QuerySet[Any]:
        if not (after.isascii() and after.isdigit() and len(after) < 19):
            raise Problem.parameter("after", "invalid_ref")
        return rows.filter(pk=int(after))


class BulkActRows(ResourceView):
    tag = "Acts on many"
    places: ClassVar[dict[str, Any]] = {"bulk_act": "blk"}
    model, shape, order = BulkRow, BulkRowShape, ByRow("pk")

    @operation(
        "List rows of an act on many", right=READ, answer=BulkRowShape, paged=True,
        filters=[Filter("state", "choice", choices=tuple(BulkRow.State.values), help="What became of it.")],
    )  # fmt: skip
    def get(self, request: Request, bulk_act: str) -> HttpResponse:
        rows = self.rows().filter(bulk_act=self.of(BulkAct, bulk_act))
        return self.page(rows.select_related("customer", "subscription"))


urlpatterns = [
    path("bulk-acts", BulkActs.as_view()),
    path("bulk-acts/<str:bulk_act>", OneBulkAct.as_view()),
    path("bulk-acts/<str:bulk_act>/start", StartBulkAct.as_view()),
    path("bulk-acts/<str:bulk_act>/stop", StopBulkAct.as_view()),
    path("bulk-acts/<str:bulk_act>/rows", BulkActRows.as_view()),
    path("segments/<str:segment>/bulk-acts", PrepareBulkAct.as_view()),
]
