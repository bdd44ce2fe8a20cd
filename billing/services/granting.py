"""Granted credit: given with a reason, taken back unused; and credit whose last day is over.

The rule that matters: used credit is never taken back. Granted credit moves no money and has no posting; prepaid credit
that lapses becomes revenue, its tax was paid when it was sold.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing.models import Credit, CreditBalance
from billing.services import books, receivables
from billing.services.account_credit import left_of
from billing.services.books import Entry
from core import checks, clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import ticks
from customers.models import Customer
from customers.services import merged


@transaction.atomic
def grant(
    *,
    customer: Customer,
    amount_minor: int,
    currency: str,
    reason: str,
    expires_on: date | None = None,
    by: Actor,
    at: datetime,
) -> Credit:
    """Credit that lowers the customer's next invoices before tax, up to its last day. Needs a reason."""
    company = customer.company
    checks.currency(currency)
    receivables.reasoned(reason)
    if type(amount_minor) is not int or amount_minor <= 0:
        raise Refused("payment.amount", field="amount_minor")
    checks.minor(amount_minor, field="amount_minor")
    on = clock.day_in(at, company.time_zone)
    if expires_on is not None and checks.day(expires_on, field="expires_on") < on:
        raise Refused("credit.expired", field="expires_on")
    merged.refuse(receivables.lock_customer(company, customer.pk))
    credit = Credit.objects.create(
        company=company,
        customer=customer,
        source=Credit.Source.GRANTED,
        currency=currency,
        amount_minor=amount_minor,
        expires_on=expires_on,
        reason=reason,
        created_on=on,
    )
    CreditBalance.objects.create(credit=credit, amount_minor=amount_minor)
    _tell(credit, "grant", "granted", amount_minor, by=by, at=at, reason=reason)
    return credit


@transaction.atomic
def reverse(*, credit: Credit, reason: str, by: Actor, at: datetime) -> Credit:
    """Takes back what is unused of granted credit. Refuses other credit, and credit without anything left."""
    receivables.reasoned(reason)
    if credit.source != Credit.Source.GRANTED:
        raise Refused("credit.not_granted")
    receivables.lock_customer(credit.company, credit.customer_id)
    balance = CreditBalance.objects.select_for_update(of=("self",)).get(credit=credit)
    left = left_of(balance)
    if not left:
        raise Refused("credit.nothing_unused")
    balance.lapsed_minor += left
    balance.save(update_fields=["lapsed_minor"])
    _tell(credit, "reverse", "reversed", left, by=by, at=at, reason=reason)
    return Credit.objects.select_related("balance", "customer", "company").get(pk=credit.pk)


@ticks.tick(
    "billing.credit", order=24, every=timedelta(hours=1), title=_("Credit that lapses"),
    text=_("Lets what is left of credit lapse after its last day."),
)  # fmt: skip
def lapse_due(company: Company, at: datetime) -> dict[str, Any]:
    """What is left of credit lapses on the day after its last day, in the company's zone."""
    on = clock.day_in(at, company.time_zone)
    expired = CreditBalance.objects.filter(credit__company=company, credit__expires_on__lt=on, left_minor__gt=0)
    customer_ids = expired.order_by("credit__customer_id").values_list("credit__customer_id", flat=True).distinct()
    return {"credits": sum(_lapse(company, customer_id, on, at) for customer_id in list(customer_ids))}


@transaction.atomic
def _lapse(company: Company, customer_id: int, on: date, at: datetime) -> int:
    receivables.lock_customer(company, customer_id)
    rows = CreditBalance.objects.filter(
        credit__company=company, credit__customer_id=customer_id, credit__expires_on__lt=on, left_minor__gt=0
    )
    balances = list(rows.select_for_update(of=("self",)).select_related("credit__customer__company").order_by("pk"))
    entries = []
    for balance in balances:
        credit, left = balance.credit, left_of(balance)
        balance.lapsed_minor += left
        if credit.source == Credit.Source.PREPAID:
            amounts = [("prepaid", credit.currency, left), ("revenue", credit.currency, -left)]
            day = receivables.booking_day(company, on)
            entries.append(Entry(amounts, day, customer_id, "credit", credit.pk))
        _tell(credit, "lapse", "lapsed", left, by=Actor.system("Expiry"), at=at)
    CreditBalance.objects.bulk_update(balances, ["lapsed_minor"])
    books.post(company=company, entries=entries)
    return len(balances)


def _tell(credit: Credit, verb: str, past: str, minor: int, *, by: Actor, at: datetime, reason: str = "") -> None:
    data = {
        "id": credit.ref,
        "customer": credit.customer.ref,
        "source": credit.source,
        "currency": credit.currency,
        "amount_minor": minor,
        "expires_on": None if credit.expires_on is None else credit.expires_on.isoformat(),
    }
    facts = {"currency": credit.currency, "amount_minor": minor, "source": credit.source}
    receivables.tell(credit.company, f"credit.{verb}", f"credit.{past}", "credit", credit.pk, credit.customer_id,
                     data, facts, by=by, at=at, reason=reason)  # fmt: skip
