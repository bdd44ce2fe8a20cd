"""What needs attention about customers: those who leave, may leave, renew for much money, or were not told in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from crm.services import health, renewal_law
from crm.services.alert_kinds import Look, Usual, seen, source
from crm.services.alert_sources import ENDED
from customers.models import Contact, Customer, Suppression
from subscriptions.models import Movement, RenewalNotice, Subscription

#: Reasons that make a risk.
REASONS_NEEDED = 2


@source(
    "cancellation",
    title=_("Cancellation asked"),
    text=_("%(customer)s has canceled %(subscription)s; it ends on %(ends)s."),
    usual=Usual(roles=("sales", "support"), task_days=1),
)
def cancellation(look: Look) -> QuerySet[Any, Any]:
    """Until it is taken back or the subscription has ended."""
    rows = Subscription.objects.filter(
        company=look.company, end_kind=Subscription.EndKind.CANCEL, ends_on__gte=look.today
    ).exclude(state__in=ENDED)
    return seen(rows, key="pk", customer="customer_id", subscription="pk",
                facts={"ends_on": "ends_on", "reason": "end_reason"})  # fmt: skip


@source(
    "churn_risk",
    title=_("Customer may leave"),
    text=_("%(customer)s may leave: %(reasons)s."),
    usual=Usual(roles=("sales",), days=60, task_days=3),
    slow=True,
    hint=_("days without anybody signing in"),
)
def churn_risk(look: Look) -> QuerySet[Any, Any]:
    """Two of: unpaid, took a cancellation back, paused, nobody signs in, uses half as much. Each is named."""
    live = Subscription.objects.filter(customer_id=OuterRef("pk")).exclude(state__in=ENDED)
    rows = Customer.objects.filter(Exists(live), company=look.company, archived_at__isnull=True)
    sight = health.Sight(look.company, look.at, look.today, timedelta(days=look.rule.days or health.SILENT.days))
    rows = health.with_signs(rows, sight, health.RISKS).annotate(score=health.counted(health.RISKS))
    names = [f"is_{name}" for name in health.RISKS]
    return seen(rows.filter(score__gte=REASONS_NEEDED), key="pk", customer="pk", facts={name: name for name in names})


@source(
    "big_renewal",
    title=_("Big renewal ahead"),
    text=_("%(subscription)s of %(customer)s renews after %(term_ends)s, worth %(amount)s a year."),
    usual=Usual(roles=("sales",), days=45, amount_minor=1_000_000, task_days=7),
    slow=True,
    hint=_("days before the end of the term"),
)
def big_renewal(look: Look) -> QuerySet[Any, Any]:
    """By twelve times what its movements add up to; amounts of other currencies are compared as they stand."""
    until = look.today + timedelta(days=look.rule.days or 0)
    moved = Movement.objects.filter(subscription_id=OuterRef("pk"), booked_on__lte=look.today).order_by()
    monthly = moved.values("subscription_id").annotate(n=Sum("amount_minor"))
    rows = Subscription.objects.filter(
        company=look.company, term_ends_on__range=(look.today, until), ends_on__isnull=True, renewal_rule="renew"
    ).exclude(state__in=ENDED)
    yearly = Coalesce(Subquery(monthly.values("n")), Value(0), output_field=BigIntegerField()) * Value(12)
    rows = rows.annotate(yearly=yearly).filter(yearly__gte=look.rule.amount_minor or 0)
    return seen(rows, key="pk", customer="customer_id", subscription="pk",
                facts={"amount_minor": "yearly", "currency": "currency", "term_ends_on": "term_ends_on"})  # fmt: skip


@source(
    "notice_missed",
    title=_("Renewal notice missed"),
    text=_("The notice the law wants before %(subscription)s of %(customer)s renews was not sent by %(until)s."),
    usual=Usual(roles=("accounting", "support"), mail="at_once", priority="high"),
    slow=True,
)
def notice_missed(look: Look) -> QuerySet[Any, Any]:
    """As long as the subscription lives, until 30 days after the end of the term."""
    rows = RenewalNotice.objects.filter(
        company=look.company, missed_on__isnull=False, term_ends_on__gte=look.today - timedelta(days=30)
    ).exclude(subscription__state__in=ENDED)
    return seen(rows, key="pk", customer="subscription__customer_id", subscription="subscription_id",
                facts={"until_on": "due_until_on", "law": "law", "effect": "effect"})  # fmt: skip


@source(
    "notice_unproven",
    title=_("Renewal notice did not arrive"),
    text=_(
        "The notice the law wants before %(subscription)s of %(customer)s renews reached nobody: there is no proof. "
        "Correct the address and send it again by %(until)s, or the customer may leave freely."
    ),
    usual=Usual(roles=("accounting", "support"), mail="at_once", priority="high"),
)
def notice_unproven(look: Look) -> QuerySet[Any, Any]:
    """As long as there is time to send it again; after that it counts as missed."""
    rows = (
        RenewalNotice.objects.filter(
            company=look.company, sent_at__isnull=False, missed_on__isnull=True, due_until_on__gte=look.today,
            message__state__in=renewal_law.UNPROVEN,
        )
        .exclude(Exists(renewal_law.REACHED))
        .exclude(subscription__state__in=ENDED)
    )  # fmt: skip
    return seen(rows, key="pk", customer="subscription__customer_id", subscription="subscription_id",
                facts={"until_on": "due_until_on", "law": "law"})  # fmt: skip


@source(
    "mail_bounced",
    title=_("Mail came back"),
    text=_("Mail to %(customer)s does not arrive: %(reasons)s."),
    usual=Usual(roles=("support",), task_days=2),
    prefix="sup",
)
def mail_bounced(look: Look) -> QuerySet[Any, Any]:
    """Blocked addresses that are still the customer's or one of its people's."""
    Reason = Suppression.Reason
    same = Customer.objects.filter(pk=OuterRef("message__customer_id"), email__iexact=OuterRef("address"))
    people = Contact.objects.filter(
        customer_id=OuterRef("message__customer_id"), archived_at__isnull=True, email__iexact=OuterRef("address")
    )
    rows = Suppression.objects.filter(
        Exists(same) | Exists(people), company=look.company, lifted_at__isnull=True, scope="all",
        reason__in=[Reason.BOUNCED, Reason.COMPLAINED], message__customer__isnull=False,
    ).annotate(is_bounced=Q(reason=Reason.BOUNCED), is_complained=Q(reason=Reason.COMPLAINED))  # fmt: skip
    return seen(
        rows, key="pk", customer="message__customer_id",
        facts={"public_id": "public_id", "is_bounced": "is_bounced", "is_complained": "is_complained"},
    )  # fmt: skip
