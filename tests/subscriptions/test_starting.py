"""Agreeing subscriptions: dates, states, terms, prices, and what is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon

pytestmark = pytest.mark.django_db


def refused(call, code):
    from core.refusal import Refused

    with pytest.raises(Refused) as raised:
        call()
    assert raised.value.code == code
    return raised.value


def test_a_subscription_starts_active_on_its_day():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, amount="10.00"))
    assert (subscription.state, subscription.paid_from_on, subscription.next_bill_on) == ("active", TODAY, TODAY)
    slot = subscription.slots.get()
    assert (slot.billed_through_on, slot.mrr_minor) == (date(2025, 12, 31), 1000)
    movement = subscription.movements.get()
    assert (movement.kind, movement.amount_minor, movement.effective_on) == ("new", 1000, TODAY)


def test_a_future_start_is_pending_and_earns_nothing_yet():
    company = a_company()
    subscription = a_subscription(company, start_on=date(2026, 2, 1))
    assert (subscription.state, subscription.next_move_on) == ("pending", date(2026, 2, 1))
    assert subscription.next_bill_on == date(2026, 2, 1)
    assert subscription.slots.get().mrr_minor == 0
    assert not subscription.movements.exists()


def test_a_trial_moves_the_first_paid_day_and_the_anchor():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, trial_days=14))
    assert (subscription.state, subscription.paid_from_on) == ("trial", date(2026, 1, 15))
    assert (subscription.anchor_on, subscription.next_bill_on) == (date(2026, 1, 15), date(2026, 1, 15))
    assert subscription.next_move_on == date(2026, 1, 15)


def test_a_customer_has_one_trial_per_product():
    company = a_company()
    customer, plan = a_customer(company), a_plan(company, trial_days=14)
    a_subscription(company, customer, plan)
    assert a_subscription(company, customer, plan).state == "active"


def test_a_trial_that_needs_a_way_to_pay_is_not_due_before_it_has_one():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, trial_days=14, trial_end="cancel"))
    assert subscription.next_bill_on is None


def test_a_calendar_anchor_is_the_first_of_the_next_month():
    company = a_company(today=date(2026, 1, 20))
    plan = a_plan(company, rules={"anchor_rule": "calendar"})
    subscription = a_subscription(company, plan=plan, on=date(2026, 1, 20))
    assert subscription.anchor_on == date(2026, 2, 1)
    assert subscription.next_bill_on == date(2026, 1, 20)


def test_a_chosen_day_of_31_aims_at_the_month_end():
    company = a_company(today=date(2026, 4, 10))
    plan = a_plan(company, rules={"anchor_rule": "day", "anchor_day": 31})
    subscription = a_subscription(company, plan=plan, on=date(2026, 4, 10))
    assert (subscription.anchor_on, subscription.anchor_month_day) == (date(2026, 4, 30), 31)


def test_arrears_fall_due_the_day_after_the_period():
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, price={"billed": "arrears"}))
    assert subscription.next_bill_on == date(2026, 2, 1)


def test_a_minimum_term_that_renews_sets_the_running_term():
    company = a_company(today=date(2026, 3, 10))
    plan = a_plan(company, rules={"minimum_count": 12, "renewal_rule": "renew"})
    subscription = a_subscription(company, plan=plan, on=date(2026, 3, 10), start_on=date(2025, 1, 31))
    assert (subscription.term_start_on, subscription.term_ends_on) == (date(2026, 1, 31), date(2027, 1, 30))
    assert subscription.next_move_on == date(2027, 1, 31)


def test_a_contract_that_expires_knows_its_end_from_the_start():
    company = a_company()
    plan = a_plan(company, rules={"minimum_count": 6, "renewal_rule": "expire"})
    subscription = a_subscription(company, plan=plan)
    assert (subscription.ends_on, subscription.end_kind) == (date(2026, 6, 30), "expire")
    assert subscription.next_move_on == date(2026, 7, 1)


def test_what_was_billed_elsewhere_is_not_due():
    company = a_company(today=date(2026, 3, 10))
    subscription = a_subscription(
        company, on=date(2026, 3, 10), start_on=date(2025, 11, 15), billed_through_on=date(2026, 3, 14)
    )
    assert subscription.next_bill_on == date(2026, 3, 15)
    slot = subscription.slots.get()
    assert (slot.billed_through_on, slot.elsewhere_through_on) == (date(2026, 3, 14), date(2026, 3, 14))


def test_a_past_end_writes_both_movements():
    company = a_company(today=date(2026, 11, 1))
    subscription = a_subscription(
        company, on=date(2026, 11, 1), start_on=date(2026, 3, 1), ends_on=date(2026, 10, 31), end_reason="left"
    )
    assert (subscription.state, subscription.next_move_on) == ("canceled", None)
    assert subscription.slots.get().mrr_minor == 0
    assert list(subscription.movements.order_by("id").values_list("kind", "amount_minor", "effective_on")) == [
        ("new", 1000, date(2026, 3, 1)),
        ("churn", -1000, date(2026, 11, 1)),
    ]
    assert subscription.next_bill_on == date(2026, 3, 1)


def test_a_negotiated_amount_stands_apart_from_the_catalog():
    from subscriptions.services.starting import ItemSpec

    company = a_company()
    product = a_product(company)
    plan = a_plan(company, product=product, amount="10.00")
    item = ItemSpec(product, quantity=Decimal(3), unit_amount=Decimal("8.50"))
    held = a_subscription(company, plan=plan, items=[item]).slots.get().terms.get()
    assert (held.price_id, held.unit_amount, held.quantity) == (None, Decimal("8.50"), 3)


def test_the_price_on_sale_that_day_is_taken():
    from catalog.services.plans import PriceSpec, add_price_version

    company = a_company()
    plan = a_plan(company, amount="10.00")
    spec = PriceSpec(currency="EUR", unit_amount=Decimal("12.00"), valid_from=date(2026, 2, 1))
    add_price_version(item=plan.items.get(), spec=spec, by=BY, at=at_noon(TODAY))
    before = a_subscription(company, plan=plan, on=date(2026, 1, 31)).slots.get().terms.get()
    after = a_subscription(company, plan=plan, on=date(2026, 2, 1)).slots.get().terms.get()
    assert (before.unit_amount, before.price.version) == (Decimal(10), 1)
    assert (after.unit_amount, after.price.version) == (Decimal(12), 2)


def test_its_days_follow_the_customers_zone():
    company = a_company()
    customer = a_customer(company, time_zone="America/New_York")
    assert a_subscription(company, customer).time_zone == "America/New_York"


def test_a_draft_plan_is_refused():
    company = a_company()
    plan = a_plan(company, status="draft")
    refused(lambda: a_subscription(company, plan=plan), "subscription.plan_not_on_sale")


def test_a_currency_without_price_is_refused():
    company = a_company()
    plan = a_plan(company)
    refused(lambda: a_subscription(company, plan=plan, currency="USD"), "subscription.no_price")


def test_a_start_before_the_books_is_refused():
    company = a_company(books_start_on=date(2026, 1, 1))
    refused(lambda: a_subscription(company, start_on=date(2025, 12, 31)), "subscription.before_books")


def test_a_start_before_the_books_is_fine_when_billed_elsewhere():
    company = a_company(books_start_on=date(2026, 1, 1))
    subscription = a_subscription(company, start_on=date(2025, 6, 1), billed_through_on=date(2025, 12, 31))
    assert subscription.next_bill_on == TODAY


def test_an_end_before_the_start_is_refused():
    company = a_company()
    refused(lambda: a_subscription(company, ends_on=date(2025, 12, 31)), "subscription.end_before_start")


def test_a_taken_external_id_is_refused():
    company = a_company()
    a_subscription(company, external_id="A-1")
    refused(lambda: a_subscription(company, external_id="A-1"), "subscription.external_id_taken")


def test_an_unknown_override_is_refused():
    company = a_company()
    refused(lambda: a_subscription(company, overrides={"price": 1}), "field.unknown")


def test_a_plan_of_another_company_is_refused():
    plan = a_plan(a_company())
    refused(lambda: a_subscription(a_company(), plan=plan), "not_found")


def test_agreeing_is_audited_and_told():
    from core.models import AuditEntry, Event

    company = a_company()
    subscription = a_subscription(company)
    entry = AuditEntry.objects.get(subject_kind="subscription", subject_id=subscription.pk)
    assert (entry.verb, entry.actor_label, entry.customer_id) == (
        "subscription.start",
        "test",
        subscription.customer_id,
    )
    event = Event.objects.get(subject_kind="subscription", subject_id=subscription.pk)
    assert (event.type, event.data["id"], event.data["mrr_minor"]) == ("subscription.started", subscription.ref, 1000)


def test_a_batch_takes_the_same_statements_for_two_and_for_fifty():
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from subscriptions.services.starting import AgreementSpec, agree_many

    company = a_company()
    plan = a_plan(company)
    seen = []
    for many in (2, 50):
        specs = [AgreementSpec(customer=a_customer(company), start_on=TODAY, plan=plan) for _ in range(many)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            agree_many(company=company, specs=specs, on=TODAY, by=BY, at=at_noon(TODAY))
        seen.append(len(queries))
    assert seen[0] == seen[1] <= 20


def test_a_batch_is_all_or_nothing():
    from subscriptions.models import Subscription
    from subscriptions.services.starting import AgreementSpec, agree_many

    company = a_company()
    customer, plan = a_customer(company), a_plan(company)
    specs = [
        AgreementSpec(customer=customer, start_on=TODAY, plan=plan),
        AgreementSpec(customer=customer, start_on=TODAY, plan=plan, currency="XXX"),
    ]
    refused(lambda: agree_many(company=company, specs=specs, on=TODAY, by=BY, at=at_noon(TODAY)), "currency.unknown")
    assert not Subscription.objects.filter(company=company).exists()
