"""Who allowed advertising to their address, when and how they said so.

The rule that matters: without a consent on the very address there is no advertising to it; taking it back is as easy.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from core.actors import Actor
from core.services import trail
from core.texts import checked
from customers.models import Contact, Customer, Message, Suppression
from customers.services import suppressing

Holder = Customer | Contact


def allow(*, holder: Holder, source: str, by: Actor, at: datetime) -> Holder:
    """Advertising may go to the holder's address; an earlier unsubscription of it is over. Repeated: nothing happens.

    `source` says how the consent was given, such as "portal" or "signed form".
    """
    checked(source, field="source", limit=120, required=True)
    with transaction.atomic():
        row = type(holder)._default_manager.select_for_update().select_related("company").get(pk=holder.pk)
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


def _tell(row: Holder, verb: str, *, by: Actor, at: datetime, facts: dict[str, str]) -> None:
    kind = "customer" if isinstance(row, Customer) else "contact"
    trail.audit(
        company_id=row.company_id, at=at, by=by, verb=f"{kind}.{verb}", subject_kind=kind, subject_id=row.pk,
        customer_id=row.pk if isinstance(row, Customer) else row.customer_id, facts=facts,
    )  # fmt: skip
