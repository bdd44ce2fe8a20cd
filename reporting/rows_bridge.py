"""Rows behind the monthly bridge: movements, lines, positions, notes, postings and invoices, each with its amount."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from billing.models.books import cause_words
from core.models import Company
from reporting import bridge_facts
from reporting.bridge import FACTS, span_of
from reporting.rows import Source, register
from reporting.rows_money import AMOUNT, CUSTOMER, DAY
from reporting.shapes import Column, Kind

INVOICE = Column("invoice", _("Invoice"), Kind.REFERENCE)
SUBSCRIPTION = Column("subscription", _("Subscription"), Kind.REFERENCE)
NUMBER = Column("number", _("Number"))
WHAT = Column("what", _("What"))
PERIOD = (Column("from", _("From"), Kind.DAY), Column("until", _("Up to, without"), Kind.DAY))
NET = Column("net", _("Net"), Kind.MONEY)
MRR = Column("mrr", _("MRR"), Kind.MONEY)


def _ref(row: Any) -> str:
    return row.ref if row is not None else ""


def _posting(row: Any) -> tuple[Any, ...]:
    return (row.entry, row.booked_on, str(row.account), cause_words(row.cause_kind), row.amount)


_POSTING = (
    Column("entry", _("Entry"), Kind.COUNT), DAY, Column("account", _("Account")), Column("caused", _("Cause")), AMOUNT
)  # fmt: skip
_INVOICE = (INVOICE, NUMBER, CUSTOMER, Column("issued", _("Issued on"), Kind.DAY), AMOUNT)


def _invoice(row: Any) -> tuple[Any, ...]:
    return (row.ref, row.number, row.customer.name, row.issued_on, row.amount)


#: By kind of facts: what is joined, the columns, and the cells.
_SHOWN: Final[dict[str, tuple[Sequence[str], Sequence[Column], Callable[[Any], Sequence[Any]]]]] = {
    "mrr": (
        ("subscription", "customer"),
        (SUBSCRIPTION, CUSTOMER, DAY, Column("kind", _("Movement")), AMOUNT),
        lambda row: (row.subscription.ref, row.customer.name, row.booked_on, row.get_kind_display(), row.amount),
    ),
    "lines": (
        ("invoice__customer",),
        (INVOICE, NUMBER, CUSTOMER, WHAT, *PERIOD, NET, MRR, AMOUNT),
        lambda row: (
            row.invoice.ref, row.invoice.number, row.invoice.customer.name, row.description, row.period_start,
            row.period_end, row.net_minor, row.worth if row.is_main else None, row.amount,
        ),
    ),
    "positions": (
        ("subscription__customer", "product"),
        (SUBSCRIPTION, CUSTOMER, WHAT, AMOUNT),
        lambda row: (row.subscription.ref, row.subscription.customer.name, str(row.product), row.amount),
    ),
    "notes": (
        ("credit_note__customer",),
        (Column("credit_note", _("Credit note"), Kind.REFERENCE), NUMBER, CUSTOMER, WHAT, *PERIOD, AMOUNT),
        lambda row: (
            row.credit_note.ref, row.credit_note.number, row.credit_note.customer.name, row.description,
            row.period_start, row.period_end, row.amount,
        ),
    ),
    "postings": (("account",), _POSTING, _posting),
    "invoiced": (("account",), _POSTING, _posting),
    "booked": (("account",), _POSTING, _posting),
    "paid": (("account",), _POSTING, _posting),
    "open": (("customer",), _INVOICE, _invoice),
    "earlier": (("customer",), _INVOICE, _invoice),
}  # fmt: skip


def _query(name: str) -> Callable[[Company, Mapping[str, str]], QuerySet[Any]]:
    def found(company: Company, where: Mapping[str, str]) -> QuerySet[Any]:
        facts = bridge_facts.prepaid_back if where.get("cause") == "prepaid" else FACTS[name]
        rows = facts(company, span_of(where)).select_related(*_SHOWN[name][0])
        if "currency" in where:
            rows = rows.filter(currency=where["currency"])
        if "cause" in where:
            rows = rows.filter(falls_under=where["cause"])
        return rows.order_by("-pk")

    return found


for _name, (_joined, _columns, _cells) in _SHOWN.items():
    register(
        Source(
            name=f"bridge_{_name}", title=_("Rows of the bridge"), columns=_columns,
            conditions=frozenset({"first", "last", "currency", "cause"}), query=_query(_name), cells=_cells,
            amount="amount",
        )
    )  # fmt: skip
