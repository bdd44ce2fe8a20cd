"""What a slot is worth a month."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.factories import a_company, a_customer, a_plan, a_subscription

CASES = [
    # model, amount, quantity, unit, count, currency, minor units a month
    ("flat", "120", "5", "year", 1, "EUR", 1000),
    ("per_unit", "120", "5", "year", 1, "EUR", 5000),
    ("per_unit", "10", "1", "month", 3, "EUR", 333),
    ("per_unit", "20", "1", "month", 3, "EUR", 667),
    ("per_unit", "1", "1", "week", 1, "EUR", 433),  # 52 / 12 = 4.333
    ("per_unit", "1", "1", "week", 2, "EUR", 217),  # 52 / 24 = 2.1667
    ("per_unit", "1", "1", "day", 1, "EUR", 3042),  # 365 / 12 = 30.4167
    ("per_unit", "0.06", "1", "year", 1, "EUR", 1),  # 0.5 cent, half up
    ("per_unit", "1000", "1", "year", 1, "JPY", 83),
]


@pytest.mark.parametrize(("model", "amount", "quantity", "unit", "count", "currency", "minor"), CASES)
def test_a_price_is_turned_into_a_month(model, amount, quantity, unit, count, currency, minor):
    from subscriptions.models import SlotTerms
    from subscriptions.services.movements import mrr_of

    terms = SlotTerms(
        model=model,
        unit_amount=Decimal(amount),
        quantity=Decimal(quantity),
        interval_unit=unit,
        interval_count=count,
    )
    assert mrr_of(terms, currency) == minor


@pytest.mark.django_db
def test_a_gross_price_counts_without_its_tax():
    company = a_company()
    customer = a_customer(company, kind="person")
    plan = a_plan(company, amount="11.90", price={"tax_behavior": "inclusive"})
    # 11.90 / 1.19 = 10.00
    assert a_subscription(company, customer, plan).slots.get().mrr_minor == 1000


@pytest.mark.django_db
def test_opening_plus_movements_is_what_the_slots_are_worth():
    from django.db.models import Sum

    from subscriptions.models import Movement, Slot

    company = a_company()
    customer = a_customer(company)
    for months in (1, 3, 5):
        a_subscription(company, customer, start_on=date(2025, 12 - months, 1))
    a_subscription(company, customer, start_on=date(2025, 1, 1), ends_on=date(2025, 6, 30))
    booked = Movement.objects.filter(company=company).aggregate(total=Sum("amount_minor"))["total"]
    assert booked == Slot.objects.filter(company=company).aggregate(total=Sum("mrr_minor"))["total"] == 3000


@pytest.mark.django_db
def test_a_movement_can_not_be_changed():
    from django.db import IntegrityError

    movement = a_subscription(a_company()).movements.get()
    movement.amount_minor = 5
    with pytest.raises(IntegrityError, match="only ever appended"):
        movement.save()


@pytest.mark.django_db
def test_a_slot_worth_more_expands_and_worth_the_same_says_nothing():
    from subscriptions.services.movements import reprice

    company = a_company()
    subscription = a_subscription(company)
    slot = subscription.slots.get()
    for _ in range(2):
        reprice(company=company, worth=[(subscription, slot, 1500)], effective_on=date(2026, 2, 1), cause="test")
    slot.refresh_from_db()
    assert slot.mrr_minor == 1500
    assert list(subscription.movements.order_by("id").values_list("kind", "amount_minor", "effective_on")) == [
        ("new", 1000, date(2026, 1, 1)),
        ("expansion", 500, date(2026, 2, 1)),
    ]
