"""Direct debit files: made of what is due, given to the bank, credited; canceled only while the bank has them not.

The rule that matters: a debit stands in one file at most. A file is made from what was read, and written only when
that still holds with its customers locked; whoever makes files at the same time finds those debits taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Sum

from billing.gateways import sepa_files
from billing.gateways.base import Answer, Outcome
from billing.gateways.sepa_files import Party
from billing.models import Attempt, DebitBatch, Gateway, InvoiceBalance, Mandate, PaymentMethod
from billing.services import attempts, debit_notices, mandates, receivables
from billing.services.debit_entries import LARGEST, Entry, attempt_of, creditor_of, end_to_end_id, entries_of
from core import clock
from core.actors import Actor
from core.ids import new_id
from core.models import Company
from core.refusal import Refused
from core.services import files, trail
from customers.models import Customer
from pricing import banking_days

log = structlog.get_logger(__name__)
__all__ = ["attempt_of", "creditor_of", "end_to_end_id"]

State, Batch = Attempt.State, DebitBatch.State
SYSTEM = Actor.system("Direct debits")
MEDIA_TYPE: Final = "application/xml"
#: Banking days a file is made ahead of the last moment, so that somebody can still take it to the bank.
SPARE_DAYS: Final = 1
#: Debits of one file at most.
MOST: Final = 5_000
#: How often a file is made anew because something moved meanwhile, before the next tick has to.
TRIES: Final = 3
UNDER_WAY: Final = (State.SENT, State.PENDING, State.UNKNOWN)


def earliest_day(gateway: Gateway, on: date) -> date:
    """The first collection day a file made on that day can still reach."""
    return banking_days.on_or_after(banking_days.after(on, gateway.lead_days))


def make_batches(*, company: Company, gateway: Gateway, on: date, by: Actor, at: datetime) -> list[DebitBatch]:
    """Files for every debit whose day comes within the bank's lead: one per collection day, scheme and sequence.

    What was paid meanwhile is canceled and left out, what was paid in part collected with the rest, a day that can't be
    reached any more moved to the next. Repeated, or done by two at once: each debit stands in one file. Never inside a
    transaction. Refuses `gateway.account_missing`.
    """
    creditor = creditor_of(gateway)
    _make_fit(company, gateway, on, by=by, at=at)
    first, horizon = earliest_day(gateway, on), banking_days.after(on, gateway.lead_days + SPARE_DAYS)
    made: list[DebitBatch] = []
    for _ in range(TRIES):
        entries = entries_of(gateway, _waiting(company, gateway, horizon))
        groups: dict[tuple[date, str, str], list[Entry]] = {}
        for entry in entries:
            if entry.collect_on >= first:
                groups.setdefault(entry.group, []).append(entry)
        if not groups:
            break
        for _key, group in sorted(groups.items()):
            for start in range(0, len(group), MOST):
                batch = _write(company, gateway, creditor, group[start : start + MOST], by=by, at=at)
                if batch is not None:
                    made.append(batch)
    return made


def _waiting(company: Company, gateway: Gateway, horizon: date) -> list[int]:
    rows = Attempt.objects.filter(
        company=company, gateway=gateway, state=State.CREATED, collect_on__lte=horizon, batch__isnull=True
    )
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _make_fit(company: Company, gateway: Gateway, on: date, *, by: Actor, at: datetime) -> None:
    """Puts right, one by one, what can't stand in a file as it is."""
    first = earliest_day(gateway, on)
    ids = _waiting(company, gateway, banking_days.after(on, gateway.lead_days + SPARE_DAYS))
    fit = {entry.attempt_id for entry in entries_of(gateway, ids) if entry.collect_on >= first}
    for id_ in ids:
        if id_ not in fit:
            with transaction.atomic():
                _put_right(gateway, id_, first, by=by, at=at)


def _put_right(gateway: Gateway, attempt_id: int, first: date, *, by: Actor, at: datetime) -> None:
    attempt = Attempt.objects.select_related("invoice__company", "customer__company", "method").get(pk=attempt_id)
    receivables.lock_customer(gateway.company, attempt.customer_id)
    attempt.refresh_from_db(fields=["state", "batch_id", "collect_on"])
    if attempt.state != State.CREATED or attempt.batch_id is not None or attempt.collect_on is None:
        return
    balance = receivables.lock_balances(gateway.company, [attempt.invoice_id])[attempt.invoice_id]
    rest = receivables.open_of(balance) if balance.status in receivables.PAYABLE else 0
    method = attempt.method
    mandate = mandates.in_force(method) if method is not None else None
    if mandate is None or method is None or method.status != PaymentMethod.Status.ACTIVE:
        attempts.apply_unsent(attempt_id=attempt.pk, answer=Answer(Outcome.CANCELED, reason="no_mandate"), at=at)
        return
    mandate = mandates.follow_creditor(mandate=mandate, creditor_id=gateway.creditor_id, at=at)
    if rest < attempt.amount_minor or attempt.amount_minor > LARGEST:
        reason = "limit_exceeded" if attempt.amount_minor > LARGEST else ""
        attempts.apply_unsent(attempt_id=attempt.pk, answer=Answer(Outcome.CANCELED, reason=reason), at=at)
        if 0 < rest <= LARGEST:
            attempts.open_attempt(
                invoice=attempt.invoice, balance=balance, gateway=gateway, method=method, origin=attempt.origin,
                collect_on=max(attempt.collect_on, first), by=by, at=at,
            )  # fmt: skip
        return
    if attempt.collect_on < first:
        attempt.collect_on = first
        attempt.save(update_fields=["collect_on"])
        attempts.tell(attempt, "postpone", "postponed", by=by, at=at)
        debit_notices.announce(attempt_id=attempt.pk, at=at, is_again=True)


def _write(
    company: Company, gateway: Gateway, creditor: Party, entries: list[Entry], *, by: Actor, at: datetime
) -> DebitBatch | None:
    """The file of a group; None when something in it has moved since it was read."""
    public_id = new_id()
    batch = DebitBatch(
        company=company, gateway=gateway, public_id=public_id, collection_on=entries[0].collect_on,
        scheme=entries[0].scheme, sequence=entries[0].sequence, count=len(entries),
        total_minor=sum(entry.debit.amount_minor for entry in entries), created_at=at,
    )  # fmt: skip
    batch.message_id = f"DDB{batch.ref.partition('_')[2].upper()}"
    content = sepa_files.debit_file(
        message_id=batch.message_id, made_at=at.astimezone(clock.zone(company.time_zone)), creditor=creditor,
        scheme=batch.scheme, sequence=batch.sequence, collect_on=batch.collection_on,
        debits=[entry.debit for entry in entries],
    )  # fmt: skip
    ids = [entry.attempt_id for entry in entries]
    with transaction.atomic():
        _lock_customers(company, {entry.customer_id for entry in entries})
        if entries_of(gateway, ids) != entries:
            log.info("debits_moved", gateway=gateway.pk, count=len(entries))
            return None
        batch.file = files.store(
            company_id=company.pk, name=f"{batch.message_id}.xml", media_type=MEDIA_TYPE, content=content
        )
        batch.save(force_insert=True)
        taken = Attempt.objects.filter(pk__in=ids, state=State.CREATED, batch__isnull=True).update(batch=batch)
        assert taken == len(ids), "a debit was taken although its customer is locked"
        _tell(batch, "make", "made", by=by, at=at)
    return batch


def check(batch: DebitBatch) -> list[str]:
    """Numbers of the invoices whose debit in a file should no longer be collected: paid, or the mandate ended."""
    rows = Attempt.objects.filter(batch=batch).select_related("invoice", "method").order_by("pk")
    methods = {row.method_id for row in rows}
    good = set(
        Mandate.objects.filter(
            method__in=methods, ended_on__isnull=True, method__status=PaymentMethod.Status.ACTIVE
        ).values_list("method_id", flat=True)
    )
    left = dict(
        InvoiceBalance.objects.filter(
            invoice__in=[row.invoice_id for row in rows], status__in=receivables.PAYABLE
        ).values_list("invoice_id", "open_minor")
    )
    return [
        row.invoice.number or ""
        for row in rows
        if row.state != State.CREATED or row.method_id not in good or left.get(row.invoice_id, 0) < row.amount_minor
    ]


def mark_sent(*, batch: DebitBatch, is_at_bank: bool = False, by: Actor, at: datetime) -> DebitBatch:
    """The file was given to the bank; its debits wait for the bank's word. Repeated: nothing happens.

    Refuses `debit_batch.stale` where a debit shouldn't be collected any more, unless the bank has it already
    (`is_at_bank`), and `debit_batch.move` for a canceled one.
    """
    with transaction.atomic():
        batch, rows = _lock(batch)
        if batch.state == Batch.SENT:
            return batch
        if batch.state != Batch.MADE:
            raise Refused("debit_batch.move", state=batch.get_state_display(), to=Batch.SENT.label)
        stale = check(batch)
        if stale and not is_at_bank:
            raise Refused("debit_batch.stale", numbers=", ".join(stale[:20]))
        attempts.hand_over([row for row in rows if row.state == State.CREATED], by=by, at=at)
        used = Mandate.objects.filter(method__in={row.method_id for row in rows}, ended_on__isnull=True)
        for mandate in used.select_related("method__customer__company").order_by("pk"):
            mandates.use_up(mandate=mandate, collect_on=batch.collection_on, by=by, at=at)
        batch.state, batch.sent_at = Batch.SENT, at
        batch.save(update_fields=["state", "sent_at"])
        _tell(batch, "send", "sent", by=by, at=at)
    return batch


def cancel_batch(*, batch: DebitBatch, drops: bool = False, by: Actor, at: datetime) -> DebitBatch:
    """The file will not be given to the bank. Its debits wait for another; with `drops` they are canceled.

    Repeated: nothing happens. Refuses `debit_batch.move` for one the bank has.
    """
    with transaction.atomic():
        batch, rows = _lock(batch)
        if batch.state == Batch.CANCELED:
            return batch
        if batch.state != Batch.MADE:
            raise Refused("debit_batch.move", state=batch.get_state_display(), to=Batch.CANCELED.label)
        batch.state = Batch.CANCELED
        batch.save(update_fields=["state"])
        Attempt.objects.filter(batch=batch, state=State.CREATED).update(batch=None)
        if drops:
            for row in rows:
                attempts.apply_unsent(attempt_id=row.pk, answer=Answer(Outcome.CANCELED), at=at)
        _tell(batch, "cancel", "canceled", by=by, at=at)
    return batch


def under_way(batch: DebitBatch) -> int:
    """What the bank would credit of the file now: the debits still under way, in minor units."""
    rows = Attempt.objects.filter(batch=batch, state__in=UNDER_WAY)
    return int(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def settle_batch(*, batch: DebitBatch, on: date, by: Actor, at: datetime) -> int:
    """The bank credited the file: every debit still under way is settled, each booked by itself; how many.

    A file nobody marked was at the bank all the same. Ended in the middle, or repeated: the rest. Never inside a
    transaction. Refuses `debit_batch.move` for a canceled one.
    """
    if batch.state == Batch.CANCELED:
        raise Refused("debit_batch.move", state=batch.get_state_display(), to=State.SETTLED.label)
    if batch.state == Batch.MADE:
        batch = mark_sent(batch=batch, is_at_bank=True, by=by, at=at)
    rows = Attempt.objects.filter(batch=batch, state__in=UNDER_WAY).order_by("pk")
    count = 0
    for attempt in rows.select_related("invoice__company"):
        count += settle(attempt=attempt, on=on, by=by, at=at).state == State.SETTLED
    return count


def settle(*, attempt: Attempt, on: date, fee_minor: int = 0, by: Actor, at: datetime) -> Attempt:
    """The bank credited one debit, also one that was thought failed. Repeated: nothing happens."""
    acknowledge(attempt=attempt, by=by, at=at)
    zone = clock.zone(attempt.invoice.company.time_zone)
    answer = Answer(
        Outcome.SETTLED, external_id=end_to_end_id(attempt), amount_minor=attempt.amount_minor,
        currency=attempt.currency, fee_minor=fee_minor, settled_at=datetime.combine(on, time(12), zone),
    )  # fmt: skip
    return attempts.apply(attempt_id=attempt.pk, answer=answer, by=by, at=at)


def acknowledge(*, attempt: Attempt, by: Actor, at: datetime) -> None:
    """The bank speaks of a debit, so it has it, whatever was noted here: marked as sent, with its file."""
    attempt.refresh_from_db(fields=["state", "batch_id"])
    if attempt.state != State.CREATED:
        return
    if attempt.batch is not None and attempt.batch.state == Batch.MADE:
        mark_sent(batch=attempt.batch, is_at_bank=True, by=by, at=at)
        return
    with transaction.atomic():
        receivables.lock_customer(attempt.invoice.company, attempt.customer_id)
        rows = Attempt.objects.select_for_update(of=("self",)).filter(pk=attempt.pk, state=State.CREATED)
        attempts.hand_over(list(rows.select_related("invoice__company", "customer", "method")), by=by, at=at)


def is_whole(batch: DebitBatch) -> bool:
    """Whether the stored file says what the rows say: the same debits, amounts, count and sum."""
    read = sepa_files.read_debits(bytes(batch.file.content))
    kept = {end_to_end_id(row): row.amount_minor for row in Attempt.objects.filter(batch=batch)}
    same = batch.state == Batch.CANCELED or dict(read) == kept
    return same and len(read) == batch.count and sum(minor for _, minor in read) == batch.total_minor


def _lock(batch: DebitBatch) -> tuple[DebitBatch, list[Attempt]]:
    """The file and its debits, locked after their customers."""
    batch = (
        DebitBatch.objects.select_for_update(of=("self",)).select_related("gateway__company", "file").get(pk=batch.pk)
    )
    whose = Attempt.objects.filter(batch=batch).values_list("customer_id", flat=True)
    _lock_customers(batch.gateway.company, set(whose))
    rows = Attempt.objects.filter(batch=batch).select_for_update(of=("self",)).order_by("pk")
    return batch, list(rows.select_related("invoice__company", "customer", "method", "gateway"))


def _lock_customers(company: Company, ids: set[int]) -> None:
    """As `receivables.lock_customer` does, many at once and in one order."""
    list(Customer.objects.select_for_update(no_key=True).filter(company=company, pk__in=ids).order_by("pk"))


def _tell(batch: DebitBatch, verb: str, past: str, *, by: Actor, at: datetime) -> None:
    facts: dict[str, Any] = {
        "message_id": batch.message_id, "count": batch.count, "total_minor": batch.total_minor,
        "collection_on": batch.collection_on.isoformat(), "scheme": batch.scheme, "state": batch.state,
    }  # fmt: skip
    common: dict[str, Any] = {
        "company_id": batch.company_id,
        "at": at,
        "subject_kind": "debit_batch",
        "subject_id": batch.pk,
    }
    trail.audit(by=by, verb=f"debit_batch.{verb}", facts=facts, **common)
    trail.emit(type=f"debit_batch.{past}", data={"id": batch.ref, **facts}, **common)


def let_go(*, company: Company, at: datetime) -> int:
    """Debits that wait for a file of a gateway that is switched off are canceled; how many."""
    rows = Attempt.objects.filter(
        company=company, state=State.CREATED, collect_on__isnull=False, batch__isnull=True, gateway__is_active=False
    )
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    for id_ in ids:
        attempts.apply_unsent(attempt_id=id_, answer=Answer(Outcome.CANCELED, reason="method_gone"), at=at)
    return len(ids)


def forgotten(company: Company, on: date) -> list[DebitBatch]:
    """Files nobody marked as given to the bank although their last moment is over; by collection day."""
    return [
        batch
        for batch in batches_of(company, states=[Batch.MADE])
        if banking_days.before(batch.collection_on, batch.gateway.lead_days) < on
    ]


def batches_of(company: Company, *, states: Iterable[str] = (Batch.MADE, Batch.SENT)) -> list[DebitBatch]:
    """The company's files in these states, by collection day."""
    rows = DebitBatch.objects.filter(company=company, state__in=list(states))
    return list(rows.select_related("gateway__company", "file").order_by("collection_on", "pk"))
