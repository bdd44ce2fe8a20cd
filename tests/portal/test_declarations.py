"""Cancel contracts here: declared without signing in, confirmed at once, matched by staff."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.urls import reverse

from customers.services import mail_texts
from tests.factories import BY

SAID = {
    "kind": "ordinary",
    "name": "Ada Lovelace",
    "contract": "SUB-1",
    "when": "earliest",
    "email": "ada@home.example",
}


@pytest.fixture(autouse=True)
def nobody_came_before(db):
    cache.clear()


def declare(client, company, **changes):
    return client.post(reverse("portal:public-cancel", args=[company.slug]), SAID | changes)


def written(template: str):
    from customers.models import Message

    return Message.objects.get(template=template)


def test_the_way_there_stands_on_every_page(ada, company):
    assert reverse("portal:public-cancel", args=[company.slug]) in ada.get(reverse("portal:home")).content.decode()


def test_a_declaration_is_confirmed_on_screen_and_by_mail(client, company):
    answer = client.get(declare(client, company)["Location"])
    receipt = written("declaration_receipt")
    assert receipt.recipients == ["ada@home.example"]
    for words in ("Ada Lovelace", "SUB-1", "1 January 2026, 13:00:00 (Europe/Berlin)", "as early as possible"):
        assert words in receipt.body
        assert words in answer.content.decode()


def test_staff_get_it_with_the_customer_it_is_about(client, house):
    declare(client, house.company, contract=f"my contract {house.subscription.number.lower()}")
    message = written("declaration_received")
    assert message.customer == house.customer
    assert message.recipients == ["billing@nordlicht.example"]
    assert house.customer.number in message.body
    assert f"/office/customers/{house.customer.ref}/" in message.body


def test_where_nobody_is_found_the_mail_to_staff_has_no_link(client, company):
    declare(client, company, contract="the internet thing", email="nobody@home.example")
    message = written("declaration_received")
    assert message.body.startswith("No contract was found by what they wrote; please look.\n\nReceived: ")
    assert "/office/" not in message.body


def test_a_company_words_the_mail_to_its_staff_itself(client, house):
    mail_texts.save(
        company=house.company, name="declaration_received", language=house.company.language,
        subject="Kündigung von {name}", body="{about}\n\n{declared}", by=BY, at=house.company.clock_at,
    )  # fmt: skip
    declare(client, house.company, contract=house.subscription.number)
    message = written("declaration_received")
    assert message.subject == "Kündigung von Ada Lovelace"
    assert "/office/" not in message.body


@pytest.mark.parametrize("by", ["customer", "invoice", "email"])
def test_a_customer_is_found_by_what_people_know(client, house, by):
    known = {
        "customer": {"contract": house.customer.number},
        "invoice": {"contract": house.invoice.number},
        "email": {"contract": "the internet thing", "email": house.customer.email},
    }
    declare(client, house.company, **known[by])
    assert written("declaration_received").customer == house.customer


def test_the_answer_is_the_same_for_a_contract_that_is_not_known(client, house):
    def told(contract: str) -> str:
        page = client.get(declare(client, house.company, contract=contract)["Location"]).content.decode()
        return page[page.index("<main") : page.index("</main")].replace(contract, "…")

    assert told(house.subscription.number) == told("SUB-999999")


def test_a_contract_of_another_company_is_not_found(client, house, company):
    from tests import factories

    other = factories.a_company()
    declare(client, other, contract=house.subscription.number)
    assert written("declaration_received").customer is None


def test_the_receipt_opens_only_where_it_was_declared(client, company):
    where = declare(client, company)["Location"]
    client.cookies.clear()
    assert client.get(where).status_code == 404


@pytest.mark.parametrize("missing", ["name", "contract", "email", "kind", "when"])
def test_what_identifies_the_contract_is_needed(client, company, missing):
    assert declare(client, company, **{missing: ""}).status_code == 422


def test_a_cause_is_kept_and_not_needed(client, company):
    declare(client, company, kind="extraordinary", cause="Three weeks without a line")
    assert "Cause: Three weeks without a line" in written("declaration_receipt").body


def test_mail_cannot_be_made_to_flood(client, company):
    answers = [declare(client, company).status_code for _ in range(11)]
    assert answers == [302] * 10 + [429]
