"""What reminders brought: sent, opened, offers taken, renewed; what offers cost and which revenue stayed.

The rule that matters: money is counted from issued invoices alone: the cost is what discounts took off lines, the
revenue kept is the net of the first year after the occasion of those who stayed, less what was credited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

from django.db import connection

from core.models import Company
from crm.models import Offer, ReminderRule

Group = Literal["rule", "offer"]

_SQL: Final = """
SELECT r.{column}, COALESCE(s.currency, ''), count(*), count(r.message_id), count(r.opened_at), count(r.accepted_at),
    count(r.renewed_at), count(r.canceled_at), COALESCE(sum(cost.minor), 0), COALESCE(sum(kept.minor), 0)
FROM crm_reminder r
LEFT JOIN subscriptions_subscription s ON s.id = r.subscription_id
LEFT JOIN LATERAL (
    SELECT sum(u.amount_minor) AS minor FROM billing_discountuse u
    WHERE u.agreed_id = r.agreed_id AND u.line_id IS NOT NULL
) cost ON r.agreed_id IS NOT NULL
LEFT JOIN LATERAL (
    SELECT sum(l.net_minor - COALESCE(c.credited_minor * l.net_minor / NULLIF(l.amount_minor, 0), 0)) AS minor
    FROM billing_invoiceline l
    JOIN billing_invoice i ON i.id = l.invoice_id AND i.sequence IS NOT NULL
    LEFT JOIN billing_linecredit c ON c.line_id = l.id
    WHERE l.subscription_id = r.subscription_id AND l.period_start >= r.occasion_on
    AND l.period_start < (r.occasion_on + interval '1 year')
) kept ON r.renewed_at IS NOT NULL
WHERE r.company_id = %(company)s AND r.{column} IS NOT NULL
AND (%(first)s::date IS NULL OR r.sent_at >= (%(first)s::date)::timestamp AT TIME ZONE %(zone)s)
AND (%(last)s::date IS NULL OR r.sent_at < (%(last)s::date + 1)::timestamp AT TIME ZONE %(zone)s)
GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass
class Effect:
    """Figures of a rule or an offer; money in minor units by currency."""

    of: ReminderRule | Offer
    sent: int = 0
    mailed: int = 0
    opened: int = 0
    accepted: int = 0
    renewed: int = 0
    canceled: int = 0
    cost: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)

    @property
    def renewal_rate(self) -> float | None:
        """Of those whose outcome is known the part that stayed."""
        known = self.renewed + self.canceled
        return self.renewed / known if known else None


def effects(company: Company, group: Group, *, first: date | None = None, last: date | None = None) -> list[Effect]:
    """Figures of every rule, or every offer, of reminders sent on those days; also of those that sent nothing."""
    model: Any = ReminderRule if group == "rule" else Offer
    found = {row.pk: Effect(row) for row in model.objects.filter(company=company).order_by("-pk")}
    sql = _SQL.format(column=f"{group}_id")
    given = {"company": company.pk, "first": first, "last": last, "zone": company.time_zone}
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        for id_, currency, sent, mailed, opened, accepted, renewed, canceled, cost, kept in cursor.fetchall():
            effect = found[id_]
            effect.sent += sent
            effect.mailed += mailed
            effect.opened += opened
            effect.accepted += accepted
            effect.renewed += renewed
            effect.canceled += canceled
            if currency and cost:
                effect.cost[currency] = effect.cost.get(currency, 0) + int(cost)
            if currency and kept:
                effect.kept[currency] = effect.kept.get(currency, 0) + int(kept)
    return list(found.values())
