"""What a reminder says of its occasion, for many at a time: days and prices in the reader's language, links.

The rule that matters: a price is what the agreed terms of that day leave after recurring discounts; nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from django.db import connection
from django.utils.translation import override

from billing.documents.explaining import every
from billing.models import Invoice, PaymentMethod
from billing.services import pay_links
from catalog.models import TaxBehavior
from catalog.services.price_specs import price_spec
from catalog.services.texts import in_language
from core.design import formats
from core.models import Company
from crm.models import Offer, ReminderRule
from crm.services.occasions import CANCEL_BY, Due
from crm.services.reminder_texts import PLACEHOLDERS
from customers.models import Customer
from pricing.charge_models import amount
from pricing.money import to_minor
from subscriptions.models import AgreedDiscount, Slot, Subscription
from subscriptions.services import discounted, retiming

#: Minor units of each interval (unit, count) that are paid together.
Price = dict[tuple[str, int], Fraction]

_PRICES: Final = """
SELECT slot.subscription_id, wanted.day, t.model, t.unit_amount, t.details, t.quantity, t.interval_unit,
       t.interval_count
FROM unnest(%(ids)s::bigint[], %(days)s::date[]) wanted(id, day)
JOIN subscriptions_slot slot ON slot.subscription_id = wanted.id AND slot.kind = 'recurring'
JOIN subscriptions_slotterms t ON t.slot_id = slot.id AND t.from_on <= wanted.day
     AND (t.until_on IS NULL OR t.until_on > wanted.day) AND t.standing = 'agreed'
ORDER BY slot.subscription_id, slot.position, slot.id
"""


class SubscriptionFacts(NamedTuple):
    """What is said of a subscription."""

    name: str
    currency: str
    is_net: bool
    deadline: date | None


class Known:
    """Everything that the reminders of one chunk say, read in a few queries."""

    def __init__(self, company: Company, rule: ReminderRule, rows: Sequence[Due], today: date) -> None:
        self.company, self.rule, self.today = company, rule, today
        ids = [row.subscription_id for row in rows if row.subscription_id is not None]
        self.subscriptions = _subscriptions(ids)
        self.prices: dict[tuple[int, date], Price] = {}
        if ids and rule.occasion != ReminderRule.Occasion.WIN_BACK:
            wanted = [(row.subscription_id, row.occasion_on) for row in rows if row.subscription_id is not None]
            if rule.occasion == ReminderRule.Occasion.BEFORE_NOTICE_DEADLINE:
                wanted = [(id_, today) for id_, _day in wanted]
            if rule.occasion == ReminderRule.Occasion.BEFORE_PRICE_CHANGE:
                wanted += [(id_, today) for id_, _day in wanted]
            self.prices = prices(wanted)
        self.invoices = Invoice.objects.in_bulk([row.invoice_id for row in rows if row.invoice_id is not None])
        self.methods = dict(
            PaymentMethod.objects.filter(pk__in=[row.method_id for row in rows if row.method_id]).values_list(
                "pk", "label"
            )
        )

    def facts(self, row: Due, *, link: str, offer: Offer | None, offer_until: date | None) -> dict[str, str]:
        """The values of every placeholder, in the reader's language, which has to be active."""
        values = dict.fromkeys(PLACEHOLDERS, "")
        values |= {"customer": row.customer_name, "day": _day(row.occasion_on, row.language), "link": link}
        known = self.subscriptions.get(row.subscription_id or 0)
        if known is not None and row.subscription_id is not None:
            on = row.occasion_on
            if self.rule.occasion == ReminderRule.Occasion.BEFORE_NOTICE_DEADLINE:
                on = self.today
            values |= {
                "subscription": known.name,
                "price": self._price(known, row, on),
                "price_before": self._price(known, row, self.today),
                "deadline": _day(known.deadline, row.language) if known.deadline else "",
            }
            if self.rule.occasion == ReminderRule.Occasion.WIN_BACK:
                values["last_day"] = _day(row.occasion_on - timedelta(days=1), row.language)
        invoice = self.invoices.get(row.invoice_id or 0)
        if invoice is not None:
            values |= {
                "invoice": invoice.number or "",
                "amount": formats.money(row.amount_minor or 0, row.currency, language=row.language),
            }
            if self.rule.occasion != ReminderRule.Occasion.AFTER_PAYMENT:
                values["link"] = pay_links.paying_link(invoice, on=self.today)
        values["method"] = self.methods.get(row.method_id or 0, "")
        if row.is_stale or row.method_id is not None or self.rule.occasion == ReminderRule.Occasion.PAYMENT_FAILED:
            values["method_link"] = self._method_link(row)
        if offer is not None and offer_until is not None:
            values["offer"] = offer_words(offer, row.language, self.company)
            values["offer_until"] = _day(offer_until, row.language)
        return values

    def _price(self, known: SubscriptionFacts, row: Due, on: date) -> str:
        price = self.prices.get((row.subscription_id or 0, on), {})
        return price_in_words(price, known.currency, row.language, is_net=known.is_net)

    def _method_link(self, row: Due) -> str:
        customer = Customer(pk=row.customer_id, public_id=row.customer_public_id, company=self.company)
        return pay_links.method_link(customer, on=self.today)


def offer_words(offer: Offer, language: str, company: Company) -> str:
    """What is offered, in that language or the company's; without words of its own the discount's name."""
    return in_language(offer.words, language, company.language) or in_language(
        offer.discount.name, language, company.language
    )


def prices(wanted: Iterable[tuple[int, date]]) -> dict[tuple[int, date], Price]:
    """What each of these subscriptions costs under the terms of that day, recurring discounts taken off.

    One query, and three more where some have discounts.
    """
    pairs = sorted(set(wanted))
    found: dict[tuple[int, date], Price] = {}
    with connection.cursor() as cursor:
        cursor.execute(_PRICES, {"ids": [id_ for id_, _day in pairs], "days": [day for _id, day in pairs]})
        for id_, day, model, unit_amount, details, quantity, unit, count in cursor.fetchall():
            price = found.setdefault((id_, day), {})
            whole = _whole(model, unit_amount, details if isinstance(details, str) else json.dumps(details), quantity)
            price[unit, count] = price[unit, count] + whole if (unit, count) in price else whole
    return found | _lowered({id_ for id_, _day in pairs}, pairs)


@lru_cache(maxsize=4096)
def _whole(model: str, unit_amount: Decimal, details: str, quantity: Decimal) -> Fraction:
    """What so many cost before discounts."""
    return Fraction(amount(model, price_spec(unit_amount, json.loads(details)), quantity))


def _lowered(ids: set[int], pairs: Sequence[tuple[int, date]]) -> dict[tuple[int, date], Price]:
    """The prices of those of the subscriptions that have recurring discounts, by the way billing takes them off."""
    rows = AgreedDiscount.objects.filter(subscription_id__in=ids, ended_at__isnull=True).exclude(duration="once")
    given = set(rows.values_list("subscription_id", flat=True))
    found: dict[tuple[int, date], Price] = {}
    held = Subscription.objects.filter(pk__in=given).prefetch_related("slots__terms") if given else ()
    by_id = {subscription.pk: subscription for subscription in held}
    for id_, day in pairs:
        subscription = by_id.get(id_)
        if subscription is None:
            continue
        on = max(day, subscription.paid_from_on)
        slots = [(slot, retiming.terms_on(slot.terms.all(), on)) for slot in subscription.slots.all()]
        price: Price = {}
        for (slot, terms), kept in zip(slots, discounted.kept(subscription, slots, on), strict=True):
            if terms is None or slot.kind != Slot.Kind.RECURRING or terms.standing != "agreed":
                continue
            whole = amount(terms.model, price_spec(terms.unit_amount, terms.details), terms.quantity)
            interval = (terms.interval_unit, terms.interval_count)
            price[interval] = price.get(interval, Fraction(0)) + Fraction(whole) * kept
        found[id_, day] = price
    return found


def price_in_words(price: Price, currency: str, language: str, *, is_net: bool) -> str:
    """Such as "€120.00 per year"; of several intervals each, joined by a plus; of net prices says that they are."""
    said = " + ".join(
        _paid(to_minor(whole, currency), currency, *interval, language) for interval, whole in price.items()
    )
    return f"{said} ({_net(language)})" if said and is_net else said


@lru_cache(maxsize=16)
def _net(language: str) -> str:
    with override(language):
        return str(TaxBehavior.EXCLUSIVE.label)


@lru_cache(maxsize=4096)
def _paid(minor: int, currency: str, unit: str, count: int, language: str) -> str:
    with override(language):
        return f"{formats.money(minor, currency, language=language)} {every(f'{count} {unit}')}"


@lru_cache(maxsize=4096)
def _day(day: date, language: str) -> str:
    return formats.day(day, language=language, style="long")


def _subscriptions(ids: Sequence[int]) -> dict[int, SubscriptionFacts]:
    if not ids:
        return {}
    sql = f"""
        SELECT s.id, s.name, s.currency, s.tax_behavior = 'exclusive',
               CASE WHEN s.term_ends_on IS NOT NULL AND s.renewal_rule = 'renew' THEN {CANCEL_BY} END
        FROM subscriptions_subscription s WHERE s.id = ANY(%s::bigint[])
    """  # noqa: S608  a constant
    with connection.cursor() as cursor:
        cursor.execute(sql, [list(ids)])
        return {row[0]: SubscriptionFacts(*row[1:]) for row in cursor.fetchall()}
