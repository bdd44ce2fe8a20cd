"""All that the recipient of a quote reads, frozen when it is sent: parties, positions, terms, what it costs.

The rule that matters: page and paper are made from this alone, and its hash says that neither was changed since.
Amounts are minor units, decimals plain strings, days ISO.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.documents import price_words
from billing.services.previews import PreviewDocument, PreviewLine, Upcoming
from billing.services.snapshots import plain, seller_body
from catalog.models import PlanItem
from catalog.services.texts import in_language
from crm.models import Quote, QuoteLine
from crm.services import quote_agreeing
from crm.services.quote_agreeing import Cost
from subscriptions.services.discount_words import how_long, taken_off

FORMAT: Final = 1


def of_quote(quote: Quote, cost: Cost, *, on: date) -> dict[str, Any]:
    """The content as it would be sent on that day; `cost` with the options that are ticked to begin with."""
    lines = quote_agreeing.lines_of(quote)
    with override(quote.language):
        return {
            "format": FORMAT,
            "number": quote.label,
            "language": quote.language,
            "currency": quote.currency,
            "is_test": not quote.company.is_live,
            "on": on.isoformat(),
            "valid_until": quote.valid_until.isoformat(),
            "start_on": quote.start_on.isoformat() if quote.start_on is not None else None,
            "seller": json.loads(seller_body(quote.company)),
            "buyer": _buyer(quote),
            "title": quote.title,
            "intro": quote.intro,
            "closing": quote.closing,
            "tax_behavior": str(cost.tax_behavior),
            "positions": [_position(quote, line) for line in lines],
            "discounts": [
                f"{in_language(one.name, quote.language, quote.company.language)}: {taken_off(one)}, {how_long(one)}"
                for one in _discounts(quote)
            ],
            "terms": cost.terms,
            "cost": cost_body(cost, [line for line in lines if line.is_optional and line.is_chosen]),
        }


def hash_of(content: dict[str, Any]) -> str:
    """SHA-256 over the content with its names in order, in hexadecimal.

    >>> hash_of({"b": 1, "a": "ä"}) == hash_of({"a": "ä", "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def cost_body(cost: Cost, chosen: Collection[QuoteLine]) -> dict[str, Any]:
    """What accepting costs with these options."""
    return {
        "chosen": [line.ref for line in chosen],
        "now": [_document(one) for one in cost.seen.documents],
        "money_now": cost.seen.money_now,
        "next": [_upcoming(one) for one in cost.seen.next],
        "monthly": cost.seen.mrr_after,
    }


def _discounts(quote: Quote) -> list[Any]:
    return [row.discount for row in quote.discounts.select_related("discount").order_by("pk")]


def _buyer(quote: Quote) -> dict[str, Any]:
    address = quote.address
    return {
        "name": quote.recipient, "recipient": quote.person, "lines": list(address.get("lines", ())),
        "postal_code": address.get("postal_code", ""), "city": address.get("city", ""),
        "region": address.get("region", ""), "country": address.get("country", ""), "vat_id": quote.vat_id,
        "kind": quote.kind,
    }  # fmt: skip


class _Agreed:
    """A position's price as `price_words` reads it: the catalog's, at the agreed amount."""

    def __init__(self, line: QuoteLine) -> None:
        price = line.price
        self.model = price.model if price is not None else "per_unit"
        self.details = price.details if price is not None else {}
        self.minimum_amount = price.minimum_amount if price is not None else None
        self.unit_amount = line.unit_amount if line.unit_amount is not None else price.unit_amount  # type: ignore[union-attr]


def _position(quote: Quote, line: QuoteLine) -> dict[str, Any]:
    agreed, company = _Agreed(line), quote.company
    interval = "" if line.kind == PlanItem.Kind.ONE_OFF else f"{quote.plan.interval_count} {quote.plan.interval_unit}"
    words = price_words.amount_of(agreed, quote.currency, interval=interval)
    if line.kind == PlanItem.Kind.USAGE:
        names = line.price.item.meter.unit_name if line.price is not None and line.price.item.meter is not None else {}
        unit = in_language(names, quote.language, company.language) if names else ""
        words = price_words.amount_of(agreed, quote.currency, interval=interval, unit=unit)
    elif line.kind == PlanItem.Kind.ONE_OFF:
        words = f"{words}, {_('once')}"
    return {
        "ref": line.ref,
        "product": line.product.ref,
        "price": line.price.ref if line.price is not None else None,
        "kind": line.kind,
        "name": in_language(line.product.name, quote.language, company.language),
        "description": line.description,
        "quantity": None if line.kind == PlanItem.Kind.USAGE else plain(line.quantity),
        "unit_amount": plain(agreed.unit_amount),
        "price_words": words,
        "price_rows": price_words.rows_of(agreed, quote.currency),
        "is_optional": line.is_optional,
        "is_chosen": line.is_chosen,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _line(line: PreviewLine) -> dict[str, Any]:
    return {
        "description": line.description, "period_start": _day(line.period_start), "period_end": _day(line.period_end),
        "quantity": plain(line.quantity) if line.quantity is not None else None,
        "unit_amount": plain(line.unit_amount) if line.unit_amount is not None else None,
        "amount": line.amount, "net": line.net,
    }  # fmt: skip


def _document(one: PreviewDocument) -> dict[str, Any]:
    return {
        "kind": one.kind, "net": one.net, "tax": one.tax, "gross": one.gross, "to_pay": one.to_pay,
        "due_on": _day(one.due_on), "lines": [_line(line) for line in one.lines],
    }  # fmt: skip


def _upcoming(one: Upcoming) -> dict[str, Any]:
    return {
        "on": one.on.isoformat(), "net": one.net, "tax": one.tax, "gross": one.gross, "to_pay": one.to_pay,
        "lines": [_line(line) for line in one.lines],
    }  # fmt: skip
