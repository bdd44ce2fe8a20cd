"""Minimum commitments: what a closed period lacks, to the cent. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import BilledDays, CreditNote, Invoice, InvoiceLine
from billing.services import acts, voiding
from catalog.models import TaxCategory
from core.models import Company
from subscriptions.models import Subscription
from subscriptions.services import due, holding
from subscriptions.services.starting import ItemSpec
from tests.billing.test_settling import bill
from tests.factories import BY, TODAY, a_company, a_plan, a_product, a_subscription, at_noon, set_clock
from tests.subscriptions.test_items import an_item

pytestmark = pytest.mark.django_db

FREE = {"notice_to": "any_day"}


def minimums_of(subscription: Subscription) -> list[tuple[str, str, str, int]]:
    """Due day, first day, first day after and amount of every line for a minimum, oldest first."""
    rows = InvoiceLine.objects.filter(subscription=subscription, kind="minimum").select_related("invoice")
    return [
        (str(row.invoice.charge_due_on), str(row.period_start), str(row.period_end), row.amount_minor)
        for row in rows.order_by("invoice_id", "position")
    ]


def whole(company: Company, amount: str, minimum: str, on: date, **changes: Any) -> Subscription:
    """A subscription whose positions together cost at least `minimum` a period."""
    rules, customer = FREE | changes.pop("rules", {}), changes.pop("customer", None)
    plan = a_plan(
        company, amount=amount, minimum_amounts={company.currency: minimum}, currency=company.currency, rules=rules,
        price=changes.pop("price", {}), **changes,
    )  # fmt: skip
    return a_subscription(company, customer, plan, on=on)


def own(company: Company, amount: str, minimum: str, on: date, **changes: Any) -> Subscription:
    """A subscription whose one price costs at least `minimum` a period."""
    price = {"minimum_amount": Decimal(minimum)} | changes.pop("price", {})
    plan = a_plan(company, amount=amount, currency=company.currency, price=price, rules=FREE | changes.pop("rules", {}))
    return a_subscription(company, plan=plan, on=on, **changes)


@pytest.mark.parametrize("agree", [whole, own])
def test_a_short_first_month_in_arrears_owes_its_part_of_the_minimum(agree: Any) -> None:
    company = a_company(today=date(2023, 2, 4))
    subscription = agree(
        company, "1000", "10000", date(2023, 2, 4), price={"billed": "arrears"}, rules={"anchor_rule": "calendar"}
    )
    bill(company, date(2023, 2, 28))
    assert minimums_of(subscription) == []
    bill(company, date(2023, 3, 1))
    # 10000.00 x 25 / 28 = 8928.57; less 1000.00 x 25 / 28 = 892.86.
    assert minimums_of(subscription) == [("2023-03-01", "2023-02-04", "2023-03-01", 803571)]
    line = InvoiceLine.objects.get(kind="minimum")
    calculation = line.calculation
    assert (calculation["minimum_minor"], calculation["counted_minor"], calculation["share"]) == (
        892857,
        89286,
        "25/28",
    )
    # One invoice: 892.86 + 8035.71 = 8928.57, 19 % of it 1696.43.
    assert (line.invoice.net_minor, line.invoice.tax_minor) == (892857, 169643)


@pytest.mark.parametrize("agree", [whole, own])
def test_a_price_in_advance_owes_the_rest_when_its_period_closes(agree: Any) -> None:
    company = a_company(today=date(2024, 2, 28))
    subscription = agree(company, "100", "10000", date(2024, 2, 28), rules={"anchor_rule": "calendar"})
    bill(company, date(2024, 2, 28))
    assert minimums_of(subscription) == []
    bill(company, date(2024, 4, 1))
    # 10000.00 x 2 / 29 = 689.66, less 100.00 x 2 / 29 = 6.90; then a whole month less its 100.00.
    assert minimums_of(subscription) == [
        ("2024-03-01", "2024-02-28", "2024-03-01", 68276),
        ("2024-04-01", "2024-03-01", "2024-04-01", 990000),
    ]
    days = BilledDays.objects.filter(component__startswith="minimum").order_by("days")
    assert [(str(row.days.lower), str(row.days.upper)) for row in days] == [
        ("2024-02-28", "2024-03-01"), ("2024-03-01", "2024-04-01"),
    ]  # fmt: skip


@pytest.mark.parametrize("agree", [whole, own])
def test_a_minimum_that_is_reached_brings_no_line(agree: Any) -> None:
    company = a_company()
    subscription = agree(company, "130", "100", TODAY)
    bill(company, date(2026, 3, 1))
    assert minimums_of(subscription) == []
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 4, 1)


def test_billing_again_adds_nothing() -> None:
    company = a_company()
    subscription = whole(company, "10", "100", TODAY)
    bill(company, date(2026, 2, 1))
    bill(company, date(2026, 2, 1))
    assert minimums_of(subscription) == [("2026-02-01", "2026-01-01", "2026-02-01", 9000)]


def test_a_discount_does_not_count_and_the_line_bears_none() -> None:
    from subscriptions.models import AgreedDiscount

    company = a_company()
    subscription = whole(company, "130", "10000", TODAY)
    AgreedDiscount.objects.create(
        company=company, subscription=subscription, name="Half", percent=Decimal(50), duration="forever",
        scope="all", from_on=TODAY, created_at=at_noon(TODAY),
    )  # fmt: skip
    bill(company, date(2026, 2, 1))
    base = InvoiceLine.objects.filter(kind="base").order_by("id")[0]
    assert (base.amount_minor, base.discount_minor) == (6500, 6500)
    # 10000.00 - 130.00, with or without the discount.
    line = InvoiceLine.objects.get(kind="minimum")
    assert (line.amount_minor, line.discount_minor) == (987000, 0)


def test_add_ons_count_and_single_charges_do_not() -> None:
    company = a_company()
    items = [an_item(company, "10"), an_item(company, "5", is_optional=True), an_item(company, "99", kind="one_off")]
    plan = a_plan(company, items=items, minimum_amounts={"EUR": "100"})
    extra = plan.items.get(is_optional=True)
    subscription = a_subscription(company, plan=plan, add_ons=[ItemSpec(extra.product)])
    bill(company, date(2026, 2, 1))
    # 100.00 - 10.00 - 5.00.
    assert minimums_of(subscription) == [("2026-02-01", "2026-01-01", "2026-02-01", 8500)]


def test_a_price_counts_only_what_is_billed_for_itself() -> None:
    company = a_company()
    items = [an_item(company, "10", price={"minimum_amount": Decimal(40)}), an_item(company, "500")]
    subscription = a_subscription(company, plan=a_plan(company, items=items))
    bill(company, date(2026, 2, 1))
    assert minimums_of(subscription) == [("2026-02-01", "2026-01-01", "2026-02-01", 3000)]


def test_both_minimums_may_stand_on_one_position() -> None:
    company = a_company()
    items = [an_item(company, "10", price={"minimum_amount": Decimal(40)})]
    subscription = a_subscription(company, plan=a_plan(company, items=items, minimum_amounts={"EUR": "100"}))
    bill(company, date(2026, 2, 1))
    lines = InvoiceLine.objects.filter(subscription=subscription, kind="minimum").order_by("position")
    assert [line.amount_minor for line in lines] == [3000, 9000]


def test_an_end_closes_the_period_in_proportion() -> None:
    company = a_company()
    subscription = whole(company, "31", "310", TODAY)
    bill(company, TODAY)
    day = date(2026, 1, 10)
    acts.cancel(subscription=subscription, timing="now", on=day, by=BY, at=set_clock(company, day))
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 1, 11)
    bill(company, date(2026, 3, 1))
    # 310.00 x 10 / 31 = 100.00, less what is left of 31.00 after 21 of 31 days came back: 10.00.
    assert CreditNote.objects.get().net_minor == 2100
    assert minimums_of(subscription) == [("2026-01-11", "2026-01-01", "2026-01-11", 9000)]
    subscription.refresh_from_db()
    assert subscription.next_bill_on is None


def test_a_pause_closes_the_period_and_what_follows_opens_another() -> None:
    from billing.services import acts_pausing

    company = a_company()
    subscription = whole(company, "31", "310", TODAY)
    bill(company, TODAY)
    day = date(2026, 1, 11)
    acts_pausing.pause(subscription=subscription, from_on=day, by=BY, at=set_clock(company, day))
    bill(company, day)
    assert minimums_of(subscription) == [("2026-01-11", "2026-01-01", "2026-01-11", 9000)]
    bill(company, date(2026, 3, 1))
    assert len(minimums_of(subscription)) == 1


def test_the_base_price_that_is_not_prorated_owes_the_whole_minimum() -> None:
    company = a_company(today=date(2023, 2, 4))
    price = {"billed": "arrears", "is_prorated": False}
    subscription = own(company, "1000", "10000", date(2023, 2, 4), price=price, rules={"anchor_rule": "calendar"})
    bill(company, date(2023, 3, 1))
    assert minimums_of(subscription) == [("2023-03-01", "2023-02-04", "2023-03-01", 900000)]


def test_days_of_a_trial_owe_nothing() -> None:
    company = a_company()
    subscription = whole(company, "10", "100", TODAY, trial_days=14)
    bill(company, date(2026, 2, 15))
    assert minimums_of(subscription) == [("2026-02-15", "2026-01-15", "2026-02-15", 9000)]


def test_days_billed_elsewhere_owe_nothing() -> None:
    company = a_company()
    plan = a_plan(company, amount="10", minimum_amounts={"EUR": "100"})
    subscription = a_subscription(company, plan=plan, billed_through_on=date(2026, 1, 31))
    bill(company, date(2026, 3, 1))
    assert minimums_of(subscription) == [("2026-03-01", "2026-02-01", "2026-03-01", 9000)]


def test_catching_up_closes_every_period_on_its_own_day() -> None:
    company = a_company()
    subscription = whole(company, "10", "100", TODAY)
    bill(company, date(2026, 4, 1))
    assert [(row[0], row[3]) for row in minimums_of(subscription)] == [
        ("2026-02-01", 9000), ("2026-03-01", 9000), ("2026-04-01", 9000),
    ]  # fmt: skip


def test_a_longer_cycle_of_a_position_counts_by_its_days() -> None:
    company = a_company()
    plan = a_plan(company, amount="10", minimum_amounts={"EUR": "100"})
    yearly = ItemSpec(a_product(company), unit_amount=Decimal(365), interval_unit="year", interval_count=1)
    subscription = a_subscription(company, plan=plan, items=[ItemSpec(plan.items.get().product), yearly])
    bill(company, date(2026, 2, 1))
    # 31 of the 365 days at 365.00 are 31.00: 100.00 - 10.00 - 31.00.
    assert minimums_of(subscription) == [("2026-02-01", "2026-01-01", "2026-02-01", 5900)]


def test_a_credit_by_hand_lowers_what_counts() -> None:
    from billing.services.crediting import credit_invoice

    company = a_company()
    subscription = whole(company, "10", "100", TODAY)
    bill(company, TODAY)
    line = InvoiceLine.objects.get()
    credit_invoice(invoice=line.invoice, lines={line.pk: 400}, reason="Sorry", at=at_noon(TODAY), by=BY)
    bill(company, date(2026, 2, 1))
    # 100.00 - (10.00 - 4.00).
    assert minimums_of(subscription) == [("2026-02-01", "2026-01-01", "2026-02-01", 9400)]


def test_gross_prices_have_gross_minimums() -> None:
    company = a_company()
    subscription = whole(company, "11.90", "119", TODAY, price={"tax_behavior": "inclusive"})
    bill(company, date(2026, 2, 1))
    line = InvoiceLine.objects.get(kind="minimum")
    # 119.00 - 11.90 = 107.10 gross; with the next month's 11.90 the invoice is 119.00, of which 19.00 tax.
    assert (line.amount_minor, line.net_minor) == (10710, 9000)
    assert (line.invoice.gross_minor, line.invoice.tax_minor) == (11900, 1900)
    assert subscription.tax_behavior == "inclusive"


def test_it_bears_the_tax_of_the_base_price() -> None:
    company = a_company()
    reduced = a_product(company, category="reduced-general")
    assert TaxCategory.objects.filter(company=company, code="reduced-general").exists()
    plan = a_plan(company, amount="10", product=reduced, minimum_amounts={"EUR": "100"})
    a_subscription(company, plan=plan)
    bill(company, date(2026, 2, 1))
    line = InvoiceLine.objects.get(kind="minimum")
    assert (line.tax_category, line.tax_rate, line.product_id) == ("S", Decimal(7), reduced.pk)


@pytest.mark.parametrize(
    ("currency", "amount", "minimum", "minor"),
    # 20 of 31 days: 10000 x 20 / 31 = 6451.6, 6452 yen, less 1000 x 20 / 31 = 645; in dinars 64.516 less 6.452.
    [("JPY", "1000", "10000", 5807), ("KWD", "10", "100", 58064)],
)
def test_it_is_rounded_to_the_currency(currency: str, amount: str, minimum: str, minor: int) -> None:
    company = a_company(today=date(2026, 1, 12), currency=currency)
    subscription = whole(company, amount, minimum, date(2026, 1, 12), rules={"anchor_rule": "calendar"})
    bill(company, date(2026, 2, 1))
    assert [row[3] for row in minimums_of(subscription)] == [minor]


def test_planning_and_billing_name_the_same_next_day() -> None:
    company = a_company()
    plan = a_plan(company, amount="10", price={"billed": "advance", "minimum_amount": Decimal(40)},
                  rules=FREE | {"interval_unit": "year"})  # fmt: skip
    subscription = a_subscription(company, plan=plan)
    bill(company, TODAY)
    day = date(2026, 3, 1)
    acts.cancel(subscription=subscription, timing="date", ends_on=date(2026, 6, 30), by=BY, at=set_clock(company, day))
    held = holding.read(subscription)
    assert held.next_bill_on == due.next_due(held, holding.positions(held)) == date(2026, 7, 1)
    bill(company, date(2026, 7, 1))
    # 181 of 365 days of 40.00 are 19.84; of the 10.00 are left 10.00 - 5.04 = 4.96.
    assert [row[3] for row in minimums_of(subscription)] == [1488]


def test_usage_of_the_period_counts() -> None:
    from subscriptions.models import Slot
    from tests.subscriptions.metering import a_meter, a_usage_item, sent, take_in

    company = a_company()
    meter = a_meter(company)
    plan = a_plan(company, amount="10", minimum_amounts={"EUR": "100"})
    items = [ItemSpec(plan.items.get().product), a_usage_item(meter, "0.5")]
    subscription = a_subscription(company, plan=plan, items=items)
    set_clock(company, date(2026, 1, 31))
    take_in(company, sent(meter, subscription, "2026-01-20T12:00:00Z", "50"))
    bill(company, date(2026, 2, 1))
    assert Slot.objects.filter(subscription=subscription, kind="usage").exists()
    # 100.00 - 10.00 - 50 x 0.50.
    assert minimums_of(subscription) == [("2026-02-01", "2026-01-01", "2026-02-01", 6500)]


def test_a_change_of_its_quantity_closes_a_prices_period() -> None:
    from tests.billing.changes import change, item

    company = a_company()
    subscription = own(company, "31", "310", TODAY)
    bill(company, TODAY)
    change(subscription, "01-11", items=[item(subscription, quantity="2")], timing="now")
    # 310.00 x 10 / 31 less 10 of 31 days of 31.00; then 310.00 x 21 / 31 less 21.00 and the 21.00 of the unit added.
    assert minimums_of(subscription) == [("2026-01-11", "2026-01-01", "2026-01-11", 9000)]
    bill(company, date(2026, 2, 1))
    assert minimums_of(subscription)[1:] == [("2026-02-01", "2026-01-11", "2026-02-01", 16800)]


def test_the_whole_minimum_runs_on_over_a_change_of_quantity() -> None:
    from tests.billing.changes import change, item

    company = a_company()
    subscription = whole(company, "31", "310", TODAY)
    bill(company, TODAY)
    change(subscription, "01-11", items=[item(subscription, quantity="2")], timing="now")
    bill(company, date(2026, 2, 1))
    # 310.00 - 31.00 - 21.00.
    assert minimums_of(subscription) == [("2026-02-01", "2026-01-01", "2026-02-01", 25800)]


def test_another_plan_closes_the_old_minimum_and_opens_its_own() -> None:
    from tests.billing.changes import change

    company = a_company()
    subscription = whole(company, "31", "310", TODAY)
    bill(company, TODAY)
    dearer = a_plan(company, amount="62", minimum_amounts={"EUR": "620"})
    change(subscription, "01-11", plan=dearer, timing="now")
    # 310.00 x 10 / 31 less what is left of 31.00 after 21 days came back.
    assert minimums_of(subscription) == [("2026-01-11", "2026-01-01", "2026-01-11", 9000)]
    bill(company, date(2026, 2, 1))
    # 620.00 x 21 / 31 - 62.00 x 21 / 31.
    assert minimums_of(subscription)[1:] == [("2026-02-01", "2026-01-11", "2026-02-01", 37800)]


def test_a_plan_without_a_minimum_closes_the_old_one() -> None:
    from tests.billing.changes import change

    company = a_company()
    subscription = whole(company, "31", "310", TODAY)
    bill(company, TODAY)
    change(subscription, "01-11", plan=a_plan(company, amount="62"), timing="now")
    bill(company, date(2026, 4, 1))
    assert minimums_of(subscription) == [("2026-01-11", "2026-01-01", "2026-01-11", 9000)]


@pytest.mark.parametrize("agree", [whole, own])
def test_voided_to_be_billed_again_it_closes_again(agree: Any) -> None:
    from billing.services import voiding

    company = a_company()
    subscription = agree(company, "10", "100", TODAY)
    bill(company, date(2026, 3, 1))
    first = InvoiceLine.objects.filter(kind="minimum").order_by("id")[0]
    voiding.void(invoice=first.invoice, reason="Wrong", at=set_clock(company, date(2026, 3, 1)), by=BY)
    bill(company, date(2026, 3, 1))
    january, march, again = minimums_of(subscription)
    assert (january, march) == (
        ("2026-02-01", "2026-01-01", "2026-02-01", 9000), ("2026-03-01", "2026-02-01", "2026-03-01", 9000),
    )  # fmt: skip
    assert again == january
    bill(company, date(2026, 3, 1))
    assert len(minimums_of(subscription)) == 3


def test_voided_to_stay_free_it_never_comes_back() -> None:
    from billing.services import voiding

    company = a_company()
    subscription = whole(company, "10", "100", TODAY)
    bill(company, date(2026, 2, 1))
    line = InvoiceLine.objects.get(kind="minimum")
    at = set_clock(company, date(2026, 2, 2))
    voiding.void(invoice=line.invoice, days="free", reason="Gift", at=at, by=BY)
    bill(company, date(2026, 2, 28))
    assert len(minimums_of(subscription)) == 1


@pytest.mark.parametrize("agree", [whole, own])
@pytest.mark.parametrize(("given", "missing"), [(3000, 5000), (10000, 5000)])
def test_credit_that_lowered_a_line_does_not_lower_what_counts(agree: Any, given: int, missing: int) -> None:
    from billing.services import granting

    company = a_company()
    subscription = agree(company, "100", "150", TODAY)
    granting.grant(
        customer=subscription.customer, amount_minor=given, currency="EUR", reason="goodwill", by=BY, at=at_noon(TODAY)
    )
    bill(company, TODAY)
    assert InvoiceLine.objects.get().amount_minor == 10000 - given
    bill(company, date(2026, 2, 1))
    # The month costs 100.00, whatever paid for it: 50.00 are lacking.
    assert [row[-1] for row in minimums_of(subscription)] == [missing]


def test_a_line_of_a_voided_invoice_counts_once_however_it_was_lowered() -> None:
    from subscriptions.models import AgreedDiscount

    company = a_company()
    subscription = whole(company, "100", "150", TODAY)
    AgreedDiscount.objects.create(
        company=company, subscription=subscription, name="Gift", percent=Decimal(100), duration="forever",
        scope="all", from_on=TODAY, created_at=at_noon(TODAY),
    )  # fmt: skip
    subscription = whole(company, "20", "0", TODAY, customer=subscription.customer)
    bill(company, TODAY)
    voiding.void(invoice=Invoice.objects.get(), reason="wrong address", at=at_noon(TODAY), by=BY)
    bill(company, date(2026, 2, 1))
    assert [row.amount_minor for row in InvoiceLine.objects.filter(kind="minimum")] == [5000]
