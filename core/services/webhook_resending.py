"""Sending again what an endpoint missed: one delivery, all that failed since an instant, and how deliveries stand.

The rule that matters: what is sent again is the same event under the same id, so that a receiver who did get it knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Min, Q

from core import clock
from core.actors import Actor
from core.models import WebhookDelivery, WebhookEndpoint
from core.refusal import Refused
from core.services import trail

State = WebhookDelivery.State
#: How far back missed events are looked for.
DAYS = 30
_ANEW: dict[str, Any] = {
    "state": State.WAITING, "tries": 0, "due_at": None, "lease_until": None, "closed_at": None,
}  # fmt: skip
# Events that happened while the endpoint was stopped, or before it was made.
_MISSED = """
    INSERT INTO core_webhookdelivery (
        company_id, public_id, endpoint_id, event_id, state, tries, lease_by, last_error, created_at
    )
    SELECT event.company_id, turnus_uuid7(), endpoint.id, event.id, 'waiting', 0, '', '', now()
    FROM core_webhookendpoint endpoint
    JOIN core_event event ON event.company_id = endpoint.company_id AND event.occurred_at >= %(since)s
     AND endpoint.types::text[] && ARRAY['*', event.type::text, split_part(event.type, '.', 1) || '.*']
     AND event.type <> 'webhook_endpoint.tested'
    WHERE endpoint.id = %(endpoint)s
    ORDER BY event.id
    ON CONFLICT (event_id, endpoint_id) DO NOTHING
"""


@transaction.atomic
def resend(*, delivery: WebhookDelivery, by: Actor, at: datetime) -> WebhookDelivery:
    """Sends a delivery again, also one that was delivered. Refuses `webhook.not_active`."""
    endpoint = _in_use(delivery.endpoint)
    held = WebhookDelivery.objects.select_for_update(no_key=True).get(pk=delivery.pk)
    leased = held.lease_until is not None and held.lease_until > clock.machine_now()
    if held.state == State.WAITING and leased:
        return held  # it is on its way
    for name, value in _ANEW.items():
        setattr(held, name, value)
    held.save(update_fields=list(_ANEW))
    _go_on(endpoint)
    trail.audit(
        company_id=held.company_id, at=at, by=by, verb="webhook_endpoint.resend", subject_kind="webhook_endpoint",
        subject_id=endpoint.pk, facts={"delivery": held.ref},
    )  # fmt: skip
    return held


@transaction.atomic
def resend_since(
    *, endpoint: WebhookEndpoint, since: datetime, with_missed: bool = False, by: Actor, at: datetime
) -> int:
    """Sends again what failed for good since an instant of the machine's clock; how many deliveries that is.

    `with_missed`: also events since then, by the company's clock, that were never written for it: those that happened
    while it was stopped. Refuses `webhook.not_active`, and `webhook.too_long_ago` beyond 30 days.
    """
    held = _in_use(endpoint)
    if since < min(clock.machine_now(), at) - timedelta(days=DAYS):
        raise Refused("webhook.too_long_ago", field="since", days=DAYS)
    count = WebhookDelivery.objects.filter(endpoint=held, state=State.DEAD, closed_at__gte=since).update(**_ANEW)
    if with_missed:
        with connection.cursor() as cursor:
            cursor.execute(_MISSED, {"endpoint": held.pk, "since": since})
            count += cursor.rowcount
    _go_on(held)
    trail.audit(
        company_id=held.company_id, at=at, by=by, verb="webhook_endpoint.resend_since",
        subject_kind="webhook_endpoint", subject_id=held.pk,
        facts={"since": since.isoformat(), "deliveries": count, "with_missed": with_missed},
    )  # fmt: skip
    return count


def _in_use(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    held = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    if not held.is_active:
        raise Refused("webhook.not_active")
    return held


def _go_on(endpoint: WebhookEndpoint) -> None:
    """Somebody says that it works again: no pause stands in the way."""
    if endpoint.paused_until is not None:
        endpoint.paused_until = None
        endpoint.save(update_fields=["paused_until"])


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """How an endpoint's deliveries stand; `late_seconds` is how long the oldest one that waits was written ago."""

    waiting: int = 0
    dead: int = 0
    late_seconds: int = 0


def health(*, company_id: int | None = None) -> dict[int, EndpointHealth]:
    """The endpoints with waiting or dead deliveries, by their id."""
    now = clock.machine_now()
    rows = WebhookDelivery.objects.filter(state__in=(State.WAITING, State.DEAD))
    if company_id is not None:
        rows = rows.filter(company_id=company_id)
    told = (
        rows.values("endpoint_id")
        .order_by("endpoint_id")
        .annotate(
            waiting=Count("pk", filter=Q(state=State.WAITING)),
            dead=Count("pk", filter=Q(state=State.DEAD)),
            oldest=Min("created_at", filter=Q(state=State.WAITING)),
        )
    )
    return {
        row["endpoint_id"]: EndpointHealth(
            row["waiting"], row["dead"], max(0, int((now - row["oldest"]).total_seconds())) if row["oldest"] else 0
        )
        for row in told
    }
