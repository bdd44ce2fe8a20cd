"""Effects on the outside: written with their cause, carried out by the relay.

A handler must be safe to run twice: the lease can end while it works. A row that is done is dropped after
`TURNUS_WORK_LOG_DAYS`, and with it what was known of its key: where one is put, it is said why it never comes again, or
why it may. What is dead or was given up by a person stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Min, Q

from core import clock
from core.fault_points import point
from core.models import Outbox
from core.services import sweeping

Handler = Callable[[Outbox], None]
_handlers: dict[str, Handler] = {}
LEASE = timedelta(minutes=2)
#: Waiting times between tries; after the last the row is dead and waits for a person.
BACK_OFF = tuple(timedelta(seconds=s) for s in (10, 60, 300, 1800, 7200, 21600, 43200, 86400))


class PermanentFailure(Exception):
    """Trying again can't help; the row dies at once."""


def handler(kind: str) -> Callable[[Handler], Handler]:
    """Registers the function that carries out rows of `kind`."""

    def register(function: Handler) -> Handler:
        if kind in _handlers and _handlers[kind] is not function:
            raise LookupError(f"outbox kind {kind!r} has two handlers")
        _handlers[kind] = function
        return function

    return register


def kinds() -> list[str]:
    """The kinds of effects there are."""
    return sorted(_handlers)


def put(*, company_id: int, kind: str, key: str, payload: Mapping[str, Any], due_at: datetime | None = None) -> None:
    """Writes an effect. A second one with the same kind and key is quietly the same, as long as the first is known."""
    if kind not in _handlers:
        raise LookupError(f"outbox kind {kind!r} has no handler")
    Outbox.objects.bulk_create(
        [
            Outbox(
                company_id=company_id, kind=kind, key=key, payload=dict(payload), due_at=due_at or clock.machine_now()
            )
        ],
        ignore_conflicts=True,
    )


@dataclass(slots=True)
class Relayed:
    done: int = 0
    failed: int = 0
    dead: int = 0

    @property
    def total(self) -> int:
        return self.done + self.failed + self.dead


def claim(
    *,
    worker: str,
    limit: int,
    company_id: int | None = None,
    kinds: Collection[str] = (),
    without: Collection[str] = (),
) -> list[Outbox]:
    """Leases up to `limit` due rows to `worker`; rows leased to others are passed over.

    `kinds`: of these alone; `without`: of all but these. Rows of a kind that this process has no handler for stay.
    """
    at = clock.machine_now()
    with transaction.atomic():
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=at)
        rows = Outbox.objects.select_for_update(skip_locked=True).filter(
            free, state=Outbox.State.WAITING, due_at__lte=at
        )
        if company_id is not None:
            rows = rows.filter(company_id=company_id)
        rows = rows.filter(kind__in=kinds or list(_handlers))
        if without:
            rows = rows.exclude(kind__in=without)
        claimed = list(rows.order_by("due_at", "id")[:limit])
        Outbox.objects.filter(pk__in=[row.pk for row in claimed]).update(lease_until=at + LEASE, lease_by=worker)
        point("outbox.claiming")
    return claimed


def is_last_try(row: Outbox) -> bool:
    """Whether the row is dead if this try fails, too."""
    return row.attempts >= len(BACK_OFF)


def relay(
    *,
    worker: str,
    limit: int = 50,
    company_id: int | None = None,
    kinds: Collection[str] = (),
    without: Collection[str] = (),
    stopping: Callable[[], bool] = lambda: False,
) -> Relayed:
    """Carries out up to `limit` due rows, each on its own: a failing one stops nobody.

    Asked to stop, it ends after the row at hand and gives the others back at once.
    """
    outcome = Relayed()
    claimed = claim(worker=worker, limit=limit, company_id=company_id, kinds=kinds, without=without)
    point("outbox.claimed")
    for position, row in enumerate(claimed):
        if stopping():
            _give_back(claimed[position:], worker)
            break
        if not _still_ours(row, worker):
            continue
        try:
            _handlers[row.kind](row)
            point("outbox.effected")
        except Exception as error:  # noqa: BLE001  a poisoned row must not stop the others
            _note_failure(row, error, outcome)
        else:
            Outbox.objects.filter(pk=row.pk).exclude(state=Outbox.State.DONE).update(
                state=Outbox.State.DONE,
                done_at=clock.machine_now(),
                lease_until=None,
                attempts=row.attempts + 1,
                last_error="",
            )
            outcome.done += 1
        finally:
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
    return outcome


def _still_ours(row: Outbox, worker: str) -> bool:
    """Renews the lease before the row is begun; no, if the batch took so long that another relay has it by now."""
    mine = Outbox.objects.filter(pk=row.pk, state=Outbox.State.WAITING, lease_by=worker, attempts=row.attempts)
    return mine.update(lease_until=clock.machine_now() + LEASE) == 1


def _give_back(rows: list[Outbox], worker: str) -> None:
    ids = [row.pk for row in rows]
    Outbox.objects.filter(pk__in=ids, state=Outbox.State.WAITING, lease_by=worker).update(lease_until=None)


def _note_failure(row: Outbox, error: Exception, outcome: Relayed) -> None:
    tries = row.attempts + 1
    words = f"{type(error).__name__}: {error}"[:2000]
    # Done or canceled meanwhile is not undone by a failure.
    ours = Outbox.objects.filter(pk=row.pk, state=Outbox.State.WAITING)
    if isinstance(error, PermanentFailure) or tries > len(BACK_OFF):
        ours.update(state=Outbox.State.DEAD, attempts=tries, lease_until=None, last_error=words)
        outcome.dead += 1
    else:
        due_at = clock.machine_now() + BACK_OFF[tries - 1]
        ours.update(attempts=tries, lease_until=None, due_at=due_at, last_error=words)
        outcome.failed += 1


def replay(*, company_id: int, ids: Collection[int] | None = None, kind: str = "") -> int:
    """Gives dead and canceled rows a new life, those named or all dead ones (of a kind); how many there were."""
    rows = Outbox.objects.filter(company_id=company_id)
    if ids is not None:
        rows = rows.filter(pk__in=ids, state__in=(Outbox.State.DEAD, Outbox.State.CANCELED))
    else:
        rows = rows.filter(state=Outbox.State.DEAD)
    if kind:
        rows = rows.filter(kind=kind)
    return rows.update(
        state=Outbox.State.WAITING, attempts=0, due_at=clock.machine_now(), lease_until=None, last_error=""
    )


def hurry(*, company_id: int, ids: Collection[int]) -> int:
    """Rows that wait for their next try are tried at once; how many there were."""
    rows = Outbox.objects.filter(company_id=company_id, pk__in=ids, state=Outbox.State.WAITING)
    return rows.update(due_at=clock.machine_now())


def cancel(*, company_id: int, ids: Collection[int]) -> int:
    """Gives rows up that wait or are dead, unless a relay is working on them; how many there were."""
    at = clock.machine_now()
    rows = Outbox.objects.filter(company_id=company_id, pk__in=ids).filter(
        Q(state=Outbox.State.DEAD)
        | Q(state=Outbox.State.WAITING) & (Q(lease_until__isnull=True) | Q(lease_until__lte=at))
    )
    return rows.update(state=Outbox.State.CANCELED, lease_until=None)


@dataclass(frozen=True, slots=True)
class KindHealth:
    """Of one kind: rows that wait, that are dead, and how long the oldest due one has been waiting, in seconds."""

    kind: str
    waiting: int = 0
    dead: int = 0
    late_seconds: int = 0


def health(*, company_id: int | None = None) -> list[KindHealth]:
    """How every kind with waiting or dead rows stands, of a company or of all. Reads no rows that are done."""
    at = clock.machine_now()
    rows = Outbox.objects.all() if company_id is None else Outbox.objects.filter(company_id=company_id)
    found: dict[str, dict[str, int]] = {}
    waiting = rows.filter(state=Outbox.State.WAITING).values("kind").order_by("kind")
    for kind, count, oldest in waiting.annotate(count=Count("pk"), oldest=Min("due_at")).values_list(
        "kind", "count", "oldest"
    ):
        found[kind] = {"waiting": count, "late_seconds": max(0, int((at - oldest).total_seconds()))}
    dead = rows.filter(state=Outbox.State.DEAD).values("kind").order_by("kind").annotate(count=Count("pk"))
    for kind, count in dead.values_list("kind", "count"):
        found.setdefault(kind, {})["dead"] = count
    return [KindHealth(kind, **found[kind]) for kind in sorted(found)]


sweeping.log(
    "effects",
    kept=sweeping.days_of("WORK_LOG_DAYS"),
    portion=sweeping.rows(Outbox, at="done_at", over=Q(state=Outbox.State.DONE)),
)
