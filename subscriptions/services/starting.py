"""Agreeing subscriptions: one is a batch of one, written in a constant number of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from catalog.models import Discount, Plan
from core.actors import Actor
from core.ids import encode
from core.models import AuditEntry, Company, Event
from core.refusal import Refused
from core.services import trail
from customers.models import Customer
from customers.services import merged
from subscriptions.models import OneOff, Slot, SlotTerms, Subscription
from subscriptions.services import agreed_discounts, discounted, due, movements, moves, retiming
from subscriptions.services.agreeing import AgreementSpec, Built, ItemSpec, Offer, build
from subscriptions.services.movements import Change
from subscriptions.services.net import contained_tax

__all__ = ["AgreementSpec", "ItemSpec", "agree", "agree_many", "check_spec"]

State = Subscription.State
STARTED = {State.PENDING: "subscription.scheduled"}


def agree(
    *,
    company: Company,
    customer: Customer,
    start_on: date,
    on: date,
    plan: Plan | None = None,
    items: Sequence[ItemSpec] | None = None,
    currency: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    name: str = "",
    external_id: str = "",
    po_reference: str = "",
    metadata: Mapping[str, Any] | None = None,
    billed_through_on: date | None = None,
    ends_on: date | None = None,
    end_unused: str | None = None,
    end_reason: str = "",
    add_ons: Sequence[ItemSpec] = (),
    discounts: Sequence[Discount] = (),
    offer_code: str = "",
    by: Actor,
    at: datetime,
) -> Subscription:
    """Agrees one subscription as of `on`, its today; billing it is another floor's verb. See `AgreementSpec`."""
    spec = AgreementSpec(
        customer=customer,
        start_on=start_on,
        plan=plan,
        items=items,
        currency=currency,
        overrides=overrides or {},
        name=name,
        external_id=external_id,
        po_reference=po_reference,
        metadata=metadata,
        billed_through_on=billed_through_on,
        ends_on=ends_on,
        end_unused=end_unused,
        end_reason=end_reason,
        add_ons=add_ons,
        discounts=discounts,
        offer_code=offer_code,
    )
    return agree_many(company=company, specs=[spec], on=on, by=by, at=at)[0]


def check_spec(*, company: Company, spec: AgreementSpec, on: date, at: datetime, offer: Offer | None = None) -> None:
    """Refuses what `agree_many` would refuse about this one alone. Without `offer` it is read from the plan."""
    if offer is None and spec.plan is not None:
        offer = Offer.of(spec.plan)
    build(company=company, spec=spec, offer=offer, on=on, at=at)


def agree_many(
    *,
    company: Company,
    specs: Sequence[AgreementSpec],
    on: date,
    by: Actor,
    at: datetime,
    cause: str = "subscription.start",
) -> list[Subscription]:
    """Agrees them all or none, in the order of their specs. Raises `Refused` for the first that can't be.

    `cause` names the verb on audit rows and movements.
    """
    with transaction.atomic():
        _lock_customers(company, specs)
        _refuse_taken(company, specs)
        offers = {plan.pk: Offer.of(plan) for plan in {spec.plan.pk: spec.plan for spec in specs if spec.plan}.values()}
        trials = _trials(company, specs, offers)
        built = []
        for spec in specs:
            offer = offers[spec.plan.pk] if spec.plan is not None else None
            used = offer is not None and any((spec.customer.pk, item.product_id) in trials for item in offer.tried)
            one = build(company=company, spec=spec, offer=offer, on=on, at=at, trial_used=used)
            if one.subscription.paid_from_on > one.subscription.start_on:
                trials |= {
                    (spec.customer.pk, slot.product_id)
                    for slot, _ in one.slots
                    if slot.item is None or not slot.item.is_optional
                }
            built.append(one)
        agreed_discounts.at_start(company, specs, built, at=at)
        worth = _worth(company, built)
        _write(built, worth)
        movements.record(company=company, changes=_changes(built, worth, cause))
        _tell(company, built, by=by, at=at, verb=cause)
        agreed_discounts.write(built, by=by, at=at)
    return [one.subscription for one in built]


def _lock_customers(company: Company, specs: Sequence[AgreementSpec]) -> None:
    ids = {spec.customer.pk for spec in specs}
    locked = Customer.objects.filter(company_id=company.pk, pk__in=ids).order_by("pk").select_for_update(no_key=True)
    if len(locked) != len(ids):
        raise Refused("not_found", field="customer")
    for customer in locked:
        if customer.merged_into_id is not None:
            merged.refuse(customer)


def _refuse_taken(company: Company, specs: Sequence[AgreementSpec]) -> None:
    ids = [spec.external_id for spec in specs if spec.external_id]
    twice = sorted({value for value in ids if ids.count(value) > 1}) if len(set(ids)) < len(ids) else []
    taken = twice or sorted(
        Subscription.objects.filter(company=company, external_id__in=ids).values_list("external_id", flat=True)
        if ids
        else []
    )
    if taken:
        raise Refused("subscription.external_id_taken", field="external_id", value=taken[0])


def _trials(company: Company, specs: Sequence[AgreementSpec], offers: Mapping[int, Offer]) -> set[tuple[int, int]]:
    """Customer and product of every trial there was, for those whose plan would give one."""
    customers = {spec.customer.pk for spec in specs if spec.plan is not None and spec.plan.trial_days}
    if not customers:
        return set()
    rows = Slot.objects.filter(
        company_id=company.pk,
        subscription__customer_id__in=customers,
        subscription__paid_from_on__gt=F("subscription__start_on"),
    ).exclude(item__is_optional=True)
    return set(rows.values_list("subscription__customer_id", "product_id"))


def _worth(company: Company, built: Sequence[Built]) -> list[list[int]]:
    """Monthly revenue of each slot in minor units, once it is in effect; usage counts 0."""
    rates = contained_tax(company, [(one.subscription, slot) for one in built for slot, _ in one.slots])
    worth = []
    for one in built:
        currency, on = one.subscription.currency, one.subscription.paid_from_on
        minors = []
        slots = [(slot, retiming.terms_on(terms, on)) for slot, terms in one.slots]
        for (slot, held), kept in zip(slots, discounted.kept(one.subscription, slots, on), strict=True):
            counts = held is not None and slot.kind == Slot.Kind.RECURRING
            rate = rates.get(id(slot))
            minors.append(movements.mrr_of(held, currency, rate, kept=kept) if counts and held else 0)
        worth.append(minors)
    return worth


def _write(built: Sequence[Built], worth: Sequence[Sequence[int]]) -> None:
    for one, minors in zip(built, worth, strict=True):
        earns = one.subscription.state in moves.EARNING
        for (slot, _), minor in zip(one.slots, minors, strict=True):
            slot.mrr_minor = minor if earns else 0
        if earns:
            # A position that ends by itself takes its revenue with it on that day.
            paid_from_on = one.subscription.paid_from_on
            days = [held.from_on for _, terms in one.slots for held in terms if held.from_on > paid_from_on]
            moves_on = [*days, one.subscription.next_move_on]
            one.subscription.next_move_on = min((day for day in moves_on if day is not None), default=None)
        waits = one.subscription.state in (State.PENDING, State.TRIAL) and not converts(one.subscription)
        limit = one.subscription.paid_from_on if waits else None
        later = [held.from_on for _, terms in one.slots for held in terms[1:]]
        if later and one.subscription.state not in moves.ENDED:
            # A position that ends by itself takes its revenue with it on that day.
            one.subscription.next_move_on = min([*later, one.subscription.next_move_on or later[0]])
        one.subscription.next_bill_on = due.next_due(one.subscription, one.slots, one.one_offs, before=limit)
    try:
        with transaction.atomic():
            Subscription.objects.bulk_create(one.subscription for one in built)
    except IntegrityError as error:
        if "subscription_external_id_unique" in str(error):
            raise Refused("subscription.external_id_taken", field="external_id", value="") from error
        raise
    for one in built:
        for slot, _ in one.slots:
            slot.subscription = one.subscription
    Slot.objects.bulk_create(slot for one in built for slot, _ in one.slots)
    rows = []
    for one in built:
        for slot, terms in one.slots:
            for held in terms:
                held.slot = slot
                rows.append(held)
        for once in one.one_offs:
            once.subscription = one.subscription
    SlotTerms.objects.bulk_create(rows)
    one_offs = [once for one in built for once in one.one_offs]
    if one_offs:
        OneOff.objects.bulk_create(one_offs)


def converts(subscription: Subscription) -> bool:
    """Whether a trial of it goes on paid by itself: its plan says so, or the customer has a way to pay."""
    plan = subscription.plan
    if plan is None or plan.trial_end == Plan.TrialEnd.CONVERT or subscription.paid_from_on == subscription.start_on:
        return True
    return bool(subscription.customer.payment_method)


def _changes(built: Sequence[Built], worth: Sequence[Sequence[int]], cause: str) -> list[Change]:
    changes = []
    for one, minors in zip(built, worth, strict=True):
        subscription, ends_on = one.subscription, one.subscription.ends_on
        ended = subscription.state in moves.ENDED
        if subscription.state not in moves.EARNING and not ended:
            continue
        if ends_on is not None and ends_on < subscription.paid_from_on:
            continue
        for (slot, _), minor in zip(one.slots, minors, strict=True):
            changes.append(Change(subscription, slot, minor, subscription.paid_from_on, cause))
            if ended and ends_on is not None:
                after = ends_on + due.ONE_DAY
                changes.append(Change(subscription, slot, -minor, after, "subscription.end", subscription.end_reason))
    return changes


def _tell(company: Company, built: Sequence[Built], *, by: Actor, at: datetime, verb: str) -> None:
    entries, events = [], []
    for one in built:
        subscription = one.subscription
        data = {
            "id": subscription.ref,
            "number": subscription.number,
            "customer": encode("cus", subscription.customer.public_id),
            "plan": subscription.plan.code if subscription.plan is not None else None,
            "state": subscription.state,
            "start_on": subscription.start_on.isoformat(),
            "paid_from_on": subscription.paid_from_on.isoformat(),
            "ends_on": None if subscription.ends_on is None else subscription.ends_on.isoformat(),
            "currency": subscription.currency,
            "mrr_minor": sum(slot.mrr_minor for slot, _ in one.slots),
        }
        common: dict[str, Any] = {
            "company_id": company.pk,
            "at": at,
            "subject_kind": "subscription",
            "subject_id": subscription.pk,
            "customer_id": subscription.customer_id,
        }
        facts = {name: data[name] for name in ("plan", "state", "start_on", "ends_on", "currency")}
        entries.append(trail.entry(by=by, verb=verb, facts=facts, **common))
        type = STARTED.get(State(subscription.state), "subscription.started")
        events.append(trail.event(type=type, data=data, **common))
        if subscription.state in moves.ENDED:
            events.append(trail.event(type=f"subscription.{subscription.state}", data=data, **common))
    AuditEntry.objects.bulk_create(entries)
    Event.objects.bulk_create(events)
