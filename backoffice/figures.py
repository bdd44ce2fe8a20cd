"""Figures beside the rows of a list, read for a whole page of rows at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from django.db.models import Q, Sum

from billing.models import CreditBalance, Invoice, InvoiceBalance
from subscriptions.models import Slot

Amounts = dict[str, int]  # minor units by currency


def open_by_customer(customer_ids: Iterable[int], *, overdue_on: date | None = None) -> dict[int, Amounts]:
    """What is still due, by customer and currency; with `overdue_on` only what was due before that day."""
    rows = InvoiceBalance.objects.filter(customer_id__in=list(customer_ids), status=InvoiceBalance.Status.OPEN)
    if overdue_on is not None:
        rows = rows.filter(payment_due_on__lt=overdue_on)
    return _gathered(rows.values_list("customer_id", "currency").annotate(Sum("open_minor")))


def credit_by_customer(customer_ids: Iterable[int]) -> dict[int, Amounts]:
    """Account credit left that is money, by customer and currency."""
    rows = CreditBalance.objects.filter(
        credit__customer_id__in=list(customer_ids), credit__source="money", left_minor__gt=0
    )
    return _gathered(rows.values_list("credit__customer_id", "credit__currency").annotate(Sum("left_minor")))


def mrr_by_customer(customer_ids: Iterable[int]) -> dict[int, Amounts]:
    """Monthly recurring revenue now, by customer and currency."""
    rows = Slot.objects.filter(subscription__customer_id__in=list(customer_ids), mrr_minor__gt=0)
    named = rows.values_list("subscription__customer_id", "subscription__currency")
    return _gathered(named.annotate(Sum("mrr_minor")))


def mrr_by_subscription(subscription_ids: Iterable[int]) -> dict[int, int]:
    """Monthly recurring revenue now, by subscription, in its currency."""
    rows = Slot.objects.filter(subscription_id__in=list(subscription_ids), mrr_minor__gt=0)
    return dict(rows.values_list("subscription_id").annotate(Sum("mrr_minor")))


def _gathered(rows: Iterable[tuple[int, str, int]]) -> dict[int, Amounts]:
    found: dict[int, Amounts] = defaultdict(dict)
    for owner, currency, minor in rows:
        found[owner][currency] = int(minor)
    return found


def together(amounts: Mapping[int, Amounts]) -> Amounts:
    """The sums over all customers, by currency."""
    sums: Amounts = defaultdict(int)
    for one in amounts.values():
        for currency, minor in one.items():
            sums[currency] += minor
    return dict(sums)


def shown_state(invoice: Invoice, on: date) -> str:
    """The state of an invoice as people say it: open ones are overdue, partly paid or open."""
    balance = invoice.balance
    if balance.status == InvoiceBalance.Status.OPEN:
        if balance.payment_due_on < on:
            return "overdue"
        return "partly_paid" if balance.open_minor < balance.gross_minor else "open"
    if (
        balance.status == InvoiceBalance.Status.PAID
        and balance.gross_minor
        and (balance.settled_by_credit_notes_minor == balance.gross_minor)
    ):
        return "credited"
    return str(balance.status)


OVERDUE = Q(balance__status=InvoiceBalance.Status.OPEN)
