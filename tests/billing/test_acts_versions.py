"""Subscriptions moved to another version of their price, one and many. Figures are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from core.refusal import Refused
from tests.billing.changes import agreed_plan, billed, change, credited, day, item, movements, passes, problems, undo
from tests.factories import BY, TODAY, a_company, a_plan, at_noon, set_clock

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company()


def a_version(plan, amount="35.00", valid_from="01-01"):
    from catalog.services.prices import PriceSpec, add_price_version

    spec = PriceSpec(currency="EUR", unit_amount=Decimal(amount), valid_from=day(valid_from))
    return add_price_version(item=plan.items.get(), spec=spec, by=BY, at=at_noon(TODAY))


def move(price, subscriptions, on, **given):
    from billing.services import acts_versions

    at = set_clock(price.company, day(on))
    if "effective_on" in given:
        given["effective_on"] = day(given["effective_on"])
    return acts_versions.move_versions(
        company=price.company, price=price, subscriptions=subscriptions, on=day(on), by=BY, at=at, **given
    )


def test_a_version_takes_over_at_the_next_period_start(company):
    plan = a_plan(company, amount="31.00")
    subscription = agreed_plan(company, plan)
    price = a_version(plan)
    [moved] = move(price, [subscription], "01-11").changed
    assert (moved.change.kind, moved.change.status, moved.change.effective_on) == ("version", "planned", day("02-01"))
    assert movements(subscription) == [("new", "01-01", 3100)]
    passes(company, "02-01")
    assert (billed(subscription)[1:], credited(subscription)) == ([("02-01", "03-01", 3500)], [])
    assert movements(subscription)[1:] == [("expansion", "02-01", 400)]
    assert subscription.slots.get().terms.order_by("from_on").last().price == price
    assert problems(subscription) == []


def test_many_move_in_no_more_statements_than_one(company):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    plan = a_plan(company, amount="31.00")
    many = [agreed_plan(company, plan) for _ in range(6)]
    price = a_version(plan)
    with CaptureQueriesContext(
        connection,
    ) as one:
        move(price, many[:1], "01-11")
    with CaptureQueriesContext(connection) as five:
        found = move(price, many[1:], "01-11")
    assert len(found.changed) == 5
    assert len(five) <= len(one)


def test_no_version_takes_over_within_a_minimum_term(company):
    plan = a_plan(company, amount="31.00", rules={"minimum_count": 3})
    subscription = agreed_plan(company, plan)
    price = a_version(plan)
    with pytest.raises(Refused) as refused:
        move(price, [subscription], "01-11", effective_on="02-01")
    assert (refused.value.code, refused.value.params["day"]) == ("change.version_day", date(2026, 4, 1))
    [moved] = move(price, [subscription], "01-11").changed
    assert moved.change.effective_on == date(2026, 4, 1)


def test_no_version_takes_over_within_a_period(company):
    plan = a_plan(company, amount="31.00")
    subscription = agreed_plan(company, plan)
    with pytest.raises(Refused) as refused:
        move(a_version(plan), [subscription], "01-11", effective_on="01-20")
    assert (refused.value.code, refused.value.params["day"]) == ("change.version_day", date(2026, 2, 1))


def test_a_planned_move_is_taken_back(company):
    plan = a_plan(company, amount="31.00")
    subscription = agreed_plan(company, plan)
    [moved] = move(a_version(plan), [subscription], "01-11").changed
    undo(moved.change, "01-12")
    passes(company, "02-01")
    assert billed(subscription)[1:] == [("02-01", "03-01", 3100)]


def test_what_cannot_move_is_named(company):
    plan = a_plan(company, amount="31.00")
    first, other, planned = (
        agreed_plan(company, plan),
        agreed_plan(company, a_plan(company)),
        agreed_plan(company, plan),
    )
    change(planned, "01-05", items=[item(planned, quantity="2")], timing="period_end")
    found = move(a_version(plan), [first, other, planned], "01-11")
    assert [one.subscription.pk for one in found.changed] == [first.pk]
    assert [(one.pk, refused.code) for one, refused in found.skipped] == [
        (other.pk, "change.version_of_other"),
        (planned.pk, "change.day_taken"),
    ]


def test_subscriptions_on_other_versions_are_found(company):
    from subscriptions.services.versions import held_on_others

    plan = a_plan(company, amount="31.00")
    old = agreed_plan(company, plan)
    price = a_version(plan)
    new = agreed_plan(company, plan, on="01-02")
    assert list(held_on_others(price)) == [old]
    assert new.slots.get().terms.get().price == price
