"""Rows behind figures of money: open invoices, claims, tries to collect, what came after steps of dunning.

The rule that matters: a source reads what the report itself read, under the same conditions, so both add up alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Least
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.gateways import reasons
from billing.models import Attempt, DunningEntry, DunningStep
from billing.services.dunning_words import action_words
from core import clock
from core.ids import BadId
from core.models import Company
from core.refusal import Refused
from customers.models import Address, Customer
from reporting import owed
from reporting.rows import Source, register
from reporting.shapes import Column, Kind
from subscriptions.models import Subscription

Where = Mapping[str, str]
CUSTOMER = Column("customer", _("Customer"))
AMOUNT = Column("amount", _("Amount"), Kind.MONEY, is_summed=True)
DAY = Column("day", _("Day"), Kind.DAY)


def day_of(where: Where, name: str) -> date:
    """A day that a condition names. Refuses `report.rows_unknown`."""
    try:
        return date.fromisoformat(where[name])
    except (KeyError, ValueError):
        raise Refused("report.rows_unknown") from None


def customer_of(ref: str) -> Any:
    """The public id behind a customer's outside id. Refuses `report.rows_unknown`."""
    try:
        return Customer.public_id_of(ref)
    except BadId:
        raise Refused("report.rows_unknown") from None


def whole(text: str) -> int:
    """A whole number that a condition names. Refuses `report.rows_unknown`."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused("report.rows_unknown")
    return int(text)


def instants(company: Company, first: date, last: date) -> tuple[datetime, datetime]:
    """From the first day's midnight to the one after the last, in the company's zone."""
    zone = clock.zone(company.time_zone)
    return datetime.combine(first, time(), zone), datetime.combine(last + timedelta(days=1), time(), zone)


def _open_invoices(company: Company, where: Where) -> QuerySet[Any]:
    rows = owed.open_invoices(company, day_of(where, "day"))
    if "currency" in where:
        rows = rows.filter(currency=where["currency"])
    if "age" in where:
        rows = rows.exclude(age="not_due") if where["age"] == "late" else rows.filter(age=where["age"])
    if "customer" in where:
        rows = rows.filter(customer__public_id=customer_of(where["customer"]))
    if "due_from" in where:
        rows = rows.filter(payment_due_on__gte=day_of(where, "due_from"), payment_due_on__lte=day_of(where, "due_to"))
    if "collected" in where:
        live = Attempt.objects.filter(company=company, state__in=Attempt.LIVE).values("invoice_id")
        rows = rows.filter(pk__in=live) if where["collected"] == "yes" else rows.exclude(pk__in=live)
    return rows.select_related("customer").order_by("payment_due_on", "pk")


def _due_subscriptions(company: Company, where: Where) -> QuerySet[Any]:
    rows = Subscription.objects.filter(company=company, next_bill_on__lte=day_of(where, "last"), parked_at__isnull=True)
    return rows.select_related("customer").order_by("next_bill_on", "pk")


register(
    Source(
        name="due_subscriptions",
        title=_("Subscriptions due"),
        columns=(
            Column("subscription", _("Subscription"), Kind.REFERENCE), CUSTOMER, Column("name", _("Name")),
            Column("due", _("Next bill on"), Kind.DAY),
        ),
        conditions=frozenset({"last"}),
        query=_due_subscriptions,
        cells=lambda row: (row.ref, row.customer.name, row.name, row.next_bill_on),
    )
)  # fmt: skip


register(
    Source(
        name="open_invoices",
        title=_("Open invoices"),
        columns=(
            Column("invoice", _("Invoice"), Kind.REFERENCE), Column("number", _("Number")), CUSTOMER,
            Column("issued", _("Issued on"), Kind.DAY), Column("due", _("Due on"), Kind.DAY),
            Column("gross", _("Total"), Kind.MONEY), AMOUNT,
        ),
        conditions=frozenset({"day", "currency", "age", "customer", "due_from", "due_to", "collected"}),
        query=_open_invoices,
        cells=lambda row: (
            row.ref, row.number, row.customer.name, row.issued_on, row.payment_due_on, row.gross_minor, row.open_at,
        ),
        amount="open_at",
    )
)  # fmt: skip


def _open_claims(company: Company, where: Where) -> QuerySet[Any]:
    rows = owed.open_claims(company, day_of(where, "day"))
    if "currency" in where:
        rows = rows.filter(currency=where["currency"])
    return rows.select_related("customer", "invoice").order_by("-pk")


register(
    Source(
        name="open_claims",
        title=_("Fees and interest claimed"),
        columns=(
            Column("invoice", _("Invoice"), Kind.REFERENCE), CUSTOMER, Column("kind", _("Kind")),
            Column("claimed", _("Claimed on"), Kind.DAY), AMOUNT,
        ),
        conditions=frozenset({"day", "currency"}),
        query=_open_claims,
        cells=lambda row: (
            row.invoice.ref, row.customer.name, row.get_kind_display(), row.claimed_on, row.open_at,
        ),
        amount="open_at",
    )
)  # fmt: skip

#: Where a try's condition is read: country is the one of the address that the invoice was written to.
_TRIES = {"currency": "currency", "state": "state", "reason": "reason", "method": "gateway__kind", "country": "country"}
#: Tries of an invoice are counted up to this one; it stands for later ones, too.
MOST_TRIES = 5


def country_at(address: str) -> Any:
    """The country of an address row, "" without one: that a document was written to, whatever the customer's is now."""
    found = Address.objects.filter(pk=OuterRef(address)).values("country")
    return Coalesce(Subquery(found), Value(""))


def ended_tries(company: Company, first: date, last: date) -> QuerySet[Any]:
    """Tries whose end became known in the time, with the `country` of the invoice's address, "" without one."""
    start, end = instants(company, first, last)
    rows = Attempt.objects.filter(company=company, closed_at__gte=start, closed_at__lt=end)
    before = Attempt.objects.filter(invoice=OuterRef("invoice"), pk__lte=OuterRef("pk")).order_by()
    number = before.values("invoice").annotate(count=Count("pk")).values("count")
    return rows.annotate(
        country=country_at("invoice__address_id"),
        number=Least(Subquery(number, output_field=IntegerField()), MOST_TRIES),
    )


def _tries(company: Company, where: Where) -> QuerySet[Any]:
    rows = ended_tries(company, day_of(where, "first"), day_of(where, "last"))
    rows = rows.filter(**{_TRIES[name]: value for name, value in where.items() if name in _TRIES})
    if "number" in where:
        rows = rows.filter(number=whole(where["number"]))
    return rows.select_related("customer", "invoice", "gateway").order_by("-closed_at", "-pk")


_TRY_COLUMNS = (
    Column("invoice", _("Invoice"), Kind.REFERENCE), Column("number", _("Number")), CUSTOMER,
    Column("method", _("Payment method")), Column("ended", _("Ended on"), Kind.DAY), Column("state", _("Status")),
    Column("reason", _("Reason")), AMOUNT,
)  # fmt: skip


def _try_cells(row: Any) -> tuple[Any, ...]:
    reason = reasons.words_of(row.reason) if row.reason else ""
    return (
        row.invoice.ref, row.invoice.number, row.customer.name, row.gateway.get_kind_display(), row.closed_at.date(),
        row.get_state_display(), str(reason), row.amount_minor,
    )  # fmt: skip


_MEASURES = (("tries", "", ""), ("tries_amount", "amount_minor", ""), ("tries_invoices", "", "invoice_id"))
for _name, _amount, _counted in _MEASURES:
    register(
        Source(
            name=_name, title=_("Tries to collect"), columns=_TRY_COLUMNS,
            conditions=frozenset({"first", "last", "number", *_TRIES}), query=_tries, cells=_try_cells,
            amount=_amount, counted=_counted,
        )
    )  # fmt: skip


def dunning_entries(company: Company, first: date, last: date) -> QuerySet[Any]:
    """What steps of dunning did and what money came, in the time."""
    steps = Q(action__in=DunningStep.Action.values) | Q(action__in=["paid", "returned"])
    return DunningEntry.objects.filter(steps, company=company, on__gte=first, on__lte=last)


def _recovered(company: Company, where: Where) -> QuerySet[Any]:
    rows = dunning_entries(company, day_of(where, "first"), day_of(where, "last"))
    match where.get("what", ""):
        case "money":
            rows = rows.filter(action__in=["paid", "returned"])
        case "paid":
            rows = rows.filter(action="paid")
        case "done" | "skipped" as result:
            rows = rows.filter(action__in=DunningStep.Action.values, result=result)
        case _:
            raise Refused("report.rows_unknown")
    if "currency" in where:
        rows = rows.filter(case__currency=where["currency"])
    if "step" in where:
        rows = rows.filter(step_id=whole(where["step"])) if where["step"] else rows.filter(step__isnull=True)
    rows = rows.annotate(currency=F("case__currency"))
    return rows.select_related("case__customer", "step").order_by("-on", "-pk")


for _name, _amount in (("dunning_money", "amount_minor"), ("dunning_steps", "")):
    register(
        Source(
            name=_name, title=_("Steps of dunning and what came"),
            columns=(
                Column("case", _("Case"), Kind.REFERENCE), CUSTOMER, DAY,
                Column("action", pgettext_lazy("dunning", "Step")), AMOUNT,
            ),
            conditions=frozenset({"first", "last", "what", "currency", "step"}), query=_recovered,
            cells=lambda row: (
                row.case.ref, row.case.customer.name, row.on, action_words(row.action), row.amount_minor,
            ),
            amount=_amount,
        )
    )  # fmt: skip
