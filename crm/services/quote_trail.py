"""What is written down about a quote: an audit row and an event for each act, the customer's timeline with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from core.actors import Actor
from core.services import trail
from crm.models import Quote

PAST: Final = {
    "create": "created", "update": "updated", "delete": "deleted", "send": "sent", "replace": "replaced",
    "withdraw": "withdrawn", "open": "opened", "accept": "accepted", "decline": "declined", "expire": "expired",
}  # fmt: skip


def tell(quote: Quote, verb: str, *, by: Actor, at: datetime, facts: Mapping[str, Any] | None = None) -> None:
    """The audit row and the event of an act on a quote."""
    common: dict[str, Any] = {
        "company_id": quote.company_id, "at": at, "subject_kind": "quote", "subject_id": quote.pk,
        "customer_id": quote.customer_id,
    }  # fmt: skip
    trail.audit(by=by, verb=f"quote.{verb}", facts=facts, **common)
    trail.emit(type=f"quote.{PAST[verb]}", data=facts_of(quote) | dict(facts or {}), **common)


def facts_of(quote: Quote) -> dict[str, Any]:
    """What an event says of a quote."""
    return {
        "id": quote.ref,
        "number": quote.number,
        "version": quote.version,
        "state": quote.state,
        "plan": quote.plan.code,
        "currency": quote.currency,
        "valid_until": quote.valid_until.isoformat(),
        "lead": quote.lead.ref if quote.lead is not None else None,
        "customer": quote.customer.ref if quote.customer is not None else None,
        "subscription": quote.subscription.ref if quote.subscription is not None else None,
        "invoice": quote.invoice.ref if quote.invoice is not None else None,
    }
