"""Moving subscriptions to a version of their price: one, many, or all that hold another; previewed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Day, Refs, Text
from api.resources.previews import PreviewDocumentShape, TokenInput
from api.shapes import Computed, Part, PlainShape
from api.views import ApiView, operation
from billing.services import acts_versions
from catalog.models import Price
from subscriptions.models import Change, Subscription

CHANGE = "subscription.change"
TEXT = {"type": "string"}
DAY = {"type": "string", "format": "date"}
STATUS = {"type": "string", "enum": [str(Change.Status.PLANNED), str(Change.Status.DONE)]}


class MoveVersionsInput(TokenInput):
    """Which subscriptions get the version, and from when."""

    subscriptions = Refs(
        Subscription,
        required=False,
        min_length=1,
        max_length=500,
        help_text="Their ids; left out: all that are not over and hold another version of this price.",
    )
    effective_on = Day(
        required=False,
        help_text="Just this day, which must start a period; left out: each at the first period's start it may.",
    )
    reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why; kept with each change.")


class MovedShape(PlainShape):
    """A subscription that gets the version."""

    subscription = Computed(TEXT, lambda row, reading: row.subscription.ref)
    status = Computed(STATUS, lambda row, reading: str(row.change.status), help_text="planned, or done today.")
    effective_on = Computed(DAY, lambda row, reading: row.change.effective_on, help_text="First day of the version.")
    summary = Computed(
        {"type": "object"}, lambda row, reading: row.change.summary, help_text="Positions before and after."
    )


class MovedForGoodShape(MovedShape):
    """A subscription that got the version."""

    change = Computed(TEXT, lambda row, reading: row.change.ref, help_text="Takes it back while it is planned.")


class SkippedShape(PlainShape):
    """A subscription left as it is."""

    subscription = Computed(TEXT, lambda row, reading: row[0].ref)
    code = Computed(TEXT, lambda row, reading: row[1].code, help_text="A problem code.")
    reason = Computed(TEXT, lambda row, reading: row[1].message, help_text="The code in words.")


class VersionMovesShape(PlainShape):
    """What came of a move of subscriptions to a version."""

    moved = Part(MovedForGoodShape, lambda row: row.changed, many=True)
    skipped = Part(SkippedShape, lambda row: row.skipped, many=True)


class VersionMovesPreviewShape(PlainShape):
    """What would come of it. Nothing was changed."""

    moved = Part(MovedShape, lambda row: row.moved.changed, many=True)
    skipped = Part(SkippedShape, lambda row: row.moved.skipped, many=True)
    documents = Part(PreviewDocumentShape, lambda row: row.documents, many=True, help_text="To be issued at once.")
    preview_token = Computed(TEXT, lambda row, reading: row.token, help_text="Send it with the act.")


REFUSALS = ["change.version_day", "change.version_of_other", "change.day_taken"]


class MoveSubscriptions(ApiView):
    tag = "Subscriptions"
    places: ClassVar[dict[str, Any]] = {"price": "prc"}

    @operation(
        "Move subscriptions to a price version",
        right=CHANGE,
        body=MoveVersionsInput,
        answer=VersionMovesShape,
        description="Each moves at the start of a period, after what is billed and not before its minimum term is "
        "over. One that can't is skipped with the reason; named alone, it is refused.",
        refusals=[*REFUSALS, "preview.differs"],
    )
    def post(self, request: Request, given: dict[str, Any], price: str) -> HttpResponse:
        return self.shaped(VersionMovesShape, acts_versions.move_versions(**self.what(given, price)))

    def what(self, given: dict[str, Any], ref: str) -> dict[str, Any]:
        return {"company": self.company, "price": self.of(Price, ref), "by": self.by, "at": self.at, **given}


class PreviewMoveSubscriptions(MoveSubscriptions):
    @operation(
        "Preview moving subscriptions to a price version",
        right=CHANGE,
        body=MoveVersionsInput,
        answer=VersionMovesPreviewShape,
        description="The very move, taken back.",
        refusals=REFUSALS,
    )
    def post(self, request: Request, given: dict[str, Any], price: str) -> HttpResponse:
        given.pop("preview_token", None)
        return self.shaped(VersionMovesPreviewShape, acts_versions.preview_versions(**self.what(given, price)))


urlpatterns = [
    path("prices/<str:price>/move-subscriptions", MoveSubscriptions.as_view()),
    path("prices/<str:price>/move-subscriptions/preview", PreviewMoveSubscriptions.as_view()),
]
