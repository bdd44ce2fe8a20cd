"""All money in one list: received, pending, late, failed, returned, disputed, refunded; with sums over the whole list.

The rule that matters: a payment stands there once, as it stands now; a try that settled is its payment. Two queries,
however long the list is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import connection
from django.db.models import Case, CharField, DateField, F, IntegerField, Q, QuerySet, Subquery, UUIDField, Value, When
from django.db.models.expressions import OuterRef
from django.db.models.functions import Cast, Coalesce, TruncDate
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import Attempt, Gateway, InvoiceBalance, Payment, Refund, Reversal
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
    """What is shown; empty: everything."""

    states: frozenset[str] = frozenset()
    way: str = ""
    currency: str = ""
    customers: QuerySet[Any] | None = None
    first: date | None = None
    last: date | None = None


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
    texts, params = [], list[Any]()
    for rank, part in enumerate(_parts(company, on)):
        rows = _filtered(part, filters)
        if place is not None:
            rows = rows.filter(_beyond(rank, place, turned))
        order = ("m_on", "m_id") if turned else ("-m_on", "-m_id")
        sql, given = rows.values_list(*COLUMNS).order_by(*order)[:size].query.sql_with_params()
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
    """By state, in the order of `STATES`, and currency."""
    sql, params = _all(company, filters, on)
    sums = f'SELECT "m_state", "m_currency", count(*), sum("m_minor") FROM ({sql}) AS money GROUP BY 1, 2'  # noqa: S608
    rows = _read(sums, params)
    order = list(STATES)
    found = [Total(state, currency, count, int(minor)) for state, currency, count, minor in rows]
    return sorted(found, key=lambda total: (order.index(total.state), total.currency))


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
    """State, currency and amount of every row, as one statement."""
    texts, params = [], list[Any]()
    for part in _parts(company, on):
        rows = _filtered(part, filters)
        sql, given = rows.values_list("m_state", "m_currency", "m_minor").order_by().query.sql_with_params()
        texts.append(f"({sql})")
        params += given
    return " UNION ALL ".join(texts), params


def _filtered(rows: QuerySet[Any], filters: Filters) -> QuerySet[Any]:
    if filters.states:
        rows = rows.filter(m_state__in=sorted(filters.states))
    if filters.way:
        rows = rows.filter(m_way=filters.way)
    if filters.currency:
        rows = rows.filter(m_currency=filters.currency)
    if filters.customers is not None:
        rows = rows.filter(m_customer_id__in=filters.customers)
    if filters.first:
        rows = rows.filter(m_on__gte=filters.first)
    if filters.last:
        rows = rows.filter(m_on__lte=filters.last)
    return rows


def _text(value: str) -> Value:
    return Value(value, output_field=CharField())


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


_NONE: Final = Value(None, output_field=CharField())


def _columns(rank: int, **columns: Any) -> dict[str, Any]:
    """The columns of a part in their order; names are those of `COLUMNS` without `m_`."""
    no_id = Cast(Value(None), UUIDField())
    usual = {
        "rank": Value(rank, output_field=IntegerField()), "id": F("pk"), "public_id": F("public_id"),
        "currency": F("currency"), "customer_id": F("customer_id"), "customer": F("customer__name"),
        "customer_ref": F("customer__public_id"), "number": _NONE, "invoice_ref": no_id, "reason": _NONE,
        "method": _NONE, "payment_ref": no_id,
    }  # fmt: skip
    found = usual | columns
    return {name: found[name.removeprefix("m_")] for name in COLUMNS}


def _parts(company: Company, on: date) -> list[QuerySet[Any]]:
    zone = clock.zone(company.time_zone)
    last = Reversal.objects.filter(payment=OuterRef("pk")).order_by("-pk").values("reason")[:1]
    S = Attempt.State
    attempts = Attempt.objects.filter(company=company).exclude(state=S.SETTLED).annotate(
        **_columns(
            0, on=TruncDate("created_at", tzinfo=zone),
            state=Case(
                When(state=S.FAILED, then=_text("failed")), When(state=S.CANCELED, then=_text("canceled")),
                default=_text("pending"), output_field=CharField(),
            ),
            detail=F("state"), minor=F("amount_minor"), way=_way("gateway__kind"), number=F("invoice__number"),
            invoice_ref=F("invoice__public_id"), reason=F("reason"), method=F("method__label"),
        )
    )  # fmt: skip
    P = Payment.Status
    gone = {P.RETURNED: "returned", P.DISPUTED: "disputed", P.CANCELED: "canceled", P.FAILED: "failed",
            P.PENDING: "pending", P.REFUNDED: "refunded"}  # fmt: skip
    payments = Payment.objects.filter(company=company).annotate(
        **_columns(
            1, on=F("received_on"),
            state=Case(
                *(When(status=status, then=_text(state)) for status, state in gone.items()),
                default=_text("received"), output_field=CharField(),
            ),
            detail=F("status"), minor=F("amount_minor"), way=F("method"), reason=Subquery(last),
            number=F("attempt__invoice__number"), invoice_ref=F("attempt__invoice__public_id"),
            method=F("attempt__method__label"),
        )
    )  # fmt: skip
    # Of the whole payment it is the payment's own state.
    whole = Q(payment__status__in=[P.RETURNED, P.DISPUTED])
    reversals = Reversal.objects.filter(company=company).exclude(whole).annotate(
        **_columns(
            2, on=F("taken_on"),
            state=Case(When(kind=Reversal.Kind.RETURN, then=_text("returned")), default=_text("disputed"),
                       output_field=CharField()),
            detail=F("state"), minor=F("amount_minor"), way=F("payment__method"), reason=F("reason"),
            customer_id=F("payment__customer_id"), customer=F("payment__customer__name"),
            customer_ref=F("payment__customer__public_id"), payment_ref=F("payment__public_id"),
        )
    )  # fmt: skip
    R = Refund.Status
    refunds = Refund.objects.filter(company=company).annotate(
        **_columns(
            3, on=Coalesce("paid_on", "asked_on", output_field=DateField()),
            state=Case(
                When(status=R.SETTLED, then=_text("refunded")), When(status=R.FAILED, then=_text("failed")),
                When(status=R.CANCELED, then=_text("canceled")), default=_text("refunding"), output_field=CharField(),
            ),
            detail=F("status"), minor=-F("amount_minor"), way=_way("gateway__kind"), reason=F("failure"),
            payment_ref=F("payment__public_id"),
        )
    )  # fmt: skip
    late = InvoiceBalance.objects.filter(
        company_id=company.pk, status=InvoiceBalance.Status.OPEN, open_minor__gt=0, payment_due_on__lt=on
    ).annotate(
        **_columns(
            4, on=F("payment_due_on"), state=_text("late"), detail=_text("overdue"), minor=F("open_minor"),
            way=_text(""), public_id=F("invoice__public_id"), number=F("invoice__number"),
            invoice_ref=F("invoice__public_id"), customer=F("invoice__customer__name"),
            customer_ref=F("invoice__customer__public_id"),
        )
    )  # fmt: skip
    return [attempts, payments, reversals, refunds, late]
