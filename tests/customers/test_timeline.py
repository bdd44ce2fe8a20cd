"""One list of all that happened, newest first, with nothing twice and nothing lost between pages."""

from __future__ import annotations

from datetime import timedelta

from core.actors import Actor
from core.models import User
from core.services import trail
from customers.services import customers, notes
from customers.services.timeline import timeline

from .given import AT, BY, LATER

HOUR = timedelta(hours=1)


def emit(customer, at, number, type="invoice.issued"):
    trail.emit(
        company_id=customer.company_id,
        type=type,
        at=at,
        subject_kind="invoice",
        subject_id=number,
        customer_id=customer.pk,
        data={"id": f"inv_{number}", "number": f"INV-{number}", "gross_minor": 11900, "currency": "EUR"},
    )


def test_an_act_and_its_event_are_one_entry_with_who_did_it(customer):
    [entry] = timeline(customer=customer)
    assert (entry.kind, entry.title, entry.actor) == ("event", "Customer created", "tests")
    assert (entry.link_kind, entry.link_id) == ("customer", customer.ref)


def test_two_acts_of_one_instant_keep_their_own_people(customer):
    for name, actor in (("A", "anna"), ("B", "bert")):
        customers.update_customer(customer=customer, changes={"name": name}, by=Actor.system(actor), at=LATER)
    assert [entry.actor for entry in timeline(customer=customer)] == ["bert", "anna", "tests"]


def test_newest_come_first_and_notes_stand_among_the_rest(customer):
    user = User.objects.create_user("eva@example.com", name="Eva")
    notes.add_note(customer=customer, text="Called.", by=Actor.of_user(user), at=LATER)
    emit(customer, LATER + HOUR, 1)
    entries = timeline(customer=customer)
    assert [entry.kind for entry in entries] == ["event", "note", "event"]
    assert (entries[1].text, entries[1].actor) == ("Called.", "Eva")
    assert entries[0].text == "INV-1 · €119.00"


def test_an_archived_note_is_off_the_page(customer):
    note = notes.add_note(customer=customer, text="Wrong.", by=BY, at=LATER)
    notes.archive_note(note=note, by=BY, at=LATER)
    assert [entry.kind for entry in timeline(customer=customer)] == ["event"]


def test_an_act_without_an_event_stands_alone(customer):
    trail.audit(
        company_id=customer.company_id,
        at=LATER,
        by=BY,
        verb="customer.export",
        subject_kind="customer",
        subject_id=customer.pk,
        customer_id=customer.pk,
        reason="asked by mail",
    )
    first = timeline(customer=customer)[0]
    assert (first.kind, first.title, first.text) == ("audit", "All data exported", "asked by mail")


def test_pages_lose_nothing_even_when_many_share_an_instant(customer):
    for number in range(1, 21):
        emit(customer, LATER, number)
    for number in range(21, 26):
        emit(customer, LATER + number * HOUR, number)
    seen, before = [], None
    while page := timeline(customer=customer, before=before, limit=4):
        seen += [entry.facts.get("number") for entry in page]
        before = page[-1].at
    assert len(seen) == 26
    assert set(seen) == {f"INV-{number}" for number in range(1, 26)} | {None}
    assert seen[:5] == ["INV-25", "INV-24", "INV-23", "INV-22", "INV-21"]


def test_another_customers_life_is_not_shown(company, customer):
    other = customers.create_customer(company=company, name="Other", by=BY, at=AT)
    emit(other, LATER, 1)
    assert len(timeline(customer=customer)) == 1
