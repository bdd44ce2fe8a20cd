"""Rows behind revenue and taxes: lines of documents with what of them counts, by day, product, country and rate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import BigIntegerField, DateField, F, Func, Q, QuerySet, Value
from django.utils.translation import gettext_lazy as _

from core.models import Company
from core.refusal import Refused
from reporting import dimensions
from reporting.models import RevenueEntry, TaxEntry
from reporting.rows import Source, register
from reporting.rows_money import AMOUNT, CUSTOMER, day_of
from reporting.shapes import Column, Kind

ONE_DAY: Final = timedelta(days=1)
#: What revenue is divided and filtered by.
DIMENSIONS: Final = ("product", "plan", "country")


def recognized_until(day: date) -> Any:
    """What of an entry is recognized for the days before `day`, as `pricing.recognition` says it."""
    return Func(
        F("amount_minor"), F("start_on"), F("end_on"), Value(day, DateField()),
        function="reporting_recognized", output_field=BigIntegerField(),
    )  # fmt: skip


def entries(company: Company, only: Mapping[str, str]) -> QuerySet[Any]:
    """Revenue entries of these dimensions. Refuses `report.value_unknown`."""
    return RevenueEntry.objects.filter(company=company, **dimensions.columns_of(company, only))


def booked(rows: QuerySet[Any], first: date, last: date) -> QuerySet[Any]:
    """What was booked in the time."""
    return rows.filter(booked_on__gte=first, booked_on__lte=last).annotate(amount=F("amount_minor"))


def earned(rows: QuerySet[Any], first: date, last: date) -> QuerySet[Any]:
    """What days of the time brought."""
    rows = rows.filter(start_on__lte=last, end_on__gt=first)
    amount = recognized_until(last + ONE_DAY) - recognized_until(first)
    return rows.annotate(amount=amount).exclude(amount=0)


def deferred(rows: QuerySet[Any], day: date) -> QuerySet[Any]:
    """What was booked up to the end of the day for later days."""
    rows = rows.filter(booked_on__lte=day, end_on__gt=day + ONE_DAY)
    return rows.annotate(amount=F("amount_minor") - recognized_until(day + ONE_DAY)).exclude(amount=0)


def accrued(rows: QuerySet[Any], day: date) -> QuerySet[Any]:
    """What days up to the end of the day brought and a later document booked."""
    rows = rows.filter(booked_on__gt=day, start_on__lte=day)
    return rows.annotate(amount=recognized_until(day + ONE_DAY)).exclude(amount=0)


def released(rows: QuerySet[Any], day: date, first: date, last: date | None) -> QuerySet[Any]:
    """Of what is deferred at the end of a day, what days of a later time bring; without `last`: all from `first` on."""
    rows = rows.filter(booked_on__lte=day, end_on__gt=first)
    until = F("amount_minor") if last is None else recognized_until(last + ONE_DAY)
    return rows.annotate(amount=until - recognized_until(first)).exclude(amount=0)


def _query(company: Company, where: Mapping[str, str]) -> QuerySet[Any]:
    rows = entries(company, {name: where[name] for name in DIMENSIONS if name in where})
    if "currency" in where:
        rows = rows.filter(currency=where["currency"])
    match where.get("what"):
        case "booked":
            rows = booked(rows, day_of(where, "first"), day_of(where, "last"))
        case "earned":
            rows = earned(rows, day_of(where, "first"), day_of(where, "last"))
        case "deferred":
            rows = deferred(rows, day_of(where, "day"))
        case "accrued":
            rows = accrued(rows, day_of(where, "day"))
        case "released":
            last = day_of(where, "last") if "last" in where else None
            rows = released(rows, day_of(where, "day"), day_of(where, "first"), last)
        case _:
            raise Refused("report.rows_unknown")
    return rows.select_related("invoice", "credit_note", "customer").order_by("-booked_on", "-pk")


def _document(row: Any) -> tuple[str, str]:
    """Outside id and number of an entry's document; of lapsed credit: none."""
    found = row.credit_note or row.invoice
    return (found.ref, found.number) if found is not None else ("", "")


register(
    Source(
        name="revenue_entries",
        title=_("Revenue by line"),
        columns=(
            Column("document", _("Document"), Kind.REFERENCE), Column("number", _("Number")), CUSTOMER,
            Column("what", _("What")), Column("booked", _("Booked on"), Kind.DAY),
            Column("from", _("From"), Kind.DAY), Column("until", _("Up to, without"), Kind.DAY),
            Column("net", _("Net"), Kind.MONEY), AMOUNT,
        ),
        conditions=frozenset({"what", "first", "last", "day", "currency", *DIMENSIONS}),
        query=_query,
        cells=lambda row: (
            *_document(row), row.customer.name if row.customer else "", row.description, row.booked_on, row.start_on,
            row.end_on, row.amount_minor, row.amount,
        ),
        amount="amount",
    )
)  # fmt: skip

#: Conditions of tax rows that are columns.
_TAX = ("country", "region", "category", "reason", "currency")


def tax_entries(company: Company, first: date, last: date) -> QuerySet[Any]:
    """Base and tax by document, country and rate, of documents of the time; credit notes below zero."""
    return TaxEntry.objects.filter(company=company, booked_on__gte=first, booked_on__lte=last)


def _taxes(company: Company, where: Mapping[str, str]) -> QuerySet[Any]:
    rows = tax_entries(company, day_of(where, "first"), day_of(where, "last"))
    rows = rows.filter(**{name: where[name] for name in _TAX if name in where})
    if "rate" in where:
        rows = rows.filter(rate=where["rate"])
    match where.get("documents", ""):
        case "notes":
            rows = rows.filter(credit_note__isnull=False)
        case "invoices":
            rows = rows.filter(invoice__isnull=False)
        case "oss":
            rows = rows.filter(oss_of(company))
        case "":
            pass
        case _:
            raise Refused("report.rows_unknown")
    columns = {"base": "base_minor", "tax": "tax_minor", "told_base": "told_base_minor", "told_tax": "told_tax_minor"}
    if where.get("sum") not in columns:
        raise Refused("report.rows_unknown")
    rows = rows.annotate(amount=F(columns[where["sum"]]))
    return rows.select_related("invoice", "credit_note", "customer").order_by("-booked_on", "-pk")


def oss_of(company: Company) -> Q:
    """Consumers of other member states, taxed where they are: what the One-Stop-Shop return declares."""
    return Q(reason="destination", category="S") & ~Q(country=company.country)


register(
    Source(
        name="tax_entries",
        title=_("Taxes by document"),
        columns=(
            Column("document", _("Document"), Kind.REFERENCE), Column("number", _("Number")), CUSTOMER,
            Column("booked", _("Day"), Kind.DAY), Column("country", _("Country")),
            Column("rate", _("Rate"), Kind.PERCENT), AMOUNT,
        ),
        conditions=frozenset({"first", "last", "rate", "documents", "sum", *_TAX}),
        query=_taxes,
        cells=lambda row: (
            *_document(row), row.customer.name, row.booked_on, dimensions.country_words(row.country), row.rate,
            row.amount,
        ),
        amount="amount",
    )
)  # fmt: skip
