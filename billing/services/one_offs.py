"""What is charged once, on its due day: from the item to the line, and the mark that says it is billed.

The rule that matters: an item is billed by one line; a document of 0 that is not issued bills it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import orjson
from django.db import connection

from billing.services import books, steps
from billing.services.charging import line_minor
from billing.services.clauses import Clause
from billing.services.copying import array
from billing.services.grouping import Line
from billing.services.loading import CustomerRow, OneOffRow, words
from billing.services.snapshots import plain
from billing.services.taxing import Taxing
from core.models import Company
from subscriptions.services.schedule import Agreement


def next_due(agreement: Agreement, rows: Sequence[OneOffRow], on: date) -> date | None:
    """The next due day after `on` of items that are still to be supplied."""
    return min((row.due_on for row in rows if row.due_on > on and is_supplied(agreement, row)), default=None)


def is_supplied(agreement: Agreement, row: OneOffRow) -> bool:
    """What was to be supplied after the last day of service is not supplied, and not billed."""
    return agreement.ends_on is None or row.service_on <= agreement.ends_on


def due_lines(
    company: Company,
    customer: CustomerRow,
    agreement: Agreement,
    rows: Sequence[OneOffRow],
    taxing: Taxing,
    accounts: dict[tuple[str, str], int],
    on: date,
) -> list[tuple[OneOffRow, Line]]:
    """The lines of items due by that day, in the order they were agreed. Taxed as of their service day."""
    found = []
    for row in rows:
        if row.due_on > on or not is_supplied(agreement, row):
            continue
        tax = taxing.of(customer, row.supply, row.level, row.service_on)
        name = words(row.product_name, customer.language, company.language)[:400]
        calculation: dict[str, Any] = {
            "model": row.model,
            "quantity": plain(row.quantity),
            "unit_amount": plain(row.unit_amount),
            "service_on": row.service_on.isoformat(),
            "price_version": row.price_version,
            "price_ref": row.price_ref,
            "tax": {
                "category": tax.group.category,
                "rate": plain(tax.group.rate),
                "reason": tax.reason,
                "country": tax.country,
            },
        }
        if row.details != "{}":
            calculation["details"] = orjson.loads(row.details)
        taken = steps.steps_of(row.model, row.unit_amount, row.details, row.quantity)
        if taken:
            calculation["steps"] = list(taken)
        line = Line(
            subscription_id=agreement.id,
            slot_id=None,
            product_id=row.product_id,
            description=row.description or name,
            detail=agreement.name if agreement.name != name else "",
            quantity=row.quantity,
            unit=words(row.unit_name, customer.language, company.language),
            unit_amount=row.unit_amount,
            period_start=None,
            period_end=None,
            amount_minor=line_minor(row.model, row.unit_amount, row.quantity, 1, 1, agreement.currency, row.details),
            tax=tax,
            account_id=books.revenue_account(accounts, row.revenue_account, name),
            calculation=calculation,
            kind="one_off",
            component="one_off",
            price_id=row.price_id,
        )
        found.append((row, line))
    return found


_BILLED: Final = """
    UPDATE subscriptions_oneoff o SET line_id = v.line, due_on = NULL
    FROM unnest(%(one_offs)s::bigint[], %(one_off_lines)s::bigint[]) v(id, line) WHERE o.id = v.id
"""


def billed_clauses(billed: Sequence[tuple[OneOffRow, Line]]) -> list[Clause]:
    """What has items, with their lines that are written by now, fall due no more; none without any."""
    if not billed:
        return []
    params = {
        "one_offs": array(row.id for row, _ in billed),
        "one_off_lines": array(line.id or None for _, line in billed),
    }
    return [Clause("once", _BILLED, params)]


def due_again(line_ids: Sequence[int], on: date) -> None:
    """What these lines billed falls due again: their invoice was voided, to be billed anew. Two statements at most."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE subscriptions_oneoff SET line_id = NULL, due_on = %s WHERE line_id = ANY(%s) "
            "RETURNING subscription_id",
            [on, list(line_ids)],
        )
        found = [row[0] for row in cursor.fetchall()]
        if found:
            cursor.execute(
                "UPDATE subscriptions_subscription SET next_bill_on = least(next_bill_on, %s) WHERE id = ANY(%s)",
                [on, found],
            )
