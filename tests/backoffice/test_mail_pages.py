"""Mail at the office: texts with a preview, the sender, mails as they were sent, blocked addresses."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from customers.models import MailText, Message, Suppression
from customers.services import messages, suppressing
from tests.backoffice.conftest import Office
from tests.backoffice.test_acts import text_of
from tests.factories import BY, a_customer


def url(name: str, *args: Any, query: str = "") -> str:
    return reverse(f"backoffice:{name}", args=args) + query


def a_mail(office: Office, **changes: Any) -> Message:
    given = {
        "customer": office.customer, "template": "pay_link", "language": "en", "subject": "Pay invoice 7",
        "body": "Good <day>\n", "recipients": ["ada@example.com"], "at": office.at,
    } | changes  # fmt: skip
    return messages.write(company=office.company, **given)


def words(subject: str = "Now pay {number}", body: str = "Dear {customer},\n\n{link}\n", **more: Any) -> dict[str, Any]:
    return {"subject": subject, "body": body, "customer": "", **more}


def test_texts_are_listed_by_category_with_their_languages(office: Office) -> None:
    client = office.client()
    client.post(url("mail-text", "pay_link", "de"), words(step="save"))
    shown = text_of(client.get(url("mail-texts")))
    assert "About the contract" in shown
    assert "Link to pay an invoice When a colleague sends it. German" in shown


def test_a_text_is_saved_and_restored(office: Office) -> None:
    client, page = office.client(), url("mail-text", "pay_link", "en")
    assert client.post(page, words(step="save")).status_code == 302
    row = MailText.objects.get(company=office.company)
    assert (row.name, row.language, row.subject, row.body) == (
        "pay_link", "en", "Now pay {number}", "Dear {customer},\n\n{link}\n",
    )  # fmt: skip
    assert "Back to the product's words" in client.get(page).content.decode()
    assert client.post(page, words(step="restore")).status_code == 302
    assert not MailText.objects.exists()


def test_a_text_without_words_is_neither_saved_nor_shown(office: Office) -> None:
    client, page = office.client(), url("mail-text", "pay_link", "en")
    assert "(optional)" not in client.get(page).content.decode().split('for="id_customer"')[0]
    for step in ("save", "preview"):
        answer = client.post(page, words(body="", step=step))
        assert answer.status_code == 422
        assert "This can't be sent as it is." in text_of(answer)
    assert not MailText.objects.exists()


def test_the_preview_shows_a_real_customer_and_saves_nothing(office: Office) -> None:
    a_customer(office.company, name="Windkraft Nord", email="w@example.com")
    answer = office.client().post(url("mail-text", "pay_link", "en"), words(step="preview", customer="Windkraft"))
    shown = text_of(answer)
    assert "Dear Windkraft Nord," in shown
    assert "[Where it is seen, paid or done online]" in shown
    assert not MailText.objects.exists()


def test_an_unknown_placeholder_is_told_by_its_name(office: Office) -> None:
    answer = office.client().post(url("mail-text", "pay_link", "en"), words(body="{custommer}", step="save"))
    assert answer.status_code == 422
    assert "{custommer} is no placeholder of this mail." in text_of(answer)


def test_a_trial_goes_to_oneself_alone(office: Office) -> None:
    client = office.client()
    assert client.post(url("mail-text", "pay_link", "en"), words(step="trial")).status_code == 302
    message = Message.objects.get(template="pay_link")
    assert message.customer is None
    assert message.recipients == [office.user().email]
    assert message.subject.startswith("Trial: Now pay ")


def test_who_may_only_look_changes_no_text(office: Office) -> None:
    client, page = office.client("viewer"), url("mail-text", "pay_link", "en")
    assert client.get(page).status_code == 200
    assert client.post(page, words(step="save")).status_code == 404


def test_the_sender_is_changed(office: Office) -> None:
    sent = {"mail_name": "Service", "mail_address": "s@example.com", "mail_reply_to": "", "mails_have_html": "on"}
    assert office.client().post(url("mail-sender"), sent).status_code == 302
    office.company.refresh_from_db()
    assert messages.sender_of(office.company) == "Service <s@example.com>"


def test_mails_are_found_by_state_text_and_words(office: Office) -> None:
    a_mail(office)
    a_mail(office, template="method_link", subject="Your payment method", recipients=["bob@example.com"])
    client = office.client()
    both = text_of(client.get(url("messages")))
    assert "Pay invoice 7" in both
    assert "Your payment method" in both
    for query in ("?template=pay_link", "?q=invoice+7", "?q=ada@example.com"):
        shown = text_of(client.get(url("messages", query=query)))
        assert "Pay invoice 7" in shown, query
        assert "Your payment method" not in shown, query
    assert "Nothing matches" in text_of(client.get(url("messages", query="?state=bounced")))


def test_a_mail_is_shown_in_its_layout_without_any_right(office: Office) -> None:
    mail = a_mail(office)
    answer = office.client().get(url("message-looks", mail.ref))
    assert "Good &lt;day&gt;" in answer.content.decode()
    assert answer["Content-Security-Policy"].startswith("default-src 'none';")


def test_a_mail_is_sent_again(office: Office) -> None:
    mail = a_mail(office)
    assert office.client().post(url("message-resend", mail.ref)).status_code == 302
    assert [row.subject for row in Message.objects.filter(template="pay_link")] == ["Pay invoice 7"] * 2


def test_a_blocked_address_is_told_at_its_customer_and_lifted(office: Office) -> None:
    customer = a_customer(office.company, email="gone@example.com")
    row = suppressing.suppress(
        company=office.company, address="gone@example.com", reason="bounced", by=BY, at=office.at
    )
    client = office.client()
    told = "gone@example.com is blocked for all mail: mail came back for good."
    assert told in text_of(client.get(url("customer", customer.ref, query="?tab=contacts")))
    assert "gone@example.com" in text_of(client.get(url("blocked-addresses")))
    assert client.post(url("blocked-address-lift", row.ref)).status_code == 302
    assert suppressing.of_customer(customer) == []


def test_an_address_is_blocked_by_hand(office: Office) -> None:
    sent = {"address": "Gone@example.com", "scope": "marketing", "words": "asked on the phone"}
    assert office.client().post(url("block-address"), sent).status_code == 302
    row = Suppression.objects.get()
    assert (row.address, row.scope, row.reason, row.words) == (
        "gone@example.com", "marketing", "manual", "asked on the phone",
    )  # fmt: skip


def test_a_list_of_mails_asks_few_questions(office: Office, django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        a_mail(office)
    client = office.client()
    with django_assert_max_num_queries(12):
        client.get(url("messages"))


@pytest.mark.parametrize("language", ["en", "de", "fr", "it", "es"])
def test_a_text_can_be_edited_in_each_language(office: Office, language: str) -> None:
    assert office.client().get(url("mail-text", "reminder_2", language)).status_code == 200
