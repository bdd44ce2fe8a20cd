"""What previews look like (documents, money now, invoices to come), and the body that carries their token."""

from __future__ import annotations

from api.fields import Body, Text
from api.shapes import Computed, Part, PlainShape, Sum, amount_text, number_text
from pricing.money import places

TEXT = {"type": "string"}
DAY = {"type": "string", "format": "date"}
KIND = {"type": "string", "enum": ["invoice", "credit_note"]}


class TokenInput(Body):
    """Nothing is needed; the token of a preview binds the act to what it showed."""

    preview_token = Text(required=False, max_length=100, help_text="Of the preview; refused when figures differ now.")


class PreviewLineShape(PlainShape):
    """A line as it would stand on the document. `period_end` is the first day it doesn't cover."""

    description = Computed(TEXT, lambda row, reading: row[0].description)
    period_start = Computed(DAY, lambda row, reading: row[0].period_start, allow_null=True)
    period_end = Computed(DAY, lambda row, reading: row[0].period_end, allow_null=True)
    quantity = Computed(Sum.SCHEMA, lambda row, reading: _number(row[0].quantity), allow_null=True)
    unit_amount = Computed(
        Sum.SCHEMA, lambda row, reading: _number(row[0].unit_amount, places(row[1])), allow_null=True
    )
    amount = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[0].amount, row[1]))
    net = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[0].net, row[1]))


class PreviewDocumentShape(PlainShape):
    """An invoice or credit note that would be issued."""

    kind = Computed(KIND, lambda row, reading: row.kind)
    currency = Computed(TEXT, lambda row, reading: row.currency)
    lines = Part(PreviewLineShape, lambda row: [(line, row.currency) for line in row.lines], many=True)
    net = Sum("net")
    tax = Sum("tax")
    gross = Sum("gross")
    to_pay = Sum("to_pay", help_text="After account credit; of a credit note, what becomes account credit.")
    due_on = Computed(DAY, lambda row, reading: row.due_on, allow_null=True)


class UpcomingShape(PlainShape):
    """An invoice to come, whole as it would be issued if nothing changes: other subscriptions may stand on it."""

    on = Computed(DAY, lambda row, reading: row.on, help_text="Day it falls due for billing.")
    currency = Computed(TEXT, lambda row, reading: row.currency)
    net = Sum("net")
    tax = Sum("tax")
    gross = Sum("gross")
    to_pay = Sum("to_pay", help_text="After account credit.")


class UpcomingListShape(PlainShape):
    """Invoices to come, the next first."""

    data = Part(UpcomingShape, lambda row: row, many=True)


class ReplacedShape(PlainShape):
    """A planned change that would no longer happen."""

    kind = Computed(TEXT, lambda row, reading: row.kind)
    effective_on = Computed(DAY, lambda row, reading: row.effective_on)


class PreviewShape(PlainShape):
    """What an act would do. Nothing was changed."""

    documents = Part(PreviewDocumentShape, lambda row: row.documents, many=True, help_text="To be issued at once.")
    currency = Computed(TEXT, lambda row, reading: row.currency)
    money_now = Sum("money_now", help_text="Invoices less credit notes, gross.")
    next = Part(UpcomingShape, lambda row: row.next, many=True, help_text="Invoices after it.")
    mails = Computed(
        {"type": "array", "items": TEXT},
        lambda row, reading: row.mails,
        help_text="Addresses that would get a document.",
    )
    mrr_before = Sum("mrr_before", help_text="Monthly recurring revenue before.")
    mrr_after = Sum("mrr_after", help_text="Once it has taken full effect.")
    ends_on = Computed(DAY, lambda row, reading: row.ends_on, allow_null=True, help_text="Last day of service.")
    effective_on = Computed(
        DAY,
        lambda row, reading: row.change.effective_on if row.change else None,
        allow_null=True,
        help_text="First day of the new terms; null for acts that change none.",
    )
    replaces = Part(
        ReplacedShape, lambda row: row.replaced, many=True, help_text="Planned changes that would no longer happen."
    )
    preview_token = Computed(TEXT, lambda row, reading: row.token, help_text="Send it with the act.")


def _number(value: object, least: int = 0) -> str | None:
    return None if value is None else number_text(value, least)  # type: ignore[arg-type]
