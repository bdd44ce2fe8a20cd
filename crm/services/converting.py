"""A lead becomes a customer: a new one, or one that is there already.

The rule that matters: what the lead is known by is not typed twice: name, people, address, consent, campaign and tasks
go along, in one act.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from core.actors import Actor
from core.refusal import Refused
from crm.models import Lead, Task
from crm.services import lead_keys, leads, tasks
from crm.services.lead_trail import tell
from customers.models import Contact, Customer, Suppression
from customers.services import consents, contacts, customers, merged, suppressing
from subscriptions.services import first_touch


@transaction.atomic
def convert(
    *,
    lead: Lead,
    customer: Customer | None = None,
    name: str = "",
    kind: str = "",
    address: Mapping[str, Any] | None = None,
    vat_id: str = "",
    by: Actor,
    at: datetime,
) -> Customer:
    """The customer the lead became. Without `customer` one is made from the lead; what is given goes first.

    Repeated: the customer that it became. Refuses `lead.converted_to_other` and `lead.country_needed`.
    """
    lead = leads.lock(lead)
    if lead.customer is not None:
        if customer is not None and customer.pk != lead.customer_id:
            raise Refused("lead.converted_to_other", field="customer", customer=lead.customer.name)
        return lead.customer
    if customer is not None and customer.company_id != lead.company_id:
        raise Refused("not_found", field="customer")
    if customer is not None:
        merged.refuse(customer)
    is_new = customer is None
    if customer is None:
        customer = _made(lead, name, kind, address, vat_id, by=by, at=at)
    holder = _person(lead, customer, is_new, by=by, at=at)
    if lead.consent_at is not None and holder.email and not _unsubscribed_since(lead, holder.email):
        consents.allow(holder=holder, source=lead.consent_source or "lead", by=by, at=lead.consent_at)
    first_touch.note(
        company=lead.company, customer=customer, campaign=lead.campaign, source=lead.source or _door(lead),
        at=lead.created_at,
    )  # fmt: skip
    lead.customer, lead.converted_at = customer, at
    lead.save(update_fields=["customer", "converted_at"])
    for task in lead.tasks.filter(state=Task.State.OPEN, customer__isnull=True).order_by("pk"):
        tasks.update(task=task, customer=customer, by=by, at=at)
    # They were said to the same people: the customer's timeline shows them from the first word.
    lead.activities.filter(customer__isnull=True).update(customer=customer)
    tell(lead, "convert", by=by, at=at, facts={"new": is_new})
    return customer


def _unsubscribed_since(lead: Lead, email: str) -> bool:
    """Whether advertising to the address was stopped after the lead had allowed it: the later word holds."""
    rows = Suppression.objects.filter(
        company_id=lead.company_id, address_hash=suppressing.digest(email), lifted_at__isnull=True,
        reason=Suppression.Reason.UNSUBSCRIBED, since__gt=lead.consent_at,
    )  # fmt: skip
    return rows.exists()


def _door(lead: Lead) -> str:
    """Where somebody came from who came by a door of ours."""
    return "" if lead.origin == Lead.Origin.STAFF else f"lead_{lead.origin}"


def _made(
    lead: Lead, name: str, kind: str, address: Mapping[str, Any] | None, vat_id: str, *, by: Actor, at: datetime
) -> Customer:
    given = dict(address or {})
    given["country"] = given.get("country") or lead.country
    if not given["country"]:
        raise Refused("lead.country_needed", field="country")
    is_company = kind != "person" if kind else bool(lead.organization)
    people = [{"name": lead.name, "email": lead.email, "phone": lead.phone}] if is_company and lead.name else []
    return customers.create_customer(
        company=lead.company, name=name or lead.title, kind="company" if is_company else "person", address=given,
        contacts=people, email=lead.email, phone=lead.phone, language=lead.language, vat_id=vat_id, owner=lead.owner,
        currency=lead.currency if lead.currency != lead.company.currency else "", by=by, at=at,
    )  # fmt: skip


def _person(lead: Lead, customer: Customer, is_new: bool, *, by: Actor, at: datetime) -> Customer | Contact:
    """Whose address the lead's is: the customer's own, or that of one of its people, who is added if unknown."""
    key = lead_keys.email_key(lead.email)
    if is_new or not key or lead_keys.email_key(customer.email) == key:
        return customer
    for contact in customer.contacts.filter(archived_at__isnull=True).order_by("pk"):
        if lead_keys.email_key(contact.email) == key:
            return contact
    return contacts.add_contact(
        customer=customer, name=lead.name or lead.title, email=lead.email, phone=lead.phone, by=by, at=at
    )
