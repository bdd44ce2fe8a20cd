# ruff: noqa: S608  the only texts put together are this module's own
"""What a run expects: due subscriptions and the lines they should give, in SQL, from boundaries alone.

The rule that matters: it shares nothing with `settle`, so that a run can be measured against it; it counts, and never
prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from core.models import Company


def _number(day: str) -> str:
    """SQL: the number of the period that a day lies in, counted from the anchor; negative before it."""
    months = f"(extract(year FROM {day}) * 12 + extract(month FROM {day}))"
    last = f"extract(day FROM date_trunc('month', {day}::timestamp) + interval '1 month - 1 day')"
    return f"""CASE t.interval_unit
        WHEN 'day' THEN floor(({day} - coalesce(t.anchor_on, s.anchor_on))::numeric / t.interval_count)
        WHEN 'week' THEN floor(({day} - coalesce(t.anchor_on, s.anchor_on))::numeric / (7 * t.interval_count))
        ELSE floor(({months} - extract(year FROM coalesce(t.anchor_on, s.anchor_on)) * 12
            - extract(month FROM coalesce(t.anchor_on, s.anchor_on))
            - (extract(day FROM {day}) < least(coalesce(t.anchor_month_day, s.anchor_month_day), {last}))::int)
            / (t.interval_count * CASE t.interval_unit WHEN 'year' THEN 12 ELSE 1 END))
        END"""


#: Due subscriptions of a company: what a run looks at, and nothing else.
DUE: Final = """
    s.company_id = %(company)s AND s.next_bill_on <= %(on)s AND s.parked_at IS NULL
    AND (%(zones)s::text[] = '{}' OR s.time_zone = ANY(%(zones)s::text[]))
"""

#: A row a customer: customer_id, due (subscriptions), lines. Open days of a slot are those after the last billed one,
#: and days that a voided invoice opened again. A minimum can bring a line for each period closed, and one at the end.
_BY_CUSTOMER: Final = f"""
SELECT customer_id, count(*) AS due, sum(lines) AS lines FROM (
    SELECT s.customer_id, s.id, coalesce(sum(
        CASE
            WHEN day.first > day.last THEN 0
            WHEN t.billed = 'advance' OR day.ends_on < %(on)s THEN {_number("day.last")} - {_number("day.first")} + 1
            ELSE {_number("(day.last + 1)")} - {_number("day.first")}
        END * CASE WHEN coalesce(t.minimum_amount, s.minimum_amount) IS NULL THEN 1 ELSE 2 END
        + (t.minimum_amount IS NOT NULL)::int), 0)
        + (s.minimum_amount IS NOT NULL)::int
        + (SELECT count(*) FROM subscriptions_oneoff o WHERE o.subscription_id = s.id AND o.due_on <= %(on)s::date)
        + CASE WHEN bool_or(slot.usage_due_on <= %(on)s::date) THEN (
            -- Usage that may be billed before its close, and closed periods with late usage.
            SELECT sum((u.interim_minor IS NOT NULL)::int + (
                SELECT count(DISTINCT r.start_at) FROM billing_ratedusage r
                WHERE r.slot_id = u.id AND r.period_end > u.late_from_on))
            FROM subscriptions_slot u WHERE u.subscription_id = s.id AND u.usage_due_on <= %(on)s::date
        ) ELSE 0 END
        AS lines
    FROM subscriptions_subscription s
    LEFT JOIN subscriptions_slot slot ON slot.subscription_id = s.id
    LEFT JOIN LATERAL unnest(slot.reopened_days || daterange(slot.billed_through_on + 1, NULL)) AS range(days) ON true
    LEFT JOIN subscriptions_slotterms t ON t.slot_id = slot.id AND t.standing = 'agreed'
    LEFT JOIN LATERAL (
        SELECT greatest(lower(range.days), t.from_on) AS first,
               least(s.ends_on, t.until_on - 1, upper(range.days) - 1) AS ends_on,
               least(s.ends_on, t.until_on - 1, upper(range.days) - 1,
                     %(on)s::date - CASE t.billed WHEN 'advance' THEN 0 ELSE 1 END) AS last
    ) AS day ON true
    WHERE {DUE}
    GROUP BY s.customer_id, s.id
) AS due_subscriptions
GROUP BY customer_id
"""

#: A row a chunk: first_customer_id, last_customer_id, due, lines. No customer is in two, none larger than the cut
#: unless a single customer is.
CHUNKS: Final = f"""
SELECT min(customer_id), max(customer_id), sum(due)::bigint, sum(lines)::bigint FROM (
    SELECT customer_id, due, lines,
           floor(sum(greatest(due / %(subscriptions)s::numeric, lines / %(lines)s::numeric))
                 OVER (ORDER BY customer_id)) AS place
    FROM ({_BY_CUSTOMER}) AS customers
) AS placed
GROUP BY place
ORDER BY min(customer_id)
"""


def params(company: Company, on: date, zones: Sequence[str], **more: Any) -> dict[str, Any]:
    """The parameters of these queries."""
    return {"company": company.pk, "on": on, "zones": list(zones), **more}
