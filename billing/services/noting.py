"""Credit notes in memory: what is left on an invoice, and the sums of a note.

Pure. The rule that matters: kept + credited = charged, per line and per tax rate; the note that empties a rate takes
what is left of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing.services.exchange import in_tax_currency
from billing.services.loading import CustomerRow
from core.ids import new_id
from pricing.money import spread
from pricing.proration import credit_for_days
from pricing.taxes import TaxGroup, TaxLine, TaxRow, tax_in_gross, taxed
from pricing.totals import DocumentTotals, Totals

GroupKey = tuple[str, Decimal]


@dataclass(slots=True)
class InvoicedLine:
    """A line of an issued invoice, with what was given back of it and how many of its days are still billed."""

    id: int
    position: int
    subscription_id: int | None
    slot_id: int | None
    description: str
    quantity: Decimal
    unit_amount: Decimal
    period_start: date | None
    period_end: date | None
    amount_minor: int
    tax_category: str
    tax_rate: Decimal
    calculation: dict[str, Any]
    revenue_account: str
    credited_minor: int
    billed_days: int

    @property
    def left_minor(self) -> int:
        return self.amount_minor - self.credited_minor

    @property
    def days(self) -> int:
        """Days of its period; 0 for a line without one."""
        return 0 if self.period_start is None or self.period_end is None else (self.period_end - self.period_start).days

    @property
    def group(self) -> TaxGroup:
        return TaxGroup(self.tax_category, self.tax_rate)  # type: ignore[arg-type]

    def worth_of(self, unused_days: int) -> int:
        """What these unused days give back, capped at what is left."""
        billed = max(self.billed_days, unused_days)
        if self.credited_minor > self.amount_minor:
            return 0
        return credit_for_days(self.amount_minor, self.days, unused_days, billed, self.credited_minor)


@dataclass(frozen=True, slots=True)
class TaxCurrency:
    """Tax once more in the currency it is reported in: minor units of it, at `rate` units of the document's currency
    for one, fixed on a day. Of an invoice: what no note has given back yet.
    """

    currency: str
    rate: Decimal
    on: date
    tax_minor: int


@dataclass(slots=True)
class Invoiced:
    """An issued invoice as crediting reads it. `credited` holds base and tax given back so far, per rate."""

    id: int
    public_id: uuid.UUID
    number: str
    issued_on: date
    customer_id: int
    currency: str
    language: str
    tax_behavior: str
    po_reference: str
    gross_minor: int
    tax_rows: list[dict[str, Any]]
    status: str
    open_minor: int
    written_off_minor: int
    credited_minor: int
    lines: dict[int, InvoicedLine] = field(default_factory=dict)
    credited: dict[GroupKey, tuple[int, int]] = field(default_factory=dict)
    tax_currency: TaxCurrency | None = None

    @property
    def left_tax_minor(self) -> int:
        """Tax that no note has given back yet."""
        given = sum(tax for _, tax in self.credited.values())
        return sum(int(row["tax_minor"]) for row in self.tax_rows) - given

    def left_of(self, key: GroupKey) -> tuple[int, int]:
        """Base and tax still charged at a rate."""
        base, tax = self.credited.get(key, (0, 0))
        for row in self.tax_rows:
            if (row["category"], Decimal(row["rate"])) == key:
                return row["base_minor"] - base, row["tax_minor"] - tax
        return 0, 0

    def reason_of(self, group: TaxGroup) -> str:
        for row in self.tax_rows:
            if (row["category"], Decimal(row["rate"])) == (group.category, group.rate):
                return str(row.get("reason", ""))
        return ""


@dataclass(slots=True)
class NoteLine:
    """What a note gives back of one line; the period is that of the days released, if any."""

    of: InvoicedLine
    amount_minor: int
    period_start: date | None
    period_end: date | None
    calculation: dict[str, Any]
    net_minor: int = 0


@dataclass(slots=True)
class NoteDoc:
    """A credit note before it is written. `prepaid_back`: prepaid credit that comes back with lines, without tax."""

    invoice: Invoiced
    customer: CustomerRow
    lines: list[NoteLine]
    sums: DocumentTotals
    cause: str
    reason: str
    settled_minor: int
    written_back_minor: int
    prepaid_back: list[tuple[InvoicedLine, int]] = field(default_factory=list)
    is_refund: bool = False
    closes: bool = False
    notifies: bool = True
    credit_id: int = 0
    id: int = 0
    link_id: int = 0
    entries: tuple[int, int] = (0, 0)
    public_id: uuid.UUID = field(default_factory=new_id)
    year: int = 0
    sequence: int = 0
    number: str = ""
    issued_on: date = date.min
    tax_currency: TaxCurrency | None = None
    body: str = ""
    sha256: str = ""

    @property
    def totals(self) -> DocumentTotals:
        return self.sums

    @property
    def given_back_from(self) -> date | None:
        """The first day it gives back; None when it releases no days."""
        return min((line.period_start for line in self.lines if line.period_start), default=None)

    @property
    def currency(self) -> str:
        return self.invoice.currency

    @property
    def to_account_minor(self) -> int:
        return self.sums.totals.gross - self.settled_minor


def sums_of(
    invoice: Invoiced, amounts: Mapping[int, int], taxes: Mapping[GroupKey, int] | None = None
) -> DocumentTotals:
    """The sums of a note over these lines (id to amount, in the mode of the document's prices).

    A rate that the note empties gives back its rest, so that tax credited and tax charged come out even. `taxes`: the
    tax per category and rate of a note by gross amount, where that decides it (see `by_gross`).
    """
    by_group: dict[TaxGroup, list[int]] = {}
    for line_id in amounts:
        by_group.setdefault(invoice.lines[line_id].group, []).append(line_id)
    rows: list[TaxRow] = []
    nets: dict[int, int] = {}
    for group, line_ids in by_group.items():
        key = (group.category, group.rate)
        given = [amounts[line_id] for line_id in line_ids]
        left = sum(line.left_minor for line in invoice.lines.values() if (line.tax_category, line.tax_rate) == key)
        left_base, left_tax = invoice.left_of(key)
        if taxes is not None and invoice.tax_behavior == "exclusive":
            row = TaxRow(group, sum(given), taxes[key])
        elif sum(given) == left:
            row = TaxRow(group, left_base, left_tax)
        else:
            [computed], _ = taxed(
                [TaxLine(sum(given), group)],
                invoice.tax_behavior,  # type: ignore[arg-type]
            )
            tax = min(computed.tax_minor, left_tax)
            if invoice.tax_behavior == "exclusive":
                base = sum(given)
            else:
                tax = max(tax, sum(given) - left_base)
                base = sum(given) - tax
            row = TaxRow(group, base, tax)
        rows.append(row)
        nets.update(zip(line_ids, _nets(row.base_minor, given), strict=True))
    net, tax = sum(row.base_minor for row in rows), sum(row.tax_minor for row in rows)
    return DocumentTotals(
        Totals(net, tax, net + tax), tuple(rows), tuple(nets[line_id] for line_id in amounts), invoice.currency
    )


def by_gross(invoice: Invoiced, gross_minor: int) -> tuple[dict[int, int], dict[GroupKey, int]]:
    """Line amounts and taxes of a note that gives back exactly that gross, spread over what is left.

    The gross is spread over the rates, and each rate's tax is taken out of its share once, as on gross documents: it
    may differ by one minor unit from the tax on the net. Neither base nor tax exceeds what is left of it, and a base
    goes to its end only with its tax.
    """
    left: dict[GroupKey, tuple[int, int]] = {}
    for line in invoice.lines.values():
        key = (line.tax_category, line.tax_rate)
        left.setdefault(key, invoice.left_of(key))
    amounts: dict[int, int] = {}
    taxes: dict[GroupKey, int] = {}
    for (key, (base, tax)), share in zip(
        left.items(), spread(gross_minor, [sum(parts) for parts in left.values()]), strict=True
    ):
        if not share:
            continue
        lines = [line for line in invoice.lines.values() if (line.tax_category, line.tax_rate) == key]
        taxes[key] = min(max(tax_in_gross(share, key[1]), share - base), tax)
        if share - taxes[key] == base and taxes[key] < tax and base:
            taxes[key] += 1
        whole = share if invoice.tax_behavior == "inclusive" else share - taxes[key]
        parts = spread(whole, [line.left_minor for line in lines]) if whole else [0] * len(lines)
        found = {line.id: part for line, part in zip(lines, parts, strict=True) if part}
        # A last minor unit of tax alone still stands on a line.
        amounts |= found or {lines[0].id: 0}
    return amounts, taxes


def _nets(base: int, amounts: Sequence[int]) -> list[int]:
    if base == sum(amounts):
        return list(amounts)
    return spread(base, list(amounts))


def note_of(
    invoice: Invoiced,
    customer: CustomerRow,
    lines: Sequence[NoteLine],
    *,
    cause: str,
    reason: str,
    is_refund: bool = False,
    taxes: Mapping[GroupKey, int] | None = None,
) -> NoteDoc | None:
    """The note over these lines, one line each; None when it would give back nothing. An invoice of 0 is voided by one.

    It settles the open part of its invoice first, then what was written off of it; the rest goes to the account.
    The invoice in memory counts it as given, so that a second note of the same batch sees what is left.
    """
    voids = cause in ("void", "replace")
    is_of_zero = voids and not invoice.gross_minor
    given = [line for line in lines if line.amount_minor or taxes is not None or is_of_zero]
    sums = sums_of(invoice, {line.of.id: line.amount_minor for line in given}, taxes)
    gross = sums.totals.gross
    if not gross and not (is_of_zero and given):
        return None
    for line, net in zip(given, sums.line_nets, strict=True):
        line.net_minor = net
        line.of.credited_minor += line.amount_minor
    for row in sums.rows:
        base, tax = invoice.credited.get((row.category, row.rate), (0, 0))
        invoice.credited[row.category, row.rate] = (base + row.base_minor, tax + row.tax_minor)
    settled_open = min(gross, invoice.open_minor)
    written_back = min(gross - settled_open, invoice.written_off_minor)
    invoice.open_minor -= settled_open
    invoice.written_off_minor -= written_back
    invoice.credited_minor += gross
    closes = False
    if voids:
        invoice.status = "void"
    elif not invoice.open_minor and not invoice.written_off_minor and invoice.status in ("open", "uncollectible"):
        invoice.status, closes = "paid", True
    return NoteDoc(
        invoice, customer, given, sums, cause, reason, settled_open + written_back, written_back, is_refund=is_refund,
        closes=closes, tax_currency=_given_back(invoice, sums.totals.tax),
    )  # fmt: skip


def _given_back(invoice: Invoiced, tax_minor: int) -> TaxCurrency | None:
    """The tax of a note in the tax currency, at the rate of its invoice; the note that empties it takes what is left.

    Part of a correction as of the invoice: Directive 2006/112/EC, Art. 219 and 230.
    """
    left = invoice.tax_currency
    if left is None or not tax_minor:
        return None
    given = in_tax_currency(tax_minor, invoice.currency, left.rate, left.currency)
    given = min(given, left.tax_minor) if invoice.left_tax_minor else left.tax_minor
    invoice.tax_currency = replace(left, tax_minor=left.tax_minor - given)
    return replace(left, tax_minor=given)
