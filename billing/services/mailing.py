"""Mails invoices and credit notes with their PDF: once when issued, again when asked.

One rule matters: the first mail of a document is written once, however often the relay comes by; what it says of
amounts comes from the frozen content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter

from django.conf import settings
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils.translation import override

from billing.documents import rendering, words
from billing.documents.content import KINDS, Content, Kind, kind_of, read
from billing.documents.figures import Figures
from billing.models import CreditNote, Gateway, Invoice, InvoiceBalance
from billing.services import pay_links
from billing.services.loading import Also, AlsoRow, ask
from core import clock
from core.actors import Actor
from core.fault_points import point
from core.models import Outbox, StoredFile
from core.refusal import Refused
from core.services import outbox, trail
from customers.models import Customer, Message
from customers.services import mail_texts, merged, messages
from customers.services.customers import language_of

TEMPLATES: dict[Kind, str] = {"invoice": "invoice_issued", "credit_note": "credit_note_issued"}


def send(
    *, document: Invoice | CreditNote, recipients: Iterable[str] | None = None, by: Actor, at: datetime
) -> Message:
    """Mails an issued document again: to `recipients`, else to those who get the customer's documents.

    Refuses a draft (`document.not_issued`) and a customer without an address (`document.no_recipient`).
    """
    content = read(document)
    with transaction.atomic():
        addresses = messages.distinct(recipients_of(document.customer) if recipients is None else recipients)
        if not addresses:
            raise Refused("document.no_recipient", field="recipients", number=document.number)
        message = _write(document, content, addresses, at)
        trail.audit(
            company_id=document.company_id,
            at=at,
            by=by,
            verb=f"{content.kind}.send",
            subject_kind=content.kind,
            subject_id=document.pk,
            customer_id=document.customer_id,
            facts={"number": document.number, "message": message.ref, "recipients": len(addresses)},
        )
    return message


def recipients_of(customer: Customer) -> list[str]:
    """Who gets the customer's documents: its own address, then contacts who asked for them; those of the one that stays
    where it was merged."""
    customer = merged.standing(customer)
    return addresses_of(customer, ask([contacts_of(customer)]))


def contacts_of(customer: Customer) -> Also:
    """Asks with the facts (`contact`) for contacts who get documents."""
    sql = """
        SELECT 'contact', email, '', '', NULL::numeric, NULL::date, id, customer_id, NULL::text FROM customers_contact
        WHERE customer_id = %(customer)s AND gets_invoices AND archived_at IS NULL
    """
    return Also(sql, {"customer": customer.pk})


def addresses_of(customer: Customer, also: Mapping[str, Sequence[AlsoRow]]) -> list[str]:
    """Who gets the customer's documents, from what `contacts_of` asked for."""
    contacts = sorted(also.get("contact", ()), key=itemgetter(6))
    return messages.distinct([customer.email, *(row[1] for row in contacts)])


@outbox.handler("document_mail")
def first_mail(row: Outbox) -> None:
    """Writes the mail of a freshly issued document. A customer without an address gets none.

    The outbox row remembers the message it became, so a second relay on the same row writes no second one.
    """
    model = KINDS[row.payload["kind"]]
    with transaction.atomic():
        held = Outbox.objects.select_for_update().get(pk=row.pk)
        if "message" in held.payload:
            return
        document = model.objects.select_related("customer__company").get(
            pk=held.payload["id"], company_id=held.company_id
        )
        addresses = recipients_of(document.customer)
        message = None
        if addresses:
            company = document.customer.company
            message = _write(document, read(document), addresses, clock.now(company)).pk
        held.payload = {**held.payload, "message": message}
        held.save(update_fields=["payload"])
        point("mail.composed")


def _write(document: Invoice | CreditNote, content: Content, addresses: list[str], at: datetime) -> Message:
    customer = document.customer
    language = language_of(customer)
    template = TEMPLATES[content.kind]
    with override(language):
        facts = _facts(document, content, language)
    text = "invoice_settled" if content.kind == "invoice" and not facts["to_pay"] else template
    mail = mail_texts.compose(company=customer.company, name=text, language=language, facts=facts)
    return messages.write(
        company=customer.company,
        customer=customer,
        template=template,
        language=language,
        subject=mail.subject,
        body=mail.body,
        recipients=addresses,
        attachments=[{"kind": content.kind, "id": document.pk}],
        subject_kind=content.kind,
        subject_id=document.pk,
        at=at,
    )


def _facts(document: Invoice | CreditNote, content: Content, language: str) -> dict[str, str]:
    body, seller = content.body, content.seller
    figures = Figures(language, body["currency"])
    to_pay = body.get("to_pay", body["gross"]) if content.kind == "invoice" else 0
    return {
        "customer": document.customer.name,
        "number": body["number"],
        "amount": figures.money(body["gross"]),
        "to_pay": figures.money(to_pay) if to_pay and not body.get("is_test") else "",
        "day": figures.day(body["issued_on"]),
        "due_on": figures.day(body["payment_due_on"]) if body.get("payment_due_on") else "",
        "invoice": (body.get("corrects") or {}).get("number", ""),
        "reason": body.get("reason", ""),
        "payment": words.payment_note(body, seller, figures),
        "bank": "" if body.get("debit") else bank_lines(content),
        "link": portal_link(document),
        "pay_link": _pay_link(document, to_pay),
    }


def bank_lines(content: Content) -> str:
    """Where to transfer the money to, a fact a line, in the active language."""
    return "\n".join(f"{fact.label}: {fact.value}" for fact in words.bank_facts(content.body, content.seller))


def _pay_link(document: Invoice | CreditNote, to_pay: int) -> str:
    """Where the invoice is paid at once; empty without a provider's page, or where nothing is to be paid."""
    if not isinstance(document, Invoice) or not to_pay:
        return ""
    with_page = (Gateway.Kind.STRIPE, Gateway.Kind.PAYPAL)
    if not Gateway.objects.filter(company_id=document.company_id, is_active=True, kind__in=with_page).exists():
        return ""
    return pay_links.paying_link(document)


def portal_link(document: Invoice | CreditNote) -> str:
    """Where the customer finds the document online: its own page, else the portal's first one."""
    names: dict[Kind, str] = {"invoice": "portal:invoice", "credit_note": "portal:credit-note"}
    try:
        path = reverse(names[kind_of(document)], args=[document.ref])
    except NoReverseMatch:
        path = "/portal/"
    return settings.SITE_URL + path


@messages.attachment("invoice")
def invoice_pdf(document_id: int) -> StoredFile:
    """The invoice as attached to its mail."""
    return _pdf("invoice", document_id)


@messages.attachment("credit_note")
def credit_note_pdf(document_id: int) -> StoredFile:
    """The credit note as attached to its mail."""
    return _pdf("credit_note", document_id)


def _pdf(kind: Kind, document_id: int) -> StoredFile:
    return rendering.by_id(kind, document_id)


@messages.when_sent("invoice")
def note_sent(message: Message) -> None:
    """An invoice's balance says when it was last mailed, by the company's clock."""
    assert message.subject_id is not None
    InvoiceBalance.objects.filter(invoice_id=message.subject_id, company_id=message.company_id).update(
        sent_at=clock.now(message.company)
    )
