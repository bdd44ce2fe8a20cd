"""Making one customer of two that are one: the preview, and the act.

The rule that matters: what is frozen (documents, money, the trail, what reports were made of) stays under its own
number and is shown as part of the one that stays; what is living moves. Nothing is merged while money of the one that
goes is still to come, so no amount, no balance and no monthly revenue differs by a merge.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from billing.models import CreditNote, Invoice, Payment, PaymentMethod, Refund
from core.actors import Actor
from core.refusal import Refused
from core.services import trail
from crm.models import Activity, Lead, Quote, Task
from crm.services import customer_duplicates, erasing, merging_fields
from crm.services.merging_fields import Difference
from customers.models import Contact, Customer, Erasure, Message, Note
from customers.services import consents, merged, suppressing
from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Plan:
    """What merging would do. `blocked`: the refusals in the way; `moves` and `stays`: rows of each kind; `differs`:
    the fields in which the two differ and both say something, or only the one that goes; `doubles`: contacts that
    both have, by their address or sign-in, of which the one of the customer that stays is kept."""

    blocked: list[Refused]
    moves: dict[str, int]
    stays: dict[str, int]
    differs: list[Difference]
    doubles: int


def plan(*, customer: Customer, into: Customer) -> Plan:
    """The preview of merging `customer` into `into`; the act works through the same lists."""
    moving = _moving(customer)
    doubles = len(_doubles(customer, into))
    counts = {name: rows.count() for name, rows in moving.items()}
    counts["contacts"] -= doubles
    return Plan(
        blocked=blockers(customer, into),
        moves={name: count for name, count in counts.items() if count},
        stays={name: count for name, rows in _staying(customer).items() if (count := rows.count())},
        differs=merging_fields.differences(customer, into),
        doubles=doubles,
    )


def blockers(customer: Customer, into: Customer) -> list[Refused]:
    """What is in the way, each as the refusal that says what to do."""
    if customer.pk == into.pk:
        return [Refused("merging.itself", field="into")]
    if customer.company_id != into.company_id:
        return [Refused("not_found", field="into")]
    found = [_gone(one, name) for one, name in ((customer, "customer"), (into, "into"))]
    if stops := [one for one in found if one is not None]:
        return stops
    mine: dict[str, Any] = {"company_id": customer.company_id, "customer": customer}
    ended = Subscription.objects.filter(**mine, state__in=("canceled", "expired"), next_bill_on__isnull=False)
    quotes = Quote.objects.filter(**mine, state=Quote.State.SENT)
    more = {"merging.unbilled": ended, "merging.quote": quotes}
    return [
        *erasing.blockers(customer),
        *(Refused(code, count=count) for code, rows in more.items() if (count := rows.count())),
    ]


def merge(
    *, customer: Customer, into: Customer, confirm: str, take: Collection[str] | None = None, by: Actor, at: datetime
) -> Customer:
    """Makes one of two and gives back the one that stays; there is no way back. Repeated: nothing happens.

    `confirm` is the number of the one that goes, typed. `take` names the fields in which its value is taken over
    (names of `merging_fields.FIELDS`); None: those in which the one that stays says nothing. Refuses
    `merging.confirm`, `merging.field` and whatever `blockers` names. Advertising goes on only where both allowed it.
    """
    with transaction.atomic():
        goes, stays = _locked(customer, into)
        if goes.merged_into_id == stays.pk:
            return stays
        for refused in blockers(goes, stays):
            raise refused
        if confirm.strip().upper() != goes.number:
            raise Refused("merging.confirm", field="confirm", number=goes.number)
        unwanted = _unwanted(goes, stays)
        taken = merging_fields.take(goes, stays, take, by=by, at=at)
        doubles = _doubles(goes, stays)
        _leave_sign_ins(goes, stays)
        _keep_one(doubles, at=at)
        moved = _move(goes, stays, doubles)
        _stop_advertising(goes, stays, unwanted, by=by, at=at)
        parts = Customer.objects.filter(company_id=goes.company_id, merged_into=goes)
        before = list(parts.order_by("pk").values_list("pk", flat=True))
        parts.update(merged_into=stays)
        customer_duplicates.inherit(goes, stays)
        goes.merged_into, goes.merged_at, goes.archived_at = stays, at, goes.archived_at or at
        goes.save(update_fields=["merged_into", "merged_at", "archived_at"])
        facts = {"merged": goes.ref, "into": stays.ref, "moved": moved, "taken": taken, "with": before,
                 "doubles": sorted(doubles)}  # fmt: skip
        trail.audit(
            company_id=stays.company_id, at=at, by=by, verb="customer.merge", subject_kind="customer",
            subject_id=goes.pk, customer_id=stays.pk, facts=facts,
        )  # fmt: skip
        trail.emit(
            company_id=stays.company_id, type="customer.merged", at=at, subject_kind="customer", subject_id=goes.pk,
            customer_id=stays.pk,
            data={"id": goes.ref, "kind": goes.kind, "external_id": goes.external_id, "into": stays.ref},
        )  # fmt: skip
        stays.refresh_from_db()
    return stays


def _locked(customer: Customer, into: Customer) -> tuple[Customer, Customer]:
    """Both, and what was merged into the one that goes, locked in one order, so that two merges crosswise wait.

    The lock is the strong one: whoever is about to write a row that names the customer waits, too.
    """
    rows = Customer.objects.filter(Q(pk__in=[customer.pk, into.pk]) | Q(merged_into=customer.pk))
    held = {row.pk: row for row in rows.order_by("pk").select_for_update(of=("self",)).select_related("company")}
    return held[customer.pk], held[into.pk]


def _gone(row: Customer, field: str) -> Refused | None:
    if (refused := merged.refusal(row, field=field)) is not None:
        return refused
    if Erasure.objects.filter(customer=row).exists():
        return Refused("merging.erased", field=field, number=row.number)
    if field == "into" and row.archived_at is not None:
        return Refused("customer.archived", field=field)
    return None


def _moving(customer: Customer) -> Mapping[str, QuerySet[Any]]:
    """Living rows: what is said and planned, and what can be charged. None of them is part of a sum."""
    mine: dict[str, Any] = {"company_id": customer.company_id, "customer": customer}
    return {
        "contacts": Contact.objects.filter(**mine, archived_at__isnull=True),
        "notes": Note.objects.filter(**mine),
        "activities": Activity.objects.filter(**mine),
        "tasks": Task.objects.filter(**mine),
        "leads": Lead.objects.filter(**mine),
        "quote_drafts": Quote.objects.filter(**mine, state=Quote.State.DRAFT),
        # One whose page at the provider is still open, too: who fills it in has it with the one that stays.
        "payment_methods": PaymentMethod.objects.filter(**mine).exclude(status=PaymentMethod.Status.REMOVED),
    }


def _staying(customer: Customer) -> Mapping[str, QuerySet[Any]]:
    """Frozen rows, which are shown with the one that stays."""
    mine: dict[str, Any] = {"company_id": customer.company_id, "customer": customer}
    return {
        "subscriptions": Subscription.objects.filter(**mine),
        "invoices": Invoice.objects.filter(**mine).exclude(number=""),
        "credit_notes": CreditNote.objects.filter(**mine),
        "payments": Payment.objects.filter(**mine),
        "refunds": Refund.objects.filter(**mine),
        "quotes": Quote.objects.filter(**mine).exclude(state=Quote.State.DRAFT),
        "messages": Message.objects.filter(**mine),
    }


def _people(customer: Customer) -> QuerySet[Contact]:
    return Contact.objects.filter(company_id=customer.company_id, customer=customer, archived_at__isnull=True)


def _unwanted(goes: Customer, stays: Customer) -> set[str]:
    """Addresses that both have, as their own or of one of their people, and that one of them allowed no advertising."""
    said: list[dict[str, bool]] = [{}, {}]
    for row, known in zip((goes, stays), said, strict=True):
        holders: list[consents.Holder] = [row, *_people(row)]
        for holder in holders:
            key = suppressing.normal(holder.email)
            known[key] = known.get(key, False) or holder.marketing_consent_at is not None
    mine, theirs = said
    return {key for key in mine.keys() & theirs.keys() if key and not (mine[key] and theirs[key])}


def _stop_advertising(goes: Customer, stays: Customer, unwanted: Collection[str], *, by: Actor, at: datetime) -> None:
    """None to these addresses, and none to the one that goes, whose own address nobody reads for it any more."""
    consents.withdraw(holder=goes, by=by, at=at)
    # Its address may just have been taken over.
    holders: list[consents.Holder] = [Customer.objects.get(pk=stays.pk), *_people(stays).order_by("pk")]
    for holder in holders:
        if suppressing.normal(holder.email) in unwanted:
            consents.withdraw(holder=holder, by=by, at=at)


def _leave_sign_ins(goes: Customer, stays: Customer) -> None:
    """Who left the one that stays and is at the one that goes signs in by the row that comes along."""
    here = _people(goes).filter(user__isnull=False).values("user_id")
    gone = Contact.objects.filter(company_id=stays.company_id, customer=stays, archived_at__isnull=False)
    gone.filter(user__in=here).update(user=None)


def _doubles(goes: Customer, stays: Customer) -> dict[int, Contact]:
    """People of the one that goes whom the other one has, too: their id, and the contact that is kept."""
    kept = list(_people(stays).order_by("pk"))
    by_address = {row.email.lower(): row for row in reversed(kept) if row.email}
    by_sign_in = {row.user_id: row for row in kept if row.user_id is not None}
    found: dict[int, Contact] = {}
    for row in _moving(goes)["contacts"].order_by("pk"):
        same = by_sign_in.get(row.user_id) if row.user_id is not None else None
        same = same or (by_address.get(row.email.lower()) if row.email else None)
        if same is not None:
            found[row.pk] = same
    return found


def _keep_one(doubles: Mapping[int, Contact], *, at: datetime) -> None:
    """The one that stays learns what the other one knew; its role stays."""
    rows = Contact.objects.in_bulk(list(doubles))
    for pk, kept in doubles.items():
        row = rows[pk]
        user_id, row.user_id, row.archived_at = row.user_id, None, at
        row.save(update_fields=["user", "archived_at"])
        kept.user_id = kept.user_id or user_id
        kept.phone = kept.phone or row.phone
        kept.gets_invoices = kept.gets_invoices or row.gets_invoices
        kept.save(update_fields=["user", "phone", "gets_invoices"])


def _move(goes: Customer, stays: Customer, doubles: Mapping[int, Contact]) -> dict[str, list[int]]:
    """The living rows go over; their ids by kind. Ways to pay come along as ones that nothing is charged to yet."""
    moved: dict[str, list[int]] = {}
    for name, rows in _moving(goes).items():
        ids = list(rows.order_by("pk").values_list("pk", flat=True))
        if not ids:
            continue
        more = {"is_default": False} if name == "payment_methods" else {}
        rows.model._default_manager.filter(pk__in=ids).update(customer=stays, **more)
        moved[name] = ids
    for pk, kept in doubles.items():
        Activity.objects.filter(company_id=stays.company_id, contact_id=pk).update(contact=kept)
    return moved
