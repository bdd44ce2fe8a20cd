"""Subscriptions that can't be billed: taken aside with their reason, told, listed and tried again.

The rule that matters: one bad subscription stops nobody, and none is forgotten: a parked one is tried again by every
run and every hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet

from billing.models import BillingRun
from billing.services.keeping import park
from billing.services.running import forecast
from billing.services.running.halving import in_halves
from billing.services.settling import Settlement, settle
from core import clock
from core.actors import Actor
from core.models import Company, Event
from core.refusal import Refused, words_of
from core.services import trail
from pricing.errors import PricingError
from subscriptions.models import Subscription
from subscriptions.services import renewals

#: What was due longer ago than this is issued without mail, unless it is asked for otherwise.
QUIET_AFTER: Final = timedelta(days=7)
EVENT: Final = "subscription.parked"
Parked = tuple[int, str, str]
Settle = Callable[[Sequence[int]], Settlement]


def is_about_data(error: Exception) -> bool:
    """Whether an error may be the fault of a row. Lost connections, deadlocks and full disks are nobody's."""
    if isinstance(error, OperationalError | InterfaceError):
        return False
    return isinstance(
        error, DatabaseError | PricingError | Refused | ArithmeticError | LookupError | ValueError | TypeError
    )


def check_now() -> None:
    """Lets checks that wait for the end of the transaction speak while it is known whom they are about."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def parked(*, company: Company, by_day: date) -> QuerySet[Subscription]:
    """What is due by that day and parked, for whatever reason."""
    return Subscription.objects.filter(company=company, parked_at__isnull=False, next_bill_on__lte=by_day).order_by(
        "pk"
    )


def _ours(company: Company, on: date) -> QuerySet[Subscription]:
    """What billing parked; a move that failed is tried again by the moves."""
    return parked(company=company, by_day=on).exclude(parked_code=renewals.PARKED)


def unpark(company: Company, on: date, zones: Sequence[str] = (), ids: Sequence[int] | None = None) -> None:
    """Lets the run try again what billing had parked."""
    rows = _ours(company, on).order_by()
    if zones:
        rows = rows.filter(time_zone__in=zones)
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    rows.update(parked_at=None, parked_code="", parked_detail="")


def reason(error: Exception) -> tuple[str, str]:
    """Code and detail of an error."""
    if isinstance(error, Refused):
        return error.code, error.message
    if isinstance(error, PricingError):
        return error.code, words_of(error)
    if isinstance(error, DatabaseError):
        first = str(error).strip().split("\n")
        return "billing.refused_by_database", " ".join(first[:2])
    return "billing.unexpected", f"{type(error).__name__}: {error}"


def park_bad(run: BillingRun, customer_id: int, error: Exception, settles: Settle, *, at: datetime) -> list[Parked]:
    """Parks those due subscriptions of a customer that can't be billed; the others stay due.

    Each part is tried with the others out of the way, and taken back; if only all together fail, all are parked.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM customers_customer WHERE id = %s FOR NO KEY UPDATE", [customer_id])
    due = _due_ids(run, [customer_id])
    bad: list[tuple[int, Exception]] = []

    def attempt(part: Sequence[int]) -> None:
        with transaction.atomic():
            for other in set(due) - set(part):
                park(subscription_id=other, code="billing.unexpected", detail="", at=at)
            settles([customer_id])
            check_now()
            transaction.set_rollback(True)

    in_halves(due, attempt, lambda pk, error: bad.append((pk, error)), splits=is_about_data)
    found = []
    for pk, why in bad or [(pk, error) for pk in due]:
        code, detail = reason(why)
        park(subscription_id=pk, code=code, detail=detail, at=at)
        found.append((pk, code, detail))
    return found


def park_stuck(run: BillingRun, customer_ids: Iterable[int], at: datetime) -> list[Parked]:
    """Parks what is still due although settling had nothing to write: it would be due for ever."""
    found = []
    for pk in _due_ids(run, sorted(customer_ids)):
        park(subscription_id=pk, code="billing.stuck", detail="", at=at)
        found.append((pk, "billing.stuck", ""))
    return found


def _due_ids(run: BillingRun, customer_ids: Sequence[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.id FROM subscriptions_subscription s WHERE {forecast.DUE} "  # noqa: S608
            "AND s.customer_id = ANY(%(customers)s::bigint[]) ORDER BY 1",
            forecast.params(run.company, run.on, run.zones, customers=list(customer_ids)),
        )
        return [row[0] for row in cursor.fetchall()]


def tell(company: Company, found: Sequence[Parked], *, by: Actor, at: datetime) -> None:
    """Writes event and audit row for each that was parked now; one parked again for the same reason is no news."""
    if not found:
        return
    known: dict[int, Event] = {}
    ids = [pk for pk, _, _ in found]
    for event in Event.objects.filter(
        company=company, subject_kind="subscription", subject_id__in=ids, type=EVENT
    ).order_by("pk"):
        known[event.subject_id] = event
    for subscription in Subscription.objects.select_related("customer").filter(pk__in=ids):
        code, detail = next((code, detail) for pk, code, detail in found if pk == subscription.pk)
        due_on = None if subscription.next_bill_on is None else subscription.next_bill_on.isoformat()
        last = known.get(subscription.pk)
        if last is not None and (last.data.get("code"), last.data.get("due_on")) == (code, due_on):
            continue
        facts = {"code": code, "due_on": due_on}
        trail.audit(
            company_id=company.pk, at=at, by=by, verb="subscription.park", subject_kind="subscription",
            subject_id=subscription.pk, customer_id=subscription.customer_id, facts={**facts, "detail": detail[:500]},
        )  # fmt: skip
        trail.emit(
            company_id=company.pk, type=EVENT, at=at, subject_kind="subscription", subject_id=subscription.pk,
            customer_id=subscription.customer_id,
            data={
                "id": subscription.ref, "number": subscription.number, "customer": subscription.customer.ref, **facts,
                "detail": detail[:300],
            },
        )  # fmt: skip


def retry_parked(*, company: Company, at: datetime, by: Actor) -> dict[str, int]:
    """Tries what billing had parked and is due, each by its own zone's day; how many were tried and billed.

    What comes of it is what the day's run would have made of it, whichever comes first.
    """
    rows = _ours(company, date.max).values_list("time_zone", "customer_id", "next_bill_on", "pk")
    by_customer: dict[tuple[str, int], list[int]] = {}
    for zone, customer_id, due_on, pk in rows:
        if due_on is not None and due_on <= clock.day_in(at, zone):
            by_customer.setdefault((zone, customer_id), []).append(pk)
    tried = still = 0
    for (zone, customer_id), ids in by_customer.items():
        tried += len(ids)
        on = clock.day_in(at, zone)
        try:
            with transaction.atomic():
                unpark(company, on, ids=ids)
                outcome = settle(
                    company=company, customer_ids=[customer_id], on=on, at=at, by=by, notify_since=on - QUIET_AFTER,
                    skip_locked=True, zones=[zone],
                )  # fmt: skip
                if outcome.skipped_customer_ids:
                    transaction.set_rollback(True)
                else:
                    check_now()
                    tell(company, outcome.parked, by=by, at=at)
            still += len(ids) if outcome.skipped_customer_ids else len(outcome.parked)
        except Exception as error:
            # Rolled back: it is parked as before.
            if not is_about_data(error):
                raise
            still += len(ids)
    return {"tried": tried, "billed": tried - still} if tried else {}
