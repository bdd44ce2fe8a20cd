"""Ties to other systems: made, changed, tried, run, switched on and off, and what became of everything they did."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path, reverse
from rest_framework.request import Request

from api.fields import Body, Bytes, Choice, ModelBody, Ref, Refs, Text, Yes
from api.problems import Problem
from api.query import ByPlace, Filter, archived
from api.resources.runs import JobShape, accepted
from api.schema import CSV
from api.shapes import Computed, Id, Part, PlainShape, Shape
from api.views import ResourceView, operation
from catalog.models import Campaign
from core.spreadsheets import csv_lines
from crm.models import Segment, Tie, TieChange, TieFile, TieRecord, TieRun
from crm.services import tie_accounts, tie_files, tying
from crm.services.tie_rows import marks_of

READ, WRITE = "settings.read", "settings.write"
TEXT, TEXTS, WHOLE = {"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "integer"}
REFUSALS = ["tie.name_taken", "tie.field_missing", "tie.archived"]
THERE = [
    "tie.key_wrong", "tie.list_unknown", "tie.throttled", "tie.no_answer", "tie.refused", "tie.address_missing",
]  # fmt: skip


class TieShape(Shape):
    """A tie to another system. Its key is written, never read."""

    id = Id("tie")
    segment = Id("seg", via="segment", allow_null=True, help_text="Customers that are sent; null: all.")
    marks = Computed(TEXTS, lambda row, reading: row.marks, help_text="Ids of the segments shown over there.")
    campaign = Id("cmp", via="campaign", allow_null=True, help_text="That leads from there are counted to.")
    has_link = Computed(
        {"type": "boolean"}, lambda row, reading: bool(row.link_hash), help_text="Whether a secret link to its files "
        "is in force.",
    )  # fmt: skip

    class Meta:
        model = Tie
        fields = (
            "id", "kind", "name", "audience", "segment", "marks", "is_two_way", "campaign", "is_on", "has_link",
            "paused_until", "ran_at", "last_error", "created_at", "archived_at",
        )  # fmt: skip


class TieRunShape(Shape):
    """A run in which something happened, or that ended early."""

    id = Id("trn")

    class Meta:
        model = TieRun
        fields = (
            "id", "began_at", "ended_at", "sent", "taken", "leads", "unsubscribed", "conflicts", "failed", "error",
        )  # fmt: skip


class TieChangeShape(Shape):
    """Something that was changed over there, and what became of it here."""

    id = Id("tch")
    customer = Id("cus", via="customer", allow_null=True, help_text="Whose address it is.")
    lead = Id("led", via="lead", allow_null=True, help_text="The lead it became.")

    class Meta:
        model = TieChange
        fields = (
            "id", "at", "changed_at", "key", "customer", "lead", "what", "ours", "theirs", "outcome", "words",
        )  # fmt: skip


class TieRecordShape(Shape):
    """A person, company or subscription as the other system was last told of it."""

    customer = Id("cus", via="customer")

    class Meta:
        model = TieRecord
        fields = ("kind", "key", "customer", "external_id", "state", "lists", "error", "synced_at")


class TieFileShape(Shape):
    """A file of changes that was given in."""

    id = Id("tfl")

    class Meta:
        model = TieFile
        fields = ("id", "name", "state", "line_count", "done_count", "failed_count", "created_at", "created_by")


class TieLineShape(PlainShape):
    """What became of one line of a file."""

    line = Computed(WHOLE, lambda row, reading: row[0], help_text="Counted from 1 below the head.")
    outcome = Computed(
        TEXT | {"enum": list(tie_files.OUTCOMES)}, lambda row, reading: row[1], help_text="What became of it."
    )
    reason = Computed(TEXT, lambda row, reading: row[2], help_text="Why, in words.")


class TieLinesShape(PlainShape):
    """What became of the lines that were read so far."""

    data = Part(TieLineShape, lambda row: list(tie_files.results(row)), many=True)


class TieCheckShape(PlainShape):
    """The account over there that the key opens."""

    account = Computed(TEXT, lambda row, reading: row, help_text="Its name and its list.")


class TieLinkShape(PlainShape):
    """A secret link to the tables of a tie by CSV, which is shown this once."""

    urls = Computed({"type": "object"}, lambda row, reading: row, help_text="By table: contacts, companies, ….")


class TieChanges(ModelBody):
    """What is to change."""

    name = Text(required=False, max_length=200, help_text="Name shown to staff.")
    secret = Text(required=False, max_length=300, help_text="The system's API key; left out: as it is.")
    audience = Text(required=False, allow_blank=True, max_length=60, help_text="Id of the list over there.")
    segment = Ref(Segment, required=False, allow_null=True, help_text="Customers that are sent; null: all.")
    marks = Refs(Segment, required=False, help_text="Segments shown over there.")
    is_two_way = Yes(required=False, help_text="Whether changes over there are taken over, and new people as leads.")
    campaign = Ref(Campaign, required=False, allow_null=True, help_text="That leads from there are counted to.")

    class Meta:
        model = Tie
        fields = ("name", "secret", "audience", "segment", "marks", "is_two_way", "campaign")


class TieInput(TieChanges):
    """A tie to be made; switched off at first."""

    kind = Choice(choices=tuple(tie_accounts.FIELDS), help_text="Which system it is.")
    name = Text(max_length=200, help_text="Name shown to staff.")

    class Meta:
        model = Tie
        fields = ("kind", *TieChanges.Meta.fields)


class TieFileInput(Body):
    """A file of changes."""

    file_name = Text(max_length=200, help_text="Name of the file.")
    content = Bytes(
        help_text="CSV in base64 with the column email and any of name, phone, advertising (yes or no), new_email, "
        "changed_at, lists; up to 20,000 lines and 5 MB."
    )  # fmt: skip


class TieView(ResourceView):
    tag = "Ties"
    places: ClassVar[dict[str, Any]] = {"tie": "tie", "tie_file": "tfl", "table": tuple(tie_files.TABLES)}
    model, shape = Tie, TieShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("segment", "campaign")

    def common(self) -> dict[str, Any]:
        return {"by": self.by, "at": self.at}


class Ties(TieView):
    @operation(
        "List ties", right=READ, answer=TieShape, paged=True,
        filters=[
            Filter("kind", "choice", choices=tuple(Tie.Kind.values), help="Which system it is."),
            Filter("archived", "yes", build=archived, help="Hidden or not."),
        ],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a tie", right=WRITE, body=TieInput, answer=TieShape, status=201, refusals=REFUSALS[:2],
        description="It is off until it is switched on.",
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        return self.fresh(tie_accounts.save(company=self.company, **given, **self.common()), 201)


class OneTie(TieView):
    @operation("Get a tie", right=READ, answer=TieShape)
    def get(self, request: Request, tie: str) -> HttpResponse:
        return self.one(self.find(tie))

    @operation(
        "Change a tie", right=WRITE, body=TieChanges, answer=TieShape, refusals=REFUSALS,
        description="With another key or list everything is sent anew.",
    )  # fmt: skip
    def patch(self, request: Request, given: dict[str, Any], tie: str) -> HttpResponse:
        row = self.find(tie)
        present = {name: getattr(row, name) for name in ("name", "audience", "segment", "is_two_way", "campaign")}
        values = {**present, "marks": marks_of(row), **given}
        return self.fresh(tie_accounts.save(company=self.company, tie=row, **values, **self.common()))

    @operation(
        "Archive a tie", right=WRITE, answer=None, status=204,
        description="Its key is forgotten, and whom it sent; what is over there stays.",
    )  # fmt: skip
    def delete(self, request: Request, tie: str) -> HttpResponse:
        tie_accounts.archive(tie=self.find(tie), **self.common())
        return HttpResponse(status=204)


class TestTie(TieView):
    @operation("Test a tie", right=WRITE, answer=TieCheckShape, refusals=THERE,
               description="Asks the other system whether key and list work; changes nothing over there.")  # fmt: skip
    def post(self, request: Request, tie: str) -> HttpResponse:
        return self.shaped(TieCheckShape, tie_accounts.check(self.find(tie)))


class SwitchOn(TieView):
    @operation("Switch a tie on", right=WRITE, answer=TieShape, refusals=["tie.archived"],
               description="From now on it is kept up by itself, every ten minutes.")  # fmt: skip
    def post(self, request: Request, tie: str) -> HttpResponse:
        return self.fresh(tie_accounts.switch(tie=self.find(tie), is_on=True, **self.common()))


class SwitchOff(TieView):
    @operation("Switch a tie off", right=WRITE, answer=TieShape, refusals=["tie.archived"],
               description="Nothing is sent or heard any more until it is switched on.")  # fmt: skip
    def post(self, request: Request, tie: str) -> HttpResponse:
        return self.fresh(tie_accounts.switch(tie=self.find(tie), is_on=False, **self.common()))


class RunTie(TieView):
    @operation("Run a tie now", right=WRITE, answer=JobShape, status=202, refusals=["tie.archived"],
               description="While a run waits or works, that one is the answer.")  # fmt: skip
    def post(self, request: Request, tie: str) -> HttpResponse:
        return accepted(self, tying.run_now(tie=self.find(tie), user=None, **self.common()))


class RetryTie(TieView):
    @operation("Send refused rows of a tie again", right=WRITE, answer=TieShape, refusals=["tie.archived"],
               description="By the next run.")  # fmt: skip
    def post(self, request: Request, tie: str) -> HttpResponse:
        row = self.find(tie)
        tie_accounts.retry(tie=row, **self.common())
        return self.fresh(row)


class TieParts(TieView):
    """Rows of one tie."""

    part: ClassVar[type[Any]]

    def parts(self, tie: str) -> QuerySet[Any]:
        return self.part.objects.filter(tie=self.find(tie))  # type: ignore[no-any-return]


class Runs(TieParts):
    part = TieRun

    @operation("List the runs of a tie", right=READ, answer=TieRunShape, paged=True,
               description="Those in which something happened or that ended early, newest first.")  # fmt: skip
    def get(self, request: Request, tie: str) -> HttpResponse:
        return self.listed(self.parts(tie), TieRunShape, self.order)


class Changes(TieParts):
    part = TieChange

    @operation(
        "List the changes a tie heard", right=READ, answer=TieChangeShape, paged=True,
        description="What was changed over there and what became of it; conflicts have the outcomes theirs, ours, "
        "kept and asked.",
        filters=[
            Filter("outcome", "choice", choices=tuple(TieChange.Outcome.values), help="What became of it."),
            Filter("what", "choice", choices=tuple(TieChange.What.values), help="What was changed."),
        ],
    )  # fmt: skip
    def get(self, request: Request, tie: str) -> HttpResponse:
        rows = self.parts(tie).select_related("customer", "lead")
        return self.listed(rows, TieChangeShape, self.order)


class Records(TieParts):
    part = TieRecord

    @operation(
        "List the records of a tie", right=READ, answer=TieRecordShape, paged=True,
        description="Everybody who was sent, with what became of it.",
        filters=[Filter("state", "choice", choices=tuple(TieRecord.State.values), help="Where it stands.")],
    )  # fmt: skip
    def get(self, request: Request, tie: str) -> HttpResponse:
        rows = self.parts(tie).select_related("customer")
        return self.listed(rows, TieRecordShape, ByPlace())


class Files(TieParts):
    part = TieFile
    body_limit = 8 * 1024 * 1024

    @operation("List the files given to a tie", right=READ, answer=TieFileShape, paged=True)
    def get(self, request: Request, tie: str) -> HttpResponse:
        return self.listed(self.parts(tie), TieFileShape, self.order)

    @operation(
        "Give a file of changes to a tie", right=WRITE, body=TieFileInput, answer=TieFileShape, status=201,
        description="Read by the next run, line by line; a line that can't be read stops no other.",
        refusals=["tie.no_files", "tie.archived", "tie.file_columns", "tie.file_empty", "tie.file_large",
                  "tie.file_unreadable"],
    )  # fmt: skip
    def post(self, request: Request, given: dict[str, Any], tie: str) -> HttpResponse:
        made = tie_files.give_in(
            tie=self.find(tie), name=given["file_name"], content=given["content"], **self.common()
        )  # fmt: skip
        return self.shaped(TieFileShape, made, 201)


class Results(TieParts):
    part = TieFile

    @operation("Get what became of a file given to a tie", right=READ, answer=TieLinesShape)
    def get(self, request: Request, tie: str, tie_file: str) -> HttpResponse:
        return self.shaped(TieLinesShape, TieFile.by_ref(self.parts(tie), tie_file))


class Table(TieView):
    @operation("Download a table of a tie", right=READ, answer=CSV, refusals=["tie.no_files"],
               description="As of the last run; cells that begin like a formula are neutralised.")  # fmt: skip
    def get(self, request: Request, tie: str, table: str) -> StreamingHttpResponse:
        row = self.find(tie)
        if table not in tie_files.TABLES:
            raise Problem(404, "not_found")
        head, rows = tie_files.table(row, table)
        response = StreamingHttpResponse(csv_lines(head, rows), content_type=f"{CSV}; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{table}.csv"'
        return response


class Link(TieView):
    @operation(
        "Make a secret link to the files of a tie", right=WRITE, answer=TieLinkShape, status=201,
        description="Shown this once; the one in force is over.", refusals=["tie.no_files", "tie.archived"],
    )  # fmt: skip
    def post(self, request: Request, tie: str) -> HttpResponse:
        token = tie_files.create_link(tie=self.find(tie), **self.common())
        urls = {name: settings.SITE_URL + reverse("tie-files", args=[token, name]) for name in tie_files.TABLES}
        return self.shaped(TieLinkShape, urls, 201)

    @operation("End the secret link of a tie", right=WRITE, answer=None, status=204, refusals=["tie.archived"])
    def delete(self, request: Request, tie: str) -> HttpResponse:
        tie_files.revoke_link(tie=self.find(tie), **self.common())
        return HttpResponse(status=204)


urlpatterns = [
    path("ties", Ties.as_view()),
    path("ties/<str:tie>", OneTie.as_view()),
    path("ties/<str:tie>/test", TestTie.as_view()),
    path("ties/<str:tie>/switch-on", SwitchOn.as_view()),
    path("ties/<str:tie>/switch-off", SwitchOff.as_view()),
    path("ties/<str:tie>/run", RunTie.as_view()),
    path("ties/<str:tie>/retry", RetryTie.as_view()),
    path("ties/<str:tie>/runs", Runs.as_view()),
    path("ties/<str:tie>/changes", Changes.as_view()),
    path("ties/<str:tie>/records", Records.as_view()),
    path("ties/<str:tie>/files", Files.as_view()),
    path("ties/<str:tie>/files/<str:tie_file>/results", Results.as_view()),
    path("ties/<str:tie>/tables/<str:table>", Table.as_view()),
    path("ties/<str:tie>/link", Link.as_view()),
]
