"""Addresses that get no mail: because it came back, was marked as spam, was unsubscribed from, or staff said so.

The rule that matters: an address that refuses mail for good, or calls it spam, gets none at all; one that unsubscribed
gets no advertising, but everything about its contracts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from django.db import transaction

from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from customers.models import Customer, Message, Suppression
from customers.services import fields

Reason, Scope = Suppression.Reason, Suppression.Scope
#: What each reason blocks; staff choose for their own.
SCOPE_OF: Final[Mapping[str, str]] = {
    Reason.BOUNCED: Scope.ALL, Reason.COMPLAINED: Scope.ALL, Reason.UNSUBSCRIBED: Scope.MARKETING,
}  # fmt: skip


def normal(address: str) -> str:
    """The address as it is compared.

    >>> normal(" Ada@Example.COM ")
    'ada@example.com'
    """
    return address.strip().lower()


def digest(address: str) -> str:
    """What an address is found by, also after it was erased."""
    return hashlib.sha256(normal(address).encode()).hexdigest()


def blocked(company_id: int, addresses: Iterable[str], *, category: str) -> dict[str, Suppression]:
    """Those of the addresses that get no mail of this category now, with why."""
    by_hash: dict[str, list[str]] = {}
    for address in addresses:
        by_hash.setdefault(digest(address), []).append(address)
    if not by_hash:
        return {}
    rows = Suppression.objects.filter(company_id=company_id, address_hash__in=by_hash, lifted_at__isnull=True)
    if category != Message.Category.MARKETING:
        rows = rows.filter(scope=Scope.ALL)
    return {address: row for row in rows.order_by("-scope") for address in by_hash[row.address_hash]}


def of_customer(customer: Customer) -> list[Suppression]:
    """The blocked addresses of a customer and its people, newest first."""
    people = customer.contacts.filter(archived_at__isnull=True).exclude(email="").values_list("email", flat=True)
    hashes = {digest(address) for address in (customer.email, *people) if address}
    rows = Suppression.objects.filter(company_id=customer.company_id, address_hash__in=hashes, lifted_at__isnull=True)
    return list(rows.order_by("-pk"))


def suppress(
    *, company: Company, address: str, reason: str, by: Actor, at: datetime, scope: str | None = None,
    words: str = "", message: Message | None = None,
) -> Suppression:  # fmt: skip
    """No mail goes to the address any more, or no advertising. Repeated: nothing happens.

    Tells it as the event `mail_address.suppressed`. Refuses `customer.email_form`.
    """
    address = normal(fields.email(address, field="address"))
    if not address:
        raise Refused("customer.email_form", field="address", value="")
    scope = scope or SCOPE_OF.get(reason, Scope.ALL)
    with transaction.atomic():
        row, created = Suppression.objects.get_or_create(
            company=company, address_hash=digest(address), scope=scope, lifted_at__isnull=True,
            defaults={"address": address, "reason": reason, "words": words[:2000], "message": message,
                      "by": by.label, "since": at},
        )  # fmt: skip
        if created:
            _tell(row, "suppress", "suppressed", by=by, at=at)
    return row


def lift(*, suppression: Suppression, by: Actor, at: datetime) -> Suppression:
    """Mail goes to the address again. Repeated: nothing happens."""
    with transaction.atomic():
        row = Suppression.objects.select_for_update().get(pk=suppression.pk)
        if row.lifted_at is None:
            row.lifted_at, row.lifted_by = at, by.label
            row.save(update_fields=["lifted_at", "lifted_by"])
            _tell(row, "lift", "lifted", by=by, at=at)
    return row


def lift_reason(*, company: Company, address: str, reason: str, by: Actor, at: datetime) -> None:
    """Lifts what stands for this address and reason, if anything does."""
    for row in Suppression.objects.filter(
        company=company, address_hash=digest(address), reason=reason, lifted_at__isnull=True
    ):
        lift(suppression=row, by=by, at=at)


def _tell(row: Suppression, verb: str, past: str, *, by: Actor, at: datetime) -> None:
    customer_id = row.message.customer_id if row.message is not None else _customer_id(row)
    facts = {"reason": row.reason, "scope": row.scope}
    trail.audit(
        company_id=row.company_id, at=at, by=by, verb=f"mail_address.{verb}", subject_kind="suppression",
        subject_id=row.pk, customer_id=customer_id, facts=facts, after={"address": row.address},
    )  # fmt: skip
    trail.emit(
        company_id=row.company_id, type=f"mail_address.{past}", at=at, subject_kind="suppression", subject_id=row.pk,
        customer_id=customer_id, data={"id": row.ref, **facts},
    )  # fmt: skip


def _customer_id(row: Suppression) -> int | None:
    return (
        Customer.objects.filter(company_id=row.company_id, email__iexact=row.address)
        .values_list("pk", flat=True)
        .first()
    )
