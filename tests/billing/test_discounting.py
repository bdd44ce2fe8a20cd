"""Discounts on documents: what each line takes, what is left, what comes back. Amounts are derived in the comments."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import CreditNote, DiscountUse, Invoice, InvoiceLine, Snapshot
from billing.services import acts_discounting, voiding
from billing.services.crediting import GiveBack, give_back
from billing.services.settling import Settlement, settle
from catalog.models import Discount
from catalog.services import discounts
from core.models import Company
from subscriptions.models import AgreedDiscount, Subscription
from subscriptions.services.starting import ItemSpec
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db

JAN, FEB, MAR, APR = (date(2026, month, 1) for month in (1, 2, 3, 4))
_codes = iter(range(1, 10_000))


def a_discount(company: Company, **changes: Any) -> Discount:
    """10 % for good unless said otherwise."""
    values: dict[str, Any] = {"code": f"discount-{next(_codes)}", "name": {company.language: "Friends"}}
    if "amount_minor" not in changes:
        values["percent"] = Decimal(10)
    elif "currency" not in changes:
        values["currency"] = "EUR"
    return discounts.create_discount(company=company, **(values | changes), by=BY, at=at_noon(JAN))


def bill(company: Company, on: date, **changes: Any) -> Settlement:
    from customers.models import Customer

    at = set_clock(company, on)
    ids = list(Customer.objects.filter(company=company).order_by("id").values_list("id", flat=True))
    return settle(company=company, customer_ids=ids, on=on, at=at, by=BY, **changes)


def items_of(company: Company, *amounts: str, **changes: Any) -> list[ItemSpec]:
    return [ItemSpec(a_product(company), unit_amount=Decimal(amount), **changes) for amount in amounts]


def taken(subscription: Subscription) -> list[tuple[str, int, int]]:
    """Per line: first day, amount after discounts, discount."""
    rows = InvoiceLine.objects.filter(subscription=subscription).order_by("invoice__charge_due_on", "position")
    return [(str(row.period_start), row.amount_minor, row.discount_minor) for row in rows]


def test_a_percent_lowers_the_line_before_tax() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company)])
    [invoice_id] = bill(company, JAN).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    # 10.00 less 10 % = 9.00; 19 % tax on 9.00 = 1.71.
    assert taken(subscription) == [("2026-01-01", 900, 100)]
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (900, 171, 1071)


def test_a_line_keeps_what_each_discount_took() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company)])
    bill(company, JAN)
    agreed = AgreedDiscount.objects.get(subscription=subscription)
    assert InvoiceLine.objects.get().calculation["discounts"] == [
        {"id": agreed.ref, "name": "Friends", "percent": "10", "taken_minor": 100}
    ]
    use = DiscountUse.objects.get()
    assert (use.agreed_id, use.line_id, use.amount_minor, use.period_used) == (
        agreed.pk, InvoiceLine.objects.get().pk, 100, False,
    )  # fmt: skip


def test_an_amount_is_spread_by_largest_remainder() -> None:
    company = a_company()
    discount = a_discount(company, amount_minor=1000)
    subscription = a_subscription(company, items=items_of(company, "100", "50", "30"), discounts=[discount])
    bill(company, JAN)
    # 10.00 over 100, 50 and 30: 5.555.., 2.777.., 1.666..; floors 5.55, 2.77, 1.66, the two cents left go to the
    # largest remainders, 50's .777 and 30's .666.
    assert [row[2] for row in taken(subscription)] == [555, 278, 167]


def test_percents_come_before_an_older_amount_of_a_wider_scope() -> None:
    company = a_company()
    items = items_of(company, "100", "100")
    amount = a_discount(company, amount_minor=1000)
    percent = a_discount(company, percent=Decimal(20), scope="product", product=items[0].product)
    subscription = a_subscription(company, items=items, discounts=[amount, percent])
    bill(company, JAN)
    # The product's 20 % first: 80 and 100 are left. 10.00 over them: 4.444.., 5.555.. = 4.44 and 5.56.
    assert [row[1:] for row in taken(subscription)] == [(7556, 2444), (9444, 556)]


def test_percents_multiply() -> None:
    company = a_company()
    one, two = a_discount(company), a_discount(company, percent=Decimal(50))
    subscription = a_subscription(company, discounts=[one, two])
    bill(company, JAN)
    # 10.00 x 0.9 x 0.5 = 4.50
    assert taken(subscription) == [("2026-01-01", 450, 550)]


def test_an_amount_given_once_carries_its_rest_forward() -> None:
    company = a_company()
    discount = a_discount(company, amount_minor=2500, duration="once")
    subscription = a_subscription(company, plan=a_plan(company, amount="20.00"), discounts=[discount])
    bill(company, JAN)
    agreed = AgreedDiscount.objects.get()
    assert (agreed.left_minor, agreed.ended_at) == (500, None)
    bill(company, MAR)
    # January costs nothing and leaves 5.00 for February.
    assert taken(subscription) == [("2026-02-01", 1500, 500), ("2026-03-01", 2000, 0)]
    agreed.refresh_from_db()
    assert (agreed.left_minor, agreed.ended_at) == (0, at_noon(MAR))


def test_a_percent_given_once_acts_on_one_document() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company, duration="once")])
    bill(company, FEB)
    assert taken(subscription) == [("2026-01-01", 900, 100), ("2026-02-01", 1000, 0)]


def test_a_stub_takes_the_discount_without_using_up_a_period() -> None:
    company = a_company(today=date(2026, 1, 20))
    plan = a_plan(company, amount="31.00", rules={"anchor_rule": "calendar"})
    discount = a_discount(company, duration="periods", periods=2)
    subscription = a_subscription(company, plan=plan, on=date(2026, 1, 20), discounts=[discount])
    bill(company, date(2026, 1, 20))
    # 12 of 31 days of 31.00 = 12.00, less 10 %.
    assert taken(subscription) == [("2026-01-20", 1080, 120)]
    assert AgreedDiscount.objects.get().periods_left == 2
    bill(company, APR)
    assert [row[2] for row in taken(subscription)] == [120, 310, 310, 0]
    agreed = AgreedDiscount.objects.get()
    assert (agreed.periods_left, agreed.until_on, agreed.next_change_on) == (0, APR, APR)


def test_a_recurring_amount_is_scaled_by_the_share_of_the_period() -> None:
    company = a_company(today=date(2026, 1, 20))
    plan = a_plan(company, amount="31.00", rules={"anchor_rule": "calendar"})
    discount = a_discount(company, amount_minor=310)
    subscription = a_subscription(company, plan=plan, on=date(2026, 1, 20), discounts=[discount])
    bill(company, FEB)
    # 3.10 x 12/31 = 1.20 off the stub, all of it off February.
    assert [row[2] for row in taken(subscription)] == [120, 310]


def test_a_run_that_catches_up_counts_periods_in_order() -> None:
    company = a_company()
    discount = a_discount(company, duration="periods", periods=3)
    subscription = a_subscription(company, discounts=[discount])
    bill(company, date(2026, 5, 1))
    assert [row[2] for row in taken(subscription)] == [100, 100, 100, 0, 0]
    assert list(DiscountUse.objects.order_by("due_on").values_list("due_on", flat=True)) == [JAN, FEB, MAR]


def test_a_year_and_a_month_due_on_one_day_use_up_one_period() -> None:
    company = a_company()
    monthly, yearly = items_of(company, "10"), items_of(company, "120", interval_unit="year")
    discount = a_discount(company, duration="periods", periods=2)
    subscription = a_subscription(company, items=[*monthly, *yearly], discounts=[discount])
    bill(company, MAR)
    assert taken(subscription) == [
        ("2026-01-01", 900, 100),
        ("2026-01-01", 10800, 1200),
        ("2026-02-01", 900, 100),
        ("2026-03-01", 1000, 0),
    ]


def test_a_gross_document_takes_the_discount_off_gross_amounts() -> None:
    company = a_company()
    plan = a_plan(company, amount="11.90", price={"tax_behavior": "inclusive"})
    offer = discounts.create_code(discount=a_discount(company, amount_minor=119), code="GROSS", by=BY, at=at_noon(JAN))
    subscription = a_subscription(company, plan=plan, offer_code="gross")
    [invoice_id] = bill(company, JAN).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    # 11.90 - 1.19 = 10.71 gross; its tax 10.71 x 19/119 = 1.71.
    assert (invoice.gross_minor, invoice.tax_minor, invoice.net_minor) == (1071, 171, 900)
    # Revenue is net: 9.00.
    assert subscription.slots.get().mrr_minor == 900
    offer.refresh_from_db()
    assert offer.use_count == 1


def test_a_document_that_costs_nothing_uses_up_a_period() -> None:
    company = a_company()
    discount = a_discount(company, percent=Decimal(100), duration="periods", periods=1)
    subscription = a_subscription(company, discounts=[discount])
    assert bill(company, JAN).invoice_ids == []
    use = DiscountUse.objects.get()
    assert (use.line_id, use.amount_minor, use.period_used) == (None, 1000, True)
    bill(company, FEB)
    assert taken(subscription) == [("2026-02-01", 1000, 0)]


def test_a_discount_of_another_currency_takes_nothing_and_one_of_a_price_only_its_own() -> None:
    company = a_company()
    plan = a_plan(company)
    price = plan.items.get().prices.get()
    discount = a_discount(company, scope="price", price=price)
    other = a_plan(company)
    subscription = a_subscription(company, plan=plan, discounts=[discount])
    plain = a_subscription(company, plan=other)
    bill(company, JAN)
    assert (taken(subscription), taken(plain)) == ([("2026-01-01", 900, 100)], [("2026-01-01", 1000, 0)])


def test_a_credit_note_gives_back_what_was_charged_after_the_discount() -> None:
    company = a_company()
    discount = a_discount(company, amount_minor=25000, duration="once")
    subscription = a_subscription(company, plan=a_plan(company, amount="399.00"), discounts=[discount])
    bill(company, JAN)
    line = InvoiceLine.objects.get(subscription=subscription)
    assert (line.amount_minor, line.discount_minor) == (14900, 25000)
    # 262.60 of 399.00 is 26260/39900 of the line: 149.00 x 26260/39900 = 98.06; nothing more is left than 149.00.
    [note] = give_back(
        company=company, invoice_lines=[GiveBack(line.pk, 9806)], cause="manual", reason="x", at=at_noon(JAN), by=BY
    )
    assert (note.net_minor, note.tax_minor, note.gross_minor) == (9806, 1863, 11669)
    assert AgreedDiscount.objects.get().left_minor == 0


def test_crediting_a_whole_period_gives_its_use_back() -> None:
    company = a_company()
    discount = a_discount(company, duration="periods", periods=1)
    subscription = a_subscription(company, discounts=[discount])
    bill(company, JAN)
    line = InvoiceLine.objects.get()
    assert AgreedDiscount.objects.get().periods_left == 0
    give_back(
        company=company, invoice_lines=[GiveBack(line.pk, release=(JAN, FEB))], cause="manual", reason="x",
        at=at_noon(JAN), by=BY,
    )  # fmt: skip
    agreed = AgreedDiscount.objects.get()
    assert (agreed.periods_left, agreed.until_on) == (1, None)
    assert list(DiscountUse.objects.order_by("pk").values_list("amount_minor", flat=True)) == [100, -100]
    bill(company, MAR)
    assert [row[2] for row in taken(subscription)] == [100, 100, 0]


def test_crediting_part_of_a_period_gives_no_use_back() -> None:
    company = a_company()
    a_subscription(company, discounts=[a_discount(company, duration="periods", periods=1)])
    bill(company, JAN)
    give_back(
        company=company, invoice_lines=[GiveBack(InvoiceLine.objects.get().pk, release=(date(2026, 1, 15), FEB))],
        cause="manual", reason="x", at=at_noon(JAN), by=BY,
    )  # fmt: skip
    # 17 of 31 days of 9.00 = 4.94
    assert CreditNote.objects.get().net_minor == 494
    assert AgreedDiscount.objects.get().periods_left == 0


def test_a_voided_invoice_is_billed_again_with_its_discount() -> None:
    company = a_company()
    discount = a_discount(company, amount_minor=400, duration="once")
    subscription = a_subscription(company, discounts=[discount])
    [invoice_id] = bill(company, JAN).invoice_ids
    voiding.void(invoice=Invoice.objects.get(pk=invoice_id), reason="x", at=at_noon(JAN), by=BY)
    agreed = AgreedDiscount.objects.get()
    assert (agreed.left_minor, agreed.ended_at) == (400, None)
    bill(company, JAN)
    assert taken(subscription) == [("2026-01-01", 600, 400), ("2026-01-01", 600, 400)]
    assert AgreedDiscount.objects.get().left_minor == 0


def test_a_period_used_on_two_lines_comes_back_with_the_last_of_them() -> None:
    company = a_company()
    discount = a_discount(company, duration="periods", periods=1)
    a_subscription(company, items=items_of(company, "10", "20"), discounts=[discount])
    bill(company, JAN)
    first, second = InvoiceLine.objects.order_by("position")
    for line, left in ((first, 0), (second, 1)):
        give_back(
            company=company, invoice_lines=[GiveBack(line.pk, release=(JAN, FEB))], cause="manual", reason="x",
            at=at_noon(JAN), by=BY,
        )  # fmt: skip
        assert AgreedDiscount.objects.get().periods_left == left


def test_a_discount_given_today_acts_from_the_next_period_on() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, JAN)
    at = set_clock(company, date(2026, 1, 15))
    result = acts_discounting.give(subscription=subscription, discount=a_discount(company), by=BY, at=at)
    assert (result.settlement.invoice_ids, result.mrr_before, result.mrr_after) == ([], 1000, 900)
    bill(company, FEB)
    assert taken(subscription) == [("2026-01-01", 1000, 0), ("2026-02-01", 900, 100)]


def test_a_discount_given_on_a_day_that_is_billed_leaves_its_period_alone() -> None:
    company = a_company()
    subscription = a_subscription(company)
    bill(company, JAN)
    acts_discounting.give(subscription=subscription, discount=a_discount(company), by=BY, at=at_noon(JAN))
    assert AgreedDiscount.objects.get().from_on == date(2026, 1, 2)
    assert subscription.slots.get().mrr_minor == 1000


def test_taking_a_discount_back_leaves_the_running_period_alone() -> None:
    company = a_company()
    subscription = a_subscription(company, discounts=[a_discount(company)])
    bill(company, JAN)
    at = set_clock(company, date(2026, 1, 15))
    result = acts_discounting.end(agreed=AgreedDiscount.objects.get(), by=BY, at=at)
    assert (result.mrr_before, result.mrr_after) == (900, 1000)
    assert CreditNote.objects.count() == 0
    bill(company, FEB)
    assert taken(subscription) == [("2026-01-01", 900, 100), ("2026-02-01", 1000, 0)]


def test_a_snapshot_says_what_stood_before_only_where_there_was_a_discount() -> None:
    company = a_company()
    a_subscription(company, discounts=[a_discount(company)])
    a_subscription(company)
    bill(company, JAN)
    bodies = [json.loads(row.body)["lines"][0] for row in Snapshot.objects.order_by("document_id")]
    assert [(body["amount"], body.get("discount")) for body in bodies] == [(900, 100), (1000, None)]


def test_statements_do_not_grow_with_the_number_of_discounted_subscriptions() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def statements(count: int) -> int:
        company = a_company()
        discount = a_discount(company, duration="periods", periods=3)
        customer = a_customer(company)
        for _ in range(count):
            a_subscription(company, customer, discounts=[discount])
        with CaptureQueriesContext(connection) as found:
            bill(company, JAN)
        return len(found)

    assert statements(1) == statements(4)


def test_a_true_up_knows_no_discount() -> None:
    company = a_company()
    discount = a_discount(company, amount_minor=1000)
    lines = {}
    for name, given in (("with", [discount]), ("without", [])):
        subscription = a_subscription(
            company, plan=a_plan(company, amount="30.00"), overrides={"minimum_amount": Decimal(100)}, discounts=given
        )
        bill(company, FEB)
        rows = InvoiceLine.objects.filter(subscription=subscription, kind="minimum")
        lines[name] = [(row.amount_minor, row.discount_minor) for row in rows]
    # January's 30.00 count before the discount: 70.00 are missing of 100.00, with a discount and without.
    assert lines == {"with": [(7000, 0)], "without": [(7000, 0)]}


def test_a_change_in_a_discounted_period_keeps_its_discount() -> None:
    from billing.services import acts_changing
    from subscriptions.services.change_specs import ItemChange

    company = a_company()
    discount = a_discount(company, duration="periods", periods=1)
    subscription = a_subscription(company, plan=a_plan(company, amount="31.00"), discounts=[discount])
    bill(company, JAN)
    at = set_clock(company, date(2026, 1, 17))
    slot = subscription.slots.get()
    acts_changing.change(
        subscription=subscription, items=[ItemChange(slot=slot, unit_amount=Decimal(62))], timing="now", by=BY, at=at
    )
    bill(company, FEB)
    rows = InvoiceLine.objects.filter(subscription=subscription).order_by("pk")
    # January 31.00 less a tenth; the dearer price for 15 of 31 days is 15.00 more, less a tenth; February pays in full.
    found = [(str(row.period_start), row.amount_minor, row.discount_minor) for row in rows]
    assert found[0] == ("2026-01-01", 2790, 310)
    assert found[-1] == ("2026-02-01", 6200, 0)
    assert sum(row[1] for row in found[1:-1]) - sum(CreditNote.objects.values_list("net_minor", flat=True)) == 1350


def test_a_draft_uses_no_discount_until_it_is_issued() -> None:
    from billing.services import approving, running

    company = a_company(draft_hours=24)
    subscription = a_subscription(company, discounts=[a_discount(company, duration="periods", periods=2)])
    run = running.start(company=company, on=JAN, by=BY, at=set_clock(company, JAN))
    assert run is not None
    running.work(run)
    draft = Invoice.objects.get(sequence__isnull=True)
    assert (draft.net_minor, DiscountUse.objects.count()) == (900, 0)
    approving.issue(invoice=draft, by=BY, at=at_noon(JAN))
    assert taken(subscription) == [("2026-01-01", 900, 100)]
    assert AgreedDiscount.objects.get().periods_left == 1


def test_the_preview_of_another_act_knows_discounts_given_later() -> None:
    from billing.services import acts

    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company))
    bill(company, JAN)
    acts_discounting.give(
        subscription=subscription, discount=a_discount(company), by=BY, at=set_clock(company, date(2026, 1, 15))
    )
    at = set_clock(company, FEB)
    acts.move_due(company=company, at=at, by=BY)
    acts.cancel(subscription=subscription, timing="date", ends_on=date(2026, 12, 31), by=BY, at=at)
    result = acts.undo_cancel(subscription=subscription, by=BY, at=at)
    assert (result.mrr_before, result.mrr_after) == (900, 900)


def test_a_change_on_the_first_day_takes_the_discount_along() -> None:
    from billing.services import acts_changing
    from subscriptions.services.change_specs import ItemChange

    company = a_company()
    discount = a_discount(company, duration="periods", periods=1)
    subscription = a_subscription(company, plan=a_plan(company), discounts=[discount])
    bill(company, JAN)
    change = ItemChange(slot=subscription.slots.get(), unit_amount=Decimal(20))
    acts_changing.change(subscription=subscription, items=[change], timing="now", by=BY, at=at_noon(JAN))
    # January at 10.00 is given back whole with its period, and billed anew at 20.00 less a tenth.
    assert taken(subscription) == [("2026-01-01", 900, 100), ("2026-01-01", 1800, 200)]
    assert CreditNote.objects.get().net_minor == 900
    agreed = AgreedDiscount.objects.get()
    assert (agreed.periods_left, agreed.until_on) == (0, FEB)
    assert list(DiscountUse.objects.order_by("pk").values_list("amount_minor", flat=True)) == [100, -100, 200]
    bill(company, FEB)
    assert taken(subscription)[-1] == ("2026-02-01", 2000, 0)
