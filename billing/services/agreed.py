"""What is agreed, as settling reads it: due subscriptions with their slots and terms, locked, as plain tuples.

Two queries at most, whatever the number of customers. The rule that matters: what is due is read again under the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson
from django.db import connection

from billing.services.loading import Also, AlsoRow, price_ref
from catalog.models import Plan
from core import clock
from core.models import Company
from subscriptions.models import Subscription
from subscriptions.services import due
from subscriptions.services.schedule import ONE_DAY, Agreement, ProductRow, SlotRow, TermsRow

# `LATERAL .. OFFSET 0` looks each row's few partners up by key, see `loading`.
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
            shown = None if ref is None else price_ref(ref)
            agreements[-1].slots[-1].terms.append(TermsRow(row[_TERMS], row[_TERMS + 1], shown, *row[_TERMS + 3 :]))
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


def _agreement(row: tuple[Any, ...]) -> Agreement:
    ends_on: date | None = row[10]
    asked_at: datetime | None = row[12]
    at_once = ends_on is not None and asked_at is not None and clock.day_in(asked_at, row[6]) >= ends_on
    return Agreement._make((*row[:10], ends_on, row[11], at_once, *row[13:24], [], *row[24:_SLOT]))


def _slot(row: tuple[Any, ...]) -> SlotRow:
    reopened = tuple((days.lower, days.upper) for days in row[_SLOT + 3])
    columns = row[_SLOT:_TERMS]
    return SlotRow._make((*columns[:3], reopened, *columns[4:11], [], *columns[11:]))


def is_due(agreement: Agreement, on: date, zones: Sequence[str] = ()) -> bool:
    """What `lock_due` asks of a subscription that is not parked."""
    due_on = agreement.next_bill_on
    if due_on is None or (zones and agreement.time_zone not in zones):
        return False
    return due_on <= on or (due_on == on + ONE_DAY and agreement.ends_on == on)


# In memory ------------------------------------------------------------------------------------------------------------

_CATALOG = """
SELECT 'product', '', '', '', NULL::numeric, NULL::date, p.id, NULL::bigint,
       json_build_array(p.name::text, p.unit_name::text, p.tax_category_id, category.supply, category.level,
                        p.revenue_account)::text
FROM catalog_product p JOIN catalog_taxcategory category ON category.id = p.tax_category_id
WHERE p.id = ANY(%(products)s::bigint[])
UNION ALL
SELECT 'price', public_id::text, '', '', version, NULL, id, NULL, NULL
FROM catalog_price WHERE id = ANY(%(prices)s::bigint[])
"""


def asking(held: Subscription) -> Also:
    """Asks with the facts for the words of the catalog that `agreement_of` puts beside a subscription in memory."""
    slots = list(held.slots.all())
    terms = [row for slot in slots for row in slot.terms.all()]
    products = {slot.product_id for slot in slots} | {row.product_id for row in terms if row.product_id is not None}
    prices = {row.price_id for row in terms if row.price_id is not None}
    return Also(_CATALOG, {"products": sorted(products), "prices": sorted(prices)})


def agreement_of(held: Subscription, also: Mapping[str, Sequence[AlsoRow]]) -> Agreement:
    """A subscription in memory, read with slots and terms, as `lock_due` would read it if it were written. `also`: what
    `asking` asked for; without it words and addresses of the catalog are left out."""
    products = {row[6]: ProductRow(row[6] or 0, *orjson.loads(row[8] or "")) for row in also.get("product", ())}
    prices = {row[6]: (price_ref(uuid.UUID(row[1])), int(row[4] or 0)) for row in also.get("price", ())}
    plan, ends_on, asked_at = held.plan, held.ends_on, held.cancel_asked_at
    terms_days, terms_from = held.payment_terms_days, held.payment_terms_from
    if plan is not None:
        terms_days = plan.payment_terms_days if terms_days is None else terms_days
        terms_from = terms_from or plan.payment_terms_from
    found = due.agreement_of(held)._replace(
        ended_at_once=ends_on is not None
        and asked_at is not None
        and clock.day_in(asked_at, held.time_zone) >= ends_on,
        payment_terms_days=terms_days,
        payment_terms_from=terms_from,
        trial_may_end=plan is not None and plan.trial_end != Plan.TrialEnd.CONVERT,
    )
    for slot in sorted(held.slots.all(), key=lambda one: one.position):
        rows = sorted(slot.terms.all(), key=lambda one: one.from_on)
        row = due.slot_row(slot, rows)
        for number, (stored, terms) in enumerate(zip(rows, row.terms, strict=True)):
            ref, version = prices.get(terms.price_id, (None, None))
            row.terms[number] = terms._replace(
                price_ref=ref, price_version=version, settles_until=stored.settles_until,
                product=products.get(terms.product_id) if terms.product_id is not None else None,
            )  # fmt: skip
        words = products.get(slot.product_id)
        found.slots.append(row if words is None else row._replace(**words._asdict()))
    return found
