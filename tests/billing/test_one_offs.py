"""What is charged once: when it is billed, for how much, what takes it back. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import CreditNote, Invoice, InvoiceLine
from billing.services import acts, acts_items, previews, voiding
from billing.services.crediting import credit_invoice
from core.refusal import Refused
from subscriptions.models import OneOff, Subscription
from subscriptions.services.starting import ItemSpec
from tests.billing.test_settling import bill
from tests.factories import BY, TODAY, a_company, a_plan, a_product, a_subscription, at_noon, set_clock
from tests.subscriptions.test_items import a_rich_plan, an_item

pytestmark = pytest.mark.django_db


def lines_of(subscription: Subscription) -> list[tuple[str, str, int]]:
    """Due day, kind and amount of every line, oldest first."""
    rows = InvoiceLine.objects.filter(subscription=subscription).select_related("invoice")
    return [
        (str(row.invoice.charge_due_on), row.kind, row.amount_minor) for row in rows.order_by("invoice_id", "position")
    ]


def refused(call: Any, code: str) -> None:
    with pytest.raises(Refused) as raised:
        call()
    assert raised.value.code == code


def test_a_set_up_is_billed_with_the_first_period_and_never_again() -> None:
    company = a_company()
    plan = a_plan(company, items=[an_item(company, "10"), an_item(company, "99", kind="one_off")])
    subscription = a_subscription(company, plan=plan)
    bill(company, TODAY)
    assert lines_of(subscription) == [("2026-01-01", "base", 1000), ("2026-01-01", "one_off", 9900)]
    once = subscription.one_offs.get()
    line = InvoiceLine.objects.get(kind="one_off")
    assert (once.line_id, once.due_on) == (line.pk, None)
    assert (line.period_start, line.period_end, line.slot_id) == (None, None, None)
    assert (line.calculation["service_on"], line.calculation["price_version"]) == ("2026-01-01", 1)
    # 10.00 + 99.00, and 19 % of it.
    assert (line.invoice.net_minor, line.invoice.tax_minor) == (10900, 2071)
    bill(company, date(2026, 2, 1))
    assert lines_of(subscription)[2:] == [("2026-02-01", "base", 1000)]


def test_one_supplied_later_is_due_on_its_service_day() -> None:
    company = a_company()
    items = [
        ItemSpec(a_product(company), unit_amount=Decimal(5)),
        ItemSpec(a_product(company), unit_amount=Decimal(80), kind="one_off", service_on=date(2026, 1, 20)),
    ]
    subscription = a_subscription(company, items=items)
    bill(company, TODAY)
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 1, 20)
    bill(company, date(2026, 1, 20))
    assert lines_of(subscription) == [("2026-01-01", "base", 500), ("2026-01-20", "one_off", 8000)]
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 2, 1)


def test_a_set_up_of_a_trial_is_due_at_the_start_and_its_periods_are_not() -> None:
    company = a_company()
    plan = a_plan(
        company, items=[an_item(company, "10"), an_item(company, "99", kind="one_off")], trial_days=14,
        trial_end="cancel",
    )  # fmt: skip
    subscription = a_subscription(company, plan=plan)
    assert subscription.next_bill_on == TODAY
    bill(company, TODAY)
    assert lines_of(subscription) == [("2026-01-01", "one_off", 9900)]
    subscription.refresh_from_db()
    # Nobody knows yet whether it goes on.
    assert subscription.next_bill_on is None


def test_an_add_on_is_billed_in_the_trial_for_the_days_up_to_the_first_boundary() -> None:
    company = a_company()
    items = [an_item(company, "10"), an_item(company, "31", is_optional=True)]
    plan = a_plan(company, items=items, trial_days=14)
    extra = plan.items.get(is_optional=True)
    subscription = a_subscription(company, plan=plan, add_ons=[ItemSpec(extra.product)])
    bill(company, date(2026, 1, 15))
    rows = InvoiceLine.objects.filter(subscription=subscription).order_by("invoice_id", "position")
    # The boundary is 15 January; 14 of the 31 days from 15 December: 31.00 x 14 / 31.
    assert [(str(row.period_start), str(row.period_end), row.amount_minor) for row in rows] == [
        ("2026-01-01", "2026-01-15", 1400),
        ("2026-01-15", "2026-02-15", 1000),
        ("2026-01-15", "2026-02-15", 3100),
    ]


def test_days_of_an_add_on_after_a_trial_that_was_canceled_come_back() -> None:
    company = a_company()
    items = [an_item(company, "10"), an_item(company, "31", is_optional=True)]
    plan = a_plan(company, items=items, trial_days=14, trial_end="cancel")
    extra = plan.items.get(is_optional=True)
    subscription = a_subscription(company, plan=plan, add_ons=[ItemSpec(extra.product)])
    bill(company, TODAY)
    day = date(2026, 1, 4)
    acts.cancel(subscription=subscription, timing="now", override=True, override_reason="asked", by=BY,
                at=set_clock(company, day), on=day)  # fmt: skip
    # 14 days cost 14.00; 10 of them are left after 4 January.
    assert CreditNote.objects.get().net_minor == 1000
    bill(company, date(2026, 3, 1))
    assert lines_of(subscription) == [("2026-01-01", "base", 1400)]


def test_one_added_is_billed_today_and_its_preview_says_so() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, TODAY)
    day = date(2026, 1, 10)
    at = set_clock(company, day)

    def act(token: str | None = None) -> acts.ActResult:
        return acts_items.add_one_off(
            subscription=subscription, product=product, unit_amount=Decimal("12.345"), quantity=Decimal(3),
            description="Move of the data", by=BY, at=at, preview_token=token,
        )  # fmt: skip

    product = a_product(company)
    seen = previews.preview(act)
    # 3 x 12.345 = 37.035, rounded half up; 19 % of it is 7.04.
    assert [(document.net, document.tax) for document in seen.documents] == [(3704, 704)]
    assert OneOff.objects.count() == 0
    result = act(seen.token)
    line = InvoiceLine.objects.get(invoice_id=result.settlement.invoice_ids[0])
    assert (line.description, line.amount_minor, line.kind) == ("Move of the data", 3704, "one_off")
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 2, 1)


def test_one_added_may_wait_for_its_service_day_or_be_billed_now() -> None:
    company = a_company()
    subscription, product = a_subscription(company), a_product(company)
    bill(company, TODAY)
    at = set_clock(company, TODAY)
    later = {"product": product, "unit_amount": Decimal(7), "service_on": date(2026, 1, 25), "by": BY, "at": at}
    assert acts_items.add_one_off(subscription=subscription, **later).settlement.invoice_ids == []
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 1, 25)
    assert len(acts_items.add_one_off(subscription=subscription, bill_now=True, **later).settlement.invoice_ids) == 1
    waiting = OneOff.objects.get(line_id=None)
    assert len(acts_items.bill_one_off(one_off=waiting, by=BY, at=at).settlement.invoice_ids) == 1
    assert [row[1:] for row in lines_of(subscription)] == [("base", 1000), ("one_off", 700), ("one_off", 700)]
    # Both are taxed and explained by the day of their supply.
    assert {line.calculation["service_on"] for line in InvoiceLine.objects.filter(kind="one_off")} == {"2026-01-25"}


def test_one_is_canceled_before_it_is_billed_and_not_after() -> None:
    company = a_company()
    subscription, product = a_subscription(company), a_product(company)
    bill(company, TODAY)
    at = set_clock(company, TODAY)
    acts_items.add_one_off(
        subscription=subscription, product=product, unit_amount=Decimal(7), service_on=date(2026, 1, 25), by=BY, at=at
    )
    one_off = subscription.one_offs.get()
    acts_items.cancel_one_off(one_off=one_off, by=BY, at=at)
    acts_items.cancel_one_off(one_off=one_off, by=BY, at=at)
    bill(company, date(2026, 1, 31))
    assert lines_of(subscription) == [("2026-01-01", "base", 1000)]
    acts_items.add_one_off(
        subscription=subscription, product=product, unit_amount=Decimal(7), by=BY, at=company.clock_at
    )
    billed = subscription.one_offs.get(line_id__isnull=False)
    refused(lambda: acts_items.cancel_one_off(one_off=billed, by=BY, at=at), "one_off.billed")
    refused(lambda: acts_items.bill_one_off(one_off=one_off, by=BY, at=at), "one_off.canceled")


def test_a_new_service_day_moves_the_due_day() -> None:
    company = a_company()
    subscription, product = a_subscription(company), a_product(company)
    bill(company, TODAY)
    at = set_clock(company, TODAY)
    acts_items.add_one_off(
        subscription=subscription, product=product, unit_amount=Decimal(7), service_on=date(2026, 1, 25), by=BY, at=at
    )
    one_off = subscription.one_offs.get()
    acts_items.move_one_off(one_off=one_off, service_on=date(2026, 1, 12), by=BY, at=at)
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 1, 12)
    refused(
        lambda: acts_items.move_one_off(one_off=one_off, service_on=date(2025, 12, 31), by=BY, at=at),
        "subscription.service_before_start",
    )


def test_what_was_to_be_supplied_after_the_end_is_not_billed() -> None:
    company = a_company()
    subscription, product = a_subscription(company), a_product(company)
    bill(company, TODAY)
    at = set_clock(company, TODAY)
    acts_items.add_one_off(
        subscription=subscription, product=product, unit_amount=Decimal(7), service_on=date(2026, 3, 25), by=BY, at=at
    )
    acts.cancel(subscription=subscription, timing="period_end", by=BY, at=at)
    subscription.refresh_from_db()
    assert (subscription.ends_on, subscription.next_bill_on) == (date(2026, 1, 31), None)
    bill(company, date(2026, 4, 1))
    assert lines_of(subscription) == [("2026-01-01", "base", 1000)]
    late = {"product": product, "unit_amount": Decimal(7), "by": BY}
    refused(lambda: acts_items.add_one_off(subscription=subscription, at=at_noon(date(2026, 2, 3)), **late),
            "subscription.service_after_end")  # fmt: skip


def test_an_end_taken_back_lets_it_be_supplied_again() -> None:
    company = a_company()
    subscription, product = a_subscription(company), a_product(company)
    bill(company, TODAY)
    at = set_clock(company, TODAY)
    acts_items.add_one_off(
        subscription=subscription, product=product, unit_amount=Decimal(7), service_on=date(2026, 3, 25), by=BY, at=at
    )
    acts.cancel(subscription=subscription, timing="period_end", by=BY, at=at)
    acts.undo_cancel(subscription=subscription, by=BY, at=at)
    bill(company, date(2026, 3, 25))
    assert ("2026-03-25", "one_off", 700) in lines_of(subscription)


def test_a_line_of_one_is_credited_by_hand_as_any_other() -> None:
    company = a_company()
    subscription = a_subscription(company)
    acts_items.add_one_off(
        subscription=subscription, product=a_product(company), unit_amount=Decimal(80), by=BY, at=at_noon(TODAY)
    )
    line = InvoiceLine.objects.get(kind="one_off")
    note = credit_invoice(
        invoice=line.invoice, lines={line.pk: 3000}, reason="Late", at=company.clock_at, by=BY
    )  # fmt: skip
    assert (note.net_minor, note.tax_minor) == (3000, 570)


def test_voided_to_be_billed_again_it_is_billed_again() -> None:
    company = a_company()
    plan = a_plan(company, items=[an_item(company, "10"), an_item(company, "99", kind="one_off")])
    subscription = a_subscription(company, plan=plan)
    bill(company, TODAY)
    at = set_clock(company, date(2026, 1, 5))
    voiding.void(invoice=Invoice.objects.get(), reason="Wrong address", at=at, by=BY)
    bill(company, date(2026, 1, 5))
    assert lines_of(subscription)[2:] == [("2026-01-01", "base", 1000), ("2026-01-05", "one_off", 9900)]
    assert subscription.one_offs.get().line_id == InvoiceLine.objects.filter(kind="one_off").order_by("-pk")[0].pk


def test_one_that_costs_nothing_is_done_with_its_document() -> None:
    company = a_company()
    items = [ItemSpec(a_product(company), unit_amount=Decimal(0))]
    subscription = a_subscription(company, items=[*items, ItemSpec(a_product(company), unit_amount=Decimal(0),
                                                                    kind="one_off")])  # fmt: skip
    assert bill(company, TODAY).invoice_ids == []
    once = subscription.one_offs.get()
    assert (once.due_on, once.line_id) == (None, None)
    assert bill(company, TODAY).invoice_ids == []


def test_a_draft_written_anew_bills_it_again_and_lets_it_be_canceled() -> None:
    from tests.billing.test_windows import run

    company = a_company(draft_hours=48)
    plan = a_plan(company, items=[an_item(company, "10"), an_item(company, "99", kind="one_off")])
    subscription = a_subscription(company, plan=plan)
    run(company, TODAY)
    assert [line.amount_minor for line in InvoiceLine.objects.order_by("position")] == [1000, 9900]
    acts_items.cancel_one_off(one_off=subscription.one_offs.get(), by=BY, at=at_noon(TODAY))
    assert [line.amount_minor for line in InvoiceLine.objects.all()] == [1000]
    assert Invoice.objects.get().sequence is None


@pytest.mark.parametrize(("currency", "amount", "minor"), [("JPY", "1234.5", 1235), ("KWD", "1.2345", 1235)])
def test_its_amount_is_rounded_once_to_the_currency(currency: str, amount: str, minor: int) -> None:
    company = a_company(currency=currency)
    items = [
        ItemSpec(a_product(company), unit_amount=Decimal(5)),
        ItemSpec(a_product(company), unit_amount=Decimal(amount), kind="one_off"),
    ]
    a_subscription(company, items=items)
    bill(company, TODAY)
    assert InvoiceLine.objects.get(kind="one_off").amount_minor == minor


def test_gross_prices_contain_their_tax() -> None:
    company = a_company()
    gross = {"tax_behavior": "inclusive"}
    items = [an_item(company, "10", price=gross), an_item(company, "119", kind="one_off", price=gross)]
    subscription = a_subscription(company, plan=a_plan(company, items=items))
    bill(company, TODAY)
    line = InvoiceLine.objects.get(kind="one_off")
    # 129.00 gross contain 129.00 x 19 / 119 = 20.60; the line's part of the net 108.40 is 100.00.
    assert (line.amount_minor, line.net_minor) == (11900, 10000)
    assert (line.invoice.gross_minor, line.invoice.tax_minor) == (12900, 2060)
    assert subscription.tax_behavior == "inclusive"


def test_a_price_of_a_period_is_none_of_a_single_charge() -> None:
    company = a_company()
    plan = a_rich_plan(company)
    subscription = a_subscription(company, plan=plan)
    base, once = plan.items.get(position=1), plan.items.get(kind="one_off")
    call = {"subscription": subscription, "by": BY, "at": at_noon(TODAY)}
    refused(lambda: acts_items.add_one_off(product=base.product, **call), "subscription.no_price")
    acts_items.add_one_off(product=once.product, **call)
    added = subscription.one_offs.order_by("-pk")[0]
    assert (added.unit_amount, added.price_id) == (Decimal(99), once.prices.get().pk)


def test_a_tiered_price_is_kept_with_its_steps() -> None:
    company = a_company()
    subscription = a_subscription(company)
    tiers = {"tiers": [{"up_to": "10", "unit_price": "2", "flat_fee": "5"}, {"unit_price": "1.5"}]}
    acts_items.add_one_off(
        subscription=subscription, product=a_product(company), model="graduated", details=tiers, quantity=Decimal(14),
        by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    line = InvoiceLine.objects.get(kind="one_off")
    # 10 x 2.00 + 5.00 + 4 x 1.50.
    assert line.amount_minor == 3100
    assert [(step["step"], step["quantity"], step["amount"]) for step in line.calculation["steps"]] == [
        ("tier_units", "10", "20"), ("tier_fee", "1", "5"), ("tier_units", "4", "6"),
    ]  # fmt: skip
