"""The frozen content of a document, as canonical JSON, and its hash.

The rule that matters: PDF and XML are made from this alone, so everything a reader may see stands in it. Amounts are
minor units, decimals plain strings, dates ISO, periods half open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import orjson
from django.db import connection

from billing.services.copying import canonical
from billing.services.grouping import InvoiceDoc, Line
from billing.services.loading import CustomerRow
from core.models import Company

VERSION: Final = 1
TEMPLATE: Final = "2026-1"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@lru_cache(maxsize=65536)
def plain(value: Decimal) -> str:
    """A decimal without exponent and without closing zeros.

    >>> plain(Decimal("1.500000")), plain(Decimal("100"))
    ('1.5', '100')
    """
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def seller_body(company: Company) -> bytes:
    """The seller as documents of today show it."""
    logo = company.logo
    return canonical(
        {
            "name": company.name,
            "legal_name": company.legal_name,
            "address_lines": list(company.address_lines),
            "postal_code": company.postal_code,
            "city": company.city,
            "country": company.country,
            "email": company.email,
            "phone": company.phone,
            "website": company.website,
            "vat_id": company.vat_id,
            "tax_number": company.tax_number,
            "register_entry": company.register_entry,
            "iban": company.iban,
            "bic": company.bic,
            "bank_name": company.bank_name,
            "logo_sha256": logo.sha256 if logo else None,
            "logo_file_id": logo.pk if logo else None,
            "accent": company.accent,
            "footer": dict(company.invoice_footer),
            "is_small_business": company.is_small_business,
        }
    )


def keep_part(company: Company, body: bytes) -> str:
    """Stores a shared part once; its hash."""
    digest = sha256(body)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_snapshotpart (company_id, sha256, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [company.pk, digest, body.decode()],
        )
    return digest


def buyer(customer: CustomerRow) -> orjson.Fragment:
    return orjson.Fragment(
        canonical(
            {
                "name": customer.name,
                "recipient": customer.recipient,
                "lines": customer.lines,
                "postal_code": customer.postal_code,
                "city": customer.city,
                "region": customer.region,
                "country": customer.country,
                "vat_id": customer.vat_id,
                "number": customer.number,
                "kind": customer.kind,
            }
        )
    )


def day_of(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def line_body(position: int, line: Line, calculation: bytes) -> dict[str, Any]:
    """A line; `calculation` is its canonical JSON."""
    body = {
        "position": position,
        "description": line.description,
        "quantity": plain(line.quantity),
        "unit": line.unit,
        "unit_amount": plain(line.unit_amount),
        "period_start": day_of(line.period_start),
        "period_end": day_of(line.period_end),
        "amount": line.amount_minor,
        "net": line.net_minor,
        "tax_category": line.tax.group.category,
        "tax_rate": plain(line.tax.group.rate),
        "subscription": None if line.subscription_id is None else f"SUB-{line.subscription_id:06d}",
        "calculation": orjson.Fragment(calculation),
    }
    if line.detail:
        body["detail"] = line.detail
    if line.discount_minor:
        body["discount"] = line.discount_minor
    return body


def tax_rows(document: InvoiceDoc) -> list[dict[str, Any]]:
    """The breakdown as a document shows it; `note` are the words of a customer's own exemption."""
    rows = []
    for row in document.totals.rows:
        tax = document.reason_of(row)
        shown = {
            "category": row.category,
            "rate": plain(row.rate),
            "base": row.base_minor,
            "tax": row.tax_minor,
            "reason": tax.reason,
        }
        if tax.note:
            shown["note"] = tax.note
        rows.append(shown)
    return rows


def tax_currency_body(document: InvoiceDoc) -> dict[str, Any]:
    """The tax in the company's tax currency; nothing for most documents."""
    if document.tax_currency_minor is None or document.tax_currency_rate is None:
        return {}
    return {
        "tax_currency": {
            "currency": document.tax_currency,
            "rate": plain(document.tax_currency_rate),
            "tax": document.tax_currency_minor,
            "on": day_of(document.tax_currency_on),
        }
    }


def _terms_body(document: InvoiceDoc) -> dict[str, Any]:
    """The invoice it stands in for, payment terms that count from the month's end, and the direct debit that pays it;
    nothing for most documents."""
    body: dict[str, Any] = {}
    if document.replaces is not None:
        number, issued_on = document.replaces
        body["replaces"] = {"number": number, "issued_on": day_of(issued_on)}
    if document.terms_from != "issue":
        body["terms"] = {"days": document.terms_days, "from": document.terms_from}
    if document.debit is not None:
        body["debit"] = document.debit
    return body


def invoice_body(
    document: InvoiceDoc,
    *,
    seller: str,
    buyer_part: orjson.Fragment,
    lines: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, Any]],
    is_test: bool,
) -> bytes:
    """The frozen content of a numbered invoice."""
    totals = document.totals.totals
    credit_used = document.credit_used_minor
    return canonical(
        {
            "v": VERSION,
            "template": TEMPLATE,
            "kind": "invoice",
            "number": document.number,
            "issued_on": document.issued_on.isoformat(),
            "payment_due_on": document.payment_due_on.isoformat(),
            "charge_due_on": document.charge_due_on.isoformat(),
            "language": document.customer.language,
            "currency": document.currency,
            "tax_behavior": document.tax_behavior,
            "is_test": is_test,
            "seller": seller,
            "buyer": buyer_part,
            "po_reference": document.po_reference,
            "lines": lines,
            "tax_rows": rows,
            "net": totals.net,
            "tax": totals.tax,
            "gross": totals.gross,
            "credit_used": credit_used,
            "to_pay": totals.gross - credit_used,
        }
        | tax_currency_body(document)
        | _terms_body(document)
    )
