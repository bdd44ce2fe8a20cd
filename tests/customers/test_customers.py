"""Customers: fields that can be, addresses that stay readable, ids that are given once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.models import AuditDetail, AuditEntry, Event
from core.refusal import Refused
from core.texts import sort_key
from customers.models import Address, Contact, Customer
from customers.services import customers

from .given import ADDRESS, AT, BY, LATER


def create(company, name="Acme", **more):
    return customers.create_customer(company=company, name=name, by=BY, at=AT, **more)


def test_a_customer_comes_with_address_contacts_audit_and_event(company):
    made = create(company, address=ADDRESS, contacts=[{"name": "Eva", "email": "eva@example.com"}], external_id="C-1")
    assert Address.objects.get(customer=made).city == "Berlin"
    assert Contact.objects.get(customer=made).email == "eva@example.com"
    assert AuditEntry.objects.get(customer_id=made.pk).verb == "customer.create"
    assert Event.objects.get(customer_id=made.pk).data == {"id": made.ref, "kind": "company", "external_id": "C-1"}


def test_names_sort_without_case_and_accents(company):
    assert create(company, name="Ångström GmbH").sort_key == "angstrom gmbh"
    assert sort_key("ÉCOLE  d'Œuvre") == "ecole d'oeuvre"


@pytest.mark.parametrize("name", ["=SUM(A1)", "+49", "a\tb", "back\\slash \\N", "'; DROP TABLE x --", "名前 🎉"])
def test_a_name_is_kept_exactly(company, name):
    assert Customer.objects.get(pk=create(company, name=name).pk).name == name


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"name": "a\0b"}, "text.nul", "name"),
        ({"name": "\ud800"}, "text.not_unicode", "name"),
        ({"name": "   "}, "text.required", "name"),
        ({"name": "x" * 201}, "text.too_long", "name"),
        ({"email": "nobody"}, "customer.email_form", "email"),
        ({"kind": "robot"}, "field.choice", "kind"),
        ({"language": "xx"}, "language.unknown", "language"),
        ({"time_zone": "Mars/Base"}, "time_zone.unknown", "time_zone"),
        ({"currency": "EURO"}, "currency.unknown", "currency"),
        ({"vat_id": "DE123456789"}, "customer.vat_id_form", "vat_id"),
        ({"vat_id": "DE136695976", "kind": "person"}, "customer.person_with_vat_id", "vat_id"),
        ({"vat_state": "valid"}, "customer.vat_state_without_id", "vat_state"),
        ({"payment_terms_days": 366}, "number.range", "payment_terms_days"),
        ({"metadata": {"a": float("nan")}}, "customer.metadata_form", "metadata"),
        ({"metadata": {"a": "\0"}}, "text.nul", "metadata"),
        ({"address": {"country": "Germany"}}, "country.unknown", "country"),
        ({"address": {**ADDRESS, "lines": list("abcde")}}, "address.lines", "lines"),
        ({"address": {**ADDRESS, "planet": "Earth"}}, "field.unknown", "planet"),
        ({"contacts": [{"email": "a@example.com"}]}, "text.required", "name"),
        ({"colour": "red"}, "field.unknown", "colour"),
    ],
)
def test_what_can_not_be_is_refused_and_leaves_nothing(company, values, code, field):
    with pytest.raises(Refused) as refused:
        create(company, **{"name": "Acme", **values})
    assert (refused.value.code, refused.value.field) == (code, field)
    assert str(refused.value)
    assert Customer.objects.count() == 0


def test_an_external_id_is_given_once_in_a_company(company, customer):
    create(company, external_id="C-1")
    with pytest.raises(Refused, match=r"customer\.external_id_taken"):
        create(company, external_id="C-1")
    with pytest.raises(Refused, match=r"customer\.external_id_taken"):
        customers.update_customer(customer=customer, changes={"external_id": "C-1"}, by=BY, at=AT)


def test_an_external_id_is_given_once_in_a_batch(company):
    specs = [customers.CustomerSpec(name=name, fields={"external_id": "C-1"}) for name in "ab"]
    with pytest.raises(Refused, match=r"customer\.external_id_taken"):
        customers.create_many(company=company, specs=specs, by=BY, at=AT)
    assert Customer.objects.count() == 0


def test_many_take_as_many_statements_as_one(company):
    def statements(count, prefix):
        specs = [
            customers.CustomerSpec(
                name=f"N{n}",
                address=ADDRESS,
                contacts=[{"name": "Eva"}],
                fields={"external_id": f"{prefix}{n}"},
            )
            for n in range(count)
        ]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            customers.create_many(company=company, specs=specs, by=BY, at=AT)
        return len(captured)

    assert statements(1, "a") == statements(100, "b")


def test_a_vat_id_is_unchecked_until_somebody_says_otherwise(company):
    made = create(company, vat_id="de 136 695 976")
    assert (made.vat_id, made.vat_state, made.vat_checked_at) == ("DE136695976", "pending", None)
    made = customers.update_customer(customer=made, changes={"vat_state": "valid"}, by=BY, at=LATER)
    assert (made.vat_state, made.vat_checked_at) == ("valid", LATER)
    made = customers.update_customer(customer=made, changes={"vat_id": "ATU13585627"}, by=BY, at=LATER)
    assert (made.vat_state, made.vat_checked_at) == ("pending", None)
    made = customers.update_customer(customer=made, changes={"vat_id": ""}, by=BY, at=LATER)
    assert made.vat_state == "none"


def test_personal_values_of_a_change_stand_in_the_side_table(customer):
    customers.update_customer(customer=customer, changes={"name": "Neu", "language": "fr"}, by=BY, at=LATER)
    entry = AuditEntry.objects.get(verb="customer.update")
    assert entry.facts == {"fields": ["language", "name"], "language": ["", "fr"]}
    detail = AuditDetail.objects.get(entry=entry)
    assert (detail.before, detail.after) == ({"name": "Müller AG"}, {"name": "Neu"})
    customer.refresh_from_db()
    assert customer.sort_key == "neu"


def test_a_change_that_changes_nothing_writes_nothing(customer):
    customers.update_customer(customer=customer, changes={"name": "Müller AG"}, by=BY, at=LATER)
    assert not AuditEntry.objects.filter(verb="customer.update").exists()


def test_a_new_address_takes_the_old_ones_place(customer):
    old = Address.objects.get(customer=customer)
    new = customers.set_address(customer=customer, address={**ADDRESS, "city": "Köln"}, by=BY, at=LATER)
    old.refresh_from_db()
    assert (old.city, old.replaced_at, new.city, new.replaced_at) == ("Berlin", LATER, "Köln", None)


def test_the_same_address_is_quietly_the_same(customer):
    assert customers.set_address(customer=customer, address=ADDRESS, by=BY, at=LATER).replaced_at is None
    assert Address.objects.count() == 1


def test_archiving_and_restoring_repeat_quietly(customer):
    for _ in range(2):
        assert customers.archive_customer(customer=customer, by=BY, at=AT).archived_at == AT
    for _ in range(2):
        assert customers.restore_customer(customer=customer, by=BY, at=AT).archived_at is None
    assert Event.objects.filter(type="customer.archived").count() == 1


def test_what_a_customer_leaves_open_is_the_companys(customer):
    assert customers.language_of(customer) == "de"
    assert customers.zone_of(customer) == "Europe/Berlin"
    assert customers.currency_of(customer) == "EUR"
    changes = {"language": "it", "time_zone": "Europe/Rome", "currency": "USD"}
    customer = customers.update_customer(customer=customer, changes=changes, by=BY, at=LATER)
    assert (customers.language_of(customer), customers.zone_of(customer), customers.currency_of(customer)) == (
        "it",
        "Europe/Rome",
        "USD",
    )
