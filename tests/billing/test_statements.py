"""How many statements a chunk of a billing run sends: a fixed number, whatever is in it and however many they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import psycopg
import pytest

from billing.models import (
    Allocation,
    BillingChunk,
    CreditBalance,
    CreditUse,
    DiscountUse,
    Invoice,
    InvoiceLine,
    RatedUsage,
)  # fmt: skip
from billing.services import granting, running
from billing.services.crediting import credit_invoice
from core import clock
from core.models import Company
from customers.models import Customer
from subscriptions.models import AgreedDiscount, OneOff, Slot
from subscriptions.services.items import ItemSpec
from tests.billing.test_discounting import a_discount
from tests.billing.test_ends import pay
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock
from tests.subscriptions.metering import a_meter, a_usage_item, sent, take_in

pytestmark = pytest.mark.django_db
JAN, FEB = date(2026, 1, 1), date(2026, 2, 1)
SEATS = {"tiers": [{"up_to": "5", "unit_price": "4"}, {"unit_price": "3.50"}]}
CALLS = {"tiers": [{"up_to": "100", "unit_price": "0.10"}, {"unit_price": "0.05"}]}


@contextmanager
def statements() -> Iterator[list[str]]:
    """What goes to the database inside the block, COPY included; savepoints, which only tests need, are not."""
    found: list[str] = []
    with ExitStack() as stack:
        for name in ("execute", "copy"):
            real = getattr(psycopg.Cursor, name)

            def noting(self: Any, query: Any, *args: Any, _real: Any = real, **more: Any) -> Any:
                if "SAVEPOINT" not in str(query):
                    found.append(" ".join(str(query).split()))
                return _real(self, query, *args, **more)

            stack.enter_context(patch.object(psycopg.Cursor, name, noting))
        yield found


def chunk(company: Company, on: date) -> list[str]:
    """The statements of one chunk that bills everything due on that day."""
    set_clock(company, on)
    run = running.start(company=company, on=on, by=BY, at=clock.now(company))
    assert run is not None
    with statements() as found:
        running.bill_next(run)
    done = BillingChunk.objects.get(run=run)
    assert (done.state, done.parked_count) == ("done", 0)
    return found


@pytest.mark.parametrize("count", [1, 9])
def test_a_chunk_of_plain_subscriptions_takes_fifteen_statements(count: int) -> None:
    company = a_company(today=JAN)
    plan = a_plan(company)
    for _ in range(count):
        a_subscription(company, plan=plan)
    assert len(chunk(company, JAN)) == 15
    assert Invoice.objects.count() == count


@pytest.mark.parametrize("count", [1, 5])
def test_tiers_discounts_and_usage_take_no_statement_more(count: int) -> None:
    company = a_company(today=JAN)
    meter, off, plan = a_meter(company), a_discount(company), a_plan(company)
    seats = ItemSpec(
        product=a_product(company), quantity=Decimal(7), unit_amount=Decimal(0), model="graduated", details=SEATS,
        billed="arrears",
    )  # fmt: skip
    calls = a_usage_item(meter, "0", model="graduated", details=CALLS)
    rich = [a_subscription(company, items=[seats, calls], discounts=[off]) for _ in range(count)]
    for _ in range(count):
        a_subscription(company, plan=plan)
    set_clock(company, date(2026, 1, 31))
    take_in(company, *[sent(meter, one, f"2026-01-{day:02}T12:00:00Z", 25) for one in rich for day in range(1, 11)])
    found = chunk(company, FEB)
    assert len(found) == 15
    # 5 x 4.00 + 2 x 3.50 = 27.00, less a tenth; 100 x 0.10 + 150 x 0.05 = 17.50, less a tenth.
    amounts = InvoiceLine.objects.filter(discount_minor__gt=0).values_list("kind", "amount_minor")
    assert sorted(amounts) == sorted([("base", 2430), ("usage", 1575)] * count)
    assert (RatedUsage.objects.count(), DiscountUse.objects.count()) == (count, 2 * count)


def with_money(company: Company, customer: Customer) -> None:
    """Gives the customer 7.00 of account credit: back from a paid invoice."""
    a_subscription(company, customer)
    [invoice_id] = bill(company, JAN).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    pay(invoice)
    credit_invoice(invoice=invoice, gross_minor=700, reason="goodwill", by=BY, at=at_noon(JAN))


@pytest.mark.parametrize("count", [1, 3])
def test_what_a_chunk_uses_up_takes_no_statement_more(count: int) -> None:
    """A discount for one period and an amount off once, credit of two sources, a set-up and usage before its close."""
    company = a_company(today=JAN)
    meter = a_meter(company)
    discounts = [
        a_discount(company, duration="periods", periods=1), a_discount(company, amount_minor=100, duration="once"),
    ]  # fmt: skip
    base = ItemSpec(product=a_product(company), unit_amount=Decimal("50.00"))
    set_up = ItemSpec(product=a_product(company), unit_amount=Decimal("9.00"), kind="one_off")
    for _ in range(count):
        customer = a_customer(company)
        with_money(company, customer)
        set_clock(company, FEB)
        calls = a_usage_item(meter, "1.00", interim_minor=1000)
        user = a_subscription(company, customer, items=[base, calls, set_up], discounts=discounts, on=FEB)
        granting.grant(customer=customer, amount_minor=500, currency="EUR", reason="goodwill", by=BY, at=at_noon(FEB))
        take_in(company, sent(meter, user, "2026-02-01T09:00:00Z", 12))
    found = chunk(company, FEB)
    assert len(found) == 15, found
    assert RatedUsage.objects.filter(kind="interim", billed_minor=1200).count() == count
    assert OneOff.objects.filter(line_id__isnull=False, due_on=None).count() == count
    assert CreditUse.objects.values("credit").distinct().count() == Allocation.objects.count() == count
    assert set(CreditBalance.objects.values_list("left_minor", flat=True)) == {0}
    counted, once = (AgreedDiscount.objects.filter(duration=duration) for duration in ("periods", "once"))
    assert set(counted.values_list("periods_left", "until_on")) == {(0, date(2026, 3, 1))}
    assert set(counted.values_list("subscription__next_move_on", flat=True)) == {date(2026, 3, 1)}
    assert once.filter(ended_at=None).count() == 0
    assert Slot.objects.filter(usage_due_on__isnull=False).count() == 0


@pytest.mark.parametrize("count", [1, 3])
def test_late_usage_takes_no_statement_more(count: int) -> None:
    company = a_company(today=JAN)
    meter, base = a_meter(company), ItemSpec(product=a_product(company), unit_amount=Decimal("10.00"))
    users = [a_subscription(company, items=[base, a_usage_item(meter, "1.00")]) for _ in range(count)]
    chunk(company, FEB)
    take_in(company, *[sent(meter, user, "2026-01-20T12:00:00Z", 3) for user in users])
    assert len(chunk(company, date(2026, 3, 1))) == 15
    rated = RatedUsage.objects.filter(kind="late").values_list("period_start", "billed_minor")
    assert list(rated) == [(JAN, 300)] * count
