"""Takes an import back while nothing of it was billed.

History is appended, so nothing is deleted: each subscription ends before its first day, every movement gets its
opposite on the same day, customers the import made are archived, and all external ids are free for a new import.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.actors import Actor
from core.models import AuditEntry, Event
from core.refusal import Refused
from core.services import trail
from customers.models import Customer
from subscriptions.models import Import, ImportLine, Movement, Slot, Subscription
from subscriptions.services import movements
from subscriptions.services.importing import writing
from subscriptions.services.moves import ENDED

ONE_DAY = timedelta(days=1)
REASON = "import_undone"


def undo(*, source: Import, by: Actor, at: datetime) -> Import:
    """Takes it back, whole or not at all. Refuses `import.billed`, `import.not_done`; repeated, it is quiet.

    Products and plans the import made stay. A customer who has other subscriptions by now stays too.
    """
    with transaction.atomic():
        # The import's own lock: one that still runs has no chunk in the air, and finds itself taken back at its next.
        writing.take_turns(source.company_id)
        source = Import.objects.select_for_update(of=("self",)).select_related("company").get(pk=source.pk)
        if source.state == Import.State.UNDONE:
            return source
        if source.state not in (Import.State.DONE, Import.State.RUNNING):
            raise Refused("import.not_done")
        lines = list(ImportLine.objects.filter(source=source, state=ImportLine.State.DONE))
        ids = [line.subscription_id for line in lines if line.subscription_id is not None]
        # The order of locks is the billing run's: customers first, then their subscriptions.
        owners = {line.customer_id for line in lines if line.customer_id is not None}
        list(Customer.objects.filter(pk__in=owners).order_by("pk").select_for_update().values_list("pk"))
        list(Subscription.objects.filter(pk__in=ids).order_by("pk").select_for_update().values_list("pk"))
        billed = _billed(ids)
        if billed:
            raise Refused("import.billed", count=billed)
        _reverse_movements(source, ids)
        _end(ids, at)
        made = {line.customer_id for line in lines if line.made_customer and line.customer_id is not None}
        archived = _archive(made, ids, at)
        subscriptions = list(Subscription.objects.filter(pk__in=ids).order_by("pk"))
        _tell(source, subscriptions, archived, by=by, at=at)
        source.state, source.undone_at = Import.State.UNDONE, at
        source.save(update_fields=["state", "undone_at"])
    return source


def _billed(ids: list[int]) -> int:
    """How many of the subscriptions have a slot with days billed here."""
    rows = Slot.objects.filter(subscription_id__in=ids).values_list(
        "subscription_id", "billed_through_on", "elsewhere_through_on", "subscription__paid_from_on"
    )
    return len({row for row, through, elsewhere, paid_from in rows if through != (elsewhere or paid_from - ONE_DAY)})


def _reverse_movements(source: Import, ids: list[int]) -> None:
    """Kind by kind and day by day, what the import moved sums up to nothing; closed books get it on their next day."""
    Movement.objects.bulk_create(
        Movement(
            company_id=row.company_id,
            customer_id=row.customer_id,
            subscription_id=row.subscription_id,
            slot_id=row.slot_id,
            kind=row.kind,
            cause="import.undo",
            currency=row.currency,
            amount_minor=-row.amount_minor,
            effective_on=row.effective_on,
            booked_on=max(row.booked_on, movements.booked_on(source.company, row.effective_on)),
        )
        for row in Movement.objects.filter(subscription_id__in=ids).order_by("pk")
    )
    Slot.objects.filter(subscription_id__in=ids).update(mrr_minor=0)


def _end(ids: list[int], at: datetime) -> None:
    """Each ends before its first day; what had ended keeps its state. The free id stays readable beside it."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE subscriptions_subscription
            SET state = CASE WHEN state = ANY(%(ended)s) THEN state ELSE 'canceled' END,
                ends_on = start_on - 1, end_kind = 'cancel', end_unused = 'none', end_reason = %(reason)s,
                cancel_asked_at = %(at)s, next_bill_on = NULL, next_move_on = NULL, parked_at = NULL,
                metadata = metadata || jsonb_build_object('undone_external_id', external_id), external_id = ''
            WHERE id = ANY(%(ids)s)
            """,
            {"ended": [str(state) for state in ENDED], "reason": REASON, "at": at, "ids": ids},
        )


def _archive(made: set[int], ids: list[int], at: datetime) -> list[int]:
    """Archives the customers the import made, but for those who have another subscription by now; their ids."""
    others = Subscription.objects.filter(customer_id__in=made).exclude(pk__in=ids).values_list("customer_id", flat=True)
    gone = sorted(made - set(others))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE customers_customer
            SET metadata = metadata || jsonb_build_object('undone_external_id', external_id), external_id = '',
                archived_at = %(at)s
            WHERE id = ANY(%(ids)s)
            """,
            {"at": at, "ids": gone},
        )
    return gone


def _tell(source: Import, subscriptions: list[Subscription], archived: list[int], *, by: Actor, at: datetime) -> None:
    common: dict[str, Any] = {"company_id": source.company_id, "at": at}
    told = [("subscription", row.pk, row.customer_id) for row in subscriptions]
    told += [("customer", pk, pk) for pk in archived]
    entries = [
        trail.entry(
            by=by,
            verb="import.undo",
            subject_kind=kind,
            subject_id=pk,
            customer_id=customer_id,
            facts={"import": source.ref},
            **common,
        )
        for kind, pk, customer_id in told
    ]
    entries.append(
        trail.entry(
            by=by,
            verb="import.undo",
            subject_kind="import",
            subject_id=source.pk,
            facts={"subscriptions": len(subscriptions), "customers": len(archived)},
            **common,
        )
    )
    AuditEntry.objects.bulk_create(entries)
    events = [
        trail.event(
            type="subscription.canceled",
            subject_kind="subscription",
            subject_id=row.pk,
            customer_id=row.customer_id,
            data={"id": row.ref, "number": row.number, "state": row.state, "reason": REASON},
            **common,
        )
        for row in subscriptions
    ]
    events.append(
        trail.event(
            type="import.undone",
            subject_kind="import",
            subject_id=source.pk,
            data={"id": source.ref, "subscriptions": len(subscriptions), "customers": len(archived)},
            **common,
        )
    )
    Event.objects.bulk_create(events)
