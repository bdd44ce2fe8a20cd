"""Everything kept about a customer, as one file: what is in it, who gets what, and what is never in it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, at_noon

pytestmark = pytest.mark.django_db
AT = at_noon(TODAY)


def opened(pieces: Any) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def taken(customer: Any, name: str, *, internal: bool = True) -> list[dict[str, Any]]:
    from crm.services import taking_along

    found: list[dict[str, Any]] = json.loads(opened(taking_along.archive(customer, internal=internal)).read(name))
    return found


def test_what_colleagues_wrote_is_only_in_the_export_of_staff(db):
    from crm.services import taking_along
    from customers.services import notes

    customer = a_customer(a_company())
    notes.add_note(customer=customer, text="Pays late", by=BY, at=AT)
    assert [row["text"] for row in taken(customer, "notes.json")] == ["Pays late"]
    own = opened(taking_along.archive(customer, internal=False)).namelist()
    assert "notes.json" not in own
    assert set(own) < set(opened(taking_along.archive(customer, internal=True)).namelist())


def test_no_row_of_another_customer_is_in_it(db):
    from customers.services import notes

    company = a_company()
    one, other = a_customer(company, name="One"), a_customer(company, name="Other")
    notes.add_note(customer=other, text="Secret of the other", by=BY, at=AT)
    from crm.services import taking_along

    archive = opened(taking_along.archive(one, internal=True))
    for name in archive.namelist():
        assert b"Other" not in archive.read(name), name
        assert b"Secret of the other" not in archive.read(name), name


def test_messages_come_with_their_words(db):
    from customers.services import messages

    customer = a_customer(a_company())
    messages.write(
        company=customer.company, customer=customer, template="x", language="en", subject="Hello", body="Long words",
        recipients=["a@example.com"], at=AT,
    )  # fmt: skip
    [row] = taken(customer, "messages.json")
    assert (row["subject"], row["body"], row["recipients"]) == ("Hello", "Long words", ["a@example.com"])


def test_a_consent_comes_with_its_proof(db):
    from customers.services import consents

    customer = a_customer(a_company())
    customer = consents.allow(holder=customer, source="signed form", by=BY, at=AT)
    [row] = taken(customer, "consents.json")
    assert (row["to"], row["proof"], row["at"]) == ("advertising", "signed form", AT.isoformat())


def test_no_secret_of_a_debit_is_in_it(db):
    from tests.money.debits import a_company as a_collecting_company
    from tests.money.debits import a_creditor, a_mandate
    from tests.money.debits import a_customer as a_payer

    company = a_collecting_company()
    mandate = a_mandate(a_payer(company), a_creditor(company))
    customer = mandate.method.customer
    from crm.services import taking_along

    archive = opened(taking_along.archive(customer, internal=True))
    assert json.loads(archive.read("payment_methods.json"))[0]["mandates"][0]["reference"] == mandate.reference
    for name in archive.namelist():
        assert mandate.iban.encode() not in archive.read(name), name


def test_the_timeline_holds_every_entry_once(db, monkeypatch):
    from crm.services import taken_kinds
    from customers.services import notes
    from customers.services.timeline import timeline

    customer = a_customer(a_company())
    for number in range(7):
        notes.add_note(customer=customer, text=f"Note {number}", by=BY, at=AT.replace(hour=13, minute=number))
    monkeypatch.setattr(taken_kinds, "_PAGE", 2)
    rows = taken(customer, "timeline.json")
    assert len(rows) == len(timeline(customer=customer, limit=1000))
    assert [row["text"] for row in rows if row["kind"] == "note"] == [f"Note {number}" for number in range(6, -1, -1)]


def test_staff_get_it_by_a_button_and_the_audit_tells(db):
    from core.models import AuditEntry
    from tests.backoffice.conftest import Office
    from tests.factories import a_plan

    company = a_company()
    customer = a_customer(company)
    office = Office(company, a_plan(company), customer)
    answer = office.client().post(f"/office/customers/{customer.ref}/export/")
    assert answer["Content-Disposition"] == f'attachment; filename="{customer.number}-2026-01-01.zip"'
    assert "notes.json" in opened(answer.streaming_content).namelist()
    told = AuditEntry.objects.get(verb="customer.export")
    assert (told.customer_id, told.facts) == (customer.pk, {"internal": True})
    assert office.client("support").post(f"/office/customers/{customer.ref}/export/").status_code == 403


def test_the_api_gives_the_same_file(db):
    from tests.api.caller import Caller, key_for

    company = a_company()
    customer = a_customer(company)
    answer = Caller(key_for(company, "settings:write")).get(f"customers/{customer.ref}/export")
    assert answer.status_code == 200
    assert json.loads(opened(answer.streaming_content).read("customer.json"))[0]["email"] == customer.email
