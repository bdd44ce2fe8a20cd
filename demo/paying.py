"""Customers who pay: a tick of the test company. Each pays its invoices by its habit, on days banks are open.

It touches nobody else's company, and a day asked twice pays nothing twice.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from billing.models import InvoiceBalance
from billing.services import payments
from core import clock
from core.actors import Actor
from core.models import Company
from core.services import ticks
from demo import cashless
from demo.company import SLUG

BY = Actor.system("Bank")
#: Days after the invoice (prompt) or after the due day (all others), from and to.
DAYS = {"prompt": (2, 9), "due": (-3, 1), "late": (6, 24), "slow": (35, 75)}


@ticks.tick(
    "demo.payments", order=60, every=timedelta(hours=6), title=_("Payments in the demo"),
    text=_("Lets the customers of the demo company pay by their habits."),
)  # fmt: skip
def pay_tick(company: Company, at: datetime) -> dict[str, Any]:
    """What customers of the test company pay today."""
    if company.slug != SLUG or company.is_live:
        return {}
    on = clock.day_in(at, company.time_zone)
    return {"payments": pay(company, on, at), "debits": cashless.bank_day(company, on, at)}


def pay(company: Company, on: date, at: datetime) -> int:
    """Records the payments of that day; how many."""
    if on.weekday() >= 5:
        return 0
    rows = InvoiceBalance.objects.filter(company_id=company.pk, status=InvoiceBalance.Status.OPEN, open_minor__gt=0)
    count = 0
    for balance in rows.select_related("invoice__customer").order_by("payment_due_on", "pk"):
        invoice = balance.invoice
        habit = invoice.customer.metadata.get("pays")
        if (
            habit not in DAYS
            or invoice.issued_on is None
            or on < pay_day(habit, invoice.number, invoice.issued_on, balance.payment_due_on)
        ):
            continue
        payments.record(
            company=company,
            customer=invoice.customer,
            amount_minor=balance.open_minor,
            currency=balance.currency,
            method=_method(invoice.customer_id),
            received_on=on,
            invoice=invoice,
            reference=invoice.number,
            by=BY,
            at=at,
        )
        count += 1
    return count


def pay_day(habit: str, number: str, issued_on: date, due_on: date) -> date:
    """The day from which an invoice is paid; the same whenever it is asked."""
    draw = random.Random(number)  # noqa: S311  a story, no secret
    least, most = DAYS[habit]
    return (issued_on if habit == "prompt" else due_on) + timedelta(days=draw.randint(least, most))


def _method(customer_id: int) -> str:
    return ("transfer", "transfer", "transfer", "debit", "card", "paypal")[customer_id % 6]
