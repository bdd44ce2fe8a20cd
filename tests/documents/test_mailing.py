"""From the issued document to the mailbox: once, with the PDF, through real SMTP."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing.models import Invoice
from billing.services import mailing
from billing.services.settling import settle
from core.models import AuditEntry, Company, Outbox
from core.refusal import Refused
from core.services import outbox
from customers.models import Customer, Message
from customers.services.customers import add_contact
from tests.factories import BY, a_company, a_customer, a_subscription, set_clock

from .papers import pages_of

pytestmark = pytest.mark.django_db
ON = date(2026, 1, 1)


def an_invoice(company: Company, customer: Customer | None = None, **changes: Any) -> Invoice:
    """Issued by settling a subscription of 10.00 a month; 11.90 with tax."""
    customer = customer or a_customer(company, name="Müller & Söhne", email="mueller@example.com")
    a_subscription(company, customer, on=ON, **changes)
    outcome = settle(company=company, customer_ids=[customer.pk], on=ON, at=set_clock(company, ON), by=BY)
    [invoice_id] = outcome.invoice_ids
    return Invoice.objects.get(pk=invoice_id)


def relay_all() -> outbox.Relayed:
    """Carries out everything that is due, as the relay does."""
    total = outbox.Relayed()
    while True:
        part = outbox.relay(worker="test")
        total.done, total.failed, total.dead = (
            total.done + part.done,
            total.failed + part.failed,
            total.dead + part.dead,
        )
        if not part.total:
            return total


def test_an_issued_invoice_arrives_with_its_pdf(mailbox) -> None:
    company = a_company()
    invoice = an_invoice(company)
    relay_all()
    [mail] = mailbox.mails
    assert mailbox.envelopes == [("billing@nordlicht.example", ["mueller@example.com"])]
    assert mail["Subject"].strip() == f"Invoice {invoice.number} from {company.name}: €11.90"
    [attached] = mail.iter_attachments()
    assert attached.get_filename() == f"{invoice.number}.pdf"
    assert attached.get_content_type() == "application/pdf"
    invoice.refresh_from_db()
    assert invoice.pdf is not None
    assert attached.get_payload(decode=True) == bytes(invoice.pdf.content)
    text = " ".join("".join(pages_of(bytes(invoice.pdf.content))).split())
    assert invoice.number in text
    assert "€11.90" in text


def test_a_live_company_names_amount_day_and_account(mailbox) -> None:
    company = a_company(is_live=True, clock_at=None, iban="DE89370400440532013000")
    customer = a_customer(company, email="m@example.com")
    a_subscription(company, customer, on=ON)
    at = outbox.clock.machine_now()
    [invoice_id] = settle(company=company, customer_ids=[customer.pk], on=ON, at=at, by=BY).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    relay_all()
    [mail] = mailbox.mails
    assert mail["Subject"].strip().startswith(f"Invoice {invoice.number} from {company.name}: €11.90, due ")
    body = mail.get_body(("plain",)).get_content()
    assert f"Hello {customer.name}," in body
    assert "Please pay €11.90 by " in body
    assert "IBAN: DE89 3704 0044 0532 0130 00" in body
    assert f"Payment reference: {invoice.number}" in body
    assert "/portal/" in body


def test_the_message_is_kept_as_sent(mailbox) -> None:
    invoice = an_invoice(a_company())
    relay_all()
    message = Message.objects.get()
    assert (message.state, message.template, message.recipients) == ("sent", "invoice_issued", ["mueller@example.com"])
    assert (message.subject_kind, message.subject_id, message.customer_id) == (
        "invoice",
        invoice.pk,
        invoice.customer_id,
    )
    assert message.attachments == [{"kind": "invoice", "id": invoice.pk}]
    assert mailbox.mails[0].get_body(("plain",)).get_content().replace("\r\n", "\n") == message.body
    invoice.balance.refresh_from_db()
    assert invoice.balance.sent_at == invoice.customer.company.clock_at


def test_a_document_is_mailed_once_however_often_its_row_comes_by(mailbox) -> None:
    an_invoice(a_company())
    relay_all()
    Outbox.objects.update(state="waiting")
    assert relay_all().done == 2
    assert Message.objects.count() == 1
    assert len(mailbox.mails) == 1


def test_a_document_is_mailed_once_also_after_its_row_was_dropped(mailbox) -> None:
    company = a_company()
    customer = a_customer(company, email="mueller@example.com")
    an_invoice(company, customer)
    relay_all()
    assert Outbox.objects.filter(state="done").delete()[0] == 2
    for _again in range(2):
        settle(company=company, customer_ids=[customer.pk], on=ON, at=set_clock(company, ON), by=BY)
    relay_all()
    assert (len(mailbox.mails), Message.objects.count(), Outbox.objects.count()) == (1, 1, 0)


def test_contacts_who_asked_get_it_too(mailbox) -> None:
    company = a_company()
    customer = a_customer(company, email="office@example.com")
    for name, address, wanted in (
        ("A", "a@example.com", True),
        ("B", "b@example.com", False),
        ("C", "Office@example.com", True),
    ):
        add_contact(
            customer=customer,
            name=name,
            email=address,
            role="billing",
            gets_invoices=wanted,
            by=BY,
            at=company.clock_at,
        )
    an_invoice(company, customer)
    relay_all()
    assert mailbox.envelopes[0][1] == ["office@example.com", "a@example.com"]


def test_a_customer_without_address_gets_no_mail(mailbox) -> None:
    company = a_company()
    invoice = an_invoice(company, a_customer(company, email=""))
    assert relay_all() == outbox.Relayed(done=1)
    assert mailbox.mails == []
    assert Message.objects.count() == 0
    assert invoice.balance.sent_at is None


def test_sending_again_goes_where_asked_and_is_audited(mailbox) -> None:
    company = a_company()
    invoice = an_invoice(company)
    relay_all()
    mailing.send(document=invoice, recipients=["boss@example.com"], by=BY, at=company.clock_at)
    relay_all()
    assert [recipients for _sender, recipients in mailbox.envelopes] == [["mueller@example.com"], ["boss@example.com"]]
    assert AuditEntry.objects.get(verb="invoice.send").subject_id == invoice.pk
    first, second = (next(mail.iter_attachments()).get_payload(decode=True) for mail in mailbox.mails)
    assert first == second


def test_sending_to_nobody_is_refused(mailbox) -> None:
    company = a_company()
    invoice = an_invoice(company, a_customer(company, email=""))
    with pytest.raises(Refused, match=r"document\.no_recipient"):
        mailing.send(document=invoice, by=BY, at=company.clock_at)


def test_an_address_the_server_refuses_leaves_the_message_failed(mailbox) -> None:
    an_invoice(a_company())
    mailbox.answers["mueller@example.com"] = "550 no such user"
    assert relay_all() == outbox.Relayed(done=1, dead=1)
    message = Message.objects.get()
    assert message.state == "failed"
    assert message.error == "mueller@example.com: 550 no such user"
    assert Outbox.objects.get(kind="mail").state == "dead"


def test_a_failed_message_can_be_sent_after_all(mailbox) -> None:
    company = a_company()
    an_invoice(company)
    mailbox.answers["mueller@example.com"] = "550 no such user"
    relay_all()
    mailbox.answers.clear()
    assert outbox.replay(company_id=company.pk, ids=[Outbox.objects.get(kind="mail").pk]) == 1
    relay_all()
    assert len(mailbox.mails) == 1
    assert Message.objects.get().state == "sent"


def test_a_busy_server_is_tried_again(mailbox) -> None:
    an_invoice(a_company())
    mailbox.answers["mueller@example.com"] = "451 try later"
    assert relay_all() == outbox.Relayed(done=1, failed=1)
    assert Message.objects.get().state == "waiting"
    row = Outbox.objects.get(kind="mail")
    assert (row.state, row.attempts) == ("waiting", 1)
    mailbox.answers.clear()
    Outbox.objects.update(due_at=row.created_at)
    assert relay_all() == outbox.Relayed(done=1)
    assert Message.objects.get().state == "sent"


def test_a_server_that_is_down_fails_the_message_only_at_the_last_try(mailbox, settings) -> None:
    an_invoice(a_company())
    settings.EMAIL_PORT = 1  # nobody listens there
    relay_all()
    assert Message.objects.get().state == "waiting"
    row = Outbox.objects.get(kind="mail")
    Outbox.objects.filter(pk=row.pk).update(attempts=len(outbox.BACK_OFF), due_at=row.created_at)
    assert relay_all() == outbox.Relayed(dead=1)
    message = Message.objects.get()
    assert message.state == "failed"
    assert message.error


def test_one_refused_recipient_of_two_is_noted(mailbox) -> None:
    company = a_company()
    customer = a_customer(company, email="office@example.com")
    add_contact(
        customer=customer,
        name="Gone",
        email="gone@example.com",
        role="billing",
        gets_invoices=True,
        by=BY,
        at=company.clock_at,
    )
    mailbox.answers["gone@example.com"] = "550 gone"
    an_invoice(company, customer)
    relay_all()
    message = Message.objects.get()
    assert (message.state, message.error) == ("sent", "gone@example.com: 550 gone")
    assert mailbox.envelopes[0][1] == ["office@example.com"]


def test_mail_of_a_test_company_never_leaves_this_machine(mailbox, settings) -> None:
    an_invoice(a_company())
    settings.EMAIL_HOST = "mail.example.com"
    assert relay_all() == outbox.Relayed(done=1, dead=1)
    assert "TURNUS_TEST_SMTP" in Message.objects.get().error


def test_mail_of_a_test_company_goes_to_the_mail_catcher(mailbox, settings) -> None:
    an_invoice(a_company())
    settings.EMAIL_HOST = "mail.example.com"
    settings.TEST_SMTP = f"127.0.0.1:{mailbox.port}"
    relay_all()
    assert len(mailbox.mails) == 1


def test_a_subject_with_line_breaks_stays_one_header(mailbox) -> None:
    company = a_company(name="Nord\tlicht")
    from customers.services import messages

    message = messages.write(
        company=company, customer=None, template="x", language="en", subject="Hello\r\nBcc: spy@example.com", body="B",
        recipients=["a@example.com"], at=company.clock_at,
    )  # fmt: skip
    relay_all()
    assert message.subject == "Hello Bcc: spy@example.com"
    assert mailbox.envelopes[0][1] == ["a@example.com"]
    assert mailbox.mails[0]["Bcc"] is None


def test_a_mail_that_cant_be_addressed_fails_for_good(mailbox) -> None:
    company = a_company()
    from customers.services import messages

    messages.write(
        company=company,
        customer=None,
        template="x",
        language="en",
        subject="S",
        body="B",
        recipients=[" "],
        at=company.clock_at,
    )
    assert relay_all() == outbox.Relayed(dead=1)
    assert Message.objects.get().state == "failed"


def test_a_mail_is_the_same_mail_when_it_goes_out_twice(mailbox) -> None:
    an_invoice(a_company())
    relay_all()
    # The server took it, and the answer was lost.
    Message.objects.update(state="waiting", sent_at=None, results={})
    Outbox.objects.filter(kind="mail").update(state="waiting")
    relay_all()
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]
