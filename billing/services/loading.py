"""What settling reads beside what is agreed: its customers, locked in one order, and all facts, as plain tuples.

Two queries, whatever the number of customers. The rule that matters: who has more to ask of a batch asks it with the
facts (`Also`), not in a query of its own.
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

from core.ids import encode
from core.models import Company
from subscriptions.models import AgreedDiscount


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
    of the exchange rates that were asked for; by kind the rows of what else was asked."""

    rates: list[RateFact]
    accounts: dict[tuple[str, str], int]
    credits: list[CreditLeft]
    last_invoice_on: date | None
    discounts: dict[int, list[DiscountRow]]
    one_offs: dict[int, list[OneOffRow]]
    allowances: list[CreditLeft]
    exchange: dict[str, list[tuple[date, Decimal]]]
    also: dict[str, list[AlsoRow]]


#: Columns as in `_FACTS`: the kind, three words, a figure, a day, two ids, and a text for the rest.
AlsoRow = tuple[str, Any, Any, Any, Decimal | None, date | None, int | None, int | None, str | None]


class Also(NamedTuple):
    """A further part of the query: a `SELECT` of nine columns, the first a kind of its own, and its parameters."""

    sql: str
    params: dict[str, Any]


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
    also: Sequence[Also] = (),
) -> Facts:
    """Everything beside the agreements in one query; call it with the customers locked.

    `on`: the day up to which one-off items are asked for. `currencies`: those whose exchange rates from the day
    `since` (the last one before it included) up to `on` are wanted. `also`: what else is asked, with the same words.
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
        for asked in also:
            params |= asked.params
        cursor.execute("\nUNION ALL\n".join((_FACTS, *(asked.sql for asked in also))), params)
        rows = cursor.fetchall()
    found = Facts([], {}, [], None, {}, {}, [], {}, {})
    last_on: date | None = None
    for row in rows:
        kind, first, second, third, figure, day, id_, owner, more = row
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
                one_off = _one_off(id_, first, second, third, figure, day, orjson.loads(more))
                found.one_offs.setdefault(owner, []).append(one_off)
            case _:
                found.also.setdefault(kind, []).append(row)
    for days in found.exchange.values():
        days.sort()
    found.credits.sort(key=lambda credit: credit.id)
    found.allowances.sort(key=lambda credit: credit.id)
    for discounts in found.discounts.values():
        discounts.sort(key=lambda discount: discount.id)
    for one_offs in found.one_offs.values():
        one_offs.sort(key=lambda one: one.id)
    return found._replace(last_invoice_on=last_on)


def ask(also: Sequence[Also]) -> dict[str, list[AlsoRow]]:
    """What else is asked, by kind, without the facts. One query; none without questions."""
    found: dict[str, list[AlsoRow]] = {}
    if not also:
        return found
    params: dict[str, Any] = {}
    for asked in also:
        params |= asked.params
    with connection.cursor() as cursor:
        cursor.execute("\nUNION ALL\n".join(asked.sql for asked in also), params)
        for row in cursor.fetchall():
            found.setdefault(row[0], []).append(row)
    return found


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
        found[row.subscription_id].append(discount_row(row))
    return found


def discount_row(row: AgreedDiscount) -> DiscountRow:
    """A discount agreed, as settling knows it."""
    return DiscountRow(
        row.pk, row.name, row.percent, row.amount_minor, row.currency, row.duration, row.scope, row.product_id,
        row.price_id, row.from_on, row.until_on, row.periods_left, row.left_minor, row.ref,
    )  # fmt: skip


def _one_off(
    id_: int, model: str, supply: str, level: str, quantity: Decimal, due_on: date, row: list[Any]
) -> OneOffRow:
    product_id, name, unit, category_id, account, description, amount, details, service_on, *price = row
    price_id, version, ref = price
    return OneOffRow(
        id_, product_id, name, unit, category_id, supply, level, account, description, quantity, model,
        Decimal(amount), details, date.fromisoformat(service_on), due_on, price_id, version,
        None if ref is None else price_ref(uuid.UUID(ref)),
    )  # fmt: skip


@lru_cache(maxsize=4096)
def price_ref(public_id: uuid.UUID) -> str:
    """The address of a price version, as calculations name it."""
    return encode("prc", public_id)


@lru_cache(maxsize=4096)
def words(texts: str, language: str, fallback: str) -> str:
    """A text of the catalog, stored as JSON by language: in that language, else the fallback, else any."""
    by_language: dict[str, str] = orjson.loads(texts or "{}")
    return by_language.get(language) or by_language.get(fallback) or next(iter(by_language.values()), "")
