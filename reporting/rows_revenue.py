"""Rows behind figures of recurring revenue: what positions were worth on a day, movements, customers who came and went.

The rule that matters: they are the facts the figures were added up from, under the same conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models import DiscountUse, DunningCase
from catalog.models import Campaign, Discount
from core import clock
from core.ids import BadId, encode
from core.models import Company
from core.refusal import Refused
from customers.models import Customer
from customers.services.titles import title_of
from reporting import dimensions, lenses
from reporting.models import RevenueFact
from reporting.movements import KINDS, MOVED
from reporting.revenue_words import KIND_WORDS
from reporting.rows import Source, register
from reporting.shapes import Column, Kind
from subscriptions.models import AgreedDiscount, Movement, SlotTerms, Subscription

Where = Mapping[str, str]
#: Conditions of all sources here: a currency, and values of dimensions.
GIVEN = {"discount": (Discount, "discount"), "given_campaign": (Campaign, "discount__campaign")}
COMMON = frozenset({*GIVEN, "currency", *dimensions.BY_NAME, *lenses.BY_NAME})
_CUSTOMER = Column("customer", _("Customer"), Kind.REFERENCE)
_NAME = Column("name", _("Name"))
_SUBSCRIPTION = Column("subscription", _("Subscription"), Kind.REFERENCE)
_AMOUNT = Column("amount", pgettext_lazy("recurring revenue", "A month"), Kind.MONEY, is_summed=True)


def day_of(where: Where, name: str) -> date:
    """A day that a condition names. Refuses `report.rows_unknown`."""
    try:
        return date.fromisoformat(where[name])
    except (KeyError, ValueError):
        raise Refused("report.rows_unknown") from None


def end_of(company: Company, day: date) -> datetime:
    """The midnight after the day, in the company's zone."""
    return datetime.combine(day + timedelta(days=1), time(), clock.zone(company.time_zone))


def _given(company: Company, where: Where) -> QuerySet[AgreedDiscount]:
    """Discounts that were agreed: of one of the catalog, or of a campaign."""
    rows = AgreedDiscount.objects.filter(company=company)
    for name, (model, path) in GIVEN.items():
        if name in where:
            try:
                rows = rows.filter(**{f"{path}__public_id": model.public_id_of(where[name])})
            except BadId:
                raise Refused("report.rows_unknown") from None
    return rows.filter(subscription__currency=where["currency"]) if "currency" in where else rows


def facts(company: Company, where: Where, *, by: str = "") -> QuerySet[Any]:
    """Facts of the company in the currency and under the values of dimensions that are named.

    Without any, and divided by none, the movements themselves: what passes between values is nothing then.
    """
    columns = dimensions.columns_of(company, where)
    nothing = {f"{column}__isnull": True for column, value in columns.items() if value is None}
    model: Any = RevenueFact if columns or by in dimensions.BY_NAME else Movement
    rows: QuerySet[Any] = model.objects.filter(
        company=company, **{column: value for column, value in columns.items() if value is not None}, **nothing
    )
    rows = lenses.conditions(rows, where)
    if set(where) & set(GIVEN):
        given = _given(company, where).filter(subscription=OuterRef("subscription_id"))
        rows = rows.filter(Exists(given))
    return rows.filter(currency=where["currency"]) if "currency" in where else rows


def risky(company: Company, on: date) -> Q:
    """Facts of what is at risk on that day: positions suspended for non-payment, and all of a customer in a currency
    with a case of dunning open."""
    end = end_of(company, on)
    suspended = SlotTerms.objects.filter(
        Q(until_on__isnull=True) | Q(until_on__gt=on), slot=OuterRef("slot_id"), from_on__lte=on,
        standing=SlotTerms.Standing.SUSPENDED,
    )  # fmt: skip
    cases = DunningCase.objects.filter(
        Q(closed_at__isnull=True) | Q(closed_at__gte=end), customer=OuterRef("customer_id"),
        currency=OuterRef("currency"), opened_at__lt=end,
    )  # fmt: skip
    return Q(Exists(suspended)) | Q(Exists(cases))


def leaving(company: Company, on: date) -> Q:
    """Facts of subscriptions whose end had been asked for by that day, and whose last day is that one or later."""
    end = end_of(company, on)
    return Q(
        subscription__end_kind=Subscription.EndKind.CANCEL, subscription__cancel_asked_at__lt=end,
        subscription__ends_on__gte=on,
    )  # fmt: skip


def _recurring(company: Company, where: Where) -> QuerySet[Any]:
    on = day_of(where, "on")
    rows = facts(company, where).filter(booked_on__lte=on)
    match where.get("which", ""):
        case "":
            pass
        case "at_risk":
            rows = rows.filter(risky(company, on))
        case "leaving":
            rows = rows.filter(leaving(company, on))
        case _:
            raise Refused("report.rows_unknown")
    rows = rows.values(
        "slot_id", "currency", customer_name=F("customer__name"), customer_ref=F("customer__public_id"),
        subscription_ref=F("subscription__public_id"), subscription_name=F("subscription__name"),
    )  # fmt: skip
    worth = rows.annotate(amount=Sum("amount_minor")).exclude(amount=0)
    return worth.order_by("-amount", "slot_id")


register(
    Source(
        name="recurring",
        title=_("Recurring revenue by position"),
        columns=(_CUSTOMER, _NAME, _SUBSCRIPTION, Column("what", _("What")), _AMOUNT),
        conditions=COMMON | {"on", "which"},
        query=_recurring,
        cells=lambda row: (
            encode(Customer.PREFIX, row["customer_ref"]), row["customer_name"],
            encode(Subscription.PREFIX, row["subscription_ref"]), row["subscription_name"], row["amount"],
        ),
        amount="amount",
    )
)  # fmt: skip


def _movements(company: Company, where: Where) -> QuerySet[Any]:
    rows = facts(company, where).filter(
        booked_on__gte=day_of(where, "first"), booked_on__lte=day_of(where, "last")
    )  # fmt: skip
    kinds = where.get("kind", "")
    if kinds:
        if not set(kinds.split(",")) <= {*KINDS, MOVED}:
            raise Refused("report.rows_unknown")
        rows = rows.filter(kind__in=kinds.split(","))
    return rows.select_related("customer", "subscription").order_by("-booked_on", "-id")


register(
    Source(
        name="movements",
        title=_("Movements of recurring revenue"),
        columns=(
            Column("booked", _("Day"), Kind.DAY), Column("effective", _("In effect from"), Kind.DAY), _CUSTOMER, _NAME,
            _SUBSCRIPTION, Column("kind", _("Kind")), Column("cause", _("Caused by")), Column("reason", _("Reason")),
            _AMOUNT,
        ),
        conditions=COMMON | {"first", "last", "kind"},
        query=_movements,
        cells=lambda row: (
            row.booked_on, row.effective_on, row.customer.ref, row.customer.name, row.subscription.ref,
            str(KIND_WORDS[row.kind]), title_of(row.cause),
            str(lenses.REASONS.get(row.reason, row.reason)) if row.reason else "", row.amount_minor,
        ),
        amount="amount_minor",
    )
)  # fmt: skip


def _of_customers(rows: QuerySet[Any], where: Where, first: date, last: date) -> QuerySet[Any]:
    """Customers with what they were worth before the first day and at the end of the last, biggest first.

    Without a currency all of a customer's are taken together, for counting alone.
    """
    currency = F("currency") if "currency" in where else Value("")
    named = rows.filter(booked_on__lte=last).values(
        "customer_id", customer_name=F("customer__name"), customer_ref=F("customer__public_id"), told_in=currency
    )
    return named.annotate(
        before=Coalesce(Sum("amount_minor", filter=Q(booked_on__lt=first)), 0), after=Sum("amount_minor")
    ).order_by("-after", "customer_id")


def _customers(company: Company, where: Where) -> QuerySet[Any]:
    last = day_of(where, "last")
    first = day_of(where, "first") if "first" in where else last
    rows = facts(company, where)
    found = _of_customers(rows, where, first, last)
    earlier = Exists(rows.filter(customer=OuterRef("customer_id"), booked_on__lt=first))
    match where.get("which", ""):
        case "":
            return found.filter(after__gt=0)
        case "gained":
            return found.filter(~earlier, after__gt=0)
        case "returned":
            return found.filter(earlier, before__lte=0, after__gt=0)
        case "lost":
            return found.filter(before__gt=0, after__lte=0)
    raise Refused("report.rows_unknown")


register(
    Source(
        name="revenue_customers",
        title=_("Customers with recurring revenue"),
        columns=(
            _CUSTOMER, _NAME, Column("before", _("A month, before"), Kind.MONEY),
            Column("after", _("A month, after"), Kind.MONEY),
        ),
        conditions=COMMON | {"first", "last", "which"},
        query=_customers,
        cells=lambda row: (
            encode(Customer.PREFIX, row["customer_ref"]), row["customer_name"],
            row["before"] if row["told_in"] else None, row["after"] if row["told_in"] else None,
        ),
        currency="told_in",
        counted="customer_id",
    )
)  # fmt: skip


def _churn(company: Company, where: Where) -> QuerySet[Any]:
    """Movements of the kind churn, what was lost above zero."""
    return _movements(company, {**where, "kind": "churn"}).annotate(lost_minor=-F("amount_minor"))


register(
    Source(
        name="churn",
        title=_("What was lost"),
        columns=(
            Column("booked", _("Day"), Kind.DAY), _CUSTOMER, _NAME, _SUBSCRIPTION, Column("reason", _("Reason")),
            Column("comment", _("In their own words")), _AMOUNT,
        ),
        conditions=COMMON | {"first", "last"},
        query=_churn,
        cells=lambda row: (
            row.booked_on, row.customer.ref, row.customer.name, row.subscription.ref,
            str(lenses.REASONS.get(row.reason, row.reason)), row.subscription.end_comment, row.lost_minor,
        ),
        amount="lost_minor",
    )
)  # fmt: skip


def _churned(company: Company, where: Where) -> QuerySet[Any]:
    """Customers by what they lost in the time, in a currency."""
    rows = facts(company, where).filter(
        kind="churn", booked_on__gte=day_of(where, "first"), booked_on__lte=day_of(where, "last")
    )
    named = rows.order_by().values(
        "customer_id", "currency", customer_name=F("customer__name"), customer_ref=F("customer__public_id")
    )
    return named.annotate(lost=-Sum("amount_minor")).filter(lost__gt=0).order_by("-lost", "customer_id")


register(
    Source(
        name="churn_customers",
        title=_("Customers lost"),
        columns=(_CUSTOMER, _NAME, Column("lost", _("A month"), Kind.MONEY)),
        conditions=COMMON | {"first", "last"},
        query=_churned,
        cells=lambda row: (encode(Customer.PREFIX, row["customer_ref"]), row["customer_name"], row["lost"]),
        counted="customer_id",
    )
)  # fmt: skip


def _won(company: Company, where: Where) -> QuerySet[Any]:
    """Customers by the new revenue they brought in the time."""
    rows = facts(company, where).filter(
        kind="new", booked_on__gte=day_of(where, "first"), booked_on__lte=day_of(where, "last")
    )
    named = rows.order_by().values(
        "customer_id", "currency", customer_name=F("customer__name"), customer_ref=F("customer__public_id")
    )
    return named.annotate(won=Sum("amount_minor")).filter(won__gt=0).order_by("-won", "customer_id")


register(
    Source(
        name="won_customers",
        title=_("Customers won"),
        columns=(_CUSTOMER, _NAME, Column("won", _("A month"), Kind.MONEY)),
        conditions=COMMON | {"first", "last"},
        query=_won,
        cells=lambda row: (encode(Customer.PREFIX, row["customer_ref"]), row["customer_name"], row["won"]),
        counted="customer_id",
    )
)  # fmt: skip


register(
    Source(
        name="given_discounts",
        title=_("Discounts given"),
        columns=(_SUBSCRIPTION, _NAME, Column("discount", _("Discount")), Column("from", _("From"), Kind.DAY)),
        conditions=frozenset({"currency", *GIVEN}),
        query=lambda company, where: _given(company, where)
        .select_related("subscription__customer", "discount")
        .order_by("-pk"),
        cells=lambda row: (row.subscription.ref, row.subscription.customer.name, row.name, row.from_on),
        counted="subscription_id",
        currency="subscription__currency",
    )
)  # fmt: skip


def _uses(company: Company, where: Where) -> QuerySet[Any]:
    rows = DiscountUse.objects.filter(
        company=company, agreed__in=_given(company, where), due_on__gte=day_of(where, "first"),
        due_on__lte=day_of(where, "last"),
    )  # fmt: skip
    return rows.select_related("agreed__subscription__customer", "agreed__discount").order_by("-due_on", "-pk")


register(
    Source(
        name="discount_uses",
        title=_("Discounts taken off charges"),
        columns=(
            Column("due", _("Due on"), Kind.DAY), _SUBSCRIPTION, _NAME, Column("discount", _("Discount")),
            Column("amount", _("Amount"), Kind.MONEY, is_summed=True),
        ),
        conditions=frozenset({"currency", "first", "last", *GIVEN}),
        query=_uses,
        cells=lambda row: (
            row.due_on, row.agreed.subscription.ref, row.agreed.subscription.customer.name, row.agreed.name,
            row.amount_minor,
        ),
        amount="amount_minor",
        currency="agreed__subscription__currency",
    )
)  # fmt: skip
