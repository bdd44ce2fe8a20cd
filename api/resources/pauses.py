"""Stopping and taking up service, moving the billing day, cancellation and other ways out; each with its preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern

from api.fields import Body, Day, Text, Whole, Yes
from api.resources.acting import on_subscription, twins
from api.resources.previews import TokenInput
from api.resources.subscriptions import CANCEL, OVERRIDE
from billing.services import acts, acts_exits, acts_pausing
from billing.services.acting import ActResult

CHANGE = "subscription.change"
OVERRIDES = "Dates the act back; needs subscriptions:override."


class CancelInput(TokenInput):
    """When it ends and what becomes of paid days after it."""

    timing = Text(max_length=10, help_text="now, period_end or date.")
    ends_on = Day(required=False, help_text="Last day of service; with timing date.")
    unused = Text(required=False, max_length=6, help_text="credit, refund or none; as agreed when left out.")
    reason = Text(required=False, allow_blank=True, max_length=40, help_text="Reason code.")
    comment = Text(required=False, allow_blank=True, max_length=5000, help_text="The customer's own words.")
    override = Yes(required=False, help_text="The contract's terms don't bind; needs subscriptions:override.")
    override_reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why they don't.")


class DatedInput(TokenInput):
    """From when it holds."""

    from_on = Day(required=False, help_text="First day it holds; today when left out.")
    reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why.")
    override = Yes(required=False, help_text=OVERRIDES)
    override_reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why it is dated back.")


class PauseInput(DatedInput):
    """When service and billing stop, and until when."""

    until = Day(required=False, help_text="First day after the pause; open when left out.")
    keep_anchor = Yes(required=False, help_text="Periods after it are counted as before, not from that day.")


class ResumeInput(DatedInput):
    """When service and billing go on."""

    keep_anchor = Yes(required=False, help_text="Periods are counted as before the pause, not from that day.")


class SuspendInput(DatedInput):
    """When service stops because something is not paid."""

    suspended_billing = Text(
        required=False, max_length=8, help_text="stop, credit or continue; as agreed when left out."
    )


class MoveDayInput(TokenInput):
    """The new day of the month."""

    day = Whole(min_value=1, max_value=31, help_text="Day of the month on which periods begin, clamped to its length.")
    reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why.")


class WithdrawInput(TokenInput):
    """A consumer withdraws."""

    start_requested = Yes(required=False, help_text="Service was asked for before the time was over: use stays paid.")
    comment = Text(required=False, allow_blank=True, max_length=5000, help_text="The customer's own words.")
    override = Yes(required=False, help_text="Accepts what comes late; needs subscriptions:override.")
    override_reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why it is accepted.")


class TerminateInput(TokenInput):
    """What the good cause is and when it ends."""

    reason = Text(max_length=500, help_text="The good cause.")
    ends_on = Day(required=False, help_text="Last day of service; today when left out.")
    unused = Text(required=False, max_length=6, help_text="credit, refund or none; credit when left out.")
    override = Yes(required=False, help_text="Names a day of the past.")


class SwitchInput(TokenInput):
    """The customer goes to another provider."""

    ends_on = Day(required=False, help_text="A later last day, if one is wanted.")
    comment = Text(required=False, allow_blank=True, max_length=5000, help_text="The customer's own words.")


def _act(
    name: str, act: Callable[..., ActResult], summary: str, body: type[Body], *, right: str = CHANGE, **described: Any
) -> list[URLPattern]:
    return twins(
        f"subscriptions/<str:subscription>/{name}", on_subscription(act), summary, body, right=right, **described
    )


DATED = ("subscription.act_in_the_past", "subscription.books_closed")
urlpatterns = [
    *_act(
        "cancel", acts.cancel, "Cancel a subscription", CancelInput, right=CANCEL,
        description="Plans its end. Paid days after an end of today are given back at once; `issued` names the notes.",
        refusals=("subscription.end_too_early",),
    ),
    *_act(
        "undo-cancel", acts.undo_cancel, "Undo a cancellation", TokenInput, right=CANCEL,
        description="Takes a planned end back, until its last day is over.",
        refusals=("subscription.undo_too_late",),
    ),
    *_act(
        "pause", acts_pausing.pause, "Pause a subscription", PauseInput, refusals=DATED,
        description="Service and billing stop from a day on; billed days from it on are given back.",
    ),
    *_act(
        "resume", acts_pausing.resume, "Resume a subscription", ResumeInput, refusals=DATED,
        description="Ends a pause, today or on a planned day; on its first day the morning comes back.",
    ),
    *_act(
        "undo-pause", acts_pausing.undo_pause, "Undo a planned pause", TokenInput,
        description="Takes back a pause that has not begun, or the planned end of one that runs.",
        refusals=("subscription.pause_begun",),
    ),
    *_act(
        "suspend", acts_pausing.suspend, "Suspend a subscription", SuspendInput, refusals=DATED,
        description="Service stops for non-payment; the anchor and the term run on.",
    ),
    *_act(
        "reinstate", acts_pausing.reinstate, "Reinstate a subscription", DatedInput, refusals=DATED,
        description="Ends a suspension; days to the next boundary are billed unless they are already.",
    ),
    *_act(
        "move-day", acts_pausing.move_billing_day, "Move the billing day of a subscription", MoveDayInput,
        description="From the end of the paid period on; the days up to the new one are billed when they begin.",
        refusals=("subscription.day_without_months",),
    ),
    *_act(
        "undo-move-day", acts_pausing.undo_move_billing_day, "Undo a planned move of the billing day", TokenInput,
        description="Takes it back until it takes effect.",
    ),
    *_act(
        "withdraw", acts_exits.withdraw, "Withdraw from a subscription", WithdrawInput, right=CANCEL,
        description="A consumer's right within 14 days of the conclusion; the money goes back as a refund.",
        refusals=("exit.too_late", "exit.consumers_only"),
    ),
    *_act(
        "terminate", acts_exits.terminate, "Terminate a subscription for good cause", TerminateInput, right=OVERRIDE,
        description="Ends it on a day, whatever the term.", refusals=("subscription.act_in_the_past",),
    ),
    *_act(
        "switch", acts_exits.switch, "Switch to another provider", SwitchInput, right=CANCEL,
        description="Ends it after two months at the latest, whatever the term.",
        refusals=("subscription.end_too_early", "exit.no_right_yet"),
    ),
]  # fmt: skip
