"""A company's own words stand in the mails of billing."""

from __future__ import annotations

from datetime import date

import pytest

from billing.models import Invoice
from billing.services import paying_mails
from billing.services.settling import settle
from core.services import outbox
from customers.models import Message
from customers.services import mail_texts
from tests.factories import BY, a_company, a_customer, a_subscription, set_clock

pytestmark = pytest.mark.django_db
ON = date(2026, 1, 1)


def reworded(company, name: str, subject: str, body: str, language: str = "en") -> None:
    mail_texts.save(
        company=company, name=name, language=language, subject=subject, body=body, by=BY, at=company.clock_at
    )


def an_invoice(company, **changes) -> Invoice:
    customer = a_customer(company, name="{number} & Söhne", email="m@example.com", **changes)
    a_subscription(company, customer, on=ON)
    outcome = settle(company=company, customer_ids=[customer.pk], on=ON, at=set_clock(company, ON), by=BY)
    return Invoice.objects.get(pk=outcome.invoice_ids[0])


def test_the_invoices_mail_says_what_the_company_says() -> None:
    company = a_company()
    reworded(company, "invoice_settled", "{company} thanks {customer}", "No. {number}\n\nReason: {pay_link}\n\nBye")
    invoice = an_invoice(company)
    outbox.relay(worker="test")
    message = Message.objects.get(template="invoice_issued")
    assert (message.subject, message.body) == (
        f"{company.name} thanks {{number}} & Söhne",
        f"No. {invoice.number}\n\nBye\n",
    )
    assert message.category == "contract"


def test_a_signature_of_ones_own_closes_every_mail() -> None:
    company = a_company()
    reworded(company, "signature", "", "Your team\n{company}")
    message = paying_mails.send_method_link(
        customer=a_customer(company, email="m@example.com"), by=BY, at=company.clock_at
    )
    assert message.body.endswith(f"\n\nYour team\n{company.name}\n")


def test_words_in_german_leave_the_french_mail_alone() -> None:
    company = a_company()
    reworded(company, "method_link", "Hallo", "Hallo {customer}: {link}", language="de")
    for language, subject in (("de", "Hallo"), ("fr", f"Votre moyen de paiement chez {company.name}")):
        customer = a_customer(company, email="m@example.com", language=language)
        assert paying_mails.send_method_link(customer=customer, by=BY, at=company.clock_at).subject == subject
