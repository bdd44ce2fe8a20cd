"""Making one customer of two: what moves, what stays, what is in the way, and that no sum differs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon

pytestmark = pytest.mark.django_db
AT = at_noon(TODAY)
COMMON: dict[str, Any] = {"by": BY, "at": AT}


def merged(goes: Any, stays: Any, **more: Any) -> Any:
    from crm.services import merging

    return merging.merge(customer=goes, into=stays, **({"confirm": goes.number} | more), **COMMON)


def two(**changes: Any) -> tuple[Any, Any]:
    company = a_company()
    return a_customer(company, **changes), a_customer(company)


def refused(act: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        act(*args, **named)
    return caught.value.code


# What moves ----------------------------------------------------------------------------------------------------------


def test_what_is_living_belongs_to_the_one_that_stays():
    from crm.models import Activity, Lead, Quote, Task
    from crm.services import activities, converting, leads, quotes, tasks
    from customers.models import Contact, Note
    from customers.services import contacts, notes

    goes, stays = two()
    contacts.add_contact(customer=goes, name="Ada", email="ada@example.com", **COMMON)
    notes.add_note(customer=goes, text="likes quinces", **COMMON)
    tasks.create(company=goes.company, title="Call", due_on=TODAY, customer=goes, **COMMON)
    activities.log(company=goes.company, customer=goes, kind="call", subject="x", begins_at=AT, **COMMON)
    lead = leads.create(company=goes.company, name="Ada", email="ada@example.com", country="DE", **COMMON)
    converting.convert(lead=lead, customer=goes, **COMMON)
    quotes.create(company=goes.company, plan=a_plan(goes.company), customer=goes, **COMMON)
    merged(goes, stays)
    for model in (Contact, Note, Task, Activity, Lead, Quote):
        assert set(model.objects.values_list("customer_id", flat=True)) == {stays.pk}, model


def test_somebody_whom_both_have_is_one_person_who_signs_in_for_the_one_that_stays():
    from crm.models import Activity
    from crm.services import activities
    from customers.models import Contact
    from customers.services import contacts

    goes, stays = two()
    known = contacts.add_contact(customer=stays, name="Ada", email="ADA@example.com", role="viewer", **COMMON)
    double = contacts.add_contact(
        customer=goes, name="Ada L.", email="ada@example.com", phone="+49 30 1", gets_invoices=True, **COMMON
    )
    user = contacts.invite_to_portal(contact=double, **COMMON)
    activities.log(
        company=goes.company, customer=goes, contact=double, kind="call", subject="x", begins_at=AT, **COMMON
    )
    merged(goes, stays)
    known.refresh_from_db()
    assert (known.name, known.phone, known.role, known.gets_invoices) == ("Ada", "+49 30 1", "viewer", True)
    assert [row.pk for row in Contact.objects.filter(user=user, archived_at__isnull=True)] == [known.pk]
    assert Activity.objects.get().contact_id == known.pk


@pytest.mark.parametrize(("goes_said", "stays_said", "left"), [(1, 1, True), (1, 0, False), (0, 1, False)])
def test_advertising_goes_on_only_where_both_allowed_it(goes_said, stays_said, left):
    from customers.services import consents, contacts

    goes, stays = two(email="office@example.com")
    stays = _with(stays, email="office@example.com")
    people = [contacts.add_contact(customer=one, name="Ada", email="a@b.example", **COMMON) for one in (goes, stays)]
    for said, holders in ((goes_said, (goes, people[0])), (stays_said, (stays, people[1]))):
        for holder in holders if said else ():
            consents.allow(holder=holder, source="form", **COMMON)
    merged(goes, stays)
    for row in (stays, people[1]):
        row.refresh_from_db()
        assert (row.marketing_consent_at is not None) is left


@pytest.mark.parametrize("is_taken", [False, True])
def test_an_address_that_one_of_them_allowed_no_advertising_gets_none_whoever_has_it(is_taken):
    from customers.services import consents, contacts

    goes, stays = two(email="ada@b.example")
    ada = contacts.add_contact(customer=stays, name="Ada", email="ADA@b.example", **COMMON)
    eve = contacts.add_contact(customer=stays, name="Eve", email="eve@b.example", **COMMON)
    for holder in (ada, eve):
        consents.allow(holder=holder, source="form", **COMMON)
    merged(goes, stays, take=["email"] if is_taken else [])
    stays.refresh_from_db()
    assert consents.recipients_of(stays) == ["eve@b.example"]


def test_the_one_that_went_is_written_to_no_more():
    from customers.services import consents

    goes, stays = two(email="ada@b.example")
    consents.allow(holder=goes, source="form", **COMMON)
    merged(goes, stays, take=[])
    goes.refresh_from_db()
    assert (goes.email, consents.recipients_of(goes)) == ("ada@b.example", [])


def test_who_left_the_one_that_stays_and_is_at_the_one_that_goes_signs_in_and_is_no_double():
    from crm.services import merging
    from customers.models import Contact
    from customers.services import contacts

    goes, stays = two()
    people = [contacts.add_contact(customer=one, name="Ada", email="ada@b.example", **COMMON) for one in (goes, stays)]
    user = [contacts.invite_to_portal(contact=one, **COMMON) for one in people][0]
    contacts.archive_contact(contact=people[1], **COMMON)
    assert merging.plan(customer=goes, into=stays).doubles == 0
    merged(goes, stays)
    here = Contact.objects.get(user=user)
    assert (here.pk, here.customer_id, here.archived_at) == (people[0].pk, stays.pk, None)


def test_a_way_to_pay_that_is_being_set_up_is_there_for_the_one_that_stays():
    from billing.models import PaymentMethod

    goes, stays = two()
    PaymentMethod.objects.filter(pk=a_method(goes).pk).update(status="pending", is_default=False)
    merged(goes, stays)
    assert PaymentMethod.objects.get().customer_id == stays.pk


def test_mails_about_documents_of_the_one_that_went_go_to_the_one_that_stays():
    from billing.services import mailing

    goes, stays = two(email="old@b.example")
    stays = _with(stays, email="new@b.example")
    merged(goes, stays, take=[])
    goes.refresh_from_db()
    assert mailing.recipients_of(goes) == ["new@b.example"]


def test_whoever_unsubscribed_stays_unsubscribed():
    from customers.services import consents, contacts, suppressing

    goes, stays = two()
    people = [contacts.add_contact(customer=one, name="Ada", email="a@b.example", **COMMON) for one in (goes, stays)]
    for person in people:
        consents.allow(holder=person, source="form", **COMMON)
    suppressing.suppress(company=goes.company, address="a@b.example", reason="unsubscribed", **COMMON)
    merged(goes, stays)
    assert consents.recipients_of(stays) == []


def test_a_way_to_pay_comes_along_and_nothing_is_charged_to_it_by_itself():
    from billing.models import PaymentMethod

    goes, stays = two()
    method = a_method(goes)
    assert method.is_default
    merged(goes, stays)
    method = PaymentMethod.objects.get(pk=method.pk)
    assert (method.customer_id, method.is_default, method.status) == (stays.pk, False, "active")


def a_method(customer: Any) -> Any:
    from billing.models import Gateway, PaymentMethod

    gateway, _made = Gateway.objects.get_or_create(
        company=customer.company, kind="stripe", defaults={"name": "Cards", "created_at": AT}
    )
    return PaymentMethod.objects.create(
        company=customer.company, customer=customer, gateway=gateway, kind="card", status="active", label="Visa",
        external_id=f"pm_{customer.pk}", is_default=True, created_at=AT,
    )  # fmt: skip


def _with(customer: Any, **changes: Any) -> Any:
    from customers.services import customers

    return customers.update_customer(customer=customer, changes=changes, **COMMON)


# Fields --------------------------------------------------------------------------------------------------------------


def test_what_the_one_that_stays_does_not_say_is_taken_over_and_what_it_says_holds():
    goes, stays = two(name="Windkraft Nord", phone="+49 30 123", metadata={"a": 1, "b": 1})
    stays = _with(stays, metadata={"b": 2})
    name = stays.name
    stays = merged(goes, stays)
    assert (stays.name, stays.phone, stays.metadata) == (name, "+49 30 123", {"a": 1, "b": 2})


def test_fields_are_chosen_one_by_one():
    goes, stays = two(name="Windkraft Nord", phone="+49 30 123", vat_id="DE136695976", vat_state="valid")
    stays = merged(goes, stays, take=["name", "vat_id", "billing"])
    assert (stays.name, stays.phone, stays.vat_id, stays.vat_state) == ("Windkraft Nord", "", "DE136695976", "valid")


def test_an_external_id_that_is_taken_over_is_free_of_the_other_one():
    goes, stays = two(external_id="4711")
    stays = merged(goes, stays)
    goes.refresh_from_db()
    assert (goes.external_id, stays.external_id) == ("", "4711")


def test_an_external_id_that_is_not_taken_over_still_finds_the_one_that_went():
    goes, stays = two(external_id="4711")
    merged(goes, stays, take=[])
    goes.refresh_from_db()
    assert (goes.external_id, goes.merged_into_id) == ("4711", stays.pk)


def test_a_field_that_is_none_is_refused():
    goes, stays = two()
    assert refused(merged, goes, stays, take=["archived_at"]) == "merging.field"


# What is in the way ---------------------------------------------------------------------------------------------------


def test_nothing_is_merged_without_the_typed_number():
    goes, stays = two()
    assert refused(merged, goes, stays, confirm=stays.number) == "merging.confirm"


def test_what_is_still_to_be_paid_or_served_is_in_the_way():
    from crm.services import merging
    from tests.money.providers import billed

    company = a_company()
    goes, stays = a_customer(company), a_customer(company)
    billed(company, goes)
    codes = {one.code for one in merging.plan(customer=goes, into=stays).blocked}
    assert codes == {"erasure.subscription", "erasure.open_invoice"}
    assert refused(merged, goes, stays) in codes


def test_a_quote_that_waits_for_an_answer_is_in_the_way():
    from crm.services import quote_sending, quotes

    goes, stays = two()
    quote = quotes.create(company=goes.company, plan=a_plan(goes.company), customer=goes, **COMMON)
    quote_sending.send(quote=quote, **COMMON)
    assert refused(merged, goes, stays) == "merging.quote"


def test_the_one_that_stays_may_have_what_it_has():
    goes, stays = two()
    a_subscription(stays.company, stays)
    assert merged(goes, stays).pk == stays.pk


def test_nobody_is_merged_into_itself_nor_across_companies_nor_into_somebody_merged_or_erased():
    from crm.services import erasing

    goes, stays = two()
    third, other = a_customer(goes.company), a_customer(a_company())
    assert refused(merged, goes, goes) == "merging.itself"
    assert refused(merged, goes, other) == "not_found"
    merged(goes, stays)
    assert refused(merged, third, goes) == "customer.merged"
    assert refused(merged, goes, third) == "customer.merged"
    erasing.erase(customer=third, confirm=third.number, **COMMON)
    assert refused(merged, third, stays) == "merging.erased"


def test_merging_again_does_nothing():
    from core.models import Event

    goes, stays = two()
    merged(goes, stays)
    assert merged(goes, stays).pk == stays.pk
    assert Event.objects.filter(type="customer.merged").count() == 1


def test_who_was_merged_before_comes_along():
    from customers.services import merged as parts

    first, second = two()
    third = a_customer(first.company)
    merged(first, second)
    merged(second, third)
    assert parts.ids_of(third) == [third.pk, first.pk, second.pk]


# Afterwards -----------------------------------------------------------------------------------------------------------


def test_nothing_new_begins_with_one_that_was_merged():
    from billing.services import drafting, granting
    from billing.services.draft_lines import DraftLine
    from customers.services import contacts, customers, notes

    goes, stays = two()
    merged(goes, stays)
    goes.refresh_from_db()
    company = goes.company
    line = DraftLine(description="x", unit_amount=Decimal(1), product=a_product(company))
    acts: list[tuple[Any, dict[str, Any]]] = [
        (customers.update_customer, {"changes": {"phone": "1"}}),
        (customers.restore_customer, {}),
        (customers.set_address, {"address": {"country": "DE"}}),
        (contacts.add_contact, {"name": "Ada"}),
        (notes.add_note, {"text": "x"}),
        (granting.grant, {"amount_minor": 100, "currency": "EUR", "reason": "x"}),
        (drafting.create_draft, {"company": company, "currency": "EUR", "lines": [line]}),
    ]
    assert [refused(act, customer=goes, **given, **COMMON) for act, given in acts] == ["customer.merged"] * len(acts)
    assert refused(a_subscription, company, goes) == "customer.merged"


@pytest.mark.parametrize("table", ["subscriptions_subscription", "billing_invoice", "billing_paymentmethod"])
def test_the_database_keeps_new_rows_from_one_that_was_merged(table):
    from billing.services import drafting
    from billing.services.draft_lines import DraftLine

    company = a_company()
    goes, stays = a_customer(company), a_customer(company)
    other = a_customer(company)
    line = DraftLine(description="x", unit_amount=Decimal(1), product=a_product(company))
    drafting.create_draft(company=company, customer=other, currency="EUR", lines=[line], **COMMON)
    a_subscription(company, other)
    a_method(other)
    merged(goes, stays)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER' AND"
            " column_name NOT IN ('id', 'customer_id', 'public_id', 'external_id', 'setup_id', 'run_id', 'is_default',"
            " 'number', 'sequence')",
            [table],
        )
        columns = ", ".join(f'"{name}"' for (name,) in cursor.fetchall())
        fresh = {"billing_paymentmethod": ("external_id, setup_id, is_default", "'', '', false"),
                 "billing_invoice": ("number, sequence", "'', NULL"),
                 "subscriptions_subscription": ("external_id", "''")}[table]  # fmt: skip
        with pytest.raises(IntegrityError, match="was merged into another one"), transaction.atomic():
            cursor.execute(
                f"INSERT INTO {table} (public_id, customer_id, {fresh[0]}, {columns}) "
                f"SELECT gen_random_uuid(), %s, {fresh[1]}, {columns} FROM {table} WHERE customer_id = %s LIMIT 1",
                [goes.pk, other.pk],
            )


def test_the_database_keeps_merges_from_making_a_third_level():
    from customers.models import Customer

    goes, stays = two()
    third = a_customer(goes.company)
    merged(goes, stays)
    for who, whom in ((stays, third), (third, goes)):
        with pytest.raises(IntegrityError, match="part in another merge"), transaction.atomic():
            Customer.objects.filter(pk=who.pk).update(merged_into=whom, merged_at=AT, archived_at=AT)


def test_money_of_one_that_was_merged_is_booked_for_the_one_that_stays():
    from billing.services import payments

    goes, stays = two()
    merged(goes, stays)
    goes.refresh_from_db()
    payment = payments.record(
        company=goes.company, customer=goes, amount_minor=1000, currency="EUR", method="transfer", received_on=TODAY,
        **COMMON,
    )  # fmt: skip
    assert payment.customer_id == stays.pk


def test_the_merge_stands_in_the_trail_by_ids_alone():
    from core.models import AuditEntry, Event

    goes, stays = two(name="Windkraft Nord", phone="+49 30 123")
    merged(goes, stays)
    entry = AuditEntry.objects.get(verb="customer.merge")
    assert (entry.subject_id, entry.customer_id) == (goes.pk, stays.pk)
    assert entry.facts["taken"] == ["phone"]
    assert "Windkraft" not in str(entry.facts) and "+49 30 123" not in str(entry.facts["moved"])
    assert Event.objects.get(type="customer.merged").data["into"] == stays.ref


def test_how_an_address_is_written_is_no_difference():
    from crm.services import merging

    goes, stays = two(email="Ada@example.com")
    stays = _with(stays, email="ada@example.com")
    assert [one.name for one in merging.plan(customer=goes, into=stays).differs] == ["name"]
