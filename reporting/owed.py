"""What was still owed on each invoice at the end of any day, from what was written when it happened.

The rule that matters: balances of today are never asked; an invoice's open amount is its total less what was paid,
credited and given up until that day, so that the sum over a customer is what the receivables account says.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from billing.models import Allocation, Claim, CreditNote, Invoice, InvoiceBalance, Posting
from core.models import Company

#: Age: its words, and the days overdue it goes up to; None: and more.
AGES: Final = {
    "not_due": (_("Not due yet"), 0),
    "1_30": (_("1 to 30 days late"), 30),
    "31_60": (_("31 to 60 days late"), 60),
    "61_90": (_("61 to 90 days late"), 90),
    "over_90": (_("More than 90 days late"), None),
}
_BIG = BigIntegerField()


def open_invoices(company: Company, on: date) -> QuerySet[Any]:
    """Issued invoices that were not settled at the end of the day, with `open_at` (minor units, above zero) and `age`.

    One that is closed since a day before that is left out unread: closed once more later, it would bear that day.
    """
    closed = Q(balance__status__in=[InvoiceBalance.Status.PAID, InvoiceBalance.Status.VOID], balance__closed_on__lte=on)
    issued = Invoice.objects.filter(company=company, sequence__isnull=False, issued_on__lte=on)
    return issued.exclude(closed).annotate(open_at=open_at(on), age=_age(on)).exclude(open_at=0)


def open_claims(company: Company, on: date) -> QuerySet[Any]:
    """Fees and interest for late payment that were neither paid nor waived at the end of the day, as `open_at`."""
    booked = Posting.objects.filter(cause_kind="claim", cause_id=OuterRef("pk"), booked_on__lte=on)
    owed_for = summed(booked.filter(account__role="receivable"), "cause_id", "amount_minor")
    return Claim.objects.filter(company=company).annotate(open_at=owed_for).exclude(open_at=0)


def _age(on: date) -> Any:
    """The key of `AGES`; on the day it is due an invoice is not late."""
    cases, before = list[Any](), None
    for key, (_words, most) in AGES.items():
        if most is None:
            continue
        cases.append(When(payment_due_on__gte=on - timedelta(days=most), then=Value(key)))
        before = key
    assert before is not None
    return Case(*cases, default=Value("over_90"))


def open_at(on: date) -> Any:
    """Total less money and account credit, less what notes settled, less what was given up and has not come since."""
    paid = summed(Allocation.objects.filter(invoice=OuterRef("pk"), allocated_on__lte=on), "invoice", "amount_minor")
    settled = summed(CreditNote.objects.filter(invoice=OuterRef("pk"), issued_on__lte=on), "invoice", "settled_minor")
    losses = Posting.objects.filter(cause_kind="write_off", cause_id=OuterRef("pk"), booked_on__lte=on)
    given_up = summed(losses.filter(account__role="write_off"), "cause_id", "amount_minor")
    lost = Case(When(Exists(losses), then=given_up + _recovered(on)), default=Value(0), output_field=_BIG)
    return F("gross_minor") - paid - settled - lost


def _recovered(on: date) -> Any:
    """What came back of a loss (below zero): by notes, and by money that named the invoice, its first allocation."""
    back = Posting.objects.filter(account__role="write_off", amount_minor__lt=0, booked_on__lte=on)
    notes = CreditNote.objects.filter(invoice=OuterRef(OuterRef("pk"))).values("pk")
    received = Allocation.objects.filter(invoice=OuterRef(OuterRef("pk")), amount_minor__gt=0, payment__isnull=False)
    earlier = Allocation.objects.filter(payment=OuterRef("payment"), amount_minor__gt=0, pk__lt=OuterRef("pk"))
    by_payment = received.exclude(Exists(earlier)).values("payment_id")
    return (
        summed(back.filter(cause_kind="credit_note", cause_id__in=notes), "cause_kind", "amount_minor")
        + summed(back.filter(cause_kind="allocation", cause_id__in=received.values("pk")), "cause_kind", "amount_minor")
        + summed(back.filter(cause_kind="payment", cause_id__in=by_payment), "cause_kind", "amount_minor")
    )


def summed(rows: QuerySet[Any], by: str, column: str) -> Any:
    """The sum of a column over the rows of the outer row; 0 without any."""
    totals = rows.order_by().values(by).annotate(total=Sum(column)).values("total")
    return Coalesce(Subquery(totals, output_field=_BIG), Value(0), output_field=_BIG)
