"""Lines and documents in memory, and which lines share an invoice.

The rule that matters: one invoice per customer, currency, due day, billing address, terms, payment method, order
reference, tax behaviour and tax document class; oldest first. Address and payment method are the customer's own, so
the customer stands for them. What an earlier change of the day gave back and a later one bills again stands apart, so
that its tax is that of the credit note.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.services.loading import CustomerRow
from billing.services.taxing import LineTax
from core.ids import new_id
from core.models import Company
from pricing.money import spread
from pricing.taxes import TaxLine, TaxRow
from pricing.totals import DocumentTotals, document_totals

_WHOLE = Fraction(1)


@dataclass(slots=True)
class Line:
    """A line of an invoice before it is written. `days` are its billed days: first, first after, kind.

    `amount_minor` stands after `discount_minor`; `share` is its part of a full period, `component` what its days
    are billed for.
    """

    subscription_id: int | None
    slot_id: int | None
    product_id: int | None
    description: str
    detail: str
    quantity: Decimal
    unit: str
    unit_amount: Decimal
    period_start: date | None
    period_end: date | None
    amount_minor: int
    tax: LineTax
    account_id: int
    calculation: dict[str, Any]
    days: tuple[tuple[date, date, str], ...] = ()
    kind: str = "base"
    component: str = "base"
    price_id: int | None = None
    share: Fraction = _WHOLE
    discount_minor: int = 0
    id: int = 0
    net_minor: int = 0
    is_further_part: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """Granted or prepaid credit that lowers a line: by how much of the credit (without tax where it is prepaid), and by
    how much the line, both in minor units."""

    credit_id: int
    source: str
    line: Line
    used_minor: int
    lowered_minor: int


@dataclass(slots=True)
class InvoiceDoc:
    """An invoice before it is written; numbers and hashes come when it is sealed."""

    customer: CustomerRow
    currency: str
    tax_behavior: str
    charge_due_on: date
    terms_days: int
    po_reference: str
    lines: list[Line]
    notifies: bool = True
    run_id: int | None = None
    id: int = 0
    public_id: uuid.UUID = field(default_factory=new_id)
    sums: DocumentTotals | None = None
    credit_used: list[tuple[int, int]] = field(default_factory=list)
    is_stored: bool = False
    waits_for: str = ""
    issue_after_at: datetime | None = None
    tax_currency: str = ""
    tax_currency_minor: int | None = None
    tax_currency_rate: Decimal | None = None
    tax_currency_on: date | None = None
    year: int = 0
    sequence: int = 0
    number: str = ""
    issued_on: date = date.min
    payment_due_on: date = date.min
    terms_from: str = "issue"
    allowances: list[Allowance] = field(default_factory=list)
    replaces: tuple[str, date | None] | None = None
    debit: dict[str, Any] | None = None
    body: str = ""
    sha256: str = ""

    @property
    def totals(self) -> DocumentTotals:
        assert self.sums is not None
        return self.sums

    @property
    def line_count(self) -> int:
        """Lines as the forecast counts them: the parts of one that a change of rate cut are one."""
        return sum(not line.is_further_part for line in self.lines)

    @property
    def gross_minor(self) -> int:
        return self.totals.totals.gross

    @property
    def credit_used_minor(self) -> int:
        return sum(amount for _, amount in self.credit_used)

    @property
    def status(self) -> str:
        return "paid" if self.credit_used_minor == self.gross_minor else "open"

    def add_up(self) -> None:
        """Fixes the sums and each line's net."""
        self.sums = document_totals(
            [TaxLine(line.amount_minor, line.tax.group) for line in self.lines],
            self.tax_behavior,  # type: ignore[arg-type]
            self.currency,
        )
        for line, net in zip(self.lines, self.sums.line_nets, strict=True):
            line.net_minor = net

    def reason_of(self, row: TaxRow) -> LineTax:
        """The decision behind a row of the breakdown: that of its first line."""
        return next(line.tax for line in self.lines if line.tax.group == row.group)


@dataclass(slots=True)
class Priced:
    """A charge with its tax and the terms of the document it belongs on. `is_again`: see `charging.Charge`."""

    customer: CustomerRow
    currency: str
    tax_behavior: str
    due_on: date
    terms_days: int
    po_reference: str
    line: Line
    terms_from: str = "issue"
    is_again: bool = False


def cut(line: Line) -> list[Line]:
    """The line in parts where its tax changes within its days: the whole is spread by days, largest remainder first.

    The given line becomes the first part, so that what refers to it still finds it.
    """
    parts = line.tax.parts
    if not parts:
        return [line]
    days = [(end - start).days for start, end, _ in parts]
    amounts, discounts = spread(line.amount_minor, days), spread(line.discount_minor, days)
    whole_minor, whole_days, whole_share, billed = line.amount_minor, sum(days), line.share, line.days
    found = [line, *(replace(line) for _ in parts[1:])]
    for number, (part, (start, end, tax)) in enumerate(zip(found, parts, strict=True)):
        part.period_start, part.period_end, part.tax = start, end, tax
        part.amount_minor, part.discount_minor = amounts[number], discounts[number]
        part.share = whole_share * Fraction(days[number], whole_days)
        part.days = tuple(
            (max(first, start), min(last, end), kind) for first, last, kind in billed if first < end and last > start
        )
        part.calculation = line.calculation | {
            "tax": tax.facts(),
            "part": {"days": days[number], "of_days": whole_days, "of_minor": whole_minor},
        }
        part.is_further_part = number > 0
    return found


def group(company: Company, priced: Iterable[Priced]) -> list[InvoiceDoc]:
    """The invoices for these charges: by due day, then customer; lines keep the order they come in."""
    by_key: dict[tuple[object, ...], InvoiceDoc] = {}
    apart = company.invoice_per_subscription
    for item, line in ((one, part) for one in priced for part in cut(one.line)):
        key = (
            item.due_on, item.customer.id, item.currency, item.terms_days, item.po_reference, item.tax_behavior,
            line.subscription_id if apart else None, line.tax.group.category == "O", item.terms_from,
            item.is_again,
        )  # fmt: skip
        document = by_key.get(key)
        if document is None:
            by_key[key] = document = InvoiceDoc(
                item.customer,
                item.currency,
                item.tax_behavior,
                item.due_on,
                item.terms_days,
                item.po_reference,
                [],
                terms_from=item.terms_from,
            )
        document.lines.append(line)
    documents = sorted(by_key.values(), key=lambda document: (document.charge_due_on, document.customer.id))
    for document in documents:
        document.add_up()
    return documents
