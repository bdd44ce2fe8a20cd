"""What needs attention in the clockwork itself: effects and webhooks that failed, ticks that were missed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, F, Func, Min, Q, QuerySet, TextField, Value
from django.db.models.functions import TruncDate
from django.utils.translation import gettext_lazy as _

from core import clock
from core.models import Outbox, TickRun, WebhookEndpoint
from core.services import timetable
from crm.services.alert_kinds import Look, Usual, seen, source

#: So many failures in a row are no accident.
FAILURES = 3
MACHINE = ("admin",)


@source(
    "outbox_dead",
    title=_("Mails and effects that failed"),
    text=_("%(count)s effects of the kind %(kind)s failed for good, the first on %(since)s."),
    usual=Usual(roles=("admin", "accounting"), mail="at_once", task_days=0, priority="high"),
)
def outbox_dead(look: Look) -> QuerySet[Any, Any]:
    """One alert for each kind of effect."""
    rows = Outbox.objects.filter(company=look.company, state=Outbox.State.DEAD)
    grouped = rows.order_by().values("kind").annotate(n=Count("pk"), first=Min(TruncDate("created_at")))
    return seen(grouped, key="kind", facts={"count": "n", "kind": "kind", "since_on": "first"})


@source(
    "webhook_dead",
    title=_("Webhook endpoint does not answer"),
    text=_("%(description)s has not answered well since %(since)s. %(reasons)s"),
    usual=Usual(roles=MACHINE, hours=6, mail="at_once", task_days=0, priority="high"),
    prefix="whe",
    hint=_("hours an endpoint may fail"),
)
def webhook_dead(look: Look) -> QuerySet[Any, Any]:
    """Endpoints that were switched off because they failed, and those that have failed for some hours."""
    Stopped = WebhookEndpoint.Stopped
    limit = clock.machine_now() - timedelta(hours=look.rule.hours or 0)
    failing = Q(is_active=True, failing_since__lt=limit)
    rows = WebhookEndpoint.objects.filter(
        failing | Q(stopped__in=[Stopped.GONE, Stopped.FAILING]), company=look.company
    ).annotate(is_gone=Q(stopped=Stopped.GONE), is_failing=Q(stopped=Stopped.FAILING), address=_without_query("url"))
    names = ("public_id", "is_gone", "is_failing")
    facts: dict[str, Any] = {name: name for name in names}
    return seen(rows, key="pk", facts={**facts, "since_at": "failing_since", "description": "address"})


@source(
    "tick_missed",
    title=_("Timetable stands still"),
    text=_("“%(tick)s” was not done as planned; it last ran at %(last)s."),
    usual=Usual(roles=MACHINE, mail="at_once", task_days=0, priority="high"),
)
def tick_missed(look: Look) -> QuerySet[Any, Any]:
    """Ticks that three turns went by without, and those that failed three times in a row. Test companies have none."""
    rows = TickRun.objects.filter(company=look.company, company__is_live=True)
    rows = rows.filter(timetable.overdue(clock.machine_now()) | Q(failures__gte=FAILURES))
    return seen(rows, key="name", facts={"tick": "name", "last_at": "ended_at", "failures": "failures"})


def _without_query(column: str) -> Func:
    """An address as far as its question mark: what follows may be a secret."""
    return Func(F(column), Value("?"), Value(1), function="split_part", output_field=TextField())
