"""Many that move together take no more statements than one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.models import Company
from subscriptions.models import Subscription
from subscriptions.services import changing, pausing, renewals, versions
from subscriptions.services.change_specs import ItemChange
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon

pytestmark = pytest.mark.django_db
JAN_10, FEB, MAR = date(2026, 1, 10), date(2026, 2, 1), date(2026, 3, 1)


def statements(prepare: Callable[[Company, int], Callable[[], Any]]) -> tuple[list[str], list[str]]:
    """What is asked of the database for one, and for four, each in a company of its own."""
    found = []
    for number in (1, 4):
        act = prepare(a_company(), number)
        with CaptureQueriesContext(connection) as seen:
            act()
        found.append([row["sql"].split(" WHERE ")[0][:60] for row in seen.captured_queries])
    return found[0], found[1]


def tick(company: Company, day: date) -> Callable[[], Any]:
    return lambda: renewals.move_due(company=company, at=at_noon(day), by=BY)


def paused(subscription: Subscription, **more: Any) -> None:
    pausing.pause(subscription=subscription, from_on=JAN_10, on=TODAY, by=BY, at=at_noon(TODAY), **more)


def changed(subscription: Subscription, **more: Any) -> None:
    items = [ItemChange(slot=subscription.slots.get(), **more)]
    changing.change(
        subscription=subscription, items=items, timing="date", effective_on=FEB, on=TODAY, by=BY, at=at_noon(TODAY)
    )


def test_many_pauses_end_in_as_many_statements_as_one() -> None:
    def prepare(company: Company, number: int) -> Callable[[], Any]:
        for _ in range(number):
            paused(a_subscription(company), until=FEB)
        tick(company, JAN_10)()
        return tick(company, FEB)

    one, four = statements(prepare)
    assert len(four) == len(one), four


def test_many_changes_of_the_cycle_take_effect_in_as_many_statements_as_one() -> None:
    def prepare(company: Company, number: int) -> Callable[[], Any]:
        for _ in range(number):
            changed(a_subscription(company), interval_unit="year")
        return tick(company, FEB)

    one, four = statements(prepare)
    assert len(four) == len(one), four


def test_terms_that_relied_on_an_anchor_keep_it_when_it_moves() -> None:
    company = a_company()
    # The second position keeps its months, counted from the first of January.
    items = [_item(company), _item(company)]
    subscription = a_subscription(company, items=items, overrides={"interval_unit": "year"})
    first = subscription.slots.order_by("position")[0]
    changing.change(
        subscription=subscription, items=[ItemChange(slot=first, interval_unit="week")], timing="date",
        effective_on=FEB, on=TODAY, by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    paused(subscription, until=MAR)
    tick(company, MAR)()
    subscription.refresh_from_db()
    assert subscription.anchor_on == MAR
    rows = subscription.slots.order_by("position")[1].terms.order_by("from_on")
    assert [(str(row.from_on), row.standing, str(row.anchor_on)) for row in rows] == [
        ("2026-01-01", "agreed", "2026-01-01"),
        ("2026-01-10", "paused", "2026-01-01"),
        ("2026-03-01", "agreed", "2026-03-01"),
    ]


def _item(company: Company) -> Any:
    from subscriptions.services.items import ItemSpec

    return ItemSpec(a_product(company), unit_amount=Decimal(10))


def test_many_customers_in_a_pause_buy_in_as_many_statements_as_one() -> None:
    def prepare(company: Company, number: int) -> Callable[[], Any]:
        for _ in range(number):
            customer = a_customer(company)
            paused(a_subscription(company, customer))
            a_subscription(company, customer, start_on=FEB)
        tick(company, JAN_10)()
        return tick(company, FEB)

    one, four = statements(prepare)
    assert len(four) == len(one), four


def test_many_take_a_price_version_today_in_as_many_statements_as_one() -> None:
    def prepare(company: Company, number: int) -> Callable[[], Any]:
        from catalog.services.prices import PriceSpec, add_price_version

        plan = a_plan(company)
        many = [a_subscription(company, plan=plan) for _ in range(number)]
        spec = PriceSpec(currency="EUR", unit_amount=Decimal(12), valid_from=FEB)
        price = add_price_version(item=plan.items.get(), spec=spec, by=BY, at=at_noon(TODAY))

        def move() -> None:
            found = versions.move_versions(
                company=company, price=price, subscriptions=many, on=FEB, by=BY, at=at_noon(FEB)
            )
            assert [one.change.status for one in found.changed] == ["done"] * number
            worth = [one.subscription.slots.all()[0].mrr_minor for one in found.changed]
            assert worth == [1200] * number

        return move

    one, four = statements(prepare)
    assert len(four) == len(one), four


def test_revenue_without_tax_follows_each_plan_to_its_own_rate() -> None:
    company = a_company()
    gross = {"tax_behavior": "inclusive"}
    usual, other = (
        a_plan(company, amount="11.90", price=gross),
        a_plan(company, amount="10.70", price=gross, product=a_product(company, category="reduced-electronic")),
    )
    many = [a_subscription(company, a_customer(company, kind="person"), usual) for _ in range(2)]
    for one in many:
        changing.change(
            subscription=one, plan=other, timing="date", effective_on=FEB, on=TODAY, by=BY, at=at_noon(TODAY)
        )
    tick(company, FEB)()
    # 10.70 / 1.07 = 10.00.
    assert [one.slots.get().mrr_minor for one in many] == [1000, 1000]
