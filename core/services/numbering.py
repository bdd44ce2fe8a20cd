"""Document numbers without gap or twin: a counter row, taken as the last act of the issuing transaction."""

from __future__ import annotations

from datetime import date

from django.db import connection

from core.models import Company

#: series name -> name of the pattern column on Company
PATTERNS = {"invoice": "invoice_pattern", "credit_note": "credit_note_pattern"}


def take(*, company: Company, series: str, count: int, on: date) -> tuple[int, date]:
    """Takes `count` numbers; the first of them and the document date they get.

    The date is `on`, or the series' last date when that is later: dates never go back. The counter row stays
    locked until the transaction ends, so call this as late as possible.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO core_numberseries (company_id, series, year, last_number, last_on)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (company_id, series, year) DO UPDATE
            SET last_number = core_numberseries.last_number + excluded.last_number,
                last_on = greatest(core_numberseries.last_on, excluded.last_on)
            RETURNING last_number, last_on
            """,
            [company.pk, series, on.year, count, on],
        )
        last, last_on = cursor.fetchone()
    return last - count + 1, last_on


def printed(*, company: Company, series: str, year: int, sequence: int) -> str:
    """The number as it stands on the document."""
    pattern: str = getattr(company, PATTERNS[series])
    text = pattern.format(year=year, number=sequence)
    return text if company.is_live else f"TEST-{text}"
