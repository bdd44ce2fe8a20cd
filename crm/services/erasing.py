"""Blanking a customer's personal data for good: first the preview, then the act, once.

The rule that matters: nothing is blanked while something is live, and what the law keeps is named with its last day
before anybody confirms. What is frozen (documents, money, the trail) is never touched here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from billing.models import (
    Attempt,
    CreditBalance,
    DunningCase,
    Invoice,
    InvoiceBalance,
    Payment,
    PaymentBalance,
    PaymentMethod,
    Refund,
)
from billing.services import payment_methods, receivables
from core import clock
from core.actors import Actor
from core.refusal import Refused
from core.services import trail
from crm.services import blanking, retention
from crm.services.retention import Kept
from customers.models import Customer, Erasure
from customers.services import merged
from subscriptions.models import Subscription

_ENDED = (Subscription.State.CANCELED, Subscription.State.EXPIRED)
_DUNNING = (DunningCase.State.OPEN, DunningCase.State.PROMISED, DunningCase.State.PAUSED)
_GOING_OUT = (Refund.Status.PENDING, Refund.Status.SENT, Refund.Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Plan:
    """What erasing would do: `blocked` are the refusals in the way, `blanked` counts rows of each kind that are
    blanked, `kept` what stays and until when. `erased`: it was done already."""

    blocked: list[Refused]
    blanked: dict[str, int]
    kept: list[Kept]
    erased: Erasure | None


def plan(*, customer: Customer, on: date) -> Plan:
    """The preview; the act works through the same lists."""
    found = Erasure.objects.filter(customer=customer).first()
    gone = merged.refusal(customer)
    stops = [gone] if gone is not None else blockers(customer, *merged.of(customer))
    return Plan(
        blocked=[] if found else stops,
        blanked=_counts([blanking.Scope.of(row) for row in (*merged.of(customer), customer)]),
        kept=retention.kept(customer, on=on),
        erased=found,
    )


def blockers(customer: Customer, *parts: Customer) -> list[Refused]:
    """What is live of the customer and of `parts`: each as the refusal that says what to do."""
    company_id, ids = customer.company_id, [customer.pk, *(part.pk for part in parts)]
    mine: dict[str, Any] = {"company_id": company_id, "customer_id__in": ids}
    balances = InvoiceBalance.objects.filter(**mine)
    credit = CreditBalance.objects.filter(credit__customer__in=ids, credit__company_id=company_id, left_minor__gt=0)
    settled = Payment.objects.filter(**mine)
    live: dict[str, QuerySet[Any]] = {
        "erasure.subscription": Subscription.objects.filter(**mine).exclude(state__in=_ENDED),
        "erasure.draft": Invoice.objects.filter(**mine, number=""),
        "erasure.open_invoice": balances.filter(status=InvoiceBalance.Status.OPEN),
        "erasure.dunning": DunningCase.objects.filter(**mine, state__in=_DUNNING),
        "erasure.attempt": Attempt.objects.filter(**mine, state__in=Attempt.LIVE),
        "erasure.credit": credit,
        "erasure.unallocated": PaymentBalance.objects.filter(payment__in=settled, left_minor__gt=0),
        "erasure.refund": Refund.objects.filter(**mine, status__in=_GOING_OUT),
    }
    return [Refused(code, count=count) for code, rows in live.items() if (count := rows.count())]


def erase(*, customer: Customer, confirm: str, by: Actor, at: datetime) -> Erasure:
    """Blanks everything personal about the customer and its people; there is no way back. Repeated: nothing happens.

    Whoever was merged into it is erased with it, and never alone: `customer.merged`. `confirm` is the customer's
    number, typed. Refuses `erasure.confirm` and whatever `blockers` names.
    """
    with transaction.atomic():
        customer = receivables.lock_customer(customer.company, customer.pk)
        found = Erasure.objects.filter(customer=customer).first()
        if found is not None:
            return found
        if confirm.strip().upper() != customer.number:
            raise Refused("erasure.confirm", field="confirm", number=customer.number)
        merged.refuse(customer)
        parts = merged.of(customer)
        for refused in blockers(customer, *parts):
            raise refused
        for part in parts:
            _erase(receivables.lock_customer(customer.company, part.pk), by=by, at=at)
        return _erase(customer, by=by, at=at)


def _erase(customer: Customer, *, by: Actor, at: datetime) -> Erasure:
    """One of them; inside the transaction of `erase`."""
    stays = retention.kept(customer, on=clock.day_in(at, customer.company.time_zone))
    for method in PaymentMethod.objects.filter(company_id=customer.company_id, customer=customer).order_by("pk"):
        payment_methods.remove(method=method, by=by, at=at)
    scope = blanking.Scope.of(customer)
    counts = scope.counts()
    erasure = Erasure.objects.create(
        company_id=customer.company_id, customer=customer, at=at, by=by.label, blanked=counts,
        kept=[_as_data(one) for one in stays], keep_until_on=max((one.until_on for one in stays), default=None),
    )  # fmt: skip
    trail.audit(
        company_id=customer.company_id, at=at, by=by, verb="customer.erase", subject_kind="customer",
        subject_id=customer.pk, customer_id=customer.pk, facts={"blanked": counts},
    )  # fmt: skip
    trail.emit(
        company_id=customer.company_id, type="customer.erased", at=at, subject_kind="customer",
        subject_id=customer.pk, customer_id=customer.pk,
        data={"id": customer.ref, "keep_until_on": _iso(erasure.keep_until_on)},
    )  # fmt: skip
    scope.blank(by=by, at=at)
    return erasure


def _counts(scopes: list[blanking.Scope]) -> dict[str, int]:
    """The sums of what is blanked, by kind."""
    counts: dict[str, int] = {}
    for scope in scopes:
        for name, count in scope.counts().items():
            counts[name] = counts.get(name, 0) + count
    return counts


def _as_data(one: Kept) -> dict[str, Any]:
    return {
        "kind": one.name, "count": one.count, "until_on": one.until_on.isoformat(), "law": one.law,
        "source_url": one.source_url, "is_checked": one.is_checked,
    }  # fmt: skip


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
