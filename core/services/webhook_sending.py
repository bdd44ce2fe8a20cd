"""Delivering events: claimed by a relay, sent beside each other, written down with what came back.

The rules that matter: a delivery waits, is delivered or is visibly dead; of one endpoint only so many are under way
at once, fewer while it fails, so that a slow or dead one holds up no other; no transaction is open while one is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F

from core import clock
from core.actors import Actor
from core.fault_points import point
from core.models import Company, WebhookDelivery, WebhookEndpoint, WebhookTry
from core.sealing import CannotOpen
from core.services import webhook_endpoints
from core.services.webhook_requests import Outcome, body_of, send

log = structlog.get_logger(__name__)
State = WebhookDelivery.State
SYSTEM = Actor.system("Webhooks")
#: Waiting times between tries: 72 hours in all. After the last one the delivery is dead and waits for a person.
BACK_OFF = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 64_800, 80_695))
#: An endpoint that answered nothing well for so long is stopped.
PATIENCE = timedelta(hours=72)
#: Longer than a try can take with looking the name up.
LEASE = timedelta(seconds=90)
THREADS, PER_ENDPOINT = 16, 4
#: Nothing is sent that can't be signed.
UNSIGNED = "the secret can't be opened: TURNUS_KEY_RING lacks its key; put the key back, or make a new secret"
#: After so many failures in a row an endpoint is tried one at a time, with pauses in between.
PATIENT_TRIES, LONGEST_PAUSE = 3, timedelta(minutes=5)

_DUE = """
    {row}.endpoint_id = endpoint.id AND {row}.state = 'waiting' AND COALESCE({row}.due_at, '-infinity') <= %(now)s
    AND ({row}.lease_until IS NULL OR {row}.lease_until <= %(now)s)
"""
# Weaker locks than for a delete: events are written meanwhile, whose deliveries name the endpoint. One that another
# relay is claiming for is passed over: that relay counts what is under way by itself.
_CLAIM = f"""
    WITH open AS (
        SELECT endpoint.id, CASE WHEN endpoint.failures >= %(patient)s THEN 1 ELSE %(each)s END - (
            SELECT count(*) FROM core_webhookdelivery flying
            WHERE flying.endpoint_id = endpoint.id AND flying.state = 'waiting'
              AND flying.lease_until IS NOT NULL AND flying.lease_until > %(now)s
        ) AS room
        FROM core_webhookendpoint endpoint
        WHERE endpoint.is_active AND (endpoint.paused_until IS NULL OR endpoint.paused_until <= %(now)s)
          AND (%(company)s::bigint IS NULL OR endpoint.company_id = %(company)s::bigint)
          AND EXISTS (SELECT FROM core_webhookdelivery due WHERE {_DUE.format(row="due")})
        ORDER BY random() FOR NO KEY UPDATE SKIP LOCKED
    ), chosen AS (
        SELECT delivery.id FROM open endpoint CROSS JOIN LATERAL (
            SELECT next.id FROM core_webhookdelivery next WHERE {_DUE.format(row="next")}
            ORDER BY COALESCE(next.due_at, '-infinity'), next.id LIMIT GREATEST(endpoint.room, 0)
            FOR NO KEY UPDATE SKIP LOCKED
        ) delivery LIMIT %(limit)s
    )
    UPDATE core_webhookdelivery SET lease_until = %(until)s, lease_by = %(worker)s
    FROM chosen WHERE core_webhookdelivery.id = chosen.id RETURNING core_webhookdelivery.id
"""  # noqa: S608  nothing of a stranger's stands in it


@dataclass(slots=True)
class Sent:
    delivered: int = 0
    failed: int = 0
    dead: int = 0

    @property
    def total(self) -> int:
        return self.delivered + self.failed + self.dead


def claim(*, worker: str, limit: int, company_id: int | None = None) -> list[WebhookDelivery]:
    """Leases up to `limit` due deliveries to `worker`, up to `PER_ENDPOINT` under way for each endpoint."""
    now = clock.machine_now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {"patient": PATIENT_TRIES, "each": PER_ENDPOINT, "now": now, "company": company_id, "limit": limit,
             "until": now + LEASE, "worker": worker},
        )  # fmt: skip
        ids = [pk for (pk,) in cursor.fetchall()]
    if not ids:
        return []
    point("webhook.claimed")
    rows = WebhookDelivery.objects.filter(pk__in=ids).select_related("event", "endpoint__company")
    return list(rows.order_by("pk"))


def deliver(delivery: WebhookDelivery, *, now: datetime) -> Outcome:
    """Sends a claimed delivery once. Touches no database: it may run in any thread."""
    endpoint = delivery.endpoint
    try:
        secrets = webhook_endpoints.signing_secrets(endpoint, now)
    except CannotOpen:
        return Outcome(None, error=UNSIGNED)
    return send(
        url=endpoint.url, company=endpoint.company, message_id=delivery.event.ref, body=body_of(delivery.event),
        secrets=secrets, at=now,
    )  # fmt: skip


def wait_after(delivery: WebhookDelivery, tries: int) -> timedelta:
    """How long to wait after so many tries, with up to a tenth of jitter that is the same on every machine."""
    base = BACK_OFF[tries - 1]
    digest = hashlib.sha256(f"{delivery.public_id}:{tries}".encode()).digest()
    return base + base / 10 * (int.from_bytes(digest[:4]) / 2**32)


def record(delivery: WebhookDelivery, outcome: Outcome, *, sent_at: datetime, worker: str) -> str:
    """Writes a try down and moves its delivery; the state it has then.

    A good answer counts even when the lease had ended; a failure does only while it is still ours.
    """
    now = clock.machine_now()
    with transaction.atomic():
        # The endpoint first, as the verbs lock; only where its counts may move.
        endpoint = delivery.endpoint
        if not outcome.is_good or endpoint.failures or endpoint.failing_since or endpoint.paused_until:
            rows = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).select_related("company")
            endpoint = rows.get(pk=delivery.endpoint_id)
        held = WebhookDelivery.objects.select_for_update(no_key=True).get(pk=delivery.pk)
        WebhookTry.objects.create(
            company_id=held.company_id, delivery=held, at=sent_at, url=delivery.endpoint.url, address=outcome.address,
            headers=outcome.headers, status=outcome.status, answer=outcome.answer, milliseconds=outcome.milliseconds,
            error=outcome.error,
        )  # fmt: skip
        if outcome.is_good:
            _delivered(held, outcome, now)
            if endpoint is not delivery.endpoint:
                _works(endpoint)
        elif held.state == State.WAITING and held.lease_by == worker:
            _failed(held, outcome, now)
            _fails(endpoint, outcome, sent_at, now)
            held.refresh_from_db(fields=["state"])
        point("webhook.recording")
    return held.state


def _delivered(held: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    held.state, held.closed_at, held.lease_until, held.due_at = State.DELIVERED, now, None, None
    held.tries, held.last_status, held.last_error = F("tries") + 1, outcome.status, ""
    held.save(update_fields=["state", "closed_at", "lease_until", "due_at", "tries", "last_status", "last_error"])


def _failed(held: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    held.tries += 1
    held.lease_until, held.last_status, held.last_error = None, outcome.status, outcome.error[:300]
    if held.tries > len(BACK_OFF):
        held.state, held.closed_at, held.due_at = State.DEAD, now, None
    else:
        asked = timedelta(seconds=outcome.retry_after or 0)
        held.due_at = now + max(wait_after(held, held.tries), asked)
    held.save(update_fields=["state", "closed_at", "lease_until", "due_at", "tries", "last_status", "last_error"])


def _works(endpoint: WebhookEndpoint) -> None:
    if endpoint.failures or endpoint.failing_since or endpoint.paused_until:
        endpoint.failures, endpoint.failing_since, endpoint.paused_until = 0, None, None
        endpoint.save(update_fields=["failures", "failing_since", "paused_until"])


def _fails(endpoint: WebhookEndpoint, outcome: Outcome, sent_at: datetime, now: datetime) -> None:
    """Counts the failure; pauses an endpoint that keeps failing, stops one that is gone or failed for too long."""
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or sent_at
    if endpoint.failures >= PATIENT_TRIES:
        pause = timedelta(seconds=2 ** min(endpoint.failures - PATIENT_TRIES, 10))
        endpoint.paused_until = now + min(pause, LONGEST_PAUSE)
    endpoint.save(update_fields=["failures", "failing_since", "paused_until"])
    company_now = clock.now(endpoint.company)
    if outcome.status == 410:
        webhook_endpoints.stop(endpoint, WebhookEndpoint.Stopped.GONE, by=SYSTEM, at=company_now)
    elif sent_at - endpoint.failing_since >= PATIENCE:
        webhook_endpoints.stop(endpoint, WebhookEndpoint.Stopped.FAILING, by=SYSTEM, at=company_now)


def sweep(*, company_id: int | None = None) -> int:
    """Gives up what was written for an endpoint while it was being stopped; how many."""
    rows = WebhookDelivery.objects.filter(state=State.WAITING, endpoint__is_active=False)
    if company_id is not None:
        rows = rows.filter(company_id=company_id)
    found = 0
    for pk in rows.order_by().values_list("endpoint", flat=True).distinct():
        found += webhook_endpoints.bury(WebhookEndpoint.objects.get(pk=pk), clock.machine_now())
    return found


class Sender:
    """Sends what is due with a few threads; the thread that runs it alone talks to the database."""

    def __init__(self, *, worker: str, threads: int = THREADS, company: Company | None = None) -> None:
        self.worker, self.threads = worker, threads
        self.company_id = company.pk if company is not None else None
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="webhook")
        self._flying: dict[Future[Outcome], tuple[WebhookDelivery, datetime]] = {}

    def step(self, *, seconds: float, takes_more: bool = True) -> Sent:
        """Claims what there is room for, waits up to so long for an answer and writes down what came."""
        room = self.threads - len(self._flying)
        if takes_more and room:
            for delivery in claim(worker=self.worker, limit=room, company_id=self.company_id):
                now = clock.machine_now()
                self._flying[self._pool.submit(deliver, delivery, now=now)] = (delivery, now)
        outcome = Sent()
        if not self._flying:
            return outcome
        done, _rest = wait(self._flying, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in done:
            delivery, sent_at = self._flying.pop(future)
            _count(outcome, self._note(delivery, _of(future), sent_at))
        return outcome

    def _note(self, delivery: WebhookDelivery, came: Outcome, sent_at: datetime) -> str:
        """Writes down what came; an answer that can't be kept is a failure like any other, and stops nobody."""
        try:
            point("webhook.sent")
            return record(delivery, came, sent_at=sent_at, worker=self.worker)
        except (OperationalError, InterfaceError):
            raise  # the database is away; the lease ends and another try follows
        except Exception as error:
            log.exception("webhook_not_noted", delivery=delivery.pk)
            told = Outcome(came.status if came.is_good else None, error=type(error).__name__)
            return record(delivery, told, sent_at=sent_at, worker=self.worker)

    @property
    def is_busy(self) -> bool:
        return bool(self._flying)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _of(future: Future[Outcome]) -> Outcome:
    """What came of a try; one that broke in our own code failed like any other, and says so."""
    error = future.exception()
    return future.result() if error is None else Outcome(None, error=type(error).__name__)


def _count(outcome: Sent, state: str) -> None:
    if state == State.DELIVERED:
        outcome.delivered += 1
    elif state == State.DEAD:
        outcome.dead += 1
    else:
        outcome.failed += 1


def send_due(
    *, worker: str, company: Company | None = None, threads: int = THREADS, stopping: Callable[[], bool] = lambda: False
) -> Sent:
    """Sends until nothing is due any more, or until told to stop; what is under way then is written down first."""
    total, sender = Sent(), Sender(worker=worker, threads=threads, company=company)
    step = partial(sender.step, seconds=0.5)
    try:
        while True:
            came = step(takes_more=not stopping())
            total.delivered += came.delivered
            total.failed += came.failed
            total.dead += came.dead
            if not sender.is_busy and not came.total:
                return total
    finally:
        sender.close()
