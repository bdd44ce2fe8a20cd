"""A customer's account: what was owed at the start of a time, every document and payment, what is owed at its end.

The rule that matters: it is read from the postings, so opening and entries always make the closing; what was booked for
somebody merged into the customer belongs to it; what was given up
as lost in the books is still owed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db.models import Min, QuerySet, Sum
from django.utils.translation import gettext as _

from billing.models import Allocation, Claim, CreditNote, Invoice, Payment, Posting, Refund, Reversal
from core.refusal import Refused
from customers.models import Customer
from customers.services import merged

#: Roles whose postings are the customer's account; a loss stays the customer's debt.
ROLES: Final = ("receivable", "customer_credit", "write_off")


@dataclass(frozen=True, slots=True)
class Entry:
    """A document, payment or the like as the customer knows it; minor units, above zero: the customer owes more."""

    on: date
    words: str
    reference: str
    due_on: date | None
    amount_minor: int
    balance_minor: int
    kind: str
    subject_id: int

    @property
    def credited_minor(self) -> int:
        """The amount without its sign, where it lowers what is owed."""
        return -self.amount_minor


@dataclass(frozen=True, slots=True)
class Account:
    """One currency from the first to the last day. A balance below zero is the customer's credit."""

    customer: Customer
    currency: str
    first: date
    last: date
    opening_minor: int
    entries: list[Entry]
    closing_minor: int


def currencies_of(customer: Customer) -> list[str]:
    """The currencies in which anything was ever booked for the customer."""
    rows = _postings(customer).order_by().values_list("currency").annotate(first=Min("id"))
    return sorted(currency for currency, _first in rows)


def account_of(*, customer: Customer, currency: str, first: date, last: date) -> Account:
    """The account, entries by day in the order they were booked. Refuses `account.days_reversed`.

    What cancels out, such as credit that paid an invoice, is no entry. At most nine statements.
    """
    if last < first:
        raise Refused("account.days_reversed", field="last")
    rows = _postings(customer).filter(currency=currency)
    opening = int(rows.filter(booked_on__lt=first).aggregate(total=Sum("amount_minor"))["total"] or 0)
    grouped: Any = (
        rows.filter(booked_on__gte=first, booked_on__lte=last)
        .order_by()
        .values_list("booked_on", "cause_kind", "cause_id")
        .annotate(total=Sum("amount_minor"), at=Min("id"))
    )
    found = sorted((row for row in grouped if row[3]), key=lambda row: (row[0], row[4]))
    named = _named(customer, found)
    entries, balance = [], opening
    for on, kind, subject_id, minor, _at in found:
        balance += int(minor)
        words, reference, due_on = _words(kind, named.get((kind, subject_id)), int(minor))
        entries.append(Entry(on, words, reference, due_on, int(minor), balance, kind, subject_id))
    return Account(customer, currency, first, last, opening, entries, balance)


def _postings(customer: Customer) -> QuerySet[Posting]:
    return Posting.objects.filter(
        company_id=customer.company_id, customer_id__in=merged.ids_of(customer), account__role__in=ROLES
    )  # fmt: skip


def _named(customer: Customer, found: list[Any]) -> dict[tuple[str, int], Any]:
    """The rows that caused entries, one statement for each kind."""
    ids: dict[str, set[int]] = {}
    for _on, kind, subject_id, _minor, _at in found:
        ids.setdefault(kind, set()).add(subject_id)
    models: dict[str, Any] = {
        "invoice": Invoice, "credit_note": CreditNote, "payment": Payment, "refund": Refund, "reversal": Reversal,
        "claim": Claim, "allocation": Allocation,
    }  # fmt: skip
    named: dict[tuple[str, int], Any] = {}
    for kind, model in models.items():
        if kind in ids:
            rows = model.objects.filter(company_id=customer.company_id, pk__in=ids[kind])
            if kind in ("claim", "reversal", "allocation"):
                rows = rows.select_related("invoice" if kind == "claim" else "payment")
            named |= {(kind, row.pk): row for row in rows}
    return named


def _words(kind: str, row: Any, minor: int) -> tuple[str, str, date | None]:
    """What it is called, its number or reference, and when it is due, in the active language."""
    match kind:
        case "invoice":
            return _("Invoice"), row.number, row.payment_due_on
        case "credit_note":
            return _("Credit note"), row.number, None
        case "payment" | "allocation":
            payment = row.payment if kind == "allocation" else row
            reference = "" if payment is None else payment.reference
            return (_("Payment") if minor < 0 else _("Payment taken back")), reference, None
        case "refund":
            return (_("Refund") if minor > 0 else _("Refund that came back")), row.reference, None
        case "reversal":
            words = _("Debit returned") if row.kind == Reversal.Kind.RETURN else _("Payment disputed")
            return words, row.payment.reference, None
        case "claim":
            return _claim_words(row), row.invoice.number, None
        case _:
            return _("Correction"), "", None


def _claim_words(claim: Claim) -> str:
    return _("Interest for late payment") if claim.kind == Claim.Kind.INTEREST else _("Fee for late payment")
