"""Issued invoices as crediting reads them: lines, and what was given back so far.

The rule that matters: their balances are locked, so that what is left can't be given back twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import orjson
from django.db import connection

from billing.services.noting import Invoiced, InvoicedLine, TaxCurrency
from core.models import Company

_INVOICES = """
SELECT i.id, i.public_id, i.number, i.issued_on, i.customer_id, i.currency, i.language, i.tax_behavior, i.po_reference,
       i.gross_minor, i.tax_rows::text, b.status, b.open_minor, b.written_off_minor, b.credited_minor,
       i.tax_currency_minor, i.tax_currency_rate
FROM billing_invoice i JOIN billing_invoicebalance b ON b.invoice_id = i.id
WHERE i.company_id = %s AND i.id = ANY(%s) ORDER BY i.id
FOR NO KEY UPDATE OF b
"""
_LINES = """
SELECT l.invoice_id, l.id, l.position, l.subscription_id, l.slot_id, l.description, l.quantity, l.unit_amount,
       l.period_start, l.period_end, l.amount_minor, l.tax_category, l.tax_rate, l.calculation::text,
       coalesce(p.revenue_account, ''), coalesce(c.credited_minor, 0),
       coalesce((SELECT sum(upper(d.days) - lower(d.days)) FROM billing_billeddays d
                 WHERE d.line_id = l.id AND d.released_at IS NULL), 0)
FROM billing_invoiceline l
LEFT JOIN catalog_product p ON p.id = l.product_id
LEFT JOIN billing_linecredit c ON c.line_id = l.id
WHERE l.company_id = %s AND l.invoice_id = ANY(%s) ORDER BY l.invoice_id, l.position
"""
_EARLIER = """
SELECT n.invoice_id, r->>'category', (r->>'rate')::numeric, sum((r->>'base_minor')::bigint)::bigint,
       sum((r->>'tax_minor')::bigint)::bigint
FROM billing_creditnote n, jsonb_array_elements(n.tax_rows) r
WHERE n.company_id = %s AND n.invoice_id = ANY(%s) GROUP BY 1, 2, 3
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

    Three queries; one more where an invoice is not in the tax currency.
    """
    ids = sorted(set(invoice_ids))
    found: dict[int, Invoiced] = {}
    fixed: dict[int, tuple[int, Decimal]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_INVOICES, [company.pk, ids])
        for row in cursor.fetchall():
            found[row[0]] = Invoiced(*(*row[:10], orjson.loads(row[10]), *row[11:15]))
            if row[15] is not None:
                fixed[row[0]] = row[15:]
        cursor.execute(_LINES, [company.pk, ids])
        for row in cursor.fetchall():
            line = InvoicedLine(*(*row[1:13], orjson.loads(row[13]), row[14], int(row[15]), int(row[16])))
            found[row[0]].lines[line.id] = line
        cursor.execute(_EARLIER, [company.pk, ids])
        for invoice_id, category, rate, base, tax in cursor.fetchall():
            found[invoice_id].credited[category, rate] = (base, tax)
        if fixed:
            cursor.execute(_TAX_CURRENCY, [company.pk, list(fixed)])
            for invoice_id, currency, on, given_back in cursor.fetchall():
                minor, rate = fixed[invoice_id]
                found[invoice_id].tax_currency = TaxCurrency(currency, rate, on, minor - given_back)
    return found
