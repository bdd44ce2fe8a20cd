"""What invoices use of their customers' credit, as it is written: what lowered lines, what paid, what is left.

The rule that matters: a use and what it leaves are written by one statement, for all invoices of a batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from billing.services.clauses import Clause
from billing.services.copying import array
from billing.services.grouping import InvoiceDoc
from core.models import Company

_LOWERED: Final = """
    INSERT INTO billing_credituse (company_id, credit_id, line_id, amount_minor, used_on)
    SELECT %(lowered_company)s, v.* FROM unnest(
        %(lowered_credits)s::bigint[], %(lowered_lines)s::bigint[], %(lowered_minors)s::bigint[],
        %(lowered_days)s::date[]
    ) v
"""
_PAID: Final = """
    INSERT INTO billing_allocation (id, company_id, credit_id, invoice_id, amount_minor, allocated_on, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT v.id, %(paid_company)s, v.credit, v.invoice, v.minor, v.day, %(paid_at)s FROM unnest(
        %(paid_ids)s::bigint[], %(paid_credits)s::bigint[], %(paid_invoices)s::bigint[], %(paid_minors)s::bigint[],
        %(paid_days)s::date[]
    ) v(id, credit, invoice, minor, day)
"""
_SPENT: Final = """
    UPDATE billing_creditbalance b SET used_minor = b.used_minor + v.minor
    FROM unnest(%(spent_credits)s::bigint[], %(spent_minors)s::bigint[]) v(id, minor) WHERE b.credit_id = v.id
"""


def clauses(
    company: Company,
    invoices: Iterable[InvoiceDoc],
    *,
    allocations: Sequence[int],
    made: Collection[int] = (),
    is_made: bool = False,
    at: datetime,
) -> list[Clause]:
    """The uses of credit on these dated invoices and what they leave of it; none where none is used.

    `allocations`: the ids of those that pay, one for each use of `credit_used`, in order. `made`: credit that notes of
    this settling make; its uses can be written once it is (`is_made`: then they alone).
    """
    ids = iter(allocations)
    lowered: list[tuple[object, ...]] = []
    paid: list[tuple[object, ...]] = []
    spent: dict[int, int] = {}
    for document in invoices:
        day = document.issued_on
        for used in document.allowances:
            if used.used_minor and not is_made:
                spent[used.credit_id] = spent.get(used.credit_id, 0) + used.used_minor
                lowered.append((used.credit_id, used.line.id, used.used_minor, day))
        for (credit_id, minor), id_ in zip(document.credit_used, ids, strict=False):
            if (credit_id in made) == is_made:
                spent[credit_id] = spent.get(credit_id, 0) + minor
                paid.append((id_, credit_id, document.id, minor, day))
    found = []
    if lowered:
        names = ("lowered_credits", "lowered_lines", "lowered_minors", "lowered_days")
        found.append(Clause("lowered", _LOWERED, {"lowered_company": company.pk, **_columns(names, lowered)}))
    if paid:
        names_paid = ("paid_ids", "paid_credits", "paid_invoices", "paid_minors", "paid_days")
        params = {"paid_company": company.pk, "paid_at": at, **_columns(names_paid, paid)}
        found.append(Clause("paid", _PAID, params))
    if spent:
        params = {"spent_credits": array(spent), "spent_minors": array(spent.values())}
        found.append(Clause("spent", _SPENT, params))
    return found


def _columns(names: Sequence[str], rows: Iterable[tuple[object, ...]]) -> dict[str, str]:
    return {name: array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
