"""What is to be agreed, checked and turned into rows in memory: nothing is written here.

The rule that matters: whatever can't be billed or answered by the contract clock is refused before it is agreed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from catalog.models import (
    AnchorRule,
    Meter,
    Plan,
    PlanItem,
    Price,
    Product,
    SuspendedBilling,
    TaxBehavior,
    TermRules,
    Unit,
    Unused,
)
from catalog.services import rules as term_rules
from catalog.services.plans import check_meter, minimum_in
from catalog.services.price_specs import checked_details, price_spec
from catalog.services.prices import checked_minimum, price_on
from catalog.services.texts import in_language
from core import checks
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.texts import checked
from customers.models import Customer
from customers.services import fields
from pricing.charge_models import BadPrice
from pricing.charge_models import amount as model_amount
from pricing.errors import PricingError
from pricing.money import to_minor
from pricing.periods import Anchor, Interval
from subscriptions.models import OneOff, Slot, SlotTerms, Subscription
from subscriptions.services import standing, terms

ONE_DAY = timedelta(days=1)
MOST_TRIAL_DAYS = 3660
#: What may differ from the plan, beside its rules.
OVERRIDES = (
    *term_rules.FIELDS, "trial_days", "trial_usage", "suspended_billing", "minimum_amount", "description",
    "payment_terms_days", "tax_behavior", "time_zone",
)  # fmt: skip
#: What makes a price that differs one apart from the catalog.
PRICED = ("unit_amount", "model", "details", "minimum_amount", "billed", "is_prorated")


@dataclass(frozen=True, slots=True)
class ItemSpec:
    """A position to be agreed. What is left out comes from `price`, else from the plan's price of the product.

    `unit_amount` in whole units of the currency per interval; what differs from the price is agreed apart from the
    catalog. `details`: what the model needs beside the amount. `interval_*`: the item's own cycle, else the
    subscription's. `kind`: recurring, usage (with `meter`; always in arrears; `interim_minor`: the threshold in minor
    units that bills it at once) or one_off (due on `service_on`, else at the start). `ends_on`: its own last day.
    """

    product: Product
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    price: Price | None = None
    model: str | None = None
    billed: str | None = None
    is_prorated: bool | None = None
    interval_unit: str | None = None
    interval_count: int | None = None
    details: Mapping[str, Any] | None = None
    minimum_amount: Decimal | None = None
    kind: str | None = None
    meter: Meter | None = None
    interim_minor: int | None = None
    ends_on: date | None = None
    service_on: date | None = None


@dataclass(frozen=True, slots=True)
class AgreementSpec:
    """A subscription to be agreed: from a plan, from items, or from a plan with items in place of its own.

    `add_ons` come on top: the plan's optional items that were chosen. Those are charged from the start, trial or not.
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


@dataclass(slots=True)
class Offer:
    """A plan with its items, their products and prices, read once for a batch."""

    plan: Plan
    items: list[PlanItem]

    @classmethod
    def of(cls, plan: Plan) -> Offer:
        """Three queries."""
        items = plan.items.filter(archived_at__isnull=True).select_related("product__tax_category", "meter")
        return cls(plan, list(items.prefetch_related("prices")))

    @property
    def usual(self) -> list[PlanItem]:
        """What is agreed unless something else is: everything but the add-ons."""
        return [item for item in self.items if not item.is_optional]

    @property
    def tried(self) -> list[PlanItem]:
        """What the plan's trial is a trial of: add-ons and what is charged once have none."""
        return [item for item in self.usual if item.kind != PlanItem.Kind.ONE_OFF]

    def item(self, product: Product) -> PlanItem | None:
        """The plan's position that sells the product; None when there is none."""
        return next((item for item in self.items if item.product_id == product.pk), None)

    def price(self, product: Product, currency: str, on: date) -> Price | None:
        """The product's price on sale that day; None when the plan has none."""
        item = self.item(product)
        return None if item is None else price_on(item, currency, on)


@dataclass(slots=True)
class Built:
    """A checked agreement: rows not yet written, slots with their terms in order, and what is charged once."""

    subscription: Subscription
    slots: list[tuple[Slot, list[SlotTerms]]]
    one_offs: list[OneOff] = field(default_factory=list)


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
    priced = _priced_items(spec, offer, currency, on)
    if all(item.kind == PlanItem.Kind.ONE_OFF for item in priced):
        raise Refused("subscription.without_items", field="items")
    subscription.minimum_amount = _minimum(spec, currency)
    subscription.tax_behavior = _tax_behavior(spec, priced)
    if not subscription.name:
        subscription.name = _name(company, customer, plan, priced)
    try:
        _dates(subscription, spec, trial_used)
        _end(subscription, spec)
        _place(subscription, on)
    except PricingError as error:
        raise Refused("subscription.terms_contradict", detail=error.code) from error
    slots = _slots(company, subscription, spec, priced)
    one_offs = _one_offs(company, subscription, spec, priced, at)
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


@dataclass(slots=True)
class PricedItem:
    """A position, checked: its kind, the plan's item and the price version it comes from, the columns of its terms."""

    spec: ItemSpec
    product: Product
    item: PlanItem | None
    kind: str
    meter: Meter | None
    price: Price | None
    tax_behavior: str | None
    terms: dict[str, Any]

    @property
    def is_add_on(self) -> bool:
        return self.item is not None and self.item.is_optional


def _priced_items(spec: AgreementSpec, offer: Offer | None, currency: str, on: date) -> list[PricedItem]:
    wanted = spec.items
    if wanted is None and offer is not None:
        wanted = [ItemSpec(item.product) for item in offer.usual]
    wanted = [*(wanted or ()), *spec.add_ons]
    if not wanted:
        raise Refused("subscription.without_items", field="items")
    company_id = spec.customer.company_id
    return [priced(item, offer=offer, company_id=company_id, currency=currency, on=on) for item in wanted]


def priced(spec: ItemSpec, *, offer: Offer | None, company_id: int, currency: str, on: date) -> PricedItem:
    """A position checked and priced as of `on`, for a subscription in that currency. Raises `Refused`.

    `offer`: the plan it belongs to, for what the spec leaves out.
    """
    product = spec.product
    if product.company_id != company_id:
        raise Refused("not_found", field="items")
    if product.archived_at is not None:
        raise Refused("product.archived", field="items", product=product.code)
    price = spec.price or (offer.price(product, currency, on) if offer is not None else None)
    if price is not None and price.company_id != company_id:
        raise Refused("not_found", field="items")
    if price is not None and price.currency != currency:
        raise Refused("subscription.price_currency", field="currency", currency=currency, other=price.currency)
    item = spec.price.item if spec.price is not None else offer.item(product) if offer is not None else None
    if item is not None and item.product_id != product.pk:
        raise Refused("subscription.price_of_other", field="price", product=product.code)
    kind, meter = _kind(spec, item, company_id)
    if price is None and spec.unit_amount is None and spec.details is None:
        raise Refused("subscription.no_price", field="items", product=product.code, currency=currency)
    terms = _terms(spec, price, item, kind, currency)
    if price is not None and any(getattr(price, name) != terms[name] for name in PRICED):
        return PricedItem(spec, product, item, kind, meter, None, price.tax_behavior, terms)
    return PricedItem(spec, product, item, kind, meter, price, price.tax_behavior if price else None, terms)


def _kind(spec: ItemSpec, item: PlanItem | None, company_id: int) -> tuple[str, Meter | None]:
    meter = spec.meter or (item.meter if item is not None else None)
    usual = item.kind if item is not None else PlanItem.Kind.RECURRING if meter is None else PlanItem.Kind.USAGE
    kind = checks.choice(spec.kind or usual, PlanItem.Kind.values, field="kind")
    is_usage = kind == PlanItem.Kind.USAGE
    if not is_usage and spec.meter is None:
        meter = None
    check_meter(meter, company_id=company_id, is_usage=is_usage)
    if spec.interim_minor is not None:
        if not is_usage:
            raise Refused("subscription.interim_without_usage", field="interim_minor")
        checks.minor(spec.interim_minor, field="interim_minor", least=1)
    return kind, meter


def _terms(spec: ItemSpec, price: Price | None, item: PlanItem | None, kind: str, currency: str) -> dict[str, Any]:
    amount = spec.unit_amount if spec.unit_amount is not None else price.unit_amount if price else Decimal(0)
    amount = checks.decimal(amount, field="unit_amount", most=10**10, places=10)
    model = checks.choice(
        spec.model or (price.model if price else Price.Model.PER_UNIT), Price.Model.values, field="model"
    )
    if spec.details is not None or price is None or model != price.model:
        details = checked_details(model, spec.details, amount)
    else:
        details = price.details
    minimum = price.minimum_amount if spec.minimum_amount is None and price else spec.minimum_amount
    if spec.minimum_amount and kind == PlanItem.Kind.ONE_OFF:
        raise Refused("price.minimum_once", field="minimum_amount")
    values: dict[str, Any] = {
        "model": model,
        "billed": spec.billed or (price.billed if price else Price.Billed.ADVANCE),
        "is_prorated": spec.is_prorated if spec.is_prorated is not None else (price.is_prorated if price else True),
        "unit_amount": amount,
        "details": details,
        "minimum_amount": checked_minimum(minimum, currency),
    }
    checks.choice(values["billed"], Price.Billed.values, field="billed")
    usual = item.quantity if item is not None else Decimal(1)
    quantity = checks.decimal(
        usual if spec.quantity is None else spec.quantity, field="quantity", most=10**14, places=6
    )
    if kind == PlanItem.Kind.USAGE:
        # How much is used is not known yet.
        values["billed"], quantity = Price.Billed.ARREARS, Decimal(0)
    values["quantity"] = quantity
    checked_total(values, currency)
    if spec.interval_unit is not None or spec.interval_count is not None:
        values["interval_unit"] = checks.choice(spec.interval_unit, Unit.values, field="interval_unit")
        values["interval_count"] = checks.whole(spec.interval_count or 1, field="interval_count", least=1, most=366)
    return values


def checked_total(terms: Mapping[str, Any], currency: str) -> None:
    """Refuses terms whose full period costs more than a document can say, or that can't be priced."""
    try:
        exact = model_amount(terms["model"], price_spec(terms["unit_amount"], terms["details"]), terms["quantity"])
    except BadPrice as error:
        raise Refused("price.details", field="unit_amount", detail=error.code) from error
    checks.minor(to_minor(exact, currency), field="unit_amount")


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
        before = (subscription.start_on if item.is_add_on else subscription.paid_from_on) - ONE_DAY
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
        rows.append((slot, _held(company, subscription, slot, item)))
    return rows


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
