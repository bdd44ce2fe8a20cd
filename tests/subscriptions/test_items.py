"""What is agreed, position by position: models, add-ons, usage, what is charged once, minimums, ends of their own."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon
from tests.subscriptions.test_starting import refused

pytestmark = pytest.mark.django_db

GRADUATED = {"tiers": [{"up_to": "10", "unit_price": "2", "flat_fee": "5"}, {"unit_price": "1.5"}]}


def a_meter(company: Any, code: str = "calls") -> Any:
    from catalog.models import Meter

    return Meter.objects.create(company=company, code=code, name={company.language: "Calls"}, aggregation="sum")


def an_item(company: Any, amount: str = "10", **changes: Any) -> Any:
    """An item of a plan with one price in euros; `price` changes the price, the rest the item."""
    from catalog.services.plans import PlanItemSpec, PriceSpec

    price = changes.pop("price", {})
    spec = PriceSpec(currency="EUR", unit_amount=Decimal(amount), valid_from=date(2015, 1, 1), **price)
    return PlanItemSpec(product=changes.pop("product", None) or a_product(company), prices=[spec], **changes)


def a_rich_plan(company: Any, **changes: Any) -> Any:
    """A base at 10.00, calls at 0.10, a set-up at 99.00, and support at 5.00 for those who choose it."""
    items = [
        an_item(company),
        an_item(company, "0.10", kind="usage", meter=a_meter(company)),
        an_item(company, "99", kind="one_off"),
        an_item(company, "5", is_optional=True),
    ]
    return a_plan(company, items=items, **changes)


def test_a_plan_gives_slots_for_periods_and_usage_and_a_one_off_for_its_set_up():
    company = a_company()
    plan = a_rich_plan(company)
    subscription = a_subscription(company, plan=plan)
    base, calls = subscription.slots.order_by("position")
    assert (base.kind, base.meter, base.mrr_minor) == ("recurring", None, 1000)
    assert (calls.kind, calls.meter.code, calls.mrr_minor) == ("usage", "calls", 0)
    assert [slot.item.position for slot in (base, calls)] == [1, 2]
    once = subscription.one_offs.get()
    assert (once.unit_amount, once.service_on, once.due_on, once.line_id) == (Decimal(99), TODAY, TODAY, None)
    assert once.price.unit_amount == Decimal(99)


def test_usage_is_in_arrears_whatever_was_said():
    company = a_company()
    plan = a_rich_plan(company)
    price = plan.items.get(kind="usage").prices.get()
    assert price.billed == "arrears"
    terms = a_subscription(company, plan=plan).slots.get(kind="usage").terms.get()
    assert (terms.billed, terms.quantity, terms.price) == ("arrears", Decimal(0), price)


def test_an_add_on_is_agreed_only_when_chosen():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    plan = a_rich_plan(company)
    support = plan.items.get(is_optional=True)
    assert a_subscription(company, plan=plan).slots.filter(item=support).count() == 0
    chosen = a_subscription(company, plan=plan, add_ons=[ItemSpec(support.product, quantity=Decimal(2))])
    slot = chosen.slots.get(item=support)
    assert (slot.mrr_minor, slot.terms.get().price) == (1000, support.prices.get())


def test_an_add_on_is_charged_from_its_start_while_the_base_is_on_trial():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    plan = a_rich_plan(company, trial_days=14, trial_end="cancel")
    support = plan.items.get(is_optional=True)
    subscription = a_subscription(company, plan=plan, add_ons=[ItemSpec(support.product)])
    assert (subscription.state, subscription.next_bill_on) == ("trial", TODAY)
    by_kind = {slot.item_id: slot for slot in subscription.slots.all()}
    assert by_kind[support.pk].billed_through_on == date(2025, 12, 31)
    assert {slot.billed_through_on for pk, slot in by_kind.items() if pk != support.pk} == {date(2026, 1, 14)}


def test_a_trial_of_an_add_on_is_no_trial_of_its_product():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    customer = a_customer(company)
    plan = a_rich_plan(company, trial_days=14)
    support = plan.items.get(is_optional=True)
    a_subscription(company, customer, plan, add_ons=[ItemSpec(support.product)])
    other = a_plan(company, product=support.product, trial_days=7)
    assert a_subscription(company, customer, other).state == "trial"


def test_details_minimum_and_price_come_from_the_plan():
    company = a_company()
    item = an_item(
        company, "0", price={"model": "graduated", "details": GRADUATED, "minimum_amount": Decimal(40)},
        quantity=Decimal(14),
    )  # fmt: skip
    plan = a_plan(company, items=[item], minimum_amounts={"EUR": "100.00", "USD": Decimal("120")})
    assert plan.minimum_amounts == {"EUR": "100", "USD": "120"}
    subscription = a_subscription(company, plan=plan)
    assert subscription.minimum_amount == Decimal(100)
    slot = subscription.slots.get()
    terms = slot.terms.get()
    assert (terms.model, terms.details, terms.minimum_amount) == ("graduated", GRADUATED, Decimal(40))
    assert terms.price == plan.items.get().prices.get()
    # 10 at 2.00, the fee of 5.00, 4 at 1.50.
    assert slot.mrr_minor == 3100


def test_other_tiers_are_agreed_apart_from_the_catalog():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    item = an_item(company, "0", price={"model": "graduated", "details": GRADUATED})
    plan = a_plan(company, items=[item])
    product = plan.items.get().product
    same = a_subscription(company, plan=plan, items=[ItemSpec(product, details=GRADUATED)])
    assert same.slots.get().terms.get().price is not None
    tiers = {"tiers": [{"unit_price": "1"}]}
    apart = a_subscription(company, plan=plan, items=[ItemSpec(product, details=tiers)])
    terms = apart.slots.get().terms.get()
    assert (terms.price, terms.model, terms.details) == (None, "graduated", tiers)


def test_a_sold_price_keeps_its_terms_when_a_new_version_comes():
    from catalog.services.plans import PriceSpec, add_price_version

    company = a_company()
    plan = a_plan(company, items=[an_item(company, "0", price={"model": "volume", "details": GRADUATED})])
    subscription = a_subscription(company, plan=plan)
    add_price_version(
        item=plan.items.get(),
        spec=PriceSpec("EUR", Decimal(0), TODAY, model="volume", details={"tiers": [{"unit_price": "9"}]}),
        by=BY,
        at=at_noon(TODAY),
    )
    assert subscription.slots.get().terms.get().details == GRADUATED
    assert a_subscription(company, plan=plan).slots.get().terms.get().details == {"tiers": [{"unit_price": "9"}]}


def test_a_position_may_end_by_itself():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    product = a_product(company)
    item = ItemSpec(product, unit_amount=Decimal(3), ends_on=date(2026, 2, 10))
    subscription = a_subscription(company, items=[ItemSpec(a_product(company), unit_amount=Decimal(5)), item])
    first, after = subscription.slots.get(product=product).terms.order_by("from_on")
    assert (first.from_on, first.until_on, first.standing) == (TODAY, date(2026, 2, 11), "agreed")
    assert (after.from_on, after.until_on, after.standing) == (date(2026, 2, 11), None, "removed")


def test_a_one_off_may_be_supplied_later():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    items = [
        ItemSpec(a_product(company), unit_amount=Decimal(5)),
        ItemSpec(a_product(company), unit_amount=Decimal(80), kind="one_off", service_on=date(2026, 1, 20)),
    ]
    subscription = a_subscription(company, items=items)
    assert subscription.one_offs.get().due_on == date(2026, 1, 20)
    early = ItemSpec(a_product(company), unit_amount=Decimal(80), kind="one_off", service_on=date(2025, 12, 1))
    refused(lambda: a_subscription(company, items=[items[0], early]), "subscription.service_before_start")


def test_a_one_off_of_days_billed_elsewhere_is_not_charged_again():
    company = a_company()
    plan = a_rich_plan(company)
    subscription = a_subscription(company, plan=plan, billed_through_on=date(2026, 1, 31))
    assert not subscription.one_offs.exists()
    assert subscription.next_bill_on == date(2026, 2, 1)


def test_one_offs_alone_are_no_subscription():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    once = ItemSpec(a_product(company), unit_amount=Decimal(80), kind="one_off")
    refused(lambda: a_subscription(company, items=[once]), "subscription.without_items")


def test_usage_needs_a_meter_and_nothing_else_has_one():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    product, meter = a_product(company), a_meter(company)
    bad = ItemSpec(product, unit_amount=Decimal(1), kind="usage")
    assert refused(lambda: a_subscription(company, items=[bad]), "plan.meter_missing").field == "meter"
    bad = ItemSpec(product, unit_amount=Decimal(1), kind="recurring", meter=meter)
    refused(lambda: a_subscription(company, items=[bad]), "plan.meter_without_usage")
    bad = ItemSpec(product, unit_amount=Decimal(1), interim_minor=100)
    refused(lambda: a_subscription(company, items=[bad]), "subscription.interim_without_usage")
    good = ItemSpec(product, unit_amount=Decimal(1), meter=meter, interim_minor=5000)
    slot = a_subscription(company, items=[good]).slots.get()
    assert (slot.kind, slot.interim_minor) == ("usage", 5000)


def test_the_model_decides_whether_an_amount_is_too_large():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    tiers = {"tiers": [{"unit_price": "9999999999"}]}
    huge = ItemSpec(a_product(company), model="graduated", details=tiers, quantity=Decimal(10**6))
    assert refused(lambda: a_subscription(company, items=[huge]), "number.range").field == "unit_amount"


def test_tiers_that_price_nothing_are_refused():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    bad = ItemSpec(a_product(company), model="volume", unit_amount=Decimal(1))
    assert refused(lambda: a_subscription(company, items=[bad]), "price.details").field == "tiers"


def test_a_minimum_agreed_apart_replaces_the_plans_and_0_takes_it_away():
    company = a_company()
    plan = a_plan(company, minimum_amounts={"EUR": "100"})
    apart = a_subscription(company, plan=plan, overrides={"minimum_amount": Decimal(50)})
    none = a_subscription(company, plan=plan, overrides={"minimum_amount": Decimal(0)})
    assert (apart.minimum_amount, none.minimum_amount) == (Decimal(50), None)


def test_what_suspension_and_trial_do_to_billing_comes_from_the_plan():
    company = a_company()
    plan = a_plan(company, trial_usage="billed", suspended_billing="credit")
    subscription = a_subscription(company, plan=plan)
    assert (subscription.trial_usage, subscription.suspended_billing) == ("billed", "credit")
    other = a_subscription(company, plan=plan, overrides={"suspended_billing": "continue"})
    assert other.suspended_billing == "continue"


def test_a_price_of_another_product_is_refused():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    price = a_plan(company).items.get().prices.get()
    wrong = ItemSpec(a_product(company), price=price)
    refused(lambda: a_subscription(company, items=[wrong]), "subscription.price_of_other")


def test_what_ends_by_itself_takes_its_revenue_with_it():
    from billing.services import acts
    from subscriptions.services.starting import ItemSpec
    from tests.factories import set_clock

    company = a_company()
    item = ItemSpec(a_product(company), unit_amount=Decimal(3), ends_on=date(2026, 2, 10))
    subscription = a_subscription(company, items=[ItemSpec(a_product(company), unit_amount=Decimal(5)), item])
    assert subscription.next_move_on == date(2026, 2, 11)
    acts.move_due(company=company, at=set_clock(company, date(2026, 2, 11)), by=BY)
    moved = [(row.amount_minor, str(row.effective_on)) for row in subscription.movements.order_by("pk")]
    assert moved == [(500, "2026-01-01"), (300, "2026-01-01"), (-300, "2026-02-11")]


def test_what_a_price_lacks_is_said_in_words():
    from core.refusal import Refused
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    bad = ItemSpec(a_product(company), model="volume", unit_amount=Decimal(1))
    with pytest.raises(Refused) as no:
        a_subscription(company, items=[bad])
    assert no.value.message == (
        "The price lacks what its model needs, or contradicts itself: It needs at least one tier."
    )


def test_a_cycle_of_no_length_is_refused():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    bad = ItemSpec(a_product(company), unit_amount=Decimal(1), interval_unit="month", interval_count=0)
    refused(lambda: a_subscription(company, items=[bad]), "number.range")


def test_a_minimum_no_column_holds_is_refused():
    company = a_company()
    refused(lambda: a_subscription(company, overrides={"minimum_amount": Decimal(10**10)}), "number.range")
