"""What is charged once beside the periods: added to a running subscription, moved, asked for early, taken back.

The rule that matters: it falls due on its service day and never before today; once billed, only a credit note on its
line takes it back. Whoever changes one holds the customer's row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from catalog.models import PlanItem, Price, Product
from core import checks
from core.actors import Actor
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from subscriptions.models import OneOff, Subscription
from subscriptions.services import holding, moves, renewals
from subscriptions.services.items import ItemSpec, Offer, priced


def add(
    *,
    subscription: Subscription,
    product: Product,
    quantity: Decimal | None = None,
    unit_amount: Decimal | None = None,
    price: Price | None = None,
    model: str | None = None,
    details: Mapping[str, Any] | None = None,
    description: str = "",
    service_on: date | None = None,
    on: date,
    by: Actor,
    at: datetime,
) -> OneOff:
    """A further single charge, due on its service day (default: `on`, the subscription's today), at the earliest today.

    What is left out comes from `price`, else from the plan's one-off of that product. `unit_amount` in whole units.
    Refuses an ended subscription, service before its start or after its end, and mixed net and gross prices.
    """
    checked(description, field="description", limit=400)
    with transaction.atomic():
        held = holding.lock(subscription)
        _check_running(held)
        service = _service_day(held, service_on or on)
        spec = ItemSpec(
            product, quantity=quantity, unit_amount=unit_amount, price=price, model=model, details=details,
            kind=PlanItem.Kind.ONE_OFF,
        )  # fmt: skip
        item = priced(
            spec, offer=_offer(held, product), company_id=held.company_id, currency=held.currency, on=on
        )  # fmt: skip
        if item.tax_behavior not in (None, held.tax_behavior):
            raise Refused("subscription.tax_behavior_mixed", field="tax_behavior")
        values = {name: item.terms[name] for name in ("quantity", "model", "unit_amount", "details")}
        one_off = OneOff.objects.create(
            company_id=held.company_id,
            subscription=held,
            product=product,
            price=item.price,
            description=description,
            service_on=service,
            due_on=max(service, on),
            created_at=at,
            **values,
        )
        _plan(held)
        _tell(held, one_off, "add_one_off", "one_off_added", by=by, at=at)
    return one_off


def cancel(*, one_off: OneOff, by: Actor, at: datetime) -> OneOff:
    """Takes an item back before it is billed. Repeated: nothing happens. Refuses `one_off.billed`."""
    with transaction.atomic():
        held, row = _lock(one_off)
        if row.canceled_at is not None:
            return row
        _check_open(row)
        row.due_on, row.canceled_at = None, at
        row.save(update_fields=["due_on", "canceled_at"])
        _plan(held)
        _tell(held, row, "cancel_one_off", "one_off_canceled", by=by, at=at)
    return row


def move(*, one_off: OneOff, service_on: date, on: date, by: Actor, at: datetime) -> OneOff:
    """Another service day, as long as it is not billed. Refuses `one_off.billed`, and days outside the service."""
    with transaction.atomic():
        held, row = _lock(one_off)
        _check_open(row)
        service = _service_day(held, service_on)
        due_on = max(service, on)
        if (row.service_on, row.due_on) == (service, due_on):
            return row
        row.service_on, row.due_on = service, due_on
        row.save(update_fields=["service_on", "due_on"])
        _plan(held)
        _tell(held, row, "move_one_off", "one_off_moved", by=by, at=at)
    return row


def make_due(*, one_off: OneOff, on: date, by: Actor, at: datetime) -> OneOff:
    """Has an item fall due today, before its service day. Refuses `one_off.billed`."""
    with transaction.atomic():
        held, row = _lock(one_off)
        _check_running(held)
        _check_open(row)
        if row.due_on is None or row.due_on > on:
            row.due_on = on
            row.save(update_fields=["due_on"])
            _plan(held)
            _tell(held, row, "bill_one_off", "one_off_due", by=by, at=at)
    return row


def _offer(held: Subscription, product: Product) -> Offer | None:
    """The plan, where it sells the product once: the price of a period is none of a single charge."""
    if held.plan is None:
        return None
    offer = Offer.of(held.plan)
    item = offer.item(product)
    return offer if item is not None and item.kind == PlanItem.Kind.ONE_OFF else None


def _lock(one_off: OneOff) -> tuple[Subscription, OneOff]:
    held = holding.lock(one_off.subscription)
    return held, OneOff.objects.select_related("product", "price").get(pk=one_off.pk)


def _check_running(held: Subscription) -> None:
    if held.state in moves.ENDED:
        raise Refused("subscription.ended", day=held.ends_on)
    if held.state == Subscription.State.PAUSED and held.paused_from_on is None:
        raise Refused("one_off.trial_over")


def _check_open(row: OneOff) -> None:
    if row.canceled_at is not None:
        raise Refused("one_off.canceled")
    if row.due_on is None:
        raise Refused("one_off.billed")


def _service_day(held: Subscription, day: date) -> date:
    checks.day(day, field="service_on")
    if day < held.start_on:
        raise Refused("subscription.service_before_start", field="service_on", start=held.start_on)
    if held.ends_on is not None and day > held.ends_on:
        raise Refused("subscription.service_after_end", field="service_on", day=held.ends_on)
    return day


def _plan(held: Subscription) -> None:
    """Plans ahead with the items as they are now, and saves."""
    getattr(held, "_prefetched_objects_cache", {}).pop("one_offs", None)
    holding.plan_ahead(held)
    renewals.keep_waiting(held)
    holding.save([held])


def _tell(held: Subscription, row: OneOff, verb: str, past: str, *, by: Actor, at: datetime) -> None:
    facts = {
        "one_off": row.ref,
        "product": row.product.code,
        "quantity": f"{row.quantity:f}",
        "unit_amount": f"{row.unit_amount:f}",
        "service_on": row.service_on.isoformat(),
    }
    common: dict[str, Any] = {
        "company_id": held.company_id,
        "at": at,
        "subject_kind": "subscription",
        "subject_id": held.pk,
        "customer_id": held.customer_id,
    }
    trail.audit(by=by, verb=f"subscription.{verb}", facts=facts, **common)
    trail.emit(
        type=f"subscription.{past}",
        data={"id": held.ref, "number": held.number, "currency": held.currency, **facts},
        **common,
    )
