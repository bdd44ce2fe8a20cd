"""What became of reminders: whether the term renewed, the trial was paid, the customer left or came back.

The rule that matters: an outcome is seen once, from the subscription as it stands after the occasion; opens and offers
taken are noted when they happen.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from django.db import connection

from core import clock
from core.models import Company
from crm.models import Reminder

_CANCELED: Final = """
UPDATE crm_reminder r SET canceled_at = %(at)s
FROM subscriptions_subscription s, crm_reminderrule u
WHERE r.company_id = %(company)s AND r.renewed_at IS NULL AND r.canceled_at IS NULL AND r.subscription_id IS NOT NULL
AND r.occasion_on <= %(today)s AND s.id = r.subscription_id AND u.id = r.rule_id AND u.occasion <> 'win_back'
AND (s.state IN ('canceled', 'expired') OR s.end_kind = 'cancel')
"""
_RENEWED: Final = """
UPDATE crm_reminder r SET renewed_at = %(at)s
FROM subscriptions_subscription s, crm_reminderrule u
WHERE r.company_id = %(company)s AND r.renewed_at IS NULL AND r.canceled_at IS NULL AND r.subscription_id IS NOT NULL
AND r.occasion_on <= %(today)s AND s.id = r.subscription_id AND u.id = r.rule_id
AND s.state NOT IN ('canceled', 'expired', 'pending') AND s.end_kind <> 'cancel'
AND ((u.occasion IN ('before_renewal', 'before_notice_deadline') AND s.term_start_on >= r.occasion_on)
     OR (u.occasion IN ('before_trial_end', 'before_price_change') AND s.state <> 'trial'))
"""
_BACK: Final = """
UPDATE crm_reminder r SET renewed_at = %(at)s
FROM crm_reminderrule u
WHERE r.company_id = %(company)s AND r.renewed_at IS NULL AND r.canceled_at IS NULL AND r.subscription_id IS NOT NULL
AND r.occasion_on <= %(today)s AND u.id = r.rule_id AND u.occasion = 'win_back'
AND EXISTS (SELECT 1 FROM subscriptions_subscription s WHERE s.company_id = r.company_id
    AND s.customer_id = r.customer_id AND s.created_at >= r.sent_at)
"""


def follow_up(*, company: Company, at: datetime) -> dict[str, int]:
    """Notes the outcome of reminders whose occasion has come; how many ended and how many renewed."""
    today = clock.day_in(at, company.time_zone)
    if not _has_open(company, today):
        return {"renewed": 0, "canceled": 0}
    given: dict[str, Any] = {"company": company.pk, "today": today, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(_CANCELED, given)
        canceled = cursor.rowcount
        cursor.execute(_RENEWED, given)
        renewed = cursor.rowcount
        cursor.execute(_BACK, given)
        return {"renewed": renewed + cursor.rowcount, "canceled": canceled}


def _has_open(company: Company, today: date) -> bool:
    open_ones = Reminder.objects.filter(
        company=company, renewed_at__isnull=True, canceled_at__isnull=True, subscription__isnull=False
    )
    return open_ones.filter(occasion_on__lte=today).exists()
