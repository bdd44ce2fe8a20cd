"""Contents of documents for layout tests, in the shape that issuing freezes."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from decimal import Decimal
from typing import Any

from billing.documents.content import Content
from pricing.money import round_half_up

SELLER: dict[str, Any] = {
    "name": "Nordlicht",
    "legal_name": "Nordlicht Software GmbH",
    "address_lines": ["Hafenstraße 7"],
    "postal_code": "20457",
    "city": "Hamburg",
    "country": "DE",
    "email": "rechnung@nordlicht.example",
    "phone": "+49 40 123456",
    "website": "https://nordlicht.example/",
    "vat_id": "DE123456789",
    "tax_number": "",
    "register_entry": "Amtsgericht Hamburg, HRB 123456; Geschäftsführung: Ada Beispiel",
    "iban": "DE89370400440532013000",
    "bic": "COBADEFFXXX",
    "bank_name": "Beispielbank",
    "logo_sha256": "",
    "logo_file_id": None,
    "accent": "#1f5f8b",
    "footer": {},
    "is_small_business": False,
}
BUYER: dict[str, Any] = {
    "name": "Müller & Söhne OHG",
    "recipient": "",
    "lines": ["Gartenweg 12"],
    "postal_code": "50667",
    "city": "Köln",
    "region": "",
    "country": "DE",
    "vat_id": "",
    "number": "CUS-000042",
    "kind": "company",
}


def a_line(position: int = 1, **changes: Any) -> dict[str, Any]:
    """A line of 10.00 a month for November 2026 with 19% tax."""
    return {
        "position": position,
        "description": "Turnus Team",
        "quantity": "1",
        "unit": "",
        "unit_amount": "10.00",
        "period_start": "2026-11-01",
        "period_end": "2026-12-01",
        "amount": 1000,
        "net": 1000,
        "tax_category": "S",
        "tax_rate": "19",
        "subscription": "SUB-000007",
        "calculation": {
            "model": "per_unit",
            "quantity": "1",
            "unit_amount": "10.00",
            "interval": "1 month",
            "full_start": "2026-11-01",
            "full_end": "2026-12-01",
            "days": 30,
            "full_days": 30,
            "share": "1",
            "price_version": 1,
            "price_ref": None,
            "tax": {"category": "S", "rate": "19", "reason": "domestic"},
        },
        **changes,
    }


def a_paper(
    lines: list[dict[str, Any]] | None = None,
    *,
    seller: dict[str, Any] | None = None,
    buyer: dict[str, Any] | None = None,
    logo: bytes | None = None,
    **changes: Any,
) -> Content:
    """An invoice whose totals are computed from its lines; net prices, one tax row per rate."""
    lines = copy.deepcopy(lines if lines is not None else [a_line()])
    groups: dict[tuple[str, str], int] = {}
    for line in lines:
        key = (line["tax_category"], line["tax_rate"])
        groups[key] = groups.get(key, 0) + line["net"]
    rows = [
        {
            "category": category,
            "rate": rate,
            "base": base,
            "reason": "domestic",
            "tax": round_half_up(base * Decimal(rate) / 100),
        }
        for (category, rate), base in groups.items()
    ]
    net, tax = sum(row["base"] for row in rows), sum(row["tax"] for row in rows)
    body = {
        "v": 1,
        "template": "2026-1",
        "kind": "invoice",
        "number": "INV-2026-000123",
        "issued_on": "2026-11-02",
        "payment_due_on": "2026-11-16",
        "charge_due_on": "2026-11-01",
        "language": "en",
        "currency": "EUR",
        "tax_behavior": "exclusive",
        "is_test": False,
        "seller": "",
        "buyer": {**BUYER, **(buyer or {})},
        "po_reference": "",
        "lines": lines,
        "tax_rows": rows,
        "net": net,
        "tax": tax,
        "gross": net + tax,
        "credit_used": 0,
        "to_pay": net + tax,
    }
    body.update(changes)
    sha256 = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return Content(body=body, seller={**SELLER, **(seller or {})}, sha256=sha256, logo=logo)


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, spaces of all kinds made plain."""
    from pypdf import PdfReader

    texts = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    return [text.replace("\xa0", " ").replace("\u202f", " ").replace("\u2003", " ") for text in texts]
