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
from core.services import trail
from subscriptions.services import usage, usage_files
from subscriptions.services.usage import Ingested
from subscriptions.services.usage_rows import Bad

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


@dataclass(slots=True)
class FileTakenIn:
    """What came of a file. `refused`: lines of the file (from 1, its head included) that do not count, with why."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: list[tuple[int, Bad]] = field(default_factory=list)
    invoices: int = 0


def take_in_file(
    *, company: Company, content: bytes, file_name: str, at: datetime, by: Actor, dry_run: bool = False
) -> FileTakenIn:
    """Counts the events of a CSV file (see `subscriptions.services.usage_files`), in batches; again is harmless."""
    events = usage_files.read(content)
    outcome = FileTakenIn(lines=len(events))
    place = usage_files.FIRST_LINE
    for batch in usage_files.batches(events):
        taken = take_in(company=company, events=batch, at=at, by=by, dry_run=dry_run)
        outcome.accepted += taken.ingested.accepted
        outcome.duplicates += len(taken.ingested.duplicates)
        outcome.invoices += len(taken.invoice_ids)
        outcome.refused += [(place + bad.place, bad) for bad in taken.ingested.refused]
        place += len(batch)
    if not dry_run:
        trail.audit(
            company_id=company.pk, at=at, by=by, verb="usage.import", subject_kind="company", subject_id=company.pk,
            facts={
                "file": file_name[:200],
                "lines": outcome.lines,
                "accepted": outcome.accepted,
                "duplicates": outcome.duplicates,
                "refused": len(outcome.refused),
            },
        )  # fmt: skip
    return outcome
