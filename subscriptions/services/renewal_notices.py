"""Notices of a renewal that the law asks for: kept with their proof when sent, and with what follows when missed.

The rule that matters: a notice that nobody sent, or that no mail server took in time, frees the customer by the effect
the law gives it; the exit verbs read that from the subscription's own columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction

from core.actors import Actor
from core.models import AuditEntry, Company, Event
from core.services import trail
from customers.services.messages import Written
from subscriptions.models import RenewalNotice, Subscription

Effect = RenewalNotice.Effect
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A notice the law asks for: about which renewal, when, and what follows when it is missed."""

    subscription: Subscription
    law: str
    term_ends_on: date
    cancel_by_on: date
    due_from_on: date
    due_until_on: date
    effect: str
    refund_days: int | None
    next_end_on: date
    """Last day of the term that follows."""


def keep_sent(wanted: Sequence[tuple[Wanted, Written]], *, company: Company, by: Actor, at: datetime) -> int:
    """Keeps notices with their proof: who was written to, what, when. The caller's transaction wrote the messages."""
    rows = [
        _row(
            company, one, message=message, sent_at=at,
            body_hash=hashlib.sha256(f"{message.subject}\n{message.body}".encode()).hexdigest(),
        )
        for one, message in wanted
    ]  # fmt: skip
    RenewalNotice.objects.bulk_create(rows)
    _tell(company, rows, "sent", by=by, at=at)
    return len(rows)


def keep_missed(wanted: Iterable[Wanted], *, company: Company, on: date, by: Actor, at: datetime) -> int:
    """Keeps that these were never sent, and frees their customers from the renewal on."""
    given = list(wanted)
    rows = [_row(company, one, missed_on=on) for one in given]
    with transaction.atomic():
        RenewalNotice.objects.bulk_create(rows)
        for one, row in zip(given, rows, strict=True):
            _free(row, one.next_end_on)
        _tell(company, rows, "missed", by=by, at=at)
    return len(rows)


def miss(notice: RenewalNotice, *, next_end_on: date, on: date, by: Actor, at: datetime) -> None:
    """A notice that was written reached nobody in time: it counts as missed."""
    with transaction.atomic():
        held = RenewalNotice.objects.select_for_update().get(pk=notice.pk)
        if held.missed_on is not None:
            return
        held.missed_on = on
        held.save(update_fields=["missed_on"])
        _free(held, next_end_on)
        held.subscription = notice.subscription
        _tell(notice.subscription.company, [held], "missed", by=by, at=at)


def _row(
    company: Company, one: Wanted, *, message: Written | None = None, body_hash: str = "",
    sent_at: datetime | None = None, missed_on: date | None = None,
) -> RenewalNotice:  # fmt: skip
    return RenewalNotice(
        company=company, subscription=one.subscription, law=one.law, term_ends_on=one.term_ends_on,
        cancel_by_on=one.cancel_by_on, due_from_on=one.due_from_on, due_until_on=one.due_until_on, effect=one.effect,
        refund_days=one.refund_days, message_id=message.pk if message is not None else None, body_hash=body_hash,
        sent_at=sent_at, missed_on=missed_on,
    )  # fmt: skip


def _free(row: RenewalNotice, next_end_on: date) -> None:
    """The customer may leave from the renewal on. A right that holds already goes on; none is ever shortened."""
    if row.effect == Effect.NONE:
        return
    held = Subscription.objects.select_for_update().get(pk=row.subscription_id)
    first = row.term_ends_on + ONE_DAY
    until = next_end_on if row.effect == Effect.LEAVE_UNTIL_NEXT_END else None
    before, last = held.leaves_freely_from_on, held.leaves_freely_until_on
    if before is not None and last is None:
        return
    if before is not None and last is not None and last >= row.term_ends_on:
        first = before
    held.leaves_freely_from_on, held.leaves_freely_until_on = first, until
    held.save(update_fields=["leaves_freely_from_on", "leaves_freely_until_on"])


def _tell(company: Company, rows: Sequence[RenewalNotice], what: str, *, by: Actor, at: datetime) -> None:
    """An audit row and an event `subscription.renewal_notice_sent` or `_missed` for each."""
    entries, events = [], []
    for row in rows:
        subscription = row.subscription
        facts = {
            "notice": row.ref,
            "law": row.law,
            "term_ends_on": row.term_ends_on.isoformat(),
            "cancel_by_on": row.cancel_by_on.isoformat(),
            "due_until_on": row.due_until_on.isoformat(),
            "effect": row.effect,
        }
        common: dict[str, Any] = {
            "company_id": company.pk, "at": at, "subject_kind": "subscription", "subject_id": subscription.pk,
            "customer_id": subscription.customer_id,
        }  # fmt: skip
        entries.append(trail.entry(by=by, verb=f"subscription.renewal_notice_{what}", facts=facts, **common))
        data = {"id": subscription.ref, "number": subscription.number, **facts}
        events.append(trail.event(type=f"subscription.renewal_notice_{what}", data=data, **common))
    AuditEntry.objects.bulk_create(entries)
    Event.objects.bulk_create(events)
