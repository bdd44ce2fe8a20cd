"""Price versions. A sold price never changes: a new version follows it from a day on, for new sales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from catalog.models import Plan, PlanItem, Price, TaxBehavior
from catalog.services.price_specs import checked_details
from core import checks
from core.actors import Actor
from core.refusal import Refused
from core.services import trail

MOST = 10**10
PLACES = 10


@dataclass(frozen=True, slots=True)
class PriceSpec:
    """One price: amount in whole units of the currency, per cycle. `valid_from` is a company day.

    `details`: what the model needs beside the amount (see `price_specs`); `minimum_amount`: least charge per cycle.
    """

    currency: str
    unit_amount: Decimal
    valid_from: date
    model: str = "per_unit"
    billed: str = "advance"
    is_prorated: bool = True
    tax_behavior: str = "exclusive"
    details: Mapping[str, Any] | None = None
    minimum_amount: Decimal | None = None


def add_price_version(*, item: PlanItem, spec: PriceSpec, by: Actor, at: datetime) -> Price:
    """The next version of the item's price in that currency; begins after the last one. Sold ones stay."""
    with transaction.atomic():
        # The plan's row is the lock: versions are counted one after another.
        plan = Plan.objects.select_for_update().get(pk=item.plan_id)
        check_tax_behavior(plan, spec.currency, spec.tax_behavior)
        price = write_version(item, spec)
        facts = {
            "price": price.ref,
            "item": item.ref,
            "version": price.version,
            "currency": price.currency,
            "model": price.model,
            "unit_amount": f"{price.unit_amount:f}",
            "valid_from": price.valid_from.isoformat(),
        }
        trail.audit(
            company_id=plan.company_id,
            at=at,
            by=by,
            verb="price.add",
            subject_kind="plan",
            subject_id=plan.pk,
            facts=facts,
        )
        trail.emit(
            company_id=plan.company_id,
            type="price.added",
            at=at,
            subject_kind="plan",
            subject_id=plan.pk,
            data={"id": plan.ref, "code": plan.code, **facts},
        )
    return price


def price_on(item: PlanItem, currency: str, on: date) -> Price | None:
    """The version on sale that day, or None. Reads prefetched prices when there are some."""
    best: Price | None = None
    for price in item.prices.all():
        fits = price.currency == currency and price.valid_from <= on
        if fits and (best is None or price.valid_from > best.valid_from):
            best = price
    return best


def check_tax_behavior(plan: Plan, currency: str, behavior: str) -> None:
    """Refuses a price whose tax behavior differs from the plan's others in that currency."""
    others = Price.objects.filter(item__plan=plan, item__archived_at__isnull=True, currency=currency)
    if others.exclude(tax_behavior=behavior).exists():
        raise Refused("plan.tax_behavior_mixed", field="tax_behavior")


def write_version(item: PlanItem, spec: PriceSpec) -> Price:
    """Checks and writes the row, as the next version. The caller holds the plan's lock. Usage is billed in arrears."""
    checks.currency(spec.currency)
    amount = checks.decimal(spec.unit_amount, field="unit_amount", most=MOST, places=PLACES)
    details = checked_details(spec.model, spec.details, amount)
    minimum = checked_minimum(spec.minimum_amount, spec.currency)
    if minimum is not None and item.kind == PlanItem.Kind.ONE_OFF:
        raise Refused("price.minimum_once", field="minimum_amount")
    checks.choice(spec.billed, Price.Billed.values, field="billed")
    checks.choice(spec.tax_behavior, TaxBehavior.values, field="tax_behavior")
    last = Price.objects.filter(item=item, currency=spec.currency).order_by("-version").first()
    if last is not None and spec.valid_from <= last.valid_from:
        raise Refused(
            "price.valid_from_past_version",
            field="valid_from",
            version=last.version,
            day=last.valid_from,
        )
    return Price.objects.create(
        company_id=item.company_id,
        item=item,
        version=1 if last is None else last.version + 1,
        valid_from=spec.valid_from,
        currency=spec.currency,
        model=spec.model,
        unit_amount=amount,
        details=details,
        minimum_amount=minimum,
        tax_behavior=spec.tax_behavior,
        billed=Price.Billed.ARREARS if item.kind == PlanItem.Kind.USAGE else spec.billed,
        is_prorated=spec.is_prorated,
    )


def checked_minimum(value: Decimal | None, currency: str, *, field: str = "minimum_amount") -> Decimal | None:
    """A least charge in whole units of the currency; None for none, and for 0 (`number.*`)."""
    if not value:
        return None
    amount = checks.decimal(value, field=field, most=10**10, places=PLACES)
    return checks.total(amount, currency, field=field)
