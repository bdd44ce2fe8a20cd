"""Prices of every model in the catalog: details in one form, minimums, kinds and meters of a plan's items."""

from __future__ import annotations

from decimal import Decimal

import pytest

from catalog.services import plans
from catalog.services.price_specs import checked_details
from core.refusal import Refused
from tests.subscriptions.metering import a_meter

from .given import AT, BY

pytestmark = pytest.mark.django_db
TODAY = AT.date()


def spec(**changes):
    return plans.PriceSpec(**({"currency": "EUR", "unit_amount": Decimal(1), "valid_from": TODAY} | changes))


def made(company, product, price=None, **item):
    items = [plans.PlanItemSpec(product=product, prices=[price or spec()], **item)]
    plan = plans.create_plan(company=company, code="p", name={company.language: "P"}, items=items, by=BY, at=AT)
    return plan.items.get()


def refused(call, code):
    with pytest.raises(Refused) as raised:
        call()
    assert raised.value.code == code


def test_figures_of_details_stand_in_one_form():
    given = {"tiers": [{"up_to": Decimal("10.00"), "unit_price": "2.50"}, {"unit_price": Decimal("1"), "rate": ""}]}
    assert checked_details("graduated", given) == {
        "tiers": [{"up_to": "10", "unit_price": "2.5"}, {"unit_price": "1"}]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "details", "code"),
    [
        ("graduated", {}, "price.details"),
        ("volume", {"tiers": [{"up_to": "5", "unit_price": "1"}]}, "price.details"),
        ("graduated", {"tiers": [{"up_to": "5"}, {"up_to": "4"}, {}]}, "price.details"),
        ("package", {"package_size": "0"}, "price.details"),
        ("percentage", {"floor": "5", "ceiling": "4"}, "price.details"),
        ("per_unit", {"rate": "1"}, "field.unknown"),
        ("package", {"package_size": "1e3"}, "number.form"),
    ],
)
def test_details_that_price_nothing_are_refused(company, product, model, details, code):
    refused(lambda: made(company, product, spec(model=model, details=details)), code)


def test_a_minimum_is_kept_and_nothing_is_no_minimum(company, product):
    item = made(company, product, spec(minimum_amount=Decimal("40.00")))
    assert item.prices.get().minimum_amount == Decimal(40)
    none = plans.add_price_version(
        item=item, spec=spec(minimum_amount=Decimal(0), valid_from=TODAY.replace(year=2027)), by=BY, at=AT
    )
    assert none.minimum_amount is None


def test_what_is_charged_once_has_no_minimum(company, product):
    refused(lambda: made(company, product, spec(minimum_amount=Decimal(5)), kind="one_off"), "price.minimum_once")


def test_usage_has_a_meter_and_is_in_arrears(company, product):
    item = made(company, product, kind="usage", meter=a_meter(company))
    assert (item.kind, item.prices.get().billed) == ("usage", "arrears")


def test_a_meter_belongs_to_usage_alone(company, product):
    refused(lambda: made(company, product, kind="usage"), "plan.meter_missing")
    refused(lambda: made(company, product, meter=a_meter(company)), "plan.meter_without_usage")


def test_add_ons_need_no_price_in_every_currency_and_are_no_plan_alone(company, product):
    item = made(company, product, is_optional=True)
    refused(lambda: plans.publish_plan(plan=item.plan, by=BY, at=AT), "plan.without_items")
    assert plans.currencies_of(item.plan) == []


def test_minimums_of_a_plan_stand_in_one_form(company, product):
    plan = made(company, product).plan
    plan = plans.update_plan(plan=plan, changes={"minimum_amounts": {"EUR": "100.50", "USD": 0}}, by=BY, at=AT)
    assert plan.minimum_amounts == {"EUR": "100.5"}
    refused(
        lambda: plans.update_plan(plan=plan, changes={"minimum_amounts": {"XXX": "1"}}, by=BY, at=AT),
        "currency.unknown",
    )
    refused(
        lambda: plans.update_plan(plan=plan, changes={"minimum_amounts": {"EUR": "1,5"}}, by=BY, at=AT), "number.form"
    )
