"""What accepting a quote does: customer, subscription, first invoice, by the verbs that every other door uses.

The rule that matters: a look at it is the very act, taken back; the two have one path and one set of amounts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.documents.explaining import every
from billing.services import acts, previews
from billing.services.acting import ActResult
from billing.services.previews import Preview, PreviewDocument, Upcoming
from catalog.models import PlanItem
from core import clock
from core.actors import Actor
from core.refusal import Refused
from crm.models import Quote, QuoteLine
from crm.services import converting, leads
from customers.models import Customer
from customers.services.customers import create_customer, zone_of
from subscriptions.models import Subscription
from subscriptions.services import moves
from subscriptions.services.items import ItemSpec
from subscriptions.services.terms import contract_clock_of, in_words

READER = Actor.system("Quote page")


@dataclass(frozen=True, slots=True)
class Cost:
    """What accepting brings with these options: as the engine found it, and the token that stands for it.

    `terms`: rhythm, term and notice in sentences of the quote's language.
    """

    seen: Preview
    token: str
    terms: list[str]
    tax_behavior: str

    @property
    def signed(self) -> Preview:
        """The preview with the token that accepting takes."""
        return replace(self.seen, token=self.token)


def cost(quote: Quote, chosen: Collection[QuoteLine], *, at: datetime) -> Cost:
    """What accepting at that instant would bring. Raises what accepting would refuse."""
    held: list[Subscription] = []
    terms: list[str] = []

    def act() -> ActResult:
        result, customer = agree(quote, chosen, by=READER, at=at)
        held.append(result.subscription)
        terms.extend(_terms(quote, result.subscription, clock.day_in(at, zone_of(customer))))
        return result

    seen = previews.preview(act, by_doing=True)
    token = token_of(quote, chosen, seen.documents, seen.next)
    return Cost(seen, token, terms, held[0].tax_behavior)


def _terms(quote: Quote, subscription: Subscription, on: date) -> list[str]:
    with override(quote.language):
        rhythm = _("Billed %(interval)s.") % {
            "interval": every(f"{subscription.interval_count} {subscription.interval_unit}")
        }
        if subscription.state in moves.ENDED:
            return [rhythm]
        return [rhythm, *in_words(contract_clock_of(subscription, on=max(on, subscription.start_on)))]


def done(quote: Quote, chosen: Collection[QuoteLine], result: ActResult) -> str:
    """The token of what accepting has brought: that of its preview, if nothing differs."""
    documents = previews.documents_of(result.settlement)
    return token_of(quote, chosen, documents, previews.upcoming(result.subscription, previews.SHOWN_NEXT))


def agree(quote: Quote, chosen: Collection[QuoteLine], *, by: Actor, at: datetime) -> tuple[ActResult, Customer]:
    """Makes the customer, if need be, and starts the subscription; within the caller's transaction."""
    customer = _customer(quote, by=by, at=at)
    on = clock.day_in(at, zone_of(customer))
    picked = {line.pk for line in chosen}
    lines = [line for line in lines_of(quote) if not line.is_optional or line.pk in picked]
    add_ons = _add_ons(quote)
    result = acts.start(
        company=quote.company,
        customer=customer,
        plan=quote.plan,
        items=[_item(line) for line in lines if line.product_id not in add_ons],
        add_ons=[_item(line) for line in lines if line.product_id in add_ons],
        currency=quote.currency,
        start_on=quote.start_on or on,
        on=on,
        name=quote.title,
        discounts=[row.discount for row in quote.discounts.select_related("discount").order_by("pk")],
        offer_code=quote.offer_code,
        by=by,
        at=at,
    )
    return result, customer


def lines_of(quote: Quote) -> list[QuoteLine]:
    """Its positions in order, with products and prices."""
    rows = quote.lines.select_related("product__tax_category", "price__item__meter")
    return list(rows.order_by("position", "pk"))


def chosen_of(quote: Quote, refs: Collection[str] | None = None) -> list[QuoteLine]:
    """The options with these outside ids; without any said, those that are ticked to begin with."""
    options = [line for line in lines_of(quote) if line.is_optional]
    return [line for line in options if (line.is_chosen if refs is None else line.ref in refs)]


def token_of(
    quote: Quote, chosen: Collection[QuoteLine], documents: list[PreviewDocument], coming: list[Upcoming]
) -> str:
    """Signs the quote's content, the options and every amount and day that accepting brings."""
    figures = [
        [one.kind, one.currency, one.net, one.tax, one.gross, one.to_pay, str(one.due_on),
         [[str(line.period_start), str(line.period_end), line.amount, line.net] for line in one.lines]]
        for one in documents
    ]  # fmt: skip
    later = [[str(one.on), one.currency, one.net, one.tax, one.gross, one.to_pay] for one in coming]
    body = json.dumps(
        [quote.company_id, quote.pk, quote.content_hash, sorted(line.pk for line in chosen), figures, later],
        separators=(",", ":"),
    )
    return hmac.new(settings.SECRET_KEY.encode(), b"turnus.quote:" + body.encode(), hashlib.sha256).hexdigest()


def _customer(quote: Quote, *, by: Actor, at: datetime) -> Customer:
    """Who accepts: the customer it is for, else the lead's, made from what the quote says."""
    if quote.customer is not None:
        return quote.customer
    if not quote.address.get("country"):
        raise Refused("lead.country_needed", field="country")
    given: dict[str, Any] = {"address": quote.address, "kind": quote.kind, "vat_id": quote.vat_id}
    if quote.lead is not None:
        return converting.convert(lead=leads.standing(quote.lead), name=quote.recipient, by=by, at=at, **given)
    people = [{"name": quote.person, "email": quote.email}] if quote.person else []
    return create_customer(
        company=quote.company, name=quote.recipient, email=quote.email, language=quote.language, contacts=people,
        by=by, at=at, **given,
    )  # fmt: skip


def _add_ons(quote: Quote) -> set[int]:
    """Products that are add-ons of the plan: those are charged from the start, trial or not."""
    items = PlanItem.objects.filter(plan_id=quote.plan_id, archived_at__isnull=True, is_optional=True)
    return set(items.values_list("product_id", flat=True))


def _item(line: QuoteLine) -> ItemSpec:
    meter = line.price.item.meter if line.price is not None and line.kind == PlanItem.Kind.USAGE else None
    return ItemSpec(
        product=line.product, quantity=line.quantity, unit_amount=line.unit_amount, price=line.price, kind=line.kind,
        meter=meter,
    )  # fmt: skip
