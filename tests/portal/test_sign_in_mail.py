"""The mailed code comes in the words of the company that a person belongs to, kept nowhere; else in the product's."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Message
from customers.services import mail_texts
from tests.factories import BY, a_company, a_customer

pytestmark = pytest.mark.django_db


def asked(address: str, mailoutbox: Any) -> Any:
    Client().post(reverse("account_request_login_code"), {"email": address})
    [mail] = mailoutbox
    return mail


def test_the_code_comes_in_the_companys_words_and_from_its_sender(house: Any, company: Any, mailoutbox: Any) -> None:
    mail_texts.save(
        company=company, name="sign_in_code", language="en", subject="Come in: {code}", body="{code}\n\nYour {company}",
        by=BY, at=company.clock_at,
    )  # fmt: skip
    mail = asked(house.owner.user.email, mailoutbox)
    code = mail.subject.removeprefix("Come in: ")
    assert mail.body == f"{code}\n\nYour {company.name}\n"
    assert company.email in mail.from_email
    assert code in mail.alternatives[0][0]
    assert not Message.objects.filter(body__contains=code).exists()


def test_who_belongs_to_two_companies_gets_the_products_words(house: Any, mailoutbox: Any) -> None:
    from customers.services.contacts import add_contact

    other = a_company()
    contact = add_contact(
        customer=a_customer(other), name="Ada", email=house.owner.user.email, by=BY, at=other.clock_at
    )
    contact.user = house.owner.user
    contact.save(update_fields=["user"])
    mail = asked(house.owner.user.email, mailoutbox)
    assert mail.subject.startswith("Your code is ")
    assert mail.alternatives == []


def test_the_code_lets_in(house: Any, mailoutbox: Any) -> None:
    client = Client()
    client.post(reverse("account_request_login_code"), {"email": house.owner.user.email})
    code = mailoutbox[0].subject.removeprefix("Your code is ")
    assert client.post(reverse("account_confirm_login_code"), {"code": code}).status_code == 302
    assert client.get(reverse("portal:home")).status_code == 200
