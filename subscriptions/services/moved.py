"""What a batch of moves did, kept in memory while they are made, then written and told together.

The rule that matters: however many subscriptions move, they take as many statements as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Q

from core.actors import Actor
from core.models import AuditEntry, Company, Event
from core.services import trail
from subscriptions.models import AgreedDiscount, Slot, SlotTerms, Subscription
from subscriptions.models import Change as Planned
from subscriptions.services import holding, movements, resting, standing
from subscriptions.services.movements import Change
from subscriptions.services.net import contained_tax

#: What a planned change says in its summary when an end took its place.
DROPPED_BY: Final = "dropped_by"
ENDED_BY: Final = "end"


class Moved:
    """What a batch of moves did: rows in memory, changes of revenue, and what to tell."""

    def __init__(self, subscriptions: Sequence[Subscription], day: date, at: datetime) -> None:
        self.subscriptions, self.day, self.at = subscriptions, day, at
        self.earned = {slot.pk: slot.mrr_minor for one in subscriptions for slot in one.slots.all()}
        self.counts: Counter[str] = Counter()
        self.changes: list[Change] = []
        self.told: list[tuple[Subscription, str, date]] = []
        self.ended: list[Subscription] = []
        self.closed: list[tuple[int, str, date]] = []
        self.dropped: list[int] = []
        self.slots: list[Slot] = []
        self.pinned: list[SlotTerms] = []
        self.discounts: dict[int, AgreedDiscount] = {}
        self._rates: dict[int, Decimal] | None = None
        self._keeping: set[int] | None = None

    def note(self, subscription: Subscription, what: str, on: date) -> None:
        """Something happened to it on that day: it is counted and will be told."""
        self.counts[what] += 1
        self.told.append((subscription, what, on))

    @property
    def rates(self) -> dict[int, Decimal]:
        """The tax inside gross prices, read once for all that move together."""
        if self._rates is None:
            pairs = [(one, slot) for one in self.subscriptions for slot in one.slots.all()]
            self._rates = contained_tax(self.subscriptions[0].company, pairs)
        return self._rates

    def supplies_other(self, subscription: Subscription, slots: Sequence[Slot]) -> None:
        """These slots supply another product from now on, which may be taxed at another rate."""
        self.slots += slots
        if slots and self._rates is not None:
            new = contained_tax(subscription.company, [(subscription, slot) for slot in slots])
            self._rates = {key: rate for key, rate in self._rates.items() if key not in map(id, slots)} | new

    def keeps_anchor(self, subscription: Subscription) -> bool:
        """Whether it is counted after a pause with a planned end as before; read once for all that move together."""
        if subscription.resumes_on is None:
            return False
        if self._keeping is None:
            self._keeping = resting.keeping_anchor([one for one in self.subscriptions if one.resumes_on is not None])
        return subscription.pk in self._keeping

    def write(self, company: Company, by: Actor) -> None:
        """Writes the rows and tells what happened; nothing where nothing did."""
        holding.save(self.subscriptions)
        if self.discounts:
            AgreedDiscount.objects.bulk_update(self.discounts.values(), ["next_change_on", "ended_at"])
        movements.record(company=company, changes=self.changes)
        _close(self)
        slots = [
            slot for one in self.subscriptions for slot in one.slots.all() if slot.mrr_minor != self.earned[slot.pk]
        ]
        if slots:
            Slot.objects.bulk_update(slots, ["mrr_minor"])
        if self.slots:
            Slot.objects.bulk_update(self.slots, ["product", "item"])
        if pinned := [held for held in self.pinned if held.pk]:
            SlotTerms.objects.bulk_update(pinned, ["anchor_on", "anchor_month_day"])
        _tell(company, self, by)


def plan_again(held: Subscription) -> None:
    """What was planned when the locked subscription ended is planned again; its terms stood all the time."""
    dropped = {"subscription": held, "status": Planned.Status.REPLACED, f"summary__{DROPPED_BY}": ENDED_BY}
    late = list(Planned.objects.filter(**dropped))
    for change in late:
        change.status, change.closed_at = Planned.Status.PLANNED, None
        change.summary = {name: value for name, value in change.summary.items() if name != DROPPED_BY}
    if late:
        Planned.objects.bulk_update(late, ["status", "closed_at", "summary"])
        of_terms = [change for change in late if change.kind not in holding.RESTS]
        standing.keep_planned(held, [*standing.planned_changes(held), *of_terms])


def _close(moved: Moved) -> None:
    """Planned changes that were made now are done, those after an end never will be. No statement without any."""
    if moved.closed:
        wanted = Q()
        for subscription_id, kind, day in moved.closed:
            wanted |= Q(subscription_id=subscription_id, kind=kind, effective_on=day)
        planned = Planned.objects.filter(wanted, status=Planned.Status.PLANNED)
        planned.update(status=Planned.Status.DONE, closed_at=moved.at)
    if moved.dropped:
        late = list(Planned.objects.filter(subscription__in=moved.dropped, status=Planned.Status.PLANNED))
        for change in late:
            change.status, change.closed_at = Planned.Status.REPLACED, moved.at
            change.summary = change.summary | {DROPPED_BY: ENDED_BY}
        Planned.objects.bulk_update(late, ["status", "closed_at", "summary"])


def _tell(company: Company, moved: Moved, by: Actor) -> None:
    entries, events = [], []
    for subscription, what, on in moved.told:
        facts: dict[str, Any] = {
            "state": subscription.state,
            "on": on.isoformat(),
            "term_ends_on": subscription.term_ends_on and subscription.term_ends_on.isoformat(),
            "ends_on": subscription.ends_on and subscription.ends_on.isoformat(),
            "mrr_minor": sum(slot.mrr_minor for slot in subscription.slots.all()),
        }
        common: dict[str, Any] = {
            "company_id": company.pk,
            "at": moved.at,
            "subject_kind": "subscription",
            "subject_id": subscription.pk,
            "customer_id": subscription.customer_id,
        }
        entries.append(trail.entry(by=by, verb=f"subscription.{what}", facts=facts, **common))
        data = {
            "id": subscription.ref,
            "number": subscription.number,
            "customer": subscription.customer.ref,
            "currency": subscription.currency,
            **facts,
        }
        events.append(trail.event(type=f"subscription.{what}", data=data, **common))
    AuditEntry.objects.bulk_create(entries)
    Event.objects.bulk_create(events)
