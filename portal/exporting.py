"""Everything a customer may take along: their rows as JSON and their documents as PDF, in one ZIP file.

It is written while it is sent: nobody waits for the last PDF before the first byte, and memory stays flat.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from typing import Any

from billing.documents import rendering
from billing.models import Allocation, CreditNote, Invoice, PaymentBalance
from customers.models import Address
from portal.access import Visitor
from pricing.money import Money


def archive(visitor: Visitor) -> Iterator[bytes]:
    """The ZIP file, piece by piece: `data.json`, then `documents/NUMBER.pdf`."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:
        text = json.dumps(everything(visitor), ensure_ascii=False, indent=2)
        target.writestr("data.json", text)
        yield sink.taken()
        documents: list[Any] = [*visitor.invoices.order_by("id"), *visitor.credit_notes.order_by("id")]
        for document in documents:
            file = rendering.pdf_of(document)
            target.writestr(f"documents/{file.name}", bytes(file.content))
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """A file that can only be written to, and handed on in pieces."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        piece = bytes(self.waiting)
        self.waiting.clear()
        return piece


def everything(visitor: Visitor) -> dict[str, Any]:
    """The customer's rows: amounts as decimal text with their currency, days and instants as ISO 8601."""
    customer = visitor.customer
    return {
        "customer": {
            "id": customer.ref,
            "number": customer.number,
            "kind": customer.kind,
            "name": customer.name,
            "email": customer.email,
            "phone": customer.phone,
            "language": customer.language,
            "vat_id": customer.vat_id,
            "po_reference": customer.po_reference,
            "created_at": customer.created_at.isoformat(),
        },
        "addresses": [
            {
                "kind": row.kind,
                "recipient": row.recipient,
                "lines": row.lines,
                "postal_code": row.postal_code,
                "city": row.city,
                "region": row.region,
                "country": row.country,
                "replaced_at": row.replaced_at.isoformat() if row.replaced_at else None,
            }
            for row in Address.objects.filter(customer=customer).order_by("id")
        ],
        "contacts": [
            {"id": row.ref, "name": row.name, "email": row.email, "phone": row.phone, "role": row.role}
            for row in visitor.colleagues.order_by("id")
        ],
        "subscriptions": [_subscription(row) for row in visitor.subscriptions.order_by("id")],
        "invoices": [_document(row) for row in visitor.invoices.order_by("id")],
        "credit_notes": [_document(row) for row in visitor.credit_notes.order_by("id")],
        "payments": _payments(visitor),
        "messages": [
            {
                "id": row.ref,
                "at": row.created_at.isoformat(),
                "recipients": row.recipients,
                "subject": row.subject,
                "body": row.body,
                "state": row.state,
            }
            for row in visitor.messages.order_by("id")
        ],
    }


def _amount(minor: int, currency: str) -> str:
    return str(Money(minor, currency).amount)


def _subscription(row: Any) -> dict[str, Any]:
    return {
        "id": row.ref,
        "number": row.number,
        "name": row.name,
        "state": row.state,
        "currency": row.currency,
        "start_on": row.start_on.isoformat(),
        "ends_on": row.ends_on.isoformat() if row.ends_on else None,
        "items": [
            {
                "product": terms.slot.product.code,
                "from_on": terms.from_on.isoformat(),
                "until_on": terms.until_on.isoformat() if terms.until_on else None,
                "quantity": f"{terms.quantity.normalize():f}",
                "unit_amount": f"{terms.unit_amount.normalize():f}",
                "interval": f"{terms.interval_count} {terms.interval_unit}",
            }
            for slot in row.slots.select_related("product").prefetch_related("terms")
            for terms in slot.terms.all()
        ],
    }


def _document(row: Invoice | CreditNote) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": row.ref,
        "number": row.number,
        "issued_on": row.issued_on.isoformat() if row.issued_on else None,
        "currency": row.currency,
        "net": _amount(row.net_minor, row.currency),
        "tax": _amount(row.tax_minor, row.currency),
        "gross": _amount(row.gross_minor, row.currency),
    }
    if isinstance(row, CreditNote):
        return {**values, "invoice": row.invoice.number}
    open_minor = row.balance.open_minor if row.balance.status == "open" else 0
    return {
        **values,
        "payment_due_on": row.payment_due_on.isoformat(),
        "state": row.balance.status,
        "open": _amount(open_minor, row.currency),
    }


def _payments(visitor: Visitor) -> list[dict[str, Any]]:
    rows = list(visitor.payments.order_by("id"))
    left = dict(PaymentBalance.objects.filter(payment__in=rows).values_list("payment_id", "left_minor"))
    shares: dict[int, list[dict[str, str]]] = {}
    for share in Allocation.objects.filter(payment__in=rows).select_related("invoice").order_by("id"):
        assert share.payment_id is not None
        amount = _amount(share.amount_minor, share.invoice.currency)
        shares.setdefault(share.payment_id, []).append({"invoice": share.invoice.number, "amount": amount})
    return [
        {
            "id": row.ref,
            "received_on": row.received_on.isoformat(),
            "method": row.method,
            "currency": row.currency,
            "amount": _amount(row.amount_minor, row.currency),
            "unallocated": _amount(left.get(row.pk, 0), row.currency),
            "reference": row.reference,
            "pays": shares.get(row.pk, []),
        }
        for row in rows
    ]
