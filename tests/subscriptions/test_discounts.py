"""Giving discounts, redeeming codes, taking back: what is refused, who is counted, and what revenue becomes when."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from catalog.models import Discount, OfferCode
from catalog.services import discounts
from core.models import AuditEntry, Company, Event
from core.refusal import Refused
from subscriptions.models import AgreedDiscount, Movement, Subscription
from subscriptions.services import discounting, renewals
from subscriptions.services.starting import ItemSpec
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db

JAN, FEB, MAR, APR = (date(2026, month, 1) for month in (1, 2, 3, 4))
_codes = iter(range(1, 10_000))


def a_discount(company: Company, **changes: Any) -> Discount:
    values: dict[str, Any] = {"code": f"discount-{next(_codes)}", "name": {company.language: "Friends"}}
    if "amount_minor" not in changes:
        values["percent"] = Decimal(10)
    elif "currency" not in changes:
        values["currency"] = "EUR"
    return discounts.create_discount(company=company, **(values | changes), by=BY, at=at_noon(JAN))


def a_code(company: Company, code: str = "SPRING", **changes: Any) -> OfferCode:
    template = changes.pop("discount", None) or a_discount(company)
    return discounts.create_code(discount=template, code=code, **changes, by=BY, at=at_noon(JAN))


def give(subscription: Subscription, discount: Discount, on: date = JAN, **changes: Any) -> AgreedDiscount:
    return discounting.give(subscription=subscription, discount=discount, on=on, by=BY, at=at_noon(on), **changes)


def redeem(subscription: Subscription, code: str = "SPRING", on: date = JAN) -> AgreedDiscount:
    return discounting.redeem(subscription=subscription, code=code, on=on, by=BY, at=at_noon(on))


def bill(company: Company, on: date) -> None:
    from billing.services.settling import settle
    from customers.models import Customer

    ids = list(Customer.objects.filter(company=company).order_by("id").values_list("id", flat=True))
    settle(company=company, customer_ids=ids, on=on, at=set_clock(company, on), by=BY)


def tick(company: Company, on: date) -> dict[str, int]:
    return renewals.move_due(company=company, at=set_clock(company, on), by=BY)


def mrr(subscription: Subscription) -> list[int]:
    return list(subscription.slots.order_by("position").values_list("mrr_minor", flat=True))


def moved(subscription: Subscription) -> list[tuple[str, str, int]]:
    rows = Movement.objects.filter(subscription=subscription).order_by("pk")
    return [(str(row.effective_on), row.cause, row.amount_minor) for row in rows]


# Giving ---------------------------------------------------------------------------------------------------------------


def test_what_is_given_is_a_copy_in_the_customers_language() -> None:
    company = a_company()
    discount = a_discount(company, name={"en": "Friends", "fr": "Amis"}, duration="periods", periods=3)
    subscription = a_subscription(company, a_customer(company, language="fr"))
    agreed = give(subscription, discount)
    discounts.rename_discount(discount=discount, name={"en": "Foes"}, by=BY, at=at_noon(JAN))
    agreed.refresh_from_db()
    assert (agreed.name, agreed.percent, agreed.periods, agreed.periods_left) == ("Amis", Decimal(10), 3, 3)
    assert AuditEntry.objects.filter(verb="subscription.discount_give", subject_id=subscription.pk).count() == 1
    assert Event.objects.get(type="discount.given").data["name"] == "Amis"


def test_the_same_discount_is_given_once() -> None:
    company = a_company()
    subscription, discount = a_subscription(company), a_discount(company)
    give(subscription, discount)
    with pytest.raises(Refused) as refused:
        give(subscription, discount)
    assert refused.value.code == "discount.given_already"


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"amount_minor": 100, "currency": "USD"}, "discount.currency"), ({}, "discount.archived")],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], code: str) -> None:
    company = a_company()
    discount = a_discount(company, **changes)
    if code == "discount.archived":
        discount = discounts.archive_discount(discount=discount, by=BY, at=at_noon(JAN))
    with pytest.raises(Refused) as refused:
        give(a_subscription(company), discount)
    assert refused.value.code == code


def test_a_discount_for_what_is_not_sold_is_refused() -> None:
    company = a_company()
    discount = a_discount(company, scope="product", product=a_product(company))
    with pytest.raises(Refused) as refused:
        give(a_subscription(company), discount)
    assert refused.value.code == "discount.covers_nothing"


def test_a_discount_of_another_company_is_not_found() -> None:
    company, other = a_company(), a_company()
    with pytest.raises(Refused) as refused:
        give(a_subscription(company), a_discount(other))
    assert refused.value.code == "not_found"


def test_days_that_are_over_are_refused() -> None:
    company = a_company()
    with pytest.raises(Refused) as refused:
        give(a_subscription(company), a_discount(company), on=FEB, from_on=JAN)
    assert refused.value.code == "discount.day_past"


def test_an_ended_subscription_is_given_nothing() -> None:
    company = a_company()
    subscription = a_subscription(company, ends_on=date(2026, 1, 31))
    with pytest.raises(Refused) as refused:
        give(subscription, a_discount(company), on=FEB)
    assert refused.value.code == "subscription.ended"


# Codes ----------------------------------------------------------------------------------------------------------------


def test_a_code_is_read_in_any_case_and_counted() -> None:
    company = a_company()
    offer = a_code(company)
    agreed = redeem(a_subscription(company), " spring ")
    offer.refresh_from_db()
    assert (agreed.code, offer.use_count) == (offer, 1)


@pytest.mark.parametrize(
    ("code", "changes", "refusal"),
    [
        ("AUTUMN", {}, "offer_code.unknown"),
        ("SPRING", {"valid_from": FEB}, "offer_code.not_yet"),
        ("SPRING", {"valid_until": date(2025, 12, 31)}, "offer_code.expired"),
    ],
)
def test_a_code_outside_its_days_is_refused(code: str, changes: dict[str, Any], refusal: str) -> None:
    company = a_company()
    offer = a_code(company, **changes)
    with pytest.raises(Refused) as refused:
        redeem(a_subscription(company), code)
    offer.refresh_from_db()
    assert (refused.value.code, offer.use_count) == (refusal, 0)


def test_a_codes_days_are_the_companys() -> None:
    from datetime import UTC, datetime

    company = a_company(time_zone="Pacific/Auckland")
    a_code(company, valid_from=date(2026, 1, 2))
    subscription = a_subscription(company)
    # 1 January, 12:00 UTC is 2 January in Auckland.
    agreed = discounting.redeem(
        subscription=subscription, code="SPRING", on=JAN, by=BY, at=datetime(2026, 1, 1, 12, tzinfo=UTC)
    )
    assert agreed.code is not None


def test_archived_codes_and_discounts_are_unknown() -> None:
    company = a_company()
    offer = a_code(company)
    discounts.archive_discount(discount=offer.discount, by=BY, at=at_noon(JAN))
    with pytest.raises(Refused) as refused:
        redeem(a_subscription(company))
    assert refused.value.code == "offer_code.unknown"


def test_a_code_is_used_as_often_as_its_limit_says() -> None:
    company = a_company()
    offer = a_code(company, total_limit=1)
    redeem(a_subscription(company))
    with pytest.raises(Refused) as refused:
        redeem(a_subscription(company))
    offer.refresh_from_db()
    assert (refused.value.code, offer.use_count) == ("offer_code.used_up", 1)


def test_a_customer_uses_a_code_as_often_as_its_limit_says() -> None:
    company = a_company()
    offer = a_code(company, customer_limit=1)
    customer = a_customer(company)
    redeem(a_subscription(company, customer))
    with pytest.raises(Refused) as refused:
        redeem(a_subscription(company, customer))
    assert refused.value.code == "offer_code.customer_limit"
    redeem(a_subscription(company))
    offer.refresh_from_db()
    assert offer.use_count == 2


def test_a_code_for_new_customers_is_for_their_first_subscription() -> None:
    company = a_company()
    a_code(company, first_time_only=True)
    customer = a_customer(company)
    first = a_subscription(company, customer, offer_code="SPRING")
    assert first.discounts.count() == 1
    with pytest.raises(Refused) as refused:
        a_subscription(company, customer, offer_code="SPRING")
    assert refused.value.code == "offer_code.first_time_only"


def test_a_code_for_new_customers_comes_too_late_once_something_was_billed() -> None:
    company = a_company()
    a_code(company, first_time_only=True)
    subscription = a_subscription(company)
    bill(company, JAN)
    with pytest.raises(Refused) as refused:
        redeem(subscription)
    assert refused.value.code == "offer_code.first_time_only"


@pytest.mark.django_db(transaction=True)
def test_the_last_use_of_a_code_goes_to_one_of_two_who_ask_at_once() -> None:
    import threading

    from django.db import connection

    company = a_company()
    offer = a_code(company, total_limit=1)
    subscriptions = [a_subscription(company), a_subscription(company)]
    barrier, outcomes = threading.Barrier(2), []

    def run(subscription: Subscription) -> None:
        try:
            barrier.wait(10)
            redeem(subscription)
            outcomes.append("given")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[subscription]) for subscription in subscriptions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    offer.refresh_from_db()
    assert sorted(outcomes) == ["given", "offer_code.used_up"]
    assert (offer.use_count, AgreedDiscount.objects.count()) == (1, 1)


def test_the_database_holds_the_limit() -> None:
    from django.db import IntegrityError, transaction

    offer = a_code(a_company(), total_limit=1)
    with pytest.raises(IntegrityError, match="offer_code_within_limit"), transaction.atomic():
        OfferCode.objects.filter(pk=offer.pk).update(use_count=2)


# Revenue --------------------------------------------------------------------------------------------------------------


def test_revenue_at_the_start_is_after_recurring_discounts() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company)])
    assert mrr(subscription) == [900]
    assert moved(subscription) == [("2026-01-01", "subscription.start", 900)]


def test_a_discount_given_once_changes_no_revenue() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company, amount_minor=500, duration="once")])
    assert mrr(subscription) == [1000]


def test_an_amount_is_shared_by_the_positions_it_is_taken_off() -> None:
    company = a_company()
    items = [ItemSpec(a_product(company), unit_amount=Decimal(amount)) for amount in ("100", "50", "30")]
    subscription = a_subscription(company, items=items, discounts=[a_discount(company, amount_minor=1800)])
    # 18.00 of 180.00 is a tenth of each.
    assert mrr(subscription) == [9000, 4500, 2700]


def test_an_amount_comes_off_the_positions_that_fall_due_most_often() -> None:
    company = a_company()
    items = [
        ItemSpec(a_product(company), unit_amount=Decimal(10)),
        ItemSpec(a_product(company), unit_amount=Decimal(120), interval_unit="year"),
    ]
    subscription = a_subscription(company, items=items, discounts=[a_discount(company, amount_minor=100)])
    assert mrr(subscription) == [900, 1000]


def test_revenue_changes_with_the_first_period_that_takes_the_discount() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, JAN)
    give(subscription, a_discount(company), on=date(2026, 1, 15))
    assert mrr(subscription) == [1000]
    subscription.refresh_from_db()
    assert subscription.next_move_on == FEB
    tick(company, FEB)
    assert mrr(subscription) == [900]
    assert moved(subscription)[1:] == [("2026-02-01", "subscription.discount", -100)]
    subscription.refresh_from_db()
    assert subscription.next_move_on is None


def test_revenue_comes_back_when_the_last_period_is_over() -> None:
    company = a_company()
    discount = a_discount(company, duration="periods", periods=2)
    subscription = a_subscription(company, discounts=[discount])
    bill(company, JAN)
    assert tick(company, FEB) == {}
    bill(company, FEB)
    subscription.refresh_from_db()
    assert subscription.next_move_on == MAR
    tick(company, MAR)
    assert mrr(subscription) == [1000]
    assert moved(subscription) == [
        ("2026-01-01", "subscription.start", 900),
        ("2026-03-01", "subscription.discount", 100),
    ]
    assert AgreedDiscount.objects.get().ended_at == at_noon(MAR)


def test_a_late_tick_dates_the_change_on_its_day() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company, duration="periods", periods=1)])
    bill(company, JAN)
    tick(company, APR)
    assert moved(subscription)[1:] == [("2026-02-01", "subscription.discount", 100)]


def test_the_tick_makes_many_in_a_constant_number_of_statements() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def statements(count: int) -> int:
        company = a_company()
        discount = a_discount(company, duration="periods", periods=1)
        for _ in range(count):
            a_subscription(company, discounts=[discount])
        bill(company, JAN)
        with CaptureQueriesContext(connection) as found:
            tick(company, FEB)
        return len(found)

    assert statements(1) == statements(4)


def test_a_discount_in_arrears_is_over_once_its_last_period_is_billed() -> None:
    company = a_company()
    plan = a_plan(company, price={"billed": "arrears"})
    discount = a_discount(company, duration="periods", periods=1)
    subscription = a_subscription(company, plan=plan, discounts=[discount])
    assert mrr(subscription) == [900]
    bill(company, FEB)
    # January took it; February begins without it.
    assert AgreedDiscount.objects.get().until_on == FEB
    tick(company, FEB)
    assert mrr(subscription) == [1000]


def test_taking_back_acts_from_the_next_period_on() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company)])
    bill(company, JAN)
    discounting.end(agreed=AgreedDiscount.objects.get(), on=date(2026, 1, 15), by=BY, at=at_noon(date(2026, 1, 15)))
    assert mrr(subscription) == [900]
    tick(company, FEB)
    assert mrr(subscription) == [1000]
    assert moved(subscription)[1:] == [("2026-02-01", "subscription.discount", 100)]


def test_taking_back_on_the_day_of_giving_leaves_nothing() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, JAN)
    day = date(2026, 1, 15)
    agreed = give(subscription, a_discount(company), on=day)
    discounting.end(agreed=agreed, on=day, by=BY, at=at_noon(day))
    agreed.refresh_from_db()
    assert (agreed.ended_at, agreed.next_change_on) == (at_noon(day), None)
    assert tick(company, FEB) == {}
    assert mrr(subscription) == [1000]


def test_taking_back_twice_is_refused() -> None:
    company = a_company()
    a_subscription(company, discounts=[a_discount(company)])
    agreed = AgreedDiscount.objects.get()
    discounting.end(agreed=agreed, on=FEB, by=BY, at=at_noon(FEB))
    with pytest.raises(Refused) as refused:
        discounting.end(agreed=agreed, on=FEB, by=BY, at=at_noon(FEB))
    assert refused.value.code == "discount.over"


def test_a_trial_earns_after_discounts_from_its_first_paid_day() -> None:
    company = a_company()
    subscription = a_subscription(
        company, plan=a_plan(company), overrides={"trial_days": 31}, discounts=[a_discount(company)]
    )
    assert mrr(subscription) == [0]
    tick(company, FEB)
    assert mrr(subscription) == [900]


def test_a_discount_on_a_product_follows_the_plan_that_sold_it():
    from subscriptions.services import changing
    from subscriptions.services.change_specs import ItemChange

    company = a_company()
    product = a_product(company)
    subscription = a_subscription(company, plan=a_plan(company, amount="10.00", product=product))
    give(subscription, a_discount(company, percent=Decimal(50), scope="product", product=product))
    changing.change(
        subscription=subscription, plan=a_plan(company, amount="20.00"), timing="date", effective_on=MAR, on=JAN,
        by=BY, at=at_noon(JAN),
    )  # fmt: skip
    tick(company, MAR)
    subscription.refresh_from_db()
    # Dated back: two units from February on. Those of the first plan still cost the half, 5.00 more; in March two of
    # the second cost 40.00, 20.00 more, of which 5.00 are said already.
    changing.change(
        subscription=subscription, items=[ItemChange(slot=subscription.slots.get(), quantity=Decimal(2))],
        effective_on=FEB, override=True, override_reason="forgotten", on=MAR, by=BY, at=at_noon(MAR),
    )  # fmt: skip
    assert moved(subscription)[-2:] == [
        ("2026-02-01", "subscription.change", 500),
        ("2026-03-01", "subscription.change", 1500),
    ]
