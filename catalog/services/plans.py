"""Plans: templates with their items and rules, put on sale and retired. Changes touch new sales only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from catalog.models import Meter, Plan, PlanItem, Price, Product, SuspendedBilling
from catalog.services import rules as term_rules
from catalog.services.prices import (
    PriceSpec,
    add_price_version,
    check_tax_behavior,
    checked_minimum,
    price_on,
    write_version,
)
from catalog.services.products import TEXT_LENGTH, checked_code, save_changed, save_new
from catalog.services.texts import checked_texts
from core import checks
from core.actors import Actor
from core.models import NAME_LENGTH, Company, TermsFrom
from core.refusal import Refused
from core.services import trail
from core.texts import checked

__all__ = [
    "PlanItemSpec",
    "PriceSpec",
    "add_item",
    "add_price_version",
    "archive_item",
    "create_plan",
    "price_on",
    "publish_plan",
    "retire_plan",
    "update_plan",
]

#: Which states follow which. A plan never goes back to draft: it may have been sold.
MOVES = {
    Plan.Status.DRAFT: {Plan.Status.ON_SALE, Plan.Status.RETIRED},
    Plan.Status.ON_SALE: {Plan.Status.RETIRED},
    Plan.Status.RETIRED: {Plan.Status.ON_SALE},
}
_OWN_FIELDS = (
    "code",
    "name",
    "description",
    "terms_text",
    "trial_days",
    "trial_end",
    "trial_usage",
    "suspended_billing",
    "minimum_amounts",
    "customer_may_change",
    "customer_may_pause",
    "customer_may_cancel",
    "payment_terms_days",
    "payment_terms_from",
    "external_id",
)


@dataclass(frozen=True, slots=True)
class PlanItemSpec:
    """A product of a plan, its usual quantity and its first prices, one per currency.

    `kind`: recurring, usage (then with the `meter` that counts it) or one_off. `is_optional`: an add-on.
    """

    product: Product
    quantity: Decimal = Decimal(1)
    prices: Sequence[PriceSpec] = field(default_factory=list)
    kind: str = "recurring"
    meter: Meter | None = None
    is_optional: bool = False


def create_plan(
    *,
    company: Company,
    code: str,
    name: Mapping[str, str],
    items: Sequence[PlanItemSpec],
    description: Mapping[str, str] | None = None,
    terms_text: Mapping[str, str] | None = None,
    trial_days: int = 0,
    trial_end: str = "convert",
    trial_usage: str = "free",
    suspended_billing: str = "stop",
    minimum_amounts: Mapping[str, Any] | None = None,
    status: str = "draft",
    external_id: str = "",
    customer_may_change: bool = False,
    customer_may_pause: bool = False,
    customer_may_cancel: bool = True,
    payment_terms_days: int | None = None,
    payment_terms_from: str = "",
    rules: Mapping[str, Any] | None = None,
    by: Actor,
    at: datetime,
) -> Plan:
    """A plan with its items and first prices. `rules` are columns of TermRules. `status` draft or on_sale.

    `minimum_amounts`: least charge per cycle over all positions, by currency, in whole units. Refuses what can't be
    billed: rules that contradict each other, a plan on sale that no currency prices whole.
    """
    checks.choice(status, [Plan.Status.DRAFT, Plan.Status.ON_SALE], field="status")
    values = _checked(
        company,
        {
            "code": code,
            "name": name,
            "description": description or {},
            "terms_text": terms_text or {},
            "trial_days": trial_days,
            "trial_end": trial_end,
            "trial_usage": trial_usage,
            "suspended_billing": suspended_billing,
            "minimum_amounts": minimum_amounts or {},
            "customer_may_change": customer_may_change,
            "customer_may_pause": customer_may_pause,
            "customer_may_cancel": customer_may_cancel,
            "payment_terms_days": payment_terms_days,
            "payment_terms_from": payment_terms_from,
            "external_id": external_id,
        },
    )
    if not items:
        raise Refused("plan.without_items", field="items")
    plan = Plan(company=company, status=Plan.Status.DRAFT, **values, **term_rules.checked_rules(rules or {}))
    term_rules.check(plan)
    with transaction.atomic():
        save_new(plan)
        _tell(plan, "create", "created", by=by, at=at)
        for position, spec in enumerate(items, start=1):
            _write_item(plan, spec, position)
        for behaviors in _behaviors(plan).values():
            if len(behaviors) > 1:
                raise Refused("plan.tax_behavior_mixed", field="tax_behavior")
        if status == Plan.Status.ON_SALE:
            plan = publish_plan(plan=plan, by=by, at=at)
    return plan


def update_plan(*, plan: Plan, changes: Mapping[str, Any], by: Actor, at: datetime) -> Plan:
    """Changes fields and rules for new sales; what runs keeps what was agreed. No change writes nothing."""
    checks.known(changes, (*_OWN_FIELDS, *term_rules.FIELDS))
    with transaction.atomic():
        plan = Plan.objects.select_for_update().select_related("company").get(pk=plan.pk)
        values = _checked(plan.company, {name: changes[name] for name in changes if name in _OWN_FIELDS})
        values |= term_rules.checked_rules({name: changes[name] for name in changes if name in term_rules.FIELDS})
        changed = sorted(name for name, value in values.items() if getattr(plan, name) != value)
        if not changed:
            return plan
        for name in changed:
            setattr(plan, name, values[name])
        term_rules.check(plan)
        save_changed(plan, changed)
        _tell(plan, "update", "updated", by=by, at=at, facts={"fields": changed})
    return plan


def add_item(*, plan: Plan, spec: PlanItemSpec, by: Actor, at: datetime) -> PlanItem:
    """A further product for new sales."""
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
        last = max((item.position for item in plan.items.all()), default=0)
        item = _write_item(plan, spec, last + 1)
        for price in item.prices.all():
            check_tax_behavior(plan, price.currency, price.tax_behavior)
        _check_on_sale(plan)
        _tell(plan, "update", "updated", by=by, at=at, facts={"item_added": item.ref})
    return item


def archive_item(*, item: PlanItem, by: Actor, at: datetime) -> PlanItem:
    """Takes a product out of new sales of the plan; the last one can't be taken out of a plan on sale."""
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=item.plan_id)
        item = PlanItem.objects.get(pk=item.pk)
        if item.archived_at is not None:
            return item
        item.archived_at = at
        item.save(update_fields=["archived_at"])
        _check_on_sale(plan)
        _tell(plan, "update", "updated", by=by, at=at, facts={"item_archived": item.ref})
    return item


def publish_plan(*, plan: Plan, by: Actor, at: datetime) -> Plan:
    """Puts it on sale; needs a currency that prices every item. Repeated: nothing happens."""
    return _move(plan, Plan.Status.ON_SALE, verb="publish", past="published", by=by, at=at)


def retire_plan(*, plan: Plan, by: Actor, at: datetime) -> Plan:
    """Takes it off sale; what runs goes on. Repeated: nothing happens."""
    return _move(plan, Plan.Status.RETIRED, verb="retire", past="retired", by=by, at=at)


def currencies_of(plan: Plan) -> list[str]:
    """The currencies in which every item of the plan that is not an add-on has a price, sorted."""
    required = plan.items.filter(archived_at__isnull=True, is_optional=False)
    per_item: dict[int, set[str]] = {item.pk: set() for item in required}
    rows = Price.objects.filter(item_id__in=per_item).values_list("item_id", "currency").distinct()
    for item_id, currency in rows:
        per_item[item_id].add(currency)
    return sorted(set.intersection(*per_item.values())) if per_item else []


def _move(plan: Plan, to: Plan.Status, *, verb: str, past: str, by: Actor, at: datetime) -> Plan:
    with transaction.atomic():
        plan = Plan.objects.select_for_update().get(pk=plan.pk)
        if plan.status == to:
            return plan
        if to not in MOVES[Plan.Status(plan.status)]:
            raise Refused("plan.move", state=plan.get_status_display(), to=to.label)
        plan.status = to
        _check_on_sale(plan)
        plan.save(update_fields=["status"])
        _tell(plan, verb, past, by=by, at=at)
    return plan


def _check_on_sale(plan: Plan) -> None:
    if plan.status != Plan.Status.ON_SALE:
        return
    items = list(plan.items.filter(archived_at__isnull=True).select_related("product"))
    if all(item.is_optional or item.kind == PlanItem.Kind.ONE_OFF for item in items):
        raise Refused("plan.without_items", field="items")
    for item in items:
        if item.product.archived_at is not None:
            raise Refused("product.archived", field="items", code=item.product.code)
    if not currencies_of(plan):
        raise Refused("plan.without_price", field="prices")


def _write_item(plan: Plan, spec: PlanItemSpec, position: int) -> PlanItem:
    # Read again under its lock: it may have been archived meanwhile.
    product = Product.objects.select_for_update().get(pk=spec.product.pk)
    if product.company_id != plan.company_id:
        raise Refused("not_found", field="product")
    if product.archived_at is not None:
        raise Refused("product.archived", field="product", code=product.code)
    if plan.items.filter(product=product, archived_at__isnull=True).exists():
        raise Refused("plan.product_twice", field="product", code=product.code)
    quantity = checks.decimal(spec.quantity, field="quantity", most=10**14, places=6)
    checks.choice(spec.kind, PlanItem.Kind.values, field="kind")
    check_meter(spec.meter, company_id=plan.company_id, is_usage=spec.kind == PlanItem.Kind.USAGE)
    item = PlanItem.objects.create(
        company_id=plan.company_id,
        plan=plan,
        product=product,
        position=position,
        quantity=quantity,
        kind=spec.kind,
        meter=spec.meter,
        is_optional=_yes(spec.is_optional, "is_optional"),
    )
    for price in spec.prices:
        write_version(item, price)
    return item


def check_meter(meter: Meter | None, *, company_id: int, is_usage: bool) -> None:
    """Usage needs a meter of the company that is in use, everything else has none."""
    if meter is not None and meter.company_id != company_id:
        raise Refused("not_found", field="meter")
    if is_usage != (meter is not None):
        raise Refused("plan.meter_missing" if is_usage else "plan.meter_without_usage", field="meter")
    if meter is not None and meter.archived_at is not None:
        raise Refused("plan.meter_archived", field="meter", code=meter.code)


def minimum_in(plan: Plan, currency: str) -> Decimal | None:
    """The plan's least charge per cycle in that currency, in whole units; None without one."""
    found = plan.minimum_amounts.get(currency)
    return None if found is None else Decimal(found)


def _behaviors(plan: Plan) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for currency, behavior in Price.objects.filter(item__plan=plan).values_list("currency", "tax_behavior"):
        found[currency].add(behavior)
    return found


def _checked(company: Company, values: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(values)
    if "code" in kept:
        checked_code(kept["code"])
    for name, limit, required in (
        ("name", NAME_LENGTH, True),
        ("description", TEXT_LENGTH, False),
        ("terms_text", TEXT_LENGTH, False),
    ):
        if name in kept:
            kept[name] = checked_texts(kept[name], company=company, field=name, limit=limit, required=required)
    if "trial_days" in kept:
        checks.whole(kept["trial_days"], field="trial_days", most=3660)
    if "trial_end" in kept:
        checks.choice(kept["trial_end"], Plan.TrialEnd.values, field="trial_end")
    if kept.get("payment_terms_days") is not None:
        checks.whole(kept["payment_terms_days"], field="payment_terms_days", most=365)
    if kept.get("payment_terms_from"):
        checks.choice(kept["payment_terms_from"], TermsFrom.values, field="payment_terms_from")
    if "trial_usage" in kept:
        checks.choice(kept["trial_usage"], Plan.TrialUsage.values, field="trial_usage")
    if "suspended_billing" in kept:
        checks.choice(kept["suspended_billing"], SuspendedBilling.values, field="suspended_billing")
    if "minimum_amounts" in kept:
        kept["minimum_amounts"] = _minimums(kept["minimum_amounts"])
    for name in ("customer_may_change", "customer_may_pause", "customer_may_cancel"):
        if name in kept:
            _yes(kept[name], name)
    if "external_id" in kept:
        checked(kept["external_id"], field="external_id", limit=120)
    return kept


def _minimums(given: object) -> dict[str, str]:
    """Minimums by currency in canonical form: plain text, nothing for 0."""
    if not isinstance(given, Mapping):
        raise Refused("text.form", field="minimum_amounts")
    kept = {}
    for code, value in given.items():
        currency = checks.currency(code, field="minimum_amounts")
        if isinstance(value, str):
            try:
                value = Decimal(value)
            except InvalidOperation:
                raise Refused("number.form", field="minimum_amounts") from None
        amount = checked_minimum(value, currency, field="minimum_amounts")
        if amount is not None:
            text = format(amount, "f")
            kept[currency] = text.rstrip("0").rstrip(".") if "." in text else text
    return dict(sorted(kept.items()))


def _yes(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise Refused("field.choice", field=field, value=value, choices="true, false")
    return value


def _tell(plan: Plan, verb: str, past: str, *, by: Actor, at: datetime, facts: Mapping[str, Any] | None = None) -> None:
    trail.audit(
        company_id=plan.company_id,
        at=at,
        by=by,
        verb=f"plan.{verb}",
        subject_kind="plan",
        subject_id=plan.pk,
        facts={"code": plan.code, **(facts or {})},
    )
    trail.emit(
        company_id=plan.company_id,
        type=f"plan.{past}",
        at=at,
        subject_kind="plan",
        subject_id=plan.pk,
        data={"id": plan.ref, "code": plan.code, "status": plan.status, **(facts or {})},
    )
