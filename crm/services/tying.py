"""Keeping ties up: hears what was changed over there, then sends what changed here, in portions that can be resumed.

The rule that matters: first listen, then send; a portion is noted and the place in the round moved only after the other
system took it. Consent is taken back by what is heard, never given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core import clock
from core.actors import Actor
from core.models import Company, Job, User
from core.refusal import Refused
from core.services import jobs, sweeping, ticks, trail
from core.services.jobs import Progress
from crm.models import Tie, TieRecord, TieRun
from crm.services import tie_accounts, tie_forgetting, tie_hearing, tie_rows
from crm.services.tie_rows import Portion
from crm.ties import base
from crm.ties.base import Connection, Outgoing, Pushed

log = structlog.get_logger(__name__)
EVERY: Final = timedelta(minutes=10)
#: Customers one run looks at.
MOST: Final = 20_000
KIND: Final = "run_tie"
#: What a run counts.
FIGURES: Final = ("sent", "taken", "leads", "unsubscribed", "conflicts", "failed")
State = TieRecord.State
_STATE_OF: Final = {"on": State.SENT, "off": State.OFF, "out": State.OUT, "kept": State.KEPT}


@ticks.tick(
    "crm.ties", order=86, every=EVERY, about_now=True, title=_("Ties"),
    text=_("Keeps other systems up with customers and their consent, and hears who unsubscribed there."),
)  # fmt: skip
def ties_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Keeps up the ties that are on; one question where there is none."""
    total: Counter[str] = Counter()
    for tie in Tie.objects.filter(company=company, is_on=True).order_by("pk"):
        total.update(run(tie=tie, at=at))
    return {name: total[name] for name in FIGURES}


def run(*, tie: Tie, at: datetime, most: int = MOST) -> Counter[str]:
    """One turn of a tie; what it did, by `FIGURES`. Outside transactions.

    Nothing happens while another is at it or the other system asked to wait. What fails is noted at the tie.
    """
    counts: Counter[str] = Counter()
    held = tie_accounts.claim(tie.pk)
    if held is None:
        return counts
    error, paused, began = "", None, clock.machine_now()
    try:
        _turn(held, counts, at=at, most=most)
    except base.Throttled as failed:
        paused = clock.machine_now() + timedelta(seconds=failed.seconds)
    except base.TieFailed as failed:
        error = str(tie_accounts.refusal_of(held, failed).message)
    except Refused as refused:
        error = refused.message
    except Exception:
        # What came from there is of any shape; the other ties go on, and this one says that it doesn't.
        log.exception("tie_broke", tie=held.ref)
        error = gettext("Something nobody foresaw went wrong; the log of this installation says what.")
    finally:
        now = clock.machine_now()
        Tie.objects.filter(pk=held.pk).update(lease_until=None, ran_at=now, paused_until=paused, last_error=error[:500])
        _log(held, counts, error=error, began=began, ended=now)
    if error:
        counts["failed"] += 1
        log.warning("tie_failed", tie=held.ref, error=error[:300])
    return counts


def _log(tie: Tie, counts: Counter[str], *, error: str, began: datetime, ended: datetime) -> None:
    """Keeps a run in which something happened; one that fails like the last goes on with its row."""
    figures = {name: counts[name] for name in FIGURES}
    if not error and not any(figures.values()):
        return
    last = TieRun.objects.filter(tie=tie).order_by("-pk").first() if error and not any(figures.values()) else None
    if last is not None and last.error == error[:500]:
        TieRun.objects.filter(pk=last.pk).update(ended_at=ended)
        return
    TieRun.objects.create(
        company_id=tie.company_id, tie=tie, began_at=began, ended_at=ended, error=error[:500], **figures
    )


def _turn(tie: Tie, counts: Counter[str], *, at: datetime, most: int) -> None:
    connection = tie_accounts.connect(tie)
    if tie.waits_for and not _settled(tie, connection):
        return
    if connection.hears:
        tie_hearing.hear(tie, connection, counts, at=at)
    is_prepared, looked = False, 0
    while looked < most:
        found = tie_rows.portion(tie, after=tie.done_through_id, at=at)
        looked += tie_rows.LOOKED
        if found.rows and not is_prepared:
            connection.prepare()
            is_prepared = True
        for begin in range(0, len(found.rows), connection.portion):
            _push(tie, connection, found, found.rows[begin : begin + connection.portion], counts)
            if tie.waits_for:
                return  # the rest of these customers comes when this is confirmed
        for record, customer in found.moved.items():
            TieRecord.objects.filter(pk=record).update(customer_id=customer)
        TieRecord.objects.filter(pk__in=found.forgotten).delete()
        for customer in found.erased:
            tie_forgetting.put(tie, customer)
        tie_accounts.go_on(tie, done_through_id=found.last_id)
        if not found.last_id:
            return


def _settled(tie: Tie, connection: Connection) -> bool:
    """Whether what the other system worked on is done, or has to be sent again; False: it still works."""
    done = connection.finished(tie.waits_for)
    if done is False:
        return False
    rows = TieRecord.objects.filter(tie=tie, state=State.SENDING)
    with transaction.atomic():
        if done:
            rows.update(state=State.SENT)
        else:
            rows.update(digest="")
        tie.waits_for = ""
        Tie.objects.filter(pk=tie.pk).update(waits_for="")
    return True


# Sending


def _push(
    tie: Tie, connection: Connection, found: Portion, rows: Sequence[Outgoing], counts: Counter[str]
) -> None:  # fmt: skip
    """Sends a portion, then notes it. A crash between sends it again, which changes nothing over there."""
    if len(connection.takes) > 1:
        connection.ids = _ids(tie, rows)
    pushed = connection.push(rows)
    _note(tie, connection, found, rows, pushed)
    counts["sent"] += sum(not one.error for one in pushed.rows)
    counts["failed"] += sum(bool(one.error) for one in pushed.rows)


def _ids(tie: Tie, rows: Sequence[Outgoing]) -> dict[tuple[str, str], str]:
    """The ids over there of the companies and people these rows belong to, as far as they are known."""
    keys = {key for row in rows for key in (row.company_key, row.person_key) if key}
    known = TieRecord.objects.filter(tie=tie, kind__in=["company", "person"], key__in=keys).exclude(external_id="")
    return {(kind, key): external for kind, key, external in known.values_list("kind", "key", "external_id")}


def _note(tie: Tie, connection: Connection, found: Portion, rows: Sequence[Outgoing], pushed: Pushed) -> None:
    by_key, waits_for = {(one.kind, one.key): one for one in pushed.rows}, pushed.waits_for
    now = clock.machine_now()
    records, gone = [], []
    for row in rows:
        answer = by_key[row.kind, row.key]
        if row.key in found.gone and row.kind == "person" and not answer.error:
            gone.append(row.key)
            continue
        is_on_its_way = bool(waits_for) and row.wanted == "on"
        state = State.FAILED if answer.error else State.SENDING if is_on_its_way else _STATE_OF[row.wanted]
        records.append(
            TieRecord(
                company_id=tie.company_id, tie=tie, kind=row.kind, key=row.key, customer_id=row.customer_id,
                external_id=(answer.external_id or row.external_id)[:120], state=state, error=answer.error[:300],
                digest=found.digests.get((row.kind, row.key), ""), synced_at=now, values=connection.kept(row),
            )
        )  # fmt: skip
    with transaction.atomic():
        TieRecord.objects.bulk_create(
            records, update_conflicts=True, unique_fields=["tie", "kind", "key"],
            update_fields=["customer", "external_id", "state", "error", "digest", "synced_at", "values"],
        )  # fmt: skip
        TieRecord.objects.filter(tie=tie, kind="person", key__in=gone).delete()
        # What that system says of them from here on is ours, up to this instant.
        off = [row.key for row in records if row.state == State.OFF]
        TieRecord.objects.filter(tie=tie, kind="person", key__in=off).update(heard=base.utc(now.isoformat()))
        tie_accounts.go_on(tie, waits_for=waits_for)


# Asked by people


def preview(*, tie: Tie, at: datetime, most: int = MOST) -> Counter[str]:
    """What the next run would send: how many rows by kind and what is wanted of each, `unchanged`, and `more`.

    The same list the run sends, read to its end or to `most` customers (then `more` is 1).
    """
    counts: Counter[str] = Counter()
    after, looked = tie.done_through_id, 0
    while True:
        found = tie_rows.portion(tie, after=after, at=at)
        counts.update(f"{row.kind}.{row.wanted}" for row in found.rows)
        counts["rows"] += len(found.rows)
        counts["unchanged"] += found.unchanged
        looked += tie_rows.LOOKED
        after = found.last_id
        if not after:
            return counts
        if looked >= most:
            counts["more"] = 1
            return counts


def run_now(*, tie: Tie, user: User | None, by: Actor, at: datetime) -> Job:
    """Runs a tie now, as a job with a page; while one waits or runs, that one is the answer. Refuses `tie.archived`."""
    with transaction.atomic():
        held = Tie.objects.select_for_update(no_key=True).get(pk=tie.pk)
        if held.archived_at is not None:
            raise Refused("tie.archived")
        under_way = Job.objects.filter(
            company_id=held.company_id, kind=KIND, params__tie=held.ref,
            state__in=[Job.State.WAITING, Job.State.RUNNING],
        ).first()  # fmt: skip
        if under_way is not None:
            return under_way
        job = jobs.start(company_id=held.company_id, name=KIND, params={"tie": held.ref}, user=user)
        trail.audit(
            company_id=held.company_id, at=at, by=by, verb="tie.run", subject_kind="tie", subject_id=held.pk,
            facts={"name": held.name},
        )  # fmt: skip
    return job


@jobs.kind(KIND)
def work(job: Job, progress: Progress) -> dict[str, Any]:
    """Params: `tie`, its id."""
    tie = Tie.by_ref(Tie.objects.select_related("company").filter(company_id=job.company_id), job.params["tie"])
    progress.set(total=1)
    counts = run(tie=tie, at=clock.now(tie.company))
    progress.set(done=1)
    tie.refresh_from_db()
    progress.say(tie.last_error or ", ".join(f"{name}: {count}" for name, count in counts.items() if count) or "-")
    return {name: count for name, count in counts.items() if count}


# A run that fails like the last goes on with its row: that one is as young as its end.
sweeping.log("tie_runs", kept=sweeping.days_of("WORK_LOG_DAYS"), portion=sweeping.rows(TieRun, at="ended_at"))
