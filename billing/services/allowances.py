"""Granted and prepaid credit on the invoice being written: it lowers lines before tax, unlike money, which pays.

The rule that matters: granted first, then prepaid, each by expiry; only documents issued now take any. A credit note
gives back a line's amount after the allowance; the allowance itself goes back to its credit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Final

from django.db import connection

from billing.services import books
from billing.services.books import Entry
from billing.services.copying import copy
from billing.services.grouping import Allowance, InvoiceDoc, Line
from billing.services.loading import CreditLeft
from billing.services.noting import InvoicedLine, NoteDoc
from core.models import Company
from pricing.money import round_half_up, spread
from pricing.taxes import tax_in_gross, tax_on_net

USE_COLUMNS: Final = "company_id, credit_id, line_id, amount_minor, used_on"
#: Sources in the order they are used; `money` comes after them and pays.
_ORDER: Final = {"granted": 0, "prepaid": 1}


def apply(invoices: Iterable[InvoiceDoc], credits: Sequence[CreditLeft], *, on: date) -> list[InvoiceDoc]:
    """Lowers the lines of these invoices, in their order, by the credit that may be used on that day.

    Answers those it touched, added up anew. Lines that sell credit take none.
    """
    usable = [credit for credit in credits if credit.expires_on is None or credit.expires_on >= on]
    usable.sort(key=lambda credit: (_ORDER[credit.source], credit.expires_on or date.max, credit.id))
    by_owner: dict[tuple[int, str], list[CreditLeft]] = {}
    for credit in usable:
        by_owner.setdefault((credit.customer_id, credit.currency), []).append(credit)
    left = {credit.id: credit.left_minor for credit in usable}
    touched = []
    for document in invoices:
        for credit in by_owner.get((document.customer.id, document.currency), ()):
            if left[credit.id]:
                left[credit.id] -= _use(document, credit, left[credit.id])
        if document.allowances:
            _explain(document)
            document.add_up()
            touched.append(document)
    return touched


def _use(document: InvoiceDoc, credit: CreditLeft, left: int) -> int:
    """Lowers the document's lines by one credit; how much of it that takes, in minor units."""
    lines = [line for line in document.lines if line.amount_minor and "pack" not in line.calculation]
    if credit.source == "prepaid":
        lines = [
            line
            for line in lines
            if (line.tax.group.category, line.tax.group.rate) == (credit.tax_category, credit.tax_rate)
        ]
    whole = sum(line.amount_minor for line in lines)
    if not whole:
        return 0
    used = lowered = min(left, whole)
    if credit.source == "prepaid" and document.tax_behavior == "inclusive" and credit.tax_rate is not None:
        # Prepaid credit counts without its tax; on gross prices it takes its tax off with it.
        lowered = min(whole, left + tax_on_net(left, credit.tax_rate))
        used = left if lowered < whole else min(left, whole - tax_in_gross(whole, credit.tax_rate))
    parts = spread(lowered, [line.amount_minor for line in lines])
    shares = parts if used == lowered else spread(used, parts)
    for line, part, share in zip(lines, parts, shares, strict=True):
        if part:
            line.amount_minor -= part
            document.allowances.append(Allowance(credit.id, credit.source, line, share, part))
    return used


def _explain(document: InvoiceDoc) -> None:
    """Says on each lowered line by how much, per source."""
    lowered: dict[int, dict[str, int]] = {}
    lines: dict[int, Line] = {}
    for allowance in document.allowances:
        by_source = lowered.setdefault(id(allowance.line), {})
        by_source[allowance.source] = by_source.get(allowance.source, 0) + allowance.lowered_minor
        lines[id(allowance.line)] = allowance.line
    for key, by_source in lowered.items():
        said = [{"source": source, "amount_minor": minor} for source, minor in by_source.items()]
        lines[key].calculation = lines[key].calculation | {"allowances": said}


def postings(document: InvoiceDoc, accounts: Mapping[tuple[str, str], int]) -> list[tuple[int, int]]:
    """What using prepaid credit adds to the document's entry: from the liability to the revenue of each line."""
    found: list[tuple[int, int]] = []
    for allowance in document.allowances:
        if allowance.source == "prepaid":
            used, revenue = allowance.used_minor, allowance.line.account_id
            found += [(accounts["prepaid", ""], used), (revenue, -used)]
    return found


def _write(rows: Sequence[str], used: Mapping[int, int]) -> None:
    if not rows:
        return
    copy("billing_credituse", USE_COLUMNS, rows)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_creditbalance b SET used_minor = b.used_minor + v.minor "
            "FROM unnest(%s::bigint[], %s::bigint[]) v(id, minor) WHERE b.credit_id = v.id",
            [list(used), list(used.values())],
        )


_USES: Final = """
SELECT u.line_id, c.id, c.customer_id, c.currency, c.source, c.expires_on, c.tax_category, c.tax_rate,
       sum(greatest(u.amount_minor, 0))::bigint, -sum(least(u.amount_minor, 0))::bigint
FROM billing_credituse u JOIN billing_credit c ON c.id = u.credit_id
WHERE u.company_id = %s AND u.line_id = ANY(%s::bigint[]) GROUP BY u.line_id, c.id ORDER BY u.line_id, c.id
"""


@dataclass(slots=True)
class Returned:
    """Credit given back: what is at hand again, and the rows to be written: uses taken back, by how much less of each
    credit is used, entries of the books."""

    at_hand: list[CreditLeft] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    used: dict[int, int] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def give_back(
    company: Company, notes: Sequence[NoteDoc], *, on: date, free: Sequence[InvoicedLine] = ()
) -> list[CreditLeft]:
    """Gives credit back that lowered lines, see `returned`, and writes it; answers what is at hand again."""
    found = returned(company, notes, on=on, free=free)
    write_returned(company, found)
    return found.at_hand


def write_returned(company: Company, found: Returned) -> None:
    """Writes what `returned` found. No statement without any."""
    _write(found.rows, found.used)
    books.post(company=company, entries=found.entries)


def returned(company: Company, notes: Sequence[NoteDoc], *, on: date, free: Sequence[InvoicedLine] = ()) -> Returned:
    """The credit that lowered lines which these notes, not numbered yet, give back: in the same proportion. The notes
    say so; nothing is written.

    `free`: lines that credit covered whole, so that no note gives anything back of them; they go by their released
    days, or whole when they have none left. No query where no credit was used.
    """
    found = Returned()
    of_line = {line.of.id: (line.of, note, line) for note in notes for line in note.lines if _is_lowered(line.of)}
    alone = {line.id: line for line in free if _is_lowered(line) and line.id not in of_line}
    if not of_line and not alone:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_USES, [company.pk, [*of_line, *alone]])
        uses = cursor.fetchall()
    for line_id, credit_id, customer_id, currency, source, expires_on, category, rate, taken, returned in uses:
        line = of_line[line_id][0] if line_id in of_line else alone[line_id]
        back = round_half_up(taken * _returned_share(line)) - returned
        if back <= 0:
            continue
        found.rows.append(f"{company.pk}\t{credit_id}\t{line_id}\t{-back}\t{on}")
        found.used[credit_id] = found.used.get(credit_id, 0) - back
        found.at_hand.append(CreditLeft(credit_id, customer_id, currency, back, source, expires_on, category, rate))
        if line_id in of_line:
            _, note, note_line = of_line[line_id]
            said = note_line.calculation.setdefault("credit_back", [])
            said.append({"source": source, "amount_minor": back})
            if source == "prepaid":
                note.prepaid_back.append((line, back))
        elif source == "prepaid":
            amounts = [("prepaid", currency, -back), (f"revenue:{line.revenue_account}", currency, back)]
            found.entries.append(Entry(amounts, on, customer_id, "credit", credit_id))
    return found


def _is_lowered(line: InvoicedLine) -> bool:
    return "allowances" in line.calculation


def _returned_share(line: InvoicedLine) -> Fraction:
    """The part of a line that is given back by now: of its amount, or of its days where it has none."""
    if line.amount_minor:
        return Fraction(line.credited_minor, line.amount_minor)
    if not line.days:
        return Fraction(1)
    return 1 - Fraction(min(line.billed_days, line.days), line.days)


def merged(known: Iterable[CreditLeft], more: Iterable[CreditLeft]) -> list[CreditLeft]:
    """Credit at hand with what came back, one row for each."""
    found: dict[int, CreditLeft] = {}
    for credit in (*known, *more):
        held = found.get(credit.id)
        found[credit.id] = credit if held is None else credit._replace(left_minor=held.left_minor + credit.left_minor)
    return list(found.values())
