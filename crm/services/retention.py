"""What the law makes a company keep about a customer, and until when: years as data, rows as counted.

The rule that matters: years stand in a dated file with their source; they run from the end of the calendar year of the
newest row. A country without rows of its own keeps what the directive on VAT asks of sales across borders.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from django.db.models import Max, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import Attempt, BankLine, CreditNote, Invoice, Mandate, Payment, Refund
from core import clock
from core.models import AuditEntry, Company
from crm.models import Quote
from customers.models import Customer, VatCheck
from customers.services import merged
from subscriptions.models import ImportLine

_FILE: Final = Path(__file__).resolve().parent.parent / "data" / "retention.csv"


class Rule(NamedTuple):
    """How many years one country keeps one kind (documents, books or letters), from which day on.

    `source_url` is the law's own address; `is_checked`: its words were read at `read_at`, on `checked_on`.
    """

    country: str
    kind: str
    years: int
    valid_from: date
    title: str
    source_url: str
    is_checked: bool
    read_at: str
    checked_on: date | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays: which rows, how many, through which day and by which law. `tables`: where they stand."""

    name: str
    label: str | Promise
    count: int
    until_on: date
    law: str
    source_url: str
    is_checked: bool


#: What each kept kind is called, and in which tables its personal values stand.
KINDS: Final[Mapping[str, tuple[str | Promise, frozenset[str]]]] = {
    "documents": (_("Invoices and credit notes with their PDF"), frozenset({
        "billing_invoice", "billing_invoiceline", "billing_creditnote", "billing_creditnoteline", "billing_snapshot",
        "core_storedfile",
    })),
    "payments": (_("Payments, refunds and what banks and providers said of them"), frozenset({
        "billing_payment", "billing_refund", "billing_attempt", "billing_reversal", "billing_bankline",
        "billing_gatewayevent", "billing_credit",
    })),
    "mandates": (_("Mandates of direct debits as they were signed"), frozenset({"billing_mandate"})),
    "vat_checks": (_("Answers about the VAT id, which prove why no tax was charged"), frozenset({
        "customers_vatcheck",
    })),
    "quotes": (_("Quotes that were sent, and their answers"), frozenset({
        "crm_quote", "crm_quoteline", "crm_quoteanswer", "core_storedfile",
    })),
    "imports": (_("The sealed file they were imported from"), frozenset({"core_storedfile"})),
    "trail": (_("Who did what and when, without the values"), frozenset({"core_auditentry", "core_event"})),
}  # fmt: skip


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    with _FILE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Rule(
                row["country"],
                row["kind"],
                int(row["years"]),
                date.fromisoformat(row["valid_from"]),
                row["title"],
                row["source_url"],
                row["is_checked"] == "yes",
                row["read_at"],
                date.fromisoformat(row["checked_on"]) if row["checked_on"] else None,
            )  # fmt: skip
            for row in csv.DictReader(file)
        )


def rule(country: str, kind: str, on: date) -> Rule:
    """What holds in a country on a day: its newest rule, else the directive's."""
    for place in (country, ""):
        found = [one for one in rules() if (one.country, one.kind) == (place, kind) and one.valid_from <= on]
        if found:
            return max(found, key=lambda one: one.valid_from)
    return min((one for one in rules() if (one.country, one.kind) == ("", kind)), key=lambda one: one.valid_from)


def last_day(newest_on: date, years: int) -> date:
    """The last day something of that day is kept: years are counted from the end of its calendar year.

    >>> last_day(date(2026, 3, 1), 8)
    datetime.date(2034, 12, 31)
    """
    return date(newest_on.year + years, 12, 31)


def kept(customer: Customer, *, on: date) -> list[Kept]:
    """What stays of a customer, and of those merged into it, that is erased on a day, and until when."""
    company: Company = customer.company
    ids = merged.ids_of(customer)
    mine: dict[str, Any] = {"company_id": company.pk, "customer_id__in": ids}
    issued = [model.objects.filter(**mine).exclude(number="") for model in (Invoice, CreditNote)]
    quotes = Quote.objects.filter(Q(customer__in=ids) | Q(lead__customer__in=ids), company_id=company.pk)
    money: list[tuple[QuerySet[Any], str]] = [
        (Payment.objects.filter(**mine), "received_on"), (Refund.objects.filter(**mine), "created_at"),
        (BankLine.objects.filter(**mine), "booked_on"), (Attempt.objects.filter(**mine), "created_at"),
    ]  # fmt: skip
    mandates = Mandate.objects.filter(company_id=company.pk, method__customer__in=ids)
    lines = ImportLine.objects.filter(**mine)
    trail = AuditEntry.objects.filter(**mine)
    found = [
        _of("documents", "documents", [(rows, "issued_on") for rows in issued], company, on),
        _of("payments", "documents", money, company, on),
        _of("mandates", "documents", [(mandates, "signed_on"), (mandates, "last_used_on")], company, on),
        _of("vat_checks", "documents", [(VatCheck.objects.filter(**mine), "asked_at")], company, on),
        _of("quotes", "letters", [(quotes.exclude(state=Quote.State.DRAFT), "sent_at")], company, on),
        _of("imports", "books", [(lines, "source__created_at")], company, on),
        _of("trail", "books", [(trail, "at")], company, on),
    ]
    return [one for one in found if one is not None]


def tables(kept_kinds: Iterable[Kept]) -> frozenset[str]:
    """The tables in which what stays may stand."""
    return frozenset[str]().union(*(KINDS[one.name][1] for one in kept_kinds))


def _of(name: str, kind: str, sources: Iterable[tuple[QuerySet[Any], str]], company: Company, on: date) -> Kept | None:
    count, days = 0, []
    seen: set[str] = set()
    for rows, field in sources:
        newest = rows.aggregate(newest=Max(field))["newest"]
        if newest is not None:
            days.append(clock.day_in(newest, company.time_zone) if hasattr(newest, "hour") else newest)
        table = rows.model._meta.db_table
        count += 0 if table in seen else rows.count()
        seen.add(table)
    if not count:
        return None
    law = rule(company.country, kind, on)
    until_on = last_day(max(days, default=on), law.years)
    return Kept(name, KINDS[name][0], count, until_on, law.title, law.source_url, law.is_checked)
