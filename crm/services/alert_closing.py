"""Letting alerts go whose cause is gone, with their tasks; the events that tell of alerts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from core.actors import Actor
from core.models import Company, Event
from core.services import trail
from crm.models import Alert, AlertRule
from crm.services import tasks

BY: Final = Actor.system("Alerts")
CHUNK: Final = 2000


def resolve(*, company: Company, alert_ids: Iterable[int], at: datetime) -> int:
    """Closes alerts whose cause is gone, and their open tasks as settled by itself; how many were open."""
    count = 0
    ids = sorted(alert_ids)
    for start in range(0, len(ids), CHUNK):
        with transaction.atomic():
            held = Alert.objects.select_for_update(of=("self",)).filter(
                company=company, pk__in=ids[start : start + CHUNK], state=Alert.State.OPEN
            )
            rows = list(held.select_related("customer", "subscription", "invoice").order_by("pk"))
            Alert.objects.filter(pk__in=[row.pk for row in rows]).update(
                state=Alert.State.RESOLVED, resolved_at=at, awaits_mail=False
            )
            Event.objects.bulk_create([event(row, "alert.resolved", at) for row in rows])
            tasks.settle(company=company, alert_ids=[row.pk for row in rows], by=BY, at=at)
            count += len(rows)
    return count


def close_all(*, rule: AlertRule, at: datetime) -> int:
    """Closes every open alert of a rule that was switched off."""
    open_ids = list(rule.alerts.filter(state=Alert.State.OPEN).values_list("pk", flat=True))
    return resolve(company=rule.company, alert_ids=open_ids, at=at)


def event(alert: Alert, type: str, at: datetime) -> Event:
    """The event that tells of it: which, about whom, and what was seen as far as it is short."""
    data: dict[str, Any] = {"id": alert.ref, "kind": alert.kind, "occurrence": alert.occurrence}
    for name in ("customer", "subscription", "invoice"):
        about = getattr(alert, name)
        if about is not None:
            data[name] = about.ref
    facts = {name: value if not isinstance(value, str) else value[:80] for name, value in alert.facts.items()}
    if len(json.dumps(facts)) < 600:
        data["facts"] = facts
    return trail.event(
        company_id=alert.company_id, type=type, at=at, subject_kind="alert", subject_id=alert.pk,
        customer_id=alert.customer_id, data=data,
    )  # fmt: skip
