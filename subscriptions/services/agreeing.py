"""What is to be agreed, checked and turned into rows in memory: nothing is written here.

The rule that matters: whatever can't be billed or answered by the contract clock is refused before it is agreed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from catalog.models import AnchorRule, Plan, PlanItem, Price, Product, TaxBehavior, TermRules, Unit, Unused
from catalog.services import rules as term_rules
from catalog.services.prices import price_on
from catalog.services.texts import in_language
from core import checks
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.texts import checked
from customers.models import Customer
from customers.services import fields
from pricing.errors import PricingError
from pricing.periods import Anchor, Interval
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services import standing, terms

ONE_DAY = timedelta(days=1)
MOST_TRIAL_DAYS = 3660
#: What may differ from the plan, beside its rules.
OVERRIDES = (*term_rules.FIELDS, "trial_days", "description", "payment_terms_days", "tax_behavior", "time_zone")


@dataclass(frozen=True, slots=True)
class ItemSpec:
    """A position to be agreed. What is left out comes from `price`, else from the plan's price of the product.

    `unit_amount` in whole units of the currency per interval; one that differs from the price is agreed apart from
    the catalog. `interval_*`: the item's own cycle, else the subscription's.
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


@dataclass(frozen=True, slots=True)
class AgreementSpec:
    """A subscription to be agreed: from a plan, from items, or from a plan with items in place of its own.

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


@dataclass(slots=True)
class Offer:
    """A plan with its items, their products and prices, read once for a batch."""

    plan: Plan
    items: list[PlanItem]

    @classmethod
    def of(cls, plan: Plan) -> Offer:
        """Three queries."""
        items = plan.items.filter(archived_at__isnull=True).select_related("product__tax_category")
        return cls(plan, list(items.prefetch_related("prices")))

    def price(self, product: Product, currency: str, on: date) -> Price | None:
        """The product's price on sale that day; None when the plan has none."""
        for item in self.items:
            if item.product_id == product.pk:
                return price_on(item, currency, on)
        return None


@dataclass(slots=True)
class Built:
    """A checked agreement: rows not yet written, slots with their first terms."""

    subscription: Subscription
    slots: list[tuple[Slot, SlotTerms]]


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
    _check_books(company, subscription, slots)
    return Built(subscription, slots)


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
    return rules


@dataclass(slots=True)
class _Priced:
    product: Product
    price: Price | None
    tax_behavior: str | None
    terms: dict[str, Any]


def _priced_items(spec: AgreementSpec, offer: Offer | None, currency: str, on: date) -> list[_Priced]:
    wanted = spec.items
    usual: dict[int, Decimal] = {}
    if offer is not None:
        usual = {item.product_id: item.quantity for item in offer.items}
        if wanted is None:
            wanted = [ItemSpec(item.product) for item in offer.items]
    if not wanted:
        raise Refused("subscription.without_items", field="items")
    return [_priced(spec, item, offer, usual.get(item.product.pk, Decimal(1)), currency, on) for item in wanted]


def _priced(
    spec: AgreementSpec, item: ItemSpec, offer: Offer | None, usual: Decimal, currency: str, on: date
) -> _Priced:
    product = item.product
    if product.company_id != spec.customer.company_id:
        raise Refused("not_found", field="items")
    if product.archived_at is not None:
        raise Refused("product.archived", field="items", product=product.code)
    price = item.price or (offer.price(product, currency, on) if offer is not None else None)
    if price is not None and price.company_id != spec.customer.company_id:
        raise Refused("not_found", field="items")
    if price is not None and price.currency != currency:
        raise Refused("subscription.price_currency", field="currency", currency=currency, other=price.currency)
    if price is None and item.unit_amount is None:
        raise Refused("subscription.no_price", field="items", product=product.code, currency=currency)
    amount = item.unit_amount if item.unit_amount is not None else price.unit_amount  # type: ignore[union-attr]
    values = {
        "model": item.model or (price.model if price else Price.Model.PER_UNIT),
        "billed": item.billed or (price.billed if price else Price.Billed.ADVANCE),
        "is_prorated": item.is_prorated if item.is_prorated is not None else (price.is_prorated if price else True),
    }
    checks.choice(values["model"], Price.Model.values, field="model")
    checks.choice(values["billed"], Price.Billed.values, field="billed")
    quantity = checks.decimal(
        usual if item.quantity is None else item.quantity, field="quantity", most=10**14, places=6
    )
    unit_amount = checks.decimal(amount, field="unit_amount", most=10**10, places=10)
    values["unit_amount"], values["quantity"] = unit_amount, quantity
    units = Decimal(1) if values["model"] == Price.Model.FLAT else quantity
    checks.total(unit_amount * units, currency, field="unit_amount")
    if item.interval_unit is not None or item.interval_count is not None:
        values["interval_unit"] = checks.choice(item.interval_unit, Unit.values, field="interval_unit")
        values["interval_count"] = checks.whole(item.interval_count or 1, field="interval_count", least=1, most=366)
    sold = price
    if price is not None and any(
        getattr(price, name) != values[name] for name in ("unit_amount", "model", "billed", "is_prorated")
    ):
        sold = None
    return _Priced(product, sold, price.tax_behavior if price else None, values)


def _tax_behavior(spec: AgreementSpec, priced: Sequence[_Priced]) -> str:
    asked = spec.overrides.get("tax_behavior")
    found = {item.tax_behavior for item in priced if item.tax_behavior is not None}
    if asked is not None:
        found.add(checks.choice(asked, TaxBehavior.values, field="tax_behavior"))
    if len(found) > 1:
        raise Refused("subscription.tax_behavior_mixed", field="tax_behavior")
    return found.pop() if found else TaxBehavior.EXCLUSIVE


def _name(company: Company, customer: Customer, plan: Plan | None, priced: Sequence[_Priced]) -> str:
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
    company: Company, subscription: Subscription, spec: AgreementSpec, priced: Sequence[_Priced]
) -> list[tuple[Slot, SlotTerms]]:
    before = subscription.paid_from_on - ONE_DAY
    elsewhere = spec.billed_through_on
    if elsewhere is not None and elsewhere <= before:
        elsewhere = None
    rows = []
    for position, item in enumerate(priced, start=1):
        slot = Slot(
            company=company,
            subscription=subscription,
            product=item.product,
            position=position,
            billed_through_on=elsewhere or before,
            elsewhere_through_on=elsewhere,
        )
        cycle = {"interval_unit": subscription.interval_unit, "interval_count": subscription.interval_count}
        held = SlotTerms(
            company=company, slot=slot, from_on=subscription.start_on, price=item.price, **(cycle | item.terms)
        )
        rows.append((slot, held))
    return rows


def _check_books(company: Company, subscription: Subscription, slots: Sequence[tuple[Slot, SlotTerms]]) -> None:
    """No invoice reaches before the books' start, or into closed books."""
    first = min(slot.billed_through_on for slot, _ in slots) + ONE_DAY
    if subscription.ends_on is not None and first > subscription.ends_on:
        return
    if first < company.books_start_on:
        raise Refused("subscription.before_books", field="start_on", day=company.books_start_on)
    if company.books_closed_on is not None and first <= company.books_closed_on:
        raise Refused("subscription.books_closed", field="start_on", day=company.books_closed_on)
