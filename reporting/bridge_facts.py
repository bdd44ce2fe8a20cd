"""The rows of the monthly bridge: each line, position, note and posting of a month, with the one cause it belongs to.

The rule that matters: every row falls under exactly one cause by what it is, and causes are a closed list; a row that
would need another cause bears `UNEXPLAINED`, which the bridge tells as a fault and tests never see.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    DateField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat

from billing.models import BilledDays, CreditNoteLine, DiscountUse, Invoice, InvoiceBalance, InvoiceLine, Posting
from core.models import Company
from pricing.periods import month_end
from reporting.owed import open_at, summed
from reporting.rows_money import instants
from subscriptions.models import Movement, Slot, SlotTerms

UNEXPLAINED: Final = "unexplained"
_BIG = BigIntegerField()
_TEXT = CharField()


@dataclass(frozen=True, slots=True)
class Span:
    """A month as far as it has gone: its first day, the last day counted, and the day after it."""

    first: date
    last: date

    @property
    def end(self) -> date:
        return self.last + timedelta(days=1)

    @property
    def before(self) -> date:
        return self.first - timedelta(days=1)

    @classmethod
    def of(cls, month: date, on: date) -> Span:
        """The month that begins on that day, up to and with `on`."""
        return cls(month, max(min(month_end(month), on), month))


def movements(company: Company, span: Span) -> QuerySet[Any]:
    """Movements booked up to the end of the month: they add up to recurring revenue then."""
    rows = Movement.objects.filter(company=company, booked_on__lt=span.end)
    return rows.annotate(falls_under=Value("mrr", _TEXT), amount=F("amount_minor"))


def _worth(span: Span, slot: str) -> Any:
    """Recurring revenue of a position at the month's end."""
    return summed(Movement.objects.filter(slot=OuterRef(slot), booked_on__lt=span.end), "slot", "amount_minor")


def _issued(span: Span) -> dict[str, date]:
    return {"invoice__issued_on__gte": span.first, "invoice__issued_on__lt": span.end}


def lines(company: Company, span: Span) -> QuerySet[Any]:
    """Invoice lines issued in the month. The latest recurring line of a position stands against its recurring revenue:
    of it the difference counts; all other lines count whole."""
    later = InvoiceLine.objects.filter(
        Q(period_start__gt=OuterRef("period_start")) | Q(period_start=OuterRef("period_start"), pk__gt=OuterRef("pk")),
        slot=OuterRef("slot"), kind=InvoiceLine.Kind.BASE, **_issued(span),
    )  # fmt: skip
    moved = Movement.objects.filter(slot=OuterRef("slot"), booked_on__gte=span.first, booked_on__lt=span.end)
    moved_since = Movement.objects.filter(
        slot=OuterRef("slot"), booked_on__gte=OuterRef("period_start"), booked_on__lt=span.end
    )
    passing = DiscountUse.objects.filter(line_id=OuterRef("pk")).exclude(agreed__duration="forever")
    rows = InvoiceLine.objects.filter(company=company, **_issued(span)).annotate(
        currency=F("invoice__currency"),
        worth=_worth(span, "slot"),
        is_main=Case(
            When(Q(slot__isnull=False, kind=InvoiceLine.Kind.BASE) & ~Exists(later), then=Value(True)),
            default=Value(False), output_field=BooleanField(),
        ),
        full_start=Cast(KeyTextTransform("full_start", "calculation"), DateField()),
        full_end=Cast(KeyTextTransform("full_end", "calculation"), DateField()),
        interval=KeyTextTransform("interval", "calculation"),
    )  # fmt: skip
    amount = Case(When(is_main=True, then=F("net_minor") - F("worth")), default=F("net_minor"), output_field=_BIG)
    part = ~Q(full_start=F("period_start")) | ~Q(full_end=F("period_end"))
    months = Q(interval__endswith=" month") & ~Q(interval="1 month")
    cause = Case(
        When(calculation__has_key="pack", then=Value("prepaid_sold")),
        When(kind__in=["usage", "interim", "late"], then=Value("usage")),
        When(kind="minimum", then=Value("minimum")),
        When(kind="one_off", then=Value("one_off")),
        When(slot__isnull=True, then=Value("by_hand")),
        When(kind="added", then=Value("added")),
        When(is_main=False, then=Value("further")),
        When(amount=0, then=Value("")),
        When(worth=0, then=Value("ended")),
        When(part, then=Value("part")),
        When(months | Q(interval__endswith=" year"), then=Value("longer")),
        When(~Q(interval="1 month") & Q(amount__gt=0), then=Value("longer")),
        When(~Q(interval="1 month"), then=Value("shorter")),
        When(calculation__has_key="allowances", then=Value("credit_before_tax")),
        When(Exists(passing), then=Value("discount")),
        When(Exists(moved) | Exists(moved_since), then=Value("changed")),
        When(invoice__tax_behavior="inclusive", then=Value("with_tax")),
        When(amount__in=[-1, 1], then=Value("rounding")),
        default=Value(UNEXPLAINED), output_field=_TEXT,
    )  # fmt: skip
    return rows.annotate(amount=amount).annotate(falls_under=cause)


def positions(company: Company, span: Span) -> QuerySet[Any]:
    """Positions that recur at the month's end without a recurring line issued in it: their revenue counts against."""
    issued = InvoiceLine.objects.filter(slot=OuterRef("pk"), kind=InvoiceLine.Kind.BASE, **_issued(span))
    covered = BilledDays.objects.filter(slot=OuterRef("pk"), component="base", days__contains=span.last).filter(
        Q(released_at__isnull=True) | Q(released_at__gte=instants(company, span.first, span.last)[1])
    )
    at_rest = SlotTerms.objects.filter(
        Q(until_on__isnull=True) | Q(until_on__gt=span.last), slot=OuterRef("pk"), standing="suspended",
        from_on__lte=span.last,
    )  # fmt: skip
    rows = Slot.objects.filter(company=company).annotate(worth=_worth(span, "pk")).exclude(worth=0)
    cause = Case(
        When(Exists(covered.filter(line__invoice__issued_on__lt=span.first)), then=Value("invoiced_before")),
        When(Exists(covered.filter(line__invoice__issued_on__gte=span.end)), then=Value("invoiced_later")),
        When(Exists(covered.filter(line__isnull=False, line__invoice__issued_on__isnull=True)), then=Value("draft")),
        When(Exists(covered.filter(line__isnull=True)), then=Value("cost_nothing")),
        When(Exists(at_rest), then=Value("suspended")),
        default=Value("not_yet"), output_field=_TEXT,
    )  # fmt: skip
    rows = rows.exclude(Exists(issued))
    return rows.annotate(falls_under=cause, amount=-F("worth"), currency=F("subscription__currency"))


def note_lines(company: Company, span: Span) -> QuerySet[Any]:
    """Lines of credit notes issued in the month, below zero, by what led to the note."""
    rows = CreditNoteLine.objects.filter(
        company=company, credit_note__issued_on__gte=span.first, credit_note__issued_on__lt=span.end
    )
    return rows.annotate(
        currency=F("credit_note__currency"), amount=-F("net_minor"),
        falls_under=Concat(Value("note_"), F("credit_note__cause"), output_field=_TEXT),
    )  # fmt: skip


_MONEY = ("payment", "allocation", "reversal", "refund", "bank_line", "attempt")
#: What a posting is in the bridge: causes of `invoiced` and `booked` are sums, the others differences.
_POSTING_CAUSE: Final = (
    ("sold_on_credit", Q(account__role="prepaid", cause_kind="invoice", amount_minor__lt=0)),
    ("credit_spent", Q(account__role="prepaid", cause_kind="invoice")),
    ("sale_taken_back", Q(account__role="prepaid", cause_kind="credit_note", amount_minor__gt=0)),
    ("spent_given_back", Q(account__role="prepaid", cause_kind__in=["credit_note", "credit"], amount_minor__lt=0)),
    ("lapsed", Q(account__role="prepaid", cause_kind="credit")),
    ("tax", Q(account__role="tax")),
    ("fees", Q(account__role="fee")),
    ("claims_made", Q(account__role="claim")),
    ("exchange", Q(account__role="exchange")),
    ("payer_unknown", Q(account__role="unallocated")),
    ("lost", Q(account__role="write_off", cause_kind="write_off")),
    ("loss_credited", Q(account__role="write_off", cause_kind="credit_note")),
    ("loss_recovered", Q(account__role="write_off", cause_kind__in=_MONEY, amount_minor__lt=0)),
    ("returned_after_refund", Q(account__role="write_off", cause_kind__in=_MONEY)),
    ("given_as_credit", Q(account__role="customer_credit", cause_kind="credit_note")),
    ("credit_used", Q(account__role="customer_credit", cause_kind__in=["allocation", "claim"], amount_minor__gt=0)),
    ("overpaid", Q(account__role="customer_credit", cause_kind__in=["payment", "allocation", "claim"],
                   amount_minor__lt=0)),
    ("credit_returned", Q(account__role="customer_credit", cause_kind__in=["payment", "reversal"])),
    ("refunded", Q(account__role="customer_credit", cause_kind="refund")),
    ("claims_owed", Q(account__role="receivable", cause_kind="claim")),
)  # fmt: skip


def postings(company: Company, span: Span) -> QuerySet[Any]:
    """Postings of the month beside revenue, money and what is owed on invoices, with the sign they have in the bridge:
    credit above zero, but of prepaid credit debit, which is what revenue has more."""
    known = Q(account__role__in=["revenue", "cash", "transit"]) | (
        Q(account__role="receivable") & ~Q(cause_kind="claim")
    )
    rows = Posting.objects.filter(company=company, booked_on__gte=span.first, booked_on__lt=span.end).exclude(known)
    cause = Case(
        *(When(condition, then=Value(name)) for name, condition in _POSTING_CAUSE),
        default=Value(UNEXPLAINED), output_field=_TEXT,
    )  # fmt: skip
    amount = Case(When(account__role="prepaid", then=F("amount_minor")), default=-F("amount_minor"), output_field=_BIG)
    return rows.annotate(falls_under=cause, amount=amount)


def prepaid_back(company: Company, span: Span) -> QuerySet[Any]:
    """The same postings of prepaid credit the other way round: on the way to money they come off again."""
    rows = Posting.objects.filter(
        company=company, booked_on__gte=span.first, booked_on__lt=span.end, account__role="prepaid"
    )
    return rows.annotate(falls_under=Value("prepaid", _TEXT), amount=-F("amount_minor"))


#: The prepaid credit that leads from what is invoiced to revenue booked, and is no revenue when money is counted.
PREPAID: Final = ("sold_on_credit", "credit_spent", "sale_taken_back", "spent_given_back", "lapsed")
_SUMS: Final = {
    "invoiced": (Q(account__role__in=["revenue", "prepaid"], cause_kind__in=["invoice", "credit_note"]), -1),
    "booked": (Q(account__role="revenue"), -1),
    "paid": (Q(account__role__in=["cash", "transit"]), 1),
}


def sums(company: Company, span: Span, name: str) -> QuerySet[Any]:
    """Postings of the month that add up to what was invoiced, booked as revenue, or paid."""
    condition, sign = _SUMS[name]
    rows = Posting.objects.filter(condition, company=company, booked_on__gte=span.first, booked_on__lt=span.end)
    return rows.annotate(falls_under=Value(name, _TEXT), amount=sign * F("amount_minor"))


def left_open(company: Company, span: Span) -> QuerySet[Any]:
    """Invoices of the month that were not settled at its end: not paid yet."""
    rows = Invoice.objects.filter(company=company, issued_on__gte=span.first, issued_on__lt=span.end)
    rows = rows.annotate(left=open_at(span.last)).exclude(left=0)
    return rows.annotate(falls_under=Value("open", _TEXT), amount=-F("left"))


def earlier(company: Company, span: Span) -> QuerySet[Any]:
    """Invoices of earlier months of which more or less was owed at the end of the month than at its start."""
    long_closed = Q(
        balance__status__in=[InvoiceBalance.Status.PAID, InvoiceBalance.Status.VOID], balance__closed_on__lt=span.first
    )
    rows = Invoice.objects.filter(company=company, sequence__isnull=False, issued_on__lt=span.first)
    rows = rows.exclude(long_closed).annotate(amount=open_at(span.before) - open_at(span.last)).exclude(amount=0)
    cause = Case(When(amount__gt=0, then=Value("earlier")), default=Value("open_again"), output_field=_TEXT)
    return rows.annotate(falls_under=cause)
