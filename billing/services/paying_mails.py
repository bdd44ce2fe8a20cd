"""Mails with the link that pays an invoice, or adds a payment method, without signing in: because a colleague asks.

The rule that matters: it goes to those who get the customer's documents, in the customer's language.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import override

from billing.documents.figures import Figures
from billing.models import Invoice, InvoiceBalance
from billing.services import mailing, pay_links, receivables
from core import clock
from core.actors import Actor
from core.refusal import Refused
from core.services import trail
from customers.models import Customer, Message
from customers.services import mail_texts, merged, messages
from customers.services.customers import language_of

#: What such a message is about: the invoice with this id.
KIND: Final = "pay_link"


@transaction.atomic
def send_link(*, invoice: Invoice, by: Actor, at: datetime) -> Message:
    """Mails the pay link. Refuses `attempt.nothing_due` and `document.no_recipient`."""
    customer, company = invoice.customer, invoice.company
    balance = InvoiceBalance.objects.get(pk=invoice.pk)
    if balance.status not in receivables.PAYABLE or balance.open_minor <= 0:
        raise Refused("attempt.nothing_due", field="invoice", number=invoice.number)
    recipients = mailing.recipients_of(customer)
    if not recipients:
        raise Refused("document.no_recipient", number=invoice.number)
    language = language_of(customer)
    with override(language):
        figures = Figures(language, invoice.currency)
        facts = {
            "customer": customer.name,
            "number": invoice.number,
            "total": figures.money(balance.open_minor),
            "due_on": figures.day(balance.payment_due_on),
            "link": pay_links.paying_link(invoice, on=clock.day_in(at, company.time_zone)),
        }
    mail = mail_texts.compose(company=company, name="pay_link", language=language, facts=facts)
    message = messages.write(
        company=company, customer=customer, template="pay_link", language=language, subject=mail.subject,
        body=mail.body, recipients=recipients, subject_kind=KIND, subject_id=invoice.pk, at=at,
    )  # fmt: skip
    trail.audit(
        company_id=company.pk, at=at, by=by, verb="invoice.send_link", subject_kind="invoice", subject_id=invoice.pk,
        customer_id=customer.pk, facts={"message": message.pk},
    )  # fmt: skip
    return message


@transaction.atomic
def send_method_link(*, customer: Customer, by: Actor, at: datetime) -> Message:
    """Mails the link with which a payment method is added. Refuses `document.no_recipient` and
    `customer.merged`."""
    company = customer.company
    merged.refuse(customer)
    recipients = mailing.recipients_of(customer)
    if not recipients:
        raise Refused("document.no_recipient", number=customer.name)
    language = language_of(customer)
    facts = {
        "customer": customer.name,
        "link": pay_links.method_link(customer, on=clock.day_in(at, company.time_zone)),
    }
    mail = mail_texts.compose(company=company, name="method_link", language=language, facts=facts)
    message = messages.write(
        company=company, customer=customer, template="method_link", language=language, subject=mail.subject,
        body=mail.body, recipients=recipients, subject_kind="customer", subject_id=customer.pk, at=at,
    )  # fmt: skip
    trail.audit(
        company_id=company.pk, at=at, by=by, verb="customer.send_method_link", subject_kind="customer",
        subject_id=customer.pk, customer_id=customer.pk, facts={"message": message.pk},
    )  # fmt: skip
    return message
