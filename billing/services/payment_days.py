"""Payments summed up by day, method and currency, so that sums of all money need not read every payment.

The rule that matters: what is summed up never changes (day, method, currency, amount; the database refuses it), and
every payment up to the last one summed up is in the sums once; what became of a payment is read from the payment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _
from psycopg.errors import LockNotAvailable

from billing.models import Payment, PaymentDay
from core.models import Company
from core.services import ticks

#: So many payments are worth a sum; fewer are read as they are.
WORTH: Final = 1_000
_IS_WORTH: Final = """
    SELECT EXISTS (
        SELECT FROM billing_payment
        WHERE company_id = %(company)s AND id > (
            SELECT coalesce(max(through_id), 0) FROM billing_paymentday WHERE company_id = %(company)s
        ) ORDER BY id OFFSET %(worth)s - 1 LIMIT 1
    )
"""
_SUM: Final = """
    WITH made AS (
        INSERT INTO billing_paymentday (company_id, received_on, method, currency, count, amount_minor, through_id)
        SELECT company_id, received_on, method, currency, count(*), sum(amount_minor), %(through)s
        FROM billing_payment WHERE company_id = %(company)s AND id > %(after)s AND id <= %(through)s
        GROUP BY company_id, received_on, method, currency
        RETURNING count
    )
    SELECT coalesce(sum(count), 0) FROM made
"""
#: Payments up to the last one summed up against their sums, by day.
_DIFFER: Final = """
    SELECT co.slug, count(DISTINCT received_on)
    FROM (
        SELECT company_id, received_on, method, currency, sum(count) AS count, sum(amount_minor) AS minor
        FROM billing_paymentday GROUP BY 1, 2, 3, 4
    ) day
    FULL JOIN (
        SELECT p.company_id, p.received_on, p.method, p.currency, count(*) AS count, sum(p.amount_minor) AS minor
        FROM billing_payment p
        JOIN (SELECT company_id, max(through_id) AS id FROM billing_paymentday GROUP BY 1) summed
          ON summed.company_id = p.company_id AND p.id <= summed.id
        GROUP BY 1, 2, 3, 4
    ) paid USING (company_id, received_on, method, currency)
    JOIN core_company co ON co.id = company_id
    WHERE (day.count, day.minor) IS DISTINCT FROM (paid.count, paid.minor)
    GROUP BY 1 ORDER BY 1
"""


def summed_through(company: Company) -> int:
    """The last payment that is summed up; 0 for none. Sums with a `through_id` up to it hold all payments up to it."""
    found = PaymentDay.objects.filter(company=company).aggregate(through=Max("through_id"))["through"]
    return int(found or 0)


def sum_up(company: Company, *, worth: int = WORTH) -> int:
    """Adds sums of the payments that came since, where there are as many as `worth`; how many payments.

    While somebody is writing a payment it adds none: that one may have a smaller id than those that are seen.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IS_WORTH, {"company": company.pk, "worth": worth})
        if not cursor.fetchone()[0]:
            return 0
    through = _through(company)
    if through is None:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        after = summed_through(company)
        cursor.execute(_SUM, {"company": company.pk, "after": after, "through": through})
        return int(cursor.fetchone()[0])


def rebuild(company: Company) -> int:
    """Takes the sums away and adds all payments up anew; how many. 0 where somebody is writing a payment: the tick adds
    them up later, and until then they are read."""
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        PaymentDay.objects.filter(company=company).delete()
    return sum_up(company, worth=1)


def differing() -> list[tuple[str, int]]:
    """Companies with days whose sums are not those of their payments, and how many such days."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFER)
        return [(slug, int(count)) for slug, count in cursor.fetchall()]


def _through(company: Company) -> int | None:
    """The last payment there is, when none with a smaller id can appear any more; None: somebody is writing one."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE billing_payment IN SHARE MODE NOWAIT")
            last: int | None = Payment.objects.filter(company=company).aggregate(last=Max("pk"))["last"]
            return last
    except OperationalError as error:
        if not isinstance(error.__cause__, LockNotAvailable):
            raise
        return None


@ticks.tick(
    "billing.payment_days", order=89, every=timedelta(hours=1), about_now=True, title=_("Sums of payments"),
    text=_("Adds up the payments of each day, so that sums of all payments are quick."),
)  # fmt: skip
def payment_days_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Payments that were added up."""
    return {"payments": sum_up(company)}
