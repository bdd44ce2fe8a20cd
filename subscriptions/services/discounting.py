"""Giving discounts to subscriptions, by hand and by code, and taking them back.

The rule that matters: what is given is a copy with its own count; a code's limits are counted under lock and held by
the database. Days billed stand; a discount begins and ends with a period.
"""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from catalog.models import Discount, OfferCode
from core import checks
from core.actors import Actor
from core.models import AuditEntry, Event
from core.refusal import Refused
from subscriptions.models import AgreedDiscount, Subscription
from subscriptions.services import discounted, due, holding, movements, moves, renewals, schedule
from subscriptions.services.agreed_discounts import agreed_from, find_code, told, use_code
from subscriptions.services.schedule import ONE_DAY

Duration = Discount.Duration


def give(
    *, subscription: Subscription, discount: Discount, from_on: date | None = None, on: date, by: Actor, at: datetime
) -> AgreedDiscount:
    """Gives a discount to a running or planned subscription; periods from `from_on` (default: today) on take it.

    Refuses `discount.archived`, `discount.given_already`, `discount.covers_nothing`, `discount.currency`,
    `discount.day_past`, `subscription.ended`.
    """
    with transaction.atomic():
        held = _locked(subscription, on, by=by, at=at)
        if from_on is not None and checks.day(from_on, field="from_on") < on:
            raise Refused("discount.day_past", field="from_on")
        return _give(held, discount, None, from_on=from_on, on=on, by=by, at=at)


def redeem(*, subscription: Subscription, code: str, on: date, by: Actor, at: datetime) -> AgreedDiscount:
    """Gives what a code stands for, and counts the use. The code's days are those of the company.

    Refuses `offer_code.*` and what `give` refuses.
    """
    with transaction.atomic():
        held = _locked(subscription, on, by=by, at=at)
        offer = find_code(held.company, code, at=at)
        others = Subscription.objects.filter(company_id=held.company_id, customer_id=held.customer_id)
        is_new = not others.exclude(pk=held.pk).exists() and not any(
            slot.billed_through_on >= held.paid_from_on for slot in held.slots.all()
        )
        use_code(offer, held.customer_id, is_new=is_new)
        return _give(held, offer.discount, offer, from_on=None, on=on, by=by, at=at)


def end(*, agreed: AgreedDiscount, on: date, by: Actor, at: datetime) -> AgreedDiscount:
    """Takes a discount back: periods that begin from today on no longer take it; what was billed stands.

    Refuses `discount.over`.
    """
    with transaction.atomic():
        held = _locked(agreed.subscription, on, by=by, at=at)
        row = next((one for one in discounted.live(held) if one.pk == agreed.pk), None)
        if row is None or row.until_on is not None:
            raise Refused("discount.over")
        # A period that began today and took it keeps it.
        took_today = row.from_on <= on and _is_billed_from(held, on)
        row.until_on = on + ONE_DAY if took_today else on
        if row.duration == Duration.ONCE or row.until_on <= row.from_on:
            row.until_on, row.next_change_on, row.ended_at = max(row.until_on, row.from_on), None, at
        else:
            discounted.plan_next(held, row, on)
        row.save(update_fields=["until_on", "next_change_on", "ended_at"])
        _reprice(held, on)
        entries, events = told([(held, row)], "end", by=by, at=at)
        AuditEntry.objects.bulk_create(entries)
        Event.objects.bulk_create(events)
    return row


def _locked(subscription: Subscription, on: date, *, by: Actor, at: datetime) -> Subscription:
    """The subscription locked, with every move made that is due; refuses one that ended."""
    held = holding.lock(subscription)
    renewals.advance(company=held.company, subscriptions=[held], day=on, at=at, by=by)
    if held.state in moves.ENDED:
        raise Refused("subscription.ended", day=held.ends_on)
    discounted.attach([held])
    return held


def _give(
    held: Subscription, discount: Discount, code: OfferCode | None, *, from_on: date | None, on: date, by: Actor,
    at: datetime,
) -> AgreedDiscount:  # fmt: skip
    if any(one.discount_id == discount.pk and one.until_on is None for one in discounted.live(held)):
        raise Refused("discount.given_already", code=code.code if code else discount.code)
    first = from_on or on
    if first == on and _is_billed_from(held, on):
        first = on + ONE_DAY  # The period that began today is billed without it.
    sold = [
        (terms.product_id or slot.product_id, terms.price_id) for slot in held.slots.all() for terms in slot.terms.all()
    ]
    sold += [(once.product_id, once.price_id) for once in held.one_offs.all() if once.due_on is not None]
    row = agreed_from(held, discount, code, sold, from_on=max(first, held.start_on), at=at)
    discounted.plan_next(held, row, on)
    row.save(force_insert=True)
    held.live_discounts.append(row)  # type: ignore[attr-defined]
    _reprice(held, on)
    entries, events = told([(held, row)], "give", by=by, at=at)
    AuditEntry.objects.bulk_create(entries)
    Event.objects.bulk_create(events)
    return row


def _is_billed_from(held: Subscription, day: date) -> bool:
    """Whether a period that begins that day is billed already."""
    agreement = due.agreement_of(held)
    for slot in held.slots.all():
        for terms in slot.terms.all():
            if slot.billed_through_on < day or terms.from_on > day or (terms.until_on and terms.until_on <= day):
                continue
            full_start, _ = schedule.period_of(agreement, due.terms_row(terms), day)
            if max(full_start, terms.from_on, held.paid_from_on) == day:
                return True
    return False


def _reprice(held: Subscription, on: date) -> None:
    """Revenue as of today, and the next days on which it changes."""
    if held.state in moves.EARNING:
        worth = holding.worth([held], on)
        movements.reprice(
            company=held.company,
            worth=[(held, slot, worth[slot.pk]) for slot in held.slots.all()],
            effective_on=on,
            cause="subscription.discount",
        )
    holding.plan_ahead(held)
    renewals.keep_waiting(held)
    holding.save([held])
