"""Moving subscriptions to another version of their price: one or many, planned as data and taken back like any change.

The rule that matters: a sold price never changes by itself. A version takes over on purpose, at a period's start, and
not before the minimum term is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from catalog.models import Price
from core import checks
from core.actors import Actor
from core.models import AuditEntry, Company, Event
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from pricing.terms import add_length
from subscriptions.models import Change, Slot, SlotTerms, Subscription
from subscriptions.services import (
    change_columns,
    change_days,
    change_story,
    discounted,
    holding,
    moves,
    renewals,
    retiming,
    standing,
)
from subscriptions.services.items import PRICED
from subscriptions.services.retiming import content_of
from subscriptions.services.rewriting import Rewriting
from subscriptions.services.unchanging import TOUCHED, Changed

Kind, Status = Change.Kind, Change.Status


@dataclass(slots=True)
class VersionMoves:
    """What came of a move: the changes, and for each subscription left as it is the reason."""

    changed: list[Changed] = field(default_factory=list)
    skipped: list[tuple[Subscription, Refused]] = field(default_factory=list)


def held_on_others(price: Price) -> QuerySet[Subscription]:
    """The subscriptions, not over, with terms that are open and sold at another version of this price."""
    others = Price.objects.filter(item=price.item_id, currency=price.currency).exclude(pk=price.pk)
    slots = SlotTerms.objects.filter(price__in=others, until_on__isnull=True, standing=SlotTerms.Standing.AGREED)
    rows = Subscription.objects.filter(company=price.company_id, slots__in=slots.values("slot_id"))
    return rows.exclude(state__in=moves.ENDED).distinct().order_by("pk")


def move_versions(
    *,
    company: Company,
    price: Price,
    subscriptions: Sequence[Subscription],
    effective_on: date | None = None,
    reason: str = "",
    on: date,
    by: Actor,
    at: datetime,
) -> VersionMoves:
    """Moves positions sold at another version of `price` to it, each at the first period's start it may: after what
    is billed, after the minimum term, from the day the version is valid.

    With `effective_on` just on that day; where it can't be, the subscription is left with `change.version_day`, which
    names the first possible one. Others are left with `change.version_of_other` or `change.day_taken`. All or one: the
    number of statements doesn't grow with them.
    """
    checked(reason, field="reason", limit=500)
    if effective_on is not None:
        checks.day(effective_on, field="effective_on")
    if price.company_id != company.pk:
        raise Refused("not_found", field="price")
    found, now = VersionMoves(), Rewriting()
    with transaction.atomic():
        versions = Price.objects.filter(item=price.item_id, currency=price.currency).exclude(pk=price.pk)
        others = set(versions.values_list("pk", flat=True))
        every = holding.lock_many(company, subscriptions)
        renewals.advance(company=company, subscriptions=every, day=on, at=at, by=by)
        for held in every:
            try:
                found.changed.append(_moved(held, price, others, now, effective_on, reason, on=on, at=at))
            except Refused as refused:
                found.skipped.append((held, refused))
        now.flush()
        _write(company, found.changed, reason, on=on, by=by, at=at)
    return found


def _moved(
    held: Subscription,
    price: Price,
    others: set[int],
    now: Rewriting,
    effective_on: date | None,
    reason: str,
    *,
    on: date,
    at: datetime,
) -> Changed:
    if held.state in moves.ENDED:
        raise Refused("subscription.ended", day=held.ends_on)
    days = {
        slot: day
        for slot in held.slots.all()
        if (day := _first_day(held, slot, price, others, now, effective_on, on)) is not None
    }
    if not days:
        raise Refused("change.version_of_other", subscription=held.number)
    first = min(days.values())
    if held.ends_on is not None and first > held.ends_on:
        raise Refused("subscription.act_after_end", field="effective_on", day=held.ends_on)
    taken = {str(slot.pk) for slot in days}
    for planned in standing.planned_changes(held):
        if planned.effective_on >= first and taken & set(planned.before.get(TOUCHED, {})):
            raise Refused("change.day_taken", field="effective_on", day=planned.effective_on)
    before = retiming.morning_of(held) | {change_columns.SLOTS: change_columns.of_slots(held)}
    touched: dict[str, Any] = {}
    told = []
    for slot, day in days.items():
        row = now.on(slot, day)
        assert row is not None
        content = content_of(row) | {name: getattr(price, name) for name in PRICED} | {"price_id": price.pk}
        told.append(change_story.entry(slot, row, content, None))
        for step in change_days.steps(held, now, slot, content, day, waits=False, is_counted_anew=False):
            now.lay(slot, step.from_on, step.content, settles=step.settles)
        touched[str(slot.pk)] = {"was": "changed", "from_on": day.isoformat()}
    made = Change(
        company_id=held.company_id,
        subscription=held,
        kind=Kind.VERSION,
        status=Status.PLANNED if first > on else Status.DONE,
        effective_on=first,
        before=before | {TOUCHED: touched},
        summary=change_story.summary(held, None, told, (), None, None) | {"price": price.ref, "version": price.version},
        reason=reason,
        asked_at=at,
        closed_at=None if first > on else at,
    )
    return Changed(held, made)


def _first_day(
    held: Subscription,
    slot: Slot,
    price: Price,
    others: set[int],
    now: Rewriting,
    effective_on: date | None,
    on: date,
) -> date | None:
    """The day the position moves; None: it isn't sold at another version by then."""
    earliest = max(on, held.paid_from_on, price.valid_from)
    if held.minimum_count:
        over = add_length(held.paid_from_on, (held.minimum_count, held.minimum_unit))  # type: ignore[arg-type]
        earliest = max(earliest, over)
    free = earliest
    if effective_on is None and change_days.is_billed(held, slot, earliest):
        free = change_days.boundary(held, slot, now.rows(slot)[-1], earliest)
    row = now.on(slot, free)
    if row is None or row.price_id not in others or row.standing == SlotTerms.Standing.REMOVED:
        return None
    start, end = change_days.full_period(held, row, free)
    first = free if start == free else end
    if effective_on is None:
        return first
    row = now.on(slot, effective_on)
    if row is None or row.price_id not in others:
        return None
    if effective_on < earliest or change_days.full_period(held, row, effective_on)[0] != effective_on:
        raise Refused("change.version_day", field="effective_on", day=first)
    return effective_on


def _write(company: Company, changed: Sequence[Changed], reason: str, *, on: date, by: Actor, at: datetime) -> None:
    if not changed:
        return
    Change.objects.bulk_create(one.change for one in changed)
    # None is dated back: what is done holds from today on.
    renewals.recount_all([one.subscription for one in changed if one.change.status == Status.DONE], on)
    discounted.attach([one.subscription for one in changed])
    for one in changed:
        held, made = one.subscription, one.change
        if made.status == Status.PLANNED:
            standing.keep_planned(held, [*standing.planned_changes(held), made])
        holding.plan_ahead(held, on)
        renewals.keep_waiting(held)
    holding.save([one.subscription for one in changed])
    entries, events = [], []
    for one in changed:
        entry, event = change_story.rows(one.subscription, one.change, reason, by=by, at=at)
        entries.append(trail.entry(**entry))
        events.append(trail.event(**event))
    AuditEntry.objects.bulk_create(entries)
    Event.objects.bulk_create(events)
