"""What needs attention in money: payments under way, failed or taken back, the bank, debits, methods, runs.

Each source is one question over state. It starts from rows few of a company's are: open invoices, live attempts.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Count, DateField, Exists, F, Min, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, TruncDate
from django.utils.translation import gettext_lazy as _

from billing.models import (
    Attempt,
    BankLine,
    BillingRun,
    DebitBatch,
    Invoice,
    InvoiceBalance,
    Mandate,
    PaymentMethod,
    Reversal,
)
from core import clock
from crm.services.alert_kinds import Look, Usual, seen, source
from subscriptions.models import Subscription

ENDED = (Subscription.State.CANCELED, Subscription.State.EXPIRED)
OPEN = InvoiceBalance.Status.OPEN


@source(
    "payment_pending",
    title=_("Payment under way for too long"),
    text=_("%(amount)s from %(customer)s for %(invoice)s has been under way since %(since)s."),
    usual=Usual(days=5, task_days=2),
    prefix="att",
    hint=_("days a payment may be under way"),
)
def payment_pending(look: Look) -> QuerySet[Any, Any]:
    """Attempts nobody knows the end of; a direct debit counts from its collection day."""
    begun = Coalesce(F("collect_on"), TruncDate("created_at"), output_field=DateField())
    rows = Attempt.objects.filter(company=look.company, state__in=Attempt.LIVE).annotate(begun_on=begun)
    return seen(
        rows.filter(begun_on__lte=look.today - timedelta(days=look.rule.days or 0)),
        key="pk", customer="customer_id", invoice="invoice_id",
        facts={"currency": "currency", "amount_minor": "amount_minor", "since_on": "begun_on",
               "public_id": "public_id"},
    )  # fmt: skip


@source(
    "payment_failed",
    title=_("Payment failed"),
    text=_("%(amount)s from %(customer)s for %(invoice)s could not be collected: %(refusal)s."),
    usual=Usual(task_days=1),
)
def payment_failed(look: Look) -> QuerySet[Any, Any]:
    """Open invoices whose last finished try failed; a new try under way changes nothing until it ends."""
    tries = Attempt.objects.filter(invoice_id=OuterRef("pk"), closed_at__isnull=False).order_by("-pk")
    rows = InvoiceBalance.objects.filter(company_id=look.company.pk, status=OPEN).annotate(
        last_state=tries.values("state")[:1]
    )
    return seen(
        rows.filter(last_state=Attempt.State.FAILED),
        key="pk", customer="customer_id", invoice="pk",
        facts={"currency": "currency", "amount_minor": "open_minor",
               "refusal_code": Subquery(tries.values("reason")[:1])},
    )  # fmt: skip


@source(
    "payment_returned",
    title=_("Payment returned or disputed"),
    text=_("%(amount)s from %(customer)s was taken back on %(taken)s: %(detail)s."),
    usual=Usual(mail="at_once", priority="high"),
    prefix="rvs",
)
def payment_returned(look: Look) -> QuerySet[Any, Any]:
    """Disputes until they are decided, returned debits until their invoice is settled, for 30 days at most."""
    unpaid = InvoiceBalance.objects.filter(invoice_id=OuterRef("payment__attempt__invoice_id"), status=OPEN)
    returned = Q(kind=Reversal.Kind.RETURN, taken_on__gt=look.today - timedelta(days=30)) & (
        Exists(unpaid) | Q(payment__attempt__isnull=True, taken_on__gt=look.today - timedelta(days=14))
    )
    rows = Reversal.objects.filter(company=look.company).filter(Q(state=Reversal.State.OPEN) | returned)
    return seen(
        rows,
        key="pk", customer="payment__customer_id", invoice="payment__attempt__invoice_id",
        facts={"currency": "currency", "amount_minor": "amount_minor", "taken_on": "taken_on", "detail": "detail",
               "public_id": "public_id"},
    )  # fmt: skip


@source(
    "method_missing",
    title=_("Payment method will not do"),
    text=_("%(customer)s is to be charged on %(next)s by %(label)s, but %(reasons)s."),
    usual=Usual(roles=("accounting", "support"), days=14, task_days=3),
    slow=True,
    prefix="pm",
    hint=_("days before the next charge"),
)
def method_missing(look: Look) -> QuerySet[Any, Any]:
    """Default methods that are broken, expired, about to expire or without a mandate, with a charge ahead."""
    until = look.today + timedelta(days=look.rule.days or 0)
    due = Subscription.objects.filter(customer_id=OuterRef("customer_id"), next_bill_on__lte=until).exclude(
        state__in=ENDED
    )
    first = due.order_by("next_bill_on").values("next_bill_on")[:1]
    mandate = Mandate.objects.filter(method_id=OuterRef("pk"), ended_on__isnull=True)
    Status = PaymentMethod.Status
    rows = PaymentMethod.objects.filter(company=look.company, is_default=True).annotate(
        next_on=first,
        is_broken=Q(status=Status.BROKEN),
        is_expired=Q(status=Status.EXPIRED),
        is_expires=Q(status=Status.ACTIVE, expires_on__isnull=False, expires_on__lt=F("next_on")),
        is_no_mandate=Q(kind=PaymentMethod.Kind.DEBIT, status=Status.ACTIVE) & ~Exists(mandate),
    )
    rows = rows.filter(next_on__isnull=False)
    rows = rows.filter(Q(is_broken=True) | Q(is_expired=True) | Q(is_expires=True) | Q(is_no_mandate=True))
    names = ("next_on", "label", "public_id", "is_broken", "is_expired", "is_expires", "is_no_mandate")
    return seen(rows, key="pk", customer="customer_id", facts={name: name for name in names})


@source(
    "bank_lines_old",
    title=_("Bank lines nobody has matched"),
    text=_("%(count)s lines of a bank statement have not been matched since %(since)s."),
    usual=Usual(days=3, task_days=2),
    prefix="bst",
    hint=_("days a line may wait"),
)
def bank_lines_old(look: Look) -> QuerySet[Any, Any]:
    """One alert for each statement with lines that wait."""
    limit = look.today - timedelta(days=look.rule.days or 0)
    rows = BankLine.objects.filter(company=look.company, state__in=["open", "suggested"], booked_on__lt=limit)
    grouped = rows.order_by().values("statement_id").annotate(n=Count("pk"), first=Min("booked_on"))
    return seen(grouped, key="statement_id", facts={"count": "n", "since_on": "first"})


@source(
    "debit_file_waits",
    title=_("Direct debit file not handed in"),
    text=_("The file %(message_id)s for %(collection)s over %(amount)s has not been given to the bank."),
    usual=Usual(hours=20, mail="at_once", task_days=0, priority="high"),
    prefix="ddb",
    hint=_("hours a file may wait"),
)
def debit_file_waits(look: Look) -> QuerySet[Any, Any]:
    limit = look.at - timedelta(hours=look.rule.hours or 0)
    rows = DebitBatch.objects.filter(company=look.company, state=DebitBatch.State.MADE)
    facts: dict[str, Any] = {"message_id": "message_id", "collection_on": "collection_on", "public_id": "public_id"}
    return seen(
        rows.filter(Q(created_at__lte=limit) | Q(collection_on__lte=look.today + timedelta(days=1))),
        key="pk", facts={**facts, "amount_minor": "total_minor", "currency": Value("EUR")},
    )  # fmt: skip


@source(
    "run_late",
    title=_("Billing run late or waiting"),
    text=_("The billing run up to %(run)s is not through: %(reasons)s."),
    usual=Usual(hours=3, mail="at_once", task_days=0, priority="high"),
    prefix="run",
    hint=_("hours a run may take"),
)
def run_late(look: Look) -> QuerySet[Any, Any]:
    """Runs that wait for a person, and those at work for too long by the machine's clock."""
    State = BillingRun.State
    limit = clock.machine_now() - timedelta(hours=look.rule.hours or 0)
    late = Q(state=State.RUNNING, started_at__lt=limit)
    rows = BillingRun.objects.filter(late | Q(state=State.HELD), company=look.company).annotate(
        is_held=Q(state=State.HELD), is_late=late
    )
    return seen(
        rows, key="pk",
        facts={"run_on": "on", "public_id": "public_id", "is_held": "is_held", "is_late": "is_late"},
    )  # fmt: skip


@source(
    "billing_behind",
    title=_("Billing is behind"),
    text=_("%(count)s subscriptions that were due by %(since)s are not billed."),
    usual=Usual(days=1, mail="at_once", task_days=0, priority="high"),
    hint=_("days billing may be behind"),
)
def billing_behind(look: Look) -> QuerySet[Any, Any]:
    """Due, not parked, and not billed: one alert for all of them."""
    limit = look.today - timedelta(days=look.rule.days or 0)
    rows = Subscription.objects.filter(company=look.company, next_bill_on__lt=limit, parked_at__isnull=True)
    grouped = rows.order_by().values("company_id").annotate(n=Count("pk"), first=Min("next_bill_on"))
    return seen(grouped, key=Value("due"), facts={"count": "n", "since_on": "first"})


@source(
    "parked",
    title=_("Subscription parked"),
    text=_("%(subscription)s of %(customer)s can't be billed: %(detail)s"),
    usual=Usual(task_days=1),
)
def parked(look: Look) -> QuerySet[Any, Any]:
    rows = Subscription.objects.filter(company=look.company, parked_at__isnull=False)
    return seen(rows, key="pk", customer="customer_id", subscription="pk",
                facts={"code": "parked_code", "detail": "parked_detail"})  # fmt: skip


@source(
    "draft_waits",
    title=_("Draft waiting to be issued"),
    text=_("%(count)s drafts have waited since %(since)s."),
    usual=Usual(days=3, task_days=1),
    hint=_("days a draft may wait"),
)
def draft_waits(look: Look) -> QuerySet[Any, Any]:
    """Drafts without a day of their own to be issued: one alert for all of them."""
    midnight = datetime.combine(look.today, time.min, clock.zone(look.company.time_zone))
    limit = midnight - timedelta(days=look.rule.days or 0)
    rows = Invoice.objects.filter(
        company=look.company, sequence__isnull=True, issue_after_at__isnull=True, created_at__lt=limit
    )
    grouped = rows.order_by().values("company_id").annotate(n=Count("pk"), first=Min(TruncDate("created_at")))
    return seen(grouped, key=Value("drafts"), facts={"count": "n", "since_on": "first"})
