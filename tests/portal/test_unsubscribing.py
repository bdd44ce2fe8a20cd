"""Unsubscribing from advertising: by the page or one click, in the customer's language, undone, told to nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from customers.models import Message, Suppression
from customers.services import consents, delivering, messages, suppressing, unsubscribing
from tests.factories import BY

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer(company: Any, house: Any) -> Message:
    """Advertising to Ada, in German."""
    return messages.write(
        company=company, customer=house.customer, template="test", language="de", subject="Angebot", body="Greif zu!\n",
        recipients=["ada@example.com"], category="marketing", at=company.clock_at,
    )  # fmt: skip


def path_of(message: Message) -> str:
    return "/" + unsubscribing.link(message).split("/", 3)[3]


def is_blocked(message: Message, category: str = "marketing") -> bool:
    return bool(suppressing.blocked(message.company_id, ["ada@example.com"], category=category))


def test_advertising_names_the_way_out_in_its_text_and_its_headers(offer: Message) -> None:
    link = unsubscribing.link(offer)
    assert offer.body.startswith("Greif zu!\n\n-- \n")
    assert offer.body.endswith(f"{link}\n")
    mail = delivering.mail_of(offer, offer.recipients).message()
    assert mail["List-Unsubscribe"] == f"<{link}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_mail_about_the_contract_names_none(company: Any) -> None:
    message = messages.write(
        company=company, customer=None, template="test", language="en", subject="S", body="B\n",
        recipients=["ada@example.com"], at=company.clock_at,
    )  # fmt: skip
    assert message.body == "B\n"
    assert delivering.mail_of(message, message.recipients).message()["List-Unsubscribe"] is None


def test_each_reader_of_advertising_has_a_link_of_their_own(company: Any) -> None:
    messages.write(
        company=company, customer=None, template="test", language="en", subject="S", body="B\n",
        recipients=["ada@example.com", "bob@example.com"], category="marketing", at=company.clock_at,
    )  # fmt: skip
    assert [row.recipients for row in Message.objects.order_by("pk")] == [["ada@example.com"], ["bob@example.com"]]
    assert len({unsubscribing.link(row) for row in Message.objects.all()}) == 2


def test_looking_at_the_page_changes_nothing(client: Client, offer: Message) -> None:
    answer = client.get(path_of(offer))
    assert (answer.status_code, answer["Content-Language"], answer["X-Robots-Tag"]) == (200, "de", "noindex")
    assert "ada@example.com" in answer.content.decode()
    assert not is_blocked(offer)


def test_the_button_unsubscribes_from_advertising_alone_and_can_be_undone(client: Client, offer: Message) -> None:
    path = path_of(offer)
    assert client.post(path).status_code == 302
    assert is_blocked(offer)
    assert not is_blocked(offer, "contract")
    assert not is_blocked(offer, "legal")
    assert client.post(path, {"undo": "1"}).status_code == 302
    assert not is_blocked(offer)
    assert Suppression.objects.get().lifted_at is not None


def test_one_click_of_a_mail_program_unsubscribes_without_a_page(offer: Message) -> None:
    answer = Client(enforce_csrf_checks=True).post(path_of(offer), {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert is_blocked(offer)


def test_a_link_that_was_made_up_opens_nothing(client: Client, offer: Message) -> None:
    assert client.get(path_of(offer)[:-2] + "x/").status_code == 404
    assert client.post("/unsubscribe/msg_x:y/").status_code == 404


def test_undoing_lifts_no_bounce(client: Client, offer: Message, company: Any) -> None:
    suppressing.suppress(company=company, address="ada@example.com", reason="bounced", by=BY, at=company.clock_at)
    client.post(path_of(offer), {"undo": "1"})
    assert is_blocked(offer, "contract")


def test_advertising_sent_again_has_one_way_out(offer: Message, company: Any) -> None:
    again = messages.resend(message=offer, by=BY, at=company.clock_at)
    assert again.body.count("-- \n") == 1
    assert unsubscribing.link(again) in again.body


def test_the_portal_asks_for_consent_and_takes_it_back(ada: Client, house: Any, company: Any) -> None:
    assert consents.recipients_of(house.customer) == []
    assert ada.post("/portal/data/news/", {"allow": "1"}).status_code == 302
    house.owner.refresh_from_db()
    assert house.owner.marketing_consent_source == "portal"
    assert consents.recipients_of(house.customer) == ["ada@example.com"]
    assert ada.get("/portal/data/").status_code == 200
    assert ada.post("/portal/data/news/").status_code == 302
    assert consents.recipients_of(house.customer) == []


def test_who_unsubscribed_gets_no_advertising_until_they_allow_it_anew(
    client: Client, offer: Message, house: Any, company: Any
) -> None:
    consents.allow(holder=house.owner, source="form", by=BY, at=company.clock_at)
    client.post(path_of(offer))
    assert consents.recipients_of(house.customer) == []
    consents.allow(holder=house.owner, source="portal", by=BY, at=company.clock_at)
    assert consents.recipients_of(house.customer) == ["ada@example.com"]


def test_pressing_twice_blocks_once_and_in_this_company_alone(client: Client, offer: Message) -> None:
    from tests.factories import a_company

    other = a_company()
    for _ in range(2):
        assert client.post(path_of(offer)).status_code == 302
    assert Suppression.objects.count() == 1
    assert suppressing.blocked(other.pk, ["ada@example.com"], category="marketing") == {}


def test_an_archived_customer_still_gets_out(client: Client, offer: Message, house: Any, company: Any) -> None:
    house.customer.archived_at = company.clock_at
    house.customer.save(update_fields=["archived_at"])
    assert client.get(path_of(offer)).status_code == 200
    client.post(path_of(offer))
    assert is_blocked(offer)
