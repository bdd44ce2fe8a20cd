"""What a change writes into an agreement, before anything is billed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_plan, a_product, a_subscription, at_noon

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company()


def change(subscription, on=TODAY, **given):
    from subscriptions.services import changing

    return changing.change(subscription=subscription, on=on, by=BY, at=at_noon(on), **given)


def item(subscription, **given):
    from subscriptions.services.change_specs import ItemChange

    return ItemChange(slot=subscription.slots.get(), **given)


def yearly(company, amount):
    return a_plan(company, amount=amount, rules={"interval_unit": "year"})


@pytest.mark.parametrize(
    ("amount", "cycle", "effective_on"),
    [
        ("120.00", "year", date(2026, 1, 11)),  # worth as much, and longer
        ("119.00", "year", date(2026, 2, 1)),  # worth less
        ("10.00", "month", date(2026, 1, 11)),
        ("9.99", "month", date(2026, 2, 1)),
    ],
)
def test_what_is_worth_as_much_holds_at_once_unless_its_cycle_is_shorter(company, amount, cycle, effective_on):
    subscription = a_subscription(company)
    plan = a_plan(company, amount=amount, rules={"interval_unit": cycle})
    made = change(subscription, date(2026, 1, 11), plan=plan).change
    assert made.effective_on == effective_on


def test_a_shorter_cycle_waits_for_the_end_of_the_paid_period(company):
    subscription = a_subscription(company, plan=yearly(company, "100.00"))
    made = change(subscription, date(2026, 3, 5), plan=a_plan(company, amount="50.00")).change
    assert made.effective_on == date(2027, 1, 1)


def test_a_change_keeps_the_morning_it_came_from(company):
    subscription = a_subscription(company)
    made = change(subscription, items=[item(subscription, quantity=Decimal(3))]).change
    [row] = made.before["terms"][str(subscription.slots.get().pk)]
    assert (row["quantity"], made.summary["items"][0]["after"]["quantity"]) == ("1.000000", "3")


def test_terms_follow_each_other_without_a_gap(company):
    subscription = a_subscription(company)
    change(subscription, items=[item(subscription, quantity=Decimal(3))], effective_on=date(2026, 1, 20))
    rows = subscription.slots.get().terms.order_by("from_on")
    assert [(row.from_on, row.until_on) for row in rows] == [
        (TODAY, date(2026, 1, 20)),
        (date(2026, 1, 20), None),
    ]


def test_a_change_on_the_day_of_another_one_leaves_one_row(company):
    subscription = a_subscription(company)
    for quantity in (3, 4, 5):
        change(subscription, date(2026, 1, 11), items=[item(subscription, quantity=Decimal(quantity))])
    assert [row.quantity for row in subscription.slots.get().terms.order_by("from_on")] == [1, 5]


def test_another_currency_is_refused(company):
    subscription = a_subscription(company)
    price = a_plan(company, currency="USD").items.get().prices.get()
    with pytest.raises(Refused) as refused:
        change(subscription, items=[item(subscription, price=price)])
    assert refused.value.code == "subscription.price_currency"


def test_gross_prices_are_not_mixed_with_net_ones(company):
    subscription = a_subscription(company)
    plan = a_plan(company, price={"tax_behavior": "inclusive"})
    with pytest.raises(Refused) as refused:
        change(subscription, plan=plan)
    assert refused.value.code == "subscription.tax_behavior_mixed"


def test_another_companys_position_is_not_there(company):
    subscription, other = a_subscription(company), a_subscription(a_company())
    with pytest.raises(Refused) as refused:
        change(subscription, items=[item(other, quantity=Decimal(2))])
    assert refused.value.code == "not_found"


def test_a_plan_brings_its_rules_and_its_minimum(company):
    plan = a_plan(
        company, amount="20.00", rules={"notice_count": 2, "notice_unit": "week"}, minimum_amounts={"EUR": "50.00"}
    )
    subscription = a_subscription(company)
    change(subscription, date(2026, 1, 11), plan=plan)
    subscription.refresh_from_db()
    assert (subscription.notice_count, subscription.notice_unit, subscription.minimum_amount) == (2, "week", 50)


def test_a_plan_whose_term_would_be_over_is_refused(company):
    short = a_plan(company, amount="20.00", rules={"minimum_count": 1, "renewal_rule": "expire"})
    subscription = a_subscription(company)
    with pytest.raises(Refused) as refused:
        change(subscription, date(2026, 3, 11), plan=short)
    assert refused.value.code == "change.term_over"


def test_another_cycle_in_a_trial_is_counted_from_the_first_paid_day(company):
    subscription = a_subscription(company, plan=a_plan(company, trial_days=10))
    calendar = a_plan(company, amount="20.00", rules={"interval_count": 3, "anchor_rule": "calendar"})
    change(subscription, date(2026, 1, 5), plan=calendar)
    subscription.refresh_from_db()
    assert (subscription.paid_from_on, subscription.anchor_on) == (date(2026, 1, 11), date(2026, 4, 1))


def test_a_change_before_the_start_takes_effect_with_it(company):
    subscription = a_subscription(company, start_on=date(2026, 2, 1))
    made = change(subscription, items=[item(subscription, quantity=Decimal(3))]).change
    assert (made.status, made.effective_on) == ("planned", date(2026, 2, 1))
    assert [row.quantity for row in subscription.slots.get().terms.all()] == [3]


def test_a_removed_position_is_no_longer_there(company):
    from subscriptions.services.change_specs import ItemChange

    subscription = a_subscription(company)
    change(subscription, items=[ItemChange(product=a_product(company), unit_amount=Decimal(5))])
    slot = subscription.slots.order_by("position").last()
    change(subscription, date(2026, 1, 11), items=[ItemChange(slot=slot, remove=True)], timing="now")
    with pytest.raises(Refused) as refused:
        change(subscription, date(2026, 1, 12), items=[ItemChange(slot=slot, quantity=Decimal(2))])
    assert refused.value.code == "change.item_not_there"


def test_a_minimum_of_nothing_takes_it_away(company):
    from subscriptions.services.items import ItemSpec

    had = ItemSpec(a_product(company), unit_amount=Decimal(1), minimum_amount=Decimal(50))
    subscription = a_subscription(company, plan=None, items=[had])
    change(subscription, items=[item(subscription, minimum_amount=Decimal(0))])
    assert [row.minimum_amount for row in subscription.slots.get().terms.all()] == [None]


def test_a_minimum_no_document_can_say_is_refused(company):
    subscription = a_subscription(company)
    with pytest.raises(Refused) as refused:
        change(subscription, items=[item(subscription, minimum_amount=Decimal(10**10))])
    assert (refused.value.code, refused.value.field) == ("number.range", "minimum_amount")


def test_usage_stays_in_arrears_and_without_a_quantity(company):
    from tests.subscriptions.metering import a_meter, a_usage_item, a_user

    subscription = a_user(company, a_usage_item(a_meter(company), "1.00"))
    change(subscription, items=[item(subscription, unit_amount=Decimal(2), billed="advance", quantity=Decimal(5))])
    row = subscription.slots.get().terms.order_by("from_on").last()
    assert (row.unit_amount, row.billed, row.quantity) == (2, "arrears", 0)


def test_a_price_of_another_product_is_refused(company):
    subscription = a_subscription(company)
    price = a_plan(company).items.get().prices.get()
    with pytest.raises(Refused) as refused:
        change(subscription, items=[item(subscription, price=price)])
    assert refused.value.code == "subscription.price_of_other"


def test_a_cycle_of_no_length_is_refused(company):
    subscription = a_subscription(company)
    with pytest.raises(Refused) as refused:
        change(subscription, items=[item(subscription, interval_count=0)])
    assert refused.value.code == "number.range"


def test_a_cycle_without_the_chosen_day_is_refused_in_words(company):
    chosen = {"trial_days": 14, "anchor_rule": "day", "anchor_day": 5}
    subscription = a_subscription(company, overrides=chosen)
    with pytest.raises(Refused) as refused:
        change(subscription, items=[item(subscription, interval_unit="week")])
    assert refused.value.message == (
        "These terms contradict each other (A chosen billing day needs a cycle of months or years)."
    )
