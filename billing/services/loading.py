"""What settling reads: customers and their due subscriptions, locked in one order, as plain tuples.

Four queries whatever the number of customers. The rule that matters: what is due is read again under the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from django.db import connection

from billing.services.charging import ONE_DAY, Agreement, SlotRow, TermsRow
from core import clock
from core.ids import encode
from core.models import Company


class CustomerRow(NamedTuple):
    """A customer as documents need it; the address is the current billing address, `address_id` None without one."""

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

    @property
    def number(self) -> str:
        return f"CUS-{self.id:06d}"


class RateFact(NamedTuple):
    country: str
    region: str
    level: str
    percent: Decimal
    valid_from: date


class CreditLeft(NamedTuple):
    """Account credit of the source `money` that is still there."""

    id: int
    customer_id: int
    currency: str
    left_minor: int


class Facts(NamedTuple):
    """The company's dated rates, its ledger accounts by role and by code, the customers' credit, oldest first, and the
    date of the last invoice of the year."""

    rates: list[RateFact]
    accounts: dict[tuple[str, str], int]
    credits: list[CreditLeft]
    last_invoice_on: date | None


# `LATERAL .. OFFSET 0` has PostgreSQL look each row's few partners up. Left to itself, it reads the whole table for a
# chunk of a thousand, and a run takes the square of its size.
_CUSTOMERS = """
SELECT c.id, c.public_id, c.kind, c.name, c.language, c.vat_id, c.vat_state, c.tax_exemption, c.payment_terms_days,
       c.po_reference, c.payment_method, a.id, a.recipient, a.lines::text, a.postal_code, a.city, a.region, a.country
FROM customers_customer c
LEFT JOIN LATERAL (
    SELECT * FROM customers_address
    WHERE customer_id = c.id AND kind = 'billing' AND replaced_at IS NULL OFFSET 0
) a ON true
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
        address = (row[11], row[12] or "", _strings(row[13] or "[]"), *(field or "" for field in row[14:18]))
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
       s.grace_days, coalesce(s.payment_terms_days, plan.payment_terms_days), s.po_reference,
       slot.id, slot.position, slot.billed_through_on, slot.reopened_days, slot.product_id, product.name::text,
       product.unit_name::text, product.tax_category_id, category.supply, category.level, product.revenue_account,
       t.from_on, t.until_on, price.public_id, price.version, t.model, t.unit_amount, t.quantity, t.billed,
       t.is_prorated, t.interval_unit, t.interval_count
FROM subscriptions_subscription s
LEFT JOIN catalog_plan plan ON plan.id = s.plan_id
LEFT JOIN LATERAL (SELECT * FROM subscriptions_slot WHERE subscription_id = s.id OFFSET 0) slot ON true
LEFT JOIN catalog_product product ON product.id = slot.product_id
LEFT JOIN catalog_taxcategory category ON category.id = product.tax_category_id
LEFT JOIN LATERAL (SELECT * FROM subscriptions_slotterms WHERE slot_id = slot.id OFFSET 0) t ON true
LEFT JOIN catalog_price price ON price.id = t.price_id
WHERE s.company_id = %s AND s.customer_id = ANY(%s::bigint[]) AND s.parked_at IS NULL
  AND s.state NOT IN ('paused', 'suspended')
  AND (s.next_bill_on <= %s OR (s.next_bill_on = %s AND s.ends_on = %s))
  AND (%s::text[] = '{}' OR s.time_zone = ANY(%s::text[]))
ORDER BY s.customer_id, s.id, slot.position, slot.id, t.from_on
FOR NO KEY UPDATE OF s
"""


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
    for row in rows:
        if row[0] != subscription_id:
            subscription_id, slot_id = row[0], None
            agreements.append(_agreement(row))
        if row[24] is None:
            continue
        if row[24] != slot_id:
            slot_id = row[24]
            agreements[-1].slots.append(_slot(row))
        if row[35] is not None:
            price_ref = None if row[37] is None else _price_ref(row[37])
            agreements[-1].slots[-1].terms.append(TermsRow(row[35], row[36], price_ref, *row[38:46]))
    return agreements


@lru_cache(maxsize=4096)
def _price_ref(public_id: uuid.UUID) -> str:
    return encode("prc", public_id)


def _agreement(row: tuple[Any, ...]) -> Agreement:
    ends_on: date | None = row[10]
    asked_at: datetime | None = row[12]
    at_once = ends_on is not None and asked_at is not None and clock.day_in(asked_at, row[6]) >= ends_on
    return Agreement._make((*row[:10], ends_on, row[11], at_once, *row[13:24], []))


def _slot(row: tuple[Any, ...]) -> SlotRow:
    reopened = tuple((days.lower, days.upper) for days in row[27])
    return SlotRow._make((row[24], row[25], row[26], reopened, *row[28:35], []))


_FACTS = """
SELECT 'rate', country, region, level, percent, valid_from, NULL::bigint, NULL::bigint
FROM catalog_taxrate WHERE company_id = %(company)s
UNION ALL
SELECT 'account', role, code, '', NULL, NULL, id, NULL FROM billing_account WHERE company_id = %(company)s
UNION ALL
SELECT 'credit', c.currency, '', '', b.left_minor, NULL, c.id, c.customer_id
FROM billing_credit c JOIN billing_creditbalance b ON b.credit_id = c.id
WHERE c.company_id = %(company)s AND c.customer_id = ANY(%(customers)s::bigint[]) AND c.source = 'money'
  AND b.left_minor > 0
UNION ALL
SELECT 'series', '', '', '', NULL, last_on, NULL, NULL
FROM core_numberseries WHERE company_id = %(company)s AND series = 'invoice' AND year = %(year)s
"""


def facts(company: Company, customer_ids: Sequence[int], year: int) -> Facts:
    """Rates, accounts, credit and the series of the year in one query; call it with the customers locked."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, {"company": company.pk, "customers": list(customer_ids), "year": year})
        rows = cursor.fetchall()
    rates, credits = [], []
    accounts: dict[tuple[str, str], int] = {}
    last_on: date | None = None
    for kind, first, second, third, figure, day, id_, owner in rows:
        if kind == "rate":
            rates.append(RateFact(first, second, third, figure, day))
        elif kind == "account":
            accounts[first, second] = id_
            # The oldest account of a role is its usual one.
            accounts[first, ""] = min(id_, accounts.get((first, ""), id_))
        elif kind == "series":
            last_on = day
        else:
            credits.append(CreditLeft(id_, owner, first, int(figure)))
    credits.sort()
    return Facts(rates, accounts, credits, last_on)


@lru_cache(maxsize=4096)
def words(texts: str, language: str, fallback: str) -> str:
    """A text of the catalog, stored as JSON by language: in that language, else the fallback, else any."""
    by_language: dict[str, str] = orjson.loads(texts or "{}")
    return by_language.get(language) or by_language.get(fallback) or next(iter(by_language.values()), "")
