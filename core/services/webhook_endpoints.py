"""Endpoints of other systems: made, changed, given a new secret, stopped, used again, tested.

The rule that matters: a secret is shown once, when it is made; after that it only signs.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core import clock
from core.actors import Actor
from core.models import Company, Event, WebhookDelivery, WebhookEndpoint
from core.refusal import Refused
from core.sealing import CannotOpen
from core.services import event_types, trail
from core.services.webhook_addresses import Resolver, checked

SECRET_PREFIX, SECRET_BYTES = "whsec_", 32
MOST = 20
#: Hours that the previous secret signs beside the new one.
OVERLAP, MOST_OVERLAP = 24, 7 * 24
Stopped, State = WebhookEndpoint.Stopped, WebhookDelivery.State


def fresh_secret() -> str:
    """A secret as Standard Webhooks writes it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def create(
    *, company: Company, url: str, types: Iterable[str], description: str = "", by: Actor, at: datetime,
    resolve: Resolver | None = None,
) -> tuple[WebhookEndpoint, str]:  # fmt: skip
    """Makes an endpoint that hears of what happens from now on; the row and the secret that is shown this once.

    Refuses what `webhook_addresses.checked` and `event_types.patterns` refuse, and `webhook.too_many`.
    """
    # Names are looked up before anything is locked: that may take a while.
    checked(url, company=company, resolve=resolve)
    wanted, words, secret = event_types.patterns(types), _text(description), fresh_secret()
    with transaction.atomic():
        _check_room(company)
        endpoint = WebhookEndpoint.objects.create(
            company=company, url=url, types=wanted, description=words, secret=secret, created_at=at
        )
        _tell(endpoint, "create", "created", {"types": endpoint.types}, by=by, at=at)
    return endpoint, secret


def _check_room(company: Company) -> None:
    Company.objects.select_for_update(no_key=True).get(pk=company.pk)
    if WebhookEndpoint.objects.filter(company=company, is_active=True).count() >= MOST:
        raise Refused("webhook.too_many", most=MOST)


def update(
    *, endpoint: WebhookEndpoint, by: Actor, at: datetime, url: str | None = None, types: Iterable[str] | None = None,
    description: str | None = None, resolve: Resolver | None = None,
) -> WebhookEndpoint:  # fmt: skip
    """Changes what is given; refuses as `create` does. A changed address is tried at once."""
    wanted: dict[str, Any] = {}
    if url is not None and url != endpoint.url:
        checked(url, company=endpoint.company, resolve=resolve)
        wanted |= {"url": url, "paused_until": None, "failures": 0, "failing_since": None}
    if types is not None:
        wanted["types"] = event_types.patterns(types)
    if description is not None:
        wanted["description"] = _text(description)
    with transaction.atomic():
        held = _held(endpoint)
        changed = [name for name, value in wanted.items() if getattr(held, name) != value]
        if changed:
            for name in changed:
                setattr(held, name, wanted[name])
            held.save(update_fields=changed)
            told = [name for name in changed if name in ("url", "types", "description")]
            _tell(held, "update", "updated", {"fields": told}, by=by, at=at)
    return held


@transaction.atomic
def rotate(
    *, endpoint: WebhookEndpoint, by: Actor, at: datetime, overlap_hours: int = OVERLAP
) -> tuple[WebhookEndpoint, str]:
    """A new secret, shown this once; for so many hours the previous one signs beside it. Refuses `webhook.overlap`.

    A previous one that no key opens signs nothing any more and is dropped.
    """
    if not 0 <= overlap_hours <= MOST_OVERLAP:
        raise Refused("webhook.overlap", field="overlap_hours", most=MOST_OVERLAP)
    held = _held(endpoint)
    try:
        previous = held.secret if overlap_hours else ""
    except CannotOpen:
        previous, overlap_hours = "", 0
    held.previous_secret = previous
    held.previous_until = clock.machine_now() + timedelta(hours=overlap_hours) if overlap_hours else None
    held.secret = fresh_secret()
    held.save(update_fields=["secret", "previous_secret", "previous_until"])
    _tell(held, "rotate_secret", "secret_rotated", {"overlap_hours": overlap_hours}, by=by, at=at)
    return held, held.secret


def disable(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> WebhookEndpoint:
    """Nothing is sent to it any more, what waits is given up; a second time changes nothing."""
    with transaction.atomic():
        held = _held(endpoint)
        return stop(held, Stopped.BY_HAND, by=by, at=at)


def stop(held: WebhookEndpoint, why: str, *, by: Actor, at: datetime) -> WebhookEndpoint:
    """Stops an endpoint that is locked; what waits for it is dead, to be seen and sent again. An event tells of it."""
    if not held.is_active:
        return held
    now = clock.machine_now()
    held.is_active, held.stopped, held.stopped_at = False, why, now
    held.save(update_fields=["is_active", "stopped", "stopped_at"])
    given_up = bury(held, now)
    _tell(held, "disable", "disabled", {"reason": why, "given_up": given_up}, by=by, at=at)
    return held


def bury(endpoint: WebhookEndpoint, now: datetime) -> int:
    """What waits for an endpoint that isn't used is dead; how many."""
    return WebhookDelivery.objects.filter(endpoint=endpoint, state=State.WAITING).update(
        state=State.DEAD,
        closed_at=now,
        lease_until=None,
        due_at=None,
        last_error=f"endpoint stopped: {endpoint.stopped}",
    )


def enable(
    *, endpoint: WebhookEndpoint, by: Actor, at: datetime, resolve: Resolver | None = None
) -> WebhookEndpoint:  # fmt: skip
    """Uses a stopped endpoint again, for what happens from now on. Refuses as `create` does."""
    checked(endpoint.url, company=endpoint.company, resolve=resolve)
    with transaction.atomic():
        held = _held(endpoint)
        if held.is_active:
            return held
        _check_room(held.company)
        held.is_active, held.stopped, held.stopped_at = True, "", None
        held.failures, held.failing_since, held.paused_until = 0, None, None
        held.save(update_fields=["is_active", "stopped", "stopped_at", "failures", "failing_since", "paused_until"])
        _tell(held, "enable", "enabled", {}, by=by, at=at)
    return held


@transaction.atomic
def test(*, endpoint: WebhookEndpoint, by: Actor, at: datetime) -> WebhookDelivery:
    """Sends a test event to this endpoint alone, whatever it wants to hear of. Refuses `webhook.not_active`."""
    held = _held(endpoint)
    if not held.is_active:
        raise Refused("webhook.not_active")
    event = _tell(held, "test", "tested", {}, by=by, at=at)
    return WebhookDelivery.objects.select_related("event", "endpoint").get(endpoint=held, event=event)


def signing_secrets(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    """The secrets that sign at `now`, the newest first."""
    found = [endpoint.secret]
    if endpoint.previous_secret and endpoint.previous_until is not None and now < endpoint.previous_until:
        found.append(endpoint.previous_secret)
    return found


def _held(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).select_related("company")
    return rows.get(pk=endpoint.pk)


def _text(description: str) -> str:
    if len(description) > 200:
        raise Refused("text.too_long", field="description", length=len(description), limit=200)
    return description.strip()


def _tell(
    endpoint: WebhookEndpoint, verb: str, past: str, facts: Mapping[str, Any], *, by: Actor, at: datetime
) -> Event:
    common: dict[str, Any] = {
        "company_id": endpoint.company_id, "at": at, "subject_kind": "webhook_endpoint", "subject_id": endpoint.pk,
    }  # fmt: skip
    trail.audit(by=by, verb=f"webhook_endpoint.{verb}", facts=facts, **common)
    shown = {name: value for name, value in facts.items() if name != "types"}
    data = {"id": endpoint.ref, "is_active": endpoint.is_active, **shown}
    return trail.emit(type=f"webhook_endpoint.{past}", data=data, **common)
