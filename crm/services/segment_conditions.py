"""The conditions of segments as questions to the database: a `Q` over customers, or over subscriptions.

The rule that matters: every answer is yes or no, never unknown; what a customer has many of is asked with EXISTS.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from django.db.models import (
    BigIntegerField,
    Count,
    DecimalField,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models import TextField as Text
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import Exact, GreaterThanOrEqual, LessThanOrEqual

from billing.models import Attempt, DunningCase, InvoiceBalance, PaymentMethod
from core import clock
from core.models import Company
from crm.models import TieRecord
from customers.models import Address, Contact, Suppression
from subscriptions.models import AgreedDiscount, FirstTouch, Slot, Subscription, UsageDay

if TYPE_CHECKING:
    from crm.services.segment_fields import Asked

Condition = Callable[["Asked"], Q]
#: Subscriptions that are over.
OVER: Final = ("canceled", "expired")
RENEWING: Final = Q(
    term_ends_on__isnull=False, end_kind="", renewal_rule="renew",
    state__in=["active", "paused", "suspended", "trial"],
)  # fmt: skip
#: Billing intervals as unit and count.
INTERVALS: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "day": (("day", 1),), "week": (("week", 1),), "month": (("month", 1),), "quarter": (("month", 3),),
    "half_year": (("month", 6),), "year": (("year", 1), ("month", 12)),
}  # fmt: skip
_HASH: Final = "encode(sha256(convert_to(lower(btrim(%(expressions)s)), 'UTF8')), 'hex')"


def column(name: str) -> Condition:
    """One of the values."""
    return lambda asked: Q(**{f"{name}__in": asked.value})


def day(name: str) -> Condition:
    """A day that may be empty."""
    return lambda asked: _days(name, asked)


def instant(name: str) -> Condition:
    """An instant, by the day it has in the company's zone."""
    return lambda asked: _instants(name, asked)


def text(name: str) -> Condition:
    """Words, without regard to case."""
    return lambda asked: _words(name, asked)


def entry(name: str) -> Condition:
    """An entry of further data: its text, or one of the texts where it is a list."""

    def condition(asked: Asked) -> Q:
        if asked.op == "set":
            return Q(**{f"{name}__has_key": asked.key})
        found = Coalesce(
            Func(F(name), Value(asked.key), function="jsonb_extract_path_text", output_field=Text()),
            Value("", output_field=Text()),
        )
        if asked.op == "is":
            in_list = Q(**{f"{name}__contains": {asked.key: [asked.value]}})
            return (
                Q(**{f"{name}__has_key": asked.key}) & Q(Exact(found, Value(asked.value, output_field=Text())))
            ) | in_list
        place = Func(
            Func(found, function="lower", output_field=Text()), Value(asked.value.lower(), output_field=Text()),
            function="strpos", output_field=BigIntegerField(),
        )  # fmt: skip
        return Q(GreaterThanOrEqual(place, Value(1)))

    return condition


def _days(name: str, asked: Asked) -> Q:
    if asked.op == "empty":
        return Q(**{f"{name}__isnull": True})
    found = Q(**{f"{name}__isnull": False})
    if asked.first is not None:
        found &= Q(**{f"{name}__gte": asked.first})
    if asked.last is not None:
        found &= Q(**{f"{name}__lte": asked.last})
    return found


def _instants(name: str, asked: Asked) -> Q:
    if asked.op == "empty":
        return Q(**{f"{name}__isnull": True})
    found = Q(**{f"{name}__isnull": False})
    if asked.first is not None:
        found &= Q(**{f"{name}__gte": begins(asked.first, asked.company)})
    if asked.last is not None:
        found &= Q(**{f"{name}__lt": begins(asked.last + timedelta(days=1), asked.company)})
    return found


def begins(on: date, company: Company) -> datetime:
    """The first instant of a day in the company's zone."""
    return datetime.combine(on, time.min, clock.zone(company.time_zone))


def _words(name: str, asked: Asked) -> Q:
    match asked.op:
        case "empty":
            return Q(**{name: ""})
        case "is":
            return Q(**{f"{name}__iexact": asked.value})
        case "begins":
            return Q(**{f"{name}__istartswith": asked.value})
    return Q(**{f"{name}__icontains": asked.value})


def _any(rows: QuerySet[Any], path: str = "customer") -> Q:
    """Whether the customer, or by `path` the subscription, has such a row."""
    return Q(Exists(rows.filter(**{path: OuterRef("pk")})))


def _none_or(rows: QuerySet[Any], asked: Asked, condition: Q) -> Q:
    """Of a day of rows: "not known" is that there is none with such a day."""
    return ~_any(rows) if asked.op == "empty" else _any(rows.filter(condition))


def _compared(found: Any, asked: Asked) -> Q:
    lookup = {"at_least": GreaterThanOrEqual, "at_most": LessThanOrEqual, "is": Exact}[asked.op]
    return Q(lookup(found, Value(asked.value)))


def _sum(rows: QuerySet[Any], column: str, group: str) -> Any:
    """The sum over the rows, 0 without any. `rows` are those of one customer or subscription."""
    total = rows.order_by().values(group).annotate(total=Sum(column)).values("total")
    return Coalesce(Subquery(total), Value(0), output_field=BigIntegerField())


def language(asked: Asked) -> Q:
    own = Q(language__in=asked.value)
    return own | Q(language="") if asked.company.language in asked.value else own


def country(asked: Asked) -> Q:
    rows = Address.objects.filter(kind="billing", replaced_at__isnull=True, country__in=asked.value)
    return _any(rows)


def _blocks(asked: Asked, *, marketing: bool) -> Any:
    """The suppression of the outer row's address."""
    rows = Suppression.objects.filter(
        company=asked.company, lifted_at__isnull=True,
        address_hash=Func(OuterRef("email"), template=_HASH, output_field=Text()),
    )  # fmt: skip
    return Exists(rows if marketing else rows.filter(scope=Suppression.Scope.ALL))


def advertising_allowed(asked: Asked) -> Q:
    """Some address of the customer or its people allowed it and is not blocked."""
    free = ~Q(email="") & Q(marketing_consent_at__isnull=False) & ~Q(_blocks(asked, marketing=True))
    return free | _any(Contact.objects.filter(free, archived_at__isnull=True))


def address_blocked(asked: Asked) -> Q:
    """The customer's own address gets no mail at all."""
    return ~Q(email="") & Q(_blocks(asked, marketing=False))


def first_campaign(asked: Asked) -> Q:
    return _any(FirstTouch.objects.filter(company=asked.company, campaign__in=asked.value))


def first_source(asked: Asked) -> Q:
    rows = FirstTouch.objects.filter(company=asked.company)
    if asked.op == "empty":
        return ~_any(rows.exclude(source=""))
    return _any(rows.filter(_words("source", asked)))


def list_elsewhere(asked: Asked) -> Q:
    """A list or tag of another system that one of the customer's people is in; see `TieRecord.lists`."""
    rows = TieRecord.objects.filter(company=asked.company, kind=TieRecord.Kind.PERSON).exclude(lists=[])
    if asked.op == "empty":
        return ~_any(rows)
    # Inside the text of the list a name stands in quotes and escaped, which no other name can look like.
    inside = json.dumps(asked.value, ensure_ascii=False)[1:-1]
    wanted = {"is": f'"{inside}"', "begins": f'"{inside}'}.get(asked.op, inside)
    return _any(rows.annotate(said=Cast("lists", Text())).filter(said__icontains=wanted))


def subscription_count(asked: Asked) -> Q:
    """How many are not over."""
    live = Subscription.objects.filter(company=asked.company, customer=OuterRef("pk")).exclude(state__in=OVER)
    count = live.order_by().values("customer").annotate(total=Count("pk")).values("total")
    return _compared(Coalesce(Subquery(count), Value(0), output_field=BigIntegerField()), asked)


def customer_mrr(asked: Asked) -> Q:
    rows = Slot.objects.filter(
        company=asked.company, subscription__company=asked.company, subscription__customer=OuterRef("pk"),
        subscription__currency=asked.currency,
    )  # fmt: skip
    return _compared(_sum(rows, "mrr_minor", "subscription__customer"), asked)


def last_mailing(asked: Asked) -> Q:
    from crm.models import MailingRecipient

    rows = MailingRecipient.objects.filter(company=asked.company, sent_at__isnull=False)
    return _none_or(rows, asked, _instants("sent_at", asked))


def product(asked: Asked) -> Q:
    return _any(Slot.objects.filter(product__in=asked.value), "subscription")


def interval(asked: Asked) -> Q:
    known = reduce(or_, (_of_pairs(pairs) for pairs in INTERVALS.values()))
    return reduce(or_, (~known if name == "other" else _of_pairs(INTERVALS[name]) for name in asked.value))


def _of_pairs(pairs: tuple[tuple[str, int], ...]) -> Q:
    return reduce(or_, (Q(interval_unit=unit, interval_count=count) for unit, count in pairs))


def renewal(asked: Asked) -> Q:
    """The day after the running term, where it will renew."""
    if asked.op == "empty":
        return ~RENEWING
    one = timedelta(days=1)
    found = RENEWING
    if asked.first is not None:
        found &= Q(term_ends_on__gte=asked.first - one)
    if asked.last is not None:
        found &= Q(term_ends_on__lte=asked.last - one)
    return found


def trial_end(asked: Asked) -> Q:
    """The first paid day of a trial that runs."""
    if asked.op == "empty":
        return ~Q(state="trial")
    return Q(state="trial") & _days("paid_from_on", asked)


def subscription_mrr(asked: Asked) -> Q:
    rows = Slot.objects.filter(company=asked.company, subscription=OuterRef("pk"))
    return Q(currency=asked.currency) & _compared(_sum(rows, "mrr_minor", "subscription"), asked)


def discount(asked: Asked) -> Q:
    """Given, and not used up or taken back."""
    return _any(AgreedDiscount.objects.filter(discount__in=asked.value, ended_at__isnull=True), "subscription")


def _usable(asked: Asked) -> QuerySet[PaymentMethod]:
    rows = PaymentMethod.objects.filter(company=asked.company, status=PaymentMethod.Status.ACTIVE)
    return rows.filter(Q(expires_on__isnull=True) | Q(expires_on__gte=asked.on))


def payment_method(asked: Asked) -> Q:
    """One of these kinds, usable on that day."""
    return _any(_usable(asked).filter(kind__in=asked.value))


def has_payment_method(asked: Asked) -> Q:
    return _any(_usable(asked))


def method_expires(asked: Asked) -> Q:
    rows = PaymentMethod.objects.filter(
        company=asked.company, is_default=True, status=PaymentMethod.Status.ACTIVE, expires_on__isnull=False
    )
    return _none_or(rows, asked, _days("expires_on", asked))


def _open(asked: Asked) -> QuerySet[InvoiceBalance]:
    rows = InvoiceBalance.objects.filter(company_id=asked.company.pk, status="open", open_minor__gt=0)
    return rows.filter(customer_id=OuterRef("pk"))


def open_amount(asked: Asked) -> Q:
    rows = _open(asked).filter(currency=asked.currency)
    return _compared(_sum(rows, "open_minor", "customer_id"), asked)


def is_overdue(asked: Asked) -> Q:
    return Q(Exists(_open(asked).filter(payment_due_on__lt=asked.on)))


def in_dunning(asked: Asked) -> Q:
    return _any(DunningCase.objects.filter(company=asked.company, closed_at__isnull=True))


def paid_on(asked: Asked) -> Q:
    rows = InvoiceBalance.objects.filter(
        company_id=asked.company.pk, customer_id=OuterRef("pk"), status="paid", paid_minor__gt=0
    )
    if asked.op == "empty":
        return ~Q(Exists(rows))
    return Q(Exists(rows.filter(_days("closed_on", asked))))


def failed_on(asked: Asked) -> Q:
    rows = Attempt.objects.filter(company=asked.company, state=Attempt.State.FAILED)
    return _none_or(rows, asked, _instants("closed_at", asked))


def usage(asked: Asked) -> Q:
    """The sum of a meter's values over the last days, that day included; 0 without any."""
    rows = UsageDay.objects.filter(
        meter=asked.meter_id, day__gte=asked.first, day__lte=asked.last, subscription__company=asked.company,
        subscription__customer=OuterRef("pk"),
    )  # fmt: skip
    total = rows.order_by().values("subscription__customer").annotate(total=Sum("value_sum")).values("total")
    number = DecimalField(max_digits=38, decimal_places=10)
    return _compared(Coalesce(Subquery(total), Value(0), output_field=number), asked)


def used_on(asked: Asked) -> Q:
    rows = UsageDay.objects.filter(subscription__company=asked.company)
    found = rows if asked.op == "empty" else rows.filter(_days("day", asked))
    has = _any(found, "subscription__customer")
    return ~has if asked.op == "empty" else has
