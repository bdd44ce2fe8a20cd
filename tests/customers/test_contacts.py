"""People at customers and notes about them."""

from __future__ import annotations

import pytest

from core.models import AuditEntry, Event, User
from core.refusal import Refused
from customers.models import Contact, Message, Note
from customers.services import customers, notes

from .given import AT, BY, LATER


def test_a_contact_is_added_changed_and_archived(customer):
    contact = customers.add_contact(customer=customer, name="Eva", email="eva@example.com", by=BY, at=AT)
    contact = customers.update_contact(
        contact=contact, changes={"role": "billing", "gets_invoices": True}, by=BY, at=AT
    )
    assert (contact.role, contact.gets_invoices) == ("billing", True)
    contact = customers.archive_contact(contact=contact, by=BY, at=LATER)
    assert (contact.archived_at, contact.gets_invoices) == (LATER, False)
    types = Event.objects.filter(subject_kind="contact").order_by("id").values_list("type", flat=True)
    assert list(types) == ["contact.added", "contact.updated", "contact.archived"]


@pytest.mark.parametrize(
    ("values", "code"),
    [({"email": "x"}, "customer.email_form"), ({"role": "king"}, "field.choice"), ({"name": ""}, "text.required")],
)
def test_a_contact_that_can_not_be_is_refused(customer, values, code):
    with pytest.raises(Refused) as refused:
        customers.add_contact(customer=customer, **{"name": "Eva", **values}, by=BY, at=AT)
    assert refused.value.code == code
    assert Contact.objects.count() == 0


def test_an_archived_contact_is_not_invited(customer):
    contact = customers.add_contact(customer=customer, name="Eva", email="eva@example.com", by=BY, at=AT)
    customers.archive_contact(contact=contact, by=BY, at=AT)
    with pytest.raises(Refused, match=r"contact\.archived"):
        customers.invite_to_portal(contact=contact, by=BY, at=AT)


def test_a_contact_without_an_address_is_not_invited(customer):
    contact = customers.add_contact(customer=customer, name="Eva", by=BY, at=AT)
    with pytest.raises(Refused, match=r"contact\.without_email"):
        customers.invite_to_portal(contact=contact, by=BY, at=AT)


def test_a_note_is_kept_exactly_and_taken_off(customer):
    note = notes.add_note(customer=customer, text="=1\t\\N\nzwei", by=BY, at=AT)
    assert Note.objects.get().text == "=1\t\\N\nzwei"
    for _ in range(2):
        assert notes.archive_note(note=note, by=BY, at=LATER).archived_at == LATER
    assert AuditEntry.objects.filter(verb="note.archive").count() == 1


@pytest.mark.parametrize(
    ("text", "code"), [("", "text.required"), ("a\0", "text.nul"), ("x" * 10_001, "text.too_long")]
)
def test_a_note_that_can_not_be_is_refused(customer, text, code):
    with pytest.raises(Refused) as refused:
        notes.add_note(customer=customer, text=text, by=BY, at=AT)
    assert refused.value.code == code


def test_an_invited_contact_gets_a_user_and_one_mail(customer):
    contact = customers.add_contact(customer=customer, name="Eva", email="Eva@example.com", by=BY, at=AT)
    user = customers.invite_to_portal(contact=contact, by=BY, at=LATER)
    contact.refresh_from_db()
    assert (contact.user, user.email, user.has_usable_password()) == (user, "eva@example.com", False)
    message = Message.objects.get(customer=customer)
    assert (message.template, message.language, message.recipients) == ("portal_invitation", "de", ["Eva@example.com"])
    assert "/account" in message.body or "/login" in message.body


def test_inviting_again_mails_again_and_makes_no_second_user(customer):
    contact = customers.add_contact(customer=customer, name="Eva", email="eva@example.com", by=BY, at=AT)
    first = customers.invite_to_portal(contact=contact, by=BY, at=LATER)
    assert customers.invite_to_portal(contact=contact, by=BY, at=LATER) == first
    assert (User.objects.count(), Message.objects.count()) == (1, 2)


def test_two_contacts_of_a_customer_do_not_share_a_sign_in(customer):
    for name in ("Eva", "Ewa"):
        customers.add_contact(customer=customer, name=name, email="eva@example.com", by=BY, at=AT)
    first, second = Contact.objects.order_by("pk")
    customers.invite_to_portal(contact=first, by=BY, at=LATER)
    with pytest.raises(Refused, match=r"contact\.user_taken"):
        customers.invite_to_portal(contact=second, by=BY, at=LATER)
    assert Message.objects.count() == 1
