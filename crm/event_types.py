"""Events of whom to talk to: alerts, tasks, reminders and their offers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ID = "01k2v9gq4m5xk8r3h7d1w6n0tz"
_ALERT: dict[str, Any] = {
    "id": f"alt_{_ID}", "kind": "payment_failed", "occurrence": 1, "customer": f"cus_{_ID}", "invoice": f"inv_{_ID}",
    "facts": {"currency": "EUR", "amount_minor": 11900, "refusal_code": "insufficient_funds"},
}  # fmt: skip
_TASK: dict[str, Any] = {
    "id": f"tsk_{_ID}", "state": "open", "priority": "normal", "due_on": "2026-03-04", "customer": f"cus_{_ID}",
    "owner": None, "alert": f"alt_{_ID}",
}  # fmt: skip
_OFFER: dict[str, Any] = {
    "reminder": f"rmd_{_ID}", "offer": f"off_{_ID}", "discount": f"agd_{_ID}", "subscription": f"sub_{_ID}",
}  # fmt: skip

_SEGMENT: dict[str, Any] = {"id": f"seg_{_ID}", "name": "Yearly, no card"}
_MAILING: dict[str, Any] = {
    "id": f"mlg_{_ID}", "name": "Stay for a year", "campaign": f"cmp_{_ID}", "segment": f"seg_{_ID}",
}  # fmt: skip

_BULK: dict[str, Any] = {"id": f"blk_{_ID}", "kind": "task", "segment": f"seg_{_ID}", "rows": 1200}
_BULK_COUNTS: dict[str, Any] = {
    "id": f"blk_{_ID}", "kind": "task", "segment": f"seg_{_ID}", "waiting": 0, "ready": 0, "refused": 12, "failed": 0,
    "done": 1188,
}  # fmt: skip

register(
    {
        "segment.created": (_("A segment was made."), _SEGMENT),
        "segment.changed": (_("The rules of a segment changed."), _SEGMENT),
        "segment.archived": (_("A segment was archived."), _SEGMENT),
        "bulk_act.prepared": (_("An act on everybody in a segment was prepared; nothing is done yet."), _BULK),
        "bulk_act.started": (_("An act on everybody in a segment began."), _BULK),
        "bulk_act.stopped": (_("An act on everybody in a segment was stopped."), _BULK_COUNTS),
        "bulk_act.ended": (_("An act on everybody in a segment came to its last row."), _BULK_COUNTS),
        "mailing.scheduled": (_("A mailing was scheduled."), _MAILING | {"starts_at": "2026-03-04T08:00:00+00:00"}),
        "mailing.started": (_("A mailing began: it is fixed who gets it."), _MAILING | {
            "planned": 1200, "left_out": 80,
        }),
        "mailing.paused": (_("A mailing was paused."), _MAILING),
        "mailing.resumed": (_("A paused mailing goes on."), _MAILING),
        "mailing.canceled": (_("A mailing was canceled."), _MAILING),
        "mailing.done": (_("The last mail of a mailing was written."), _MAILING | {"sent": 1200}),
        "mailing.offer_accepted": (_("A customer took the offer in a mailing."), _MAILING | {
            "offer": f"rof_{_ID}", "discount": f"agd_{_ID}", "subscription": f"sub_{_ID}", "mrr_before": 4900,
            "mrr_after": 3920,
        }),
        "alert.raised": (_("Something needs a colleague: an alert was raised."), _ALERT),
        "alert.resolved": (_("What an alert was about is settled."), _ALERT),
        "task.created": (_("A task was made."), _TASK),
        "task.updated": (_("A task changed."), _TASK),
        "task.assigned": (_("A task was given to somebody."), _TASK),
        "task.postponed": (_("A task was put off."), _TASK),
        "task.commented": (_("Somebody wrote a comment on a task."), _TASK),
        "task.done": (_("A task is done."), _TASK | {"state": "done"}),
        "task.dropped": (_("A task was dropped."), _TASK | {"state": "dropped"}),
        "task.reopened": (_("A finished task is open again."), _TASK),
        "reminder.sent": (_("A customer was reminded, such as of a renewal."), {
            "id": f"rmd_{_ID}", "rule": f"rru_{_ID}", "occasion": "renewal", "occasion_on": "2026-04-01",
            "offer": f"off_{_ID}",
        }),
        "offer.accepted": (_("A customer took the offer in a reminder."), _OFFER | {
            "mrr_before": 4900, "mrr_after": 3920,
        }),
        "offer.taken_back": (_("An accepted offer was taken back."), _OFFER),
    }
)  # fmt: skip
