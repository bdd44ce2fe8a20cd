"""Events of subscriptions: from the agreement to its end, with changes, pauses, discounts, usage and imports."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.services.event_types import register

_ID = "01k2v9gq4m5xk8r3h7d1w6n0tz"
_WHICH: dict[str, Any] = {
    "id": f"sub_{_ID}", "number": "SUB-1042", "customer": f"cus_{_ID}", "currency": "EUR", "state": "active",
}  # fmt: skip
_MOVED = _WHICH | {"on": "2026-03-01", "term_ends_on": "2027-02-28", "ends_on": None, "mrr_minor": 4900}
_STARTED = _WHICH | {
    "plan": "team", "start_on": "2026-03-01", "paid_from_on": "2026-03-01", "ends_on": None, "mrr_minor": 4900,
}  # fmt: skip
_CHANGE = _WHICH | {
    "change": f"chg_{_ID}", "kind": "change", "effective_on": "2026-03-15", "proration": "day", "plan": None,
    "items": [{"slot": f"slt_{_ID}", "action": "changed", "quantity": "5", "unit_amount": "49"}],
}  # fmt: skip
_ONE_OFF = _WHICH | {
    "one_off": f"one_{_ID}", "product": "setup", "quantity": "1", "unit_amount": "250", "service_on": "2026-03-20",
}  # fmt: skip
_GIVEN: dict[str, Any] = {
    "id": f"sub_{_ID}", "number": "SUB-1042", "discount": f"agd_{_ID}", "name": "Spring", "percent": "20",
    "amount_minor": None, "currency": None, "duration": "periods", "periods": 3, "code": "SPRING26",
    "from_on": "2026-03-01", "until_on": None,
}  # fmt: skip
_ENDS = _WHICH | {"ends_on": "2026-12-31", "unused": "none"}

register(
    {
        "subscription.scheduled": (_("A subscription was agreed that starts later."), _STARTED | {"state": "pending"}),
        "subscription.started": (_("A subscription started."), _STARTED),
        "subscription.trialing": (_("The trial of a subscription began."), _MOVED | {"state": "trial"}),
        "subscription.converted": (_("A trial is over and goes on paid."), _MOVED),
        "subscription.renewed": (_("A subscription was renewed for another term."), _MOVED),
        "subscription.term_over": (_("A term is over; the subscription goes on without one."), _MOVED | {
            "term_ends_on": None,
        }),
        "subscription.change_planned": (_("A change of plan, quantity or price was agreed for later."), _CHANGE),
        "subscription.changed": (_("A subscription changed, at once or as planned."), _CHANGE),
        "subscription.change_undone": (_("A planned change was taken back."), _CHANGE),
        "subscription.day_move_planned": (_("The billing day will move."), _WHICH | {
            "day": 15, "effective_on": "2026-03-15",
        }),
        "subscription.day_move_undone": (_("The billing day stays after all."), _WHICH | {"effective_on": None}),
        "subscription.pause_planned": (_("A pause was agreed for later."), _WHICH | {
            "from_on": "2026-07-01", "resumes_on": "2026-09-01",
        }),
        "subscription.pause_undone": (_("A planned pause or its planned end was taken back."), _WHICH),
        "subscription.paused": (_("A pause began."), _MOVED | {"state": "paused", "mrr_minor": 0}),
        "subscription.resume_planned": (_("The end of a pause was agreed."), _WHICH | {"resumes_on": "2026-09-01"}),
        "subscription.resumed": (_("A subscription goes on after a pause."), _MOVED),
        "subscription.suspended": (_("Service was stopped because the customer doesn't pay."), _WHICH | {
            "from_on": "2026-04-05", "billing": "stop", "override": [],
        }),
        "subscription.reinstated": (_("Service goes on after it was stopped."), _WHICH | {
            "from_on": "2026-04-12", "suspended_from_on": "2026-04-05", "override": [],
        }),
        "subscription.end_planned": (_("The end was agreed: a cancellation or a termination."), _ENDS),
        "subscription.end_undone": (_("A planned end was taken back."), _WHICH | {
            "ended_on": "2026-12-31", "ends_on": None,
        }),
        "subscription.canceled": (_("A subscription ended after it was canceled."), _MOVED | {
            "state": "canceled", "ends_on": "2026-12-31", "mrr_minor": 0,
        }),
        "subscription.expired": (_("A subscription ended with its term."), _MOVED | {
            "state": "expired", "ends_on": "2027-02-28", "mrr_minor": 0,
        }),
        "subscription.discount_over": (_("A discount of a subscription is used up."), _MOVED),
        "subscription.one_off_added": (_("A one-off charge was agreed."), _ONE_OFF),
        "subscription.one_off_moved": (_("A one-off charge moved to another day."), _ONE_OFF),
        "subscription.one_off_due": (_("A one-off charge is billed earlier than planned."), _ONE_OFF),
        "subscription.one_off_canceled": (_("A one-off charge was taken back."), _ONE_OFF),
        "subscription.parked": (_("A subscription could not be billed and waits for a person."), _WHICH | {
            "code": "tax.no_rate", "due_on": "2026-03-01", "detail": "There is no tax rate for this country.",
        }),
        "subscription.method_changed": (_("Another payment method pays for a subscription."), {
            "id": f"sub_{_ID}", "method": f"pme_{_ID}",
        }),
        "subscription.renewal_notice_sent": (_("The notice that the law wants before a renewal was sent."), _WHICH),
        "subscription.renewal_notice_missed": (_("The notice that the law wants before a renewal was missed."), _WHICH),
        "discount.given": (_("A discount was given to a subscription."), _GIVEN),
        "discount.taken_back": (_("A discount was taken back from a subscription."), _GIVEN),
        "usage.threshold_passed": (_("Usage of a period passed a threshold."), {
            "subscription": f"sub_{_ID}", "item": f"slt_{_ID}", "meter": "api-calls", "period_start": "2026-03-01",
            "period_end": "2026-04-01", "quantity": "10500", "cost_minor": 1050, "currency": "EUR",
            "threshold_quantity": "10000", "threshold_cost_minor": None,
        }),
        "import.done": (_("Subscriptions were imported from a file."), {
            "id": f"imp_{_ID}", "done": 1200, "known": 0, "failed": 3, "customers": 1100, "lines": 1203,
        }),
        "import.undone": (_("An import was taken back."), {
            "id": f"imp_{_ID}", "subscriptions": 1200, "customers": 1100,
        }),
    }
)  # fmt: skip
