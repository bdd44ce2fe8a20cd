"""People at a customer, and their way into the portal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse

from core.actors import Actor
from core.models import User
from core.refusal import Refused
from core.services import trail
from customers.models import Contact, Customer
from customers.services import fields, merged


def add_contact(
    *,
    customer: Customer,
    name: str,
    email: str = "",
    phone: str = "",
    role: str = "owner",
    gets_invoices: bool = False,
    by: Actor,
    at: datetime,
) -> Contact:
    """A person at the customer; without portal access until invited."""
    values = fields.contact_values(
        {"name": name, "email": email, "phone": phone, "role": role, "gets_invoices": gets_invoices}
    )
    with transaction.atomic():
        merged.refuse(customer)
        contact = Contact.objects.create(company_id=customer.company_id, customer=customer, **values)
        _tell(contact, "add", "added", by=by, at=at, after={"name": name, "email": email, "phone": phone})
    return contact


def update_contact(*, contact: Contact, changes: Mapping[str, Any], by: Actor, at: datetime) -> Contact:
    """Changes named fields; no change writes nothing. A new e-mail address does not move the sign-in."""
    values = fields.contact_values(changes)
    with transaction.atomic():
        contact = Contact.objects.select_for_update(of=("self",)).select_related("customer").get(pk=contact.pk)
        merged.refuse(contact.customer)
        changed = sorted(name for name, value in values.items() if getattr(contact, name) != value)
        if not changed:
            return contact
        before = {name: getattr(contact, name) for name in changed}
        for name in changed:
            setattr(contact, name, values[name])
        contact.save(update_fields=changed)
        after = {name: values[name] for name in changed}
        _tell(contact, "update", "updated", by=by, at=at, facts={"fields": changed}, before=before, after=after)
    return contact


def archive_contact(*, contact: Contact, by: Actor, at: datetime) -> Contact:
    """The person is no longer there: no portal, no invoices. Repeated: nothing happens."""
    with transaction.atomic():
        contact = Contact.objects.select_for_update().get(pk=contact.pk)
        if contact.archived_at is not None:
            return contact
        contact.archived_at = at
        contact.gets_invoices = False
        contact.save(update_fields=["archived_at", "gets_invoices"])
        _tell(contact, "archive", "archived", by=by, at=at)
    return contact


def invite_to_portal(*, contact: Contact, by: Actor, at: datetime) -> User:
    """Lets the contact sign in with their e-mail address, and mails them where.

    The user of that address is found or made, without a password: they sign in by mailed code. Inviting again sends
    the mail again.
    """
    # The messages of this room stand on its customers; imported when used.
    from customers.services.customers import language_of
    from customers.services.mail_texts import compose
    from customers.services.messages import write as write_message

    with transaction.atomic():
        contact = Contact.objects.select_for_update(of=("self",)).select_related("customer__company").get(pk=contact.pk)
        if contact.archived_at is not None:
            raise Refused("contact.archived")
        if not contact.email:
            raise Refused("contact.without_email", field="email")
        user = _user_of(contact)
        if contact.user_id != user.pk:
            contact.user = user
            try:
                with transaction.atomic():
                    contact.save(update_fields=["user"])
            except IntegrityError:
                raise Refused("contact.user_taken", field="email") from None
        customer = contact.customer
        language = language_of(customer)
        link = settings.SITE_URL + reverse("account_login")
        facts = {"contact": contact.name, "customer": customer.name, "link": link}
        mail = compose(company=customer.company, name="portal_invitation", language=language, facts=facts)
        write_message(
            company=customer.company,
            customer=customer,
            template="portal_invitation",
            language=language,
            subject=mail.subject,
            body=mail.body,
            recipients=[contact.email],
            subject_kind="contact",
            subject_id=contact.pk,
            at=at,
        )
        _tell(contact, "invite", "invited", by=by, at=at)
    return user


def _user_of(contact: Contact) -> User:
    user = User.objects.filter(email__iexact=contact.email).first()
    if user is None:
        try:
            with transaction.atomic():
                user = User.objects.create_user(contact.email, name=contact.name)
        except IntegrityError:  # somebody else was invited with this address at the same moment
            user = User.objects.get(email__iexact=contact.email)
    if not user.is_active:
        raise Refused("contact.user_inactive")
    return user


def _tell(
    contact: Contact,
    verb: str,
    past: str,
    *,
    by: Actor,
    at: datetime,
    facts: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    trail.audit(
        company_id=contact.company_id,
        at=at,
        by=by,
        verb=f"contact.{verb}",
        subject_kind="contact",
        subject_id=contact.pk,
        customer_id=contact.customer_id,
        facts=facts,
        before=before,
        after=after,
    )
    trail.emit(
        company_id=contact.company_id,
        type=f"contact.{past}",
        at=at,
        subject_kind="contact",
        subject_id=contact.pk,
        customer_id=contact.customer_id,
        data={"id": contact.ref, "role": contact.role, **(facts or {})},
    )
