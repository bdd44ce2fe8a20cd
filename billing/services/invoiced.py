"""Issued invoices as crediting reads them: lines, and what was given back so far.

The rule that matters: their balances are locked, so that what is left can't be given back twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from billing.services.noting import Invoiced, InvoicedLine, TaxCurrency
from core.models import Company

_INVOICES = """
SELECT i.id, i.public_id, i.number, i.issued_on, i.customer_id, i.currency, i.language, i.tax_behavior, i.po_reference,
       i.gross_minor, i.tax_rows::text, b.status, b.open_minor, b.written_off_minor, b.credited_minor,
       i.tax_currency_minor, i.tax_currency_rate,
       (
           SELECT json_agg(json_build_array(
               l.id, l.position, l.subscription_id, l.slot_id, l.description, l.quantity::text, l.unit_amount::text,
               l.period_start, l.period_end, l.amount_minor, l.tax_category, l.tax_rate::text, l.calculation,
               coalesce(p.revenue_account, ''), coalesce(c.credited_minor, 0), coalesce((
                   SELECT sum(upper(d.days) - lower(d.days)) FROM billing_billeddays d
                   WHERE d.line_id = l.id AND d.released_at IS NULL
               ), 0)
           ) ORDER BY l.position)::text
           FROM billing_invoiceline l
           LEFT JOIN catalog_product p ON p.id = l.product_id
           LEFT JOIN billing_linecredit c ON c.line_id = l.id
           WHERE l.invoice_id = i.id
       ),
       (
           SELECT json_agg(json_build_array(given.category, given.rate, given.base, given.tax))::text
           FROM (
               SELECT r->>'category' AS category, (r->>'rate')::numeric::text AS rate,
                      sum((r->>'base_minor')::bigint)::bigint AS base, sum((r->>'tax_minor')::bigint)::bigint AS tax
               FROM billing_creditnote n, jsonb_array_elements(n.tax_rows) r WHERE n.invoice_id = i.id GROUP BY 1, 2
           ) given
       )
FROM billing_invoice i JOIN billing_invoicebalance b ON b.invoice_id = i.id
WHERE i.company_id = %s AND i.id = ANY(%s) ORDER BY i.id
FOR NO KEY UPDATE OF b
"""
_TAX_CURRENCY = """
SELECT s.document_id, (s.body::jsonb #>> '{tax_currency,currency}'), (s.body::jsonb #>> '{tax_currency,on}')::date,
       coalesce((
           SELECT sum(tax_currency_minor) FROM billing_creditnote WHERE invoice_id = s.document_id
       ), 0)::bigint
FROM billing_snapshot s WHERE s.company_id = %s AND s.document_kind = 'invoice' AND s.document_id = ANY(%s)
"""


def load_invoices(company: Company, invoice_ids: Sequence[int]) -> dict[int, Invoiced]:
    """The invoices with their lines and what was given back so far; balances locked.

    One query; one more where an invoice is not in the tax currency.
    """
    ids = sorted(set(invoice_ids))
    found: dict[int, Invoiced] = {}
    fixed: dict[int, tuple[int, Decimal]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_INVOICES, [company.pk, ids])
        for row in cursor.fetchall():
            found[row[0]] = Invoiced(*(*row[:10], orjson.loads(row[10]), *row[11:15]))
            if row[15] is not None:
                fixed[row[0]] = row[15:17]
            for said in orjson.loads(row[17] or "[]"):
                line = _line(said)
                found[row[0]].lines[line.id] = line
            for category, rate, base, tax in orjson.loads(row[18] or "[]"):
                found[row[0]].credited[category, Decimal(rate)] = (base, tax)
        if fixed:
            cursor.execute(_TAX_CURRENCY, [company.pk, list(fixed)])
            for invoice_id, currency, on, given_back in cursor.fetchall():
                minor, rate = fixed[invoice_id]
                found[invoice_id].tax_currency = TaxCurrency(currency, rate, on, minor - given_back)
    return found


def _line(said: list[Any]) -> InvoicedLine:
    id_, position, subscription_id, slot_id, description, quantity, unit_amount, start, end, amount, *rest = said
    category, rate, calculation, account, credited, days = rest
    first, last = (None if day is None else date.fromisoformat(day) for day in (start, end))
    return InvoicedLine(
        id_, position, subscription_id, slot_id, description, Decimal(quantity), Decimal(unit_amount), first, last,
        amount, category, Decimal(rate), calculation, account, credited, days,
    )  # fmt: skip
