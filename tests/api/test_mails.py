"""Texts of mails, mails with what became of them, blocked addresses and consents over the API."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db
TEXT = {"subject": "Pay {number}", "body": "Dear {customer},\n\n{link}\n"}


@pytest.fixture
def customer(company):
    from tests.factories import a_customer

    return a_customer(company, email="ada@example.com")


@pytest.fixture
def mail(company, customer):
    from customers.services import messages

    return messages.write(
        company=company, customer=customer, template="pay_link", language="en", subject="S", body="B\n",
        recipients=["ada@example.com"], at=company.clock_at,
    )  # fmt: skip


def test_every_mail_is_listed_with_what_it_may_name(api) -> None:
    found = {one["name"]: one for one in api.get("mail-texts").body["data"]}
    assert found["pay_link"]["category"] == "contract"
    assert {"customer", "number", "link", "company", "signature"} <= set(found["pay_link"]["placeholders"])


def test_a_mail_is_reworded_and_restored(api) -> None:
    first = api.get("mail-texts/pay_link/en").body
    assert first["is_reworded"] is False
    put = api.put("mail-texts/pay_link/en", TEXT)
    assert (put.status_code, put.body["is_reworded"], put.body["body"]) == (200, True, TEXT["body"])
    assert {one["name"]: one["reworded_in"] for one in api.get("mail-texts").body["data"]}["pay_link"] == ["en"]
    assert api.post("mail-texts/pay_link/en/restore").body == first


def test_an_unknown_placeholder_is_refused(api) -> None:
    answer = api.put("mail-texts/pay_link/en", {"subject": "{x}", "body": "B"})
    assert (answer.status_code, answer.body["errors"][0]["code"]) == (422, "mail_text.unknown_placeholder")


def test_a_mail_that_is_not_there_is_not_found(api) -> None:
    assert api.get("mail-texts/nonsense/en").status_code == 404


def test_mails_are_listed_with_what_became_of_them(api, mail) -> None:
    [row] = api.get("messages?state=waiting").body["data"]
    assert row["results"] == [{"address": "ada@example.com", "state": "waiting", "words": ""}]
    assert api.get("messages?state=bounced").body["data"] == []


def test_a_mail_is_sent_again(api, mail) -> None:
    answer = api.post(f"messages/{mail.ref}/resend")
    assert (answer.status_code, answer.body["subject"]) == (201, "S")
    assert answer.body["id"] != mail.ref


def test_an_address_is_blocked_and_lifted(api) -> None:
    made = api.post("suppressions", {"address": "Gone@example.com"})
    assert (made.status_code, made.body["address"], made.body["scope"], made.body["reason"]) == (
        201, "gone@example.com", "all", "manual",
    )  # fmt: skip
    assert [row["id"] for row in api.get("suppressions?is_lifted=false").body["data"]] == [made.body["id"]]
    lifted = api.post(f"suppressions/{made.body['id']}/lift")
    assert lifted.body["lifted_at"] is not None
    assert api.get("suppressions?is_lifted=false").body["data"] == []


def test_what_is_no_address_is_not_blocked(api) -> None:
    assert api.post("suppressions", {"address": "gone"}).status_code == 422


def test_a_consent_is_noted_with_its_source_and_taken_back(api, customer) -> None:
    allowed = api.post(f"customers/{customer.ref}/allow-marketing", {"source": "Booth at the fair"}).body
    assert allowed["marketing_consent_source"] == "Booth at the fair"
    assert allowed["marketing_consent_at"] is not None
    withdrawn = api.post(f"customers/{customer.ref}/withdraw-marketing").body
    assert (withdrawn["marketing_consent_at"], withdrawn["marketing_consent_source"]) == (None, "")
