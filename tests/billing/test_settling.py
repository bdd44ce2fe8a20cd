"""Settling: worked examples of what is billed, when, and for how much. Amounts are derived in the comments."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import BilledDays, Invoice, InvoiceLine
from billing.services.settling import Settlement, settle
from core.models import Company
from subscriptions.models import Subscription
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, set_clock

pytestmark = pytest.mark.django_db


def bill(company: Company, on: date, **changes: Any) -> Settlement:
    """Settles all customers of the company on that day, with its clock there."""
    at = set_clock(company, on)
    customer_ids = list(company_customers(company))
    return settle(company=company, customer_ids=customer_ids, on=on, at=at, by=BY, **changes)


def company_customers(company: Company) -> list[int]:
    from customers.models import Customer

    return list(Customer.objects.filter(company=company).order_by("id").values_list("id", flat=True))


def lines_of(subscription: Subscription) -> list[tuple[str, str, int]]:
    rows = InvoiceLine.objects.filter(subscription=subscription).order_by("invoice__sequence", "position")
    return [(str(row.period_start), str(row.period_end), row.amount_minor) for row in rows]


def test_a_month_in_advance_is_billed_on_its_first_day() -> None:
    company = a_company(today=date(2026, 1, 1))
    subscription = a_subscription(company, on=date(2026, 1, 1))
    assert bill(company, date(2025, 12, 31)).invoice_ids == []
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    # 10.00 net, 19 % tax.
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (1000, 190, 1190)
    assert (invoice.number, str(invoice.issued_on), str(invoice.payment_due_on)) == (
        "TEST-INV-2026-000001", "2026-01-01", "2026-01-15",
    )  # fmt: skip
    assert lines_of(subscription) == [("2026-01-01", "2026-02-01", 1000)]
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 2, 1)
    assert (invoice.balance.status, invoice.balance.open_minor) == ("open", 1190)


def test_settling_again_adds_nothing() -> None:
    company = a_company()
    a_subscription(company)
    assert len(bill(company, date(2026, 1, 1)).invoice_ids) == 1
    assert bill(company, date(2026, 1, 1)) == Settlement()
    assert Invoice.objects.count() == 1


def test_boundaries_of_the_31st_are_counted_from_the_anchor() -> None:
    company = a_company(today=date(2025, 12, 31))
    subscription = a_subscription(company, on=date(2025, 12, 31))
    outcome = bill(company, date(2026, 4, 30))
    assert lines_of(subscription) == [
        ("2025-12-31", "2026-01-31", 1000),
        ("2026-01-31", "2026-02-28", 1000),
        ("2026-02-28", "2026-03-31", 1000),
        ("2026-03-31", "2026-04-30", 1000),
        ("2026-04-30", "2026-05-31", 1000),
    ]
    # Five due days, five invoices, oldest first.
    invoices = Invoice.objects.filter(pk__in=outcome.invoice_ids).order_by("sequence")
    assert [str(invoice.charge_due_on) for invoice in invoices] == [
        "2025-12-31",
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]


def test_a_first_stub_costs_its_share_of_the_full_period() -> None:
    company = a_company(today=date(2026, 1, 20))
    plan = a_plan(company, amount="10.00", rules={"anchor_rule": "calendar"})
    subscription = a_subscription(company, plan=plan, on=date(2026, 1, 20))
    bill(company, date(2026, 2, 1))
    # 12 of 31 days: 10.00 x 12/31 = 3.870..., rounded half up.
    assert lines_of(subscription) == [("2026-01-20", "2026-02-01", 387), ("2026-02-01", "2026-03-01", 1000)]
    calculation = InvoiceLine.objects.get(amount_minor=387).calculation
    assert (calculation["share"], calculation["full_start"], calculation["full_end"]) == (
        "12/31", "2026-01-01", "2026-02-01",
    )  # fmt: skip


def test_a_period_in_arrears_is_billed_the_day_after_its_end() -> None:
    company = a_company()
    plan = a_plan(company, price={"billed": "arrears"})
    subscription = a_subscription(company, plan=plan)
    assert bill(company, date(2026, 1, 31)).invoice_ids == []
    bill(company, date(2026, 2, 1))
    assert lines_of(subscription) == [("2026-01-01", "2026-02-01", 1000)]


def test_charges_of_one_customer_and_day_share_an_invoice() -> None:
    company = a_company()
    customer = a_customer(company)
    a_subscription(company, customer)
    a_subscription(company, customer, a_plan(company, amount="5.55"))
    a_subscription(company, customer, a_plan(company, amount="7.00", payment_terms_days=30))
    outcome = bill(company, date(2026, 1, 1))
    nets = Invoice.objects.filter(pk__in=outcome.invoice_ids).order_by("sequence").values_list("net_minor", flat=True)
    # 10.00 + 5.55 share terms; 7.00 has others.
    assert list(nets) == [1555, 700]


def test_gross_prices_contain_their_tax_and_lines_add_up() -> None:
    company = a_company()
    customer = a_customer(company, kind="person")
    plan = a_plan(company, amount="11.90", price={"tax_behavior": "inclusive"})
    a_subscription(company, customer, plan)
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (1000, 190, 1190)
    [line] = invoice.lines.all()
    assert (line.amount_minor, line.net_minor) == (1190, 1000)


def test_yen_have_no_cents() -> None:
    company = a_company(currency="JPY")
    customer = a_customer(company, country="JP")
    a_subscription(company, customer, a_plan(company, amount="980.5", currency="JPY"))
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    # 980.5 rounds half up to 981; a business in Japan is outside the scope of the tax.
    assert (invoice.gross_minor, invoice.tax_rows[0]["category"]) == (981, "O")


def test_a_period_that_costs_nothing_counts_as_billed_without_a_document() -> None:
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, amount="0"))
    assert bill(company, date(2026, 1, 1)).invoice_ids == []
    [days] = BilledDays.objects.filter(slot__subscription=subscription)
    assert (str(days.days.lower), str(days.days.upper), days.line_id) == ("2026-01-01", "2026-02-01", None)
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 2, 1)


def test_a_company_may_issue_zero_invoices() -> None:
    company = a_company(issues_zero_invoices=True)
    a_subscription(company, plan=a_plan(company, amount="0"))
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    assert Invoice.objects.get(pk=invoice_id).balance.status == "paid"


def test_quantities_multiply_and_flat_prices_do_not() -> None:
    company = a_company()
    from subscriptions.services.starting import ItemSpec

    product = a_product(company)
    items = [
        ItemSpec(product=product, quantity=Decimal(3), unit_amount=Decimal("9.99")),
        ItemSpec(product=product, quantity=Decimal(3), unit_amount=Decimal("5"), model="flat"),
    ]
    subscription = a_subscription(company, items=items, currency="EUR")
    bill(company, date(2026, 1, 1))
    assert [line[2] for line in lines_of(subscription)] == [2997, 500]
