"""What is written down about a lead: an audit row and an event for each act.

Events hold no names and addresses: they go to webhooks and stay for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from core.actors import Actor
from core.services import trail
from crm.models import Lead

PAST: Final = {
    "create": "created", "update": "updated", "assign": "assigned", "move": "moved", "win": "won", "lose": "lost",
    "reopen": "reopened", "comment": "commented", "convert": "converted", "merge": "merged",
}  # fmt: skip


def tell(
    lead: Lead,
    verb: str,
    *,
    by: Actor,
    at: datetime,
    facts: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """The audit row and the event of an act on a lead whose `stage`, `owner`, `campaign`, `customer` are at hand."""
    common: dict[str, Any] = {
        "company_id": lead.company_id, "at": at, "subject_kind": "lead", "subject_id": lead.pk,
        "customer_id": lead.customer_id,
    }  # fmt: skip
    trail.audit(by=by, verb=f"lead.{verb}", facts=facts, before=before, after=after, **common)
    trail.emit(type=f"lead.{PAST[verb]}", data=facts_of(lead) | dict(facts or {}), **common)


def facts_of(lead: Lead) -> dict[str, Any]:
    """What an event says of a lead."""
    return {
        "id": lead.ref,
        "stage": lead.stage.name,
        "stage_kind": lead.stage.kind,
        "probability": lead.chance,
        "value_minor": lead.value_minor,
        "currency": lead.currency,
        "source": lead.source,
        "campaign": lead.campaign.code if lead.campaign is not None else None,
        "owner": lead.owner.ref if lead.owner is not None else None,
        "customer": lead.customer.ref if lead.customer is not None else None,
        "lost_reason": lead.lost_reason or None,
    }
