"""When payment is due: pure arithmetic of payment terms."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta


def due_day(issued_on: date, terms_days: int, terms_from: str = "issue") -> date:
    """The day payment is due: so many days after the document's date, or after the last day of its month.

    >>> due_day(date(2026, 2, 3), 14).isoformat(), due_day(date(2026, 2, 3), 14, "month_end").isoformat()
    ('2026-02-17', '2026-03-14')
    """
    if terms_from == "month_end":
        issued_on = issued_on.replace(day=monthrange(issued_on.year, issued_on.month)[1])
    return issued_on + timedelta(days=terms_days)
