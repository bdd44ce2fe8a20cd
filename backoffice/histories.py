"""What an audit row of a subscription says to a reader: its facts in words, days and amounts by locale.

A fact without words here is left out: the audit log of the settings shows every row whole.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from catalog.models import CancelTiming, Unused
from core.design import formats
from core.models import AuditEntry
from customers.services.titles import reason_of, title_of
from subscriptions.models import Subscription


def _day(value: Any) -> str:
    return formats.day(date.fromisoformat(value))


def _choice(choices: Any) -> Callable[[Any], str]:
    return lambda value: str(dict(choices.choices).get(value, value))


FACTS: dict[str, tuple[Any, Callable[[Any], str]]] = {
    "plan": (_("Plan"), str),
    "state": (_("State"), _choice(Subscription.State)),
    "currency": (_("Currency"), str),
    "start_on": (_("First day"), _day),
    "ends_on": (_("Last day"), _day),
    "ended_on": (_("Last day"), _day),
    "timing": (_("Cancellation takes effect"), _choice(CancelTiming)),
    "unused": (_("Unused days"), _choice(Unused)),
    "effective_on": (_("From"), _day),
    "from_on": (_("From"), _day),
    "until": (_("Until"), _day),
    "day": (_("Billing day"), str),
    "on": (_("Day"), _day),
    "due_on": (_("Due"), _day),
    "detail": (_("Reason"), str),
}
#: Those that are one of a few.
CHOSEN = ("state", "timing", "unused")


def entry(row: AuditEntry) -> dict[str, Any]:
    """The row as `parts/timeline` draws it; the reason first, then its facts."""
    facts = [
        f"{name}: {show(row.facts[key])}"
        for key, (name, show) in FACTS.items()
        if row.facts.get(key) not in (None, "", False)
    ]
    return {
        "at": row.at,
        "title": title_of(row.verb),
        "who": row.actor_label,
        "icon": "history",
        "body": "\n".join(part for part in (reason_of(row.reason), " · ".join(facts)) if part),
    }
