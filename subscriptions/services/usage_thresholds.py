"""Quantities and costs whose passing is told, once a period.

The rule that matters: it tells what the running period comes to, and changes nothing that is billed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from core import checks, clock
from core.actors import Actor
from core.models import Company, Event
from core.refusal import Refused
from core.services import ticks, trail
from subscriptions.models import Slot, SlotTerms, UsageThreshold
from subscriptions.services import due, usage_windows
from subscriptions.services.schedule import ONE_DAY, Stretch
from subscriptions.services.usage_windows import Counted, Window

EVERY = timedelta(hours=1)
MOST_THRESHOLDS = 20


@transaction.atomic
def set_thresholds(
    *, slot: Slot, thresholds: Sequence[tuple[Decimal | None, int | None]], by: Actor, at: datetime
) -> list[UsageThreshold]:
    """Replaces the thresholds of a usage position: quantities, or costs in minor units. What is passed is told at once.

    Refuses `usage.position_only`, `usage.threshold_form`.
    """
    if slot.kind != Slot.Kind.USAGE:
        raise Refused("usage.position_only", field="thresholds")
    checks.whole(len(thresholds), field="thresholds", most=MOST_THRESHOLDS)
    rows = []
    for quantity, cost_minor in dict.fromkeys(thresholds):
        if (quantity is None) == (cost_minor is None):
            raise Refused("usage.threshold_form", field="thresholds")
        if quantity is not None:
            checks.decimal(quantity, field="thresholds", most=10**14, places=6)
        else:
            checks.minor(cost_minor, field="thresholds")
        rows.append(UsageThreshold(company_id=slot.company_id, slot=slot, quantity=quantity, cost_minor=cost_minor))
    slot = Slot.objects.select_for_update(of=("self",)).select_related("subscription__company").get(pk=slot.pk)
    kept = {(row.quantity, row.cost_minor): row for row in UsageThreshold.objects.filter(slot=slot)}
    wanted = {(row.quantity, row.cost_minor): row for row in rows}
    UsageThreshold.objects.filter(pk__in=[row.pk for key, row in kept.items() if key not in wanted]).delete()
    UsageThreshold.objects.bulk_create(row for key, row in wanted.items() if key not in kept)
    trail.audit(
        company_id=slot.company_id, at=at, by=by, verb="usage.set_thresholds", subject_kind="subscription",
        subject_id=slot.subscription_id, customer_id=slot.subscription.customer_id,
        facts={"item": slot.ref, "thresholds": [[_text(row.quantity), row.cost_minor] for row in rows]},
    )  # fmt: skip
    tell_passed(slot.subscription.company, Slot.objects.filter(pk=slot.pk), at)
    return list(UsageThreshold.objects.filter(slot=slot).order_by("pk"))


def tell_passed(company: Company, slots: QuerySet[Slot], at: datetime) -> int:
    """Tells of every threshold of these positions that the running period has passed and that was not told for it."""
    rows = list(
        slots.filter(thresholds__isnull=False).distinct().select_related("subscription", "meter").order_by("pk")
    )
    found: list[tuple[Slot, Stretch, Window]] = []
    held: dict[int, list[SlotTerms]] = {}
    for terms in SlotTerms.objects.filter(slot__in=rows).order_by("slot_id", "from_on"):
        held.setdefault(terms.slot_id, []).append(terms)
    for slot in rows:
        agreement = due.agreement_of(slot.subscription)
        today = clock.day_in(at, agreement.time_zone)
        stretch = usage_windows.running(agreement, due.slot_row(slot, held.get(slot.pk, ())), today)
        if stretch is not None:
            found.append((slot, stretch, usage_windows.window_of(agreement, stretch, today + ONE_DAY)))
    counted = usage_windows.read([window for _, _, window in found])
    passed = []
    thresholds: dict[int, list[UsageThreshold]] = {}
    for one in (
        UsageThreshold.objects.filter(slot__in=[slot for slot, _, _ in found]).select_for_update().order_by("pk")
    ):
        thresholds.setdefault(one.slot_id, []).append(one)
    events: list[Event] = []
    for (slot, stretch, _), said in zip(found, counted, strict=True):
        currency = slot.subscription.currency
        cost, _ = usage_windows.priced(stretch.terms, said, usage_windows.share_of(stretch), currency)
        for one in _passed(thresholds.get(slot.pk, ()), stretch.start, said, cost):
            one.told_for_on = stretch.start
            passed.append(one)
            events.append(_event(company, slot, one, stretch, said, cost, at))
    UsageThreshold.objects.bulk_update(passed, ["told_for_on"])
    Event.objects.bulk_create(events)
    return len(passed)


def _passed(
    thresholds: Iterable[UsageThreshold], period_start: date, said: Counted, cost: int
) -> Iterable[UsageThreshold]:
    for one in thresholds:
        if one.told_for_on is not None and one.told_for_on >= period_start:
            continue
        figure, limit = (cost, one.cost_minor) if one.quantity is None else (said.quantity, one.quantity)
        if limit is not None and figure >= limit:
            yield one


def _event(
    company: Company, slot: Slot, one: UsageThreshold, stretch: Stretch, said: Counted, cost: int, at: datetime
) -> Event:
    assert slot.meter is not None
    data: dict[str, Any] = {
        "subscription": slot.subscription.ref,
        "item": slot.ref,
        "meter": slot.meter.code,
        "period_start": stretch.start.isoformat(),
        "period_end": stretch.end.isoformat(),
        "quantity": _text(rounded(said)),
        "cost_minor": cost,
        "currency": slot.subscription.currency,
        "threshold_quantity": _text(one.quantity),
        "threshold_cost_minor": one.cost_minor,
    }
    return trail.event(
        type="usage.threshold_passed", at=at, company_id=company.pk, subject_kind="subscription",
        subject_id=slot.subscription_id, customer_id=slot.subscription.customer_id, data=data,
    )  # fmt: skip


def rounded(said: Counted) -> Decimal:
    """The quantity with ten places, as it is kept and shown; pricing takes the exact one."""
    return usage_windows.as_decimal(said.quantity)


def _text(value: Decimal | None) -> str | None:
    if value is None:
        return None
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@ticks.tick(
    "subscriptions.usage", order=15, every=EVERY, title=gettext_lazy("Usage thresholds"),
    text=gettext_lazy("Tells when usage has passed a threshold."),
)  # fmt: skip
def look(company: Company, at: datetime) -> dict[str, Any]:
    """Levels that are held grow by time alone: thresholds are looked at without new events, too."""
    if not UsageThreshold.objects.filter(company=company).exists():
        return {}
    with transaction.atomic():
        return {"passed": tell_passed(company, Slot.objects.filter(company=company), at)}
