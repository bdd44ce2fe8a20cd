"""Everything kept about a customer and its people as one ZIP file: JSON for each kind, and the documents as PDF.

It is written while it is sent: nobody waits for the last PDF before the first byte, and memory stays flat. The rule
that matters: secrets stay here; accounts and cards are named as their owner sees them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from billing.documents import rendering
from billing.models import CreditNote, Invoice
from core.actors import Actor
from core.services import trail
from crm.services import taken_kinds as kinds
from customers.models import Customer

Rows = Callable[[Customer], Iterator[dict[str, Any]]]
#: What the customer's own people get, too: the file's name and who makes its rows.
OWN: Final[Mapping[str, Rows]] = {
    "customer": kinds.customer, "addresses": kinds.addresses, "contacts": kinds.contacts, "consents": kinds.consents,
    "vat_checks": kinds.vat_checks, "payment_methods": kinds.payment_methods, "subscriptions": kinds.subscriptions,
    "usage": kinds.usage, "invoices": kinds.invoices, "credit_notes": kinds.credit_notes, "payments": kinds.payments,
    "refunds": kinds.refunds, "messages": kinds.messages, "quotes": kinds.quotes,
}  # fmt: skip
#: What colleagues wrote and noted about them; added for staff, who answer a request for access.
INTERNAL: Final[Mapping[str, Rows]] = {
    "notes": kinds.notes, "activities": kinds.activities, "leads": kinds.leads, "tasks": kinds.tasks,
    "reminders": kinds.reminders,
    "mailings": kinds.mailings, "blocked_addresses": kinds.blocked_addresses, "dunning": kinds.dunning,
    "ties": kinds.ties,
    "timeline": kinds.timeline_of,
}  # fmt: skip


def told(*, customer: Customer, internal: bool, by: Actor, at: datetime) -> None:
    """Notes in the audit that somebody took the data along; call it before `archive`."""
    trail.audit(
        company_id=customer.company_id, at=at, by=by, verb="customer.export", subject_kind="customer",
        subject_id=customer.pk, customer_id=customer.pk, facts={"internal": internal},
    )  # fmt: skip


def file_name(customer: Customer, on: date) -> str:
    return f"{customer.number}-{on}.zip"


def archive(customer: Customer, *, internal: bool) -> Iterator[bytes]:
    """The ZIP file, piece by piece: `KIND.json` for each kind, then `documents/NUMBER.pdf`.

    Each JSON file is a list of rows, that of the customer too; amounts are decimal text with their currency, days and
    instants ISO 8601. `internal`: with what colleagues wrote about them.
    """
    sink: Any = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:
        for name, rows in ({**OWN, **INTERNAL} if internal else OWN).items():
            with target.open(f"{name}.json", "w") as file:
                for piece in _pieces(rows(customer)):
                    file.write(piece.encode())
                    if len(sink.waiting) > 65536:
                        yield sink.taken()
            yield sink.taken()
        for document in _documents(customer):
            stored = rendering.pdf_of(document)
            target.writestr(f"documents/{stored.name}", bytes(stored.content))
            yield sink.taken()
    yield sink.taken()


def _documents(customer: Customer) -> Iterator[Invoice | CreditNote]:
    for model in (Invoice, CreditNote):
        yield from kinds.own(model, customer).exclude(number="").iterator(chunk_size=200)


def _pieces(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    """A JSON list, written row by row."""
    yield "["
    for number, row in enumerate(rows):
        text = json.dumps(row, ensure_ascii=False, indent=1, default=_plain)
        yield ("," if number else "") + "\n" + text
    yield "\n]\n"


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


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
