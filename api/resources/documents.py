"""What invoices and credit notes share in their answers."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from api.shapes import Computed, PlainShape, Reading, Sum, amount_text
from billing.documents import rendering
from billing.documents.explaining import explain


class TaxRowShape(PlainShape):
    """Tax by category (EN 16931) and rate."""

    category = Computed({"type": "string"}, lambda row, reading: row[0]["category"])
    rate = Computed(Sum.SCHEMA, lambda row, reading: str(row[0]["rate"]), help_text="Percent.")
    base = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[0]["base_minor"], row[1]))
    tax = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[0]["tax_minor"], row[1]))
    reason = Computed({"type": "string"}, lambda row, reading: row[0]["reason"], help_text="Why this rate.")


def explanation(row: Any, reading: Reading) -> list[str] | None:
    """How a line's amount came about, in sentences of the language asked for."""
    return explain(row, reading.language) if "explanation" in reading.expand else None


def pdf_answer(document: Any) -> HttpResponse:
    """The printed document, made when first needed."""
    stored = rendering.pdf_of(document)
    response = HttpResponse(bytes(stored.content), content_type=stored.media_type)
    response["Content-Disposition"] = f'attachment; filename="{stored.name}"'
    response["ETag"] = f'"{stored.sha256[:32]}"'
    return response
