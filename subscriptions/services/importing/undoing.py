"""Takes an import back while nothing of it was billed.

History is appended, so nothing is deleted: each subscription ends before its first day, every movement gets its
opposite on the same day, customers the import made are archived, and all external ids are free for a new import.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core.actors import Actor
from core.models import AuditEntry, Event
from core.refusal import Refused
from core.services import trail
from customers.models import Customer
from subscriptions.models import Import, ImportLine, Movement, Slot, Subscription
from subscriptions.services import movements
from subscriptions.services.moves import ENDED

ONE_DAY = timedelta(days=1)
REASON = "import_undone"


def undo(*, source: Import, by: Actor, at: datetime) -> Import:
    """Takes it back, whole or not at all. Refuses `import.billed`, `import.not_done`; repeated, it is quiet.

    Products and plans the import made stay. A customer who has other subscriptions by now stays too.
    """
    with transaction.atomic():
        source = Import.objects.select_for_update(of=("self",)).select_related("company").get(pk=source.pk)
        if source.state == Import.State.UNDONE:
            return source
        if source.state != Import.State.DONE:
            raise Refused("import.not_done")
        lines = list(ImportLine.objects.filter(source=source, state=ImportLine.State.DONE))
        ids = [line.subscription_id for line in lines if line.subscription_id is not None]
        # The order of locks is the billing run's: customers first, then their subscriptions.
        owners = {line.customer_id for line in lines if line.customer_id is not None}
        locked = list(Customer.objects.filter(pk__in=owners).order_by("pk").select_for_update())
        subscriptions = list(Subscription.objects.filter(pk__in=ids).order_by("pk").select_for_update())
        billed = _billed(ids)
        if billed:
            raise Refused("import.billed", count=billed)
        _reverse_movements(source, ids)
        _end(subscriptions, at)
        made = {line.customer_id for line in lines if line.made_customer}
        archived = _archive([customer for customer in locked if customer.pk in made], ids, at)
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


def _end(subscriptions: list[Subscription], at: datetime) -> None:
    for row in subscriptions:
        if row.state not in ENDED:
            row.state = Subscription.State.CANCELED
        row.ends_on = row.start_on - ONE_DAY
        row.end_kind, row.end_unused, row.end_reason = Subscription.EndKind.CANCEL, "none", REASON
        row.metadata = {**row.metadata, "undone_external_id": row.external_id}
        row.external_id = ""
        row.cancel_asked_at = at
        row.next_bill_on = row.next_move_on = row.parked_at = None
    fields = ["state", "ends_on", "end_kind", "end_unused", "end_reason", "metadata", "external_id"]
    more = ["cancel_asked_at", "next_bill_on", "next_move_on", "parked_at"]
    Subscription.objects.bulk_update(subscriptions, [*fields, *more], batch_size=500)


def _archive(made: list[Customer], ids: list[int], at: datetime) -> list[Customer]:
    others = Subscription.objects.filter(customer__in=made).exclude(pk__in=ids).values_list("customer_id", flat=True)
    keep = set(others)
    gone = [customer for customer in made if customer.pk not in keep]
    for customer in gone:
        customer.metadata = {**customer.metadata, "undone_external_id": customer.external_id}
        customer.external_id, customer.archived_at = "", at
    Customer.objects.bulk_update(gone, ["metadata", "external_id", "archived_at"], batch_size=500)
    return gone


def _tell(
    source: Import, subscriptions: list[Subscription], archived: list[Customer], *, by: Actor, at: datetime
) -> None:
    common: dict[str, Any] = {"company_id": source.company_id, "at": at}
    entries = [
        trail.entry(
            by=by,
            verb="import.undo",
            subject_kind=kind,
            subject_id=row.pk,
            customer_id=customer_id,
            facts={"import": source.ref},
            **common,
        )
        for kind, rows in (("subscription", subscriptions), ("customer", archived))
        for row in rows
        for customer_id in [row.customer_id if isinstance(row, Subscription) else row.pk]
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
