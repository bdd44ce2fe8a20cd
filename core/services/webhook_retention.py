"""What endpoints were sent is forgotten after a while: deliveries that are over, with their tries.

The rule that matters: what still waits stays, however old, and so does what was sent again lately.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection

from core.models import Company
from core.services import sweeping

# The oldest stand first by id, as they were written; so many are looked at, and where none is old enough no more.
_FORGET: Final = """
    WITH head AS (
        SELECT id FROM core_webhookdelivery WHERE company_id = %(company)s ORDER BY id LIMIT %(portion)s
    ), old AS (
        SELECT delivery.id FROM core_webhookdelivery delivery JOIN head USING (id)
        WHERE delivery.state <> 'waiting' AND delivery.created_at < %(before)s AND delivery.closed_at < %(before)s
        FOR UPDATE OF delivery SKIP LOCKED
    ), tries AS (
        DELETE FROM core_webhooktry one USING old WHERE one.delivery_id = old.id RETURNING 1
    ), deliveries AS (
        DELETE FROM core_webhookdelivery one USING old WHERE one.id = old.id RETURNING 1
    )
    SELECT (SELECT count(*) FROM deliveries), (SELECT count(*) FROM tries)
"""


def forget(company: Company, before: datetime, limit: int) -> int:
    """Drops a portion of the deliveries that ended before an instant, and their tries; how many rows."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"company": company.pk, "portion": limit, "before": before})
        deliveries, tries = cursor.fetchone()
    return int(deliveries + tries)


sweeping.log("webhooks", kept=sweeping.days_of("WEBHOOK_LOG_DAYS"), portion=forget)
