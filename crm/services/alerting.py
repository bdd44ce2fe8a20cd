"""Raising alerts and letting them go: each kind's question is compared with what is open, in one statement.

The rule that matters: nothing is remembered between ticks but the alerts themselves. So a tick that ran twice, late or
beside another changes nothing, and what happened while none ran is seen by the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import override

from core import clock
from core.fault_points import point
from core.models import Company, Event, User
from crm.models import Alert, AlertAudience, AlertRule, Task
from crm.services import alert_closing, alert_kinds, alert_rules, tasks
from crm.services.alert_closing import BY
from crm.services.alert_kinds import Kind, Look
from customers.services import merged

log = structlog.get_logger(__name__)
CHUNK: Final = 2000
#: Differences of one kind that one look settles; the next goes on. So a flood keeps memory flat.
MOST: Final = 10_000
SAME = "seen_key, seen_customer, seen_subscription, seen_invoice, seen_facts"


@dataclass(slots=True)
class Looked:
    """What a look came to."""

    raised: int = 0
    resolved: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    key: str
    customer_id: int | None
    subscription_id: int | None
    invoice_id: int | None
    facts: dict[str, Any]


def look(*, company: Company, at: datetime, slow: bool | None = None) -> Looked:
    """Asks every kind, or only the quick or the slow ones. A kind that fails is logged and holds up no other."""
    rules = alert_rules.of_company(company)
    today = clock.day_in(at, company.time_zone)
    looked = Looked()
    for kind in alert_kinds.all_kinds():
        rule = rules.get(kind.name)
        if rule is None or not rule.is_active or (slow is not None and kind.slow != slow):
            continue
        try:
            with transaction.atomic():
                fresh, gone = _differences(kind, Look(company, rule, at, today))
                looked.raised += _raise(company, kind, rule, fresh, at)
                point("alert.raised")
                looked.resolved += alert_closing.resolve(company=company, alert_ids=gone, at=at)
        except Exception as error:
            log.exception("alerts_not_asked", kind=kind.name, error=f"{type(error).__name__}: {error}"[:300])
            looked.failed.append(kind.name)
    return looked


def _differences(kind: Kind, asked: Look) -> tuple[list[_Seen], list[int]]:
    """What is seen and not open, and the ids of what is open and no longer seen; in one statement."""
    sql, params = kind.find(asked).query.sql_with_params()
    statement = f"""
        WITH seen ({SAME}) AS MATERIALIZED ({sql}),
        held AS (SELECT id, key FROM crm_alert WHERE company_id = %s AND kind = %s AND state = 'open')
        SELECT {SAME}, held.id FROM seen FULL JOIN held ON held.key = seen.seen_key
        WHERE seen.seen_key IS NULL OR held.id IS NULL LIMIT {MOST}
    """  # noqa: S608  the inner statement is Django's own
    with connection.cursor() as cursor:
        cursor.execute(statement, (*params, asked.company.pk, kind.name))
        rows = cursor.fetchall()
    fresh = [
        _Seen(row[0], row[1], row[2], row[3], alert_kinds.facts_of(kind, _json(row[4])))
        for row in rows
        if row[0] is not None
    ]
    return fresh, [row[5] for row in rows if row[0] is None]


def _json(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value or {}
    return found


def _raise(company: Company, kind: Kind, rule: AlertRule, fresh: list[_Seen], at: datetime) -> int:
    """Writes the alerts with their events and tasks; how many were not there, also if another tick raises them now."""
    count = 0
    for start in range(0, len(fresh), CHUNK):
        part = {one.key: one for one in fresh[start : start + CHUNK]}
        # What is seen of a merged customer, such as an invoice that is open again, the other one's owner looks after.
        whose = merged.standing_ids(company.pk, {one.customer_id for one in part.values() if one.customer_id})
        known = Alert.objects.filter(company=company, kind=kind.name, key__in=list(part)).order_by().values("key")
        before = dict(known.annotate(n=Max("occurrence")).values_list("key", "n"))
        alerts = [
            Alert(
                company=company, rule=rule, kind=kind.name, key=one.key, occurrence=before.get(one.key, 0) + 1,
                customer_id=whose.get(one.customer_id or 0, one.customer_id),
                subscription_id=one.subscription_id, invoice_id=one.invoice_id,
                facts=one.facts, raised_at=at, awaits_mail=rule.mail == AlertRule.Mail.AT_ONCE,
            )
            for one in sorted(part.values(), key=lambda one: one.key)
        ]  # fmt: skip
        Alert.objects.bulk_create(alerts, ignore_conflicts=True)
        mine = Alert.objects.filter(company=company, public_id__in=[alert.public_id for alert in alerts])
        rows = list(mine.select_related("customer", "subscription", "invoice").order_by("pk"))
        Event.objects.bulk_create([alert_closing.event(alert, "alert.raised", at) for alert in rows])
        if rule.makes_task and rows:
            _make_tasks(company, kind, rule, rows, at)
        count += len(rows)
    return count


def _make_tasks(company: Company, kind: Kind, rule: AlertRule, alerts: list[Alert], at: datetime) -> None:
    """A task for each: the customer's owner does it, else whoever of the first role that hears of it."""
    staff = alert_rules.members(company)
    audience = list(AlertAudience.objects.filter(rule=rule).select_related("user").order_by("pk"))
    team = next((row.role_id for row in audience if row.role_id), None)
    named = [row.user for row in audience if row.user_id in staff]
    alone = named[0] if team is None and len(named) == 1 else None
    owners = User.objects.in_bulk({row.customer.owner_id for row in alerts if row.customer is not None} & staff)
    due_on = clock.day_in(at, company.time_zone) + timedelta(days=rule.task_days)
    with override(company.language):
        rows = [
            Task(
                company=company, alert=alert, title=_title(kind, alert), text=alert_kinds.in_words(alert),
                customer=alert.customer, subscription_id=alert.subscription_id, invoice_id=alert.invoice_id,
                due_on=due_on, owner=_owner(alert, owners) or alone, team_id=team,
                priority=rule.priority, created_at=at, created_by=BY.label,
            )
            for alert in alerts
        ]  # fmt: skip
    tasks.write(company=company, tasks=rows, by=BY, at=at)


def _title(kind: Kind, alert: Alert) -> str:
    about = alert.customer.name if alert.customer is not None else ""
    title = str(kind.title)
    return (f"{title}: {about}" if about else title)[:200]


def _owner(alert: Alert, owners: Mapping[int, User]) -> User | None:
    """Who looks after the customer, if they still work here."""
    return owners.get(alert.customer.owner_id or 0) if alert.customer is not None else None
