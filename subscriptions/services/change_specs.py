"""What a change wants of each position: items by hand, or the positions of another plan. Nothing is written here.

The rule that matters: a position keeps its identity through every change. Those of a new plan are matched by product;
the first of the old plan becomes the first of the new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from catalog.models import Meter, Plan, PlanItem, Price, Product
from catalog.services.texts import in_language
from core.refusal import Refused
from subscriptions.models import Slot, SlotTerms, Subscription
from subscriptions.services.items import PRICED, ItemSpec, Offer, PricedItem, checked_terms, priced
from subscriptions.services.retiming import CONTENT, content_of
from subscriptions.services.rewriting import Again, Rewriting

RECURRING, ONE_OFF = PlanItem.Kind.RECURRING, PlanItem.Kind.ONE_OFF
#: Columns of a plan that a change of plan brings to the subscription, beside its name and minimum.
PLAN_COLUMNS = (
    "interval_unit", "interval_count", "minimum_count", "minimum_unit", "notice_count", "notice_unit", "notice_to",
    "renewal_rule", "renewal_count", "renewal_unit", "grace_days", "cancel_timing", "cancel_unused", "trial_usage",
    "suspended_billing",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What is to become of one position: of `slot`, or of a new one that sells `product`. What is left out stays.

    `unit_amount` in whole units of the currency per interval; one that differs from the price is agreed apart from
    the catalog. `price`: a price version of the product. `interval_*`: its cycle. `ends_on`: its own last day of
    service. `remove`: it ends with the day before the change. `kind`, `meter`, `interim_minor`: of a new one.
    With a change of plan, `product` chooses an add-on of the new plan or says more about one of its positions.
    """

    slot: Slot | None = None
    product: Product | None = None
    quantity: Decimal | None = None
    unit_amount: Decimal | None = None
    price: Price | None = None
    model: str | None = None
    details: Mapping[str, Any] | None = None
    minimum_amount: Decimal | None = None
    billed: str | None = None
    is_prorated: bool | None = None
    interval_unit: str | None = None
    interval_count: int | None = None
    ends_on: date | None = None
    remove: bool = False
    kind: str | None = None
    meter: Meter | None = None
    interim_minor: int | None = None


@dataclass(slots=True)
class Wish:
    """What a position is to be. `content` None: it is removed; `slot` None: it is new, made from `fresh`; `again`: what
    becomes of other terms that hold later already."""

    slot: Slot | None
    content: dict[str, Any] | None
    item: PlanItem | None = None
    fresh: PricedItem | None = None
    ends_on: date | None = None
    again: Again | None = None

    @property
    def is_recurring(self) -> bool:
        return (self.slot.kind if self.slot is not None else self.fresh.kind if self.fresh else "") == RECURRING


@dataclass(slots=True)
class Wanted:
    """A change as asked for, read once: `wishes` says what it means on a day."""

    held: Subscription
    plan: Plan | None
    items: Sequence[ItemChange]
    offer: Offer | None = None
    _offers: dict[int, Offer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.plan is not None:
            self.offer = self._offer(self.plan)

    def _offer(self, plan: Plan) -> Offer:
        if plan.pk not in self._offers:
            self._offers[plan.pk] = Offer.of(plan)
        return self._offers[plan.pk]

    def wishes(self, now: Rewriting, day: date) -> list[Wish]:
        """What each position that is touched is to be from that day on. Refuses what can't be priced."""
        if self.plan is not None and self.offer is not None:
            return self._of_plan(now, self.offer, day)
        return [self._of_item(now, change, day) for change in self.items]

    def columns(self) -> dict[str, Any]:
        """The subscription's columns under the new plan; without one: none."""
        plan, held = self.plan, self.held
        if plan is None:
            return {}
        company = held.company
        minimum = (plan.minimum_amounts or {}).get(held.currency)
        found: dict[str, Any] = {name: getattr(plan, name) for name in PLAN_COLUMNS}
        return found | {
            "plan_id": plan.pk,
            "name": in_language(plan.name, held.customer.language or company.language, company.language),
            "minimum_amount": None if minimum in (None, "") else Decimal(str(minimum)),
        }

    def _live(self, now: Rewriting, day: date) -> list[tuple[Slot, SlotTerms]]:
        found = []
        for slot in self.held.slots.all():
            row = now.on(slot, day)
            if row is not None and row.standing != SlotTerms.Standing.REMOVED:
                found.append((slot, row))
        return found

    def _of_item(self, now: Rewriting, change: ItemChange, day: date) -> Wish:
        if change.slot is None:
            return self._new(change, day)
        slot = next((one for one in self.held.slots.all() if one.pk == change.slot.pk), None)
        if slot is None:
            raise Refused("not_found", field="items")
        row = now.on(slot, day)
        if row is None or row.standing == SlotTerms.Standing.REMOVED:
            raise Refused("change.item_not_there", field="items", day=day)
        if change.remove:
            return Wish(slot, None)
        return Wish(
            slot, self._changed(slot, row, change), ends_on=change.ends_on,
            again=lambda row: self._changed(slot, row, change),
        )  # fmt: skip

    def _new(self, change: ItemChange, day: date, offer: Offer | None = None) -> Wish:
        if change.product is None or change.remove:
            raise Refused("change.item_missing", field="items")
        if offer is None and self.held.plan is not None and change.price is None:
            offer = self._offer(self.held.plan)
        item = self._priced(_spec(change, change.product, change.quantity), offer, day)
        if item.kind == ONE_OFF:
            raise Refused("change.once_only", field="items", product=change.product.code)
        return Wish(None, _terms(self.plan or self.held, item), item.item, item, change.ends_on)

    def _priced(self, spec: ItemSpec, offer: Offer | None, day: date) -> PricedItem:
        held = self.held
        item = priced(spec, offer=offer, company_id=held.company_id, currency=held.currency, on=day)
        if item.tax_behavior is not None and item.tax_behavior != held.tax_behavior:
            raise Refused("subscription.tax_behavior_mixed", field="items")
        return item

    def _changed(self, slot: Slot, row: SlotTerms, change: ItemChange) -> dict[str, Any]:
        held, price = self.held, change.price
        values = content_of(row)
        if price is not None:
            if price.company_id != held.company_id:
                raise Refused("not_found", field="items")
            if price.currency != held.currency:
                raise Refused(
                    "subscription.price_currency", field="items", currency=held.currency, other=price.currency
                )
            if price.tax_behavior != held.tax_behavior:
                raise Refused("subscription.tax_behavior_mixed", field="items")
            if price.item.product_id != (row.product_id or slot.product_id):
                raise Refused("subscription.price_of_other", field="items", product=slot.product.code)
            values |= {name: getattr(price, name) for name in PRICED} | {"price_id": price.pk}
        before = {name: values[name] for name in PRICED}
        values |= checked_terms(change, values, slot.kind, held.currency)
        if any(values[name] != before[name] for name in PRICED):
            values["price_id"] = None
        return values

    def _of_plan(self, now: Rewriting, offer: Offer, day: date) -> list[Wish]:
        live = self._live(now, day)
        said = {
            change.product.pk: change for change in self.items if change.slot is None and change.product is not None
        }
        by_slot = {change.slot.pk: change for change in self.items if change.slot is not None}
        held_products = {(row.product_id or slot.product_id, slot.kind) for slot, row in live}
        targets = [
            item
            for item in offer.items
            if item.kind != ONE_OFF
            and not (item.product_id in said and said[item.product_id].remove)
            and (not item.is_optional or item.product_id in said or (item.product_id, item.kind) in held_products)
        ]
        matched = _matched(targets, live)
        wishes = []
        for item in targets:
            found = matched.get(item.pk)
            change = said.pop(item.product_id, None)
            if found is None:
                wishes.append(self._new(change or ItemChange(product=item.product), day, offer))
                continue
            slot, row = found
            change = change or by_slot.get(slot.pk) or ItemChange()
            quantity = change.quantity if change.quantity is not None else self._quantity(slot, row, item)
            offered = self._priced(_spec(change, item.product, quantity), offer, day)
            content = _terms(offer.plan, offered)
            if slot.product_id != item.product_id or row.product_id is not None:
                content["product_id"] = item.product_id
            wishes.append(Wish(slot, content, item, offered, change.ends_on))
        taken = {slot.pk for slot, _ in matched.values()}
        for slot, _ in live:
            if slot.pk in taken:
                continue
            if slot.pk in by_slot:
                wishes.append(self._of_item(now, by_slot[slot.pk], day))
            elif self._belongs(slot):
                wishes.append(Wish(slot, None))
        wishes += [self._new(change, day, offer) for change in said.values() if not change.remove]
        return wishes

    def _usual(self, slot: Slot) -> Decimal | None:
        """How many the old plan usually sells of this position; None: it is no part of it."""
        if slot.item is not None:
            return slot.item.quantity if slot.item.plan_id == self.held.plan_id else None
        if self.held.plan is None:
            return None
        item = self._offer(self.held.plan).item(slot.product)
        return None if item is None else item.quantity

    def _belongs(self, slot: Slot) -> bool:
        """Whether the position is the old plan's, and goes with it."""
        return self.held.plan_id is None or self._usual(slot) is not None

    def _quantity(self, slot: Slot, row: SlotTerms, item: PlanItem) -> Decimal:
        """A chosen number of units is kept; the plan's usual one follows the plan."""
        usual = self._usual(slot)
        return item.quantity if row.quantity == (Decimal(1) if usual is None else usual) else row.quantity


def _matched(targets: Sequence[PlanItem], live: Sequence[tuple[Slot, SlotTerms]]) -> dict[int, tuple[Slot, SlotTerms]]:
    """By plan item: the position it goes on with."""
    found: dict[int, tuple[Slot, SlotTerms]] = {}
    rest = list(live)
    for item in targets:
        for pair in rest:
            if (pair[1].product_id or pair[0].product_id) == item.product_id and pair[0].kind == item.kind:
                found[item.pk] = pair
                rest.remove(pair)
                break
    first = next((item for item in targets if item.kind == RECURRING), None)
    leading = next((pair for pair in live if pair[0].kind == RECURRING), None)
    if first is not None and first.pk not in found and leading in rest and leading is not None:
        found[first.pk] = leading
    return found


def _spec(change: ItemChange, product: Product, quantity: Decimal | None) -> ItemSpec:
    return ItemSpec(
        product,
        quantity=quantity,
        unit_amount=change.unit_amount,
        price=change.price,
        model=change.model,
        billed=change.billed,
        is_prorated=change.is_prorated,
        interval_unit=change.interval_unit,
        interval_count=change.interval_count,
        details=change.details,
        minimum_amount=change.minimum_amount,
        kind=change.kind,
        meter=change.meter,
        interim_minor=change.interim_minor,
        ends_on=change.ends_on,
    )


def _terms(source: Plan | Subscription, item: PricedItem) -> dict[str, Any]:
    """The content of terms; a position without a cycle of its own has that of the plan or subscription."""
    values = {"interval_unit": source.interval_unit, "interval_count": source.interval_count, **item.terms}
    values |= {"price_id": item.price.pk if item.price is not None else None, "product_id": None}
    return {name: values[name] for name in CONTENT}
