"""No day is forgotten: the check passes on what settling did, and names what it didn't."""

from __future__ import annotations

from datetime import date

import pytest

from billing.models import BilledDays, Invoice
from billing.services.tiling import check
from billing.services.voiding import void
from subscriptions.models import Slot
from tests.billing.test_ends import end
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_plan, a_subscription

pytestmark = pytest.mark.django_db


def test_billed_days_tile_the_life_of_a_slot() -> None:
    company = a_company()
    a_subscription(company, plan=a_plan(company, rules={"anchor_rule": "day", "anchor_day": 15}))
    a_subscription(company, plan=a_plan(company, price={"billed": "arrears"}))
    a_subscription(company, plan=a_plan(company, trial_days=20))
    a_subscription(company, plan=a_plan(company), billed_through_on=date(2026, 2, 14))
    bill(company, date(2026, 6, 10))
    assert check(company, date(2026, 6, 10)) == []


def test_ends_and_voids_leave_no_hole() -> None:
    company = a_company()
    first, second, third = (a_subscription(company) for _ in range(3))
    bill(company, date(2026, 4, 1))
    end(first, date(2026, 4, 10), asked_on=date(2026, 4, 2))
    end(second, date(2026, 4, 10), asked_on=date(2026, 4, 2), unused="none")
    invoice = Invoice.objects.get(customer=third.customer, charge_due_on=date(2026, 2, 1))
    assert company.clock_at
    void(invoice=invoice, reason="wrong", at=company.clock_at, by=BY)
    assert check(company) == []
    bill(company, date(2026, 4, 20))
    assert check(company, date(2026, 4, 20)) == []


def test_a_forgotten_day_is_named() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, date(2026, 3, 1))
    slot = subscription.slots.get()
    BilledDays.objects.filter(slot=slot, days__startswith=date(2026, 2, 1)).update(
        days=(date(2026, 2, 2), date(2026, 3, 1))
    )
    [problem] = check(company)
    assert (problem.code, problem.slot_id, problem.start, problem.end) == (
        "forgotten", slot.pk, date(2026, 2, 1), date(2026, 2, 2),
    )  # fmt: skip


def test_a_period_due_and_not_billed_is_named() -> None:
    company = a_company()
    a_subscription(company)
    bill(company, date(2026, 1, 1))
    assert check(company, date(2026, 1, 31)) == []
    [problem] = check(company, date(2026, 2, 1))
    assert (problem.code, problem.start, problem.end) == ("behind", date(2026, 2, 1), date(2026, 3, 1))


def test_a_moved_column_hides_nothing() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, date(2026, 1, 1))
    Slot.objects.filter(subscription=subscription).update(billed_through_on=date(2026, 2, 28))
    [problem] = check(company)
    assert (problem.code, problem.start, problem.end) == ("forgotten", date(2026, 2, 1), date(2026, 3, 1))


def test_a_position_added_in_a_trial_begins_on_its_own_day() -> None:
    from decimal import Decimal

    from tests.billing.changes import agreed, change, new_item
    from tests.factories import a_product

    company = a_company()
    subscription = agreed(company, overrides={"trial_days": 20})
    change(subscription, "01-10", items=[new_item(a_product(company), unit_amount=Decimal(5))], timing="now")
    assert check(company) == []
