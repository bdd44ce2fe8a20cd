"""Which customers may be one: by what they are found, and that a pair that is two is not shown again."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import BY, TODAY, a_company, a_customer, at_noon

pytestmark = pytest.mark.django_db
COMMON: dict[str, Any] = {"by": BY, "at": at_noon(TODAY)}
ELSEWHERE = {"postal_code": "80331", "city": "München", "country": "DE"}


def pairs(company: Any) -> list[tuple[int, int, tuple[str, ...]]]:
    from crm.services import customer_duplicates

    found = customer_duplicates.find(company=company).pairs
    return [(pair.older.pk, pair.younger.pk, pair.reasons) for pair in found]


@pytest.mark.parametrize(
    ("first", "second", "reasons"),
    [
        ({"email": "Ada+Fair@Example.com"}, {"email": "ada@example.com"}, ("email",)),
        ({"phone": "+49 (0)30 1234-567"}, {"phone": "030 1234567"}, ("phone",)),
        ({"vat_id": "DE136695976"}, {"vat_id": "DE136695976"}, ("vat_id",)),
        (
            {"name": "Windkraft Nord GmbH", "address": ELSEWHERE},
            {"name": "WINDKRAFT NORD", "address": ELSEWHERE},
            ("name",),
        ),
        ({"name": "Windkraft Nord", "address": ELSEWHERE}, {"name": "Windkraft Nord"}, None),
        ({"name": "Windkraft Nord", "address": ELSEWHERE}, {"name": "Bäckerei Süd", "address": ELSEWHERE}, None),
        ({"phone": "112"}, {"phone": "112"}, None),
        (
            {"email": "a@b.example", "vat_id": "DE136695976"}, {"email": "a@b.example", "vat_id": "DE136695976"},
            ("vat_id", "email"),
        ),
    ],
)  # fmt: skip
def test_two_that_may_be_one_are_found_with_the_reasons(first, second, reasons):
    company = a_company()
    apart = {"lines": ["Street 1"], "postal_code": "10115", "city": "Berlin", "country": "DE"}
    older = a_customer(company, **({"name": "Alder Timber", "address": apart} | first))
    younger = a_customer(company, **({"name": "Zephyr Sails"} | second))
    assert pairs(company) == ([(older.pk, younger.pk, reasons)] if reasons else [])


def test_people_are_looked_at_too():
    from customers.services import contacts

    company = a_company()
    older, younger = (a_customer(company, name=name) for name in ("Alder Timber", "Zephyr Sails"))
    for customer in (older, younger):
        contacts.add_contact(customer=customer, name="Ada", email="ada@example.com", phone="030 1234567", **COMMON)
    assert pairs(company) == [(older.pk, younger.pk, ("email", "phone"))]


def test_an_address_of_one_and_of_a_person_of_another_is_the_same():
    from customers.services import contacts

    company = a_company()
    older = a_customer(company, name="Alder Timber", email="ada@example.com")
    younger = a_customer(company, name="Zephyr Sails")
    contacts.add_contact(customer=younger, name="Ada", email="ADA@example.com", **COMMON)
    assert pairs(company) == [(older.pk, younger.pk, ("email",))]


def test_archived_ones_and_those_of_other_companies_are_left_out():
    from customers.services import customers

    company = a_company()
    gone = a_customer(company, name="Alder Timber", email="ada@example.com")
    customers.archive_customer(customer=gone, **COMMON)
    a_customer(company, name="Zephyr Sails", email="ada@example.com")
    a_customer(a_company(), name="Quince", email="ada@example.com")
    assert pairs(company) == []


def test_a_person_of_an_archived_one_makes_no_pair():
    from customers.services import contacts, customers

    company = a_company()
    gone = a_customer(company, name="Alder Timber")
    contacts.add_contact(customer=gone, name="Ada", email="ada@example.com", **COMMON)
    a_customer(company, name="Zephyr Sails", email="ada@example.com")
    assert len(pairs(company)) == 1
    customers.archive_customer(customer=gone, **COMMON)
    assert pairs(company) == []


def test_what_was_found_to_be_two_is_not_shown_again_from_either_side():
    from core.models import AuditEntry
    from crm.services import customer_duplicates

    company = a_company()
    older, younger = (a_customer(company, name=name, email="a@b.example") for name in ("Alder Timber", "Zephyr Sails"))
    assert [pair.other(older) for pair in customer_duplicates.of_customer(older)] == [younger]
    for _twice in range(2):
        customer_duplicates.keep_apart(first=younger, second=older, **COMMON)
    assert pairs(company) == customer_duplicates.of_customer(older) == customer_duplicates.of_customer(younger) == []
    assert AuditEntry.objects.filter(verb="customer.keep_apart").count() == 1


def test_that_two_are_two_holds_for_the_one_that_one_of_them_is_merged_into():
    from crm.services import customer_duplicates, merging

    company = a_company()
    first, second, third = (
        a_customer(company, name=name, email="a@b.example") for name in ("Alder", "Quince", "Zephyr")
    )
    customer_duplicates.keep_apart(first=first, second=second, **COMMON)
    merging.merge(customer=second, into=third, confirm=second.number, **COMMON)
    assert pairs(company) == []


def test_a_question_looks_at_so_many_customers_and_says_where_the_next_one_begins():
    from crm.services import customer_duplicates

    company = a_company()
    names = ["Alder Timber", "Quince Orchards", "Birch Paper", "Zephyr Sails"]
    rows = [a_customer(company, name=name, email="a@b.example") for name in names]
    first = customer_duplicates.find(company=company, window=2)
    assert ({pair.younger.pk for pair in first.pairs}, first.looked_at) == ({rows[3].pk, rows[2].pk}, 2)
    second = customer_duplicates.find(company=company, window=2, before=first.next.pk)
    assert ({pair.younger.pk for pair in second.pairs}, second.next) == ({rows[1].pk}, None)
    assert len(first.pairs) + len(second.pairs) == 6


def test_an_address_that_many_share_does_not_make_a_pair_of_each_two():
    company = a_company()
    letters = "abcdefghijklmnop"
    for letter in letters:
        a_customer(company, name=letter * 12, email="info@agency.example")
    assert len(pairs(company)) == sum(min(older, 10) for older in range(len(letters)))


def test_each_key_is_looked_up_by_an_index():
    from crm.services import customer_duplicates
    from customers.services.customers import CustomerSpec, create_many

    company = a_company()
    people = [
        CustomerSpec(
            name=f"{number:x}" * 3, address={"postal_code": f"{10000 + number}", "country": "DE"},
            contacts=[{"name": "Ada", "email": f"a{number}@b.example", "phone": f"0301{number:06}"}],
            fields={"email": f"c{number}@b.example", "phone": f"0302{number:06}"},
        )
        for number in range(4000)
    ]  # fmt: skip
    create_many(company=company, specs=people, **COMMON)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE customers_customer, customers_contact, customers_address")
    with CaptureQueriesContext(connection) as asked:
        assert customer_duplicates.find(company=company, window=20).pairs == []
    sql = next(one["sql"] for one in asked.captured_queries if "turnus_mail_key" in one["sql"])
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql)
        told = "\n".join(row[0] for row in cursor.fetchall())
    for name in ("customer_by_mail_key", "contact_by_mail_key", "customer_by_phone_key", "contact_by_phone_key",
                 "customer_by_vat_id", "address_by_place"):  # fmt: skip
        assert name in told
    assert len(asked.captured_queries) == 3
