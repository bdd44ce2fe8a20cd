"""Rows behind the ledger's figures: postings by account, customer, day and side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Abs
from django.utils.translation import gettext_lazy as _

from billing.models import Posting
from billing.models.books import cause_words
from core.models import Company
from core.refusal import Refused
from customers.models import Customer
from reporting.rows import Source, register
from reporting.rows_money import customer_of, day_of
from reporting.shapes import Column, Kind

#: The accounts that say how a customer stands: what is owed less account credit.
STANDING = ("receivable", "customer_credit")
#: What moves a customer's balance, by the kind of row that caused the posting.
MOVES = {
    "invoices": ("invoice",),
    "credit_notes": ("credit_note",),
    "payments": ("payment", "allocation", "reversal"),
    "refunds": ("refund",),
    "losses": ("write_off",),
    "claims": ("claim",),
}


def postings(company: Company, first: date | None, last: date) -> QuerySet[Any]:
    """Postings of the time, or all up to its last day; `amount` is debit above zero."""
    rows = Posting.objects.filter(company=company, booked_on__lte=last).annotate(amount=F("amount_minor"))
    return rows if first is None else rows.filter(booked_on__gte=first)


def _query(company: Company, where: Mapping[str, str]) -> QuerySet[Any]:
    first = day_of(where, "first") if "first" in where else None
    rows = postings(company, first, day_of(where, "last"))
    if "account" in where:
        rows = rows.filter(account__code=where["account"])
    if "currency" in where:
        rows = rows.filter(currency=where["currency"])
    match where.get("side", ""):
        case "debit":
            rows = rows.filter(amount_minor__gt=0)
        case "credit":
            rows = rows.filter(amount_minor__lt=0).annotate(amount=Abs("amount_minor"))
        case "":
            pass
        case _:
            raise Refused("report.rows_unknown")
    if "customer" in where:
        whose = Customer.objects.filter(company=company, public_id=customer_of(where["customer"])).values("pk")
        rows = rows.filter(customer_id__in=whose, account__role__in=STANDING)
    if "standing" in where:
        rows = rows.filter(account__role__in=STANDING)
    if "move" in where:
        if where["move"] not in MOVES:
            raise Refused("report.rows_unknown")
        rows = rows.filter(cause_kind__in=MOVES[where["move"]])
    return rows.select_related("account").order_by("-booked_on", "-pk")


register(
    Source(
        name="postings",
        title=_("Postings"),
        columns=(
            Column("entry", _("Entry"), Kind.COUNT), Column("day", _("Day"), Kind.DAY), Column("account", _("Account")),
            Column("caused", _("Cause")), Column("amount", _("Amount"), Kind.MONEY, is_summed=True),
        ),
        conditions=frozenset({"first", "last", "account", "currency", "side", "customer", "move", "standing"}),
        query=_query,
        cells=lambda row: (row.entry, row.booked_on, str(row.account), cause_words(row.cause_kind), row.amount),
        amount="amount",
    )
)  # fmt: skip


def move_of() -> Any:
    """The name of the move that a posting belongs to."""
    return Case(
        *(When(cause_kind__in=kinds, then=Value(name)) for name, kinds in MOVES.items()), default=Value("claims")
    )
