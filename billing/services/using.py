"""The acts around usage that doors call: events taken in, and what they make due at once billed with them.

The rule that matters: events and the invoices they cause stand or fall together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from billing.services.settling import settle
from core import clock
from core.actors import Actor
from core.models import Company
from subscriptions.services import usage
from subscriptions.services.usage import Ingested

#: Customers billed in one go.
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What came of a batch of events, and the invoices that usage past its agreed amount made."""

    ingested: Ingested
    invoice_ids: list[int] = field(default_factory=list)


def take_in(
    *, company: Company, events: Sequence[Mapping[str, Any]], at: datetime, by: Actor, dry_run: bool = False
) -> TakenIn:
    """Counts events (see `subscriptions.services.usage.ingest`) and bills at once usage that has passed its amount.

    Late usage of closed periods waits for the next invoice.
    """
    with transaction.atomic():
        ingested = usage.ingest(company=company, events=events, at=at, dry_run=dry_run)
        taken = TakenIn(ingested)
        if dry_run:
            return taken
        by_zone: dict[str, list[int]] = {}
        for customer_id, zone in sorted(ingested.due):
            by_zone.setdefault(zone, []).append(customer_id)
        for zone, customer_ids in by_zone.items():
            on = clock.day_in(at, zone)
            for first in range(0, len(customer_ids), BATCH):
                batch = customer_ids[first : first + BATCH]
                outcome = settle(company=company, customer_ids=batch, on=on, at=at, by=by, zones=[zone])
                taken.invoice_ids.extend(outcome.invoice_ids)
    return taken
