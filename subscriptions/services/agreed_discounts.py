"""Discounts on their way into an agreement: the copy of a template, the use of a code, what is told of it.

The rule that matters: a code's use is counted by one guarded update of its row, so no race gives it once too often.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db.models import F, Q

from catalog.models import Discount, OfferCode
from catalog.services.discounts import normal_code
from catalog.services.texts import in_language
from core import clock
from core.actors import Actor
from core.models import AuditEntry, Company, Event
from core.refusal import Refused
from core.services import trail
from subscriptions.models import AgreedDiscount, Subscription
from subscriptions.services import discounted, first_touch
from subscriptions.services.agreeing import AgreementSpec, Built

Duration = Discount.Duration


def at_start(company: Company, specs: Sequence[AgreementSpec], built: Sequence[Built], *, at: datetime) -> None:
    """Puts into each agreement, in memory, the discounts of its spec and what its code stands for; counts the code."""
    before: set[int] = set()
    for spec, one in zip(specs, built, strict=True):
        subscription = one.subscription
        sold = [(slot.product_id, terms.price_id) for slot, rows in one.slots for terms in rows]
        sold += [(once.product_id, once.price_id) for once in one.one_offs]
        wanted: list[tuple[Discount, OfferCode | None]] = [(discount, None) for discount in spec.discounts]
        if spec.offer_code.strip():
            offer = find_code(company, spec.offer_code, at=at)
            is_new = spec.customer.pk not in before
            if offer.first_time_only and is_new:
                is_new = not Subscription.objects.filter(company=company, customer_id=spec.customer.pk).exists()
            use_code(offer, spec.customer.pk, is_new=is_new)
            wanted.append((offer.discount, offer))
        if len({discount.pk for discount, _ in wanted}) < len(wanted):
            raise Refused("discount.given_already", field="discounts", code=wanted[-1][0].code)
        one.discounts = [
            agreed_from(subscription, discount, offer, sold, from_on=subscription.start_on, at=at)
            for discount, offer in wanted
        ]
        # Revenue is counted from these; a row that is not stored yet has no others.
        subscription.live_discounts = one.discounts  # type: ignore[attr-defined]
        before.add(spec.customer.pk)


def write(built: Sequence[Built], *, by: Actor, at: datetime) -> None:
    """Stores the discounts of agreements that are stored, and which campaign's code brought new customers. No statement
    without any."""
    given = [(one.subscription, row) for one in built for row in one.discounts]
    if not given:
        return
    for subscription, row in given:
        row.subscription = subscription
    AgreedDiscount.objects.bulk_create(row for _, row in given)
    touches = [
        (subscription.customer_id, row.discount.campaign_id, first_touch.OFFER_CODE)
        for subscription, row in given
        if row.code_id is not None and row.discount is not None and row.discount.campaign_id is not None
    ]
    if touches:
        first_touch.note_many(company=given[0][0].company, touches=touches, at=at)
    entries, events = told(given, "give", by=by, at=at)
    AuditEntry.objects.bulk_create(entries)
    Event.objects.bulk_create(events)


def agreed_from(
    subscription: Subscription,
    discount: Discount,
    code: OfferCode | None,
    sold: Sequence[tuple[int, int | None]],
    *,
    from_on: date,
    at: datetime,
) -> AgreedDiscount:
    """A copy of the template for this subscription, unsaved; `sold`: its products with their prices. Refuses what can't
    be given to it."""
    shown = code.code if code is not None else discount.code
    company = subscription.company
    if discount.company_id != company.pk:
        raise Refused("not_found", field="discount")
    if discount.archived_at is not None:
        raise Refused("discount.archived", field="discount", code=shown)
    if discount.currency and discount.currency != subscription.currency:
        raise Refused(
            "discount.currency", field="discount", code=shown, other=discount.currency, currency=subscription.currency
        )
    if not any(discounted.covers(discount, product, price) for product, price in sold):
        raise Refused("discount.covers_nothing", field="discount", code=shown)
    language = subscription.customer.language or company.language
    is_once = discount.duration == Duration.ONCE
    return AgreedDiscount(
        company=company,
        subscription=subscription,
        discount=discount,
        code=code,
        name=in_language(discount.name, language, company.language),
        percent=discount.percent,
        amount_minor=discount.amount_minor,
        currency=discount.currency,
        duration=discount.duration,
        periods=discount.periods,
        scope=discount.scope,
        product_id=discount.product_id,
        price_id=discount.price_id,
        from_on=from_on,
        periods_left=discount.periods,
        left_minor=discount.amount_minor if is_once else None,
        created_at=at,
    )


def find_code(company: Company, code: str, *, at: datetime) -> OfferCode:
    """The code as entered, if valid on the company's day. Refuses `offer_code.unknown`, `.not_yet`, `.expired`."""
    rows = OfferCode.objects.select_related("discount").filter(company_id=company.pk, code=normal_code(code)[:40])
    offer = rows.filter(archived_at__isnull=True, discount__archived_at__isnull=True).first()
    if offer is None:
        raise Refused("offer_code.unknown", field="code")
    today = clock.day_in(at, company.time_zone)
    if offer.valid_from is not None and today < offer.valid_from:
        raise Refused("offer_code.not_yet", field="code", day=offer.valid_from)
    if offer.valid_until is not None and today > offer.valid_until:
        raise Refused("offer_code.expired", field="code", day=offer.valid_until)
    return offer


def use_code(offer: OfferCode, customer_id: int, *, is_new: bool) -> None:
    """Counts a use of the code by a customer whose row is locked. `is_new`: it is the customer's first subscription.

    Refuses `offer_code.first_time_only`, `.customer_limit`, `.used_up`.
    """
    if offer.first_time_only and not is_new:
        raise Refused("offer_code.first_time_only", field="code")
    # The row is the lock: uses are counted one after another, and the table's own check holds the limit.
    counted = OfferCode.objects.filter(pk=offer.pk, archived_at__isnull=True).filter(
        Q(total_limit__isnull=True) | Q(use_count__lt=F("total_limit"))
    )
    if not counted.update(use_count=F("use_count") + 1):
        raise Refused("offer_code.used_up", field="code")
    if offer.customer_limit is not None:
        used = AgreedDiscount.objects.filter(code_id=offer.pk, subscription__customer_id=customer_id)
        if used.count() >= offer.customer_limit:
            raise Refused("offer_code.customer_limit", field="code")


def told(
    given: Sequence[tuple[Subscription, AgreedDiscount]], what: str, *, by: Actor, at: datetime
) -> tuple[list[AuditEntry], list[Event]]:
    """Audit rows and events, unsaved, of discounts that were given (`give`) or taken back (`end`)."""
    type = {"give": "discount.given", "end": "discount.taken_back"}[what]
    entries, events = [], []
    for subscription, row in given:
        common: dict[str, Any] = {
            "company_id": subscription.company_id,
            "at": at,
            "subject_kind": "subscription",
            "subject_id": subscription.pk,
            "customer_id": subscription.customer_id,
        }
        facts = {
            "discount": row.ref,
            "name": row.name,
            "percent": None if row.percent is None else f"{row.percent.normalize():f}",
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            "duration": row.duration,
            "periods": row.periods,
            "code": row.code.code if row.code is not None else None,
            "from_on": row.from_on.isoformat(),
            "until_on": None if row.until_on is None else row.until_on.isoformat(),
        }
        entries.append(trail.entry(by=by, verb=f"subscription.discount_{what}", facts=facts, **common))
        data = {"id": subscription.ref, "number": subscription.number, **facts}
        events.append(trail.event(type=type, data=data, **common))
    return entries, events
