"""Events of selling: leads on their way through the pipeline, quotes and their answers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ID = "01k2v9gq4m5xk8r3h7d1w6n0tz"
_LEAD: dict[str, Any] = {
    "id": f"led_{_ID}", "stage": "Qualified", "stage_kind": "open", "probability": 30, "value_minor": 14900,
    "currency": "EUR", "source": "fair", "campaign": "spring", "owner": f"usr_{_ID}", "customer": None,
    "lost_reason": None,
}  # fmt: skip
_QUOTE: dict[str, Any] = {
    "id": f"quo_{_ID}", "number": "Q-2026-0042", "version": 1, "state": "sent", "plan": "team", "currency": "EUR",
    "valid_until": "2026-04-30", "lead": f"led_{_ID}", "customer": None, "subscription": None, "invoice": None,
}  # fmt: skip
_ACTIVITY: dict[str, Any] = {
    "id": f"acy_{_ID}", "kind": "call", "direction": "out", "begins_at": "2026-03-04T09:30:00+00:00",
    "customer": f"cus_{_ID}", "lead": None, "contact": f"con_{_ID}", "owner": f"usr_{_ID}", "next_step": f"tsk_{_ID}",
    "is_archived": False,
}  # fmt: skip

register(
    {
        "activity.logged": (_("A call, a meeting, a visit or a mail was written down or planned."), _ACTIVITY),
        "activity.changed": (_("What was written down of a call, a meeting or a mail changed."), _ACTIVITY | {
            "fields": ["outcome"],
        }),
        "lead.created": (_("Somebody might buy: a lead was entered or came in."), _LEAD | {
            "stage": "New", "probability": 10, "origin": "form",
        }),
        "lead.updated": (_("A lead changed."), _LEAD | {"fields": ["phone"]}),
        "lead.assigned": (_("A lead was given to somebody."), _LEAD),
        "lead.moved": (_("A lead moved to another stage."), _LEAD | {"from": "New"}),
        "lead.won": (_("A lead bought."), _LEAD | {
            "stage": "Won", "stage_kind": "won", "probability": 100, "from": "Quote sent", "customer": f"cus_{_ID}",
        }),
        "lead.lost": (_("A lead won't buy."), _LEAD | {
            "stage": "Lost", "stage_kind": "lost", "probability": 0, "from": "Qualified", "lost_reason": "price",
        }),
        "lead.reopened": (_("A lead that was won or lost is worked on again."), _LEAD | {"from": "Lost"}),
        "lead.commented": (_("Somebody wrote a note on a lead."), _LEAD),
        "lead.converted": (_("A lead became a customer."), _LEAD | {"customer": f"cus_{_ID}", "new": True}),
        "lead.merged": (_("Two leads were one."), _LEAD | {"merged": f"led_{_ID}", "taken": ["phone"]}),
        "quote.created": (_("A quote was begun, or a new version of one."), _QUOTE | {"state": "draft"}),
        "quote.updated": (_("A draft of a quote changed."), _QUOTE | {"state": "draft", "fields": ["lines"]}),
        "quote.deleted": (_("A draft of a quote was deleted."), _QUOTE | {"state": "draft"}),
        "quote.sent": (_("A quote was sent."), _QUOTE | {"hash": "9f2c"}),
        "quote.opened": (_("A quote's page was opened for the first time."), _QUOTE),
        "quote.accepted": (_("A quote was accepted: it is a subscription now."), _QUOTE | {
            "state": "accepted", "customer": f"cus_{_ID}", "subscription": f"sub_{_ID}", "invoice": f"inv_{_ID}",
        }),
        "quote.declined": (_("A quote was declined."), _QUOTE | {"state": "declined"}),
        "quote.expired": (_("Nobody accepted a quote in time."), _QUOTE | {"state": "expired"}),
        "quote.replaced": (_("A quote was replaced by a new version."), _QUOTE | {"state": "replaced"}),
        "quote.withdrawn": (_("A quote was withdrawn."), _QUOTE | {"state": "withdrawn"}),
    }
)  # fmt: skip
