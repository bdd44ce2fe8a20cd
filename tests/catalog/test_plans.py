"""Plans: what is on sale can be billed, versions follow one another, sold prices stay."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from catalog.models import Plan, Price
from catalog.services import plans
from core.models import Event
from core.refusal import Refused

from .given import AT, BY


def spec(amount="10", currency="EUR", valid_from=date(2026, 1, 1), **more):
    return plans.PriceSpec(currency=currency, unit_amount=Decimal(amount), valid_from=valid_from, **more)


def create(company, product, code="p", prices=(), **more):
    items = [plans.PlanItemSpec(product=product, prices=list(prices))]
    return plans.create_plan(company=company, code=code, name={"de": "Plan"}, items=items, by=BY, at=AT, **more)


def test_a_plan_is_a_draft_until_it_is_published(plan):
    assert plan.status == "draft"
    assert plans.publish_plan(plan=plan, by=BY, at=AT).status == "on_sale"
    assert Event.objects.filter(type="plan.published").count() == 1


def test_publishing_twice_is_quiet(plan):
    plans.publish_plan(plan=plan, by=BY, at=AT)
    plans.publish_plan(plan=plan, by=BY, at=AT)
    assert Event.objects.filter(type="plan.published").count() == 1


def test_a_retired_plan_can_be_sold_again(plan):
    plans.retire_plan(plan=plans.publish_plan(plan=plan, by=BY, at=AT), by=BY, at=AT)
    assert plans.publish_plan(plan=plan, by=BY, at=AT).status == "on_sale"


def test_a_plan_without_a_price_is_not_published(company, product):
    plan = create(company, product)
    with pytest.raises(Refused, match=r"plan\.without_price"):
        plans.publish_plan(plan=plan, by=BY, at=AT)


def test_a_refused_plan_leaves_nothing_behind(company, product):
    with pytest.raises(Refused):
        create(company, product, status="on_sale")
    assert Plan.objects.count() == 0


def test_currencies_of_a_plan_price_every_item(company, product):
    plan = create(company, product, prices=[spec(), spec(currency="USD")])
    assert plans.currencies_of(plan) == ["EUR", "USD"]


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"interval_count": 0}, "number.range"),
        ({"interval_unit": "fortnight"}, "field.choice"),
        ({"anchor_rule": "calendar", "interval_unit": "day"}, "plan.calendar_of_days"),
        ({"anchor_rule": "calendar", "interval_count": 5}, "plan.calendar_count"),
        ({"anchor_rule": "day"}, "plan.anchor_day_missing"),
        ({"anchor_rule": "day", "anchor_day": 32}, "number.range"),
        ({"anchor_rule": "day", "anchor_day": 3, "interval_unit": "week"}, "plan.anchor_day_cycle"),
        ({"renewal_rule": "expire"}, "plan.term_missing"),
        ({"notice_unit": "year"}, "field.choice"),
        ({"color": "red"}, "field.unknown"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(company, product, rules, code):
    with pytest.raises(Refused) as refused:
        create(company, product, rules=rules)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (Decimal("-1"), "number.range"),
        (Decimal("-0"), "number.range"),
        (Decimal("NaN"), "number.form"),
        (Decimal("Infinity"), "number.form"),
        (Decimal(10**10), "number.range"),
        (Decimal("0.00000000001"), "number.places"),
        (1.5, "number.form"),
    ],
)
def test_a_price_is_an_exact_number_from_zero(company, product, amount, code):
    price = plans.PriceSpec(currency="EUR", unit_amount=amount, valid_from=date(2026, 1, 1))
    with pytest.raises(Refused) as refused:
        create(company, product, prices=[price])
    assert (refused.value.code, refused.value.field) == (code, "unit_amount")


@pytest.mark.parametrize("currency", ["eur", "XAU", "EURO", ""])
def test_an_unknown_currency_is_refused(company, product, currency):
    with pytest.raises(Refused, match=r"currency\.unknown"):
        create(company, product, prices=[spec(currency=currency)])


def test_net_and_gross_prices_do_not_mix_in_one_currency(company, product):
    plan = create(company, product, prices=[spec()])
    with pytest.raises(Refused, match=r"plan\.tax_behavior_mixed"):
        plans.add_price_version(
            item=plan.items.get(),
            spec=spec(valid_from=date(2026, 6, 1), tax_behavior="inclusive"),
            by=BY,
            at=AT,
        )


def test_a_version_is_on_sale_from_its_day(plan):
    item = plan.items.get()
    plans.add_price_version(item=item, spec=spec("21.90", valid_from=date(2026, 6, 1)), by=BY, at=AT)
    assert plans.price_on(item, "EUR", date(2025, 12, 31)) is None
    assert plans.price_on(item, "EUR", date(2026, 5, 31)).unit_amount == Decimal("19.90")
    assert plans.price_on(item, "EUR", date(2026, 6, 1)).version == 2
    assert plans.price_on(item, "USD", date(2026, 6, 1)) is None


def test_a_version_begins_after_the_last_one(plan):
    with pytest.raises(Refused) as refused:
        plans.add_price_version(item=plan.items.get(), spec=spec(valid_from=date(2026, 1, 1)), by=BY, at=AT)
    assert refused.value.params == {"version": 1, "day": date(2026, 1, 1)}


def test_a_sold_price_never_changes_even_in_the_database(plan):
    with pytest.raises(DatabaseError, match="only ever appended"), transaction.atomic():
        Price.objects.update(unit_amount=1)


def test_a_product_is_in_a_plan_once(plan, product):
    with pytest.raises(Refused, match=r"plan\.product_twice"):
        plans.add_item(plan=plan, spec=plans.PlanItemSpec(product=product), by=BY, at=AT)


def test_the_last_item_stays_in_a_plan_on_sale(plan):
    plans.publish_plan(plan=plan, by=BY, at=AT)
    with pytest.raises(Refused, match=r"plan\.without_items"):
        plans.archive_item(item=plan.items.get(), by=BY, at=AT)
    assert plan.items.get().archived_at is None


def test_an_update_changes_rules_and_says_which(plan):
    plan = plans.update_plan(plan=plan, changes={"minimum_count": 12, "trial_days": 0}, by=BY, at=AT)
    assert plan.minimum_count == 12
    assert Event.objects.get(type="plan.updated").data["fields"] == ["minimum_count"]
