"""All money in one list: received, pending, late, failed, returned, disputed, refunded; with sums over the whole list.

The rule that matters: a payment stands there once, as it stands now; a try that settled is its payment. Three queries,
however long the list is; what settled is added up by day (`payment_days`), so that sums read what did not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from django.db import connection
from django.db.models import Case, CharField, DateField, F, IntegerField, Q, QuerySet, Subquery, UUIDField, Value, When
from django.db.models.expressions import OuterRef
from django.db.models.functions import Cast, Coalesce, TruncDate
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import Attempt, Gateway, InvoiceBalance, Payment, PaymentDay, Refund, Reversal
from billing.services import payment_days
from core import clock
from core.ids import encode
from core.models import Company

#: Where money stands, in the order shown.
STATES: Final[dict[str, str | Promise]] = {
    "received": _("received"),
    "pending": _("pending"),
    "late": _("late"),
    "failed": _("failed"),
    "returned": _("returned"),
    "disputed": _("disputed"),
    "canceled": _("canceled payments"),
    "refunding": _("to be refunded"),
    "refunded": _("refunded"),
}
#: Tries that brought nothing.
IN_VAIN: Final = (Attempt.State.FAILED, Attempt.State.CANCELED)
KINDS: Final = ("attempt", "payment", "reversal", "refund", "invoice")
PREFIXES: Final = {
    "attempt": Attempt.PREFIX, "payment": Payment.PREFIX, "reversal": Reversal.PREFIX, "refund": Refund.PREFIX,
    "invoice": "inv",
}  # fmt: skip
#: Columns of every part, in order.
COLUMNS: Final = (
    "m_on", "m_rank", "m_id", "m_public_id", "m_state", "m_detail", "m_currency", "m_minor", "m_way", "m_customer_id",
    "m_customer", "m_customer_ref", "m_number", "m_invoice_ref", "m_reason", "m_method", "m_payment_ref",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """What is shown; empty: everything. `customers`: keys of the only ones, None: all."""

    states: frozenset[str] = frozenset()
    way: str = ""
    currency: str = ""
    customers: Collection[int] | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_nothing(self) -> bool:
        return self.customers is not None and not self.customers

    def by_column(self) -> dict[str, dict[str, Any]]:
        """The columns that must be something, each with its look-ups."""
        found: dict[str, dict[str, Any]] = {}
        if self.states:
            found["m_state"] = {"in": sorted(self.states)}
        if self.way:
            found["m_way"] = {"exact": self.way}
        if self.currency:
            found["m_currency"] = {"exact": self.currency}
        if self.customers is not None:
            found["m_customer_id"] = {"in": self.customers}
        days = {"gte": self.first, "lte": self.last}
        if self.first or self.last:
            found["m_on"] = {lookup: day for lookup, day in days.items() if day}
        return found


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of one kind: the states they can have, and the expression behind each of `COLUMNS` and behind `m_count`."""

    rows: QuerySet[Any]
    states: frozenset[str]
    columns: Mapping[str, Any]

    def shown(self, filters: Filters, names: Sequence[str]) -> QuerySet[Any, Any]:
        """What the filters leave, with these columns; no table is read for columns nobody asked for."""
        wanted = filters.by_column()
        annotated = {name: self.columns[name] for name in self.columns if name in names or name in wanted}
        rows: QuerySet[Any, Any] = self.rows.annotate(**annotated)
        for name, lookups in wanted.items():
            rows = rows.filter(**{f"{name}__{lookup}": value for lookup, value in lookups.items()})
        return rows.values_list(*names)


@dataclass
class Row:
    """One line of the list. Money out is below zero. `detail`: the state of the row itself; `reason`: a code."""

    on: date
    rank: int
    pk: int
    ref: str
    state: str
    detail: str
    currency: str
    minor: int
    way: str
    customer_id: int | None
    customer: str
    customer_ref: str
    number: str
    invoice_ref: str
    reason: str
    method: str
    payment_ref: str

    @property
    def kind(self) -> str:
        return KINDS[self.rank]

    @property
    def place(self) -> tuple[date, int, int]:
        return self.on, self.rank, self.pk


@dataclass(frozen=True, slots=True)
class Total:
    """Sum and number of the rows of a state and currency; minor units."""

    state: str
    currency: str
    count: int
    minor: int


def page(
    company: Company, filters: Filters, on: date, *, size: int, place: tuple[date, int, int] | None = None,
    turned: bool = False,
) -> list[Row]:  # fmt: skip
    """Up to `size` rows, newest first, after `place`; `turned`: those before it, nearest first.

    Each part is read no further than the page goes.
    """
    if filters.is_nothing:
        return []
    texts, params = [], list[Any]()
    for rank, part in enumerate(_parts(company, on, filters)):
        if filters.states and part.states.isdisjoint(filters.states):
            continue
        rows = part.shown(filters, COLUMNS)
        if place is not None:
            rows = rows.filter(_beyond(rank, place, turned))
        order = ("m_on", "m_id") if turned else ("-m_on", "-m_id")
        sql, given = rows.order_by(*order)[:size].query.sql_with_params()
        texts.append(f"({sql})")
        params += given
    by = ", ".join(f'"{name}" {"ASC" if turned else "DESC"}' for name in COLUMNS[:3])
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    # Every name is one of `COLUMNS`, the parts are Django's own.
    parts = " UNION ALL ".join(texts)
    found = _read(f"SELECT {columns} FROM ({parts}) AS money ORDER BY {by} LIMIT {int(size)}", params)  # noqa: S608
    return [_row(values) for values in found]


def _beyond(rank: int, place: tuple[date, int, int], turned: bool) -> Q:
    """What of the part of this rank lies behind a place (`turned`: before it)."""
    day, at_rank, pk = place
    further, same = ("m_on__gt", "m_id__gt") if turned else ("m_on__lt", "m_id__lt")
    if rank == at_rank:
        return Q(**{further: day}) | Q(m_on=day, **{same: pk})
    is_behind = rank > at_rank if turned else rank < at_rank
    return Q(**{further: day}) | Q(m_on=day) if is_behind else Q(**{further: day})


def totals(company: Company, filters: Filters, on: date) -> list[Total]:
    """By state, in the order of `STATES`, and currency, the company's own first."""
    if filters.is_nothing:
        return []
    sql, params = _all(company, filters, on)
    # Names are those of `COLUMNS`, the parts are Django's own.
    rows = _read(
        f'SELECT "m_state", "m_currency", sum("m_count"), sum("m_minor") FROM ({sql}) AS money '  # noqa: S608
        'GROUP BY 1, 2 HAVING sum("m_count") > 0',
        params,
    )
    order = list(STATES)
    found = [Total(state, currency, int(count), int(minor)) for state, currency, count, minor in rows]
    own = company.currency
    return sorted(found, key=lambda total: (order.index(total.state), total.currency != own, total.currency))


def _read(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def _row(values: tuple[Any, ...]) -> Row:
    (on, rank, pk, public_id, state, detail, currency, minor, way, customer_id, customer, customer_ref, number,
     invoice_ref, reason, method, payment_ref) = values  # fmt: skip
    return Row(
        on, rank, pk, encode(PREFIXES[KINDS[rank]], public_id), state, detail, currency, minor, way, customer_id,
        customer or "", encode("cus", customer_ref) if customer_ref else "", number or "",
        encode("inv", invoice_ref) if invoice_ref else "", reason or "", method or "",
        encode(Payment.PREFIX, payment_ref) if payment_ref else "",
    )  # fmt: skip


def _all(company: Company, filters: Filters, on: date) -> tuple[str, list[Any]]:
    """State, currency, number and amount of every row, as one statement."""
    texts, params = [], list[Any]()
    for part in _summed(company, on, filters):
        if filters.states and part.states.isdisjoint(filters.states):
            continue
        rows = part.shown(filters, ("m_state", "m_currency", "m_minor", "m_count"))
        sql, given = rows.order_by().query.sql_with_params()
        texts.append(f"({sql})")
        params += given
    return " UNION ALL ".join(texts), params


def _summed(company: Company, on: date, filters: Filters) -> list[_Part]:
    """The parts as sums read them: where nobody's payments are asked for, sums by day stand in for those they hold."""
    attempts, payments, *others = _parts(company, on, filters)
    # Each half has an index of its own.
    tried = [replace(attempts, rows=attempts.rows.filter(state__in=states)) for states in (Attempt.LIVE, IN_VAIN)]
    if filters.customers is not None:
        return [*tried, payments, *others]
    through = payment_days.summed_through(company)
    settled, received = Q(status=Payment.Status.SETTLED), frozenset({"received"})
    columns = {**payments.columns, "m_state": _text("received")}
    taken_away = {**columns, "m_minor": -F("amount_minor"), "m_count": _number(-1)}
    days = {
        "m_on": F("received_on"), "m_state": _text("received"), "m_currency": F("currency"),
        "m_minor": F("amount_minor"), "m_way": F("method"), "m_count": F("count"),
    }  # fmt: skip
    return [
        *tried,
        _Part(PaymentDay.objects.filter(company=company, through_id__lte=through), received, days),
        _Part(payments.rows.filter(settled, pk__gt=through), received, columns),
        # Those of the days that aren't received any more.
        _Part(payments.rows.filter(~settled, pk__lte=through), received, taken_away),
        _Part(payments.rows.filter(~settled), payments.states - received, payments.columns),
        *others,
    ]


def _text(value: str) -> Value:
    return Value(value, output_field=CharField())


def _number(value: int) -> Value:
    return Value(value, output_field=IntegerField())


def _way(path: str) -> Case:
    """The way of a gateway in the words of payments."""
    kinds = {
        Gateway.Kind.STRIPE: Payment.Method.CARD,
        Gateway.Kind.PAYPAL: Payment.Method.PAYPAL,
        Gateway.Kind.SEPA: Payment.Method.DEBIT,
        Gateway.Kind.CASH: Payment.Method.CASH,
    }
    whens = [When(**{path: kind.value}, then=_text(way.value)) for kind, way in kinds.items()]
    return Case(*whens, default=_text(Payment.Method.TRANSFER.value), output_field=CharField())


def _state(path: str, ends: Mapping[Any, str], default: str) -> Case:
    """States of a row in the words of `STATES`."""
    whens = [When(**{path: state.value}, then=_text(word)) for state, word in ends.items()]
    return Case(*whens, default=_text(default), output_field=CharField())


_NONE: Final = Value(None, output_field=CharField())


def _columns(rank: int, **columns: Any) -> dict[str, Any]:
    """The columns of a part in their order, then `m_count`; names are those of `COLUMNS` without `m_`."""
    no_id = Cast(Value(None), UUIDField())
    usual = {
        "rank": _number(rank), "id": F("pk"), "public_id": F("public_id"),
        "currency": F("currency"), "customer_id": F("customer_id"), "customer": F("customer__name"),
        "customer_ref": F("customer__public_id"), "number": _NONE, "invoice_ref": no_id, "reason": _NONE,
        "method": _NONE, "payment_ref": no_id,
    }  # fmt: skip
    found = usual | columns
    return {name: found[name.removeprefix("m_")] for name in COLUMNS} | {"m_count": _number(1)}


def _parts(company: Company, on: date, filters: Filters) -> list[_Part]:
    """One part for each of `KINDS`, in that order; `filters` only spare rows that can't pass them."""
    return [
        _attempts(company), _payments(company, filters), _reversals(company), _refunds(company), _late(company, on),
    ]  # fmt: skip


def _attempts(company: Company) -> _Part:
    S = Attempt.State
    ends = {S.FAILED: "failed", S.CANCELED: "canceled"}
    rows = Attempt.objects.filter(Q(state__in=Attempt.LIVE) | Q(state__in=IN_VAIN), company=company)
    columns = _columns(
        0, on=TruncDate("created_at", tzinfo=clock.zone(company.time_zone)), state=_state("state", ends, "pending"),
        detail=F("state"), minor=F("amount_minor"), way=_way("gateway__kind"), number=F("invoice__number"),
        invoice_ref=F("invoice__public_id"), reason=F("reason"), method=F("method__label"),
    )  # fmt: skip
    return _Part(rows, frozenset({*ends.values(), "pending"}), columns)


def _payments(company: Company, filters: Filters) -> _Part:
    P = Payment.Status
    gone = {P.RETURNED: "returned", P.DISPUTED: "disputed", P.CANCELED: "canceled", P.FAILED: "failed",
            P.PENDING: "pending", P.REFUNDED: "refunded"}  # fmt: skip
    rows = Payment.objects.filter(company=company)
    if filters.states and "received" not in filters.states:
        rows = rows.exclude(status=P.SETTLED)
    last = Reversal.objects.filter(payment=OuterRef("pk")).order_by("-pk").values("reason")[:1]
    columns = _columns(
        1, on=F("received_on"), state=_state("status", gone, "received"), detail=F("status"), minor=F("amount_minor"),
        way=F("method"), reason=Subquery(last), number=F("attempt__invoice__number"),
        invoice_ref=F("attempt__invoice__public_id"), method=F("attempt__method__label"),
    )  # fmt: skip
    return _Part(rows, frozenset({*gone.values(), "received"}), columns)


def _reversals(company: Company) -> _Part:
    # Of the whole payment it is the payment's own state.
    whole = Q(payment__status__in=[Payment.Status.RETURNED, Payment.Status.DISPUTED])
    columns = _columns(
        2, on=F("taken_on"), state=_state("kind", {Reversal.Kind.RETURN: "returned"}, "disputed"), detail=F("state"),
        minor=F("amount_minor"), way=F("payment__method"), reason=F("reason"), customer_id=F("payment__customer_id"),
        customer=F("payment__customer__name"), customer_ref=F("payment__customer__public_id"),
        payment_ref=F("payment__public_id"),
    )  # fmt: skip
    rows = Reversal.objects.filter(company=company).exclude(whole)
    return _Part(rows, frozenset({"returned", "disputed"}), columns)


def _refunds(company: Company) -> _Part:
    R = Refund.Status
    ends = {R.SETTLED: "refunded", R.FAILED: "failed", R.CANCELED: "canceled"}
    columns = _columns(
        3, on=Coalesce("paid_on", "asked_on", output_field=DateField()), state=_state("status", ends, "refunding"),
        detail=F("status"), minor=-F("amount_minor"), way=_way("gateway__kind"), reason=F("failure"),
        payment_ref=F("payment__public_id"),
    )  # fmt: skip
    return _Part(Refund.objects.filter(company=company), frozenset({*ends.values(), "refunding"}), columns)


def _late(company: Company, on: date) -> _Part:
    rows = InvoiceBalance.objects.filter(
        company_id=company.pk, status=InvoiceBalance.Status.OPEN, open_minor__gt=0, payment_due_on__lt=on
    )
    columns = _columns(
        4, on=F("payment_due_on"), state=_text("late"), detail=_text("overdue"), minor=F("open_minor"), way=_text(""),
        public_id=F("invoice__public_id"), number=F("invoice__number"), invoice_ref=F("invoice__public_id"),
        customer=F("invoice__customer__name"), customer_ref=F("invoice__customer__public_id"),
    )  # fmt: skip
    return _Part(rows, frozenset({"late"}), columns)
