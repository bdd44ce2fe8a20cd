"""The word, tone and icon of every state a person meets. Colour never speaks alone.

A state that is not in the table is shown as it is, in a quiet tone: it is visible, never lost.
"""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Look(NamedTuple):
    """How one state is shown: `tone` is good, warn, bad, info, trial or quiet; `icon` a name in the sprite."""

    word: str | Promise
    tone: str
    icon: str


LOOKS: dict[str, Look] = {
    # what is agreed
    "draft": Look(_("Draft"), "quiet", "circle-dashed"),
    "scheduled": Look(_("Scheduled"), "info", "calendar-clock"),
    "future": Look(_("Starts later"), "info", "calendar-clock"),
    "pending": Look(_("Pending"), "info", "clock"),
    "trial": Look(_("Trial"), "trial", "hourglass"),
    "trialing": Look(_("Trial"), "trial", "hourglass"),
    "active": Look(_("Active"), "good", "circle-check"),
    "paused": Look(_("Paused"), "warn", "circle-pause"),
    "canceling": Look(_("Cancels"), "warn", "calendar-clock"),
    "canceled": Look(_("Canceled"), "quiet", "circle-x"),
    "ended": Look(_("Ended"), "quiet", "circle-x"),
    "expired": Look(_("Expired"), "quiet", "circle-x"),
    "suspended": Look(_("Suspended"), "bad", "ban"),
    "past_due": Look(_("Past due"), "bad", "circle-alert"),
    # what is owed
    "issued": Look(_("Issued"), "info", "file-check"),
    "open": Look(_("Open"), "info", "circle-dot"),
    "due": Look(_("Due"), "warn", "clock"),
    "overdue": Look(_("Overdue"), "bad", "circle-alert"),
    "partly_paid": Look(pgettext_lazy("invoice", "Partly paid"), "warn", "circle-dashed"),
    "partially_paid": Look(pgettext_lazy("invoice", "Partly paid"), "warn", "circle-dashed"),
    "paid": Look(pgettext_lazy("invoice", "Paid"), "good", "circle-check"),
    "overpaid": Look(_("Overpaid"), "warn", "circle-alert"),
    "credited": Look(pgettext_lazy("invoice", "Credited"), "quiet", "undo-2"),
    "void": Look(pgettext_lazy("invoice", "Void"), "quiet", "ban"),
    "voided": Look(pgettext_lazy("invoice", "Void"), "quiet", "ban"),
    "written_off": Look(pgettext_lazy("invoice", "Written off"), "quiet", "file-x"),
    "uncollectible": Look(_("Uncollectible"), "bad", "file-x"),
    # what is paid
    "settled": Look(_("Settled"), "good", "circle-check"),
    "failed": Look(_("Failed"), "bad", "circle-x"),
    "returned": Look(_("Returned"), "bad", "undo-2"),
    "disputed": Look(_("Disputed"), "bad", "scale"),
    "refunded": Look(_("Refunded"), "quiet", "undo-2"),
    "not_paid": Look(pgettext_lazy("money", "Canceled"), "quiet", "circle-x"),
    "unknown": Look(_("Unknown"), "warn", "circle-help"),
    "requires_action": Look(_("Needs the customer"), "warn", "user-round"),
    # what is worked on and sent
    "queued": Look(_("Waiting"), "quiet", "clock"),
    "waiting": Look(_("Waiting"), "quiet", "clock"),
    "running": Look(_("Running"), "info", "refresh-cw"),
    "done": Look(_("Done"), "good", "circle-check"),
    "partly": Look(_("Partly done"), "warn", "triangle-alert"),
    "parked": Look(_("Parked"), "warn", "circle-parking"),
    "skipped": Look(_("Skipped"), "quiet", "circle-dashed"),
    "undone": Look(_("Undone"), "quiet", "undo-2"),
    "dead": Look(_("Failed"), "bad", "circle-x"),
    "held": Look(_("Waits for a person"), "warn", "circle-pause"),
    "known": Look(_("There already"), "quiet", "circle-check"),
    "checking": Look(_("Being checked"), "info", "refresh-cw"),
    "ready": Look(pgettext_lazy("row of an act", "Will be done"), "info", "circle-dot"),
    "refused": Look(pgettext_lazy("row of an act", "Refused"), "warn", "circle-x"),
    "checked": Look(_("Checked"), "info", "list-checks"),
    "failing": Look(_("Failing"), "bad", "triangle-alert"),
    "stopped": Look(_("Stopped"), "warn", "ban"),
    "sent": Look(_("Sent"), "good", "send"),
    "delivered": Look(_("Delivered"), "good", "circle-check"),
    "bounced": Look(_("Bounced"), "bad", "undo-2"),
    "complained": Look(_("Marked as spam"), "bad", "ban"),
    # what is sold and who works here
    "won": Look(pgettext_lazy("lead", "Won"), "good", "circle-check"),
    "lost": Look(pgettext_lazy("lead", "Lost"), "quiet", "circle-x"),
    "accepted": Look(pgettext_lazy("quote", "Accepted"), "good", "badge-check"),
    "declined": Look(pgettext_lazy("quote", "Declined"), "bad", "circle-x"),
    "replaced": Look(pgettext_lazy("quote", "Replaced"), "quiet", "layers"),
    "withdrawn": Look(pgettext_lazy("quote", "Withdrawn"), "quiet", "undo-2"),
    "on_sale": Look(_("On sale"), "good", "circle-check"),
    "retired": Look(_("Retired"), "quiet", "circle-x"),
    "archived": Look(_("Archived"), "quiet", "circle-x"),
    "invited": Look(_("Invited"), "info", "mail"),
    "inactive": Look(_("Inactive"), "quiet", "circle-x"),
    "revoked": Look(_("Revoked"), "quiet", "ban"),
    "test": Look(_("Test"), "warn", "flask-conical"),
    "live": Look(_("Live"), "good", "circle-check"),
}


def look_of(state: str) -> Look:
    """The look of `state`, matched without regard to case; unknown ones in a quiet tone, word made readable."""
    found = LOOKS.get(state.lower())
    return found or Look(state.replace("_", " ").capitalize(), "quiet", "circle-dot")
