"""Discounts on lines of a draft that a person took over: used when it is issued.

The rule that matters: what the line's calculation says was taken off is used, once, with a period where the line covers
a whole one.
"""

from __future__ import annotations

from datetime import datetime

from billing.services.discount_uses import uses
from billing.services.discounting import Part, Take
from billing.services.grouping import InvoiceDoc
from billing.services.loading import live_discounts
from core.models import Company


def write(company: Company, document: InvoiceDoc, *, at: datetime) -> None:
    """Writes the uses on the lines of an issued document, and what is left. No query without any."""
    lines = [line for line in document.lines if line.calculation.get("discounts")]
    if not lines:
        return
    of_subscription = live_discounts({line.subscription_id for line in lines if line.subscription_id is not None})
    live = {row.ref: row for rows in of_subscription.values() for row in rows}
    takes: dict[str, Take] = {}
    for line in lines:
        for told in line.calculation["discounts"]:
            row = live.get(told["id"])
            if row is None:
                continue
            take = takes.setdefault(row.ref, Take(row, document.charge_due_on, [], None))
            is_whole = line.kind == "base" and line.calculation.get("share") == "1"
            take.parts.append(Part(line, told["taken_minor"], is_whole))
            if is_whole and row.periods_left == 1 and line.period_end is not None:
                take.until_on = max(line.period_end, take.until_on or line.period_end)
    uses(company, list(takes.values()), [], at=at).carry_out()
