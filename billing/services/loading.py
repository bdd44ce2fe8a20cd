"""What settling reads: customers and their due subscriptions, locked in one order, as plain tuples.

Four queries whatever the number of customers. The rule that matters: what is due is read again under the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from django.db import connection

from core import clock
from core.ids import encode
from core.models import Company
from subscriptions.models import AgreedDiscount
from subscriptions.services.schedule import ONE_DAY, Agreement, ProductRow, SlotRow, TermsRow


class CustomerRow(NamedTuple):
    """A customer as documents need it; the address is the current billing address, `address_id` None without one.

    `vat_answer`, of a VAT id whose check is pending: the last certain answer about it, and when it was given.
    """

    id: int
    ref: str
    kind: str
    name: str
    language: str
    vat_id: str
    vat_state: str
    tax_exemption: str
    payment_terms_days: int | None
    po_reference: str
    payment_method: str
    address_id: int | None
    recipient: str
    lines: tuple[str, ...]
    postal_code: str
    city: str
    region: str
    country: str
    vat_answer: str = ""
    vat_answered_at: datetime | None = None
    payment_terms_from: str = ""

    @property
    def number(self) -> str:
        return f"CUS-{self.id:06d}"


class RateFact(NamedTuple):
    country: str
    region: str
    level: str
    percent: Decimal
    valid_from: date
    tax_category: str = ""


class CreditLeft(NamedTuple):
    """Account credit that is still there; the tax is that of prepaid credit, the expiry that of credit that has one."""

    id: int
    customer_id: int
    currency: str
    left_minor: int
    source: str = "money"
    expires_on: date | None = None
    tax_category: str = ""
    tax_rate: Decimal | None = None


class DiscountRow(NamedTuple):
    """A discount agreed for a subscription that is not used up. Amounts in minor units."""

    id: int
    name: str
    percent: Decimal | None
    amount_minor: int | None
    currency: str
    duration: str
    scope: str
    product_id: int | None
    price_id: int | None
    from_on: date
    until_on: date | None
    periods_left: int | None
    left_minor: int | None
    ref: str


class OneOffRow(NamedTuple):
    """A one-off item that is not billed yet, with its product's words, tax and account."""

    id: int
    product_id: int
    product_name: str
    unit_name: str
    tax_category_id: int
    supply: str
    level: str
    revenue_account: str
    description: str
    quantity: Decimal
    model: str
    unit_amount: Decimal
    details: str
    service_on: date
    due_on: date
    price_id: int | None
    price_version: int | None = None
    price_ref: str | None = None


class Facts(NamedTuple):
    """The company's dated rates, its ledger accounts by role and by code, the customers' credit of the source `money`,
    oldest first, the date of the last invoice of the year; by subscription the discounts, oldest first, and the one-off
    items to bill; the customers' granted and prepaid credit; by currency the days and units for one euro, oldest first,
    of the exchange rates that were asked for."""

    rates: list[RateFact]
    accounts: dict[tuple[str, str], int]
    credits: list[CreditLeft]
    last_invoice_on: date | None
    discounts: dict[int, list[DiscountRow]]
    one_offs: dict[int, list[OneOffRow]]
    allowances: list[CreditLeft]
    exchange: dict[str, list[tuple[date, Decimal]]]


# `LATERAL .. OFFSET 0` has PostgreSQL look each row's few partners up. Left to itself, it reads the whole table for a
# chunk of a thousand, and a run takes the square of its size.
_CUSTOMERS = """
SELECT c.id, c.public_id, c.kind, c.name, c.language, c.vat_id, c.vat_state, c.tax_exemption, c.payment_terms_days,
       c.po_reference, c.payment_method, a.id, a.recipient, a.lines::text, a.postal_code, a.city, a.region, a.country,
       k.answer, k.asked_at, c.payment_terms_from
FROM customers_customer c
LEFT JOIN LATERAL (
    SELECT * FROM customers_address
    WHERE customer_id = c.id AND kind = 'billing' AND replaced_at IS NULL OFFSET 0
) a ON true
LEFT JOIN LATERAL (
    SELECT answer, asked_at FROM customers_vatcheck
    WHERE c.vat_state = 'pending' AND customer_id = c.id AND vat_id = c.vat_id AND answer <> 'unavailable'
    ORDER BY id DESC LIMIT 1
) k ON true
WHERE c.company_id = %s AND c.id = ANY(%s::bigint[])
ORDER BY c.id
FOR NO KEY UPDATE OF c
"""


def lock_customers(
    company: Company, customer_ids: Sequence[int], *, skip_locked: bool = False
) -> dict[int, CustomerRow]:
    """Locks the customers in id order; with `skip_locked` those that others hold are left out."""
    sql = _CUSTOMERS + (" SKIP LOCKED" if skip_locked else "")
    with connection.cursor() as cursor:
        cursor.execute(sql, [company.pk, list(customer_ids)])
        rows = cursor.fetchall()
    found = {}
    for row in rows:
        address = (row[11], row[12] or "", _strings(row[13] or "[]"), *(field or "" for field in row[14:18]),
                   row[18] or "", row[19], row[20])  # fmt: skip
        found[row[0]] = CustomerRow._make(
            (row[0], encode("cus", row[1]), row[2], row[3], row[4] or company.language, *row[5:11], *address)
        )
    return found


def _strings(text: str) -> tuple[str, ...]:
    return tuple(str(line) for line in orjson.loads(text))


_AGREEMENTS = """
SELECT s.id, s.customer_id, s.name, s.state, s.currency, s.tax_behavior, s.time_zone, s.paid_from_on, s.anchor_on,
       s.anchor_month_day, s.ends_on, s.end_unused, s.cancel_asked_at, s.next_bill_on, s.interval_unit,
       s.interval_count, s.minimum_count, s.minimum_unit, s.renewal_rule, s.renewal_count, s.renewal_unit,
       s.grace_days, coalesce(s.payment_terms_days, plan.payment_terms_days), s.po_reference, s.minimum_amount,
       coalesce(plan.trial_end <> 'convert', false),
       coalesce(nullif(s.payment_terms_from, ''), plan.payment_terms_from, ''), s.minimum_through_on,
       slot.id, slot.position, slot.billed_through_on, slot.reopened_days, slot.product_id, product.name::text,
       product.unit_name::text, product.tax_category_id, category.supply, category.level, product.revenue_account,
       slot.kind, slot.meter_id, slot.interim_minor, slot.usage_due_on, slot.late_from_on, slot.minimum_through_on,
       t.from_on, t.until_on, price.public_id, price.version, t.model, t.unit_amount, t.quantity, t.billed,
       t.is_prorated, t.interval_unit, t.interval_count, t.details::text, t.minimum_amount, t.anchor_on,
       t.anchor_month_day, t.standing, t.settles, t.id, t.price_id, t.settles_until, t.product_id
FROM subscriptions_subscription s
LEFT JOIN catalog_plan plan ON plan.id = s.plan_id
LEFT JOIN LATERAL (SELECT * FROM subscriptions_slot WHERE subscription_id = s.id OFFSET 0) slot ON true
LEFT JOIN catalog_product product ON product.id = slot.product_id
LEFT JOIN catalog_taxcategory category ON category.id = product.tax_category_id
LEFT JOIN LATERAL (SELECT * FROM subscriptions_slotterms WHERE slot_id = slot.id OFFSET 0) t ON true
LEFT JOIN catalog_price price ON price.id = t.price_id
WHERE s.company_id = %s AND s.customer_id = ANY(%s::bigint[]) AND s.parked_at IS NULL
  AND (s.next_bill_on <= %s OR (s.next_bill_on = %s AND s.ends_on = %s))
  AND (%s::text[] = '{}' OR s.time_zone = ANY(%s::text[]))
ORDER BY s.customer_id, s.id, slot.position, slot.id, t.from_on
FOR NO KEY UPDATE OF s
"""


_PRODUCTS = """
SELECT p.id, p.name::text, p.unit_name::text, p.tax_category_id, category.supply, category.level, p.revenue_account
FROM catalog_product p JOIN catalog_taxcategory category ON category.id = p.tax_category_id
WHERE p.id = ANY(%s::bigint[])
"""


#: Where the columns of a slot and of its terms begin.
_SLOT, _TERMS = 28, 45


def lock_due(company: Company, customer_ids: Sequence[int], on: date, zones: Sequence[str] = ()) -> list[Agreement]:
    """The due subscriptions of locked customers, locked: by customer, then id, with slots and terms in order.

    Also those that end on that very day, whose unused days may be given back today. `zones`: only of these time
    zones; empty: of all.
    """
    with connection.cursor() as cursor:
        cursor.execute(_AGREEMENTS, [company.pk, list(customer_ids), on, on + ONE_DAY, on, list(zones), list(zones)])
        rows = cursor.fetchall()
    agreements: list[Agreement] = []
    subscription_id = slot_id = None
    others: set[int] = set()
    for row in rows:
        if row[0] != subscription_id:
            subscription_id, slot_id = row[0], None
            agreements.append(_agreement(row))
        if row[_SLOT] is None:
            continue
        if row[_SLOT] != slot_id:
            slot_id = row[_SLOT]
            agreements[-1].slots.append(_slot(row))
        if row[_TERMS] is not None:
            ref = row[_TERMS + 2]
            price_ref = None if ref is None else _price_ref(ref)
            agreements[-1].slots[-1].terms.append(TermsRow(row[_TERMS], row[_TERMS + 1], price_ref, *row[_TERMS + 3 :]))
            if row[-1] is not None:
                others.add(row[-1])
    if others:
        _name_products(agreements, others)
    return agreements


def _name_products(agreements: Sequence[Agreement], product_ids: set[int]) -> None:
    """Puts what is supplied beside terms that supply another product than their slot's. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_PRODUCTS, [list(product_ids)])
        products = {row[0]: ProductRow._make(row) for row in cursor.fetchall()}
    for agreement in agreements:
        for slot in agreement.slots:
            for number, terms in enumerate(slot.terms):
                if terms.product_id is not None:
                    slot.terms[number] = terms._replace(product=products[terms.product_id])


@lru_cache(maxsize=4096)
def _price_ref(public_id: uuid.UUID) -> str:
    return encode("prc", public_id)


def _agreement(row: tuple[Any, ...]) -> Agreement:
    ends_on: date | None = row[10]
    asked_at: datetime | None = row[12]
    at_once = ends_on is not None and asked_at is not None and clock.day_in(asked_at, row[6]) >= ends_on
    return Agreement._make((*row[:10], ends_on, row[11], at_once, *row[13:24], [], *row[24:_SLOT]))


def _slot(row: tuple[Any, ...]) -> SlotRow:
    reopened = tuple((days.lower, days.upper) for days in row[_SLOT + 3])
    columns = row[_SLOT:_TERMS]
    return SlotRow._make((*columns[:3], reopened, *columns[4:11], [], *columns[11:]))


_FACTS = """
SELECT 'rate', country, region, level, percent, valid_from, NULL::bigint, NULL::bigint, tax_category::text
FROM catalog_taxrate WHERE company_id = %(company)s
UNION ALL
SELECT 'account', role, code, '', NULL, NULL, id, NULL, NULL FROM billing_account WHERE company_id = %(company)s
UNION ALL
SELECT 'credit', c.currency, c.source, c.tax_category, b.left_minor, c.expires_on, c.id, c.customer_id, c.tax_rate::text
FROM billing_credit c JOIN billing_creditbalance b ON b.credit_id = c.id
WHERE c.company_id = %(company)s AND c.customer_id = ANY(%(customers)s::bigint[]) AND b.left_minor > 0
UNION ALL
SELECT 'series', '', '', '', NULL, last_on, NULL, NULL, NULL
FROM core_numberseries WHERE company_id = %(company)s AND series = 'invoice' AND year = %(year)s
UNION ALL
SELECT 'discount', '', '', '', d.percent, NULL, d.id, d.subscription_id,
       json_build_array(d.name, d.amount_minor, d.currency, d.duration, d.scope, d.product_id, d.price_id, d.from_on,
                        d.until_on, d.periods_left, d.left_minor, d.public_id)::text
FROM subscriptions_agreeddiscount d
WHERE d.subscription_id = ANY(%(agreements)s::bigint[]) AND d.ended_at IS NULL
UNION ALL
SELECT 'one_off', o.model, category.supply, category.level, o.quantity, o.due_on, o.id, o.subscription_id,
       json_build_array(o.product_id, p.name::text, p.unit_name::text, p.tax_category_id, p.revenue_account,
                        o.description, o.unit_amount::text, o.details::text, o.service_on, o.price_id, price.version,
                        price.public_id)::text
FROM subscriptions_oneoff o
JOIN catalog_product p ON p.id = o.product_id JOIN catalog_taxcategory category ON category.id = p.tax_category_id
LEFT JOIN catalog_price price ON price.id = o.price_id
WHERE o.subscription_id = ANY(%(agreements)s::bigint[]) AND o.due_on IS NOT NULL
UNION ALL
SELECT 'exchange', x.currency, '', '', x.rate, x.day, NULL, NULL, NULL FROM billing_exchangerate x
WHERE x.currency = ANY(%(currencies)s::text[]) AND x.day <= %(on)s::date AND x.day >= coalesce(
    (SELECT max(e.day) FROM billing_exchangerate e WHERE e.currency = x.currency AND e.day <= %(since)s::date),
    %(since)s::date)
"""


def facts(
    company: Company,
    customer_ids: Sequence[int],
    year: int,
    agreement_ids: Sequence[int] = (),
    on: date | None = None,
    *,
    currencies: Sequence[str] = (),
    since: date | None = None,
) -> Facts:
    """Everything beside the agreements in one query; call it with the customers locked.

    `on`: the day up to which one-off items are asked for. `currencies`: those whose exchange rates from the day
    `since` (the last one before it included) up to `on` are wanted.
    """
    with connection.cursor() as cursor:
        params: dict[str, Any] = {
            "company": company.pk,
            "customers": list(customer_ids),
            "year": year,
            "agreements": list(agreement_ids),
            "on": on,
            "currencies": list(currencies),
            "since": since,
        }
        cursor.execute(_FACTS, params)
        rows = cursor.fetchall()
    found = Facts([], {}, [], None, {}, {}, [], {})
    last_on: date | None = None
    for kind, first, second, third, figure, day, id_, owner, more in rows:
        match kind:
            case "rate":
                found.rates.append(RateFact(first, second, third, figure, day, more))
            case "account":
                found.accounts[first, second] = id_
                # The oldest account of a role is its usual one.
                found.accounts[first, ""] = min(id_, found.accounts.get((first, ""), id_))
            case "series":
                last_on = day
            case "credit":
                rate = None if more is None else Decimal(more)
                credit = CreditLeft(id_, owner, first, int(figure), second, day, third, rate)
                (found.credits if second == "money" else found.allowances).append(credit)
            case "discount":
                found.discounts.setdefault(owner, []).append(_discount(id_, figure, orjson.loads(more)))
            case "exchange":
                found.exchange.setdefault(first, []).append((day, figure))
            case "one_off":
                row = _one_off(id_, first, second, third, figure, day, orjson.loads(more))
                found.one_offs.setdefault(owner, []).append(row)
    for days in found.exchange.values():
        days.sort()
    found.credits.sort(key=lambda credit: credit.id)
    found.allowances.sort(key=lambda credit: credit.id)
    for discounts in found.discounts.values():
        discounts.sort(key=lambda discount: discount.id)
    for one_offs in found.one_offs.values():
        one_offs.sort(key=lambda one: one.id)
    return found._replace(last_invoice_on=last_on)


def _discount(id_: int, percent: Decimal | None, row: list[Any]) -> DiscountRow:
    name, amount, currency, duration, scope, product_id, price_id, from_on, until_on, periods, left, public_id = row
    first, last = date.fromisoformat(from_on), None if until_on is None else date.fromisoformat(until_on)
    return DiscountRow(
        id_, name, percent, amount, currency, duration, scope, product_id, price_id, first, last, periods, left,
        encode("agd", uuid.UUID(public_id)),
    )  # fmt: skip


def live_discounts(agreement_ids: Collection[int]) -> dict[int, list[DiscountRow]]:
    """The discounts of these subscriptions as they stand now, oldest first."""
    found: dict[int, list[DiscountRow]] = {id_: [] for id_ in agreement_ids}
    rows = AgreedDiscount.objects.filter(subscription_id__in=found, ended_at__isnull=True).order_by("id")
    for row in rows:
        found[row.subscription_id].append(
            DiscountRow(
                row.pk, row.name, row.percent, row.amount_minor, row.currency, row.duration, row.scope, row.product_id,
                row.price_id, row.from_on, row.until_on, row.periods_left, row.left_minor, row.ref,
            )
        )  # fmt: skip
    return found


def _one_off(
    id_: int, model: str, supply: str, level: str, quantity: Decimal, due_on: date, row: list[Any]
) -> OneOffRow:
    product_id, name, unit, category_id, account, description, amount, details, service_on, *price = row
    price_id, version, ref = price
    return OneOffRow(
        id_, product_id, name, unit, category_id, supply, level, account, description, quantity, model,
        Decimal(amount), details, date.fromisoformat(service_on), due_on, price_id, version,
        None if ref is None else _price_ref(uuid.UUID(ref)),
    )  # fmt: skip


@lru_cache(maxsize=4096)
def words(texts: str, language: str, fallback: str) -> str:
    """A text of the catalog, stored as JSON by language: in that language, else the fallback, else any."""
    by_language: dict[str, str] = orjson.loads(texts or "{}")
    return by_language.get(language) or by_language.get(fallback) or next(iter(by_language.values()), "")
