"""Erasing a customer: what is in the way, what is blanked, what stays by law, and that nothing else is left."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, at_noon

pytestmark = pytest.mark.django_db
AT = at_noon(TODAY)
NAME, PERSON = "Quittenbaum Orchards", "Zacharias Quittenbaum"
EMAIL, PERSONAL, PHONE, STREET = (
    "office@quittenbaum.example", "zacharias@quittenbaum.example", "+49 4711 889922", "Quittengasse 17",
)  # fmt: skip
_READABLE = ("text", "character varying", "character", "json", "jsonb", "bytea", "ARRAY", "USER-DEFINED", "xml")


def places_of(word: str) -> set[str]:
    """Columns, of all tables, in which the word stands readable."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND data_type = ANY(%s) ORDER BY 1, 2",
            [list(_READABLE)],
        )
        columns = cursor.fetchall()
        assert len(columns) > 400, "the search sees the whole database"
        for table, column, kind in columns:
            text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f'SELECT 1 FROM "{table}" WHERE {text} ILIKE %s LIMIT 1', [f"%{word}%"])
            found |= {f"{table}.{column}"} if cursor.fetchone() else set()
    return found


def a_known_customer(company: Any) -> Any:
    """Somebody of whom there is a row in every place."""
    from crm.services import activities, leads, tasks
    from customers.models import Customer
    from customers.services import contacts, customers, messages, notes, suppressing

    common: dict[str, Any] = {"by": BY, "at": AT}
    address = {"recipient": PERSON, "lines": [STREET], "postal_code": "21129", "city": "Altes Land", "country": "DE"}
    customer: Customer = a_customer(company, name="Before", email=EMAIL, phone=PHONE, address=address)
    customer = customers.update_customer(customer=customer, changes={"name": NAME, "metadata": {"x": PERSON}}, **common)
    customers.set_address(customer=customer, kind="delivery", address=address, **common)
    contact = contacts.add_contact(customer=customer, name=PERSON, email=PERSONAL, phone=PHONE, **common)
    contacts.invite_to_portal(contact=contact, **common)
    notes.add_note(customer=customer, text=f"{PERSON} likes quinces", **common)
    messages.write(
        company=company, customer=customer, template="x", language="en", subject=f"Dear {PERSON}", body=STREET,
        recipients=[EMAIL, PERSONAL], at=AT,
    )  # fmt: skip
    messages.write(
        company=company, customer=None, template="digest", language="en", subject="Today", recipients=["a@b.example"],
        body=f"Call {NAME} and then somebody else", at=AT,
    )  # fmt: skip
    suppressing.suppress(
        company=company, address=PERSONAL, reason="bounced", words=f"{PERSONAL}: no such user", **common
    )
    task = tasks.create(company=company, title=f"Call {PERSON}", due_on=TODAY, customer=customer, **common)
    tasks.comment(task=task, text=f"{PHONE} is busy", **common)
    activities.log(
        company=company, customer=customer, kind="call", subject=f"{PERSON} called", text=f"from {PHONE}", place=STREET,
        outcome=f"{NAME} stays", begins_at=AT, **common,
    )  # fmt: skip
    lead = leads.create(company=company, name=PERSON, email=PERSONAL, country="DE", phone=PHONE, **common)
    from crm.services import converting

    assert converting is not None
    from crm.models import Lead

    Lead.objects.filter(pk=lead.pk).update(customer=customer, converted_at=AT)
    return customer


def erased(customer: Any, *, on: date = TODAY) -> Any:
    from crm.services import erasing

    return erasing.erase(customer=customer, confirm=customer.number, by=BY, at=at_noon(on))


@pytest.mark.parametrize("word", [NAME, PERSON, EMAIL, PERSONAL, PHONE, STREET])
def test_nothing_known_of_an_erased_customer_is_left_but_what_the_preview_names(word):
    from crm.services import erasing, retention

    customer = a_known_customer(a_company())
    assert places_of(word), "it was there"
    keeps = retention.tables(erasing.plan(customer=customer, on=TODAY).kept)
    erased(customer)
    left = places_of(word)
    assert {place.split(".")[0] for place in left} <= keeps
    assert left == set()


def test_a_paid_invoice_stays_with_its_words_until_its_last_day():
    from billing.documents import rendering
    from billing.models import Invoice, Payment
    from crm.services import erasing, retention
    from tests.money.dunning import pay
    from tests.money.providers import billed

    company = a_company(payment_terms_days=0)
    customer = a_known_customer(company)
    pay(billed(company, customer), TODAY)
    end_all(customer)
    kept = {one.name: one for one in erasing.plan(customer=customer, on=TODAY).kept}
    assert (kept["documents"].count, kept["documents"].until_on) == (1, date(2034, 12, 31))
    assert kept["documents"].law == "AO § 147 Abs. 3; UStG § 14b"
    erased(customer)
    assert {place.split(".")[0] for place in places_of(NAME)} == {"billing_snapshot"}
    assert "billing_snapshot" in retention.tables(kept.values())
    assert Payment.objects.filter(customer=customer).count() == 1
    assert bytes(rendering.pdf_of(Invoice.objects.get(customer=customer)).content).startswith(b"%PDF")


def end_all(customer: Any) -> None:
    from subscriptions.models import Subscription

    # How a subscription ends is told elsewhere; here it matters that it has.
    Subscription.objects.filter(customer=customer).update(
        state=Subscription.State.EXPIRED, end_kind="expire", ends_on=date(2026, 3, 1)
    )


def test_the_chain_of_documents_stays_whole():
    from billing.services.chain import verify_chain
    from tests.money.dunning import pay
    from tests.money.providers import billed

    company = a_company(payment_terms_days=0)
    customer = a_known_customer(company)
    pay(billed(company, customer), TODAY)
    end_all(customer)
    erased(customer)
    assert verify_chain(company) == []


def test_what_is_live_is_in_the_way_and_says_so():
    from crm.services import erasing
    from tests.money.providers import billed

    company = a_company()
    customer = a_customer(company)
    billed(company, customer)
    blocked = [refused.code for refused in erasing.plan(customer=customer, on=TODAY).blocked]
    assert blocked == ["erasure.subscription", "erasure.open_invoice"]
    with pytest.raises(Refused) as refused:
        erased(customer)
    assert refused.value.code == "erasure.subscription"


def test_credit_that_is_left_is_in_the_way():
    from billing.services import granting
    from crm.services import erasing

    customer = a_customer(a_company())
    granting.grant(customer=customer, amount_minor=500, currency="EUR", reason="Sorry", by=BY, at=AT)
    assert [one.code for one in erasing.plan(customer=customer, on=TODAY).blocked] == ["erasure.credit"]


def test_another_number_confirms_nothing():
    from crm.services import erasing

    customer = a_customer(a_company())
    with pytest.raises(Refused) as refused:
        erasing.erase(customer=customer, confirm="CUS-999999", by=BY, at=AT)
    assert refused.value.code == "erasure.confirm"
    customer.refresh_from_db()
    assert customer.email != ""


def test_erasing_again_does_nothing():
    from core.models import Event

    customer = a_customer(a_company())
    first = erased(customer)
    assert erased(customer, on=TODAY + timedelta(days=1)) == first
    [event] = Event.objects.filter(type="customer.erased")
    assert event.data == {"id": customer.ref, "keep_until_on": "2036-12-31"}


def test_an_erased_address_is_known_by_its_hash_alone_and_gets_no_advertising():
    from customers.models import Suppression
    from customers.services import suppressing

    company = a_company()
    customer = a_customer(company, email=EMAIL)
    erased(customer)
    [row] = Suppression.objects.filter(company=company)
    assert (row.address, row.address_hash, row.scope) == ("", suppressing.digest(EMAIL), "marketing")
    assert EMAIL in suppressing.blocked(company.pk, [EMAIL], category="marketing")


def test_a_person_of_two_customers_keeps_their_sign_in():
    from customers.services import contacts

    company = a_company()
    one, other = a_customer(company), a_customer(company)
    users = [
        contacts.invite_to_portal(
            contact=contacts.add_contact(customer=each, name=PERSON, email=PERSONAL, by=BY, at=AT), by=BY, at=AT
        )
        for each in (one, other)
    ]
    assert users[0] == users[1]
    erased(one)
    users[0].refresh_from_db()
    assert (users[0].email, users[0].is_active) == (PERSONAL, True)
    erased(other)
    users[0].refresh_from_db()
    assert (users[0].is_active, users[0].name, PERSONAL in users[0].email) == (False, "", False)


def test_another_customer_keeps_everything():
    company = a_company()
    a_known_customer(company)
    places = places_of(EMAIL)
    erased(a_customer(company, name="Somebody else"))
    assert places_of(EMAIL) == places


@pytest.mark.parametrize(
    ("country", "on", "kind", "years"),
    [
        ("DE", date(2024, 12, 31), "documents", 10), ("DE", date(2025, 1, 1), "documents", 8),
        ("DE", date(2026, 1, 1), "letters", 6), ("FR", date(2026, 1, 1), "documents", 10),
        ("IT", date(2026, 1, 1), "books", 10), ("ES", date(2026, 1, 1), "documents", 6),
        ("AT", date(2026, 1, 1), "documents", 7), ("NL", date(2026, 1, 1), "documents", 10),
    ],
)  # fmt: skip
def test_each_country_keeps_its_years(country, on, kind, years):
    from crm.services import retention

    assert retention.rule(country, kind, on).years == years


def test_years_that_were_compared_name_where_and_when_and_no_others_do():
    from crm.services import retention

    assert {(one.is_checked, one.checked_on is not None, one.read_at != "") for one in retention.rules()} == {
        (True, True, True),
        (False, False, False),
    }


@pytest.mark.parametrize(("country", "is_said"), [("DE", False), ("ES", True)])
def test_staff_see_which_years_nobody_compared_with_the_law(country, is_said):
    from tests.backoffice.conftest import Office

    company = a_company(country=country)
    customer = a_known_customer(company)
    text = Office(company, a_plan(company), customer).client().get(f"/office/customers/{customer.ref}/erase/").content
    assert (b"Not compared with the words of the law yet" in text) is is_said


def test_staff_see_what_goes_and_stays_and_confirm_by_the_number():
    from customers.models import Erasure
    from tests.backoffice.conftest import Office

    company = a_company()
    customer = a_known_customer(company)
    office = Office(company, a_plan(company), customer)
    page, client = f"/office/customers/{customer.ref}/erase/", office.client()
    text = client.get(page).content.decode()
    assert "Mails: recipients, subject and text" in text
    assert "Who did what and when, without the values" in text
    assert client.post(page, {"confirm": "no"}).status_code == 422
    assert client.post(page, {"confirm": customer.number}).status_code == 302
    assert Erasure.objects.get(customer=customer).blanked["contacts"] == 1
    assert "The personal data were erased on" in client.get(page).content.decode()
    assert office.client("support").get(page).status_code == 403


def test_the_api_previews_and_erases():
    from tests.api.caller import Caller, key_for

    company = a_company()
    customer = a_customer(company)
    caller = Caller(key_for(company, "settings:write"))
    assert caller.get(f"customers/{customer.ref}/erasure").json()["is_erased"] is False
    answer = caller.post(f"customers/{customer.ref}/erase", {"confirm": customer.number})
    assert (answer.status_code, answer.json()["is_erased"]) == (200, True)
    customer.refresh_from_db()
    assert (customer.name, customer.email) == (customer.number, "")
