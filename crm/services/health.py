"""How a customer stands, as a score from 0 to 100 that names its reasons.

The rule that matters: 100 less the points of every sign that is found, never a guess: each sign is a plain condition
over rows, said in words, and whoever reads the score sees all of them. The signs of the alert "may leave" are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import LessThan
from django.utils.translation import gettext_lazy as _

from billing.models import DunningCase, InvoiceBalance, PaymentMethod
from catalog.models import RenewalRule
from core import clock
from core.models import AuditEntry, Company
from crm.models import Task
from customers.models import Contact, Customer, Suppression
from reporting.shapes import Words
from subscriptions.models import Subscription, UsageDay

State = Subscription.State
#: A subscription that has run its course.
ENDED: Final = (State.CANCELED, State.EXPIRED)
#: Days over which usage is compared, after which silence counts, within which an end is near.
COMPARED, SILENT, NEAR, YOUNG = timedelta(days=30), timedelta(days=60), timedelta(days=60), timedelta(days=90)
#: Under this a customer stands on the list of those who may leave.
AT_RISK: Final = 70
MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Sight:
    """What signs look at: a company on a day; `silent` after how long nobody signing in counts."""

    company: Company
    at: datetime
    today: date
    silent: timedelta = SILENT


@dataclass(frozen=True, slots=True)
class Sign:
    """A reason for worry: what it takes off, its words, and its condition on a customer."""

    name: str
    points: int
    words: Words
    condition: Callable[[Sight], Any]


@dataclass(frozen=True, slots=True)
class Health:
    """A customer's score and what lowered it, the heaviest first."""

    score: int
    signs: tuple[Sign, ...]

    @property
    def tone(self) -> str:
        """good, warn or bad, as pages colour it."""
        return "good" if self.score >= AT_RISK else "warn" if self.score >= AT_RISK - 30 else "bad"


def _live() -> QuerySet[Subscription]:
    return Subscription.objects.filter(customer_id=OuterRef("pk")).exclude(state__in=ENDED)


def _unpaid(sight: Sight) -> Any:
    return Exists(
        InvoiceBalance.objects.filter(
            customer_id=OuterRef("pk"), status=InvoiceBalance.Status.OPEN,
            payment_due_on__lt=sight.today - timedelta(days=3),
        )
    )  # fmt: skip


def _failed(sight: Sight) -> Any:
    """A case of dunning is open: collecting failed, or nothing came."""
    return Exists(DunningCase.objects.filter(customer_id=OuterRef("pk"), state__in=("open", "promised", "paused")))


def _leaving(sight: Sight) -> Any:
    return Exists(_live().filter(end_kind=Subscription.EndKind.CANCEL, ends_on__gte=sight.today))


def _took_back(sight: Sight) -> Any:
    return Exists(
        AuditEntry.objects.filter(
            company=sight.company, customer_id=OuterRef("pk"), verb="subscription.undo_cancel",
            at__gte=sight.at - timedelta(days=90),
        )
    )  # fmt: skip


def _paused(sight: Sight) -> Any:
    return Exists(_live().filter(state=State.PAUSED))


def _silent(sight: Sight) -> Any:
    signed_in = Contact.objects.filter(customer_id=OuterRef("pk"), user__last_login__isnull=False)
    return Exists(signed_in) & ~Exists(signed_in.filter(user__last_login__gte=sight.at - sight.silent))


def _uses_less(sight: Sight) -> Any:
    """Meters counted less than half as much in 30 days as in the 30 before."""
    days = UsageDay.objects.filter(company=sight.company, subscription__customer_id=OuterRef("pk")).order_by()

    def used(first: date, last: date) -> Any:
        within = days.filter(day__gt=first, day__lte=last).values("subscription__customer_id")
        summed = within.annotate(n=Sum("value_sum"))
        return Coalesce(Subquery(summed.values("n")), Value(0), output_field=UsageDay._meta.get_field("value_sum"))

    middle = sight.today - COMPARED
    return Q(LessThan(used(middle, sight.today) * Value(2), used(middle - COMPARED, middle)))


def _ends_soon(sight: Sight) -> Any:
    """A term that ends for good within 60 days."""
    near = _live().filter(term_ends_on__range=(sight.today, sight.today + NEAR), ends_on__isnull=True)
    return Exists(near.exclude(renewal_rule__in=(RenewalRule.RENEW, RenewalRule.EVERGREEN)))


def _young(sight: Sight) -> Any:
    """The first subscription began within 90 days: most who leave do so early."""
    begun = Subscription.objects.filter(customer_id=OuterRef("pk"))
    return Exists(begun) & ~Exists(begun.filter(start_on__lte=sight.today - YOUNG))


def _no_method(sight: Sight) -> Any:
    """Something recurs, and no payment method stands ready although there was one."""
    methods = PaymentMethod.objects.filter(customer_id=OuterRef("pk"))
    return Exists(_live()) & Exists(methods) & ~Exists(methods.filter(status=PaymentMethod.Status.ACTIVE))


def _urgent(sight: Sight) -> Any:
    """Somebody made an urgent task about them that nobody has done."""
    return Exists(Task.objects.filter(customer_id=OuterRef("pk"), state=Task.State.OPEN, priority="high"))


def _bounced(sight: Sight) -> Any:
    return Exists(
        Suppression.objects.filter(
            company=sight.company, lifted_at__isnull=True, scope="all", address=OuterRef("email"),
        ).exclude(address="")
    )  # fmt: skip


SIGNS: Final = (
    Sign("leaving", 40, _("a cancellation is asked"), _leaving),
    Sign("failed", 20, _("a payment failed"), _failed),
    Sign("unpaid", 20, _("an invoice is overdue"), _unpaid),
    Sign("uses_less", 20, _("usage has fallen by more than half"), _uses_less),
    Sign("ends_soon", 15, _("a term ends within 60 days and does not renew"), _ends_soon),
    Sign("paused", 15, _("a subscription is paused"), _paused),
    Sign("took_back", 15, _("a cancellation was taken back lately"), _took_back),
    Sign("silent", 15, _("nobody has signed in for a long time"), _silent),
    Sign("urgent", 10, _("an urgent task is open"), _urgent),
    Sign("no_method", 10, _("no payment method stands ready"), _no_method),
    Sign("bounced", 10, _("mail does not arrive"), _bounced),
    Sign("young", 5, _("a customer for less than 90 days"), _young),
)
BY_NAME: Final = {sign.name: sign for sign in SIGNS}
#: What the alert "may leave" asks for; two of them make one.
RISKS: Final = ("unpaid", "took_back", "paused", "silent", "uses_less")


def sight_of(company: Company, at: datetime) -> Sight:
    return Sight(company, at, at.astimezone(clock.zone(company.time_zone)).date())


def with_signs(rows: QuerySet[Customer], sight: Sight, names: Iterable[str] = tuple(BY_NAME)) -> QuerySet[Any]:
    """The customers with `is_<sign>` for each of these signs."""
    return rows.annotate(**{f"is_{name}": BY_NAME[name].condition(sight) for name in names})


def counted(names: Iterable[str], *, points: bool = False) -> Any:
    """How many of these signs a row of `with_signs` has, or what they take off."""
    return sum(
        (
            Case(
                When(**{f"is_{name}": True}, then=BY_NAME[name].points if points else 1),
                default=0,
                output_field=IntegerField(),
            )
            for name in names
        ),
        Value(0),
    )


def scored(rows: QuerySet[Customer], sight: Sight) -> QuerySet[Any]:
    """The customers with their signs and `health`, their score; one statement, however many."""
    less: Any = counted(BY_NAME, points=True)
    found: QuerySet[Any] = with_signs(rows, sight).annotate(health=Greatest(Value(MOST) - less, Value(0)))
    return found


def health_of(row: Any) -> Health:
    """The score of a row of `scored`, with its signs."""
    found = [sign for sign in SIGNS if getattr(row, f"is_{sign.name}")]
    return Health(row.health, tuple(found))


def of_customer(customer: Customer, *, at: datetime) -> Health | None:
    """How a customer stands; None for one that never had a subscription."""
    if not Subscription.objects.filter(customer=customer).exists():
        return None
    rows = Customer.objects.filter(pk=customer.pk)
    return health_of(scored(rows, sight_of(customer.company, at)).get())


def may_leave(company: Company, *, at: datetime, below: int = AT_RISK) -> QuerySet[Any]:
    """Customers with something that recurs whose score is under `below`, the lowest first."""
    rows = Customer.objects.filter(Exists(_live()), company=company, archived_at__isnull=True)
    return scored(rows, sight_of(company, at)).filter(health__lt=below)
