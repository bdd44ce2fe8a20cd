"""What providers and mail servers tell of mails: verified, kept, applied once and in any order."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from core.models import Event, MailEvent, Outbox
from core.services import outbox
from customers.models import Message, Suppression
from customers.services import bounce_reports, mail_events, messages, suppressing
from tests.factories import BY, a_company, a_customer

pytestmark = pytest.mark.django_db
KEY = "signing-key"


@pytest.fixture
def mailgun(settings: Any) -> str:
    settings.MAIL_PROVIDER = "mailgun"
    settings.ANYMAIL = {"MAILGUN_API_KEY": "key", "MAILGUN_WEBHOOK_SIGNING_KEY": KEY}
    return "/webhooks/mail/mailgun/"


def sent(*recipients: str, provider_id: str = "<1@mg>", **changes: Any) -> Message:
    company = changes.pop("company", None) or a_company()
    message = messages.write(
        company=company, customer=changes.pop("customer", None), template="test", language="en", subject="S",
        body="B\n", recipients=recipients or ["ada@example.com"], at=company.clock_at, **changes,
    )  # fmt: skip
    Message.objects.filter(pk=message.pk).update(
        state="sent",
        provider_id=provider_id,
        results={
            address: {"state": "sent", "at": "", "words": "", "id": provider_id} for address in message.recipients
        },
    )
    message.refresh_from_db()
    return message


def news(event: str, message_id: str = "1@mg", address: str = "ada@example.com", key: str = "", **more: Any) -> Any:
    """As Mailgun posts it, signed."""
    token = key or f"{event}-{address}-{message_id}"
    signature = hmac.new(KEY.encode(), f"1700000000{token}".encode(), hashlib.sha256).hexdigest()
    data = {
        "event": event, "id": token, "timestamp": 1700000000.5, "recipient": address,
        "message": {"headers": {"message-id": message_id}}, "user-variables": {}, "severity": "permanent",
        "delivery-status": {"code": 550, "message": "5.1.1 no such user"}, **more,
    }  # fmt: skip
    return {
        "signature": {"token": token, "timestamp": "1700000000", "signature": signature},
        "event-data": data,
    }


def post(client: Client, path: str, body: Any) -> int:
    return client.post(path, json.dumps(body), content_type="application/json").status_code


def relay() -> None:
    while outbox.relay(worker="test").total:
        pass


def test_a_delivery_is_noted_on_its_message(client: Client, mailgun: str) -> None:
    message = sent()
    assert post(client, mailgun, news("delivered")) == 200
    relay()
    message.refresh_from_db()
    assert message.state == "delivered"
    assert message.delivered_at is not None
    assert MailEvent.objects.get().state == "done"


def test_news_with_a_wrong_signature_is_not_kept(client: Client, mailgun: str) -> None:
    body = news("delivered")
    body["signature"]["signature"] = "0" * 64
    assert post(client, mailgun, body) == 400
    assert not MailEvent.objects.exists()


def test_a_provider_that_is_not_ours_is_not_found(client: Client, mailgun: str) -> None:
    assert post(client, "/webhooks/mail/postmark/", {}) == 404
    assert post(client, "/webhooks/mail/smtp/", {}) == 404


def test_without_a_secret_no_news_is_taken(client: Client, settings: Any) -> None:
    settings.MAIL_PROVIDER, settings.ANYMAIL = "postmark", {}
    assert post(client, "/webhooks/mail/postmark/", {"RecordType": "Delivery"}) == 404


def test_what_is_no_news_is_refused(client: Client, mailgun: str) -> None:
    assert client.post(mailgun, b"{", content_type="application/json").status_code == 400


def test_news_told_twice_is_kept_once(client: Client, mailgun: str) -> None:
    sent()
    assert [post(client, mailgun, news("complained")) for _ in range(2)] == [200, 200]
    relay()
    assert (MailEvent.objects.count(), Suppression.objects.count()) == (1, 1)


@pytest.mark.parametrize("order", [("delivered", "failed"), ("failed", "delivered")])
def test_in_whatever_order_news_comes_the_end_is_the_same(client: Client, mailgun: str, order: Any) -> None:
    message = sent()
    for event in order:
        assert post(client, mailgun, news(event)) == 200
        relay()
    message.refresh_from_db()
    assert message.state == "bounced"
    assert message.delivered_at is not None
    assert message.bounced_at is not None


def test_a_hard_bounce_blocks_the_address_and_is_told(client: Client, mailgun: str) -> None:
    company = a_company()
    customer = a_customer(company, email="ada@example.com")
    message = sent(company=company, customer=customer)
    post(client, mailgun, news("failed"))
    relay()
    [row] = suppressing.of_customer(customer)
    assert (row.reason, row.scope, row.message) == ("bounced", "all", message)
    types = set(Event.objects.filter(customer_id=customer.pk).values_list("type", flat=True))
    assert {"message.bounced", "mail_address.suppressed"} <= types


def test_a_bounce_that_may_pass_blocks_nothing(client: Client, mailgun: str) -> None:
    message = sent()
    post(client, mailgun, news("failed", severity="temporary"))
    relay()
    message.refresh_from_db()
    assert not Suppression.objects.exists()


def test_a_complaint_blocks_all_mail_to_the_address(client: Client, mailgun: str) -> None:
    message = sent()
    post(client, mailgun, news("complained"))
    relay()
    message.refresh_from_db()
    assert message.state == "complained"
    assert suppressing.blocked(message.company_id, ["ADA@example.com"], category="legal")


def test_opening_a_mail_is_of_no_concern(client: Client, mailgun: str) -> None:
    message = sent()
    assert post(client, mailgun, news("opened")) == 200
    relay()
    message.refresh_from_db()
    assert (message.state, MailEvent.objects.get().state) == ("sent", "ignored")


def test_news_of_one_address_leaves_the_others_as_they_are(client: Client, mailgun: str) -> None:
    message = sent("ada@example.com", "bob@example.com")
    post(client, mailgun, news("failed", address="bob@example.com"))
    relay()
    message.refresh_from_db()
    assert [message.results[one]["state"] for one in message.recipients] == ["sent", "bounced"]


def test_an_address_the_mail_did_not_go_to_is_not_blocked(client: Client, mailgun: str) -> None:
    sent()
    post(client, mailgun, news("complained", address="stranger@example.com"))
    relay()
    assert not Suppression.objects.exists()


def test_news_that_comes_before_its_mail_is_noted_waits_for_it(client: Client, mailgun: str) -> None:
    message = sent(provider_id="")
    post(client, mailgun, news("delivered", message_id="9@mg"))
    relay()
    assert MailEvent.objects.get().state == "waiting"
    mail_events.match(message, ["<9@mg>"])
    relay()
    message.refresh_from_db()
    assert message.state == "delivered"


def test_news_finds_its_mail_by_our_own_id(client: Client, mailgun: str) -> None:
    message = sent(provider_id="")
    post(client, mailgun, news("delivered", message_id="8@mg", **{"user-variables": {"turnus": message.ref}}))
    relay()
    message.refresh_from_db()
    assert message.state == "delivered"


def test_a_webhook_with_a_password_is_taken_by_it_alone(client: Client, settings: Any) -> None:
    settings.MAIL_PROVIDER, settings.ANYMAIL = "postmark", {"WEBHOOK_SECRET": ["turnus:secret"]}
    message = sent(provider_id="pm-1")
    body = {"RecordType": "Delivery", "MessageID": "pm-1", "Recipient": "ada@example.com",
            "DeliveredAt": "2026-03-01T10:00:00Z", "Details": "250 ok", "Metadata": {}}  # fmt: skip
    path = "/webhooks/mail/postmark/"
    assert client.post(path, json.dumps(body), content_type="application/json").status_code == 400
    answer = client.post(
        path, json.dumps(body), content_type="application/json", HTTP_AUTHORIZATION="Basic dHVybnVzOnNlY3JldA=="
    )
    assert answer.status_code == 200
    relay()
    message.refresh_from_db()
    assert message.state == "delivered"


@pytest.mark.parametrize(
    ("told", "hard"),
    [
        ({"Type": "HardBounce"}, True),
        ({"Type": "SoftBounce"}, False),
        ({"event": "soft_bounce"}, False),
        ({"event": "hard_bounce"}, True),
        ({"event": "bounce", "type": "blocked"}, False),
        ({"event": "bounce", "hard_bounce": False}, False),
        ({"type": "email.bounced", "data": {"bounce": {"type": "Transient"}}}, False),
        ({"type": "email.bounced", "data": {"bounce": {"type": "Permanent"}}}, True),
    ],
)
def test_hard_and_soft_bounces_are_told_apart(told: dict[str, Any], hard: bool) -> None:
    assert mail_events.is_hard(told) is hard


def report(message: Message, status: str = "5.1.1", action: str = "failed", address: str = "ada@example.com") -> bytes:
    return f"""From: MAILER-DAEMON@mx.example
To: billing@nordlicht.example
Message-ID: <report-1@mx.example>
Date: Mon, 02 Mar 2026 09:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Your mail could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} no such user

--b
Content-Type: text/rfc822-headers

From: billing@nordlicht.example
Message-ID: <{message.ref}@nordlicht.example>
Subject: S

--b--
""".encode()


def test_a_delivery_report_blocks_the_address_that_does_not_exist() -> None:
    message = sent(provider_id="")
    assert bounce_reports.take(report(message)) == 1
    assert bounce_reports.take(report(message)) == 0
    relay()
    message.refresh_from_db()
    assert (message.state, message.results["ada@example.com"]["words"]) == (
        "bounced",
        "5.1.1 550 5.1.1 no such user",
    )
    assert Suppression.objects.get().reason == "bounced"


def test_a_report_of_a_full_mailbox_blocks_nothing() -> None:
    message = sent(provider_id="")
    bounce_reports.take(report(message, status="5.2.2"))
    relay()
    message.refresh_from_db()
    assert (message.state, Suppression.objects.count()) == ("bounced", 0)


def test_a_report_of_a_delay_says_nothing() -> None:
    assert bounce_reports.take(report(sent(provider_id=""), status="4.4.1", action="delayed")) == 0


def test_a_mail_that_is_no_report_says_nothing() -> None:
    assert bounce_reports.take(b"From: a@b.example\nSubject: Out of office\n\nI am away.\n") == 0


def test_reports_come_from_the_input_or_a_maildir(monkeypatch: Any, tmp_path: Any) -> None:
    import mailbox

    message = sent(provider_id="")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(report(message))))
    said = io.StringIO()
    call_command("take_bounces", stdout=said)
    assert said.getvalue() == "1 addresses\n"
    box = mailbox.Maildir(str(tmp_path / "box"))
    box.add(report(sent(provider_id="", company=message.company)))
    call_command("take_bounces", maildir=tmp_path / "box", stdout=said)
    assert len(mailbox.Maildir(str(tmp_path / "box"))) == 0
    assert MailEvent.objects.count() == 1  # the second report bears the first one's Message-ID


def test_a_report_read_again_years_later_blocks_no_address_that_was_set_free(tmp_path: Any) -> None:
    from core import clock
    from core.services.sweeping import sweep

    message = sent()
    bounce_reports.take(report(message))
    relay()
    [blocked] = Suppression.objects.all()
    suppressing.lift(suppression=blocked, by=BY, at=message.created_at)
    long_ago = clock.machine_now().replace(year=2020)
    MailEvent.objects.update(received_at=long_ago)
    Outbox.objects.update(done_at=long_ago)
    assert sweep(message.company, clock.machine_now()) == {"effects": 2}
    assert bounce_reports.take(report(message)) == 0
    relay()
    assert not Suppression.objects.filter(lifted_at__isnull=True).exists()


def test_news_told_again_after_its_effect_was_dropped_makes_none(client: Client, mailgun: str) -> None:
    sent()
    post(client, mailgun, news("delivered"))
    relay()
    Outbox.objects.filter(state="done").delete()
    assert post(client, mailgun, news("delivered")) == 200
    assert not Outbox.objects.filter(kind="mail_event").exists()


def test_suppressing_twice_is_once() -> None:
    company = a_company()
    for address in ("ada@example.com", "Ada@Example.com"):
        suppressing.suppress(company=company, address=address, reason="manual", by=BY, at=company.clock_at)
    assert Suppression.objects.count() == 1
