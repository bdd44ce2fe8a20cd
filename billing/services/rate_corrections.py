"""Issued lines that a rate entered later touches, and their correction: a credit note and a new invoice for each.

The rule that matters: an issued document never changes; what a line should have borne is decided by the very table
and rule that billing uses. A preview is the correction itself, taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import DateField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce

from billing.models import CreditNote, Invoice, InvoiceLine
from billing.services import replacing, signing, voiding
from billing.services.settling import settle
from catalog.models import TaxCategory, TaxRate
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from pricing.taxes import RateRow, rate_on

#: Invoices one correction takes at most.
AT_ONCE = 200
ONE_DAY = timedelta(days=1)
#: Reasons by which a rate of the table was taken.
_BY_TABLE = (
    "domestic", "destination", "origin", "seller_country", "place_of_supply", "special_territory", "unknown_country",
    "company_default",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Touched:
    """An issued line that bears another rate than the table says now; `left_minor` is what was not given back yet."""

    line: InvoiceLine
    left_minor: int
    old_percent: Decimal
    new_percents: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Corrected:
    """What came of one invoice: the credit note and the new invoice (None: it waits as a draft), or why nothing."""

    invoice: Invoice
    note: CreditNote | None
    fresh: Invoice | None
    code: str = ""
    why: str = ""

    @property
    def difference_minor(self) -> int:
        """New gross less what was given back, in minor units of the invoice's currency."""
        given_back = self.note.gross_minor if self.note else 0
        return (self.fresh.gross_minor if self.fresh else 0) - given_back


def touched(company: Company, rate: TaxRate, limit: int | None = None) -> list[Touched]:
    """The issued lines, oldest first, whose tax that row of the table would have changed; at most `limit`."""
    lines = touched_lines(company, rate).select_related("invoice__customer")
    lines = lines.order_by("invoice__year", "invoice__sequence", "position")[:limit]
    table = TaxRate.objects.filter(company=company, country=rate.country, level=rate.level)
    rows = [RateRow(row.country, row.region, row.level, row.valid_from, row.percent) for row in table]
    return [
        Touched(line, line.left_minor, line.tax_rate, _wanted(company, line, rate, rows))  # type: ignore[attr-defined]
        for line in lines
    ]


def touched_lines(company: Company, rate: TaxRate) -> QuerySet[InvoiceLine]:
    """Those lines in no order. The database compares, so what it hands over is touched, however many there are."""
    lines = _candidates(company, rate)
    match company.rate_change:
        case Company.RateChange.TAX_POINT:
            day: Any = F("invoice__charge_due_on")
        case Company.RateChange.SPLIT:
            day = Coalesce(F("period_start"), F("invoice__issued_on"))
        case _:
            day = Coalesce(Cast(F("period_end") - Value(ONE_DAY), DateField()), F("invoice__issued_on"))
    lines = lines.annotate(judged_on=day)
    lines = lines.annotate(wanted=_percent_on(rate, "judged_on")).filter(wanted__isnull=False)
    differs = Q(tax_rate__lt=F("wanted")) | Q(tax_rate__gt=F("wanted"))
    if company.rate_change == Company.RateChange.SPLIT:
        differs |= _changes_within(rate)
    return lines.filter(differs)


def _in_table(rate: TaxRate, region: str) -> QuerySet[TaxRate]:
    return TaxRate.objects.filter(company=rate.company_id, country=rate.country, level=rate.level, region=region)


def _percent_on(rate: TaxRate, day: str) -> Any:
    """The rate of the table on that day of a line: its region's, else its country's; null without one."""

    def of(region: str) -> Subquery:
        rows = _in_table(rate, region).filter(valid_from__lte=OuterRef(day))
        return Subquery(rows.order_by("-valid_from").values("percent")[:1])

    return Coalesce(of(rate.region), of("")) if rate.region else of("")


def _changes_within(rate: TaxRate) -> Q:
    """Whether the table changes to another rate than the line's within its period."""
    days = {"valid_from__gt": OuterRef("judged_on"), "valid_from__lt": OuterRef("period_end")}
    others = Q(percent__lt=OuterRef("tax_rate")) | Q(percent__gt=OuterRef("tax_rate"))
    found = Q(Exists(_in_table(rate, rate.region).filter(others, **days)))
    if rate.region:
        # The country's rows hold there until the region has one of its own.
        own = _in_table(rate, rate.region).order_by("valid_from").values_list("valid_from", flat=True).first()
        before = Q() if own is None else Q(valid_from__lt=own)
        found |= Q(Exists(_in_table(rate, "").filter(others, before, **days)))
    return found


def _candidates(company: Company, rate: TaxRate) -> QuerySet[InvoiceLine]:
    """Lines not given back whole, of the place and level, with days in which the row holds."""
    later = _in_table(rate, rate.region).filter(valid_from__gt=rate.valid_from).order_by("valid_from")
    following = later.values_list("valid_from", flat=True).first()
    categories = TaxCategory.objects.filter(company=company, level=rate.level).values("pk")
    of_level = Q(product__tax_category__level=rate.level) | Q(
        product__isnull=True, calculation__tax_category_id__in=list(categories.values_list("pk", flat=True))
    )
    region = Q(calculation__tax__region=rate.region) if rate.region else Q(calculation__tax__region__isnull=True)
    last = Coalesce(F("period_end"), F("invoice__issued_on"))
    lines = InvoiceLine.objects.filter(
        of_level,
        region,
        company=company,
        invoice__balance__status__in=["open", "paid"],
        calculation__tax__country=rate.country,
        calculation__tax__reason__in=_BY_TABLE,
    ).annotate(last=last, left_minor=F("amount_minor") - Coalesce(F("credit__credited_minor"), 0))
    lines = lines.filter(left_minor__gt=0, last__gte=rate.valid_from)
    if following is not None:
        lines = lines.filter(Q(period_start__lt=following) | Q(period_start__isnull=True))
    return lines


def _wanted(company: Company, line: InvoiceLine, rate: TaxRate, rows: Sequence[RateRow]) -> tuple[Decimal, ...]:
    """The rates the line's days bear by the table of now, as the company treats a change within them."""
    invoice = line.invoice
    assert invoice.issued_on is not None
    start = line.period_start or invoice.issued_on
    end = line.period_end or start + ONE_DAY
    match company.rate_change:
        case Company.RateChange.TAX_POINT:
            days = [invoice.charge_due_on]
        case Company.RateChange.SPLIT:
            days = [start, *sorted({row.valid_from for row in rows if start < row.valid_from < end})]
        case _:
            days = [end - ONE_DAY]
    percents: list[Decimal] = []
    for day in days:
        row = rate_on(rows, rate.country, rate.region, rate.level, day)
        if row is None and rate.region:
            row = rate_on(rows, rate.country, "", rate.level, day)
        if row is None:
            return ()
        if row.rate not in percents:
            percents.append(row.rate)
    return tuple(percents)


def correct(
    *,
    company: Company,
    rate: TaxRate,
    invoice_ids: Sequence[int] | None = None,
    reason: str,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> list[Corrected]:
    """Gives each touched invoice back and bills it anew with the table of now; one that can't be is named, with why.

    `invoice_ids`: of the touched ones only these. Refuses `rate_correction.nothing`, `rate_correction.too_many`, and
    with a token of a preview that showed something else `preview.differs`.
    """
    checked(reason, field="reason", limit=500, required=True)
    chosen = Invoice.objects.filter(company=company, pk__in=touched_lines(company, rate).values("invoice_id"))
    if invoice_ids is not None:
        chosen = chosen.filter(pk__in=invoice_ids)
    count = chosen.count()
    if not count:
        raise Refused("rate_correction.nothing")
    if count > AT_ONCE:
        raise Refused("rate_correction.too_many", count=count, limit=AT_ONCE)
    with transaction.atomic():
        outcome = [
            _attempt(company, invoice, reason=reason, by=by, at=at)
            for invoice in chosen.select_related("customer").order_by("year", "sequence")
        ]
        if preview_token is not None:
            signing.check(preview_token, token_of(outcome))
        trail.audit(
            company_id=company.pk,
            at=at,
            by=by,
            verb="tax_rate.correct_documents",
            subject_kind="tax_rate",
            subject_id=rate.pk,
            reason=reason,
            facts={"invoices": [one.invoice.pk for one in outcome if one.note], "left": [
                one.invoice.pk for one in outcome if one.note is None]},
        )  # fmt: skip
    return outcome


def _attempt(company: Company, invoice: Invoice, *, reason: str, by: Actor, at: datetime) -> Corrected:
    try:
        with transaction.atomic():
            return _correct(company, invoice, reason=reason, by=by, at=at)
    except Refused as refused:
        return Corrected(invoice, None, None, refused.code, refused.message)


def token_of(outcome: Sequence[Corrected]) -> str:
    """Signs what was given back and billed anew for each invoice, and which ones were left."""

    def sums(document: Invoice | CreditNote | None) -> list[int]:
        return [document.net_minor, document.tax_minor, document.gross_minor] if document else []

    figures = [[one.invoice.pk, one.code, sums(one.note), sums(one.fresh)] for one in outcome]
    return signing.signed("rate_correction", figures)


def _correct(company: Company, invoice: Invoice, *, reason: str, by: Actor, at: datetime) -> Corrected:
    """One invoice. What billing cut or dates by the due day is billed again by `settle`; all else is replaced."""
    is_billed = not InvoiceLine.objects.filter(invoice=invoice, slot__isnull=True).exists()
    if company.rate_change == Company.RateChange.END_OF_PERIOD or not is_billed:
        note, fresh = replacing.replace(invoice=invoice, how="issue", reason=reason, at=at, by=by)
        return Corrected(invoice, note, fresh)
    note = voiding.void(invoice=invoice, days="bill_again", reason=reason, at=at, by=by)
    on = max(clock.day_in(at, company.time_zone), invoice.charge_due_on)
    settled = settle(company=company, customer_ids=[invoice.customer_id], on=on, at=at, by=by)
    made = Invoice.objects.filter(pk__in=settled.invoice_ids, charge_due_on=invoice.charge_due_on)
    return Corrected(invoice, note, made.order_by("-pk").first())


def preview(act: Callable[[], list[Corrected]]) -> list[Corrected]:
    """Does the correction, looks, and takes everything back; `token_of` it binds the act to what was seen."""
    with transaction.atomic():
        try:
            return act()
        finally:
            transaction.set_rollback(True)


def totals(outcome: Sequence[Corrected]) -> dict[str, dict[str, Any]]:
    """By currency: documents, given back, billed anew and the difference, gross in minor units."""
    found: dict[str, dict[str, Any]] = {}
    for one in outcome:
        sums = found.setdefault(
            one.invoice.currency, {"invoices": 0, "credited": 0, "billed": 0, "difference": 0, "skipped": 0}
        )
        if one.note is None:
            sums["skipped"] += 1
            continue
        sums["invoices"] += 1
        sums["credited"] += one.note.gross_minor
        sums["billed"] += one.fresh.gross_minor if one.fresh else 0
        sums["difference"] += one.difference_minor
    return found
