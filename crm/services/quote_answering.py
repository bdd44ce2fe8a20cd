"""The answer to a quote: accepted it becomes customer, subscription and first invoice in one act; or declined.

The rule that matters: what is accepted is what was shown. The token of the page is that of the result, or nothing
happens; pressing twice is pressing once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from billing.models import Invoice
from core import clock
from core.actors import Actor
from core.models import NAME_LENGTH
from core.refusal import Refused
from core.texts import checked
from crm.models import Quote, QuoteAnswer, QuoteLine
from crm.services import leads, quote_agreeing, quote_content, quote_sending, quotes
from crm.services.quote_trail import tell
from subscriptions.models import Subscription

State = Quote.State
REASON: Final = 2000


@dataclass(frozen=True, slots=True)
class Signature:
    """Who answers: the name as typed, the address and the browser it came from."""

    name: str
    place: str = ""
    agent: str = ""


def accept(
    *,
    quote: Quote,
    signature: Signature,
    chosen: Collection[QuoteLine] | None = None,
    preview_token: str | None = None,
    by: Actor,
    at: datetime,
) -> Quote:
    """Accepts with the options in `chosen`; without any said, with those ticked to begin with.

    In one transaction: the customer, the subscription, its first invoice, the answer with what was answered and its
    hash, the lead won, a mail to confirm it. Repeated: the quote as it was accepted. Refuses `quote.state`,
    `quote.over`, `preview.differs` and what starting the subscription refuses.
    """
    name = checked(signature.name, field="name", limit=NAME_LENGTH, required=True).strip()
    with transaction.atomic():
        quote = quotes.lock(quote)
        if quote.state == State.ACCEPTED:
            return quote
        quotes.sent(quote)
        _good(quote, at)
        picked = quote_agreeing.chosen_of(quote) if chosen is None else list(chosen)
        if any(line.quote_id != quote.pk or not line.is_optional for line in picked):
            raise Refused("not_found", field="chosen")
        result, customer = quote_agreeing.agree(quote, picked, by=by, at=at)
        if preview_token is not None and quote_agreeing.done(quote, picked, result) != preview_token:
            raise Refused("preview.differs")
        invoices = Invoice.objects.filter(pk__in=result.settlement.invoice_ids).order_by("pk")
        quote.customer, quote.subscription, quote.invoice = customer, result.subscription, invoices.first()
        quote.state, quote.ended_at = State.ACCEPTED, at
        quote.save(update_fields=["customer", "subscription", "invoice", "state", "ended_at"])
        content = {
            "quote": quote.content, "quote_hash": quote.content_hash,
            "chosen": [line.ref for line in picked], "result": _result(result.subscription, list(invoices)),
        }  # fmt: skip
        _answer(quote, QuoteAnswer.Kind.ACCEPTED, name, signature, content, by=by, at=at)
        tell(quote, "accept", by=by, at=at)
        if quote.lead is not None:
            leads.win(lead=leads.lock(leads.standing(quote.lead)), by=by, at=at)
        quotes.stop_asking(quote, by=by, at=at)
        quote_sending.mail_answer(quote, at=at)
    return quote


def decline(*, quote: Quote, reason: str = "", signature: Signature | None = None, by: Actor, at: datetime) -> Quote:
    """It is not wanted, and why, in the recipient's words. Repeated: nothing happens."""
    checked(reason, field="reason", limit=REASON)
    signature = signature or Signature("")
    with transaction.atomic():
        quote = quotes.lock(quote)
        if quote.state == State.DECLINED:
            return quote
        quotes.sent(quote)
        quotes.end(quote, State.DECLINED, at=at)
        content = {"quote": quote.content, "quote_hash": quote.content_hash}
        _answer(
            quote, QuoteAnswer.Kind.DECLINED, signature.name.strip()[:NAME_LENGTH], signature, content, reason=reason,
            by=by, at=at,
        )  # fmt: skip
        tell(quote, "decline", by=by, at=at)
        quotes.stop_asking(quote, by=by, at=at)
    return quote


def note_opened(quote: Quote, *, at: datetime) -> None:
    """Somebody looks at the quote's page for the first time."""
    if quote.opened_at is not None or quote.state != State.SENT:
        return
    with transaction.atomic():
        held = quotes.lock(quote)
        if held.opened_at is None:
            held.opened_at = at
            held.save(update_fields=["opened_at"])
            tell(held, "open", by=quote_agreeing.READER, at=at)


def is_good(quote: Quote, at: datetime) -> bool:
    """Whether it can be accepted at that instant."""
    return quote.state == State.SENT and clock.day_in(at, quote.company.time_zone) <= quote.valid_until


def _good(quote: Quote, at: datetime) -> None:
    if not is_good(quote, at):
        raise Refused("quote.over", day=quote.valid_until)


def _result(subscription: Subscription, invoices: list[Invoice]) -> dict[str, Any]:
    return {
        "subscription": subscription.ref,
        "start_on": subscription.start_on.isoformat(),
        "currency": subscription.currency,
        "invoices": [
            {"id": row.ref, "number": row.number, "net": row.net_minor, "tax": row.tax_minor, "gross": row.gross_minor}
            for row in invoices
        ],
    }


def _answer(
    quote: Quote, kind: str, name: str, signature: Signature, content: dict[str, Any], *, reason: str = "", by: Actor,
    at: datetime,
) -> None:  # fmt: skip
    content = {**content, "name": name, "place": signature.place, "at": at.isoformat()}
    QuoteAnswer.objects.create(
        company_id=quote.company_id, quote=quote, kind=kind, name=name, place=signature.place[:64],
        agent=signature.agent[:300], by=by.label[:120], reason=reason, content=content,
        content_hash=quote_content.hash_of(content), at=at,
    )  # fmt: skip
