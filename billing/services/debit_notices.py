"""Pre-notification: the customer is told of a direct debit before it is drawn, with all the rulebook asks for.

The rule that matters: what the mailed invoice says needs no other word; every other collection day, one that is moved,
and another amount are announced in a mail of their own, in the transaction that decides them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from billing.documents import content
from billing.documents.figures import Figures
from billing.models import Attempt, Mandate
from billing.services import debit_marks, mailing, receivables
from customers.models import Message
from customers.services import mail_texts, messages
from customers.services.customers import language_of

TEMPLATE: Final = "debit_notice"


def announce(*, attempt_id: int, at: datetime, is_again: bool = False) -> Message | None:
    """The notice of a debit that waits for its file: once, or `is_again` after its day was moved.

    None where it was told already, nobody gets the customer's documents, or it is not (any more) to be collected.
    """
    with transaction.atomic():
        attempt = Attempt.objects.select_related("invoice", "customer__company", "gateway", "method").get(pk=attempt_id)
        customer, company = attempt.customer, attempt.customer.company
        receivables.lock_customer(company, customer.pk)
        attempt.refresh_from_db(fields=["state", "collect_on"])
        if attempt.state != Attempt.State.CREATED or attempt.collect_on is None:
            return None
        told = Message.objects.filter(
            company=company, subject_kind="attempt", subject_id=attempt.pk, template=TEMPLATE
        ).exists()
        mandate = Mandate.objects.filter(method_id=attempt.method_id, ended_on__isnull=True).first()
        recipients = mailing.recipients_of(customer)
        if (told and not is_again) or mandate is None or not recipients or _is_on_invoice(attempt, mandate):
            return None
        language = language_of(customer)
        figures = Figures(language, attempt.currency)
        facts = {
            "customer": customer.name,
            "number": attempt.invoice.number,
            "amount": figures.money(attempt.amount_minor),
            "day": figures.day(attempt.collect_on.isoformat()),
            "reference": mandate.reference,
            "creditor_id": attempt.gateway.creditor_id,
            "creditor": attempt.gateway.creditor_name or company.legal_name,
            "account": attempt.method.label if attempt.method is not None else "",
            "link": mailing.portal_link(attempt.invoice),
        }
        text = f"{TEMPLATE}_moved" if told else TEMPLATE
        mail = mail_texts.compose(company=company, name=text, language=language, facts=facts)
        return messages.write(
            company=company, customer=customer, template=TEMPLATE, language=language, subject=mail.subject,
            body=mail.body, recipients=recipients, subject_kind="attempt", subject_id=attempt.pk, at=at,
        )  # fmt: skip


def _is_on_invoice(attempt: Attempt, mandate: Mandate) -> bool:
    """Whether the invoice that is mailed says just this: day, amount, mandate."""
    if not attempt.invoice.notifies:
        return False
    body = content.read(attempt.invoice).body
    debit = debit_marks.printed(body)
    return debit is not None and (debit["on"], debit["reference"], debit["creditor_id"], body["to_pay"]) == (
        str(attempt.collect_on), mandate.reference, attempt.gateway.creditor_id, attempt.amount_minor,
    )  # fmt: skip
