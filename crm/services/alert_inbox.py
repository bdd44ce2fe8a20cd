"""The inbox: what is open for a person, and noting that it was seen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from core.actors import Actor
from core.models import AuditEntry, Company, Membership, User
from core.services import trail
from crm.models import Alert, AlertAudience

#: The bell counts no further.
MOST = 99


def unseen(company: Company, user: User) -> QuerySet[Alert]:
    """Open alerts that nobody took note of and that this person is to hear of. The oldest come last."""
    role = Membership.objects.filter(company=company, user=user).values("role_id")
    heard = AlertAudience.objects.filter(Q(user=user) | Q(role__in=role), company=company).values("rule_id")
    return Alert.objects.filter(
        company=company, state=Alert.State.OPEN, acknowledged_at__isnull=True, rule_id__in=heard
    )


def count(company: Company, user: User) -> int:
    """How many are unseen, at most 100; one statement."""
    return unseen(company, user).order_by()[: MOST + 1].count()


def acknowledge(*, company: Company, alerts: Iterable[Alert], by: Actor, at: datetime) -> int:
    """Notes that somebody has seen them; those already seen stay as they are. How many."""
    ids = [alert.pk for alert in alerts]
    with transaction.atomic():
        rows = list(
            Alert.objects.select_for_update()
            .filter(company=company, pk__in=ids, acknowledged_at__isnull=True)
            .order_by("pk")
        )
        if not rows:
            return 0
        Alert.objects.filter(pk__in=[row.pk for row in rows]).update(
            acknowledged_at=at, acknowledged_by=by.label[:120], awaits_mail=False
        )
        AuditEntry.objects.bulk_create(
            trail.entry(
                company_id=company.pk, at=at, by=by, verb="alert.acknowledge", subject_kind="alert",
                subject_id=row.pk, customer_id=row.customer_id, facts={"kind": row.kind},
            )
            for row in rows
        )  # fmt: skip
    return len(rows)
