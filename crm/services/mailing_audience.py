"""Who gets a mailing: fixed by one statement when it starts, with why anybody is left out.

The rule that matters: a customer has one row in a mailing, however often this is asked; advertising goes only to
addresses that allowed it and are not blocked.
"""

# ruff: noqa: S608  constants of this module and questions of the segment, whose values are parameters

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from core.models import Company
from crm.models import Mailing, Segment
from crm.services import segments

#: Of the customer `c`: addresses that may be written to now, how many there are, how many allowed advertising.
ADDRESSES: Final = """
SELECT array_agg(a.email ORDER BY a.position) FILTER (WHERE a.is_allowed AND NOT a.is_blocked) AS emails,
    count(*) AS known, count(*) FILTER (WHERE a.is_allowed) AS allowed
FROM (
    SELECT b.*, EXISTS (
        SELECT 1 FROM customers_suppression x WHERE x.company_id = c.company_id AND x.lifted_at IS NULL
        AND x.address_hash = encode(sha256(convert_to(lower(btrim(b.email)), 'UTF8')), 'hex')
    ) AS is_blocked
    FROM (
        SELECT 0::bigint AS position, c.email, c.marketing_consent_at IS NOT NULL AS is_allowed WHERE c.email <> ''
        UNION ALL
        SELECT k.id, k.email, k.marketing_consent_at IS NOT NULL FROM customers_contact k
        WHERE k.customer_id = c.id AND k.archived_at IS NULL AND k.email <> ''
    ) b
) a
"""
#: Why nobody at the customer can be written to; empty: somebody can.
LEFT_OUT: Final = """CASE WHEN e.emails IS NOT NULL THEN '' WHEN e.known = 0 THEN 'no_address'
    WHEN e.allowed > 0 THEN 'blocked' ELSE 'no_consent' END"""
#: The customer's subscription that a mail speaks of: one the segment means, else the oldest that goes on.
_SUBSCRIPTION: Final = """
SELECT s.id FROM subscriptions_subscription s
WHERE s.company_id = c.company_id AND s.customer_id = c.id AND s.state NOT IN ('canceled', 'expired')
ORDER BY {meant} (s.end_kind = 'cancel'), s.id LIMIT 1
"""
_SOURCE: Final = f"""
FROM customers_customer c
LEFT JOIN LATERAL ({_SUBSCRIPTION}) s ON true
CROSS JOIN LATERAL ({ADDRESSES}) e
WHERE c.id IN ({{members}})
"""
_WHY: Final = f"""CASE WHEN e.emails IS NOT NULL AND %s AND s.id IS NULL THEN 'no_subscription' ELSE {LEFT_OUT} END"""
_FREEZE: Final = f"""
INSERT INTO crm_mailingrecipient (company_id, mailing_id, customer_id, subscription_id, emails, left_out)
SELECT c.company_id, %s, c.id, s.id, COALESCE(e.emails, ARRAY[]::varchar[]), {_WHY}
{_SOURCE}
ON CONFLICT (mailing_id, customer_id) DO NOTHING
"""
_COUNT: Final = f"SELECT why, count(*) FROM (SELECT {_WHY} AS why {_SOURCE}) counted GROUP BY why"


@dataclass(frozen=True, slots=True)
class Audience:
    """How many would get a mailing now, and how many would be left out by which reason."""

    planned: int
    left_out: dict[str, int]


class _Question(NamedTuple):
    sql: str
    params: list[Any]


def freeze(mailing: Mailing, *, on: date) -> None:
    """Writes a row for each customer of the segment as it is now; who has one keeps it."""
    asked = _asked(_FREEZE, mailing.segment, on)
    with connection.cursor() as cursor:
        cursor.execute(asked.sql, [mailing.pk, mailing.offer_id is not None, *asked.params])


def counted(company: Company, segment: Segment, *, has_offer: bool, on: date) -> Audience:
    """Whom `freeze` would write down now; nothing is written."""
    asked = _asked(_COUNT, segment, on)
    with connection.cursor() as cursor:
        cursor.execute(asked.sql, [has_offer, *asked.params])
        found = dict(cursor.fetchall())
    return Audience(planned=found.pop("", 0), left_out=found)


def _asked(sql: str, segment: Segment, on: date) -> _Question:
    members, who = _sql(segments.members(segment=segment, on=on).order_by().values("pk"))
    own = segments.meant_subscriptions(segment=segment, on=on)
    if own is None:
        return _Question(sql.format(members=members, meant=""), who)
    meant, which = _sql(own.order_by().values("pk"))
    return _Question(sql.format(members=members, meant=f"(s.id IN ({meant})) DESC,"), which + who)


def _sql(rows: QuerySet[Any]) -> tuple[str, list[Any]]:
    sql, params = rows.query.sql_with_params()
    return sql, list(params)
