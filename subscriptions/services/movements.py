"""Recurring revenue: what a slot is worth a month, and the rows that say when that changed.

The rule that matters: opening + movements = closing, always. `new` and `churn` are 0 <> more for the customer in one
company and currency; a return after churn is a reactivation; all else expands or contracts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

from django.db.models import Max, Q, Sum

from catalog.services.price_specs import price_spec
from core.models import Company
from pricing.charge_models import amount
from pricing.money import to_minor
from subscriptions.models import Movement, Slot, SlotTerms, Subscription

Kind = Movement.Kind
#: Intervals in a year over months in a year: what turns a price per interval into one per month.
_PER_MONTH = {
    "day": Fraction(365, 12),
    "week": Fraction(52, 12),
    "month": Fraction(1),
    "year": Fraction(1, 12),
}


#: Causes that bring a customer's revenue to 0 and back without losing the customer.
PAUSE, RESUME = "subscription.pause", "subscription.resume"


@dataclass(frozen=True, slots=True)
class Change:
    """A slot's monthly revenue changes by `amount_minor` from `effective_on` on; with `stops`, to nothing for good:
    what changed it after that day, before this was said, is taken back on its day."""

    subscription: Subscription
    slot: Slot
    amount_minor: int
    effective_on: date
    cause: str
    reason: str = ""
    stops: bool = False


#: Terms that are worth something a month: suspended for non-payment counts on.
EARNING = (SlotTerms.Standing.AGREED, SlotTerms.Standing.SUSPENDED)


def per_month(unit: str, count: int) -> Fraction:
    """Intervals in a month: what turns a price per interval into one per month."""
    return _PER_MONTH[unit] / count


def mrr_of(terms: SlotTerms, currency: str, tax_rate: Decimal | None = None, *, kept: Fraction = Fraction(1)) -> int:
    """What the terms are worth a month, in minor units, rounded half up once; without tax.

    `tax_rate`, in percent, is the tax a gross price contains; None: the price is net. Paused and removed: nothing;
    suspended for non-payment counts on. `kept` is what recurring discounts leave of the price.

    >>> yearly = SlotTerms(
    ...     model="per_unit", unit_amount=Decimal(100), quantity=Decimal(1), interval_unit="year", interval_count=1
    ... )
    >>> mrr_of(yearly, "EUR")
    833
    """
    if terms.standing not in EARNING:
        return 0
    price = amount(terms.model, price_spec(terms.unit_amount, terms.details), terms.quantity)
    monthly = price * kept * per_month(terms.interval_unit, terms.interval_count)
    if tax_rate is not None:
        monthly = monthly * 100 / (100 + Fraction(tax_rate))
    return to_minor(monthly, currency)


def record(*, company: Company, changes: Iterable[Change]) -> list[Movement]:
    """Writes the changes as movements, each classified for its customer; the caller holds the customers' locks.

    Changes of one subscription on one day count as one act. Earlier days are classified first; a day in closed books
    is booked on the first open day. Three queries at most and one insert, whatever the number.
    """
    wanted = [change for change in changes if change.amount_minor]
    if not wanted:
        return []
    customers = {change.subscription.customer_id for change in wanted}
    totals, latest = _totals(company, customers)
    pausing: set[tuple[int, str]] | None = None
    wanted = _stopped(wanted, latest)
    wanted.sort(key=lambda change: (change.effective_on, change.subscription.pk, change.slot.pk))
    rows: list[Movement] = []
    for (effective_on, _), act in groupby(wanted, key=lambda change: (change.effective_on, change.subscription.pk)):
        together = list(act)
        subscription = together[0].subscription
        key = (subscription.customer_id, subscription.currency)
        before, is_lost = totals.get(key, (None, False))
        after = (before or 0) + sum(change.amount_minor for change in together)
        if before == 0 and not is_lost and together[0].cause != RESUME:
            pausing = _pausing(company, customers) if pausing is None else pausing
            is_lost = key not in pausing
        totals[key] = (after, after == 0 and together[-1].cause != PAUSE)
        for change in together:
            rows.append(
                Movement(
                    company_id=company.pk,
                    customer_id=subscription.customer_id,
                    subscription=subscription,
                    slot=change.slot,
                    kind=_kind(before, after, change, is_lost=is_lost),
                    cause=change.cause,
                    reason=change.reason,
                    currency=subscription.currency,
                    amount_minor=change.amount_minor,
                    effective_on=effective_on,
                    booked_on=booked_on(company, effective_on),
                )
            )
    return Movement.objects.bulk_create(rows)


def booked_on(company: Company, effective_on: date) -> date:
    """The day a movement counts for: its own, or the first open day after closed books."""
    closed = company.books_closed_on
    return effective_on if closed is None or effective_on > closed else closed + timedelta(days=1)


def _kind(before: int | None, after: int, change: Change, *, is_lost: bool) -> Kind:
    """`before` is None for a customer who never had any; `is_lost` for one at 0 who left, and didn't just pause."""
    if before is None:
        return Kind.NEW
    if before == 0 and is_lost:
        return Kind.REACTIVATION
    if after == 0 and change.cause != PAUSE:
        return Kind.CHURN
    return Kind.EXPANSION if change.amount_minor > 0 else Kind.CONTRACTION


def _pausing(company: Company, customers: Iterable[int]) -> set[tuple[int, str]]:
    """Customer and currency of every subscription of theirs that is paused."""
    rows = Subscription.objects.filter(company_id=company.pk, customer_id__in=customers)
    return set(rows.filter(state=Subscription.State.PAUSED).values_list("customer_id", "currency"))


def _totals(
    company: Company, customers: Iterable[int]
) -> tuple[dict[tuple[int, str], tuple[int, bool]], dict[tuple[int, str], date]]:
    """By customer and currency: the monthly revenue so far, and whether what brought it to 0 was a loss; beside it the
    latest day of a movement."""
    rows = (
        Movement.objects.filter(company_id=company.pk, customer_id__in=customers)
        .values_list("customer_id", "currency")
        .annotate(
            total=Sum("amount_minor"), last=Max("id"), pause=Max("id", filter=Q(cause=PAUSE), default=0),
            latest=Max("effective_on"),
        )
    )  # fmt: skip
    totals, latest = {}, {}
    for customer_id, currency, total, last, pause, day in rows.order_by():
        totals[customer_id, currency] = (total, total == 0 and last != pause)
        latest[customer_id, currency] = day
    return totals, latest


def _stopped(wanted: Sequence[Change], latest: Mapping[tuple[int, str], date]) -> list[Change]:
    """The changes, and for what stopped before it was said so: what was written for later days, taken back on them.

    No query where nothing was written for a later day.
    """
    late = {
        change.slot.pk: change
        for change in wanted
        if change.stops
        and latest.get((change.subscription.customer_id, change.subscription.currency), date.min) > change.effective_on
    }
    if not late:
        return list(wanted)
    found = {id(change): change for change in wanted}
    back: list[Change] = []
    rows = Movement.objects.filter(slot__in=late).values_list("slot_id", "effective_on").annotate(Sum("amount_minor"))
    for slot_id, day, minor in rows.order_by("effective_on", "slot_id"):
        change = late[slot_id]
        if day > change.effective_on and minor:
            now = found[id(change)]
            found[id(change)] = replace(now, amount_minor=now.amount_minor + minor)
            back.append(replace(change, amount_minor=-minor, effective_on=day))
    return [change for change in (*found.values(), *back) if change.amount_minor]


def since(
    subscription: Subscription, from_on: date, worth_on: Callable[[date], Mapping[int, int]], now: Mapping[int, int],
    cause: str,
) -> list[Change]:  # fmt: skip
    """What makes its revenue, from a day of the past on, what `worth_on` says on that day and on each later one on
    which it changed; `now`: what it is since the last of them. Minor units by slot. One query."""
    rows = Movement.objects.filter(subscription=subscription, effective_on__gt=from_on)
    later = {
        (slot_id, day): minor
        for slot_id, day, minor in rows.values_list("slot_id", "effective_on").annotate(Sum("amount_minor")).order_by()
    }
    days = sorted({from_on, *(day for _, day in later)})
    worth = [*(worth_on(day) for day in days[:-1]), now]
    found = []
    for slot in subscription.slots.all():
        said = slot.mrr_minor - sum(minor for (slot_id, _), minor in later.items() if slot_id == slot.pk)
        for day, target in zip(days, worth, strict=True):
            said += later.get((slot.pk, day), 0)
            missing = target.get(slot.pk, 0) - said
            said += missing
            found.append(Change(subscription, slot, missing, day, cause))
    return found


def reprice(
    *,
    company: Company,
    worth: Sequence[tuple[Subscription, Slot, int]],
    effective_on: date,
    cause: str,
    reason: str = "",
) -> list[Movement]:
    """Sets each slot's monthly revenue to the given minor units and records the differences. Saves the slots."""
    changes = [
        Change(subscription, slot, minor - slot.mrr_minor, effective_on, cause, reason)
        for subscription, slot, minor in worth
        if minor != slot.mrr_minor
    ]
    written = record(company=company, changes=changes)
    for _, slot, minor in worth:
        slot.mrr_minor = minor
    Slot.objects.bulk_update([change.slot for change in changes], ["mrr_minor"])
    return written
