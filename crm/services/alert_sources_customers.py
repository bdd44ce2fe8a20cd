"""What needs attention about customers: those who leave, may leave, renew for much money, or were not told in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.db.models.lookups import LessThan
from django.utils.translation import gettext_lazy as _

from billing.models import InvoiceBalance
from core.models import AuditEntry
from crm.services.alert_kinds import Look, Usual, seen, source
from crm.services.alert_sources import ENDED, OPEN
from customers.models import Contact, Customer, Suppression
from subscriptions.models import Movement, RenewalNotice, Subscription, UsageDay

#: Reasons that make a risk, and the days over which usage is compared.
REASONS_NEEDED = 2
COMPARED = timedelta(days=30)


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
    customers = Customer.objects.filter(company=look.company, archived_at__isnull=True)
    live = Subscription.objects.filter(customer_id=OuterRef("pk")).exclude(state__in=ENDED)
    signed_in = Contact.objects.filter(customer_id=OuterRef("pk"), user__last_login__isnull=False)
    lately = look.at - timedelta(days=look.rule.days or 60)
    late = InvoiceBalance.objects.filter(
        customer_id=OuterRef("pk"), status=OPEN, payment_due_on__lt=look.today - timedelta(days=3)
    )
    undone = AuditEntry.objects.filter(
        company=look.company, customer_id=OuterRef("pk"), verb="subscription.undo_cancel",
        at__gte=look.at - timedelta(days=90),
    )  # fmt: skip
    rows = customers.filter(Exists(live)).annotate(
        is_unpaid=Exists(late),
        is_took_back=Exists(undone),
        is_paused=Exists(live.filter(state=Subscription.State.PAUSED)),
        is_silent=Q(Exists(signed_in)) & ~Exists(signed_in.filter(user__last_login__gte=lately)),
        is_uses_less=_uses_less(look),
    )
    names = ("is_unpaid", "is_took_back", "is_paused", "is_silent", "is_uses_less")
    score: Any = sum(
        (Case(When(**{name: True}, then=1), default=0, output_field=IntegerField()) for name in names), Value(0)
    )
    rows = rows.annotate(score=score).filter(score__gte=REASONS_NEEDED)
    return seen(rows, key="pk", customer="pk", facts={name: name for name in names})


def _uses_less(look: Look) -> Any:
    """Whether a customer's meters counted less than half as much in 30 days as in the 30 before."""
    days = UsageDay.objects.filter(company=look.company, subscription__customer_id=OuterRef("pk")).order_by()

    def used(first: Any, last: Any) -> Any:
        within = days.filter(day__gt=first, day__lte=last).values("subscription__customer_id")
        summed = within.annotate(n=Sum("value_sum"))
        return Coalesce(Subquery(summed.values("n")), Value(0), output_field=UsageDay._meta.get_field("value_sum"))

    middle = look.today - COMPARED
    return LessThan(used(middle, look.today) * Value(2), used(middle - COMPARED, middle))


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
