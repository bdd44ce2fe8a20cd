"""Who allowed advertising to their address, when and how they said so.

The rule that matters: without a consent on the very address there is no advertising to it; taking it back is as easy.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from core.services import trail
from core.texts import checked
from customers.models import Contact, Customer, Message, Suppression
from customers.services import merged, suppressing

Holder = Customer | Contact


def allow(*, holder: Holder, source: str, by: Actor, at: datetime) -> Holder:
    """Advertising may go to the holder's address; an earlier unsubscription of it is over. Repeated: nothing happens.

    `source` says how the consent was given, such as "portal" or "signed form".
    """
    checked(source, field="source", limit=120, required=True)
    with transaction.atomic():
        rows = type(holder)._default_manager.select_for_update(of=("self",))
        row = rows.select_related("company").get(pk=holder.pk)
        merged.refuse(row if isinstance(row, Customer) else row.customer)
        if row.marketing_consent_at is None:
            row.marketing_consent_at, row.marketing_consent_source = at, source
            row.save(update_fields=["marketing_consent_at", "marketing_consent_source"])
            _tell(row, "allow_marketing", by=by, at=at, facts={"source": source})
        if row.email:
            suppressing.lift_reason(
                company=row.company, address=row.email, reason=Suppression.Reason.UNSUBSCRIBED, by=by, at=at
            )
    return row


def withdraw(*, holder: Holder, by: Actor, at: datetime) -> Holder:
    """No more advertising to the holder's address. Repeated: nothing happens."""
    with transaction.atomic():
        row = type(holder)._default_manager.select_for_update().get(pk=holder.pk)
        if row.marketing_consent_at is not None:
            facts = {"since": row.marketing_consent_at.isoformat(), "source": row.marketing_consent_source}
            row.marketing_consent_at, row.marketing_consent_source = None, ""
            row.save(update_fields=["marketing_consent_at", "marketing_consent_source"])
            _tell(row, "withdraw_marketing", by=by, at=at, facts=facts)
    return row


def recipients_of(customer: Customer) -> list[str]:
    """To whom at the customer advertising may go now: who allowed it and did not unsubscribe."""
    people = customer.contacts.filter(archived_at__isnull=True, marketing_consent_at__isnull=False)
    found = [customer.email] if customer.marketing_consent_at is not None else []
    found += people.order_by("pk").values_list("email", flat=True)
    seen = {suppressing.normal(address): address for address in reversed(found) if address}
    addresses = list(reversed(seen.values()))
    blocked = suppressing.blocked(customer.company_id, addresses, category=Message.Category.MARKETING)
    return [address for address in addresses if address not in blocked]


def is_allowed(holder: Holder) -> bool:
    """Whether advertising may go to the holder's own address now."""
    if holder.marketing_consent_at is None or not holder.email:
        return False
    return not suppressing.blocked(holder.company_id, [holder.email], category=Message.Category.MARKETING)


def refused(company_id: int, wanted: Iterable[tuple[int | None, str]]) -> dict[tuple[int | None, str], str]:
    """Of these customers' addresses, those that get no advertising now, with why in words. Three queries at most.

    Nobody allowed it to an address that belongs neither to the customer nor to one of its people.
    """
    pairs = list(wanted)
    customers = {customer_id for customer_id, _address in pairs if customer_id is not None}
    owners = Customer.objects.filter(company_id=company_id, pk__in=customers, marketing_consent_at__isnull=False)
    people = Contact.objects.filter(
        company_id=company_id, customer_id__in=customers, marketing_consent_at__isnull=False, archived_at__isnull=True
    )
    allowed = {
        (customer_id, suppressing.normal(email))
        for customer_id, email in [*owners.values_list("pk", "email"), *people.values_list("customer_id", "email")]
    }
    blocked = suppressing.blocked(company_id, {address for _id, address in pairs}, category=Message.Category.MARKETING)
    found: dict[tuple[int | None, str], str] = {}
    for customer_id, address in pairs:
        if address in blocked:
            found[customer_id, address] = str(blocked[address].get_reason_display())
        elif (customer_id, suppressing.normal(address)) not in allowed:
            found[customer_id, address] = _("advertising was not allowed, or no longer is")
    return found


def _tell(row: Holder, verb: str, *, by: Actor, at: datetime, facts: dict[str, str]) -> None:
    kind = "customer" if isinstance(row, Customer) else "contact"
    trail.audit(
        company_id=row.company_id, at=at, by=by, verb=f"{kind}.{verb}", subject_kind=kind, subject_id=row.pk,
        customer_id=row.pk if isinstance(row, Customer) else row.customer_id, facts=facts,
    )  # fmt: skip
    told: dict[str, Any] = (
        {"kind": row.kind, "external_id": row.external_id} if isinstance(row, Customer) else {"role": row.role}
    )
    trail.emit(
        company_id=row.company_id, type=f"{kind}.updated", at=at, subject_kind=kind, subject_id=row.pk,
        customer_id=row.pk if isinstance(row, Customer) else row.customer_id,
        data={"id": row.ref, **told, "fields": ["marketing_consent_at"]},
    )  # fmt: skip
