"""What the doctor asks of reports: whether the sums of closed months are those of their movements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.services.doctoring import Finding, Level, examination

#: Movements and closed months by company, month, currency and kind, where they don't agree.
_DIFFER = """
    SELECT co.slug, coalesce(moved.month, kept.month), count(*)
    FROM (
        SELECT m.company_id, date_trunc('month', m.booked_on)::date AS month, m.currency, m.kind,
               sum(m.amount_minor) AS minor
        FROM subscriptions_movement m
        JOIN reporting_closedmonth c
          ON c.company_id = m.company_id AND c.month = date_trunc('month', m.booked_on)::date
        GROUP BY 1, 2, 3, 4 HAVING sum(m.amount_minor) <> 0
    ) moved
    FULL JOIN (
        SELECT company_id, month, currency, kind, sum(amount_minor) AS minor
        FROM reporting_closedrevenue WHERE kind <> 'moved' GROUP BY 1, 2, 3, 4 HAVING sum(amount_minor) <> 0
    ) kept USING (company_id, month, currency, kind)
    JOIN core_company co ON co.id = company_id
    WHERE moved.minor IS DISTINCT FROM kept.minor
    GROUP BY 1, 2 ORDER BY 1, 2
"""


@examination("figures", gettext_lazy("Closed months"), slow=True)
def figures(at: datetime) -> Iterator[Finding]:
    """Each company's closed months against its movements."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFER)
        found = cursor.fetchall()
    for slug, month, count in found:
        yield Finding(
            Level.BROKEN,
            _("%(company)s: the sums of %(month)s differ from its movements in %(count)s places.")
            % {"company": slug, "month": f"{month:%Y-%m}", "count": count},
            _("manage.py check_figures names them; manage.py rebuild_closed_months adds the months up anew."),
        )
