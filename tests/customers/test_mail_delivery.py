"""From the written message to the mailbox through a real mail server: once, to each address, or told why not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from core import clock
from core.models import Outbox
from core.services import outbox
from customers.models import Message, Suppression
from customers.services import messages, suppressing
from tests.factories import BY, a_company, a_customer

from .catching import Catcher, catching

pytestmark = pytest.mark.django_db


@pytest.fixture
def catcher(tmp_path: Path, settings: Any) -> Iterator[Catcher]:
    with catching(tmp_path / "mail", settings) as running:
        yield running


def written(company: Any, *recipients: str, **changes: Any) -> Message:
    given = {"template": "test", "language": "en", "subject": "Hello", "body": "Good day\n"} | changes
    return messages.write(
        company=company, customer=given.pop("customer", None), recipients=recipients, at=company.clock_at, **given
    )


def relay() -> tuple[int, int, int]:
    """One round; done, to be tried again, dead."""
    outcome = outbox.relay(worker="test")
    return outcome.done, outcome.failed, outcome.dead


def due_again() -> None:
    Outbox.objects.update(due_at=clock.machine_now() - timedelta(seconds=1))


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def test_a_mail_is_sent_once_and_each_address_is_noted(catcher: Catcher) -> None:
    message = written(a_company(), "ada@example.com", "bob@example.com")
    assert relay() == (1, 0, 0)
    assert relay() == (0, 0, 0)
    message.refresh_from_db()
    assert (message.state, catcher.recipients) == ("sent", ["ada@example.com, bob@example.com"])
    assert {address: known["state"] for address, known in message.results.items()} == {
        "ada@example.com": "sent",
        "bob@example.com": "sent",
    }


def test_a_row_that_comes_by_again_sends_nothing(catcher: Catcher) -> None:
    written(a_company(), "ada@example.com")
    relay()
    Outbox.objects.update(state="waiting")
    assert relay() == (1, 0, 0)
    assert len(catcher.mails) == 1


def test_a_lost_answer_sends_the_same_mail_again(catcher: Catcher) -> None:
    message = written(a_company(), "drop-once@answer.example")
    assert relay() == (0, 1, 0)
    message.refresh_from_db()
    assert message.state == "waiting"
    due_again()
    assert relay() == (1, 0, 0)
    first, second = catcher.ids
    assert first == second == f"<{message.ref}@nordlicht.example>"


def test_a_refusal_for_now_is_tried_again(catcher: Catcher) -> None:
    message = written(a_company(), "451-4.3.2-once@answer.example")
    assert relay() == (0, 1, 0)
    assert catcher.mails == []
    due_again()
    assert relay() == (1, 0, 0)
    message.refresh_from_db()
    assert (message.state, message.error, len(catcher.mails)) == ("sent", "", 1)


def test_of_two_addresses_only_the_one_refused_for_now_is_tried_again(catcher: Catcher) -> None:
    message = written(a_company(), "ada@example.com", "451-once@answer.example")
    assert relay() == (0, 1, 0)
    message.refresh_from_db()
    assert message.state == "waiting"
    assert message.sent_at is not None
    due_again()
    assert relay() == (1, 0, 0)
    assert catcher.recipients == ["ada@example.com", "451-once@answer.example"]
    message.refresh_from_db()
    assert message.state == "sent"


def test_an_address_that_does_not_exist_gets_no_more_mail(catcher: Catcher) -> None:
    company = a_company()
    customer = a_customer(company, email="550-5.1.1@answer.example")
    message = written(company, "550-5.1.1@answer.example", customer=customer)
    assert relay() == (0, 0, 1)
    message.refresh_from_db()
    assert (message.state, message.error) == ("failed", "550-5.1.1@answer.example: 550 5.1.1 as asked for")
    row = Suppression.objects.get()
    assert (row.address, row.reason, row.scope, row.message) == ("550-5.1.1@answer.example", "bounced", "all", message)
    assert suppressing.of_customer(customer) == [row]
    later = written(company, "550-5.1.1@Answer.example")
    assert relay() == (1, 0, 0)
    later.refresh_from_db()
    assert (later.state, later.error) == ("held", "550-5.1.1@Answer.example: mail came back for good")


def test_a_full_mailbox_fails_the_mail_and_blocks_nothing(catcher: Catcher) -> None:
    message = written(a_company(), "552-5.2.2@answer.example")
    assert relay() == (0, 0, 1)
    message.refresh_from_db()
    assert message.state == "failed"
    assert not Suppression.objects.exists()


def test_a_blocked_address_is_left_out_and_the_others_get_it(catcher: Catcher) -> None:
    company = a_company()
    suppressing.suppress(company=company, address="Gone@example.com", reason="manual", by=BY, at=company.clock_at)
    message = written(company, "gone@example.com", "ada@example.com")
    assert relay() == (1, 0, 0)
    message.refresh_from_db()
    assert (message.state, message.error) == ("sent", "gone@example.com: entered by hand")
    assert catcher.recipients == ["ada@example.com"]


def test_what_one_company_blocks_another_may_send(catcher: Catcher) -> None:
    one, other = a_company(), a_company(slug="other")
    suppressing.suppress(company=one, address="ada@example.com", reason="manual", by=BY, at=one.clock_at)
    written(other, "ada@example.com")
    relay()
    assert catcher.recipients == ["ada@example.com"]


def test_lifted_the_address_gets_mail_again(catcher: Catcher) -> None:
    company = a_company()
    row = suppressing.suppress(company=company, address="ada@example.com", reason="bounced", by=BY, at=company.clock_at)
    suppressing.lift(suppression=row, by=BY, at=company.clock_at)
    written(company, "ada@example.com")
    relay()
    assert len(catcher.mails) == 1


def test_a_server_that_hangs_is_left_and_tried_again(catcher: Catcher, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 1
    message = written(a_company(), "hang@answer.example")
    assert relay() == (0, 1, 0)
    message.refresh_from_db()
    assert message.state == "waiting"


def test_a_slow_server_is_waited_for(catcher: Catcher) -> None:
    written(a_company(), "slow-1@answer.example")
    assert relay() == (1, 0, 0)


@pytest.mark.parametrize("subject", ["Hi\r\nBcc: x@example.com", "Hi\nX-Evil: 1", "Hi\r\n\r\nbody"])
def test_a_subject_adds_no_header(catcher: Catcher, subject: str) -> None:
    written(a_company(), "ada@example.com", subject=subject)
    relay()
    [mail] = catcher.mails
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None
    assert mail["Subject"] == " ".join(subject.split())


def test_a_senders_name_adds_no_header(catcher: Catcher) -> None:
    company = a_company()
    company.mail_name = "Nord\r\nBcc: x@example.com"
    written(company, "ada@example.com")
    relay()
    [mail] = catcher.mails
    assert mail["Bcc"] is None
    assert mail["From"].addresses[0].display_name == "Nord Bcc: x@example.com"


def test_an_address_with_a_line_break_is_not_sent_to(catcher: Catcher) -> None:
    message = written(a_company(), "ada@example.com\r\nBcc: x@example.com")
    assert relay() == (0, 0, 1)
    message.refresh_from_db()
    assert (message.state, catcher.mails) == ("failed", [])


def test_sender_and_reply_address_are_the_companys_own(catcher: Catcher) -> None:
    company = a_company()
    company.mail_name, company.mail_address = "Nordlicht Service", "service@mail.nordlicht.example"
    company.mail_reply_to = "answers@nordlicht.example"
    company.save()
    written(company, "ada@example.com")
    relay()
    [mail] = catcher.mails
    assert (mail["From"], mail["Reply-To"]) == (
        "Nordlicht Service <service@mail.nordlicht.example>",
        "answers@nordlicht.example",
    )


def test_the_layout_escapes_the_text_and_adds_no_picture_from_outside(catcher: Catcher) -> None:
    company = a_company()
    written(company, "ada@example.com", body="Hello <b>Ada</b> & Co\n\nhttps://x.example/?a=1&b=<2>\n")
    relay()
    [mail] = catcher.mails
    html = html_of(mail)
    assert "Hello &lt;b&gt;Ada&lt;/b&gt; &amp; Co" in html
    assert 'href="https://x.example/?a=1&amp;b="' in html
    assert "src=" not in html
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n").startswith("Hello <b>Ada</b> & Co\n")  # type: ignore[union-attr]


def test_the_logo_travels_inside_the_mail(catcher: Catcher) -> None:
    from core.services.company import set_logo

    company = a_company()
    picture = b"\x89PNG\r\n\x1a\n" + b"0" * 40
    set_logo(company=company, name="logo.png", content=picture, by=BY, at=company.clock_at)
    company.refresh_from_db()
    written(company, "ada@example.com")
    relay()
    [mail] = catcher.mails
    assert 'src="cid:logo@turnus"' in html_of(mail)
    [part] = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert (part["Content-ID"], part.get_payload(decode=True)) == ("<logo@turnus>", picture)


def test_without_looks_a_mail_is_plain_text_alone(catcher: Catcher) -> None:
    company = a_company()
    company.mails_have_html = False
    company.save()
    written(company, "ada@example.com")
    relay()
    assert catcher.mails[0].get_content_type() == "text/plain"


def test_mail_to_somebody_else_waits_for_no_server_that_hangs(catcher: Catcher, settings: Any) -> None:
    settings.EMAIL_TIMEOUT = 3
    company = a_company()
    written(company, "hang@answer.example")
    written(company, "ada@example.com")
    assert relay() == (1, 1, 0)
    assert catcher.recipients == ["ada@example.com"]


def test_many_messages_are_written_in_few_statements(django_assert_max_num_queries: Any) -> None:
    company = a_company()
    drafts = [messages.Draft(None, "test", "en", "Hello", "Hi\n", [f"a{number}@example.com"]) for number in range(1000)]
    with django_assert_max_num_queries(5):
        made = messages.write_many(company=company, drafts=drafts, at=company.clock_at)
    assert len({message.pk for message in made}) == Outbox.objects.count() == 1000


def test_a_mail_sent_again_is_a_new_mail(catcher: Catcher) -> None:
    company = a_company()
    message = written(company, "ada@example.com")
    relay()
    again = messages.resend(message=message, by=BY, at=company.clock_at)
    relay()
    assert catcher.ids == [f"<{message.ref}@nordlicht.example>", f"<{again.ref}@nordlicht.example>"]


def test_sent_again_it_goes_where_the_customer_is_now(catcher: Catcher) -> None:
    company = a_company()
    customer = a_customer(company, email="gone@example.com")
    message = written(company, "gone@example.com", "bob@example.com", customer=customer, category="legal")
    suppressing.suppress(
        company=company, address="gone@example.com", reason=Suppression.Reason.BOUNCED, by=BY, at=company.clock_at
    )
    customer.email = "new@example.com"
    customer.save(update_fields=["email"])
    message.refresh_from_db()
    again = messages.resend(message=message, by=BY, at=company.clock_at)
    assert again.recipients == ["bob@example.com", "new@example.com"]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            "Pay now:\nhttps://x.example/pay/abc/",
            '<p><a class="link" href="https://x.example/pay/abc/">Pay now</a></p>',
        ),
        (
            f"{'Long words ' * 5}:\nhttps://x.example/pay/{'a' * 40}/",
            f"<p>{'Long words ' * 5}:<br>\n"
            f'<a class="link" href="https://x.example/pay/{"a" * 40}/">x.example/…</a></p>',
        ),
        ("┌───┐\n  Until:\n  31 May\n└───┘", '<p class="frame">Until:<br>\n31 May</p>'),
        ("─────", "<hr>"),
        ("<b>:\nhttps://x.example/", '<p><a class="link" href="https://x.example/">&lt;b&gt;</a></p>'),
    ],
)
def test_the_layout_makes_buttons_frames_and_rules_of_the_plain_text(body: str, shown: str) -> None:
    from customers.services.mail_layout import html_of

    assert shown in html_of(a_company(), language="en", subject="S", body=f"{body}\n")
