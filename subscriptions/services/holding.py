"""Reading subscriptions to change them: locked in the one order (customer, subscription), with slots and terms.

The rule that matters: nobody changes an agreement without holding its customer's row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Prefetch, QuerySet, prefetch_related_objects

from core import clock
from core.models import Company
from customers.models import Customer
from subscriptions.models import AgreedDiscount, Change, OneOff, Slot, SlotTerms, Subscription
from subscriptions.services import discounted, due, movements, retiming, standing
from subscriptions.services.moves import ENDED
from subscriptions.services.net import contained_tax

#: Changes that rest and take up again; they have columns of their own.
RESTS = (Change.Kind.PAUSE, Change.Kind.RESUME, Change.Kind.SUSPEND, Change.Kind.REINSTATE)
#: What verbs after the start may change on a subscription's row, with the type of the column.
CHANGED = retiming.COLUMNS | {
    "end_reason": "text",
    "end_comment": "text",
    "cancel_asked_at": "timestamptz",
    "next_bill_on": "date",
    "next_move_on": "date",
    "parked_at": "timestamptz",
    "parked_code": "text",
    "parked_detail": "text",
}
_SAVE = """
UPDATE subscriptions_subscription s SET {sets}
FROM unnest(%s::bigint[], {arrays}) v(id, {names}) WHERE s.id = v.id
"""


def lock_customers(company: Company, customer_ids: Iterable[int]) -> None:
    """Locks the customers' rows in id order."""
    rows = Customer.objects.filter(company_id=company.pk, pk__in=set(customer_ids)).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def lock(subscription: Subscription) -> Subscription:
    """The subscription as it is now, its customer's row and its own locked, with slots and terms read."""
    lock_customers(subscription.company, [subscription.customer_id])
    return _held(Subscription.objects.filter(pk=subscription.pk))[0]


def read(subscription: Subscription) -> Subscription:
    """The subscription as it is now with slots and terms, not locked."""
    return _read(Subscription.objects.filter(pk=subscription.pk))[0]


def look(subscription: Subscription) -> Subscription:
    """As `read`; `has_siblings` says whether something else of its customer falls due some day."""
    others = Subscription.objects.filter(
        customer_id=OuterRef("customer_id"), next_bill_on__isnull=False, parked_at__isnull=True
    ).exclude(pk=OuterRef("pk"))
    return _read(Subscription.objects.filter(pk=subscription.pk).annotate(has_siblings=Exists(others)))[0]


def look_many(rows: QuerySet[Subscription]) -> list[Subscription]:
    """These subscriptions by customer, with slots and terms read; nothing is locked."""
    return _read(rows)


def lock_many(company: Company, subscriptions: Iterable[Subscription]) -> list[Subscription]:
    """These subscriptions as they are now, by customer, locked with their customers, with slots and terms read."""
    wanted = list(subscriptions)
    lock_customers(company, [one.customer_id for one in wanted])
    return _held(Subscription.objects.filter(company_id=company.pk, pk__in=[one.pk for one in wanted]))


def lock_moving(company: Company, customer_ids: Sequence[int], time_zone: str, day: date) -> list[Subscription]:
    """The subscriptions of these customers in that zone that move on that day or before, locked."""
    lock_customers(company, customer_ids)
    moving = Subscription.objects.filter(
        company_id=company.pk, customer_id__in=customer_ids, time_zone=time_zone, next_move_on__lte=day
    )
    return _held(moving)


def _held(rows: QuerySet[Subscription]) -> list[Subscription]:
    return _read(rows.select_for_update(no_key=True, of=("self",)))


def _read(rows: QuerySet[Subscription]) -> list[Subscription]:
    slots = Slot.objects.order_by("position", "id").select_related("product__tax_category", "item")
    terms = SlotTerms.objects.order_by("from_on")
    held = rows.order_by("customer_id", "id").select_related("company", "customer", "plan")
    one_offs = OneOff.objects.filter(due_on__isnull=False)
    changes = Change.objects.filter(status=Change.Status.PLANNED).exclude(kind__in=RESTS).order_by("effective_on", "id")
    given = AgreedDiscount.objects.filter(subscription=OuterRef("pk"), ended_at__isnull=True)
    # Most have none of these: then none is asked for.
    held = held.annotate(
        has_discounts=Exists(given),
        has_one_offs=Exists(one_offs.filter(subscription=OuterRef("pk"))),
        has_changes=Exists(Change.objects.filter(subscription=OuterRef("pk"))),
    )
    found: list[Any] = list(held.prefetch_related(Prefetch("slots", slots), Prefetch("slots__terms", terms)))
    planned = Prefetch("changes", changes, to_attr="planned_changes")
    for name, wanted in (("has_one_offs", Prefetch("one_offs", one_offs)), ("has_changes", planned)):
        prefetch_related_objects([one for one in found if getattr(one, name)], wanted)
    for one in found:
        if not one.has_one_offs:
            none = one.one_offs.none()
            none._result_cache = []
            vars(one).setdefault("_prefetched_objects_cache", {})["one_offs"] = none
        if not one.has_changes:
            one.planned_changes = []
    return found


def positions(subscription: Subscription) -> list[tuple[Slot, list[SlotTerms]]]:
    """Slots with their terms, from what was read."""
    return [(slot, list(slot.terms.all())) for slot in subscription.slots.all()]


def plan_ahead(subscription: Subscription, after: date | None = None) -> None:
    """Sets, in memory, the next day it moves and the next day something falls due.

    `after`: the day up to which its moves are made; today in its zone unless given.
    """
    made = after or clock.day_in(clock.now(subscription.company), subscription.time_zone)
    days = [standing.next_move(subscription), standing.next_terms(subscription, made)]
    if subscription.state not in ENDED:
        days.append(discounted.next_move(subscription))
    subscription.next_move_on = min((day for day in days if day is not None), default=None)
    subscription.next_bill_on = due.next_due(subscription, positions(subscription))


def worth(subscriptions: Sequence[Subscription], on: date | None = None) -> dict[int, int]:
    """Monthly revenue of each slot (by its id) under the terms that hold on that day, after recurring discounts, in
    minor units; usage counts 0.

    Before the first paid day, and without a day: under the terms of the first paid day.
    """
    if not subscriptions:
        return {}
    pairs = [(subscription, slot) for subscription in subscriptions for slot in subscription.slots.all()]
    rates = contained_tax(subscriptions[0].company, pairs)
    discounted.attach(subscriptions)
    found: dict[int, int] = {}
    for subscription in subscriptions:
        found |= worth_of(subscription, on, rates)
    return found


def worth_of(subscription: Subscription, on: date | None, rates: Mapping[int, Decimal]) -> dict[int, int]:
    """`worth` of one subscription; `rates` as from `net.contained_tax`."""
    day = subscription.paid_from_on if on is None else max(on, subscription.paid_from_on)
    held = [(slot, retiming.terms_on(slot.terms.all(), day)) for slot in subscription.slots.all()]
    found = {}
    for (slot, terms), kept in zip(held, discounted.kept(subscription, held, day), strict=True):
        counts = terms is not None and slot.kind == Slot.Kind.RECURRING
        rate = rates.get(id(slot))
        found[slot.pk] = movements.mrr_of(terms, subscription.currency, rate, kept=kept) if counts and terms else 0
    return found


def save(subscriptions: Sequence[Subscription]) -> None:
    """Writes what the verbs may change, in one statement however many there are."""
    sql = _SAVE.format(
        sets=", ".join(f"{name} = v.{name}" for name in CHANGED),
        arrays=", ".join(f"%s::{kind}[]" for kind in CHANGED.values()),
        names=", ".join(CHANGED),
    )
    columns = [[str(v) if kind == "text" else v for v in values] for kind, values in _columns(subscriptions)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [[row.pk for row in subscriptions], *columns])


def _columns(subscriptions: Sequence[Subscription]) -> list[tuple[str, list[object]]]:
    return [(kind, [getattr(row, name) for row in subscriptions]) for name, kind in CHANGED.items()]
