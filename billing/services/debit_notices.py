"""Pre-notification: the customer is told of a direct debit before it is drawn, with all the rulebook asks for.

The rule that matters: every collection day is announced once, in a mail of its own, as soon as it is known; a day that
is moved, or another amount, is announced anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.template.loader import render_to_string
from django.utils.translation import override

from billing.documents.figures import Figures
from billing.models import Attempt, Mandate
from billing.services import mailing, receivables
from core.models import Company
from customers.models import Message
from customers.services import messages
from customers.services.customers import language_of

TEMPLATE: Final = "debit_notice"
#: Notices of a tick at most; the next one writes the others.
AT_ONCE: Final = 2_000


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
        if (told and not is_again) or mandate is None or not recipients:
            return None
        language = language_of(customer)
        figures = Figures(language, attempt.currency)
        context = {
            "company": company,
            "customer": customer,
            "number": attempt.invoice.number,
            "amount": figures.money(attempt.amount_minor),
            "day": figures.day(attempt.collect_on.isoformat()),
            "reference": mandate.reference,
            "creditor_id": attempt.gateway.creditor_id,
            "creditor": attempt.gateway.creditor_name or company.legal_name,
            "label": attempt.method.label if attempt.method is not None else "",
            "is_again": told,
            "link": mailing.portal_link(attempt.invoice),
        }
        with override(language):
            subject = render_to_string(f"mail/{TEMPLATE}_subject.txt", context)
            body = render_to_string(f"mail/{TEMPLATE}.txt", context)
        return messages.write(
            company=company, customer=customer, template=TEMPLATE, language=language, subject=subject,
            body=body.strip() + "\n", recipients=recipients, subject_kind="attempt", subject_id=attempt.pk, at=at,
        )  # fmt: skip


def announce_due(*, company: Company, at: datetime) -> int:
    """Notices of all debits that were not announced yet; how many mails."""
    told = Message.objects.filter(company=company, subject_kind="attempt", subject_id=OuterRef("pk"), template=TEMPLATE)
    rows = Attempt.objects.filter(
        company=company, state=Attempt.State.CREATED, collect_on__isnull=False, method__isnull=False
    )
    ids = list(rows.filter(~Exists(told)).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    return sum(announce(attempt_id=id_, at=at) is not None for id_ in ids)
