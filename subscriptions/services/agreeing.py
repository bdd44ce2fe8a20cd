"""What is to be agreed, checked and turned into rows in memory: nothing is written here.

The rule that matters: whatever can't be billed or answered by the contract clock is refused before it is agreed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from catalog.models import AnchorRule, Discount, Plan, PlanItem, SuspendedBilling, TaxBehavior, TermRules, Unused
from catalog.services import rules as term_rules
from catalog.services.plans import minimum_in
from catalog.services.prices import checked_minimum
from catalog.services.texts import in_language
from core import checks
from core.models import NAME_LENGTH, Company, TermsFrom
from core.refusal import Refused, reason_of
from core.texts import checked
from customers.models import Customer
from customers.services import fields, merged
from pricing.errors import PricingError
from pricing.periods import Anchor, Interval
from subscriptions.models import AgreedDiscount, OneOff, Slot, SlotTerms, Subscription
from subscriptions.services import retiming, standing, terms
from subscriptions.services.items import ItemSpec, Offer, PricedItem, priced

__all__ = ["AgreementSpec", "Built", "ItemSpec", "Offer", "PricedItem", "build", "priced"]

ONE_DAY = timedelta(days=1)
MOST_TRIAL_DAYS = 3660
#: What may differ from the plan, beside its rules.
OVERRIDES = (
    *term_rules.FIELDS, "trial_days", "trial_usage", "suspended_billing", "minimum_amount", "description",
    "payment_terms_days", "payment_terms_from", "tax_behavior", "time_zone",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgreementSpec:
    """A subscription to be agreed: from a plan, from items, or from a plan with items in place of its own.

    `add_ons` come on top: the plan's optional items that were chosen. Those are charged from the start, trial or not.
    `discounts` and what `offer_code` stands for hold from the start.
    `ends_on` is a last day of service known from the start, past or to come. `billed_through_on`: earlier days were
    billed elsewhere. `overrides`: any of `OVERRIDES`.
    """

    customer: Customer
    start_on: date
    plan: Plan | None = None
    items: Sequence[ItemSpec] | None = None
    currency: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    external_id: str = ""
    po_reference: str = ""
    metadata: Mapping[str, Any] | None = None
    billed_through_on: date | None = None
    ends_on: date | None = None
    end_unused: str | None = None
    end_reason: str = ""
    add_ons: Sequence[ItemSpec] = ()
    discounts: Sequence[Discount] = ()
    offer_code: str = ""


@dataclass(slots=True)
class Built:
    """A checked agreement: rows not yet written, slots with their terms in order, and what is charged once."""

    subscription: Subscription
    slots: list[tuple[Slot, list[SlotTerms]]]
    one_offs: list[OneOff] = field(default_factory=list)
    discounts: list[AgreedDiscount] = field(default_factory=list)


def build(
    *, company: Company, spec: AgreementSpec, offer: Offer | None, on: date, at: datetime, trial_used: bool = False
) -> Built:
    """Checks one agreement as of `on`, the subscription's today, and builds its rows. Raises `Refused`.

    `trial_used`: the customer had a trial of a product before, so the plan's own trial is not given again.
    """
    customer, plan = spec.customer, spec.plan
    if customer.company_id != company.pk or (plan is not None and plan.company_id != company.pk):
        raise Refused("not_found")
    if customer.archived_at is not None:
        merged.refuse(customer)
        raise Refused("customer.archived", field="customer")
    if plan is not None and plan.status != Plan.Status.ON_SALE:
        raise Refused("subscription.plan_not_on_sale", field="plan", plan=plan.code, state=plan.get_status_display())
    checks.known(spec.overrides, OVERRIDES)
    for name in ("start_on", "ends_on", "billed_through_on"):
        day = getattr(spec, name)
        if day is not None and not checks.EARLIEST <= day <= checks.LATEST:
            raise Refused("subscription.day_range", field=name, day=day)
    currency = checks.currency(spec.currency or customer.currency or company.currency)
    subscription = Subscription(
        company=company,
        customer=customer,
        plan=plan,
        currency=currency,
        time_zone=checks.time_zone(
            spec.overrides.get("time_zone") or customer.time_zone or company.time_zone, field="time_zone"
        ),
        start_on=spec.start_on,
        created_at=at,
        **_words(company, spec),
        **_rules(spec),
    )
    if spec.overrides.get("payment_terms_days") is not None:
        subscription.payment_terms_days = checks.whole(
            spec.overrides["payment_terms_days"], field="payment_terms_days", most=365
        )
    if spec.overrides.get("payment_terms_from"):
        subscription.payment_terms_from = checks.choice(
            spec.overrides["payment_terms_from"], TermsFrom.values, field="payment_terms_from"
        )
    items = _priced_items(spec, offer, currency, on)
    if all(item.kind == PlanItem.Kind.ONE_OFF for item in items):
        raise Refused("subscription.without_items", field="items")
    subscription.minimum_amount = _minimum(spec, currency)
    subscription.tax_behavior = _tax_behavior(spec, items)
    if not subscription.name:
        subscription.name = _name(company, customer, plan, items)
    try:
        _dates(subscription, spec, trial_used)
        _end(subscription, spec)
        _place(subscription, on)
    except PricingError as error:
        raise Refused("subscription.terms_contradict", detail=reason_of(error)) from error
    slots = _slots(company, subscription, spec, items)
    one_offs = _one_offs(company, subscription, spec, items, at)
    if subscription.minimum_amount is not None:
        unpaid = subscription.paid_from_on - ONE_DAY
        subscription.minimum_through_on = max(unpaid, spec.billed_through_on or unpaid)
    _check_books(company, subscription, slots, one_offs)
    return Built(subscription, slots, one_offs)


def _words(company: Company, spec: AgreementSpec) -> dict[str, Any]:
    metadata = fields.metadata(spec.metadata or {})
    return {
        "name": checked(spec.name, field="name", limit=NAME_LENGTH),
        "description": checked(spec.overrides.get("description", ""), field="description", limit=10_000),
        "external_id": checked(spec.external_id, field="external_id", limit=120),
        "po_reference": checked(spec.po_reference, field="po_reference", limit=80),
        "metadata": metadata,
    }


def _rules(spec: AgreementSpec) -> dict[str, Any]:
    source: TermRules = spec.plan if spec.plan is not None else Subscription()
    rules = {name: getattr(source, name) for name in term_rules.FIELDS}
    rules |= term_rules.checked_rules({k: v for k, v in spec.overrides.items() if k in term_rules.FIELDS})
    term_rules.check(Subscription(**rules))
    for name, choices in (("trial_usage", Plan.TrialUsage.values), ("suspended_billing", SuspendedBilling.values)):
        usual = getattr(source, name)
        rules[name] = checks.choice(spec.overrides.get(name, usual), choices, field=name)
    return rules


def _minimum(spec: AgreementSpec, currency: str) -> Decimal | None:
    """The least charge per cycle over all positions; 0 takes the plan's away."""
    if spec.overrides.get("minimum_amount") is not None:
        return checked_minimum(spec.overrides["minimum_amount"], currency)
    return None if spec.plan is None else minimum_in(spec.plan, currency)


def _priced_items(spec: AgreementSpec, offer: Offer | None, currency: str, on: date) -> list[PricedItem]:
    wanted = spec.items
    if wanted is None and offer is not None:
        wanted = [ItemSpec(item.product) for item in offer.usual]
    wanted = [*(wanted or ()), *spec.add_ons]
    if not wanted:
        raise Refused("subscription.without_items", field="items")
    company_id = spec.customer.company_id
    return [priced(item, offer=offer, company_id=company_id, currency=currency, on=on) for item in wanted]


def _tax_behavior(spec: AgreementSpec, priced: Sequence[PricedItem]) -> str:
    asked = spec.overrides.get("tax_behavior")
    found = {item.tax_behavior for item in priced if item.tax_behavior is not None}
    if asked is not None:
        found.add(checks.choice(asked, TaxBehavior.values, field="tax_behavior"))
    if len(found) > 1:
        raise Refused("subscription.tax_behavior_mixed", field="tax_behavior")
    return found.pop() if found else TaxBehavior.EXCLUSIVE


def _name(company: Company, customer: Customer, plan: Plan | None, priced: Sequence[PricedItem]) -> str:
    texts = plan.name if plan is not None else priced[0].product.name
    return in_language(texts, customer.language or company.language, company.language)


def _dates(subscription: Subscription, spec: AgreementSpec, trial_used: bool) -> None:
    trial_days = spec.overrides.get("trial_days")
    if trial_days is None:
        trial_days = spec.plan.trial_days if spec.plan is not None and not trial_used else 0
    checks.whole(trial_days, field="trial_days", most=MOST_TRIAL_DAYS)
    paid_from_on = subscription.paid_from_on = spec.start_on + timedelta(days=trial_days)
    interval = Interval(subscription.interval_unit, subscription.interval_count)  # type: ignore[arg-type]
    if subscription.anchor_rule == AnchorRule.CALENDAR:
        anchor = Anchor.calendar(interval, paid_from_on)
    elif subscription.anchor_rule == AnchorRule.DAY:
        anchor = Anchor.chosen_day(interval, subscription.anchor_day or 1, paid_from_on)
    else:
        anchor = Anchor.anniversary(paid_from_on)
    subscription.anchor_on, subscription.anchor_month_day = anchor.on, anchor.day


def _end(subscription: Subscription, spec: AgreementSpec) -> None:
    runs_out = terms.end_by_itself(subscription)
    if spec.ends_on is not None and spec.ends_on < spec.start_on:
        raise Refused("subscription.end_before_start", field="ends_on", start=spec.start_on)
    if spec.ends_on is not None and (runs_out is None or spec.ends_on < runs_out):
        subscription.ends_on, subscription.end_kind = spec.ends_on, Subscription.EndKind.CANCEL
        subscription.end_unused = spec.end_unused or subscription.cancel_unused
        checks.choice(subscription.end_unused, Unused.values, field="end_unused")
        subscription.end_reason = checked(spec.end_reason, field="end_reason", limit=40)
    elif runs_out is not None:
        subscription.ends_on, subscription.end_kind = runs_out, Subscription.EndKind.EXPIRE
        subscription.end_unused = Unused.CREDIT


def _place(subscription: Subscription, on: date) -> None:
    subscription.state = standing.state_on(subscription, on)
    day = on if subscription.ends_on is None else min(on, subscription.ends_on)
    subscription.term_start_on, subscription.term_ends_on = terms.running_term(subscription, day)
    subscription.next_move_on = standing.next_move(subscription)


def _slots(
    company: Company, subscription: Subscription, spec: AgreementSpec, priced: Sequence[PricedItem]
) -> list[tuple[Slot, list[SlotTerms]]]:
    rows = []
    for position, item in enumerate(priced, start=1):
        if item.kind == PlanItem.Kind.ONE_OFF:
            continue
        from_start = item.is_add_on or _pays_for_trial(subscription, item)
        before = (subscription.start_on if from_start else subscription.paid_from_on) - ONE_DAY
        elsewhere = spec.billed_through_on
        if elsewhere is not None and elsewhere <= before:
            elsewhere = None
        slot = Slot(
            company=company,
            subscription=subscription,
            product=item.product,
            kind=item.kind,
            meter=item.meter,
            item=item.item,
            interim_minor=item.spec.interim_minor,
            position=position,
            billed_through_on=elsewhere or before,
            elsewhere_through_on=elsewhere,
        )
        if item.terms["minimum_amount"] is not None:
            unpaid = subscription.start_on if item.is_add_on else subscription.paid_from_on
            slot.minimum_through_on = elsewhere or unpaid - ONE_DAY
        held = _held(company, subscription, slot, item)
        if _pays_for_trial(subscription, item):
            held = _cut(held, subscription.paid_from_on)
        rows.append((slot, held))
    return rows


def _pays_for_trial(subscription: Subscription, item: PricedItem) -> bool:
    """Whether usage of the trial is billed, at its conversion."""
    return item.kind == PlanItem.Kind.USAGE and subscription.trial_usage == Plan.TrialUsage.BILLED


def _cut(rows: list[SlotTerms], day: date) -> list[SlotTerms]:
    """The rows with a boundary on that day, so that usage of the trial is a window of its own."""
    first = rows[0]
    if first.from_on >= day or (first.until_on is not None and first.until_on <= day):
        return rows
    after = retiming.copy_of(first, from_on=day)
    first.until_on = day
    return [first, after, *rows[1:]]


def _held(company: Company, subscription: Subscription, slot: Slot, item: PricedItem) -> list[SlotTerms]:
    """The position's terms from the start; what ends by itself is followed by terms that say so."""
    cycle = {"interval_unit": subscription.interval_unit, "interval_count": subscription.interval_count}
    first = SlotTerms(
        company=company, slot=slot, from_on=subscription.start_on, price=item.price, **(cycle | item.terms)
    )
    ends_on = item.spec.ends_on
    if ends_on is None:
        return [first]
    checks.day(ends_on, field="ends_on")
    if ends_on < subscription.start_on:
        raise Refused("subscription.end_before_start", field="ends_on", start=subscription.start_on)
    first.until_on = ends_on + ONE_DAY
    after = SlotTerms(
        company=company,
        slot=slot,
        from_on=first.until_on,
        price=item.price,
        standing=SlotTerms.Standing.REMOVED,
        **(cycle | item.terms),
    )
    return [first, after]


def _one_offs(
    company: Company, subscription: Subscription, spec: AgreementSpec, priced: Sequence[PricedItem], at: datetime
) -> list[OneOff]:
    """What is charged once, due on its service day; a day billed elsewhere has had its charge there."""
    rows = []
    for item in priced:
        if item.kind != PlanItem.Kind.ONE_OFF:
            continue
        service_on = checks.day(item.spec.service_on or subscription.start_on, field="service_on")
        if service_on < subscription.start_on:
            raise Refused("subscription.service_before_start", field="service_on", start=subscription.start_on)
        if spec.billed_through_on is not None and service_on <= spec.billed_through_on:
            continue
        values = {name: item.terms[name] for name in ("quantity", "model", "unit_amount", "details")}
        rows.append(
            OneOff(
                company=company,
                subscription=subscription,
                product=item.product,
                price=item.price,
                service_on=service_on,
                due_on=service_on,
                created_at=at,
                **values,
            )
        )
    return rows


def _check_books(
    company: Company,
    subscription: Subscription,
    slots: Sequence[tuple[Slot, list[SlotTerms]]],
    one_offs: Sequence[OneOff],
) -> None:
    """No invoice reaches before the books' start, or into closed books."""
    first = min([slot.billed_through_on + ONE_DAY for slot, _ in slots] + [one.service_on for one in one_offs])
    if subscription.ends_on is not None and first > subscription.ends_on:
        return
    if first < company.books_start_on:
        raise Refused("subscription.before_books", field="start_on", day=company.books_start_on)
    if company.books_closed_on is not None and first <= company.books_closed_on:
        raise Refused("subscription.books_closed", field="start_on", day=company.books_closed_on)
