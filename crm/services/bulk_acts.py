"""Acts on everybody in a segment: prepared and checked, begun, stopped; and the work on their rows.

The rule that matters: who is meant is fixed when the act is prepared. Each row is a transaction of its own, done under
its lock and once; a row that is refused or fails stops no other, and work that was cut off goes on with the next row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.utils.translation import override

from billing.services import previews
from core import clock
from core.actors import Actor
from core.fault_points import point
from core.models import Job, User
from core.refusal import Refused
from core.services import jobs, trail
from core.services.jobs import Progress
from crm.models import BulkAct, BulkRow, Segment
from crm.services import bulk_kinds, segments
from crm.services.bulk_kinds import How, Kind
from subscriptions.services import moves

log = structlog.get_logger(__name__)
CHECK, DO = "check_bulk_act", "do_bulk_act"
#: Rows of one act.
MOST: Final = 100_000
#: Rows that are read together, and after which it is asked whether the act was stopped.
PORTION: Final = 100
State, RowState = BulkAct.State, BulkRow.State


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since it was fixed who is meant: how many left the segment, how many came to it."""

    left: int
    came: int


def prepare(
    *, segment: Segment, kind: str, params: Mapping[str, Any], language: str, user: User | None, on: date, by: Actor,
    at: datetime,
) -> BulkAct:  # fmt: skip
    """Fixes who is meant and has the act looked at with each of them, as a job; nothing is done yet.

    Refuses `segment.archived`, `bulk_act.nobody`, `bulk_act.too_many`, and what the act needs (`bulk_kinds`).
    """
    if segment.archived_at is not None:
        raise Refused("segment.archived", field="segment")
    company, found = segment.company, bulk_kinds.named(kind)
    with transaction.atomic():
        act = BulkAct.objects.create(
            company=company, segment=segment, kind=kind, params=found.keep(company, params), on=on, language=language,
            actor=[by.kind, by.id, by.label, by.user_id], created_at=at,
        )  # fmt: skip
        count = _fix(act, found)
        if not count:
            raise Refused("bulk_act.nobody")
        if count > MOST:
            raise Refused("bulk_act.too_many", most=MOST)
        _work_on(act, CHECK, user)
        _tell(act, "prepare", "prepared", by=by, at=at, facts={"rows": count})
    return act


def start(*, act: BulkAct, user: User | None, by: Actor, at: datetime) -> BulkAct:
    """Does it with every row that was not refused, as a job. Repeated: nothing happens, but where the job failed,
    another goes on with the rows that are left.

    Refuses `bulk_act.state` before it is checked and after it was stopped, and `bulk_act.nothing_to_do`.
    """
    with transaction.atomic():
        held = _held(act)
        if held.state in BulkAct.LIVE and has_failed(held):
            _work_on(held, CHECK if held.state == State.CHECKING else DO, user)
            return held
        if held.state in (State.RUNNING, State.DONE):
            return held
        if held.state != State.CHECKED:
            raise Refused("bulk_act.state", state=held.get_state_display())
        ready = held.rows.filter(state=RowState.READY).count()
        if not ready:
            raise Refused("bulk_act.nothing_to_do")
        held.state, held.started_at, held.actor = State.RUNNING, at, [by.kind, by.id, by.label, by.user_id]
        _work_on(held, DO, user)
        held.save(update_fields=["state", "started_at", "actor"])
        _tell(held, "start", "started", by=by, at=at, facts={"rows": ready})
    return held


def stop(*, act: BulkAct, by: Actor, at: datetime) -> BulkAct:
    """Leaves the rows that are not done as they are; what is done stays done. Repeated: nothing happens.

    Refuses `bulk_act.state` when all is done.
    """
    with transaction.atomic():
        held = _held(act)
        if held.state == State.STOPPED:
            return held
        if held.state == State.DONE:
            raise Refused("bulk_act.state", state=held.get_state_display())
        held.state, held.ended_at = State.STOPPED, at
        held.save(update_fields=["state", "ended_at"])
        _tell(held, "stop", "stopped", by=by, at=at, facts=counts(held))
    return held


def job_of(act: BulkAct) -> Job | None:
    """The job that works on it, or did last."""
    if not act.job_ref:
        return None
    return Job.objects.filter(company_id=act.company_id, public_id=Job.public_id_of(act.job_ref)).first()


def has_failed(act: BulkAct) -> bool:
    """Whether the work on it ended before its last row."""
    job = job_of(act)
    return job is not None and job.state == Job.State.FAILED


def counts(act: BulkAct) -> dict[str, int]:
    """How many rows are in each state."""
    found = dict(act.rows.order_by().values_list("state").annotate(Count("pk")))
    return {str(state): found.get(state, 0) for state in RowState.values}


def reasons(act: BulkAct) -> list[tuple[str, int]]:
    """Why rows are refused or failed, in words, the most frequent first."""
    rows = act.rows.filter(state__in=[RowState.REFUSED, RowState.FAILED]).order_by()
    return list(rows.values_list("why").annotate(count=Count("pk")).order_by("-count", "why"))


def money(act: BulkAct) -> list[dict[str, Any]]:
    """By currency, the company's own first, of the rows that are or will be done: what is billed at once, and monthly
    revenue before and after, as previewed, in minor units."""
    rows = act.rows.filter(state__in=[RowState.READY, RowState.DONE]).exclude(currency="").order_by()
    summed = rows.values("currency").annotate(
        money=Sum("money_minor"), before=Sum("mrr_before_minor"), after=Sum("mrr_after_minor")
    )
    return sorted((dict(row) for row in summed), key=lambda row: act.company.currency_rank(row["currency"]))


def since(act: BulkAct, *, on: date) -> Since:
    """How the segment changed since it was fixed who is meant; the act doesn't."""
    name = "subscription" if bulk_kinds.KINDS[act.kind].is_of_subscriptions else "customer"
    now = _meant(act, bulk_kinds.KINDS[act.kind], on).order_by().values("pk")
    fixed = act.rows.order_by().values(f"{name}_id")
    left = act.rows.exclude(**{f"{name}_id__in": now}).count()
    return Since(left, now.exclude(pk__in=fixed).count())


# The work


@jobs.kind(CHECK)
def check(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `bulk_act`. Looks at the act with each row that wasn't looked at yet."""
    act, kind, given = _read(job)

    def look(row: BulkRow) -> None:
        how = How(_actor(act), clock.now(act.company))
        _tried(row, lambda: _look(row, kind, given, how))
        if row.state == RowState.WAITING:
            row.state = RowState.READY
        row.save()

    if _each(act, RowState.WAITING, State.CHECKING, look, progress):
        BulkAct.objects.filter(pk=act.pk, state=State.CHECKING).update(state=State.CHECKED)
    return counts(act)


@jobs.kind(DO)
def do(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `bulk_act`. Does it with each row that is still to be done."""
    act, kind, given = _read(job)

    def one(row: BulkRow) -> None:
        at = clock.now(act.company)
        how = How(_actor(act), at, row.token or None)
        _tried(row, lambda: kind.act(row.subscription or row.customer, given, how))
        point("bulk_act.row_done")
        if row.state == RowState.READY:
            row.state = RowState.DONE
        row.tried_at = at
        row.save(update_fields=["state", "code", "why", "tried_at"])

    if _each(act, RowState.READY, State.RUNNING, one, progress):
        with transaction.atomic():
            held, at = _held(act), clock.now(act.company)
            if held.state == State.RUNNING:
                held.state, held.ended_at = State.DONE, at
                held.save(update_fields=["state", "ended_at"])
                _tell(held, "end", "ended", by=_actor(held), at=at, facts=counts(held))
    return counts(act)


def _each(act: BulkAct, rows: str, live: str, work: Callable[[BulkRow], None], progress: Progress) -> bool:
    """Works on every row in that state, each in a transaction and under its lock, as long as the act is live; whether
    it came to the end. What another worker is at is left to it."""
    total = act.rows.count()
    with override(act.language):
        for ids in _portions(act, rows):
            if not BulkAct.objects.filter(pk=act.pk, state=live).exists():
                return False
            for row_id in ids:
                with transaction.atomic():
                    held = act.rows.select_for_update(skip_locked=True, of=("self",)).filter(pk=row_id, state=rows)
                    row = held.select_related("customer__company", "subscription").first()
                    if row is not None:
                        work(row)
            _say(act, rows, total, progress)
    _say(act, rows, total, progress)
    return not act.rows.filter(state=rows).exists()


def _portions(act: BulkAct, state: str) -> Iterator[list[int]]:
    last = 0
    while ids := list(act.rows.filter(state=state, pk__gt=last).order_by("pk").values_list("pk", flat=True)[:PORTION]):
        yield ids
        last = ids[-1]


def _say(act: BulkAct, rows: str, total: int, progress: Progress) -> None:
    found = counts(act)
    progress.set(total=total, done=total - found[rows], skipped=found[RowState.REFUSED], failed=found[RowState.FAILED])


def _tried(row: BulkRow, act: Callable[[], Any]) -> None:
    """Calls it; what it refuses and how it fails stands in the row, and nothing of it in the database."""
    try:
        with transaction.atomic():
            act()
    except Refused as refused:
        row.state, row.code, row.why = RowState.REFUSED, refused.code, refused.message[:500]
    except Exception as error:
        log.exception("bulk_act.row_failed", row=row.pk)
        row.state, row.code, row.why = RowState.FAILED, "failed", f"{type(error).__name__}: {error}"[:500]


def _look(row: BulkRow, kind: Kind, given: dict[str, Any], how: How) -> None:
    """What the act would do, with nothing written."""
    if row.subscription is None:
        kind.act(row.customer, given, how)
        transaction.set_rollback(True)
        return
    subscription = row.subscription
    seen = previews.preview(lambda: kind.act(subscription, given, how))
    row.token, row.currency, row.money_minor = seen.token, seen.currency, seen.money_now
    row.mrr_before_minor, row.mrr_after_minor = seen.mrr_before, seen.mrr_after


def _fix(act: BulkAct, kind: Kind) -> int:
    """Writes a row for each that is meant; how many, up to one more than is possible."""
    meant, common = _meant(act, kind, act.on).order_by("pk"), {"company_id": act.company_id, "bulk_act": act}
    names = ("customer_id", "pk") if kind.is_of_subscriptions else ("pk",)
    found = list(meant.values_list(*names)[: MOST + 1])
    if len(found) <= MOST:
        fields = ("customer_id", "subscription_id")
        BulkRow.objects.bulk_create(
            [BulkRow(**common, **dict(zip(fields, ids, strict=False))) for ids in found], batch_size=5000
        )
    return len(found)


def _meant(act: BulkAct, kind: Kind, on: date) -> QuerySet[Any]:
    if not kind.is_of_subscriptions:
        return segments.members(segment=act.segment, on=on)
    return segments.subscriptions(segment=act.segment, on=on).exclude(state__in=moves.ENDED)


def _work_on(act: BulkAct, name: str, user: User | None) -> None:
    job = jobs.start(company_id=act.company_id, name=name, params={"bulk_act": act.ref}, user=user)
    act.job_ref = job.ref
    act.save(update_fields=["job_ref"])


def _read(job: Job) -> tuple[BulkAct, Kind, dict[str, Any]]:
    rows = BulkAct.objects.select_related("company", "segment__company").filter(company_id=job.company_id)
    act = BulkAct.by_ref(rows, job.params["bulk_act"])
    kind = bulk_kinds.KINDS[act.kind]
    return act, kind, kind.read(act.company, act.params)


def _held(act: BulkAct) -> BulkAct:
    return BulkAct.objects.select_for_update(of=("self",)).select_related("company", "segment").get(pk=act.pk)


def _actor(act: BulkAct) -> Actor:
    return Actor(*act.actor)


def _tell(act: BulkAct, verb: str, past: str, *, by: Actor, at: datetime, facts: Mapping[str, Any]) -> None:
    common: dict[str, Any] = {
        "company_id": act.company_id, "at": at, "subject_kind": "bulk_act", "subject_id": act.pk,
    }  # fmt: skip
    trail.audit(by=by, verb=f"bulk_act.{verb}", facts={"kind": act.kind, **facts}, **common)
    data = {"id": act.ref, "kind": act.kind, "segment": act.segment.ref, **facts}
    trail.emit(type=f"bulk_act.{past}", data=data, **common)
