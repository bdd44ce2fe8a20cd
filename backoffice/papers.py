"""An invoice or credit note as its page shows it: the frozen content of issued ones, the rows of a draft.

Every line explains itself in the reader's language, from its stored calculation alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language

from backoffice.forms.fields import country_name
from billing.documents import explaining
from billing.documents.content import read
from billing.models import CreditNote, Invoice


@dataclass(slots=True)
class PaperLine:
    description: str
    quantity: Decimal | None
    unit: str
    unit_amount: Decimal | None
    period_start: date | None
    period_end: date | None
    net_minor: int
    rate: Decimal
    explained: list[str]


@dataclass(slots=True)
class Paper:
    """What stands on the page; amounts in minor units of `currency`."""

    kind: str
    number: str
    seller: str
    seller_lines: list[str]
    buyer_lines: list[str]
    issued_on: date | None
    due_on: date | None
    currency: str
    lines: list[PaperLine]
    tax_rows: list[dict[str, Any]]
    net_minor: int
    tax_minor: int
    gross_minor: int
    to_pay_minor: int | None = None
    credit_used_minor: int = 0
    is_test: bool = False
    corrects: str = ""
    reason: str = ""
    po_reference: str = ""


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _decimal(value: Any) -> Decimal | None:
    return None if value in (None, "") else Decimal(str(value))


def of_issued(document: Invoice | CreditNote, language: str) -> Paper:
    """The frozen content. Refuses one that is no longer what was issued."""
    content = read(document)
    body, seller = content.body, content.seller
    buyer = body["buyer"]
    town = " ".join(part for part in (buyer.get("postal_code"), buyer.get("city")) if part)
    return Paper(
        kind=content.kind,
        number=body["number"],
        seller=seller["legal_name"],
        seller_lines=[
            *seller.get("address_lines", []),
            " ".join(part for part in (seller.get("postal_code"), seller.get("city")) if part),
            seller.get("vat_id", ""),
        ],
        buyer_lines=[
            line
            for line in (
                buyer["name"], buyer.get("recipient"), *buyer.get("lines", []), town,
                country_name(buyer.get("country") or ""), buyer.get("vat_id"),
            )
            if line
        ],
        issued_on=_day(body["issued_on"]),
        due_on=_day(body.get("payment_due_on")),
        currency=body["currency"],
        lines=[
            PaperLine(
                description=line["description"],
                quantity=_decimal(line.get("quantity")),
                unit=line.get("unit") or "",
                unit_amount=_decimal(line.get("unit_amount")),
                period_start=_day(line.get("period_start")),
                period_end=_day(line.get("period_end")),
                net_minor=line["net"],
                rate=Decimal(str(line["tax_rate"])),
                explained=explaining.explain(line, language, currency=body["currency"]),
            )
            for line in body["lines"]
        ],
        tax_rows=[
            {"rate": Decimal(str(row["rate"])), "base": row["base"], "tax": row["tax"], "reason": row.get("reason", "")}
            for row in body["tax_rows"]
        ],
        net_minor=body["net"],
        tax_minor=body["tax"],
        gross_minor=body["gross"],
        to_pay_minor=body.get("to_pay") if content.kind == "invoice" else None,
        credit_used_minor=body.get("credit_used", 0) or 0,
        is_test=bool(body.get("is_test")),
        corrects=(body.get("corrects") or {}).get("number", ""),
        reason=body.get("reason") or "",
        po_reference=body.get("po_reference") or "",
    )  # fmt: skip


def of_draft(invoice: Invoice) -> Paper:
    """The draft as it would be issued today."""
    company, customer = invoice.company, invoice.customer
    address = customer.addresses.filter(kind="billing", replaced_at__isnull=True).first()
    buyer = [customer.name]
    if address is not None:
        town = f"{address.postal_code} {address.city}".strip()
        buyer += [address.recipient, *address.lines, town, country_name(address.country)]
    language = get_language() or "en"
    return Paper(
        kind="invoice",
        number="",
        seller=company.legal_name,
        seller_lines=[*company.address_lines, f"{company.postal_code} {company.city}".strip()],
        buyer_lines=[line for line in buyer if line],
        issued_on=None,
        due_on=invoice.payment_due_on,
        currency=invoice.currency,
        lines=[
            PaperLine(
                description=line.description,
                quantity=line.quantity,
                unit="",
                unit_amount=line.unit_amount,
                period_start=line.period_start,
                period_end=line.period_end,
                net_minor=line.net_minor,
                rate=line.tax_rate,
                explained=explaining.explain(line, language),
            )
            for line in invoice.lines.select_related("invoice")
        ],
        tax_rows=[
            {
                "rate": Decimal(str(row["rate"])),
                "base": row["base_minor"],
                "tax": row["tax_minor"],
                "reason": row.get("reason", ""),
            }
            for row in invoice.tax_rows
        ],
        net_minor=invoice.net_minor,
        tax_minor=invoice.tax_minor,
        gross_minor=invoice.gross_minor,
        po_reference=invoice.po_reference,
        is_test=not company.is_live,
    )
