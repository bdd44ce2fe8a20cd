"""What is read to judge bank lines: invoices, accounts, names, our own orders; all at once for a batch of lines.

The rule that matters: one query for each kind of thing, whatever the number of lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from django.db.models import Count, Min, Q

from billing.models import (
    Attempt,
    BankLine,
    DebitBatch,
    Gateway,
    Invoice,
    InvoiceBalance,
    Mandate,
    Payment,
    Refund,
)
from billing.services import receivables
from core.ids import BadId, decode
from core.models import Company
from core.texts import sort_key
from customers.models import Customer
from pricing import remittance

#: Days between a payment recorded by hand and the line that shows it.
NEAR: Final = timedelta(days=10)
#: Customers of one name that are looked at, over all lines.
MOST_NAMESAKES: Final = 20_000


@dataclass(slots=True)
class Bill:
    """An invoice as the batch sees it; `open_minor` sinks as lines promise to pay it."""

    id: int
    number: str
    folded: str
    customer_id: int
    currency: str
    open_minor: int
    due_on: date
    is_payable: bool


@dataclass(slots=True)
class Known:
    """What was read for a batch of lines."""

    names: dict[int, str] = field(default_factory=dict)
    bills: dict[int, Bill] = field(default_factory=dict)
    numbered: dict[int, list[Bill]] = field(default_factory=lambda: defaultdict(list))
    owned: dict[tuple[int, str], list[Bill]] = field(default_factory=lambda: defaultdict(list))
    accounts: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    by_name: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_amount: dict[tuple[str, int], int] = field(default_factory=dict)
    debits: dict[str, Attempt] = field(default_factory=dict)
    by_mandate: dict[tuple[str, int], list[Attempt]] = field(default_factory=lambda: defaultdict(list))
    files: dict[str, DebitBatch] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    waiting: dict[tuple[str, int], list[Refund]] = field(default_factory=lambda: defaultdict(list))
    recorded: dict[tuple[int, str, int], list[Payment]] = field(default_factory=lambda: defaultdict(list))
    payouts: dict[str, list[Refund]] = field(default_factory=lambda: defaultdict(list))
    gateways: dict[str, Gateway] = field(default_factory=dict)
    promised: set[tuple[str, int]] = field(default_factory=set)


def read(company: Company, lines: Sequence[BankLine]) -> Known:
    """What the lines may be about; at most 14 queries."""
    known = Known()
    paid_in = [line for line in lines if line.amount_minor > 0]
    paid_out = [line for line in lines if line.amount_minor < 0]
    _read_orders(company, lines, paid_out, known)
    _read_accounts(company, lines, known)
    numbers = {line.pk: remittance.whole_numbers(f"{line.text} {line.end_to_end_id}") for line in lines}
    _read_numbers(company, numbers, known)
    _read_names(company, lines, known)
    _read_amounts(company, paid_in, known)
    whose = {id_ for found in known.accounts.values() for id_ in found} | {
        bill.customer_id for bill in known.bills.values()
    }
    whose |= {id_ for found in known.by_name.values() for id_ in found}
    _read_open(company, whose, known)
    whose |= {bill.customer_id for bill in known.bills.values()}
    whose |= {row.customer_id for rows in known.waiting.values() for row in rows}
    known.names = dict(Customer.objects.filter(company=company, pk__in=whose).values_list("pk", "name"))
    if paid_in and whose:
        _read_recorded(company, paid_in, whose, known)
    return known


def _public_ids(prefix: str, references: Iterable[str]) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for reference in references:
        bare = reference.strip().lower()
        try:
            found[decode(prefix, bare if bare.startswith(f"{prefix}_") else f"{prefix}_{bare}")] = reference
        except BadId:
            continue
    return found


def _read_orders(company: Company, lines: Sequence[BankLine], out: Sequence[BankLine], known: Known) -> None:
    """Our own debits, files and refunds that the lines name, refunds that wait, and gateways."""
    references = {line.end_to_end_id for line in lines if line.end_to_end_id}
    debits = _public_ids(Attempt.PREFIX, references)
    if debits:
        rows = Attempt.objects.filter(company=company, public_id__in=debits)
        for attempt in rows.select_related("gateway", "payment"):
            known.debits[debits[attempt.public_id]] = attempt
    mandates = {line.mandate_reference for line in out if line.mandate_reference and line.return_code}
    if mandates:
        tried = Attempt.objects.filter(
            company=company, method__mandates__reference__in=mandates, gateway__kind=Gateway.Kind.SEPA,
            state__in=[*Attempt.LIVE, Attempt.State.SETTLED],
        )  # fmt: skip
        named = dict(
            Mandate.objects.filter(company=company, reference__in=mandates).values_list("method_id", "reference")
        )
        for attempt in tried.select_related("gateway", "payment").distinct():
            if attempt.method_id in named:
                known.by_mandate[named[attempt.method_id], attempt.amount_minor].append(attempt)
    marks = {line.pk: file_marks(line) for line in lines}
    wanted = {mark for found in marks.values() for mark in found}
    if wanted:
        known.files = {row.message_id: row for row in DebitBatch.objects.filter(company=company, message_id__in=wanted)}
    refunds = _public_ids(Refund.PREFIX, references)
    if refunds:
        for refund in Refund.objects.filter(company=company, public_id__in=refunds).select_related("customer"):
            known.refunds[refunds[refund.public_id]] = refund
    if any(not line.return_code for line in out):
        amounts = {-line.amount_minor for line in out}
        wanted_refunds = Q(status=Refund.Status.PENDING, amount_minor__in=amounts) | Q(status=Refund.Status.SENT)
        by_hand = Refund.objects.filter(wanted_refunds, company=company, gateway__isnull=True)
        for refund in by_hand.order_by("pk"):
            if refund.amount_minor in amounts:
                known.waiting[refund.currency, refund.amount_minor].append(refund)
            if refund.status == Refund.Status.SENT and refund.key:
                known.payouts[refund.key.partition(":")[0]].append(refund)
    known.gateways = {row.kind: row for row in Gateway.objects.filter(company=company, is_active=True)}


def file_marks(line: BankLine, prefix: str = "DDB", length: int = 29) -> list[str]:
    """Message ids of our files (of direct debits, unless said) that the line may name."""
    written = remittance.folded(f"{line.end_to_end_id} {line.text} {line.bank_reference}")
    place, found = written.find(prefix), list[str]()
    while place >= 0 and len(found) < 5:
        found.append(written[place : place + length])
        place = written.find(prefix, place + 1)
    return found


def _read_accounts(company: Company, lines: Sequence[BankLine], known: Known) -> None:
    """Customers by account: from mandates, and from lines that paid for them before."""
    marks = {line.iban_fingerprint for line in lines if line.iban_fingerprint}
    if not marks:
        return
    earlier = BankLine.objects.filter(
        company=company, iban_fingerprint__in=marks, state=BankLine.State.MATCHED, customer__isnull=False,
        amount_minor__gt=0,
    )  # fmt: skip
    for mark, customer_id in earlier.values_list("iban_fingerprint", "customer_id").distinct():
        if customer_id is not None:
            known.accounts[mark][customer_id] = "iban"
    mandates = Mandate.objects.filter(company=company, iban_fingerprint__in=marks)
    for mark, customer_id in mandates.values_list("iban_fingerprint", "method__customer_id").distinct():
        known.accounts[mark][customer_id] = "mandate"


def _read_numbers(company: Company, numbers: Mapping[int, set[int]], known: Known) -> None:
    """Invoices whose place in their series stands in a text; whether the number does is judged later."""
    wanted = {number for found in numbers.values() for number in found}
    if not wanted:
        return
    rows = Invoice.objects.filter(company=company, sequence__in=wanted, year__isnull=False)
    years = {number for number in wanted if 1990 < number < 2100}
    if not _has_yearless_numbers(company):
        # The number names its year: so does the text.
        years |= {2000 + number for number in wanted if number < 100}
        years |= {year for number in wanted for year in _years_in(number)}
        rows = rows.filter(year__in=years)
    by_sequence: dict[int, list[Bill]] = defaultdict(list)
    for bill in _bills(rows.values_list("pk", flat=True), known):
        by_sequence[bill[1]].append(bill[0])
    for line_id, found in numbers.items():
        known.numbered[line_id] = [bill for number in sorted(found) for bill in by_sequence.get(number, ())]


def _years_in(number: int) -> Iterable[int]:
    written = str(number)
    if len(written) > 4 and 1990 < int(written[:4]) < 2100:
        yield int(written[:4])
    if len(written) > 4:
        yield 2000 + int(written[:2])


def _has_yearless_numbers(company: Company) -> bool:
    return "{year" not in company.invoice_pattern


def _bills(ids: Any, known: Known) -> list[tuple[Bill, int]]:
    """The invoices with what is open, remembered; each with its place in the series."""
    rows = InvoiceBalance.objects.filter(invoice_id__in=ids).values_list(
        "invoice_id", "invoice__number", "customer_id", "currency", "open_minor", "written_off_minor",
        "payment_due_on", "status", "invoice__sequence",
    )  # fmt: skip
    found = []
    for id_, number, customer_id, currency, open_minor, given_up, due_on, status, sequence in rows:
        is_payable = status in receivables.PAYABLE
        bill = known.bills.get(id_)
        if bill is None:
            # Of an invoice given up what was written off can still be paid.
            left = open_minor + given_up if is_payable else 0
            bill = Bill(id_, number, remittance.folded(number), customer_id, currency, left, due_on, is_payable)
            known.bills[id_] = bill
        found.append((bill, sequence or 0))
    return found


def _read_names(company: Company, lines: Sequence[BankLine], known: Known) -> None:
    keys = {sort_key(line.name) for line in lines if line.name}
    if keys:
        rows = Customer.objects.filter(company=company, sort_key__in=keys).values_list("sort_key", "pk")
        for key, id_ in rows.order_by("pk")[:MOST_NAMESAKES]:
            known.by_name[key].append(id_)


def _read_amounts(company: Company, lines: Sequence[BankLine], known: Known) -> None:
    """Open invoices that are alone with their amount."""
    amounts = {line.amount_minor for line in lines}
    if not amounts:
        return
    alone: Any = (
        InvoiceBalance.objects.filter(company_id=company.pk, status=InvoiceBalance.Status.OPEN, open_minor__in=amounts)
        .values("currency", "open_minor")
        .annotate(count=Count("pk"), one=Min("invoice_id"))
        .filter(count=1)
    )
    known.by_amount = {(row["currency"], row["open_minor"]): row["one"] for row in alone}
    missing = set(known.by_amount.values()) - set(known.bills)
    if missing:
        _bills(missing, known)


def _read_open(company: Company, whose: set[int], known: Known) -> None:
    """What is open of the customers in question, oldest due first."""
    if not whose:
        return
    rows = InvoiceBalance.objects.filter(
        company_id=company.pk, customer_id__in=whose, status=InvoiceBalance.Status.OPEN, open_minor__gt=0
    )
    ids = rows.values_list("pk", flat=True)
    for bill, _sequence in sorted(_bills(ids, known), key=lambda row: (row[0].due_on, row[0].id)):
        known.owned[bill.customer_id, bill.currency].append(bill)


def _read_recorded(company: Company, lines: Sequence[BankLine], whose: set[int], known: Known) -> None:
    """Transfers recorded by hand that no line stands for yet."""
    days = [line.booked_on for line in lines]
    rows = Payment.objects.filter(
        company=company, customer_id__in=whose, method=Payment.Method.TRANSFER, status=Payment.Status.SETTLED,
        external_id="", attempt__isnull=True, bank_lines__isnull=True,
        amount_minor__in={line.amount_minor for line in lines},
        received_on__range=(min(days) - NEAR, max(days) + NEAR),
    )  # fmt: skip
    for payment in rows.order_by("pk"):
        if payment.customer_id is not None:
            known.recorded[payment.customer_id, payment.currency, payment.amount_minor].append(payment)
