"""Moving subscriptions to a version of their price: one, many, or all that hold another; previewed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Body, Day, Refs, Text
from api.shapes import Computed, Part, PlainShape
from api.views import ApiView, operation
from billing.services import acts_changing
from catalog.models import Price
from core.refusal import Refused
from subscriptions.models import Change, Subscription
from subscriptions.services import versions
from subscriptions.services.versions import VersionMoves

CHANGE = "subscription.change"
TEXT = {"type": "string"}
DAY = {"type": "string", "format": "date"}
STATUS = {"type": "string", "enum": [str(Change.Status.PLANNED), str(Change.Status.DONE)]}


#: Why a subscription is left as it is.
LEFT_AS_THEY_ARE = frozenset(
    (
        "change.version_day", "change.version_of_other", "change.day_taken", "subscription.act_after_end",
        "subscription.ended",
    )
)  # fmt: skip


class MoveVersionsInput(Body):
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

    subscription = Computed(TEXT, lambda row, reading: row[0].subscription.ref)
    change = Computed(
        TEXT,
        lambda row, reading: row[0].change.ref if row[1] else None,
        allow_null=True,
        help_text="Takes it back while it is planned; null in a preview.",
    )
    status = Computed(STATUS, lambda row, reading: str(row[0].change.status), help_text="planned, or done today.")
    effective_on = Computed(DAY, lambda row, reading: row[0].change.effective_on, help_text="First day of the version.")
    summary = Computed(
        {"type": "object"}, lambda row, reading: row[0].change.summary, help_text="Positions before and after."
    )


class SkippedShape(PlainShape):
    """A subscription left as it is."""

    subscription = Computed(TEXT, lambda row, reading: row[0].ref)
    code = Computed(TEXT, lambda row, reading: row[1].code, help_text="A problem code.")
    reason = Computed(TEXT, lambda row, reading: row[1].message, help_text="The code in words.")


class VersionMovesShape(PlainShape):
    """What came of a move of subscriptions to a version."""

    moved = Part(MovedShape, lambda row: row["moved"], many=True)
    skipped = Part(SkippedShape, lambda row: row["skipped"], many=True)


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
        refusals=["change.version_day", "change.version_of_other", "change.day_taken"],
    )
    def post(self, request: Request, given: dict[str, Any], price: str) -> HttpResponse:
        return self.moved(acts_changing.move_versions, given, price)

    def moved(
        self, act: Callable[..., VersionMoves], given: dict[str, Any], ref: str, *, is_kept: bool = True
    ) -> HttpResponse:
        price = self.of(Price, ref)
        named = given.pop("subscriptions", None)
        chosen = named if named is not None else list(versions.held_on_others(price))
        common = {"company": self.company, "price": price, "by": self.by, "at": self.at}
        try:
            found = act(**common, subscriptions=chosen, **given)
        except Refused as refused:
            # The act refuses one that is alone; nobody named this one.
            if named is not None or len(chosen) != 1 or refused.code not in LEFT_AS_THEY_ARE:
                raise
            found = VersionMoves(skipped=[(chosen[0], refused)])
        moved = [(one, is_kept) for one in found.changed]
        return self.shaped(VersionMovesShape, {"moved": moved, "skipped": found.skipped})


class PreviewMoveSubscriptions(MoveSubscriptions):
    @operation(
        "Preview moving subscriptions to a price version",
        right=CHANGE,
        body=MoveVersionsInput,
        answer=VersionMovesShape,
        description="The very move, taken back.",
        refusals=["change.version_day", "change.version_of_other", "change.day_taken"],
    )
    def post(self, request: Request, given: dict[str, Any], price: str) -> HttpResponse:
        return self.moved(acts_changing.preview_versions, given, price, is_kept=False)


urlpatterns = [
    path("prices/<str:price>/move-subscriptions", MoveSubscriptions.as_view()),
    path("prices/<str:price>/move-subscriptions/preview", PreviewMoveSubscriptions.as_view()),
]
